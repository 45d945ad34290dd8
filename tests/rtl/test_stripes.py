"""Stripes: DmaRead and DmaWrite behind them see one memory; ports stall each in its own time; no cycle is added."""

import random

import pytest
from amaranth import Module
from amaranth.lib.wiring import connect

from rtl.dma_read import DmaRead
from rtl.dma_write import DmaWrite
from rtl.stripes import StripedRead, StripedWrite
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_get, stream_put

SIZE, BURST = 1 << 14, 16


def memories(beat, stripes, seed, stall, latency):
    return [
        AxiMemory(SIZE, beat // stripes, BURST, seed=seed + i, latency=latency, stall=stall, max_outstanding=99)
        for i in range(stripes)
    ]


def wide_beat(stores, bases, beat, address):
    """The beat at a wide address: a part of every memory."""
    part = beat // len(stores)
    at = address // len(stores)
    return b"".join(bytes(s.data[base + at : base + at + part]) for s, base in zip(stores, bases, strict=True))


def requests(rng, beat, count):
    for _ in range(count):
        runs, beats = rng.randint(1, 3), rng.randint(1, 40)
        stride = beat * (beats + rng.randint(0, 5))
        yield {"addr": beat * rng.randrange(64), "runs": runs, "run_beats": beats, "run_stride": stride}


def addresses(request, beat):
    for run in range(request["runs"]):
        for i in range(request["run_beats"]):
            yield request["addr"] + run * request["run_stride"] + i * beat


@pytest.mark.parametrize(("beat", "stripes"), [(4, 1), (8, 2), (32, 2), (16, 4)])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_reads(beat, stripes, stall):
    seed = 10 * beat + stripes
    print("seed", seed)
    rng = random.Random(seed)
    dma, dut = DmaRead(beat, BURST), StripedRead(beat, stripes)
    stores = memories(beat, stripes, seed, stall, latency=rng.randint(1, 9))
    bases = [4096 * rng.randrange(2) for _ in stores]
    wanted = list(requests(rng, beat, 4))
    expected = [wide_beat(stores, bases, beat, at) for request in wanted for at in addresses(request, beat)]
    got = []
    m = Module()
    m.submodules.dma, m.submodules.dut = dma, dut
    connect(m, dma.axi, dut.wide)
    trace = Trace(beats=dma.beats, error=dma.error)

    async def bench(ctx):
        for base, value in zip(dut.base, bases, strict=True):
            ctx.set(base, value)
        for word in await stream_get(ctx, dma.data, len(expected), random.Random(1), stall):
            got.append(word.to_bytes(beat, "little"))

    async def ask(ctx):
        await stream_put(ctx, dma.request, wanted)

    backs = [lambda ctx, s=s, p=p: s.read(ctx, p) for s, p in zip(stores, dut.ports, strict=True)]
    simulate(m, bench, ask, *backs, trace)
    assert got == expected
    assert not trace["error"]
    if not stall:  # a beat every cycle within a request: as one port would be
        ends = [sum(r["runs"] * r["run_beats"] for r in wanted[: i + 1]) for i in range(len(wanted))]
        for first, end in zip([0, *ends], ends, strict=False):
            assert trace["beats"][end - 1] - trace["beats"][first] == end - first - 1


@pytest.mark.parametrize(("beat", "stripes"), [(4, 1), (8, 2), (32, 2), (16, 4)])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_writes(beat, stripes, stall):
    seed = 10 * beat + stripes
    print("seed", seed)
    rng = random.Random(seed)
    dma, dut = DmaWrite(beat, BURST), StripedWrite(beat, stripes)
    stores = memories(beat, stripes, seed, stall, latency=rng.randint(1, 9))
    bases = [4096 * rng.randrange(2) for _ in stores]
    (wanted,) = requests(rng, beat, 1)
    places = list(addresses(wanted, beat))
    words = [rng.getrandbits(8 * beat) for _ in places]
    m = Module()
    m.submodules.dma, m.submodules.dut = dma, dut
    connect(m, dma.axi, dut.wide)

    async def bench(ctx):
        for base, value in zip(dut.base, bases, strict=True):
            ctx.set(base, value)
        await stream_put(ctx, dma.request, [wanted])
        await stream_put(ctx, dma.data, words, random.Random(2), stall)
        await ctx.tick().until(~dma.busy)

    backs = [lambda ctx, s=s, p=p: s.write(ctx, p) for s, p in zip(stores, dut.ports, strict=True)]
    simulate(m, bench, *backs)
    for at, word in zip(places, words, strict=True):
        assert wide_beat(stores, bases, beat, at) == word.to_bytes(beat, "little")


@pytest.mark.parametrize("port", [0, 1])
def test_one_ports_error_is_the_beats(port):
    dma, dut = DmaRead(8, BURST), StripedRead(8, 2)
    stores = memories(8, 2, 5, 0.0, latency=3)
    stores[port].bad = {8}
    m = Module()
    m.submodules.dma, m.submodules.dut = dma, dut
    connect(m, dma.axi, dut.wide)
    trace = Trace(error=dma.error, beats=dma.beats)

    async def bench(ctx):
        await stream_put(ctx, dma.request, [{"addr": 0, "runs": 1, "run_beats": 4, "run_stride": 0}])
        await stream_get(ctx, dma.data, 4)

    simulate(m, bench, *(lambda ctx, s=s, p=p: s.read(ctx, p) for s, p in zip(stores, dut.ports, strict=True)), trace)
    assert trace["error"] == [trace["beats"][2]]


@pytest.mark.parametrize(("beat", "stripes", "name"), [(8, 3, "stripes is 3"), (4, 2, "beat_bytes is 4")])
@pytest.mark.parametrize("kind", [StripedRead, StripedWrite])
def test_refuses(kind, beat, stripes, name):
    with pytest.raises(ValueError, match=name):
        kind(beat, stripes)
