"""A write DMA: a stream of beats to DRAM as AXI4 bursts, run after run."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from arch_model.program.isa import BEATS_BITS, COUNT_BITS, STRIDE_BITS
from rtl.dma_read import REQUEST, check_bus
from rtl.interfaces import ADDRESS_BITS, axi_write

AW_AHEAD = 8
"""Bursts announced before their data: enough to hide awready, few enough to hold up no interconnect."""

PENDING_BITS = 16
"""Counts the bursts that may be unacknowledged."""


@dataclass(frozen=True)
class _Runs:
    """The request under way, which the address and the data channel each walk by themselves."""

    accept: Signal  # the request is accepted in this cycle
    empty: Signal  # with ``accept``: it writes nothing
    run_beats: Signal
    stride: Signal  # from run to run, in beats


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

    Raises
    ------
    ValueError
        The bus cannot be built (:func:`rtl.dma_read.check_bus`).

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
        self._byte_bits = (beat_bytes - 1).bit_length()  # address bits inside a beat
        self._burst_bits = (max_burst - 1).bit_length()  # address bits of a beat inside the longest burst
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
        aw_on, w_on = Signal(), Signal()  # addresses, beats of the request are still to come
        aw_done, w_done = Signal(), Signal()  # one is accepted in this cycle
        ahead = Signal(range(-1, AW_AHEAD + 1))  # AW accepted less W bursts finished; W may lead by one
        pending = Signal(PENDING_BITS)  # AW accepted less B received
        runs = self._accept_request(m)
        self._announce_bursts(m, runs, aw_on, aw_done, may=(ahead != AW_AHEAD) & ~pending.all())
        self._send_beats(m, runs, w_on, w_done, may=(ahead > 0) | ((ahead == 0) & self.axi.awvalid))
        m.d.sync += ahead.eq(ahead + aw_done - (w_done & self.axi.wlast))

        axi = self.axi
        m.d.comb += [
            axi.bready.eq(1),
            self.error.eq(axi.bvalid & axi.bresp[1]),
            self.busy.eq(aw_on | w_on | (pending != 0)),
        ]
        # A response that nobody waits for, which rtl.stripes reports, must not make the count wrap: that withdraws AW.
        m.d.sync += pending.eq(pending + aw_done - (axi.bvalid & (pending.any() | aw_done)))
        return m

    def _accept_request(self, m: Module) -> _Runs:
        """The request's handshake, and what of it both channels need until it ends."""
        request = self.request.payload
        accept = Signal()
        empty = Signal()
        m.d.comb += [
            self.request.ready.eq(~self.busy),
            accept.eq(self.request.valid & self.request.ready),
            empty.eq((request.runs == 0) | (request.run_beats == 0)),
        ]
        run_beats = Signal(BEATS_BITS)
        stride = Signal(STRIDE_BITS - self._byte_bits)
        with m.If(accept):
            m.d.sync += [run_beats.eq(request.run_beats), stride.eq(request.run_stride >> self._byte_bits)]
        return _Runs(accept, empty, run_beats, stride)

    def _announce_bursts(self, m: Module, runs: _Runs, aw_on: Signal, aw_done: Signal, *, may: Value) -> None:
        """The AW channel: a burst a cycle while it ``may``, none across a multiple of the longest burst."""
        axi, request, shift = self.axi, self.request.payload, self._byte_bits
        aw_run = Signal(ADDRESS_BITS - shift)  # where the run starts; in beats, like every address here
        aw_addr = Signal(ADDRESS_BITS - shift)
        aw_left = Signal(BEATS_BITS)
        aw_runs = Signal(COUNT_BITS)
        room = Signal(self._burst_bits + 1)
        length = Signal(self._burst_bits + 1)
        m.d.comb += [
            room.eq(self.max_burst - aw_addr[: self._burst_bits]),
            length.eq(Mux(aw_left > room, room, aw_left)),
            axi.awaddr.eq(aw_addr << shift),
            axi.awlen.eq(length - 1),
            axi.awvalid.eq(aw_on & may),
            aw_done.eq(axi.awvalid & axi.awready),
        ]
        with m.If(runs.accept):
            m.d.sync += [
                aw_on.eq(~runs.empty),
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
                    aw_run.eq(aw_run + runs.stride),
                    aw_addr.eq(aw_run + runs.stride),
                    aw_left.eq(runs.run_beats),
                    aw_runs.eq(aw_runs - 1),
                    aw_on.eq(aw_runs != 1),
                ]

    def _send_beats(self, m: Module, runs: _Runs, w_on: Signal, w_done: Signal, *, may: Value) -> None:
        """The W channel: walks the same runs by itself, so ``wlast`` needs no queue of lengths."""
        axi, request, shift = self.axi, self.request.payload, self._byte_bits
        w_run = Signal(self._burst_bits)  # beat position in a burst, of the run's start
        w_position = Signal(self._burst_bits)
        w_left = Signal(BEATS_BITS)
        w_runs = Signal(COUNT_BITS)
        w_open = Signal()
        m.d.comb += [
            w_open.eq(w_on & may),
            axi.wdata.eq(self.data.payload),
            axi.wstrb.eq(-1),
            axi.wvalid.eq(w_open & self.data.valid),
            self.data.ready.eq(w_open & axi.wready),
            axi.wlast.eq((w_left == 1) | w_position.all()),
            w_done.eq(axi.wvalid & axi.wready),
            self.beats.eq(w_done),
        ]
        with m.If(runs.accept):
            m.d.sync += [
                w_on.eq(~runs.empty),
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
                    w_run.eq(w_run + runs.stride),
                    w_position.eq(w_run + runs.stride),
                    w_left.eq(runs.run_beats),
                    w_runs.eq(w_runs - 1),
                    w_on.eq(w_runs != 1),
                ]
