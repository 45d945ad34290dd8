"""LoadWeights: weight tiles from DRAM into the PB or the DB, ZSB entries into the ZSB, tables into the requantisers."""

from __future__ import annotations

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped

from arch_model.machine.microarchitecture import DMA_ADDRESS, GEARBOX, LANE_BYTES, TABLE_WORDS, TABLES
from arch_model.program.isa import Memory, Opcode
from rtl.command import ask, command_layout
from rtl.dma_read import DmaRead, check_bus
from rtl.gearbox import Gearbox
from rtl.interfaces import acquire, axi_read, table_write
from rtl.memory import address_bits
from rtl.stages import check_latency


def weights_write(cp: int, words: int) -> Signature:
    """LOAD_WGT to the PB or the DB: one word of 9 * cp bytes at ``addr`` (slot * kp + filter) while ``en``.

    ``memory`` is 0 for the DB, 1 for the PB, as in a PASS.

    Parameters
    ----------
    cp : channels worked on at once.
    words : of the larger of the two.
    """
    return Signature({"memory": Out(1), "en": Out(1), "addr": Out(address_bits(words)), "data": Out(72 * cp)})


def zsb_write(kp: int, entries: int) -> Signature:
    """LOAD_WGT to the ZSB: 8 bytes of entry ``addr`` (``en`` is one-hot by filter, 0 = no write).

    Parameters
    ----------
    kp : filters of an entry.
    entries : of the ZSB.
    """
    return Signature({"en": Out(kp), "addr": Out(address_bits(entries)), "data": Out(64)})


class LoadWeights(Component):
    """Executes LOAD_WGT: one weight word (9 * CP bytes), one filter of a ZSB entry or 8 bytes of a table a cycle.

    The runs' tiles, KP words each and padded to whole beats, fill consecutive slots from ``slot`` on, and ZSB
    entries, KP * 8 bytes each, consecutive entries; an activation table is 256 bytes. Nothing separates one run from
    the next.

    Parameters
    ----------
    kp, cp : int
        Filters and channels of the array, 1 to 63 each; ``8 * kp`` is a multiple of ``beat_bytes``.
    weight_words, zsb_entries : int
        Words of the larger of PB and DB, KP a tile slot; entries of the ZSB.
    beat_bytes, max_burst : int
        As in :class:`~rtl.dma_read.DmaRead`.

    Raises
    ------
    ValueError
        A parameter is outside its range, the bus cannot be built (:func:`rtl.dma_read.check_bus`), or ``8 * kp`` is not
        a multiple of ``beat_bytes``.

    Ports
    -----
    command : stream in, ``command_layout(LOAD_WGT)``
        Accepted, in the cycle in which the token that it waits for is used up, when the unit is free.
    axi : out, ``axi_read(B)``
        To DRAM.
    weights : out, ``weights_write(cp, weight_words)``
        Valid while ``en``.
    zsb : out, ``zsb_write(kp, zsb_entries)``
        Valid while ``en`` is not 0.
    table : out, ``table_write()``
        Valid while ``en``.
    w_free : out, ``acquire()``
        The token behind ``wait_free``.
    w_full_release : out
        Pulse at the end of a command with ``signal_full``.
    busy : out
        A command is being executed: from the cycle after its acceptance to that of its last write.
    last : out
        The next beat is the last one of its burst.
    error : out
        Pulse for every beat with an error response; its data is used like any other.
    beats : out
        Pulse for every beat received.

    Cycles
    ------
    Command accepted in cycle t: first ``arvalid`` in t + 1. Beat accepted in cycle t: the first word that it
    completes is written in t + 1 at the earliest. Last write in cycle t: ``w_full_release`` in t + 1, when the
    next command can be accepted, too. Given the beats, one is accepted every cycle if 9 * cp >= B (ZSB:
    8 >= B), else a word is written every cycle, across tiles and runs. A command of 0 runs or 0 beats ends in
    the cycle after its acceptance.
    """

    def __init__(
        self, *, kp: int, cp: int, beat_bytes: int, max_burst: int, weight_words: int, zsb_entries: int
    ) -> None:
        for name, value in (("kp", kp), ("cp", cp)):
            if not 1 <= value <= 63:
                raise ValueError(f"{name} is {value}; it can be 1 to 63")
        check_bus(beat_bytes, max_burst)
        if 8 * kp % beat_bytes:
            raise ValueError(f"kp is {kp}; 8 * kp has to be a multiple of beat_bytes ({beat_bytes})")
        self.kp, self.cp, self.beat_bytes, self.max_burst = kp, cp, beat_bytes, max_burst
        self.weight_words, self.zsb_entries = weight_words, zsb_entries
        super().__init__(
            {
                "command": In(stream.Signature(command_layout(Opcode.LOAD_WGT))),
                "axi": Out(axi_read(beat_bytes)),
                "weights": Out(weights_write(cp, weight_words)),
                "zsb": Out(zsb_write(kp, zsb_entries)),
                "table": Out(table_write()),
                "w_free": Out(acquire()),
                "w_full_release": Out(1),
                "busy": Out(1),
                "last": Out(1),
                "error": Out(1),
                "beats": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = {"beat_bytes": self.beat_bytes, "max_burst": self.max_burst}
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaRead, "request.payload", "axi.araddr", **bus)
        sizes = {"in_bytes": self.beat_bytes, "out_bytes": 9 * self.cp}
        check_latency("GEARBOX", GEARBOX, Gearbox, "i.valid", "o.valid", **sizes)
        padding = -9 * self.kp * self.cp % self.beat_bytes
        m.submodules.dma = dma = DmaRead(self.beat_bytes, self.max_burst)
        m.submodules.words = words = Gearbox(self.beat_bytes, 9 * self.cp, max_pad=0, max_drop=padding)
        m.submodules.lanes = lanes = Gearbox(self.beat_bytes, LANE_BYTES, max_pad=0, max_drop=0)
        connect(m, dma.axi, flipped(self.axi))

        # A command ends when every beat is here and no word is left: no count can keep it from ending.
        command = self.command.p
        active, ended, accepted, signal_full = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            ended.eq(active & ~dma.busy & ~words.o.valid & ~lanes.o.valid),
            self.busy.eq(active & ~ended),
            self.command.ready.eq(~self.busy & (~command.wait_free | self.w_free.ready)),
            accepted.eq(self.command.valid & self.command.ready),
            self.w_free.acquire.eq(accepted & command.wait_free),
            self.w_full_release.eq(ended & signal_full),
            dma.request.valid.eq(accepted),
            self.last.eq(dma.last),
            self.error.eq(dma.error),
            self.beats.eq(dma.beats),
            *ask(
                dma.request.p,
                addr=command.addr,
                runs=command.runs,
                run_beats=command.run_beats,
                run_stride=command.run_stride,
            ),
        ]

        to_lanes, to_table, to_pb = Signal(), Signal(), Signal()  # to_lanes: ZSB or table, 8 bytes a word
        filters = Signal(self.kp)  # the filter whose word comes next, one-hot
        addr = Signal(address_bits(max(self.weight_words, self.zsb_entries, TABLES * TABLE_WORDS)))
        m.d.comb += [
            words.clear.eq(accepted),
            words.i.valid.eq(dma.data.valid & ~to_lanes),
            words.i.p.data.eq(dma.data.payload),
            words.o.ready.eq(1),
            words.drop.eq(Mux(filters[-1], padding, 0)),
            lanes.clear.eq(accepted),
            lanes.i.valid.eq(dma.data.valid & to_lanes),
            lanes.i.p.data.eq(dma.data.payload),
            lanes.o.ready.eq(1),
            dma.data.ready.eq(Mux(to_lanes, lanes.i.ready, words.i.ready)),
            self.weights.memory.eq(to_pb),
            self.weights.en.eq(words.o.valid),
            self.weights.addr.eq(addr),
            self.weights.data.eq(words.o.payload),
            self.zsb.en.eq(Mux(lanes.o.valid & ~to_table, filters, 0)),
            self.zsb.addr.eq(addr),
            self.zsb.data.eq(lanes.o.payload),
            self.table.en.eq(lanes.o.valid & to_table),
            self.table.addr.eq(addr),
            self.table.data.eq(lanes.o.payload),
        ]
        with m.If(words.o.valid | lanes.o.valid):
            m.d.sync += [
                filters.eq(filters.rotate_left(1)),
                addr.eq(addr + (~to_lanes | to_table | filters[-1])),
            ]

        first = Array((self.kp, self.kp, 1, TABLE_WORDS))[command.memory]  # words of a slot
        with m.If(accepted):
            m.d.sync += [
                active.eq(1),
                signal_full.eq(command.signal_full),
                to_lanes.eq(command.memory[1]),
                to_table.eq(command.memory == Memory.TABLE),
                to_pb.eq(command.memory == Memory.PB),
                filters.eq(1),
                addr.eq(command.slot * first),
            ]
        with m.Elif(ended):
            m.d.sync += active.eq(0)
        return m
