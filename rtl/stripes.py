"""Stripes: a wide AXI4 master over narrower ports, beat by beat side by side, and what each port owes.

Every port of the machine is behind one of these, a single one too. It counts what was asked for and has not come, which
is what CTRL's reset waits for, and sees what no slave may do: :attr:`StripedRead.broke`, :attr:`StripedWrite.broke`.
"""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from rtl.dma_write import AW_AHEAD
from rtl.interfaces import ADDRESS_BITS, axi_read, axi_write

OWED_BITS = 20
"""Counts the beats that a port owes. While its top bit is set, half a million, no further address is offered."""

RESPONSE_BITS = 16
"""Counts the responses that a port owes: as many as there can be bursts, :data:`rtl.dma_write.PENDING_BITS`."""

EXOKAY = 1
"""The response to an exclusive access, which the machine never makes."""


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
    """One wide read port made of several narrower ones, each with its stripe of the DRAM.

    No cycle is added: ports that answer alike are as fast as one.

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
    last : In(1)
        The next beat ends its burst: what ``rlast`` is to be.
    draining : In(1)
        Each port takes by itself whatever it is offered, and throws it away; nothing is ``broke`` then.
    owed : Out(1)
        Beats were asked for and have not come. A function of registers.
    waits : Out(stripes)
        A bit a port: it owes beats, or is offered an address that it has not accepted, and offers no beat itself.
    full : Out(1)
        So many are owed that no further address may be offered.
    moved : Out(1)
        An address was accepted, or a beat that was owed has come.
    broke : Out(stripes)
        A bit a port: in this cycle it does what AXI forbids: a beat is offered that was never asked for, or one is
        accepted whose ``rlast`` is not ``last`` or whose response is EXOKAY. A beat that was not asked for and stands
        among others shows as a wrong ``rlast``, or at the end as one that nobody asked for.
    """

    def __init__(self, beat_bytes: int, stripes: int) -> None:
        _check(beat_bytes, stripes)
        self.beat_bytes, self.stripes = beat_bytes, stripes
        super().__init__(
            {
                "wide": In(axi_read(beat_bytes)),
                "ports": Out(axi_read(beat_bytes // stripes)).array(stripes),
                "base": In(ADDRESS_BITS).array(stripes),
                "last": In(1),
                "draining": In(1),
                "owed": Out(1),
                "waits": Out(stripes),
                "full": Out(1),
                "moved": Out(1),
                "broke": Out(stripes),
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
        counts, moves = [], []
        for i, (port, base, done) in enumerate(zip(ports, self.base, address.done, strict=True)):
            owed = Signal(OWED_BITS, name=f"owed_{i}")
            asked, taken = Signal(name=f"asked_{i}"), Signal(name=f"taken_{i}")
            m.d.comb += [
                port.arvalid.eq(wide.arvalid & ~done),
                port.araddr.eq(base + (wide.araddr >> shift)),
                port.arlen.eq(wide.arlen),
                port.rready.eq(self.draining | (there & wide.rready)),
                asked.eq(port.arvalid & port.arready),
                taken.eq(port.rvalid & port.rready),
                self.waits[i].eq((owed.any() | port.arvalid) & ~port.rvalid),
                self.broke[i].eq(
                    ~self.draining
                    & (
                        (port.rvalid & ~owed.any() & ~asked)
                        | (taken & ((port.rlast != self.last) | (port.rresp == EXOKAY)))
                    )
                ),
            ]
            m.d.sync += owed.eq(owed + Mux(asked, port.arlen + 1, 0) - (taken & (owed.any() | asked)))
            counts.append(owed)
            moves.append(asked | (taken & owed.any()))
        m.d.comb += [
            self.owed.eq(Cat(counts).any()),
            self.full.eq(Cat(owed[-1] for owed in counts).any()),
            self.moved.eq(Cat(moves).any()),
        ]
        return m


class StripedWrite(Component):
    """One wide write port made of several narrower ones, each with its stripe of the DRAM.

    A wide burst is acknowledged when every port's is, with the worst response of them. Of addresses and last beats
    neither may be further ahead on a port than :class:`rtl.dma_write.DmaWrite` lets them be.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a wide beat.
    stripes : int
        Ports: 1, 2 or 4.

    Ports
    -----
    wide : In(axi_write(beat_bytes)), ports : Out(axi_write(beat_bytes / stripes)) × stripes
        The wide port and the narrower ones.
    base : In(32) × stripes
        As of :class:`StripedRead`.
    draining : In(1)
        Each port's response is taken by itself, and none is ``broke``.
    owed : Out(1)
        Of a burst whose address and last beat were accepted there was no response yet.
    waits : Out(stripes)
        A bit a port: a response is owed, or an address or a beat is offered, and the port offers no response itself.
    moved : Out(1)
        An address or a beat was accepted, or a response that was owed.
    broke : Out(stripes)
        A bit a port: a response to no such burst, or EXOKAY.
    """

    def __init__(self, beat_bytes: int, stripes: int) -> None:
        _check(beat_bytes, stripes)
        self.beat_bytes, self.stripes = beat_bytes, stripes
        super().__init__(
            {
                "wide": In(axi_write(beat_bytes)),
                "ports": Out(axi_write(beat_bytes // stripes)).array(stripes),
                "base": In(ADDRESS_BITS).array(stripes),
                "draining": In(1),
                "owed": Out(1),
                "waits": Out(stripes),
                "moved": Out(1),
                "broke": Out(stripes),
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
        counts, moves = [], []
        for i, (port, base) in enumerate(zip(ports, self.base, strict=True)):
            owed = Signal(RESPONSE_BITS, name=f"owed_{i}")
            ahead = Signal(range(-1, AW_AHEAD + 1), name=f"ahead_{i}")  # addresses accepted less last beats accepted
            asked, sent, taken = (Signal(name=f"{name}_{i}") for name in ("asked", "sent", "taken"))
            whole = Signal(name=f"whole_{i}")  # the later of a burst's two is accepted in this cycle
            m.d.comb += [
                port.awvalid.eq(wide.awvalid & ~address.done[i]),
                port.awaddr.eq(base + (wide.awaddr >> shift)),
                port.awlen.eq(wide.awlen),
                port.wvalid.eq(wide.wvalid & ~data.done[i]),
                port.wdata.eq(wide.wdata.word_select(i, bits)),
                port.wstrb.eq(wide.wstrb.word_select(i, bits // 8)),
                port.wlast.eq(wide.wlast),
                port.bready.eq(self.draining | (there & wide.bready)),
                asked.eq(port.awvalid & port.awready),
                sent.eq(port.wvalid & port.wready & port.wlast),
                whole.eq(Mux(ahead < 0, asked, sent & ((ahead != 0) | asked))),
                taken.eq(port.bvalid & port.bready),
                self.waits[i].eq((owed.any() | port.awvalid | port.wvalid) & ~port.bvalid),
                self.broke[i].eq(
                    ~self.draining & port.bvalid & ((~owed.any() & ~whole) | (taken & (port.bresp == EXOKAY)))
                ),
            ]
            m.d.sync += [
                ahead.eq(ahead + asked - sent),
                owed.eq(owed + whole - (taken & (owed.any() | whole))),
            ]
            counts.append(owed)
            moves.append(asked | (port.wvalid & port.wready) | (taken & owed.any()))
        m.d.comb += [self.owed.eq(Cat(counts).any()), self.moved.eq(Cat(moves).any())]
        return m


def _worst(responses):
    """AXI's responses by severity: OKAY 0, EXOKAY 1 (never asked for), SLVERR 2, DECERR 3."""
    together = list(responses)
    return Cat(Cat(r[bit] for r in together).any() for bit in range(2))
