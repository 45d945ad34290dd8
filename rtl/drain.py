"""Gates between the units and AXI: what is under way when the machine is reset ends as the protocol wants it.

While not ``draining`` a gate is wires. From then on it begins nothing new, gives its unit no beat and no response,
and fills up the write bursts that were announced with beats whose strobes are 0. A valid that was not yet accepted
stays, which ``held`` tells; what was asked for comes to the stripes behind the gate (:mod:`rtl.stripes`), which count
it and throw it away. The units must keep their outputs until nothing is held and nothing owed; then they can be reset.
"""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Out

from rtl.dma_write import AW_AHEAD
from rtl.interfaces import axi_read, axi_write


class DrainRead(Component):
    """A gate between a unit's reads and the bus: while draining it lets no new address through.

    Ports
    -----
    unit : In(axi_read(beat_bytes)), bus : Out(axi_read(beat_bytes))
        ``bus`` is that of a :class:`rtl.stripes.StripedRead`, which drains at the same time.
    draining : In(1)
        Rises at any time and stays until ``quiet``.
    full : In(1)
        No further address may be offered.
    held : Out(1)
        An address is offered that was not accepted in the cycle before; it stays, even while ``draining``.
    """

    def __init__(self, beat_bytes: int) -> None:
        super().__init__(
            {
                "unit": In(axi_read(beat_bytes)),
                "bus": Out(axi_read(beat_bytes)),
                "draining": In(1),
                "full": In(1),
                "held": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit, bus = self.unit, self.bus
        may_ask = Signal()
        m.d.comb += [
            may_ask.eq((~self.draining & ~self.full) | self.held),
            bus.arvalid.eq(unit.arvalid & may_ask),
            unit.arready.eq(bus.arready & may_ask),
            bus.araddr.eq(unit.araddr),
            bus.arlen.eq(unit.arlen),
            unit.rvalid.eq(bus.rvalid & ~self.draining),
            bus.rready.eq(unit.rready),
            unit.rdata.eq(bus.rdata),
            unit.rresp.eq(bus.rresp),
            unit.rlast.eq(bus.rlast),
        ]
        m.d.sync += self.held.eq(bus.arvalid & ~bus.arready)
        return m


class DrainWrite(Component):
    """A gate of writes: ``unit`` In(axi_write(beat_bytes)), ``bus`` Out(axi_write(beat_bytes)), ``draining`` as above.

    ``held``: an address is, or beats of a burst that was announced are still to go.
    ``unit`` offers no beat before its burst's address, accepted or not, and has at most AW_AHEAD + 1 bursts whose
    address was offered and whose last beat has not gone, as :class:`rtl.dma_write.DmaWrite` does.

    Parameters
    ----------
    beat_bytes : bytes of a beat.
    max_burst : beats of the longest burst.
    """

    def __init__(self, beat_bytes: int, max_burst: int) -> None:
        self.length_bits = (max_burst - 1).bit_length()
        super().__init__(
            {"unit": In(axi_write(beat_bytes)), "bus": Out(axi_write(beat_bytes)), "draining": In(1), "held": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit, bus = self.unit, self.bus
        held_aw, held_w = Signal(), Signal()
        may_ask, real = Signal(), Signal()  # the unit's address, the unit's beat may show

        # Lengths of the bursts offered, so that whoever ends the last one knows how: a ring.
        depth = 2 * AW_AHEAD
        m.submodules.lengths = ring = memory.Memory(shape=self.length_bits, depth=depth, init=[])
        put_port, take_port = ring.write_port(), ring.read_port(domain="comb")
        put, take, position = Signal(range(depth)), Signal(range(depth)), Signal(self.length_bits)
        offered, moves = Signal(), Signal()
        m.d.comb += [
            offered.eq(bus.awvalid & ~held_aw),
            put_port.en.eq(offered),
            put_port.addr.eq(put),
            put_port.data.eq(unit.awlen),
            take_port.addr.eq(take),
            moves.eq(bus.wvalid & bus.wready),
        ]
        m.d.sync += put.eq(put + offered)
        with m.If(moves):
            m.d.sync += [position.eq(Mux(bus.wlast, 0, position + 1)), take.eq(take + bus.wlast)]

        m.d.comb += [
            may_ask.eq(~self.draining | held_aw),
            bus.awvalid.eq(unit.awvalid & may_ask),
            unit.awready.eq(bus.awready & may_ask),
            bus.awaddr.eq(unit.awaddr),
            bus.awlen.eq(unit.awlen),
            real.eq(~self.draining | held_w),
            bus.wvalid.eq(Mux(real, unit.wvalid, put != take)),
            bus.wdata.eq(Mux(real, unit.wdata, 0)),
            bus.wstrb.eq(Mux(real, unit.wstrb, 0)),
            bus.wlast.eq(Mux(real, unit.wlast, position == take_port.data)),
            unit.wready.eq(bus.wready & real),
            unit.bvalid.eq(bus.bvalid & ~self.draining),
            unit.bresp.eq(bus.bresp),
            bus.bready.eq(unit.bready),
            self.held.eq(held_aw | (put != take)),
        ]
        m.d.sync += [
            held_aw.eq(bus.awvalid & ~bus.awready),
            held_w.eq(real & unit.wvalid & ~bus.wready),
        ]
        return m
