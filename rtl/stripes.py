"""Stripes: a wide AXI4 master over several narrower ports, beat by beat side by side."""

from __future__ import annotations

from amaranth import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from rtl.interfaces import ADDRESS_BITS, axi_read, axi_write


def _check(beat_bytes: int, stripes: int) -> None:
    if stripes not in (1, 2, 4):
        raise ValueError(f"stripes is {stripes}; it can be 1, 2 or 4")
    if beat_bytes % stripes or beat_bytes // stripes < 4:
        raise ValueError(f"beat_bytes is {beat_bytes}; it must give each of {stripes} ports 4 bytes or more")


class _All:
    """One handshake that is made on several ports, each in its own time."""

    def __init__(self, m: Module, name: str, valid, readies) -> None:
        self.done = [Signal(name=f"{name}_done_{i}") for i in range(len(readies))]
        self.ready = Signal(name=f"{name}_all")
        m.d.comb += self.ready.eq(Cat(d | r for d, r in zip(self.done, readies, strict=True)).all())
        for done, ready in zip(self.done, readies, strict=True):
            with m.If(valid & self.ready):
                m.d.sync += done.eq(0)
            with m.Elif(valid & ready):
                m.d.sync += done.eq(1)


class StripedRead(Component):
    """Address ``a`` of the wide master is ``base[i] + a / stripes`` on port i, which has the i-th part of every beat.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a wide beat.
    stripes : int
        Ports: 1, 2 or 4.

    Ports
    -----
    wide : In(axi_read(beat_bytes)), ports : Out(axi_read(beat_bytes / stripes)) × stripes
        Bursts have as many beats on every port. A wide beat is there when every port has its part, and with the worst
        response of them.
    base : In(32) × stripes
        Byte address of each port's stripe, steady; a multiple of the port's longest burst.

    No cycle is added: ports that answer alike are as fast as one.
    """

    def __init__(self, beat_bytes: int, stripes: int) -> None:
        _check(beat_bytes, stripes)
        self.beat_bytes, self.stripes = beat_bytes, stripes
        super().__init__(
            {
                "wide": In(axi_read(beat_bytes)),
                "ports": Out(axi_read(beat_bytes // stripes)).array(stripes),
                "base": In(ADDRESS_BITS).array(stripes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wide, ports = self.wide, list(self.ports)
        shift = self.stripes.bit_length() - 1
        address = _All(m, "ar", wide.arvalid, [port.arready for port in ports])
        there = Signal()
        m.d.comb += [
            wide.arready.eq(address.ready),
            there.eq(Cat(port.rvalid for port in ports).all()),
            wide.rvalid.eq(there),
            wide.rdata.eq(Cat(port.rdata for port in ports)),
            wide.rresp.eq(_worst(port.rresp for port in ports)),
            wide.rlast.eq(ports[0].rlast),
        ]
        for port, base, done in zip(ports, self.base, address.done, strict=True):
            m.d.comb += [
                port.arvalid.eq(wide.arvalid & ~done),
                port.araddr.eq(base + (wide.araddr >> shift)),
                port.arlen.eq(wide.arlen),
                port.rready.eq(there & wide.rready),
            ]
        return m


class StripedWrite(Component):
    """The same for writes: ``wide`` is In(axi_write(beat_bytes)), ``ports`` Out(axi_write(beat_bytes / stripes)).

    A wide burst is acknowledged when every port's is, with the worst response of them.
    """

    def __init__(self, beat_bytes: int, stripes: int) -> None:
        _check(beat_bytes, stripes)
        self.beat_bytes, self.stripes = beat_bytes, stripes
        super().__init__(
            {
                "wide": In(axi_write(beat_bytes)),
                "ports": Out(axi_write(beat_bytes // stripes)).array(stripes),
                "base": In(ADDRESS_BITS).array(stripes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wide, ports = self.wide, list(self.ports)
        shift, bits = self.stripes.bit_length() - 1, 8 * self.beat_bytes // self.stripes
        address = _All(m, "aw", wide.awvalid, [port.awready for port in ports])
        data = _All(m, "w", wide.wvalid, [port.wready for port in ports])
        there = Signal()
        m.d.comb += [
            wide.awready.eq(address.ready),
            wide.wready.eq(data.ready),
            there.eq(Cat(port.bvalid for port in ports).all()),
            wide.bvalid.eq(there),
            wide.bresp.eq(_worst(port.bresp for port in ports)),
        ]
        for i, (port, base) in enumerate(zip(ports, self.base, strict=True)):
            m.d.comb += [
                port.awvalid.eq(wide.awvalid & ~address.done[i]),
                port.awaddr.eq(base + (wide.awaddr >> shift)),
                port.awlen.eq(wide.awlen),
                port.wvalid.eq(wide.wvalid & ~data.done[i]),
                port.wdata.eq(wide.wdata.word_select(i, bits)),
                port.wstrb.eq(wide.wstrb.word_select(i, bits // 8)),
                port.wlast.eq(wide.wlast),
                port.bready.eq(there & wide.bready),
            ]
        return m


def _worst(responses):
    """AXI's responses by severity: OKAY 0, EXOKAY 1 (never asked for), SLVERR 2, DECERR 3."""
    together = list(responses)
    return Cat(Cat(r[bit] for r in together).any() for bit in range(2))
