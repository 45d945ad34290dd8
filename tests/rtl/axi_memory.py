"""A DRAM model behind AXI4 ports for the Amaranth simulator, which also checks the master's manners.

One :class:`AxiMemory` holds the bytes; :meth:`AxiMemory.read` and :meth:`AxiMemory.write` are background
testbenches, one for each port that it serves::

    memory = AxiMemory(1 << 16, beat_bytes=4, max_burst=16, seed=1, stall=0.3)
    simulate(dut, bench, lambda ctx: memory.read(ctx, dut.axi))

Every burst is checked: whole beats inside the memory, at most ``max_burst`` of them, not across a multiple
of ``max_burst * beat_bytes``; a valid address or beat must stay until it is accepted; ``wlast`` must come
with the last beat of its burst and no other.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

OKAY, SLVERR = 0, 2


@dataclass(frozen=True)
class Burst:
    """One burst that a port accepted: when (cycle of the handshake), where (byte address), beats."""

    cycle: int
    address: int
    beats: int


@dataclass
class Log:
    """What one direction saw: its bursts, and the cycle in which each data beat moved.

    ``offered`` holds the first cycle of each address' ``valid``; ``acknowledged`` (writes) that of each
    B handshake; ``outstanding`` the most bursts that were open at once.
    """

    bursts: list[Burst] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    outstanding: int = 0


class AxiMemory:
    """Bytes with AXI4 ports.

    Parameters
    ----------
    size : int
        Bytes; filled with seeded random values.
    beat_bytes, max_burst : int
        Bytes of a beat; longest burst, and the boundary that none may cross, in beats.
    seed : int
        Of the contents and of every stall.
    latency : int
        Cycles from an accepted address to its first beat (at least 1: the next cycle), and from the last
        beat written to its acknowledgement. Bursts queue, so latencies overlap.
    cycles_per_beat : int
        A data beat is offered (or accepted) at most once in so many cycles.
    stall : float
        Probability, in each cycle and on each channel, that the memory holds it back.
    max_outstanding : int
        Addresses are refused while so many bursts are open.

    Attributes
    ----------
    data : bytearray
        The contents.
    bad : set[int]
        Byte addresses of beats that answer with an error response (writes: the burst that touches one).
    reads, writes : Log
        What happened. With several ports of one direction give each its own :class:`Log`.
    """

    def __init__(
        self,
        size: int,
        beat_bytes: int,
        max_burst: int,
        *,
        seed: int = 0,
        latency: int = 1,
        cycles_per_beat: int = 1,
        stall: float = 0.0,
        max_outstanding: int = 16,
    ) -> None:
        if latency < 1 or cycles_per_beat < 1 or max_outstanding < 1:
            raise ValueError("latency, cycles_per_beat and max_outstanding are at least 1")
        self.beat_bytes, self.max_burst = beat_bytes, max_burst
        self.latency, self.cycles_per_beat = latency, cycles_per_beat
        self.stall, self.max_outstanding = stall, max_outstanding
        self.seed = seed
        self.data = bytearray(random.Random(seed).randbytes(size))
        self.bad: set[int] = set()
        self.reads, self.writes = Log(), Log()

    def beat(self, address: int) -> int:
        """The beat at a byte address, as an integer (byte 0 lowest)."""
        return int.from_bytes(self.data[address : address + self.beat_bytes], "little")

    def check_burst(self, address: int, beats: int) -> None:
        """AssertionError unless the burst is legal (see the module's text)."""
        size, block = self.beat_bytes * beats, self.beat_bytes * self.max_burst
        assert address % self.beat_bytes == 0, f"burst at {address:#x} is not on a beat"
        assert 1 <= beats <= self.max_burst, f"burst of {beats} beats"
        first, last = address // block, (address + size - 1) // block
        assert first == last, f"burst {address:#x} + {size} crosses a multiple of {block}"
        assert address + size <= len(self.data), f"burst {address:#x} + {size} leaves the memory"

    async def read(self, ctx: Any, port: Any, log: Log | None = None) -> None:
        """Serve the read half ``port`` (signature ``axi_read``) for ever."""
        log = log or self.reads
        rng = random.Random(f"{self.seed} read")
        queue: deque[tuple[int, int, bool]] = deque()  # earliest cycle, address, last
        opened, cycle, next_beat = 0, 0, 0
        held: tuple[int, int] | None = None  # an address offered and not yet accepted
        showing = False  # a beat is offered; it must stay until accepted
        while True:
            ready = opened < self.max_outstanding and rng.random() >= self.stall
            ctx.set(port.arready, ready)
            if not showing and queue and queue[0][0] <= cycle and next_beat <= cycle:
                showing = rng.random() >= self.stall
            address, last = (queue[0][1], queue[0][2]) if showing else (0, False)
            ctx.set(port.rvalid, showing)
            ctx.set(port.rdata, self.beat(address) if showing else rng.getrandbits(8 * self.beat_bytes))
            ctx.set(port.rlast, last)
            ctx.set(port.rresp, (SLVERR if address in self.bad else OKAY) if showing else rng.getrandbits(2))
            _clk, _rst, arvalid, araddr, arlen, rready = await ctx.tick().sample(
                port.arvalid, port.araddr, port.arlen, port.rready
            )
            if held is not None:
                assert arvalid and held == (araddr, arlen), "AR changed before it was accepted"
            elif arvalid:
                log.offered.append(cycle)
            held = (araddr, arlen) if arvalid and not ready else None
            if showing and rready:
                log.beats.append(cycle)
                queue.popleft()
                opened -= last
                showing = False
                next_beat = cycle + self.cycles_per_beat
            if arvalid and ready:
                self.check_burst(araddr, arlen + 1)
                log.bursts.append(Burst(cycle, araddr, arlen + 1))
                opened += 1
                log.outstanding = max(log.outstanding, opened)
                queue.extend((cycle + self.latency, araddr + i * self.beat_bytes, i == arlen) for i in range(arlen + 1))
            cycle += 1

    async def write(self, ctx: Any, port: Any, log: Log | None = None) -> None:
        """Serve the write half ``port`` (signature ``axi_write``) for ever.

        Beats may come before their address. A burst is in ``data`` once address and last beat are there.
        """
        log = log or self.writes
        rng = random.Random(f"{self.seed} write")
        addresses: deque[tuple[int, int]] = deque()  # address, beats
        beats: deque[tuple[int, bool, int]] = deque()
        answers: deque[tuple[int, int]] = deque()  # earliest cycle, response
        opened, cycle, next_beat = 0, 0, 0
        held: tuple[int, int] | None = None
        held_beat: tuple[int, bool, int] | None = None
        showing = False
        while True:
            awready = opened < self.max_outstanding and rng.random() >= self.stall
            wready = next_beat <= cycle and rng.random() >= self.stall
            if not showing and answers and answers[0][0] <= cycle:
                showing = rng.random() >= self.stall
            ctx.set(port.awready, awready)
            ctx.set(port.wready, wready)
            ctx.set(port.bvalid, showing)
            ctx.set(port.bresp, answers[0][1] if showing else rng.getrandbits(2))
            _clk, _rst, awvalid, awaddr, awlen, wvalid, wdata, wlast, wstrb, bready = await ctx.tick().sample(
                port.awvalid, port.awaddr, port.awlen, port.wvalid, port.wdata, port.wlast, port.wstrb, port.bready
            )
            if held is not None:
                assert awvalid and held == (awaddr, awlen), "AW changed before it was accepted"
            elif awvalid:
                log.offered.append(cycle)
            held = (awaddr, awlen) if awvalid and not awready else None
            if held_beat is not None:
                assert wvalid and held_beat == (wdata, wlast, wstrb), "W changed before it was accepted"
            held_beat = (wdata, wlast, wstrb) if wvalid and not wready else None
            if showing and bready:
                answers.popleft()
                log.acknowledged.append(cycle)
                opened -= 1
                showing = False
            if awvalid and awready:
                self.check_burst(awaddr, awlen + 1)
                log.bursts.append(Burst(cycle, awaddr, awlen + 1))
                addresses.append((awaddr, awlen + 1))
                opened += 1
                log.outstanding = max(log.outstanding, opened)
            if wvalid and wready:
                log.beats.append(cycle)
                beats.append((wdata, bool(wlast), wstrb))
                next_beat = cycle + self.cycles_per_beat
            while addresses and len(beats) >= addresses[0][1]:
                address, count = addresses.popleft()
                response = self._store(address, [beats.popleft() for _ in range(count)])
                answers.append((cycle + self.latency, response))
            for i, (_, last, _) in enumerate(list(beats)[: addresses[0][1]] if addresses else ()):
                assert not last, f"wlast with beat {i} of {addresses[0][1]}"
            cycle += 1

    def _store(self, address: int, beats: list[tuple[int, bool, int]]) -> int:
        """Write one whole burst; its response."""
        response = OKAY
        for i, (value, last, strobe) in enumerate(beats):
            assert last == (i == len(beats) - 1), f"wlast is {last} with beat {i} of {len(beats)}"
            place = address + i * self.beat_bytes
            for byte, new in enumerate(value.to_bytes(self.beat_bytes, "little")):
                if strobe >> byte & 1:
                    self.data[place + byte] = new
            response = SLVERR if place in self.bad else response
        return response
