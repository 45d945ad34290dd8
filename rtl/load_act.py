"""LoadAct: activations from DRAM into the banks of the SB."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from arch_model.machine.accelerator import ADDRESS_BITS
from arch_model.machine.microarchitecture import DMA_ADDRESS, GEARBOX
from arch_model.program.isa import Opcode
from rtl.command import ask, command_layout
from rtl.dma_read import DmaRead, check_bus
from rtl.gearbox import Gearbox
from rtl.interfaces import acquire, axi_read, sb_write
from rtl.stages import check_latency


class LoadAct(Component):
    """Executes LOAD_ACT: rows of pixels out of DRAM, up to ``pixels`` of a row a cycle into the SB.

    They come in the order of DRAM (group, row, column), CP bytes each; the last of a row may be fewer than ``pixels``.
    A row's ``pad`` bytes are dropped. In windows layout pixel (y, x) goes to bank 3 * (y mod 3) + (x mod 3), with
    ``skew`` that of group g to where x + g mod 3 would go, in pointwise layout group g goes to bank g mod 9;
    ``docs/reference/hardware.md`` gives the addresses. A ``folded`` image comes in words of CP bytes that hold ``fold``
    pixels of CP // fold bytes each, one after another from byte 0; their other channels are written as 0.

    Parameters
    ----------
    cp : int
        Channels of a group, bytes of an SB word: 1 to 63.
    pixels : int
        1, 2 or 4.
    fold : int
        Pixels in a word of a folded image, 1 to ``pixels``; 1: there are no such images.
    beat_bytes, max_burst : int
        As in :class:`~rtl.dma_read.DmaRead`.

    Ports
    -----
    command : stream in, ``command_layout(LOAD_ACT)``
        Accepted, in the cycle in which the tokens that it waits for are used up, when the unit is free.
    axi : out, ``axi_read(B)``
        To DRAM.
    sb : out, ``sb_write(cp, pixels)``
        ``bank[i]`` is one-hot in a cycle in which ``data[i]`` is to be written at ``addr[i]``, else 0.
    sb_free, stored : out, ``acquire()``
        The tokens behind ``wait_free`` and ``wait_stored``.
    sb_full_release : out
        Pulse at the end of a command with ``signal_full``.
    busy : out
        A command is being executed: from the cycle after its acceptance to that of its last SB write.
    last : out
        The next beat is the last one of its burst.
    error : out
        Pulse for every beat with an error response; its data is used like any other.
    beats : out
        Pulse for every beat received.

    Cycles
    ------
    A word is the pixels written together. Command accepted in cycle t: first ``arvalid`` in t + 1. Beat accepted in
    cycle t: the first word that it completes is written in t + 1 at the earliest. Last SB write in cycle t:
    ``sb_full_release`` in t + 1, when the next command can be accepted, too. Given the beats, a word is written every
    cycle if B >= pixels * cp (else a beat is accepted every cycle, or a word written), across rows and groups. A
    command of 0 groups or 0 beats ends in the cycle after its acceptance.
    """

    def __init__(self, *, cp: int, beat_bytes: int, max_burst: int, pixels: int = 1, fold: int = 1) -> None:
        if not 1 <= cp <= 63:
            raise ValueError(f"cp is {cp}; it can be 1 to 63")
        if pixels not in (1, 2, 4):
            raise ValueError(f"pixels is {pixels}; it can be 1, 2 or 4")
        if not 1 <= fold <= min(pixels, cp):
            raise ValueError(f"fold is {fold}; it can be 1 to {min(pixels, cp)}")
        check_bus(beat_bytes, max_burst)
        self.fold = fold
        self.cp, self.pixels, self.beat_bytes, self.max_burst = cp, pixels, beat_bytes, max_burst
        super().__init__(
            {
                "command": In(stream.Signature(command_layout(Opcode.LOAD_ACT))),
                "axi": Out(axi_read(beat_bytes)),
                "sb": Out(sb_write(cp, pixels)),
                "sb_free": Out(acquire()),
                "stored": Out(acquire()),
                "sb_full_release": Out(1),
                "busy": Out(1),
                "last": Out(1),
                "error": Out(1),
                "beats": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dma = dma = DmaRead(self.beat_bytes, self.max_burst)
        pixels = self.pixels
        bus = {"beat_bytes": self.beat_bytes, "max_burst": self.max_burst}
        sizes = {"in_bytes": self.beat_bytes, "out_bytes": pixels * self.cp}
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaRead, "request.payload", "axi.araddr", **bus)
        check_latency("GEARBOX", GEARBOX, Gearbox, "i.valid", "o.valid", **sizes)
        m.submodules.gearbox = gearbox = Gearbox(self.beat_bytes, pixels * self.cp, max_pad=0, out_parts=pixels)
        connect(m, dma.axi, flipped(self.axi))

        # A command ends when every beat is here and no word is left: no count can keep it from ending.
        command = self.command.p
        active, ended, accepted, signal_full = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            ended.eq(active & ~dma.busy & ~gearbox.o.valid),
            self.busy.eq(active & ~ended),
            self.command.ready.eq(
                ~self.busy & (~command.wait_free | self.sb_free.ready) & (~command.wait_stored | self.stored.ready)
            ),
            accepted.eq(self.command.valid & self.command.ready),
            self.sb_free.acquire.eq(accepted & command.wait_free),
            self.stored.acquire.eq(accepted & command.wait_stored),
            self.sb_full_release.eq(ended & signal_full),
            dma.request.valid.eq(accepted),
            self.last.eq(dma.last),
            self.error.eq(dma.error),
            self.beats.eq(dma.beats),
            *ask(
                dma.request.p,
                addr=command.addr,
                runs=command.groups,
                run_beats=command.run_beats,
                run_stride=command.run_stride,
            ),
        ]

        # DRAM to words; the SB always takes one.
        cols_left, rows_left = Signal.like(command.cols), Signal.like(command.rows)
        last_col, last_row = Signal(), Signal()
        pad = Signal.like(command.pad)
        # Of a folded image each word has the first part of the gearbox's, and in it `fold` pixels.
        folded, fold, lanes = Signal(), self.fold, self.cp // self.fold
        together = Mux(folded, fold, pixels)
        m.d.comb += [
            gearbox.clear.eq(accepted),
            gearbox.i.valid.eq(dma.data.valid),
            gearbox.i.p.data.eq(dma.data.payload),
            dma.data.ready.eq(gearbox.i.ready),
            gearbox.o.ready.eq(1),
            last_col.eq(cols_left <= together),
            # Of no columns at all none: it wraps.
            gearbox.unwanted.eq(Mux(folded, pixels - 1, Mux(last_col, pixels - cols_left, 0))),
            last_row.eq(rows_left == 1),
            gearbox.drop.eq(Mux(last_col, pad, 0)),
        ]

        # Where pixels go: x mod 3 (of the word's first), y mod 3 and g mod 9 as one-hot rings, three nested addresses.
        pointwise, skew, cols, rows = Signal(), Signal(), Signal.like(cols_left), Signal.like(rows_left)
        x_ring, x_begin, y_ring, group_ring = Signal(3), Signal(3), Signal(3), Signal(9)
        word, row, group = (Signal(ADDRESS_BITS) for _ in range(3))
        row_step, group_step = Signal.like(command.row_step), Signal.like(command.group_step)
        next_row, next_group = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)

        def cells(count: int) -> Value:
            """How many cells of three columns the pixel ``count`` further on lies beyond the word's first one."""
            return reduce(or_, (Mux(x_ring[x], (x + count) // 3, 0) for x in range(3)))

        for i in range(pixels):
            columns = x_ring.rotate_left(i)
            window_bank = Cat(y_ring[y] & columns[x] for y in range(3) for x in range(3))
            there = gearbox.o.valid & (cols_left > i if i else 1) & (~folded if i >= fold else 1)
            data = gearbox.o.payload.word_select(i, 8 * self.cp)
            if i < fold:
                data = Mux(folded, gearbox.o.payload.word_select(i, 8 * lanes), data)
            m.d.comb += [
                self.sb.bank[i].eq(Mux(there, Mux(pointwise, group_ring, window_bank), 0)),
                self.sb.addr[i].eq(word + Mux(pointwise, i, cells(i))),
                self.sb.data[i].eq(data),
            ]
        m.d.comb += [
            next_row.eq(row + Mux(pointwise | y_ring[-1], row_step, 0)),
            next_group.eq(group + Mux(~pointwise | group_ring[-1], group_step, 0)),
        ]
        next_begin = Mux(skew, x_begin.rotate_left(1), x_begin)  # the next group's
        with m.If(gearbox.o.valid):
            with m.If(~last_col):
                m.d.sync += [
                    cols_left.eq(cols_left - together),
                    x_ring.eq(Mux(folded, x_ring.rotate_left(fold), x_ring.rotate_left(pixels))),
                    word.eq(word + Mux(pointwise, pixels, Mux(folded, cells(fold), cells(pixels)))),
                ]
            with m.Else():
                m.d.sync += cols_left.eq(cols)
                with m.If(~last_row):
                    m.d.sync += [
                        rows_left.eq(rows_left - 1),
                        x_ring.eq(x_begin),
                        y_ring.eq(y_ring.rotate_left(1)),
                        word.eq(next_row),
                        row.eq(next_row),
                    ]
                with m.Else():
                    m.d.sync += [
                        rows_left.eq(rows),
                        x_ring.eq(next_begin),
                        x_begin.eq(next_begin),
                        y_ring.eq(1),
                        group_ring.eq(group_ring.rotate_left(1)),
                        word.eq(next_group),
                        row.eq(next_group),
                        group.eq(next_group),
                    ]

        with m.If(accepted):
            m.d.sync += [
                active.eq(1),
                signal_full.eq(command.signal_full),
                pointwise.eq(command.pointwise),
                cols.eq(command.cols),
                cols_left.eq(command.cols),
                rows.eq(command.rows),
                rows_left.eq(command.rows),
                pad.eq(command.pad),
                row_step.eq(command.row_step),
                group_step.eq(command.group_step),
                word.eq(command.sb_base),
                row.eq(command.sb_base),
                group.eq(command.sb_base),
                skew.eq(command.skew),
                folded.eq(command.folded if fold > 1 else 0),
                x_ring.eq(1),
                x_begin.eq(1),
                y_ring.eq(1),
                group_ring.eq(1),
            ]
        with m.Elif(ended):
            m.d.sync += active.eq(0)
        return m
