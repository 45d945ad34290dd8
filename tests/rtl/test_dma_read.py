# amaranth: UnusedElaboratable=no
"""DmaRead against a memory that checks every burst: data, boundaries, back-pressure, errors, exact cycles."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.dma_read import DmaRead
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_get, stream_put

SHAPES = [(4, 16), (16, 64), (4, 2), (32, 4), (128, 32), (16, 256)]


def expected_beats(memory, request):
    """The beats of a request, straight from its meaning."""
    for run in range(request["runs"]):
        for i in range(request["run_beats"]):
            yield memory.beat(request["addr"] + run * request["run_stride"] + i * memory.beat_bytes)


def read_all(requests, memory, rng, stall_in=0.0, stall_out=0.0):
    """Read ``requests``; the beats, and the cycles of ``request`` (accepted) and the other pulses."""
    dut = DmaRead(memory.beat_bytes, memory.max_burst)
    wanted = sum(r["runs"] * r["run_beats"] for r in requests)
    got = []
    put_rng, get_rng = random.Random(rng.random()), random.Random(rng.random())
    trace = Trace(request=dut.request.valid & dut.request.ready, busy=dut.busy, beats=dut.beats, error=dut.error)

    async def bench(ctx):
        await stream_put(ctx, dut.request, requests, put_rng, stall_in)
        await ctx.tick().until(~dut.busy)

    async def get(ctx):
        got.extend(await stream_get(ctx, dut.data, wanted, get_rng, stall_out))

    async def last(ctx):
        """What it expects of RLAST is what a memory says."""
        while True:
            _clk, _rst, beat, last, rlast = await ctx.tick().sample(dut.beats, dut.last, dut.axi.rlast)
            assert not beat or last == rlast

    simulate(dut, bench, get, last, trace, lambda ctx: memory.read(ctx, dut.axi))
    return got, trace


@pytest.mark.parametrize("beat_bytes, max_burst", SHAPES)
@pytest.mark.parametrize("stall", [0.0, 0.35])
def test_random_requests(beat_bytes, max_burst, stall):
    seed = beat_bytes * 1000 + max_burst
    print("seed", seed)
    rng = random.Random(seed)
    size = 1 << 17
    memory = AxiMemory(
        size, beat_bytes, max_burst, seed=seed, latency=rng.randint(1, 30), stall=stall, max_outstanding=4
    )
    requests = []
    for _ in range(12):
        beats, runs = rng.choice([1, 2, 3, max_burst, rng.randint(1, 40)]), rng.randint(1, 6)
        stride = beat_bytes * (beats + rng.choice([0, 0, 1, rng.randint(0, 50)]))
        addr = beat_bytes * rng.randrange((size - stride * runs) // beat_bytes)
        requests.append({"addr": addr, "runs": runs, "run_beats": beats, "run_stride": stride})
    got, times = read_all(requests, memory, rng, stall, stall)
    expected = [beat for request in requests for beat in expected_beats(memory, request)]
    assert got == expected
    assert len(times["beats"]) == len(expected) and times["error"] == []
    # Accepted bursts are maximal: as many as blocks of max_burst beats that each run touches.
    block = beat_bytes * max_burst
    bursts = 0
    for r in requests:
        for run in range(r["runs"]):
            first = r["addr"] + run * r["run_stride"]
            bursts += (first + r["run_beats"] * beat_bytes - 1) // block - first // block + 1
    assert len(memory.reads.bursts) == bursts


@given(
    shape=st.sampled_from(SHAPES),
    addr=st.integers(0, 2**32 - 1),
    run_beats=st.integers(1, 150),
    runs=st.integers(1, 3),
    run_stride=st.integers(0, 2**28 - 1),
)
@settings(max_examples=25, deadline=None)
def test_no_burst_crosses_4_kib_whatever_the_request(shape, addr, run_beats, runs, run_stride):
    """Not even of addresses and strides that are not whole beats; and every burst begins on a beat."""
    dut = DmaRead(*shape)
    bursts = []

    async def bench(ctx):
        ctx.set(dut.axi.arready, 1)
        ctx.set(dut.request.valid, 1)
        request = {"addr": addr, "runs": runs, "run_beats": run_beats, "run_stride": run_stride}
        ctx.set(dut.request.payload, request)
        await ctx.tick()
        ctx.set(dut.request.valid, 0)
        while ctx.get(dut.axi.arvalid):
            bursts.append((ctx.get(dut.axi.araddr), ctx.get(dut.axi.arlen) + 1))
            await ctx.tick()

    simulate(dut, bench)
    assert sum(beats for _, beats in bursts) == runs * run_beats
    for address, beats in bursts:
        assert address % shape[0] == 0 and beats <= shape[1]
        assert address // 4096 == (address + beats * shape[0] - 1) // 4096


def test_bursts_by_hand():
    """Two runs of 21 beats of 4 bytes from beat 14 of a block of 16, then 2 blocks on: 2 + 16 + 3, twice."""
    memory = AxiMemory(4096, 4, 16, latency=3)
    request = {"addr": 1024 + 56, "runs": 2, "run_beats": 21, "run_stride": 128}
    read_all([request], memory, random.Random(0))
    assert [(b.address, b.beats) for b in memory.reads.bursts] == [
        (1080, 2), (1088, 16), (1152, 3), (1208, 2), (1216, 16), (1280, 3),
    ]  # fmt: skip


def test_top_of_the_address_space():
    """Beats of the last block and a long stride: no address bit is lost."""
    dut = DmaRead(16, 4)
    seen = []

    async def bench(ctx):
        request = {"addr": 0xF000_0030, "runs": 2, "run_beats": 2, "run_stride": 0x0FFF_FFC0}
        ctx.set(dut.axi.arready, 1)
        await stream_put(ctx, dut.request, [request])
        for _ in range(4):
            assert ctx.get(dut.axi.arvalid)
            seen.append((ctx.get(dut.axi.araddr), ctx.get(dut.axi.arlen)))
            await ctx.tick()
        assert not ctx.get(dut.axi.arvalid)

    simulate(dut, bench)
    assert seen == [(0xF000_0030, 0), (0xF000_0040, 0), (0xFFFF_FFF0, 0), (0x0000_0000, 0)]


@pytest.mark.parametrize("latency", [1, 7, 40])
def test_exact_cycles(latency):
    """Address one cycle after the request, one address a cycle, one beat a cycle across one-beat runs."""
    memory = AxiMemory(1 << 14, 4, 16, latency=latency, max_outstanding=1000)
    requests = [{"addr": 256, "runs": 50, "run_beats": 1, "run_stride": 64}] * 2
    _, times = read_all(requests, memory, random.Random(0))
    log = memory.reads
    start = times["request"][0]
    assert [b.cycle for b in log.bursts[:50]] == list(range(start + 1, start + 51))
    assert log.beats[:50] == list(range(log.bursts[0].cycle + latency, log.bursts[0].cycle + latency + 50))
    assert times["request"][1] == log.beats[49] + 1
    assert times["busy"][-1] == log.beats[-1]
    assert len(times["busy"]) == 2 * (latency + 50)


def test_addresses_do_not_wait_for_data():
    memory = AxiMemory(1 << 14, 4, 4, latency=200, max_outstanding=100)
    read_all([{"addr": 0, "runs": 1, "run_beats": 200, "run_stride": 0}], memory, random.Random(0))
    assert memory.reads.outstanding == 50


@pytest.mark.parametrize("shape", [{"runs": 0, "run_beats": 5}, {"runs": 3, "run_beats": 0}])
def test_nothing_to_read(shape):
    """An empty request ends at once and leaves the next one alone."""
    memory = AxiMemory(4096, 4, 16)
    requests = [{"addr": 64, "run_stride": 64}, {"addr": 128, "runs": 1, "run_beats": 2, "run_stride": 0}]
    requests[0] |= shape
    got, times = read_all(requests, memory, random.Random(0))
    assert got == [memory.beat(128), memory.beat(132)]
    assert times["request"] == [0, 1]


def test_beats_nobody_asked_for_stay_outside():
    """While idle no beat is taken, delivered or counted."""
    dut = DmaRead(4, 16)

    async def bench(ctx):
        ctx.set(dut.axi.rvalid, 1)
        ctx.set(dut.axi.rresp, 2)
        ctx.set(dut.data.ready, 1)
        for _ in range(3):
            assert not ctx.get(dut.axi.rready) and not ctx.get(dut.data.valid)
            assert not ctx.get(dut.beats) and not ctx.get(dut.error)
            await ctx.tick()

    simulate(dut, bench)


def test_error_beats_are_delivered_and_reported():
    memory = AxiMemory(4096, 4, 16, stall=0.2)
    memory.bad = {136, 140, 168}
    request = {"addr": 128, "runs": 1, "run_beats": 20, "run_stride": 0}
    got, times = read_all([request], memory, random.Random(1), 0.2, 0.7)
    assert got == list(expected_beats(memory, request))
    assert len(times["error"]) == 3


@pytest.mark.parametrize(
    "beat_bytes, max_burst, message",
    [(3, 16, "beat_bytes is 3"), (4, 512, "is 512"), (4, 1, "max_burst is 1;"), (128, 64, "is 64; with")],
)
def test_refuses(beat_bytes, max_burst, message):
    with pytest.raises(ValueError, match=message):
        DmaRead(beat_bytes, max_burst)


def test_the_greatest_request():
    """As many beats as a field holds, and the last bytes of DRAM: every address of the bursts, without their data."""
    beat, burst = 4, 256
    top, stride = 1 << 32, (1 << 28) - beat
    requests = [
        ({"addr": 0, "runs": 1, "run_beats": (1 << 20) - 1, "run_stride": 0}, [(0, (1 << 20) - 1)]),
        (
            {"addr": top - (1 << 28), "runs": 2, "run_beats": 1, "run_stride": stride},
            [(top - (1 << 28), 1), (top - beat, 1)],
        ),
    ]
    for request, runs in requests:
        dut, left = DmaRead(beat, burst), []

        async def bench(ctx, dut=dut, request=request, runs=runs, left=left):
            await stream_put(ctx, dut.request, [request])
            ctx.set(dut.axi.arready, 1)
            while ctx.get(dut.axi.arvalid):
                left.append((ctx.get(dut.axi.araddr), ctx.get(dut.axi.arlen) + 1))
                await ctx.tick()

        simulate(dut, bench)
        whole = [(first + beat * at, min(burst, beats - at)) for first, beats in runs for at in range(0, beats, burst)]
        assert left == whole
