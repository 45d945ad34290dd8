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
    m.d.comb += dut.last.eq(dma.last)
    trace = Trace(beats=dma.beats, error=dma.error, broke=dut.broke)

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
    assert not trace["error"] and not trace["broke"]
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
        assert not ctx.get(dut.owed)

    backs = [lambda ctx, s=s, p=p: s.write(ctx, p) for s, p in zip(stores, dut.ports, strict=True)]
    trace = Trace(broke=dut.broke)
    simulate(m, bench, trace, *backs)
    assert not trace["broke"]
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


async def clock(ctx, dut, **values):
    """One cycle with these inputs, all others of the ports 0; (broke, owed) as they were seen."""
    for port in dut.ports:
        for name in ("arready", "rvalid", "rlast", "rresp", "awready", "wready", "bvalid", "bresp"):
            if hasattr(port, name):
                ctx.set(getattr(port, name), 0)
    for name, value in values.items():
        member, _, port = name.partition("_")
        targets = dut.ports if not port else [dut.wide if port == "wide" else dut.ports[int(port)]]
        for target in targets:
            ctx.set(getattr(target, member), value)
    _clk, _rst, broke, owed = await ctx.tick().sample(dut.broke, dut.owed)
    return broke, owed


BURST_OF_TWO = {"arready": 1, "arvalid_wide": 1, "arlen_wide": 1}
BEAT = {"rvalid": 1, "rready_wide": 1, "arvalid_wide": 0}


@pytest.mark.parametrize(
    ("name", "steps", "broke"),
    [
        # (inputs, what is expected of RLAST) cycle by cycle, and the ports that broke a rule in the last one
        ("legal", [(BURST_OF_TWO, 0), (BEAT, 0), (BEAT | {"rlast": 1}, 1)], 0b00),
        ("the first beat together with its address", [(BURST_OF_TWO | {"rvalid": 1, "rready_wide": 1}, 0)], 0b00),
        ("a beat waits", [(BURST_OF_TWO, 0), ({"rvalid_1": 1, "arvalid_wide": 0}, 0)], 0b00),
        ("RLAST early", [(BURST_OF_TWO, 0), (BEAT | {"rlast_1": 1}, 0)], 0b10),
        ("RLAST missing", [(BURST_OF_TWO, 0), (BEAT, 0), (BEAT | {"rlast_0": 1}, 1)], 0b10),
        ("EXOKAY", [(BURST_OF_TWO, 0), (BEAT | {"rresp_0": 1}, 0)], 0b01),
        ("SLVERR", [(BURST_OF_TWO, 0), (BEAT | {"rresp_0": 2}, 0)], 0b00),
        ("nobody asked", [({"rvalid_0": 1}, 0)], 0b01),
        ("asked on the other port", [({"arvalid_wide": 1, "arlen_wide": 1, "arready_1": 1, "rvalid": 1}, 0)], 0b01),
        ("surplus", [(BURST_OF_TWO, 0), (BEAT, 0), (BEAT | {"rlast": 1}, 1), ({"rvalid_1": 1}, 0)], 0b10),
    ],
)
def test_what_a_slave_may_not_do_when_it_reads(name, steps, broke):
    dut = StripedRead(8, 2)
    seen = []

    async def bench(ctx):
        for values, last in steps:
            ctx.set(dut.last, last)
            seen.append((await clock(ctx, dut, **values))[0])

    simulate(dut, bench)
    assert seen == [0] * (len(steps) - 1) + [broke]


AW = {"awvalid_wide": 1, "awready": 1, "wvalid_wide": 0}
W_LAST = {"awvalid_wide": 0, "wvalid_wide": 1, "wlast_wide": 1, "wready": 1}
B = {"bvalid": 1, "bready_wide": 1, "awvalid_wide": 0, "wvalid_wide": 0}


@pytest.mark.parametrize(
    ("name", "steps", "broke"),
    [
        ("legal", [AW, W_LAST, B], 0b00),
        ("data before its address", [W_LAST, AW, B], 0b00),
        ("with the last beat", [AW, W_LAST | {"bvalid": 1, "bready_wide": 1}], 0b00),
        ("with the address", [W_LAST, AW | {"bvalid": 1, "bready_wide": 1}], 0b00),
        ("with both", [W_LAST | AW | {"wvalid_wide": 1, "bvalid": 1, "bready_wide": 1}], 0b00),
        ("a response waits", [AW, W_LAST, B | {"bvalid_0": 0}], 0b00),
        ("before the last beat", [AW, W_LAST | {"wlast_wide": 0, "bvalid_1": 1}], 0b10),
        ("before the address", [W_LAST, B], 0b11),
        ("before the address of one port", [AW | {"awready_1": 0}, W_LAST | {"awvalid_wide": 1}, B], 0b10),
        ("before the second address", [AW, W_LAST, W_LAST, B, B], 0b11),
        ("before the second last beat", [AW, AW, W_LAST, B, B], 0b11),
        ("EXOKAY", [AW, W_LAST, B | {"bresp_1": 1}], 0b10),
        ("SLVERR", [AW, W_LAST, B | {"bresp_1": 2}], 0b00),
        ("twice", [AW, W_LAST, B, B | {"bvalid_1": 0}], 0b01),
        ("nobody wrote", [{"bvalid": 1}], 0b11),
    ],
)
def test_what_a_slave_may_not_do_when_it_writes(name, steps, broke):
    dut = StripedWrite(8, 2)
    seen = []

    async def bench(ctx):
        for values in steps:
            seen.append((await clock(ctx, dut, **values))[0])

    simulate(dut, bench)
    assert seen == [0] * (len(steps) - 1) + [broke]


def test_while_draining_each_port_gives_back_what_it_owes_by_itself():
    """A beat too many on one port and beats late on the other: neither waits for the other, none is an error."""
    dut = StripedRead(8, 2)

    async def bench(ctx):
        assert await clock(ctx, dut, **BURST_OF_TWO) == (0, 0)
        ctx.set(dut.draining, 1)
        for _ in range(3):
            assert await clock(ctx, dut, arvalid_wide=0, rvalid_0=1) == (0, 1)
        assert await clock(ctx, dut, rvalid_1=1) == (0, 1)
        assert await clock(ctx, dut, rvalid_1=1) == (0, 1)
        assert await clock(ctx, dut) == (0, 0)

    trace = Trace(moved=dut.moved)
    simulate(dut, bench, trace)
    assert trace["moved"] == [0, 1, 2, 4, 5], "a beat that nobody asked for is no progress"


def test_a_port_that_offers_what_nobody_takes_is_not_the_one_that_owes_an_answer():
    dut = StripedRead(8, 2)
    seen = []

    async def bench(ctx):
        for values in (BURST_OF_TWO | {"arready": 0}, BURST_OF_TWO, {"arvalid_wide": 0}, {"rvalid_1": 1}):
            await clock(ctx, dut, **values)
            seen.append(ctx.get(dut.waits))

    simulate(dut, bench)
    assert seen == [0b11, 0b11, 0b11, 0b01]


@pytest.mark.parametrize(("beat", "stripes", "name"), [(8, 3, "stripes is 3"), (4, 2, "beat_bytes is 4")])
@pytest.mark.parametrize("kind", [StripedRead, StripedWrite])
def test_refuses(kind, beat, stripes, name):
    with pytest.raises(ValueError, match=name):
        kind(beat, stripes)
