# amaranth: UnusedElaboratable=no
"""LoadWeights: every word in its slot, ZSB lanes, tile padding, tokens, rates and exact cycles, errors."""

import random

import pytest

from rtl.load_weights import LoadWeights
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_put, token_feed

DB, PB, ZSB, TABLE = 0, 1, 2, 3
# kp, cp, beat_bytes, max_burst; tiles end in padding from the third on.
SHAPES = [
    (4, 3, 4, 16), (16, 9, 16, 64), (3, 1, 4, 4), (2, 3, 16, 16), (1, 1, 8, 2), (4, 1, 32, 8), (4, 2, 32, 8),
]  # fmt: skip


def fill(rng, shape, size, memory, runs, per_run, **more):
    """A LOAD_WGT of ``runs`` runs of ``per_run`` tiles or entries somewhere in DRAM."""
    kp, cp, beat_bytes, _ = shape
    if memory == TABLE:
        runs, per_run, more = 1, 1, more | {"slot": rng.randint(0, 1)}
    one = {ZSB: 8 * kp, TABLE: 256}.get(memory, 9 * kp * cp)
    beats = -(-one // beat_bytes) * per_run
    stride = beat_bytes * (beats + rng.choice([0, 0, rng.randint(1, 9)]))
    return {
        "addr": beat_bytes * rng.randrange((size - stride * runs) // beat_bytes),
        "runs": runs, "run_beats": beats, "run_stride": stride,
        "memory": memory, "slot": rng.choice([0, 5, 40]), **more,
    }  # fmt: skip


def expected_writes(dram, shape, c):
    """(memory, address, lane, word) in order. Weights have lane None and address slot * kp + filter."""
    kp, cp, beat_bytes, _ = shape
    to_zsb = c["memory"] >= ZSB
    word_bytes = 8 if to_zsb else 9 * cp
    one = -(-word_bytes * kp // beat_bytes) * beat_bytes
    slot = c["slot"]
    if c["memory"] == TABLE:
        for n in range(32):
            yield TABLE, 32 * slot + n, None, int.from_bytes(dram.data[c["addr"] + 8 * n :][:8], "little")
        return
    for run in range(c["runs"]):
        start = c["addr"] + run * c["run_stride"]
        for place in range(start, start + c["run_beats"] * beat_bytes, one):
            for k in range(kp):
                word = dram.data[place + k * word_bytes : place + (k + 1) * word_bytes]
                value = int.from_bytes(word, "little")
                yield (ZSB, slot, k, value) if to_zsb else (c["memory"], slot * kp + k, None, value)
            slot += 1


def load(shape, memory, commands, rng, stall=0.0, token_stall=0.0):
    """Run ``commands``: writes as (cycle, memory, address, lane, word), the events, the tokens' cycles."""
    kp, cp, beat_bytes, max_burst = shape
    sizes = {"weight_words": kp << 16, "zsb_entries": 1024}
    dut = LoadWeights(kp=kp, cp=cp, beat_bytes=beat_bytes, max_burst=max_burst, **sizes)
    writes, taken = [], []
    trace = Trace(
        accept=dut.command.valid & dut.command.ready, give=dut.w_full_release, busy=dut.busy, error=dut.error,
        beats=dut.beats, arvalid=dut.axi.arvalid,
    )  # fmt: skip
    rngs = [random.Random(rng.random()) for _ in range(2)]

    async def bench(ctx):
        await stream_put(ctx, dut.command, commands, rngs[0], stall)
        await ctx.tick().until(~dut.busy)
        await ctx.tick().repeat(3)

    async def ports(ctx):
        cycle = 0
        async for _c, _r, en, to, addr, data, lane, entry, zsb, table, word, eight in ctx.tick().sample(
            dut.weights.en, dut.weights.memory, dut.weights.addr, dut.weights.data,
            dut.zsb.en, dut.zsb.addr, dut.zsb.data, dut.table.en, dut.table.addr, dut.table.data,
        ):  # fmt: skip
            assert bool(en) + bool(lane) + table <= 1 and lane & (lane - 1) == 0
            if en:
                writes.append((cycle, to, addr, None, data))
            if lane:
                writes.append((cycle, ZSB, entry, lane.bit_length() - 1, zsb))
            if table:
                writes.append((cycle, TABLE, word, None, eight))
            cycle += 1

    async def w_free(ctx):
        wanted = sum(c.get("wait_free", 0) for c in commands)
        taken.extend(await token_feed(ctx, dut.w_free, wanted, rngs[1], token_stall))

    simulate(dut, bench, ports, w_free, trace, lambda ctx: memory.read(ctx, dut.axi), cycles=100_000)
    return writes, trace, taken


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stall", [0.0, 0.35])
def test_random_commands(shape, stall):
    kp, cp, beat_bytes, max_burst = shape
    seed = 1000 * kp + 10 * cp + beat_bytes
    print("seed", seed)
    rng = random.Random(seed)
    size = 1 << 16
    memory = AxiMemory(
        size, beat_bytes, max_burst, seed=seed, latency=rng.randint(1, 20), stall=stall, max_outstanding=8
    )
    commands = []
    for i in range(12):
        tokens = {name: rng.randint(0, 1) for name in ("wait_free", "signal_full")}
        commands.append(fill(rng, shape, size, i % 4, rng.randint(1, 3), rng.randint(1, 3), **tokens))
    writes, trace, taken = load(shape, memory, commands, rng, stall, stall and 0.8)

    assert len(trace["accept"]) == len(commands)
    ends = [*trace["accept"][1:], writes[-1][0] + 1]
    gives = []
    for command, start, end in zip(commands, trace["accept"], ends, strict=True):
        mine = [w[1:] for w in writes if start < w[0] < end]
        assert mine == list(expected_writes(memory, shape, command))
        last = max(w[0] for w in writes if w[0] < end)
        gives += [last + 1] if command["signal_full"] else []
        assert (start in taken) == bool(command["wait_free"])
        assert all(cycle in trace["busy"] for cycle in range(start + 1, last + 1))
    assert trace["give"] == gives
    assert len(trace["beats"]) == sum(c["runs"] * c["run_beats"] for c in commands)
    assert trace["error"] == []


@pytest.mark.parametrize("latency", [1, 25])
@pytest.mark.parametrize("shape", SHAPES)
def test_exact_cycles_of_tiles(shape, latency):
    """AR at +1, first beat L later, then a beat a cycle, the last word one later; or a word a cycle."""
    kp, cp, beat_bytes, max_burst = shape
    memory = AxiMemory(1 << 15, beat_bytes, max_burst, latency=latency, max_outstanding=1000)
    rng = random.Random(1)
    command = fill(rng, shape, 1 << 15, PB, 3, 2, signal_full=1)
    writes, trace, _ = load(shape, memory, [command, command], rng)
    words, beats = 3 * 2 * kp, 3 * command["run_beats"]
    for i, start in enumerate(trace["accept"]):
        first = start + 1 + latency
        mine = [w[0] for w in writes[i * words : (i + 1) * words]]
        if 9 * cp >= beat_bytes:
            assert trace["beats"][i * beats : (i + 1) * beats] == list(range(first, first + beats))
            assert mine[-1] == first + beats
        else:
            assert mine == list(range(first + 1, first + 1 + words))
        assert trace["give"][i] == mine[-1] + 1
    assert trace["accept"][1] == trace["give"][0]
    assert trace["arvalid"][0] == trace["accept"][0] + 1


@pytest.mark.parametrize("shape", [(4, 3, 4, 16), (3, 1, 8, 4), (16, 9, 16, 64)])
def test_exact_cycles_of_entries(shape):
    """8 bytes a cycle, or a beat a cycle if that is less."""
    kp, _, beat_bytes, max_burst = shape
    memory = AxiMemory(1 << 14, beat_bytes, max_burst, latency=6, max_outstanding=1000)
    rng = random.Random(2)
    command = fill(rng, shape, 1 << 14, ZSB, 1, 5, signal_full=1)
    writes, trace, _ = load(shape, memory, [command], rng)
    first = trace["accept"][0] + 1 + 6  # cycle of the first beat
    step = max(1, 8 // beat_bytes)
    assert [w[0] for w in writes] == list(range(first + step, first + step + 5 * kp * step, step))
    assert trace["give"] == [writes[-1][0] + 1]


def test_waits_for_its_token():
    dut = LoadWeights(kp=4, cp=3, beat_bytes=4, max_burst=16, weight_words=64, zsb_entries=8)

    async def bench(ctx):
        ctx.set(dut.command.payload, {"wait_free": 1, "runs": 1, "run_beats": 27})
        ctx.set(dut.command.valid, 1)
        for _ in range(4):
            assert not ctx.get(dut.command.ready) and not ctx.get(dut.w_free.acquire)
            await ctx.tick()
            assert not ctx.get(dut.axi.arvalid) and not ctx.get(dut.busy)
        ctx.set(dut.w_free.ready, 1)
        assert ctx.get(dut.command.ready) and ctx.get(dut.w_free.acquire)
        await ctx.tick()
        assert ctx.get(dut.axi.arvalid) and ctx.get(dut.busy) and not ctx.get(dut.w_free.acquire)

    simulate(dut, bench)


def test_highest_slot():
    """Slot 65535 of KP = 63 keeps all of its address bits."""
    shape = (63, 1, 8, 16)
    memory = AxiMemory(1 << 12, 8, 16)
    command = fill(random.Random(0), shape, 1 << 12, PB, 1, 1) | {"slot": 65535}
    writes, _, _ = load(shape, memory, [command], random.Random(0))
    assert [w[2] for w in writes] == [65535 * 63 + k for k in range(63)]


def test_the_last_entry_and_the_last_table():
    shape = (63, 1, 8, 16)
    memory = AxiMemory(1 << 12, 8, 16)
    for command in (
        fill(random.Random(0), shape, 1 << 12, ZSB, 1, 1) | {"slot": 1023},
        fill(random.Random(0), shape, 1 << 12, TABLE, 1, 1) | {"slot": 1},
    ):
        writes, _, _ = load(shape, memory, [command], random.Random(0))
        assert [w[1:] for w in writes] == list(expected_writes(memory, shape, command))


def test_error_beats_do_not_hang():
    rng = random.Random(4)
    shape = (4, 3, 4, 16)
    memory = AxiMemory(1 << 14, 4, 16, stall=0.2)
    command = fill(rng, shape, 1 << 14, DB, 2, 1, signal_full=1)
    memory.bad = {command["addr"], command["addr"] + 8, command["addr"] + command["run_stride"]}
    writes, trace, _ = load(shape, memory, [command], rng)
    assert [w[1:] for w in writes] == list(expected_writes(memory, shape, command))
    assert len(trace["error"]) == 3 and len(trace["give"]) == 1


@pytest.mark.parametrize(
    "change", [{"run_beats": 5}, {"run_beats": 29}, {"memory": 3, "runs": 1, "run_beats": 7}, {"runs": 0}]
)
def test_broken_command_ends(change):
    """A run that is no whole number of tiles makes nonsense, but ends, and the next command is right."""
    rng = random.Random(6)
    shape = (2, 3, 4, 16)
    memory = AxiMemory(1 << 14, 4, 16)
    broken = fill(rng, shape, 1 << 13, DB, 2, 1, signal_full=1) | change
    good = fill(rng, shape, 1 << 13, ZSB if "memory" in change else DB, 2, 1, signal_full=1)
    writes, trace, _ = load(shape, memory, [broken, good], rng)
    assert len(trace["give"]) == 2
    mine = [w[1:] for w in writes if w[0] > trace["accept"][1]]
    assert mine == list(expected_writes(memory, shape, good))


@pytest.mark.parametrize(
    "change, message",
    [({"kp": 64}, "kp is 64"), ({"cp": 0}, "cp is 0"), ({"kp": 3, "beat_bytes": 16}, "kp is 3; 8 \\* kp")],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        LoadWeights(
            **{"kp": 4, "cp": 3, "beat_bytes": 4, "max_burst": 16, "weight_words": 64, "zsb_entries": 8, **change}
        )
