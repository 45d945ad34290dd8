"""DmaRead: runs of beats out of DRAM as one stream."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from arch_model.program.isa import BEATS_BITS, COUNT_BITS, STRIDE_BITS
from rtl.interfaces import ADDRESS_BITS, axi_read

BOUNDARY = 4096
"""Bytes; AXI4 lets no burst cross a multiple of it."""

REQUEST = data.StructLayout(
    {"addr": ADDRESS_BITS, "runs": COUNT_BITS, "run_beats": BEATS_BITS, "run_stride": STRIDE_BITS}
)
"""What to read: ``runs`` contiguous runs of ``run_beats`` beats, their starts ``run_stride`` bytes apart."""


def check_bus(beat_bytes: int, max_burst: int) -> None:
    """Refuse a bus that cannot be built.

    Parameters
    ----------
    beat_bytes : bytes of a beat.
    max_burst : beats of the longest burst.

    Raises
    ------
    ValueError
        A number is no legal power of two, or a burst is longer than 4 KiB.

    Examples
    --------
    >>> check_bus(16, 512)
    Traceback (most recent call last):
    ValueError: max_burst is 512; it can be a power of two, 2 to 256
    """
    if beat_bytes not in (4, 8, 16, 32, 64, 128):
        raise ValueError(f"beat_bytes is {beat_bytes}; it can be a power of two, 4 to 128")
    if max_burst not in (2, 4, 8, 16, 32, 64, 128, 256):
        raise ValueError(f"max_burst is {max_burst}; it can be a power of two, 2 to 256")
    if beat_bytes * max_burst > BOUNDARY:
        most = BOUNDARY // beat_bytes
        raise ValueError(f"max_burst is {max_burst}; with beats of {beat_bytes} bytes at most {most}")


class DmaRead(Component):
    """Reads runs of beats through AXI4 and delivers them in order.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a beat (B): a power of two, 4 to 128.
    max_burst : int
        Longest burst in beats: a power of two, 2 to 256. No burst crosses a multiple of ``max_burst * B``,
        so the first and last of a run may be short.

    Raises
    ------
    ValueError
        The bus cannot be built (:func:`check_bus`).

    Ports
    -----
    request : stream in, REQUEST
        Accepted while not ``busy``. ``addr`` and ``run_stride`` are bytes, multiples of B (lower bits are
        ignored). A request of 0 runs or 0 beats reads nothing.
    axi : out, ``axi_read(B)``
        One address a cycle, as far ahead of the data as ``arready`` permits; they do not wait for data.
    data : stream out, 8 * B
        The beats, in order. While ``busy``, ``axi.rready`` is ``data.ready`` and ``data.valid`` is
        ``axi.rvalid``.
    busy : out
        From the cycle after a request is accepted to that of its last beat, inclusive; and, of a memory that gives
        beats which nobody asked for, until the last address is accepted: AXI wants an address that is offered to stay.
    last : out
        While ``busy``: the next beat is the last one of its burst, as ``axi.rlast`` has to say (:mod:`rtl.stripes`
        compares them).
    error : out
        A beat with SLVERR or DECERR is accepted in this cycle. It is delivered like any other.
    beats : out
        A beat is accepted in this cycle.

    Timing: request accepted in cycle t: first ``arvalid`` in t + 1, then an address a cycle, also from run to
    run. Last beat in cycle t: ``busy`` is 0 and the next request can be accepted in t + 1.
    """

    def __init__(self, beat_bytes: int, max_burst: int) -> None:
        check_bus(beat_bytes, max_burst)
        self.beat_bytes, self.max_burst = beat_bytes, max_burst
        self._byte_bits = beat_bytes.bit_length() - 1  # address bits inside a beat
        self._block_bits = max_burst.bit_length() - 1  # address bits of a beat inside a block of max_burst beats
        super().__init__(
            {
                "request": In(stream.Signature(REQUEST)),
                "axi": Out(axi_read(beat_bytes)),
                "data": Out(stream.Signature(8 * beat_bytes)),
                "busy": Out(1),
                "last": Out(1),
                "error": Out(1),
                "beats": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = self.request.p
        begin = Signal()
        running, valid = Signal(), Signal()  # beats, addresses of the request are still to come
        run_beats, stride = Signal(BEATS_BITS), Signal(STRIDE_BITS - self._byte_bits)  # of the request
        m.d.comb += [
            self.request.ready.eq(~self.busy),
            begin.eq(self.request.valid & ~self.busy & request.runs.any() & request.run_beats.any()),
            self.busy.eq(running | valid),
        ]
        with m.If(begin):
            m.d.sync += [run_beats.eq(request.run_beats), stride.eq(request.run_stride[self._byte_bits :])]
        self._announce_bursts(m, begin, valid, run_beats, stride)
        self._deliver_beats(m, begin, running, run_beats, stride)
        return m

    def _announce_bursts(self, m: Module, begin: Signal, valid: Signal, run_beats: Signal, stride: Signal) -> None:
        """The AR channel: cut every run into bursts and offer their addresses.

        A run is cut into blocks of max_burst beats: the block's number, the first beat in it, the blocks left and where
        the last one ends are counts, so no burst needs a wide subtraction.
        """
        unit, low = self._byte_bits, self._block_bits
        request = self.request.p
        next_run = Signal(ADDRESS_BITS - unit)  # beat address of the run after this one
        runs_left = Signal(COUNT_BITS)  # runs after this one
        block, first = Signal(ADDRESS_BITS - unit - low), Signal(low)
        last_end, blocks_left, final = Signal(low), Signal(BEATS_BITS + 1 - low), Signal()

        address = Signal(ADDRESS_BITS - unit)
        length, step = Signal(BEATS_BITS), Signal(STRIDE_BITS - unit)
        end = Signal(BEATS_BITS + 1)  # last beat of the run, counted from the start of its first block
        m.d.comb += [
            address.eq(Mux(begin, request.addr[unit:], next_run)),
            length.eq(Mux(begin, request.run_beats, run_beats)),
            step.eq(Mux(begin, request.run_stride[unit:], stride)),
            end.eq(length + address[:low] - 1),
        ]
        load, accepted = Signal(), Signal()
        m.d.comb += [
            accepted.eq(self.axi.arvalid & self.axi.arready),
            load.eq(begin | (accepted & final & runs_left.any())),
            self.axi.arvalid.eq(valid),
            self.axi.araddr.eq(Cat(Const(0, unit), first, block)),
            self.axi.arlen.eq(Mux(final, last_end, self.max_burst - 1) - first),
        ]
        with m.If(load):
            m.d.sync += [
                valid.eq(1),
                block.eq(address[low:]),
                first.eq(address[:low]),
                last_end.eq(end[:low]),
                blocks_left.eq(end[low:]),
                final.eq(~end[low:].any()),
                next_run.eq(address + step),
                runs_left.eq(Mux(begin, request.runs, runs_left) - 1),
            ]
        with m.Elif(accepted):
            m.d.sync += [
                valid.eq(~final),
                block.eq(block + 1),
                first.eq(0),
                blocks_left.eq(blocks_left - 1),
                final.eq(blocks_left == 1),
            ]

    def _deliver_beats(self, m: Module, begin: Signal, running: Signal, run_beats: Signal, stride: Signal) -> None:
        """The R channel: hand the beats on, and count beats and runs down to know the last of a burst and of all."""
        unit, low = self._byte_bits, self._block_bits
        request = self.request.p
        beats_left, data_runs_left = Signal(BEATS_BITS), Signal(COUNT_BITS)
        run_ends = Signal()
        data_run, position = Signal(low), Signal(low)  # in a block of max_burst beats: the run's first beat; the next
        m.d.comb += [
            self.data.payload.eq(self.axi.rdata),
            self.data.valid.eq(self.axi.rvalid & running),
            self.axi.rready.eq(self.data.ready & running),
            self.beats.eq(self.axi.rvalid & self.axi.rready),
            self.error.eq(self.beats & self.axi.rresp[1]),
            run_ends.eq(beats_left == 1),
            self.last.eq(run_ends | position.all()),
        ]
        with m.If(begin):
            m.d.sync += [
                running.eq(1),
                beats_left.eq(request.run_beats),
                data_runs_left.eq(request.runs),
                data_run.eq(request.addr[unit:]),
                position.eq(request.addr[unit:]),
            ]
        with m.Elif(self.beats):
            m.d.sync += [beats_left.eq(Mux(run_ends, run_beats, beats_left - 1)), position.eq(position + 1)]
            with m.If(run_ends):
                m.d.sync += data_runs_left.eq(data_runs_left - 1)
                m.d.sync += [data_run.eq(data_run + stride), position.eq(data_run + stride)]
                with m.If(data_runs_left == 1):
                    m.d.sync += running.eq(0)
