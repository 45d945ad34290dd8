"""LoadAct: activations from DRAM into the banks of the SB."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from arch_model.machine.microarchitecture import DMA_ADDRESS, GEARBOX
from arch_model.program.isa import Opcode
from rtl.bank_walk import BankWalk
from rtl.command import ask, command_layout
from rtl.dma_read import DmaRead, check_bus
from rtl.gearbox import Gearbox
from rtl.interfaces import acquire, axi_read, sb_write
from rtl.stages import check_latency


class _Held:
    """What of the command is needed until it ends."""

    def __init__(self, command: Any) -> None:
        self.signal_full = Signal()
        self.signal_loaded = Signal()
        self.folded = Signal()
        self.cols = Signal.like(command.cols)
        self.rows = Signal.like(command.rows)
        self.pad = Signal.like(command.pad)


class _Position:
    """Where the word that comes lies in its tensor."""

    def __init__(self, command: Any) -> None:
        self.cols_left = Signal.like(command.cols)
        self.rows_left = Signal.like(command.rows)
        self.last_col = Signal()
        self.last_row = Signal()


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
    sb_full_release, loaded_release : out
        Pulses at the end of a command with ``signal_full``, ``signal_loaded``.
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
    ``sb_full_release`` and ``loaded_release`` in t + 1, when the next command can be accepted, too. Given the beats, a
    word is written every cycle if B >= pixels * cp (else a beat is accepted every cycle, or a word written), across
    rows and groups. A command of 0 groups or 0 beats ends in the cycle after its acceptance.
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
                "loaded_release": Out(1),
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

        accepted, held = self._accept_commands(m, dma, gearbox)
        together = Mux(held.folded, self.fold, self.pixels)  # pixels of a full word
        at = self._walk_tensor(m, gearbox.o.valid, accepted, held, together)
        self._cut_words(m, dma, gearbox, accepted, held, at)
        m.submodules.walk = walk = BankWalk(self.pixels, self.fold)
        self._begin_walk(m, accepted, walk)
        self._write_pixels(m, gearbox, held, at, walk)
        return m

    def _check_latencies(self) -> None:
        """Refuse components whose stages are not those that the model counts."""
        bus = {"beat_bytes": self.beat_bytes, "max_burst": self.max_burst}
        sizes = {"in_bytes": self.beat_bytes, "out_bytes": self.pixels * self.cp}
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaRead, "request.payload", "axi.araddr", **bus)
        check_latency("GEARBOX", GEARBOX, Gearbox, "i.valid", "o.valid", **sizes)

    def _accept_commands(self, m: Module, dma: DmaRead, gearbox: Gearbox) -> tuple[Signal, _Held]:
        """Accept a command with its tokens, ask for its beats, and release its token at its end.

        A command ends when every beat is here and no word is left: no count can keep it from ending.
        """
        command = self.command.p
        active, ended, accepted, held = Signal(), Signal(), Signal(), _Held(command)
        m.d.comb += [
            ended.eq(active & ~dma.busy & ~gearbox.o.valid),
            self.busy.eq(active & ~ended),
            self.command.ready.eq(
                ~self.busy & (~command.wait_free | self.sb_free.ready) & (~command.wait_stored | self.stored.ready)
            ),
            accepted.eq(self.command.valid & self.command.ready),
            self.sb_free.acquire.eq(accepted & command.wait_free),
            self.stored.acquire.eq(accepted & command.wait_stored),
            self.sb_full_release.eq(ended & held.signal_full),
            self.loaded_release.eq(ended & held.signal_loaded),
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
                held.signal_full.eq(command.signal_full),
                held.signal_loaded.eq(command.signal_loaded),
                held.folded.eq(command.folded if self.fold > 1 else 0),
                held.cols.eq(command.cols),
                held.rows.eq(command.rows),
                held.pad.eq(command.pad),
            ]
        with m.Elif(ended):
            m.d.sync += active.eq(0)
        return accepted, held

    def _walk_tensor(self, m: Module, comes: Value, accepted: Signal, held: _Held, together: Value) -> _Position:
        """Count columns and rows down; with every word that ``comes``, ``together`` pixels or what the row has left."""
        command = self.command.p
        at = _Position(command)
        m.d.comb += [at.last_col.eq(at.cols_left <= together), at.last_row.eq(at.rows_left == 1)]
        with m.If(comes):
            with m.If(~at.last_col):
                m.d.sync += at.cols_left.eq(at.cols_left - together)
            with m.Else():
                m.d.sync += at.cols_left.eq(held.cols)
                with m.If(~at.last_row):
                    m.d.sync += at.rows_left.eq(at.rows_left - 1)
                with m.Else():
                    m.d.sync += at.rows_left.eq(held.rows)
        with m.If(accepted):
            m.d.sync += [at.cols_left.eq(command.cols), at.rows_left.eq(command.rows)]
        return at

    def _cut_words(
        self, m: Module, dma: DmaRead, gearbox: Gearbox, accepted: Signal, held: _Held, at: _Position
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
            gearbox.unwanted.eq(Mux(held.folded, pixels - 1, Mux(at.last_col, pixels - at.cols_left, 0))),
            gearbox.drop.eq(Mux(at.last_col, held.pad, 0)),
        ]

    def _begin_walk(self, m: Module, accepted: Signal, walk: BankWalk) -> None:
        """The banks that the command's tensor goes to, from the first row of the first group on."""
        command = self.command.p
        m.d.comb += [
            walk.begin.eq(accepted),
            *(
                getattr(walk, name).eq(command[name])
                for name in ("pointwise", "skew", "folded", "sb_base", "row_step", "group_step")
            ),
        ]

    def _write_pixels(self, m: Module, gearbox: Gearbox, held: _Held, at: _Position, walk: BankWalk) -> None:
        """The SB's write ports: each pixel of a word to its bank and address."""
        fold, lanes = self.fold, self.cp // self.fold
        m.d.comb += [
            walk.step.eq(gearbox.o.valid),
            walk.row_ends.eq(at.last_col),
            walk.group_ends.eq(at.last_col & at.last_row),
        ]
        for i in range(self.pixels):
            data = gearbox.o.payload.word_select(i, 8 * self.cp)
            if i < fold:
                data = Mux(held.folded, gearbox.o.payload.word_select(i, 8 * lanes), data)
            m.d.comb += [
                walk.there[i].eq((at.cols_left > i if i else 1) & (~held.folded if i >= fold else 1)),
                self.sb.bank[i].eq(walk.bank[i]),
                self.sb.addr[i].eq(walk.addr[i]),
                self.sb.data[i].eq(data),
            ]
