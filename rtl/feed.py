"""FEED: moves weight tiles from the PB or the DB into the array's shadow registers."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import TAPS
from arch_model.program.isa import Memory, Opcode
from rtl.command import command_layout
from rtl.interfaces import acquire, word_read
from rtl.memory import address_bits


class Feed(Component):
    """Reads a tile's KP words, one a cycle, whenever the shadow is empty.

    Parameters
    ----------
    kp, cp, dsp_packing: the array's.
    db_words, pb_words: words of the weight memories, KP a tile slot.

    Ports
    -----
    command (In, stream of PASS): accepted when idle and, with ``wait_weights``, a ``w_full`` token is there.
    w_full (Out, acquire), w_free_release (Out, 1): tokens; the release comes with the last word's read.
    db, pb (Out, word_read): the weight memories.
    load_en (Out, kp), load_data (Out, 72 * cp): to the array's shadow; of a depthwise PASS the nine taps of column
        ``sub`` as those of channel 0 (of odd rows, with ``dsp_packing`` and more channels than one: of channel 1), and
        zeros.
    shadow_full (Out, 1): a whole tile is in the shadow.
    consume (In, 1): RUN starts a pass with it; the swap happens in the next cycle.
    busy (Out, 1): a command is being executed.

    Timing
    ------
    A tile takes KP + 1 cycles from its first read to ``shadow_full``; the first read comes one cycle after
    ``consume``, so passes can follow each other every KP + 2 cycles.
    """

    def __init__(self, *, kp: int, cp: int, db_words: int, pb_words: int, dsp_packing: bool = False):
        self.kp, self.cp, self.dsp_packing = kp, cp, dsp_packing
        self.db_words, self.pb_words = db_words, pb_words
        width = 8 * TAPS * cp
        super().__init__(
            {
                "command": In(stream.Signature(command_layout(Opcode.PASS))),
                "w_full": Out(acquire()),
                "w_free_release": Out(1),
                "db": Out(word_read(address_bits(db_words), width)),
                "pb": Out(word_read(address_bits(pb_words), width)),
                "load_en": Out(kp),
                "load_data": Out(width),
                "shadow_full": Out(1),
                "consume": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        command = self.command.payload
        address = Signal(address_bits(max(self.db_words, self.pb_words)))  # of the word that is read next
        row, reps = Signal(range(self.kp)), Signal.like(command.reps)
        from_pb, signal = Signal(), Signal()
        depthwise, sub = Signal(), Signal.like(command.sub)
        taken = Signal()  # the shadow is being filled or full
        read, last_row, last_read = Signal(), Signal(), Signal()
        filled = Signal()

        m.d.comb += [
            self.command.ready.eq(~self.busy & (~command.wait_weights | self.w_full.ready)),
            self.w_full.acquire.eq(self.command.valid & self.command.ready & command.wait_weights),
            read.eq(self.busy & ((row != 0) | ~taken)),
            last_row.eq(row == self.kp - 1),
            last_read.eq(read & last_row & (reps == 1)),
            self.w_free_release.eq(last_read & signal),
            self.db.addr.eq(address),
            self.pb.addr.eq(address),
        ]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [
                self.busy.eq(1),
                address.eq(command.slot * self.kp),
                reps.eq(command.reps),
                from_pb.eq(command.memory == Memory.PB),
                signal.eq(command.signal_weights),
                depthwise.eq(command.depthwise),
                sub.eq(command.sub),
            ]
        with m.If(self.consume):
            m.d.sync += [taken.eq(0), self.shadow_full.eq(0)]
        with m.If(read):
            m.d.sync += [taken.eq(1), address.eq(address + 1), row.eq(Mux(last_row, 0, row + 1))]
            with m.If(last_row):
                m.d.sync += reps.eq(reps - 1)
        with m.If(last_read):
            m.d.sync += self.busy.eq(0)

        # The word arrives one cycle after its read. Its row and source go with it.
        arrived_row, arrived_pb = Signal(self.kp), Signal()
        arrived_depthwise, arrived_sub = Signal(), Signal.like(sub)
        m.d.sync += [
            arrived_row.eq(Mux(read, 1 << row, 0)),
            arrived_pb.eq(from_pb),
            arrived_depthwise.eq(depthwise),
            arrived_sub.eq(sub),
            filled.eq(read & last_row),
        ]
        with m.If(filled):
            m.d.sync += self.shadow_full.eq(1)
        word = Signal(8 * TAPS * self.cp)
        m.d.comb += [self.load_en.eq(arrived_row), word.eq(Mux(arrived_pb, self.pb.data, self.db.data))]
        own_channel = Const(0, 1)
        if self.dsp_packing and self.kp > 1 and self.cp > 1:
            own_channel = Signal()
            m.d.sync += own_channel.eq(row[0])
        for t in range(TAPS):
            tap = word.word_select(t, 8 * self.cp)  # of all channels
            loaded = self.load_data.word_select(t, 8 * self.cp)
            with m.If(arrived_depthwise):
                column = tap.word_select(arrived_sub, 8)
                m.d.comb += loaded.eq(Mux(own_channel, Cat(Const(0, 8), column), column))
            with m.Else():
                m.d.comb += loaded.eq(tap)
        return m
