"""A write DMA: a stream of beats to DRAM as AXI4 bursts, run after run."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from arch_model.program.isa import BEATS_BITS, COUNT_BITS, STRIDE_BITS
from rtl.dma_read import REQUEST, check_bus
from rtl.interfaces import ADDRESS_BITS, axi_write

AW_AHEAD = 8
"""Bursts announced before their data: enough to hide awready, few enough to hold up no interconnect."""

PENDING_BITS = 16
"""Counts the bursts that may be unacknowledged."""


class DmaWrite(Component):
    """Writes a stream of beats to ``runs`` runs of ``run_beats`` beats each.

    A burst never crosses a multiple of ``max_burst * beat_bytes`` bytes, so the first and the last burst of
    a run may be short. A W beat is offered once the AW of its burst is offered, accepted or not: a memory may
    wait for data before it takes the address.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a beat (B): a power of two, 4 to 128.
    max_burst : int
        Beats of the longest burst, a power of two, 2 to 256; ``max_burst * B`` at most 4096.

    Ports
    -----
    request : In(stream of REQUEST)
        ``addr`` and ``run_stride`` are bytes, multiples of B (lower bits are ignored). Ready while not
        ``busy``. A request of 0 runs or 0 beats writes nothing.
    data : In(stream of 8 * beat_bytes)
        The beats, in order. Ready only when the W channel takes the beat in that cycle.
    axi : Out(axi_write(beat_bytes))
        AW, W and B; ``bready`` is always 1.
    busy : Out(1)
        From the cycle after the request was accepted up to and including the cycle of the last B.
    error : Out(1)
        High in a cycle in which a B with SLVERR or DECERR arrives.
    beats : Out(1)
        High in a cycle in which a W beat is accepted.

    Cycles
    ------
    Request accepted in cycle t: first AW in t + 1, and the first W beat in t + 1 if the data is there. One AW
    and one W beat a cycle. Last B in cycle t: ``busy`` is 0 and the next request can be accepted in t + 1.
    """

    def __init__(self, beat_bytes: int, max_burst: int):
        check_bus(beat_bytes, max_burst)
        self.beat_bytes, self.max_burst = beat_bytes, max_burst
        super().__init__(
            {
                "request": In(stream.Signature(REQUEST)),
                "data": In(stream.Signature(8 * beat_bytes)),
                "axi": Out(axi_write(beat_bytes)),
                "busy": Out(1),
                "error": Out(1),
                "beats": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        axi = self.axi
        request = self.request.payload
        accept = Signal()
        empty = Signal()
        m.d.comb += [
            self.request.ready.eq(~self.busy),
            accept.eq(self.request.valid & self.request.ready),
            empty.eq((request.runs == 0) | (request.run_beats == 0)),
        ]

        shift = (self.beat_bytes - 1).bit_length()
        burst_bits = (self.max_burst - 1).bit_length()
        run_beats = Signal(BEATS_BITS)
        stride = Signal(STRIDE_BITS - shift)  # in beats, like every address below
        with m.If(accept):
            m.d.sync += [run_beats.eq(request.run_beats), stride.eq(request.run_stride >> shift)]

        # Address side: one burst a cycle.
        aw_on = Signal()
        aw_run = Signal(ADDRESS_BITS - shift)  # where the run starts
        aw_addr = Signal(ADDRESS_BITS - shift)
        aw_left = Signal(BEATS_BITS)
        aw_runs = Signal(COUNT_BITS)
        room = Signal(burst_bits + 1)
        length = Signal(burst_bits + 1)
        aw_done = Signal()
        ahead = Signal(range(-1, AW_AHEAD + 1))  # AW accepted less W bursts finished; W may lead by one
        pending = Signal(PENDING_BITS)  # AW accepted less B received
        m.d.comb += [
            room.eq(self.max_burst - aw_addr[:burst_bits]),
            length.eq(Mux(aw_left > room, room, aw_left)),
            axi.awaddr.eq(aw_addr << shift),
            axi.awlen.eq(length - 1),
            axi.awvalid.eq(aw_on & (ahead != AW_AHEAD) & ~pending.all()),
            aw_done.eq(axi.awvalid & axi.awready),
        ]
        with m.If(accept):
            m.d.sync += [
                aw_on.eq(~empty),
                aw_run.eq(request.addr >> shift),
                aw_addr.eq(request.addr >> shift),
                aw_left.eq(request.run_beats),
                aw_runs.eq(request.runs),
            ]
        with m.Elif(aw_done):
            with m.If(aw_left != length):
                m.d.sync += [aw_addr.eq(aw_addr + length), aw_left.eq(aw_left - length)]
            with m.Else():
                m.d.sync += [
                    aw_run.eq(aw_run + stride),
                    aw_addr.eq(aw_run + stride),
                    aw_left.eq(run_beats),
                    aw_runs.eq(aw_runs - 1),
                    aw_on.eq(aw_runs != 1),
                ]

        # Data side: walks the same runs by itself, so wlast needs no queue of lengths.
        w_on = Signal()
        w_run = Signal(burst_bits)  # beat position in a burst, of the run's start
        w_position = Signal(burst_bits)
        w_left = Signal(BEATS_BITS)
        w_runs = Signal(COUNT_BITS)
        w_open = Signal()
        w_done = Signal()
        m.d.comb += [
            w_open.eq(w_on & ((ahead > 0) | ((ahead == 0) & axi.awvalid))),
            axi.wdata.eq(self.data.payload),
            axi.wstrb.eq(-1),
            axi.wvalid.eq(w_open & self.data.valid),
            self.data.ready.eq(w_open & axi.wready),
            axi.wlast.eq((w_left == 1) | w_position.all()),
            w_done.eq(axi.wvalid & axi.wready),
            self.beats.eq(w_done),
        ]
        with m.If(accept):
            m.d.sync += [
                w_on.eq(~empty),
                w_run.eq(request.addr >> shift),
                w_position.eq(request.addr >> shift),
                w_left.eq(request.run_beats),
                w_runs.eq(request.runs),
            ]
        with m.Elif(w_done):
            with m.If(w_left != 1):
                m.d.sync += [w_position.eq(w_position + 1), w_left.eq(w_left - 1)]
            with m.Else():
                m.d.sync += [
                    w_run.eq(w_run + stride),
                    w_position.eq(w_run + stride),
                    w_left.eq(run_beats),
                    w_runs.eq(w_runs - 1),
                    w_on.eq(w_runs != 1),
                ]
        m.d.sync += ahead.eq(ahead + aw_done - (w_done & axi.wlast))

        m.d.comb += [
            axi.bready.eq(1),
            self.error.eq(axi.bvalid & axi.bresp[1]),
            self.busy.eq(aw_on | w_on | (pending != 0)),
        ]
        # A response that nobody waits for, which rtl.stripes reports, must not make the count wrap: that withdraws AW.
        m.d.sync += pending.eq(pending + aw_done - (axi.bvalid & (pending.any() | aw_done)))
        return m
