"""LoadAct: activations from DRAM into the banks of the SB."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

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


class _Kept:
    """What of the command is needed until it ends."""

    def __init__(self, command: Any) -> None:
        self.signal_full = Signal()
        self.pointwise = Signal()
        self.skew = Signal()
        self.folded = Signal()
        self.cols = Signal.like(command.cols)
        self.rows = Signal.like(command.rows)
        self.pad = Signal.like(command.pad)
        self.row_step = Signal.like(command.row_step)
        self.group_step = Signal.like(command.group_step)


class _Position:
    """Where the word that comes lies in its tensor."""

    def __init__(self, command: Any) -> None:
        self.cols_left = Signal.like(command.cols)
        self.rows_left = Signal.like(command.rows)
        self.last_col = Signal()
        self.last_row = Signal()


class _Place:
    """Where in the SB its first pixel goes: x mod 3, y mod 3 and g mod 9 as one-hot rings, three nested addresses."""

    def __init__(self) -> None:
        self.x_ring = Signal(3)
        self.x_begin = Signal(3)  # of a row of this group
        self.y_ring = Signal(3)
        self.group_ring = Signal(9)
        self.word = Signal(ADDRESS_BITS)
        self.row = Signal(ADDRESS_BITS)  # of the row's first pixel
        self.group = Signal(ADDRESS_BITS)  # of the group's

    def cells(self, count: int) -> Value:
        """How many cells of three columns the pixel ``count`` further on lies beyond the word's first one."""
        return reduce(or_, (Mux(self.x_ring[x], (x + count) // 3, 0) for x in range(3)))


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

    Raises
    ------
    ValueError
        A parameter is outside its range, or the bus cannot be built (:func:`rtl.dma_read.check_bus`).

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
        self._check_latencies()
        m.submodules.dma = dma = DmaRead(self.beat_bytes, self.max_burst)
        word_bytes = self.pixels * self.cp
        m.submodules.gearbox = gearbox = Gearbox(self.beat_bytes, word_bytes, max_pad=0, out_parts=self.pixels)
        connect(m, dma.axi, flipped(self.axi))
        m.d.comb += [self.last.eq(dma.last), self.error.eq(dma.error), self.beats.eq(dma.beats)]

        accepted, kept = self._accept_commands(m, dma, gearbox)
        together = Mux(kept.folded, self.fold, self.pixels)  # pixels of a full word
        at = self._walk_tensor(m, gearbox.o.valid, accepted, kept, together)
        self._cut_words(m, dma, gearbox, accepted, kept, at)
        place = self._walk_banks(m, gearbox.o.valid, accepted, kept, at)
        self._write_pixels(m, gearbox, kept, at, place)
        return m

    def _check_latencies(self) -> None:
        """Refuse components whose stages are not those that the model counts."""
        bus = {"beat_bytes": self.beat_bytes, "max_burst": self.max_burst}
        sizes = {"in_bytes": self.beat_bytes, "out_bytes": self.pixels * self.cp}
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaRead, "request.payload", "axi.araddr", **bus)
        check_latency("GEARBOX", GEARBOX, Gearbox, "i.valid", "o.valid", **sizes)

    def _accept_commands(self, m: Module, dma: DmaRead, gearbox: Gearbox) -> tuple[Signal, _Kept]:
        """Accept a command with its tokens, ask for its beats, and release its token at its end.

        A command ends when every beat is here and no word is left: no count can keep it from ending.
        """
        command = self.command.p
        active, ended, accepted, kept = Signal(), Signal(), Signal(), _Kept(command)
        m.d.comb += [
            ended.eq(active & ~dma.busy & ~gearbox.o.valid),
            self.busy.eq(active & ~ended),
            self.command.ready.eq(
                ~self.busy & (~command.wait_free | self.sb_free.ready) & (~command.wait_stored | self.stored.ready)
            ),
            accepted.eq(self.command.valid & self.command.ready),
            self.sb_free.acquire.eq(accepted & command.wait_free),
            self.stored.acquire.eq(accepted & command.wait_stored),
            self.sb_full_release.eq(ended & kept.signal_full),
            dma.request.valid.eq(accepted),
            *ask(
                dma.request.p,
                addr=command.addr,
                runs=command.groups,
                run_beats=command.run_beats,
                run_stride=command.run_stride,
            ),
        ]
        with m.If(accepted):
            m.d.sync += [
                active.eq(1),
                kept.signal_full.eq(command.signal_full),
                kept.pointwise.eq(command.pointwise),
                kept.skew.eq(command.skew),
                kept.folded.eq(command.folded if self.fold > 1 else 0),
                kept.cols.eq(command.cols),
                kept.rows.eq(command.rows),
                kept.pad.eq(command.pad),
                kept.row_step.eq(command.row_step),
                kept.group_step.eq(command.group_step),
            ]
        with m.Elif(ended):
            m.d.sync += active.eq(0)
        return accepted, kept

    def _walk_tensor(self, m: Module, comes: Value, accepted: Signal, kept: _Kept, together: Value) -> _Position:
        """Count columns and rows down; with every word that ``comes``, ``together`` pixels or what the row has left."""
        command = self.command.p
        at = _Position(command)
        m.d.comb += [at.last_col.eq(at.cols_left <= together), at.last_row.eq(at.rows_left == 1)]
        with m.If(comes):
            with m.If(~at.last_col):
                m.d.sync += at.cols_left.eq(at.cols_left - together)
            with m.Else():
                m.d.sync += at.cols_left.eq(kept.cols)
                with m.If(~at.last_row):
                    m.d.sync += at.rows_left.eq(at.rows_left - 1)
                with m.Else():
                    m.d.sync += at.rows_left.eq(kept.rows)
        with m.If(accepted):
            m.d.sync += [at.cols_left.eq(command.cols), at.rows_left.eq(command.rows)]
        return at

    def _cut_words(
        self, m: Module, dma: DmaRead, gearbox: Gearbox, accepted: Signal, kept: _Kept, at: _Position
    ) -> None:
        """Beats from DRAM to words; the SB always takes one.

        Of a folded image each word has the first part of the gearbox's, and in it ``fold`` pixels.
        """
        pixels = self.pixels
        m.d.comb += [
            gearbox.clear.eq(accepted),
            gearbox.i.valid.eq(dma.data.valid),
            gearbox.i.p.data.eq(dma.data.payload),
            dma.data.ready.eq(gearbox.i.ready),
            gearbox.o.ready.eq(1),
            # Of no columns at all none: it wraps.
            gearbox.unwanted.eq(Mux(kept.folded, pixels - 1, Mux(at.last_col, pixels - at.cols_left, 0))),
            gearbox.drop.eq(Mux(at.last_col, kept.pad, 0)),
        ]

    def _walk_banks(self, m: Module, comes: Value, accepted: Signal, kept: _Kept, at: _Position) -> _Place:
        """The place of the word's first pixel: along a row, from row to row, from group to group."""
        place, fold, pixels = _Place(), self.fold, self.pixels
        pointwise, folded, x_ring = kept.pointwise, kept.folded, place.x_ring
        next_row, next_group = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        m.d.comb += [
            next_row.eq(place.row + Mux(pointwise | place.y_ring[-1], kept.row_step, 0)),
            next_group.eq(place.group + Mux(~pointwise | place.group_ring[-1], kept.group_step, 0)),
        ]
        next_begin = Mux(kept.skew, place.x_begin.rotate_left(1), place.x_begin)  # the next group's
        with m.If(comes):
            with m.If(~at.last_col):
                cells = Mux(folded, place.cells(fold), place.cells(pixels))
                m.d.sync += [
                    x_ring.eq(Mux(folded, x_ring.rotate_left(fold), x_ring.rotate_left(pixels))),
                    place.word.eq(place.word + Mux(pointwise, pixels, cells)),
                ]
            with m.Elif(~at.last_row):
                m.d.sync += [
                    x_ring.eq(place.x_begin),
                    place.y_ring.eq(place.y_ring.rotate_left(1)),
                    place.word.eq(next_row),
                    place.row.eq(next_row),
                ]
            with m.Else():
                m.d.sync += [
                    x_ring.eq(next_begin),
                    place.x_begin.eq(next_begin),
                    place.y_ring.eq(1),
                    place.group_ring.eq(place.group_ring.rotate_left(1)),
                    place.word.eq(next_group),
                    place.row.eq(next_group),
                    place.group.eq(next_group),
                ]
        with m.If(accepted):
            m.d.sync += [ring.eq(1) for ring in (x_ring, place.x_begin, place.y_ring, place.group_ring)]
            m.d.sync += [word.eq(self.command.p.sb_base) for word in (place.word, place.row, place.group)]
        return place

    def _write_pixels(self, m: Module, gearbox: Gearbox, kept: _Kept, at: _Position, place: _Place) -> None:
        """The SB's write ports: each pixel of a word to its bank and address."""
        fold, lanes = self.fold, self.cp // self.fold
        for i in range(self.pixels):
            columns = place.x_ring.rotate_left(i)
            window_bank = Cat(place.y_ring[y] & columns[x] for y in range(3) for x in range(3))
            there = gearbox.o.valid & (at.cols_left > i if i else 1) & (~kept.folded if i >= fold else 1)
            data = gearbox.o.payload.word_select(i, 8 * self.cp)
            if i < fold:
                data = Mux(kept.folded, gearbox.o.payload.word_select(i, 8 * lanes), data)
            m.d.comb += [
                self.sb.bank[i].eq(Mux(there, Mux(kept.pointwise, place.group_ring, window_bank), 0)),
                self.sb.addr[i].eq(place.word + Mux(kept.pointwise, i, place.cells(i))),
                self.sb.data[i].eq(data),
            ]
