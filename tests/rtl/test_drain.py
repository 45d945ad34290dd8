"""The gates: wires in normal times; from a random moment on all that is under way ends properly, and nothing begins."""

from __future__ import annotations

import random

import pytest
from amaranth import Module
from amaranth.lib.wiring import connect

from rtl.dma_read import DmaRead
from rtl.dma_write import DmaWrite
from rtl.drain import DrainRead, DrainWrite
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import simulate
from tests.rtl.streams import stream_put

BEAT, BURST, SIZE = 8, 4, 1 << 14


def behind(dma, gate):
    m = Module()
    m.submodules.dma, m.submodules.gate = dma, gate
    connect(m, dma.axi, gate.unit)
    return m


async def quiet(ctx, gate, after):
    """Drain from ``after`` cycles on; quiet within a bound that the slowest memory here allows, and it stays."""
    await ctx.tick().repeat(after)
    ctx.set(gate.draining, 1)
    for _ in range(1500):
        await ctx.tick()
        if ctx.get(gate.quiet):
            break
    for _ in range(20):
        assert ctx.get(gate.quiet)
        await ctx.tick()


@pytest.mark.parametrize("seed", range(20))
def test_reads_are_taken_and_thrown_away(seed):
    rng = random.Random(seed)
    latency, stall, after = rng.choice([1, 5, 30]), rng.choice([0.0, 0.3, 0.7]), rng.randint(1, 120)
    print(f"seed {seed}: latency {latency}, stall {stall}, drained after {after}")
    memory = AxiMemory(SIZE, BEAT, BURST, seed=seed, latency=latency, stall=stall)
    dma, gate = DmaRead(BEAT, BURST), DrainRead(BEAT)
    seen = []

    async def take(ctx):
        ctx.set(dma.data.ready, 1)
        while True:
            _clk, _rst, valid, draining = await ctx.tick().sample(dma.data.valid, gate.draining)
            if valid:
                seen.append(draining)

    async def bench(ctx):
        request = {"addr": 8 * rng.randint(0, 50), "runs": 3, "run_beats": 40, "run_stride": 8 * 64}
        await stream_put(ctx, dma.request, [request])
        await quiet(ctx, gate, after)
        assert len(memory.reads.beats) == sum(burst.beats for burst in memory.reads.bursts)

    simulate(behind(dma, gate), bench, take, lambda ctx: memory.read(ctx, gate.bus))
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
    dma, gate = DmaWrite(BEAT, BURST), DrainWrite(BEAT, BURST)
    beats = [rng.getrandbits(64) for _ in range(120)]
    start = 8 * rng.randint(0, 50)
    sent = []

    async def count(ctx):
        bus = gate.bus
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
        await quiet(ctx, gate, after)
        assert len(memory.writes.beats) == sum(burst.beats for burst in memory.writes.bursts)
        assert len(memory.writes.acknowledged) == len(memory.writes.bursts)

    simulate(behind(dma, gate), bench, put, count, lambda ctx: memory.write(ctx, gate.bus))
    real = sum(sent)
    assert sent == [True] * real + [False] * (len(sent) - real)
    written = b"".join(beat.to_bytes(8, "little") for beat in beats[:real])
    assert memory.data == before[:start] + written + before[start + len(written) :]


def test_a_gate_at_rest_is_quiet_at_once():
    gate = DrainWrite(BEAT, BURST)

    async def bench(ctx):
        assert ctx.get(gate.quiet)
        ctx.set(gate.draining, 1)
        ctx.set(gate.unit.awvalid, 1)
        await ctx.tick()
        assert ctx.get(gate.quiet) and not ctx.get(gate.bus.awvalid) and not ctx.get(gate.bus.wvalid)

    simulate(gate, bench)
