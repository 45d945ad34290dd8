"""The compute path: from the SB's words to int8 outputs, one pixel a cycle."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from arch_model.machine.accelerator import ADDRESS_BITS, ZSB_ADDRESS_BITS
from arch_model.machine.microarchitecture import (
    ACCUMULATOR,
    ARRAY,
    COLUMN_BUFFER,
    DPE,
    LANE_BYTES,
    LINE_BUFFER,
    MEMORY_READ,
    REPACKER,
    REQUANTISER,
)
from arch_model.program.isa import Opcode
from rtl import dpe
from rtl.accumulator import Accumulator
from rtl.array import Array
from rtl.column_buffer import GROUPS, ColumnBuffer
from rtl.command import command_layout
from rtl.interfaces import acquire, sb_write, table_write, word_read
from rtl.line_buffer import LineBuffer
from rtl.memory import BlockMemory, SplitMemory
from rtl.pixel import delayed
from rtl.repacker import Repacker
from rtl.requantiser import Requantiser
from rtl.run import Run
from rtl.stages import check_latency

# When each stage has a pixel, in cycles after RUN issued it. The SB is a memory.
AT_LB = MEMORY_READ
AT_ARRAY = AT_LB + LINE_BUFFER
AT_SUMS = AT_ARRAY + ARRAY
AT_ACC = AT_SUMS + ACCUMULATOR - 1
AT_Y = AT_ACC + REQUANTISER
AT_WRITE = AT_Y + REPACKER  # RUN_WRITE


class Compute(Component):
    """RUN, SB, LB, column buffer, array, OB, requantisers, repacker and the OB's output side.

    Parameters
    ----------
    kp, cp, dsp_packing: the array's.
    nb: banks of the OB's output side.
    sb_words, ob_pixels, out_words: words of an SB bank, of the OB, and of an output-side bank.
    pixels: that LOAD_ACT writes, and STORE reads, a cycle.

    Ports
    -----
    command (In, stream of PASS) and the tokens sb_full, kept, out_free (Out, acquire), sb_free_release,
        out_full_release (Out, 1): as in :class:`rtl.run.Run`; the last one comes when the last output is in the memory.
    sb, results (In, sb_write): writes of LOAD_ACT and of STORE, never of both in one cycle; results_write (In, 1): this
        cycle is STORE's.
    load_en, load_data, shadow_full (In), consume (Out): FEED's, as in :class:`rtl.feed.Feed`.
    zsb (Out, word_read): the entries. table (In, table_write): activation tables.
    out (In, word_read × nb): STORE's view of the output side.
    busy (Out, 1): a command or a pixel is under way. executing (Out, 1): a command is being executed.
    pass_start, wait_sb, wait_weights, wait_out (Out, 1): for the counters.

    Timing
    ------
    A pixel issued in cycle t is written in cycle t + 12 (``AT_WRITE``).
    """

    def __init__(
        self,
        *,
        kp: int,
        cp: int,
        nb: int,
        sb_words: int,
        ob_pixels: int,
        out_words: int,
        pixels: int = 1,
        dsp_packing: bool = False,
    ):
        self.kp, self.cp, self.nb, self.pixels = kp, cp, nb, pixels
        self.sb_words, self.ob_pixels, self.out_words = sb_words, ob_pixels, out_words
        self.dsp_packing = dsp_packing
        super().__init__(
            {
                "command": In(stream.Signature(command_layout(Opcode.PASS))),
                "sb_full": Out(acquire()),
                "kept": Out(acquire()),
                "sb_free_release": Out(1),
                "out_free": Out(acquire()),
                "out_full_release": Out(1),
                "sb": In(sb_write(cp, pixels)),
                "results": In(sb_write(cp, pixels)),
                "results_write": In(1),
                "load_en": In(kp),
                "load_data": In(72 * cp),
                "shadow_full": In(1),
                "consume": Out(1),
                "zsb": Out(word_read(ZSB_ADDRESS_BITS, 8 * LANE_BYTES * kp)),
                "table": In(table_write()),
                "out": In(word_read(ADDRESS_BITS, 8 * cp * pixels)).array(self.nb),
                "busy": Out(1),
                "executing": Out(1),
                "pass_start": Out(1),
                "wait_sb": Out(1),
                "wait_weights": Out(1),
                "wait_out": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._check_latencies()
        m.submodules.run = run = Run()
        m.submodules.lb = lb = LineBuffer(cp=self.cp)
        depthwise = self.nb <= GROUPS  # else a K-tile's channels lie in more groups than the SB reads a cycle
        m.submodules.array = dpes = Array(kp=self.kp, cp=self.cp, dsp_packing=self.dsp_packing, depthwise=depthwise)
        m.submodules.accumulator = acc = Accumulator(kp=self.kp, pixels=self.ob_pixels)
        m.submodules.repacker = repack = Repacker(kp=self.kp, cp=self.cp, nb=self.nb)
        pixel = delayed(m, run.pixel, AT_WRITE, "pixel")  # by stage: the orders of the pixel that is there
        self._run_commands(m, run, pixel)
        self._read_windows(m, run, lb)
        self._multiply(m, run, lb, dpes)
        if depthwise:
            self._take_own_windows(m, lb, dpes, pixel[AT_ARRAY])
        self._accumulate(m, dpes, acc, pixel)
        self._requantise(m, acc, repack, pixel)
        self._write_results(m, repack)
        return m

    def _run_commands(self, m: Module, run: Run, pixel: list) -> None:
        """Hand commands and tokens to RUN, and tell outside what it and the pixels under way do."""
        connect(m, flipped(self.command), run.command)
        connect(m, run.sb_full, flipped(self.sb_full))
        connect(m, run.kept, flipped(self.kept))
        connect(m, run.out_free, flipped(self.out_free))
        m.d.comb += [
            run.shadow_full.eq(self.shadow_full),
            self.consume.eq(run.consume),
            self.sb_free_release.eq(run.sb_free_release),
            self.out_full_release.eq(pixel[AT_WRITE].valid & pixel[AT_WRITE].signal),
            self.busy.eq(run.busy | Cat(*(stage.valid for stage in pixel[1:])).any()),
            self.executing.eq(run.busy),
            self.pass_start.eq(run.pass_start),
            self.wait_sb.eq(run.wait_sb),
            self.wait_weights.eq(run.wait_weights),
            self.wait_out.eq(run.wait_out),
        ]

    def _read_windows(self, m: Module, run: Run, lb: LineBuffer) -> None:
        """The SB's nine banks, which LOAD_ACT and STORE write, and the line buffer: a window of their words."""
        writes = self._merge_writes(m)
        for bank in range(9):
            m.submodules[f"sb_{bank}"] = ram = SplitMemory(8 * self.cp, self.sb_words, writes=self.pixels)
            for i, (banks, addr, word) in enumerate(writes):
                m.d.comb += [
                    ram.write_en[i].eq(banks[bank]),
                    ram.write_at(i, addr, f"SB bank {bank}"),
                    ram.write_data[i].eq(word),
                ]
            m.d.comb += [ram.read_at(run.addr[bank], f"SB bank {bank}"), lb.words[bank].eq(ram.read_data[0])]
        for port in ("y_mod", "x_mod", "present", "fill", "lanes"):
            m.d.sync += getattr(lb, port).eq(getattr(run, port))

    def _merge_writes(self, m: Module) -> list[tuple[Signal, Signal, Signal]]:
        """The banks, address and data of each pixel that LOAD_ACT or STORE writes: they take turns."""
        writes = []
        for i in range(self.pixels):
            banks, addr, word = Signal(9), Signal(ADDRESS_BITS), Signal(8 * self.cp)
            m.d.comb += [
                banks.eq(self.sb.bank[i] | self.results.bank[i]),
                addr.eq(Mux(self.results_write, self.results.addr[i], self.sb.addr[i])),
                word.eq(Mux(self.results_write, self.results.data[i], self.sb.data[i])),
            ]
            writes.append((banks, addr, word))
        return writes

    def _multiply(self, m: Module, run: Run, lb: LineBuffer, dpes: Array) -> None:
        """The array: windows meet the active weights, while FEED fills the shadow, which a pass's first pixel swaps."""
        swap = Signal()
        m.d.sync += swap.eq(run.consume)
        m.d.comb += [
            dpes.window.eq(lb.window),
            dpes.swap.eq(swap),
            dpes.load_en.eq(self.load_en),
            dpes.load_data.eq(self.load_data),
        ]

    def _take_own_windows(self, m: Module, lb: LineBuffer, dpes: Array, pixel) -> None:
        """Depthwise: the column buffer gives every filter the window of its own channel."""
        m.submodules.column_buffer = columns = ColumnBuffer(kp=self.kp, cp=self.cp)
        m.d.comb += [
            columns.words.eq(lb.window),
            columns.lane.eq(pixel.out_lane),
            columns.columns.eq(pixel.columns),
            columns.fill.eq(pixel.fill),
            dpes.own.eq(columns.windows),
            dpes.use_own.eq(pixel.depthwise),
            dpes.maximum.eq(pixel.maximum),
        ]

    def _accumulate(self, m: Module, dpes: Array, acc: Accumulator, pixel: list) -> None:
        """The OB: a pass's sums on top of those of the passes before it, pixel by pixel."""
        before, at = pixel[AT_SUMS - 1], pixel[AT_SUMS]
        m.d.comb += [
            acc.pixel.eq(before.pixel),
            acc.write_pixel.eq(at.pixel),
            acc.valid.eq(at.valid),
            acc.start.eq(at.start),
            acc.finish.eq(at.finish),
            *(acc.sums[k].eq(dpes.sums[k]) for k in range(self.kp)),
        ]

    def _requantise(self, m: Module, acc: Accumulator, repack: Repacker, pixel: list) -> None:
        """A requantiser a filter, with its entry of the ZSB: finished sums become int8 and go to the repacker."""
        last, done = pixel[AT_Y - 1], pixel[AT_Y]
        m.d.comb += self.zsb.addr.eq(pixel[AT_SUMS].zsb)
        for k in range(self.kp):
            m.submodules[f"requantiser_{k}"] = lane = Requantiser()
            m.d.comb += [
                lane.acc.eq(acc.acc[k]),
                lane.entry.eq(self.zsb.data.word_select(k, 8 * LANE_BYTES)),
                lane.z_out.eq(last.z_out),
                lane.lo.eq(last.lo),
                lane.hi.eq(last.hi),
                lane.table.eq(last.table),
                lane.entries.en.eq(self.table.en),
                lane.entries.addr.eq(self.table.addr),
                lane.entries.data.eq(self.table.data),
                repack.y.word_select(k, 8).eq(lane.y),
            ]
        m.d.comb += [
            repack.valid.eq(done.valid & done.finish),
            repack.addr.eq(done.out_addr),
            repack.bank.eq(done.out_bank),
            repack.lane.eq(done.out_lane),
            repack.pixels.eq(done.pixels),
        ]

    def _write_results(self, m: Module, repack: Repacker) -> None:
        """The OB's output side: banks that the repacker writes and STORE reads."""
        for bank in range(self.nb):
            m.submodules[f"out_{bank}"] = ram = SplitMemory(
                8 * self.cp, self.out_words, reads=self.pixels, granularity=8
            )
            m.d.comb += [
                ram.write_en[0].eq(repack.write_en[bank]),
                ram.write_at(0, repack.write_addr[bank], f"output-side bank {bank}"),
                ram.write_data[0].eq(repack.write_data[bank]),
                ram.read_at(self.out[bank].addr, f"output-side bank {bank}"),
                self.out[bank].data.eq(Cat(*ram.read_data)),
            ]

    def _check_latencies(self):
        """Refuse components whose stages are not those that the model counts; of the array and the banks in small."""
        two = {"kp": 2, "cp": 2, "dsp_packing": self.dsp_packing}
        check_latency("MEMORY_READ", MEMORY_READ, BlockMemory, "read_addr", "read_data", width=8, depth=2)
        check_latency("LINE_BUFFER", LINE_BUFFER, LineBuffer, "words.0", "window", cp=self.cp)
        check_latency("COLUMN_BUFFER", COLUMN_BUFFER, ColumnBuffer, "words", "windows", kp=1, cp=1)
        check_latency("DPE", DPE, dpe.DPE, "window", "total")
        check_latency("DPE", DPE, dpe.PackedDPE, "window", "total_low")
        check_latency("ARRAY", ARRAY, Array, "window", "sums.0", **two)
        check_latency("ARRAY", ARRAY, Array, "own", "sums.1", **two)
        check_latency("ACCUMULATOR", ACCUMULATOR, Accumulator, "pixel", "acc.0", kp=1, pixels=2)
        check_latency("REQUANTISER", REQUANTISER, Requantiser, "acc", "y")
        check_latency("REPACKER", REPACKER, Repacker, "y", "write_data.0", kp=self.kp, cp=self.cp, nb=self.nb)
