"""STORE: results from the OB's output side to DRAM, the SB or both, with residual add and global pooling on the way."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from arch_model.machine.accelerator import ADDRESS_BITS, BANK_BITS
from arch_model.machine.microarchitecture import DMA_ADDRESS, FIFO, GEARBOX, STORE_FIFO, STORE_LANE, STORE_STAGES
from arch_model.program.isa import Opcode
from rtl.bank_walk import BankWalk
from rtl.command import ask, command_layout
from rtl.dma_read import DmaRead
from rtl.dma_write import DmaWrite
from rtl.gearbox import Gearbox
from rtl.interfaces import acquire, axi_read, axi_write, sb_write, word_read
from rtl.stages import check_latency
from rtl.store_lane import SUM_BITS, StoreLane

RESULT = data.StructLayout({"row_ends": 1, "absent": 2})
"""What goes with a word of results: it ends a row; so many of its pixels are absent."""

SB_FIELDS = ("pointwise", "skew", "sb_base", "row_step", "group_step", "first_row", "first_group")

LANE_FIELDS = ("use_a", "use_b", "multiply", "m_a", "m_b", "z_a", "z_b", "shift", "z_out", "lo", "hi")


class _Walk:
    """Which word of a is read, and what its reading ends."""

    def __init__(self, command: Any, banks: int) -> None:
        self.walking = Signal()  # words of the command are still to be read
        self.cols_left = Signal.like(command.cols)
        self.rows_left = Signal.like(command.rows)
        self.groups_left = Signal.like(command.groups)
        self.bank = Signal(range(max(2, banks)))
        self.base = Signal(ADDRESS_BITS)  # a group's first word
        self.address = Signal(ADDRESS_BITS)  # this word
        self.begins = Signal()  # this word is its group's first
        self.step = Signal(3)  # pixels of a full word
        self.absent = Signal(2)  # pixels that this one lacks
        self.row_ends = Signal()
        self.group_ends = Signal()
        self.ends = Signal()
        self.issue = Signal()  # the word is read in this cycle
        self.emit = Signal()  # and it completes a word of results
        # Of the words read before: bit i, item i is of the one of i + 1 cycles ago.
        self.emit_then = Signal(STORE_STAGES)
        self.group_ends_then = Signal(STORE_STAGES)
        self.result_then = [Signal(RESULT) for _ in range(STORE_STAGES)]


class Store(Component):
    """Executes STORE: reads operand a from the OB's output side and b from DRAM, combines, rounds, writes.

    Pixels go group by group, each row by row, up to ``pixels`` of a row together: a *word*; with ``pool`` one by one.
    Group g of a is in bank ``(out_bank + g) mod nb`` at address ``out_base + ((out_bank + g) div nb) * command.pixels``
    and up. Rows of b end with ``b_pad`` bytes (fewer than a beat) that are thrown away, rows written with ``pad`` zeros
    (likewise); with ``pool`` a group makes one pixel, its own row. With ``to_sb`` the results go to the SB, too, where
    :class:`rtl.bank_walk.BankWalk` places them, with ``sb_only`` to the SB and not to DRAM.

    Parameters
    ----------
    cp : int
        Channels of a pixel's group.
    pixels : int
        Of a word at most: 1, 2 or 4.
    nb : int
        Banks of the output side, 1..16.
    beat_bytes, max_burst : int
        Bytes of a beat, beats of the longest burst.

    Raises
    ------
    ValueError
        A parameter is outside its range, or the bus cannot be built (:func:`rtl.dma_read.check_bus`).

    Ports
    -----
    command : In(stream of STORE)
        Accepted when not ``busy`` and the tokens that it waits for are there.
    out : Out(word_read(ADDRESS_BITS, 8 * cp * pixels)) of nb
        The output side's banks; every one gets the same address, and gives the pixels from there on.
    axi_write : Out(axi_write(beat_bytes)), axi_read : Out(axi_read(beat_bytes))
        The result; operand b.
    sb : Out(sb_write(cp, pixels)), sb_writes : Out(1)
        As LOAD_ACT's; high in a cycle in which a word is written.
    out_full, loaded : Out(acquire())
        The tokens behind ``wait_full`` and ``wait_loaded``, taken in the cycle in which the command is accepted.
    out_free_release : Out(1)
        With ``signal_free``: high in the cycle in which the last word's address is at the memory; a write in
        the next cycle does no harm.
    stored_release : Out(1)
        With ``signal_stored``: high in the command's last cycle.
    kept_release : Out(1)
        With ``signal_kept``: high in the cycle after that in which the last word of results is written to the SB.
    busy : Out(1)
        From the cycle after acceptance until every write is acknowledged; with ``sb_only`` until the last one is made.
    residual : Out(1)
        While not ``busy``: words that were not written or beats of b that were not used, of a command whose sizes
        contradict each other. The next command would consume them as its own data.
    last_b : Out(1)
        The next beat of b is the last one of its burst.
    error_b, error_out : Out(1)
        High in a cycle in which a read (write) is answered with an error.
    beats_b, beats_out : Out(1)
        High in a cycle in which a beat of b arrives (of the result leaves).

    Cycles
    ------
    Command accepted in cycle t: AW and AR are offered in t + 1, and the first word of a is read in t + 1;
    with b each word is read in the cycle after the beat that completes b's word, or later. A word a cycle,
    also from row to row and group to group, if b brings one and the write channel takes min(pixels * cp,
    beat_bytes) bytes a cycle. The beat that a word completes is offered 10 cycles after the word is read (so in t + 11
    at the earliest), a second one that its padding fills 11 cycles after. With ``pool`` that counts from a
    group's last word. Last word read in t: ``out_free_release`` in t. Last B in t: the command's last cycle,
    with ``stored_release``, is t + 1, and the next command can be accepted in t + 2.

    With ``to_sb`` the result of a word read in t is written to the SB in t + 7 (``STORE_STAGES``), whatever the write
    channel does; ``kept_release`` is high in t + 8 (``STORE_KEPT``) if it is the last one. With ``sb_only`` no word
    waits for the write channel, the command's last cycle is that t + 8, and the next command can be accepted in t + 9.
    """

    def __init__(self, *, cp: int, nb: int, beat_bytes: int, max_burst: int, pixels: int = 1):
        if not 1 <= cp <= 63:
            raise ValueError(f"cp is {cp}; it must be in 1..63")
        if pixels not in (1, 2, 4):
            raise ValueError(f"pixels is {pixels}; it must be 1, 2 or 4")
        if not 1 <= nb <= 1 << BANK_BITS:
            raise ValueError(f"nb is {nb}; it must be in 1..{1 << BANK_BITS}")
        self.cp, self.nb, self.pixels, self.beat_bytes = cp, nb, pixels, beat_bytes
        self._read = DmaRead(beat_bytes=beat_bytes, max_burst=max_burst)  # checks both
        self._write = DmaWrite(beat_bytes=beat_bytes, max_burst=max_burst)
        super().__init__(
            {
                "command": In(stream.Signature(command_layout(Opcode.STORE))),
                "out": Out(word_read(ADDRESS_BITS, 8 * cp * pixels)).array(nb),
                "axi_write": Out(axi_write(beat_bytes)),
                "axi_read": Out(axi_read(beat_bytes)),
                "sb": Out(sb_write(cp, pixels)),
                "sb_writes": Out(1),
                "out_full": Out(acquire()),
                "loaded": Out(acquire()),
                "out_free_release": Out(1),
                "stored_release": Out(1),
                "kept_release": Out(1),
                "busy": Out(1),
                "residual": Out(1),
                "last_b": Out(1),
                "error_b": Out(1),
                "error_out": Out(1),
                "beats_b": Out(1),
                "beats_out": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._check_latencies()
        m.submodules.read, m.submodules.write = read, _ = self._read, self._write
        pixels, word_bytes = self.pixels, self.pixels * self.cp
        m.submodules.unpack = unpack = Gearbox(self.beat_bytes, word_bytes, max_pad=0, out_parts=pixels)
        m.submodules.pack = pack = Gearbox(word_bytes, self.beat_bytes, max_drop=0, in_parts=pixels)
        m.submodules.results = results = SyncFIFOBuffered(width=RESULT.size + 8 * word_bytes, depth=STORE_FIFO)
        self._move_beats(m, unpack, pack)

        command = Signal(command_layout(Opcode.STORE))  # that is executed
        free = Signal(range(STORE_FIFO + 1), init=STORE_FIFO)  # places in `results` not yet promised
        accept = self._accept_commands(m, unpack)
        with m.If(accept):
            m.d.sync += command.eq(self.command.payload)
        walk = self._read_words(m, accept, command, unpack, free)
        words = self._combine(m, command, walk, unpack)
        m.d.comb += [
            results.w_data.eq(Cat(walk.result_then[-1], words)),
            results.w_en.eq(walk.emit_then[-1] & ~command.sb_only),
        ]
        self._pack_results(m, command, results, pack)
        self._write_sb(m, accept, command, walk, words)
        m.d.sync += free.eq(free - (walk.emit & ~command.sb_only) + (results.r_rdy & results.r_en))
        m.d.comb += self.residual.eq((free != STORE_FIFO) | ~pack.empty | read.busy)
        self._end_commands(m, accept, command, walk)
        return m

    def _move_beats(self, m: Module, unpack: Gearbox, pack: Gearbox) -> None:
        """Operand b from its DMA into words, and words of results into beats for the other one."""
        read, write = self._read, self._write
        connect(m, read.axi, flipped(self.axi_read))
        connect(m, write.axi, flipped(self.axi_write))
        m.d.comb += [
            unpack.i.payload.data.eq(read.data.payload),
            unpack.i.valid.eq(read.data.valid),
            read.data.ready.eq(unpack.i.ready),
            write.data.payload.eq(pack.o.payload),
            write.data.valid.eq(pack.o.valid),
            pack.o.ready.eq(write.data.ready),
            self.beats_b.eq(read.beats),
            self.beats_out.eq(write.beats),
            self.last_b.eq(read.last),
            self.error_b.eq(read.error),
            self.error_out.eq(write.error),
        ]

    def _accept_commands(self, m: Module, unpack: Gearbox) -> Signal:
        """Accept a command with its tokens, and ask both DMAs for what it needs."""
        read, write, offered, accept = self._read, self._write, self.command.payload, Signal()
        m.d.comb += [
            self.command.ready.eq(
                ~self.busy
                & ~read.busy
                & (~offered.wait_full | self.out_full.ready)
                & (~offered.wait_loaded | self.loaded.ready)
            ),
            accept.eq(self.command.valid & self.command.ready),
            self.out_full.acquire.eq(accept & offered.wait_full),
            self.loaded.acquire.eq(accept & offered.wait_loaded),
            unpack.clear.eq(accept),
            write.request.valid.eq(accept & ~offered.sb_only),
            *ask(
                write.request.payload,
                addr=offered.addr,
                runs=offered.groups,
                run_beats=offered.run_beats,
                run_stride=offered.run_stride,
            ),
            read.request.valid.eq(accept & offered.use_b),
            *ask(
                read.request.payload,
                addr=offered.b_addr,
                runs=offered.groups,
                run_beats=offered.b_run_beats,
                run_stride=offered.b_run_stride,
            ),
        ]
        return accept

    def _read_words(self, m: Module, accept: Signal, command: Any, unpack: Gearbox, free: Signal) -> _Walk:
        """Read a word of a each cycle in which its result will have a place and b's word is there."""
        pixels, walk = self.pixels, _Walk(command, self.nb)
        missing = (pixels - walk.cols_left)[: (pixels - 1).bit_length()]
        able = Signal()
        m.d.comb += [
            able.eq(walk.walking & (free != 0)),
            walk.issue.eq(able & (~command.use_b | unpack.o.valid)),
            walk.emit.eq(walk.issue & (~command.pool | walk.group_ends)),
            unpack.o.ready.eq(able & command.use_b),
            unpack.drop.eq(Mux(walk.row_ends, command.b_pad, 0)),
            unpack.unwanted.eq(walk.absent),
            walk.step.eq(Mux(command.pool, 1, pixels)),
            walk.row_ends.eq(walk.cols_left <= walk.step),
            walk.absent.eq(Mux(command.pool, pixels - 1, Mux(walk.row_ends, missing, 0))),
            walk.group_ends.eq(walk.row_ends & (walk.rows_left == 1)),
            walk.ends.eq(walk.group_ends & (walk.groups_left == 1)),
            self.out_free_release.eq(walk.issue & walk.ends & command.signal_free),
            [port.addr.eq(walk.address) for port in self.out],
        ]
        self._advance(m, accept, command, walk)
        return walk

    def _advance(self, m: Module, accept: Signal, command: Any, walk: _Walk) -> None:
        """From word to word: along a row, from row to row, and from group to group through the banks."""
        offered = self.command.payload
        next_base = Signal(ADDRESS_BITS)
        m.d.comb += next_base.eq(walk.base + command.pixels)
        with m.If(accept):
            m.d.sync += [
                walk.walking.eq(1),
                walk.cols_left.eq(offered.cols),
                walk.rows_left.eq(offered.rows),
                walk.groups_left.eq(offered.groups),
                walk.base.eq(offered.out_base),
                walk.address.eq(offered.out_base),
                walk.bank.eq(offered.out_bank),
                walk.begins.eq(1),
            ]
        with m.Elif(walk.issue):
            m.d.sync += [walk.cols_left.eq(walk.cols_left - walk.step), walk.begins.eq(walk.group_ends)]
            m.d.sync += walk.address.eq(walk.address + Mux(walk.row_ends, walk.cols_left, walk.step))
            with m.If(walk.row_ends):
                m.d.sync += [walk.cols_left.eq(command.cols), walk.rows_left.eq(walk.rows_left - 1)]
            with m.If(walk.group_ends):
                m.d.sync += [walk.rows_left.eq(command.rows), walk.groups_left.eq(walk.groups_left - 1)]
                m.d.sync += walk.walking.eq(~walk.ends)
                with m.If(walk.bank == self.nb - 1):
                    m.d.sync += [walk.bank.eq(0), walk.base.eq(next_base), walk.address.eq(next_base)]
                with m.Else():
                    m.d.sync += [walk.bank.eq(walk.bank + 1), walk.address.eq(walk.base)]

    def _combine(self, m: Module, command: Any, walk: _Walk, unpack: Gearbox) -> Value:
        """The lanes, and what travels beside the words (bit i is of the word read i + 1 cycles ago); their results.

        A place was promised to each result, so none ever waits to get in.
        """
        add_then, first_then, last_group_then = Signal(4), Signal(4), Signal(6)
        result_then = walk.result_then
        bank_then = Signal.like(walk.bank)
        word_bytes = self.pixels * self.cp
        word_a, word_b = Signal(8 * word_bytes), Signal(8 * word_bytes)
        below = Signal(SUM_BITS)
        m.d.comb += word_a.eq(Array(port.data for port in self.out)[bank_then])
        m.d.sync += [
            add_then.eq(Cat(walk.issue, add_then)),
            first_then.eq(Cat(~command.pool | walk.begins, first_then)),
            last_group_then.eq(Cat(walk.groups_left == 1, last_group_then)),
            result_then[0].row_ends.eq(command.pool | walk.row_ends),
            result_then[0].absent.eq(walk.absent),
            *(late.eq(soon) for soon, late in pairwise(result_then)),
            walk.emit_then.eq(Cat(walk.emit, walk.emit_then)),
            walk.group_ends_then.eq(Cat(walk.group_ends, walk.group_ends_then)),
            bank_then.eq(walk.bank),
            word_b.eq(unpack.o.payload),
            below.eq(((Const(1) << command.shift) >> 1) - 1),
        ]
        results = []
        for index in range(word_bytes):
            pixel, lane = divmod(index, self.cp)
            m.submodules[f"lane_{index}"] = unit = StoreLane()
            m.d.comb += [getattr(unit, name).eq(command[name]) for name in LANE_FIELDS]
            m.d.comb += [
                unit.a.eq(word_a.word_select(index, 8)),
                unit.b.eq(word_b.word_select(index, 8)),
                unit.below.eq(below),
                unit.add.eq(add_then[-1]),
                unit.first.eq(first_then[-1]),
                unit.keep.eq(
                    (~last_group_then[-1] | (command.last_lanes > lane))
                    & (result_then[-2].absent < self.pixels - pixel)
                ),
            ]
            results.append(unit.y)
        return Cat(results)

    def _write_sb(self, m: Module, accept: Signal, command: Any, walk: _Walk, words: Value) -> None:
        """Results into the SB in the cycle in which they are there: nobody else writes then."""
        result = walk.result_then[-1]
        m.submodules.walk = banks = BankWalk(self.pixels)
        m.d.comb += [
            banks.begin.eq(accept),
            *(getattr(banks, name).eq(self.command.payload[name]) for name in SB_FIELDS),
            banks.step.eq(walk.emit_then[-1] & command.to_sb),
            banks.row_ends.eq(result.row_ends),
            banks.group_ends.eq(walk.group_ends_then[-1]),
            self.sb_writes.eq(banks.step),
        ]
        for i in range(self.pixels):
            m.d.comb += [
                banks.there[i].eq(result.absent < self.pixels - i),
                self.sb.bank[i].eq(banks.bank[i]),
                self.sb.addr[i].eq(banks.addr[i]),
                self.sb.data[i].eq(words.word_select(i, 8 * self.cp)),
            ]

    def _end_commands(self, m: Module, accept: Signal, command: Any, walk: _Walk) -> None:
        """A command ends when every word is read, no result is on its way and every write is acknowledged.

        One of ``sb_only`` has none to be acknowledged: it ends in the cycle after its last result, that of ``kept``.
        """
        last_result = ~walk.walking & walk.emit_then[-1] & ~walk.emit_then[:-1].any()
        m.d.sync += self.kept_release.eq(last_result & command.signal_kept)
        with m.If(accept):
            m.d.sync += self.busy.eq(1)
        with m.Elif(self.busy & ~walk.walking & ~walk.emit_then.any() & ~self._write.busy):
            m.d.comb += self.stored_release.eq(command.signal_stored)
            m.d.sync += self.busy.eq(0)

    def _pack_results(self, m: Module, command: Any, results: SyncFIFOBuffered, pack: Gearbox) -> None:
        """Words of results into beats: without the pixels that a word lacks, rows padded to whole beats."""
        result = Signal(RESULT)
        m.d.comb += [
            result.eq(results.r_data[: RESULT.size]),
            pack.i.payload.data.eq(results.r_data[RESULT.size :]),
            pack.i.payload.pad.eq(Mux(result.row_ends, command.pad, 0)),
            pack.absent.eq(result.absent),
            pack.i.valid.eq(results.r_rdy),
            results.r_en.eq(pack.i.ready),
        ]

    def _check_latencies(self):
        """Refuse components whose stages are not those that the model counts, and a FIFO that could not keep up."""
        bus, word = {"beat_bytes": self.beat_bytes, "max_burst": self._read.max_burst}, self.pixels * self.cp
        check_latency("STORE_LANE", STORE_LANE, StoreLane, "a", "y")
        check_latency("FIFO", FIFO, SyncFIFOBuffered, "w_data", "r_data", width=1, depth=STORE_FIFO)
        check_latency("GEARBOX", GEARBOX, Gearbox, "i.valid", "o.valid", in_bytes=word, out_bytes=self.beat_bytes)
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaRead, "request.payload", "axi.araddr", **bus)
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaWrite, "request.payload", "axi.awaddr", **bus)
        # A place is promised when a word is read, and free again the cycle after its result has left.
        if STORE_FIFO < STORE_STAGES + FIFO + 1:
            raise ValueError(f"STORE_FIFO is {STORE_FIFO}; a word a cycle needs {STORE_STAGES + FIFO + 1} places")
