"""The gates: wires in normal times; from a random moment on all that is under way ends properly, and nothing begins."""

from __future__ import annotations

import random

import pytest
from amaranth import Module, Signal
from amaranth.lib.wiring import connect

from rtl.dma_read import DmaRead
from rtl.dma_write import AW_AHEAD, DmaWrite
from rtl.drain import DrainRead, DrainWrite
from rtl.stripes import StripedRead, StripedWrite
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import simulate
from tests.rtl.streams import stream_put

BEAT, BURST, SIZE = 8, 4, 1 << 14


class Drained:
    """A DMA, the gate before it and the stripes before that, one of them."""

    def __init__(self, dma, gate, stripes):
        self.gate, self.stripes, self.bus = gate, stripes, stripes.ports[0]
        self.draining = Signal()
        self.module = m = Module()
        m.submodules.dma, m.submodules.gate, m.submodules.stripes = dma, gate, stripes
        connect(m, dma.axi, gate.unit)
        connect(m, gate.bus, stripes.wide)
        m.d.comb += [gate.draining.eq(self.draining), stripes.draining.eq(self.draining)]
        if hasattr(dma, "last"):
            m.d.comb += [stripes.last.eq(dma.last), gate.full.eq(stripes.full)]
        self.seen = Signal()  # a rule was broken
        m.d.sync += self.seen.eq(self.seen | stripes.broke)

    def is_quiet(self, ctx):
        return not ctx.get(self.gate.held) and not ctx.get(self.stripes.owed)

    async def quiet(self, ctx, after):
        """Drain from ``after`` cycles on; quiet within a bound that the slowest memory here allows, and it stays."""
        await ctx.tick().repeat(after)
        ctx.set(self.draining, 1)
        for _ in range(1500):
            await ctx.tick()
            if self.is_quiet(ctx):
                break
        for _ in range(20):
            assert self.is_quiet(ctx)
            await ctx.tick()

    async def keeps_the_rules(self, ctx):
        """A memory that does is never said not to."""
        while True:
            _clk, _rst, broke = await ctx.tick().sample(self.stripes.broke)
            assert not broke


@pytest.mark.parametrize("seed", range(20))
def test_reads_are_taken_and_thrown_away(seed):
    rng = random.Random(seed)
    latency, stall, after = rng.choice([1, 5, 30]), rng.choice([0.0, 0.3, 0.7]), rng.randint(1, 120)
    print(f"seed {seed}: latency {latency}, stall {stall}, drained after {after}")
    memory = AxiMemory(SIZE, BEAT, BURST, seed=seed, latency=latency, stall=stall)
    dma = DmaRead(BEAT, BURST)
    rig = Drained(dma, DrainRead(BEAT), StripedRead(BEAT, 1))
    seen = []

    async def take(ctx):
        ctx.set(dma.data.ready, 1)
        while True:
            _clk, _rst, valid, draining = await ctx.tick().sample(dma.data.valid, rig.draining)
            if valid:
                seen.append(draining)

    async def bench(ctx):
        request = {"addr": 8 * rng.randint(0, 50), "runs": 3, "run_beats": 40, "run_stride": 8 * 64}
        await stream_put(ctx, dma.request, [request])
        await rig.quiet(ctx, after)
        assert len(memory.reads.beats) == sum(burst.beats for burst in memory.reads.bursts)

    simulate(rig.module, bench, take, rig.keeps_the_rules, lambda ctx: memory.read(ctx, rig.bus))
    assert not any(seen), "a unit got a beat while its gate drained"
    assert len(seen) <= len(memory.reads.beats)


@pytest.mark.parametrize("seed", range(30))
def test_writes_end_without_writing(seed):
    """Bursts that were announced get their beats and their acknowledgement; what had not been sent is not written."""
    rng = random.Random(seed)
    latency, stall, after = rng.choice([1, 5, 30]), rng.choice([0.0, 0.3, 0.7]), rng.randint(1, 120)
    slow = rng.choice([0.0, 0.5, 0.95])
    print(f"seed {seed}: latency {latency}, stall {stall}, data {slow}, drained after {after}")
    memory = AxiMemory(SIZE, BEAT, BURST, seed=seed, latency=latency, stall=stall)
    before = bytes(memory.data)
    dma = DmaWrite(BEAT, BURST)
    rig = Drained(dma, DrainWrite(BEAT, BURST), StripedWrite(BEAT, 1))
    beats = [rng.getrandbits(64) for _ in range(120)]
    start = 8 * rng.randint(0, 50)
    sent = []

    async def count(ctx):
        bus = rig.bus
        while True:
            _clk, _rst, moved, strobe = await ctx.tick().sample(bus.wvalid & bus.wready, bus.wstrb)
            if moved:
                assert strobe in (0, 0xFF)
                sent.append(strobe == 0xFF)

    async def put(ctx):
        left, valid = list(beats), False
        while left:
            valid = valid or rng.random() >= slow
            ctx.set(dma.data.payload, left[0])
            ctx.set(dma.data.valid, valid)
            _clk, _rst, taken = await ctx.tick().sample(dma.data.valid & dma.data.ready)
            if taken:
                left, valid = left[1:], False
        ctx.set(dma.data.valid, 0)

    async def bench(ctx):
        request = {"addr": start, "runs": 1, "run_beats": 120, "run_stride": 0}
        await stream_put(ctx, dma.request, [request])
        await rig.quiet(ctx, after)
        assert len(memory.writes.beats) == sum(burst.beats for burst in memory.writes.bursts)
        assert len(memory.writes.acknowledged) == len(memory.writes.bursts)

    simulate(rig.module, bench, put, count, rig.keeps_the_rules, lambda ctx: memory.write(ctx, rig.bus))
    real = sum(sent)
    assert sent == [True] * real + [False] * (len(sent) - real)
    written = b"".join(beat.to_bytes(8, "little") for beat in beats[:real])
    assert memory.data == before[:start] + written + before[start + len(written) :]


def test_a_gate_at_rest_is_quiet_at_once():
    gate = DrainWrite(BEAT, BURST)

    async def bench(ctx):
        assert not ctx.get(gate.held)
        ctx.set(gate.draining, 1)
        ctx.set(gate.unit.awvalid, 1)
        await ctx.tick()
        assert not ctx.get(gate.held) and not ctx.get(gate.bus.awvalid) and not ctx.get(gate.bus.wvalid)

    simulate(gate, bench)


async def stays(ctx, valid, ready, *payload):
    """AXI's rule for whoever offers: what was offered and not taken is offered again, and is the same."""
    before = None
    async for _clk, _rst, offered, taken, *what in ctx.tick().sample(valid, ready, *payload):
        assert before is None or (offered and what == before), "withdrawn or changed before ready"
        before = what if offered and not taken else None


async def anything(ctx, rng, chance, *signals):
    """Random values in every cycle, those of one bit high with ``chance``."""
    while True:
        for signal in signals:
            ctx.set(signal, rng.random() < chance if len(signal) == 1 else rng.choice((0, 0, 0, 1, 2)))
        await ctx.tick()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("drained", [False, True])
def test_whatever_a_slave_does_reads_keep_the_rules(seed, drained):
    """Beats that nobody asked for make a request end before its addresses are accepted; they stay all the same."""
    rng = random.Random(seed)
    dma = DmaRead(BEAT, BURST)
    rig = Drained(dma, DrainRead(BEAT), StripedRead(BEAT, 1))
    bus, broke = rig.bus, []

    async def put(ctx):
        ctx.set(dma.data.ready, 1)
        many = [{"addr": 8 * rng.randrange(99), "runs": 2, "run_beats": rng.randint(1, 9)} for _ in range(99)]
        await stream_put(ctx, dma.request, many)

    async def bench(ctx):
        await ctx.tick().repeat(300)
        broke.append(ctx.get(rig.seen))
        ctx.set(rig.draining, drained)
        await ctx.tick().repeat(100)

    simulate(
        rig.module,
        bench,
        put,
        lambda ctx: stays(ctx, bus.arvalid, bus.arready, bus.araddr, bus.arlen),
        lambda ctx: anything(ctx, rng, rng.choice((0.05, 0.3)), bus.arready),
        lambda ctx: anything(ctx, rng, 0.6, bus.rvalid, bus.rlast, bus.rresp),
    )
    assert broke == [1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("drained", [False, True])
def test_whatever_a_slave_does_writes_keep_the_rules(seed, drained):
    """Responses to what was not written yet, or has no address yet: what is offered stays."""
    rng = random.Random(seed)
    dma = DmaWrite(BEAT, BURST)
    rig = Drained(dma, DrainWrite(BEAT, BURST), StripedWrite(BEAT, 1))
    bus, broke, lengths, sent = rig.bus, [], [], []

    async def put(ctx):
        many = [{"addr": 8 * rng.randrange(99), "runs": 2, "run_beats": rng.randint(1, 9)} for _ in range(99)]
        await stream_put(ctx, dma.request, many)

    async def data(ctx):
        await stream_put(ctx, dma.data, range(999))

    async def count(ctx):
        beats = 0
        async for _clk, _rst, asked, length, moved, last in ctx.tick().sample(
            bus.awvalid & bus.awready, bus.awlen, bus.wvalid & bus.wready, bus.wlast
        ):
            if asked:
                lengths.append(length + 1)
            if moved:
                beats += 1
            if moved and last:
                sent.append(beats)
                beats = 0

    async def bench(ctx):
        await ctx.tick().repeat(300)
        broke.append(ctx.get(rig.seen))
        ctx.set(rig.draining, drained)
        await ctx.tick().repeat(200)

    simulate(
        rig.module,
        bench,
        put,
        data,
        count,
        lambda ctx: stays(ctx, bus.awvalid, bus.awready, bus.awaddr, bus.awlen),
        lambda ctx: stays(ctx, bus.wvalid, bus.wready, bus.wdata, bus.wstrb, bus.wlast),
        lambda ctx: anything(ctx, rng, rng.choice((0.05, 0.3)), bus.awready),
        lambda ctx: anything(ctx, rng, 0.6, bus.wready),
        lambda ctx: anything(ctx, rng, 0.2, bus.bvalid, bus.bresp),
    )
    assert broke == [1]
    both = min(len(lengths), len(sent))
    assert both and lengths[:both] == sent[:both] and abs(len(lengths) - len(sent)) <= AW_AHEAD
