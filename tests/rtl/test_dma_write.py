"""DmaWrite against a memory with stalls on every channel, and its cycle costs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.dma_write import DmaWrite
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_put

SIZE = 1 << 15


async def write(ctx, dut, request, beats, rng, stall):
    """One request and its beats, up to the end of busy; the cycles from acceptance to that."""
    ctx.set(dut.request.payload, request)
    ctx.set(dut.request.valid, 1)
    await ctx.tick().until(dut.request.ready)
    ctx.set(dut.request.valid, 0)
    await stream_put(ctx, dut.data, beats, rng, stall)
    while ctx.get(dut.busy):
        await ctx.tick()


@pytest.mark.parametrize("seed", range(12))
def test_random_runs_land_where_they_should(seed):
    rng = random.Random(seed)
    size = rng.choice([4, 8, 16, 64])
    burst = rng.choice([2, 4, 16])
    stall = rng.choice([0.0, 0.3, 0.7])
    print(f"seed {seed}, beats of {size}, bursts of {burst}, stall {stall}")
    dut = DmaWrite(beat_bytes=size, max_burst=burst)
    latency, outstanding = rng.choice([1, 5, 40]), rng.choice([1, 4, 99])
    memory = AxiMemory(SIZE, size, burst, seed=seed, latency=latency, stall=stall, max_outstanding=outstanding)
    expected = bytearray(memory.data)
    moved = 0

    async def bench(ctx):
        nonlocal moved
        for _ in range(6):
            runs = rng.randint(1, 5)
            run_beats = rng.choice([1, 2, rng.randint(1, 3 * burst)])
            stride = run_beats + rng.randint(0, 7)
            addr = rng.randrange(0, SIZE // size - runs * stride)
            data = [rng.randbytes(size) for _ in range(runs * run_beats)]
            for i, beat in enumerate(data):
                at = size * (addr + i // run_beats * stride + i % run_beats)
                expected[at : at + size] = beat
            request = {"addr": addr * size, "runs": runs, "run_beats": run_beats, "run_stride": stride * size}
            await write(ctx, dut, request, [int.from_bytes(beat, "little") for beat in data], rng, stall)
            assert memory.data == expected  # `busy` ends when everything is in memory
            moved += len(data)

    trace = Trace(beats=dut.beats, error=dut.error)
    simulate(dut, bench, lambda ctx: memory.write(ctx, dut.axi), trace)
    assert trace["beats"] == memory.writes.beats and len(trace["beats"]) == moved
    assert not trace["error"]
    first = 0
    for offered, sent in zip(memory.writes.offered, memory.writes.bursts, strict=True):
        assert memory.writes.beats[first] >= offered, "a beat before the address of its burst"
        first += sent.beats


@given(
    shape=st.sampled_from([(4, 16), (16, 64), (4, 2), (32, 4), (128, 32), (16, 256)]),
    addr=st.integers(0, 2**32 - 1),
    run_beats=st.integers(1, 150),
    runs=st.integers(1, 3),
    run_stride=st.integers(0, 2**28 - 1),
)
@settings(max_examples=25, deadline=None)
def test_no_burst_crosses_4_kib_whatever_the_request(shape, addr, run_beats, runs, run_stride):
    """Not even of addresses and strides that are not whole beats; wlast comes with each burst's last beat."""
    dut = DmaWrite(*shape)
    axi = dut.axi
    bursts, lasts = [], []

    async def bench(ctx):
        for name in ("awready", "wready"):
            ctx.set(getattr(axi, name), 1)
        ctx.set(dut.data.valid, 1)
        ctx.set(dut.request.valid, 1)
        request = {"addr": addr, "runs": runs, "run_beats": run_beats, "run_stride": run_stride}
        ctx.set(dut.request.payload, request)
        await ctx.tick()
        ctx.set(dut.request.valid, 0)
        while len(lasts) < runs * run_beats:
            if ctx.get(axi.awvalid):
                bursts.append((ctx.get(axi.awaddr), ctx.get(axi.awlen) + 1))
            if ctx.get(axi.wvalid):
                lasts.append(ctx.get(axi.wlast))
            await ctx.tick()

    simulate(dut, bench)
    assert lasts == [i == beats - 1 for _, beats in bursts for i in range(beats)]
    for address, beats in bursts:
        assert address % shape[0] == 0 and beats <= shape[1]
        assert address // 4096 == (address + beats * shape[0] - 1) // 4096


def test_addresses_lead_by_eight_bursts():
    """Without data eight bursts are announced, no more; the rest follows with the data."""
    dut = DmaWrite(beat_bytes=4, max_burst=2)
    memory = AxiMemory(SIZE, 4, 2, max_outstanding=999)

    async def bench(ctx):
        ctx.set(dut.request.payload, {"addr": 0, "runs": 1, "run_beats": 24, "run_stride": 0})
        ctx.set(dut.request.valid, 1)
        await ctx.tick()
        ctx.set(dut.request.valid, 0)
        await ctx.tick().repeat(30)
        assert len(memory.writes.bursts) == 8
        await stream_put(ctx, dut.data, range(24))
        await ctx.tick().until(~dut.busy)

    simulate(dut, bench, lambda ctx: memory.write(ctx, dut.axi))
    assert len(memory.writes.bursts) == 12
    assert memory.data[:96] == b"".join(i.to_bytes(4, "little") for i in range(24))


def test_bursts_by_hand():
    """Blocks of 4 beats of 4 bytes: a run of 6 beats at beat 3 is 1 + 4 + 1, at beat 16 it is 4 + 2."""
    dut = DmaWrite(beat_bytes=4, max_burst=4)
    memory = AxiMemory(SIZE, 4, 4)

    async def bench(ctx):
        request = {"addr": 12, "runs": 2, "run_beats": 6, "run_stride": 52}
        await write(ctx, dut, request, range(12), random.Random(0), 0.0)

    simulate(dut, bench, lambda ctx: memory.write(ctx, dut.axi))
    bursts = [(burst.address, burst.beats) for burst in memory.writes.bursts]
    assert bursts == [(12, 1), (16, 4), (32, 1), (64, 4), (80, 2)]
    assert memory.data[12:36] == b"".join(i.to_bytes(4, "little") for i in range(6))


def test_nothing_to_write():
    dut = DmaWrite(beat_bytes=4, max_burst=4)

    async def bench(ctx):
        for runs, run_beats in ((0, 5), (5, 0)):
            request = {"addr": 0, "runs": runs, "run_beats": run_beats, "run_stride": 64}
            await write(ctx, dut, request, [], random.Random(0), 0.0)
            for _ in range(5):
                _, _, busy, aw, w = await ctx.tick().sample(dut.busy, dut.axi.awvalid, dut.axi.wvalid)
                assert not (busy or aw or w)

    simulate(dut, bench)


def test_error_pulses_with_the_bad_response():
    dut = DmaWrite(beat_bytes=4, max_burst=4)
    memory = AxiMemory(SIZE, 4, 4)
    memory.bad.add(20)
    trace = Trace(error=dut.error)

    async def bench(ctx):
        request = {"addr": 0, "runs": 1, "run_beats": 12, "run_stride": 0}
        await write(ctx, dut, request, range(12), random.Random(0), 0.0)

    simulate(dut, bench, lambda ctx: memory.write(ctx, dut.axi), trace)
    assert trace["error"] == [memory.writes.acknowledged[1]]


@pytest.mark.parametrize("latency", [1, 20])
def test_cycles(latency):
    """The costs that the docstring promises: AW in t + 1, a beat and an AW a cycle, busy to the last B."""
    dut = DmaWrite(beat_bytes=4, max_burst=2)
    memory = AxiMemory(SIZE, 4, 2, latency=latency, max_outstanding=999)
    trace = Trace(accepted=dut.request.valid & dut.request.ready, busy=dut.busy)

    async def bench(ctx):
        await ctx.tick().repeat(3)
        request = {"addr": 0, "runs": 10, "run_beats": 1, "run_stride": 12}
        await write(ctx, dut, request, range(10), random.Random(0), 0.0)

    simulate(dut, bench, lambda ctx: memory.write(ctx, dut.axi), trace)
    (t,) = trace["accepted"]
    assert [b.cycle for b in memory.writes.bursts] == list(range(t + 1, t + 11))
    assert memory.writes.beats == list(range(t + 1, t + 11))
    assert memory.writes.acknowledged == list(range(t + 1 + latency, t + 11 + latency))
    assert trace["busy"] == list(range(t + 1, t + 11 + latency))


@pytest.mark.parametrize(("beat_bytes", "max_burst", "said"), [(5, 4, "beat_bytes is 5"), (4, 3, "max_burst is 3")])
def test_wrong_parameters(beat_bytes, max_burst, said):
    with pytest.raises(ValueError, match=said):
        DmaWrite(beat_bytes=beat_bytes, max_burst=max_burst)
