# amaranth: UnusedElaboratable=no
"""LoadAct: every word in its bank and address, tokens, rates and exact cycles, errors and broken commands."""

import random

import pytest

from rtl.load_act import LoadAct
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_put, token_feed

SHAPES = [(3, 4, 16), (9, 16, 64), (1, 8, 4), (9, 4, 16), (5, 32, 16), (4, 4, 2)]  # cp, beat_bytes, max_burst

WIDE = [(9, 32, 32, 2), (9, 32, 64, 4), (3, 4, 16, 4), (3, 16, 16, 2), (1, 4, 8, 4)]  # and pixels


def tile(rng, cp, beat_bytes, size, groups, rows, cols, pointwise, **more):
    """A LOAD_ACT for a tensor somewhere in DRAM, of which the first rows of each group may be skipped."""
    skew = 0 if pointwise else rng.getrandbits(1)
    pitch = -(-cols * cp // beat_bytes) * beat_bytes
    stride = pitch * (rows + rng.choice([0, 0, rng.randint(1, 3)]))
    row_step = cols if pointwise else -(-(cols + 2 * skew) // 3)
    group_step = row_step * rows if pointwise else row_step * -(-rows // 3)
    return {
        "addr": beat_bytes * rng.randrange((size - stride * groups) // beat_bytes),
        "groups": groups, "run_beats": rows * pitch // beat_bytes, "run_stride": stride,
        "rows": rows, "cols": cols, "pad": pitch - cols * cp, "pointwise": pointwise,
        "sb_base": rng.choice([0, 7, 300]), "row_step": row_step, "group_step": group_step, "skew": skew, **more,
    }  # fmt: skip


def image(rng, cp, beat_bytes, size, rows, cols, fold, **more):
    """A LOAD_ACT for a folded image: ``fold`` pixels in a word of cp bytes."""
    words = -(-cols // fold)
    command = tile(rng, cp, beat_bytes, size, 1, rows, words, 0, **more)
    row_step = -(-cols // 3)
    return command | {"cols": cols, "row_step": row_step, "folded": 1, "skew": 0}


def expected_writes(memory, cp, c, fold=1):
    """(bank, address, word) in DRAM order: the formulas of docs/reference/hardware.md, byte by byte."""
    fold = fold if c.get("folded") else 1
    pitch = -(-c["cols"] // fold) * cp + c["pad"]
    for g in range(c["groups"]):
        for y in range(c["rows"]):
            for x in range(c["cols"]):
                if c["pointwise"]:
                    bank, addr = g % 9, g // 9 * c["group_step"] + y * c["row_step"] + x
                else:
                    column = x + g % 3 if c["skew"] else x
                    bank = 3 * (y % 3) + column % 3
                    addr = g * c["group_step"] + y // 3 * c["row_step"] + column // 3
                place = c["addr"] + g * c["run_stride"] + y * pitch + x // fold * cp + x % fold * (cp // fold)
                word = int.from_bytes(memory.data[place : place + cp // fold], "little")
                yield bank, c["sb_base"] + addr, word


def load(cp, memory, commands, rng, stall=0.0, token_stall=0.0, pixels=1, fold=1):
    """Run ``commands``: every SB write as (cycle, bank, addr, word), and a trace of the unit's events."""
    dut = LoadAct(cp=cp, beat_bytes=memory.beat_bytes, max_burst=memory.max_burst, pixels=pixels, fold=fold)
    writes = []
    trace = Trace(
        accept=dut.command.valid & dut.command.ready, give=dut.sb_full_release, loaded=dut.loaded_release,
        busy=dut.busy, error=dut.error, beats=dut.beats, arvalid=dut.axi.arvalid,
    )  # fmt: skip
    rngs = [random.Random(rng.random()) for _ in range(3)]
    taken = {}

    async def bench(ctx):
        await stream_put(ctx, dut.command, commands, rngs[0], stall)
        await ctx.tick().until(~dut.busy)
        await ctx.tick().repeat(3)

    async def banks(ctx):
        cycle = 0
        async for _c, _r, *lanes in ctx.tick().sample(*dut.sb.bank, *dut.sb.addr, *dut.sb.data):
            now = []
            for bank, addr, data in zip(*(lanes[i * pixels : (i + 1) * pixels] for i in range(3)), strict=True):
                if bank:
                    assert bank & (bank - 1) == 0, f"banks {bank:#b}"
                    now.append((cycle, bank.bit_length() - 1, addr, data))
            # Each bank is `pixels` memories by the address's low bits: no two words may want the same one.
            assert len({(bank, addr % pixels) for _, bank, addr, _ in now}) == len(now)
            writes.extend(now)
            cycle += 1

    async def sb_free(ctx):
        wanted = sum(c.get("wait_free", 0) for c in commands)
        taken["free"] = await token_feed(ctx, dut.sb_free, wanted, rngs[1], token_stall)

    async def stored(ctx):
        wanted = sum(c.get("wait_stored", 0) for c in commands)
        taken["stored"] = await token_feed(ctx, dut.stored, wanted, rngs[2], token_stall)

    simulate(dut, bench, banks, sb_free, stored, trace, lambda ctx: memory.read(ctx, dut.axi), cycles=100_000)
    return writes, trace, taken


@pytest.mark.parametrize("cp, beat_bytes, max_burst, pixels", [*((*s, 1) for s in SHAPES), *WIDE])
@pytest.mark.parametrize("stall", [0.0, 0.35])
def test_random_commands(cp, beat_bytes, max_burst, pixels, stall):
    seed = 100 * cp + beat_bytes
    print("seed", seed)
    rng = random.Random(seed)
    size = 1 << 16
    memory = AxiMemory(
        size, beat_bytes, max_burst, seed=seed, latency=rng.randint(1, 20), stall=stall, max_outstanding=8
    )
    commands = []
    for i in range(10):
        pointwise = i % 2
        groups = rng.choice([1, 2, 10, 19]) if pointwise else rng.randint(1, 5)
        rows, cols = rng.choice([(1, 1), (3, 3), (4, 4), (rng.randint(1, 7), rng.randint(1, 10))])
        tokens = {name: rng.randint(0, 1) for name in ("wait_free", "wait_stored", "signal_full", "signal_loaded")}
        commands.append(tile(rng, cp, beat_bytes, size, groups, rows, cols, pointwise, **tokens))
    writes, trace, taken = load(cp, memory, commands, rng, stall, stall and 0.8, pixels)

    assert len(trace["accept"]) == len(commands)
    ends = [*trace["accept"][1:], writes[-1][0] + 1]
    gives, loaded = [], []
    for command, start, end in zip(commands, trace["accept"], ends, strict=True):
        mine = [(bank, addr, data) for cycle, bank, addr, data in writes if start < cycle < end]
        assert mine == list(expected_writes(memory, cp, command))
        last = max(cycle for cycle, *_ in writes if cycle < end)
        gives += [last + 1] if command["signal_full"] else []
        loaded += [last + 1] if command["signal_loaded"] else []
        assert (start in taken["free"], start in taken["stored"]) == (
            bool(command["wait_free"]), bool(command["wait_stored"]),
        )  # fmt: skip
        assert all(cycle in trace["busy"] for cycle in range(start + 1, last + 1))
    assert trace["give"] == gives and trace["loaded"] == loaded
    assert len(trace["beats"]) == sum(c["groups"] * c["run_beats"] for c in commands)
    assert trace["error"] == []


@pytest.mark.parametrize("cp, beat_bytes, pixels, fold", [(9, 16, 4, 3), (9, 4, 4, 4), (7, 8, 2, 2), (4, 32, 4, 2)])
@pytest.mark.parametrize("stall", [0.0, 0.35])
def test_folded_images_between_tensors(cp, beat_bytes, pixels, fold, stall):
    """Rows that end anywhere in a word, channels that a pixel lacks, tensors as they are before and after."""
    rng = random.Random(10 * cp + fold)
    memory = AxiMemory(1 << 15, beat_bytes, 16, seed=cp, latency=rng.randint(1, 20), stall=stall, max_outstanding=8)
    commands = []
    for i in range(8):
        rows, cols = rng.randint(1, 5), rng.choice([1, fold, fold + 1, rng.randint(1, 14)])
        commands.append(image(rng, cp, beat_bytes, 1 << 14, rows, cols, fold, signal_full=1))
        commands.append(tile(rng, cp, beat_bytes, 1 << 14, 2, rows, cols, i % 2, signal_full=1))
    writes, trace, _ = load(cp, memory, commands, rng, stall, pixels=pixels, fold=fold)
    starts = trace["accept"]
    assert len(starts) == len(trace["give"]) == len(commands)
    for command, start, end in zip(commands, starts, [*starts[1:], writes[-1][0] + 1], strict=True):
        mine = [(bank, addr, data) for cycle, bank, addr, data in writes if start < cycle < end]
        assert mine == list(expected_writes(memory, cp, command, fold))


@pytest.mark.parametrize("latency", [1, 25])
@pytest.mark.parametrize("pointwise", [0, 1])
@pytest.mark.parametrize("cp, beat_bytes", [(9, 16), (3, 4), (8, 8), (3, 16)])
@pytest.mark.parametrize("groups, rows, cols", [(12, 1, 1), (3, 4, 2), (2, 3, 7)])
def test_exact_cycles_a_word_a_cycle(cp, beat_bytes, groups, rows, cols, pointwise, latency):
    """B >= cp: AR at +1, first beat L later, first word one later, then a word a cycle, the token."""
    memory = AxiMemory(1 << 14, beat_bytes, 16, latency=latency, max_outstanding=1000)
    rng = random.Random(1)
    command = tile(rng, cp, beat_bytes, 1 << 14, groups, rows, cols, pointwise, signal_full=1)
    writes, trace, _ = load(cp, memory, [command, command], rng)
    words = groups * rows * cols
    for i, start in enumerate(trace["accept"]):
        first = start + 1 + latency + 1
        assert [w[0] for w in writes[i * words : (i + 1) * words]] == list(range(first, first + words))
        assert trace["give"][i] == first + words
    assert trace["accept"][1] == trace["give"][0]
    assert trace["arvalid"][0] == trace["accept"][0] + 1


@pytest.mark.parametrize("cp, beat_bytes", [(9, 4), (9, 8), (13, 4)])
def test_exact_cycles_a_beat_a_cycle(cp, beat_bytes):
    """B < cp: a beat a cycle, and the last word one cycle after the last beat."""
    memory = AxiMemory(1 << 14, beat_bytes, 16, latency=9, max_outstanding=1000)
    rng = random.Random(2)
    command = tile(rng, cp, beat_bytes, 1 << 14, 3, 4, 3, 0, signal_full=1)
    writes, trace, _ = load(cp, memory, [command], rng)
    beats = command["groups"] * command["run_beats"]
    start = trace["accept"][0]
    assert trace["beats"] == list(range(start + 1 + 9, start + 1 + 9 + beats))
    assert writes[-1][0] == trace["beats"][-1] + 1
    assert trace["give"] == [writes[-1][0] + 1]


def test_waits_for_its_tokens():
    """No address leaves before the tokens are there, and a token that is not asked for is left alone."""
    dut = LoadAct(cp=3, beat_bytes=4, max_burst=16)

    async def bench(ctx):
        ctx.set(dut.command.payload, {"wait_free": 1, "wait_stored": 1, "groups": 1, "run_beats": 1})
        ctx.set(dut.command.valid, 1)
        for free, stored in [(0, 0), (1, 0), (0, 1)]:
            ctx.set(dut.sb_free.ready, free)
            ctx.set(dut.stored.ready, stored)
            for _ in range(3):
                assert not ctx.get(dut.command.ready)
                assert not ctx.get(dut.sb_free.acquire) and not ctx.get(dut.stored.acquire)
                await ctx.tick()
                assert not ctx.get(dut.axi.arvalid) and not ctx.get(dut.busy)
        ctx.set(dut.sb_free.ready, 1)
        assert ctx.get(dut.command.ready) and ctx.get(dut.sb_free.acquire) and ctx.get(dut.stored.acquire)
        await ctx.tick()
        assert ctx.get(dut.axi.arvalid) and ctx.get(dut.busy)
        assert not ctx.get(dut.sb_free.acquire) and not ctx.get(dut.stored.acquire)

    simulate(dut, bench)


def test_error_beats_do_not_hang():
    rng = random.Random(4)
    memory = AxiMemory(1 << 14, 4, 16, stall=0.2)
    command = tile(rng, 3, 4, 1 << 14, 2, 3, 5, 0, signal_full=1)
    memory.bad = {command["addr"], command["addr"] + 8, command["addr"] + command["run_stride"]}
    writes, trace, _ = load(3, memory, [command], rng)
    assert [w[1:] for w in writes] == list(expected_writes(memory, 3, command))
    assert len(trace["error"]) == 3 and len(trace["give"]) == 1


@pytest.mark.parametrize(
    "change", [{"run_beats": 3}, {"run_beats": 40}, {"rows": 9}, {"cols": 40}, {"pad": 255}, {"groups": 0}]
)
def test_broken_command_ends(change):
    """Fields that contradict each other make nonsense, but the command ends and the next one is right."""
    rng = random.Random(6)
    memory = AxiMemory(1 << 14, 4, 16)
    broken = tile(rng, 3, 4, 1 << 13, 2, 3, 5, 0, signal_full=1) | change
    good = tile(rng, 3, 4, 1 << 14, 2, 3, 5, 0, signal_full=1)
    writes, trace, _ = load(3, memory, [broken, good], rng)
    assert len(trace["give"]) == 2
    mine = [w[1:] for w in writes if w[0] > trace["accept"][1]]
    assert mine == list(expected_writes(memory, 3, good))


def test_refuses_a_wrong_number_of_pixels():
    with pytest.raises(ValueError, match="pixels is 3"):
        LoadAct(cp=3, beat_bytes=4, max_burst=16, pixels=3)


@pytest.mark.parametrize("pixels, fold", [(2, 3), (4, 0)])
def test_refuses_a_wrong_fold(pixels, fold):
    with pytest.raises(ValueError, match=f"fold is {fold}; it can be 1 to {min(pixels, 3)}"):
        LoadAct(cp=3, beat_bytes=4, max_burst=16, pixels=pixels, fold=fold)


@pytest.mark.parametrize("cp", [0, 64])
def test_refuses(cp):
    with pytest.raises(ValueError, match=f"cp is {cp}"):
        LoadAct(cp=cp, beat_bytes=4, max_burst=16)


def test_the_last_words_of_the_banks():
    """In both layouts, and by groups that a step of 64 words puts there."""
    memory = AxiMemory(1 << 13, 4, 16)
    one = {"addr": 0, "groups": 1, "run_beats": 8, "run_stride": 32, "rows": 2, "cols": 4, "pad": 0, "row_step": 4}
    one |= {"skew": 0}
    most = {"groups": 1024, "run_beats": 1, "run_stride": 0, "rows": 1, "cols": 1, "row_step": 1, "group_step": 64}
    commands = [
        one | {"pointwise": 1, "sb_base": 65535 - 7, "group_step": 8},
        one | {"pointwise": 0, "sb_base": 65535 - 1, "row_step": 2, "group_step": 2},
        one | most | {"pointwise": 0, "sb_base": 65535 - 64 * 1023},
    ]
    writes, _, _ = load(4, memory, commands, random.Random(0))
    expected = [write for command in commands for write in expected_writes(memory, 4, command)]
    assert [write[1:] for write in writes] == expected
    assert {max(write[2] for write in part) for part in (writes[:8], writes[8:16], writes[16:])} == {65535}
