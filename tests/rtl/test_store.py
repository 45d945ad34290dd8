"""STORE against a plain loop over words and arch_model.network.quant, under stalls everywhere; its cycle costs."""

from __future__ import annotations

import random

import pytest

from arch_model.network.quant import rounding_shift
from arch_model.program.isa import Opcode
from rtl.store import Store
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_put, token_feed

WORDS = 512  # of a bank
REGION = 4096  # bytes of DRAM for one tensor
SHAPES = [(3, 2, 4), (9, 3, 16), (4, 1, 4), (5, 3, 8), (16, 1, 16), (9, 3, 4), (1, 4, 4)]  # cp, nb, beat


def int8(byte):
    return byte - 256 if byte > 127 else byte


def finish(total, c):
    """The rounding, zero-point and clamp of one sum."""
    return max(c["lo"], min(c["hi"], int(rounding_shift(total, c["shift"])) + c["z_out"]))


def expect(c, cp, nb, size, banks, memory):
    """Execute command ``c`` on bytes: ``banks[bank][word]`` are cp bytes, ``memory`` is changed."""
    for g in range(c["groups"]):
        row_a = banks[(c["out_bank"] + g) % nb][c["out_base"] + (c["out_bank"] + g) // nb * c["pixels"] :]
        at_b = c["b_addr"] + g * c["b_run_stride"]
        at = c["addr"] + g * c["run_stride"]
        lanes = c["last_lanes"] if g == c["groups"] - 1 else cp
        sums = [0] * cp
        for y in range(c["rows"]):
            for x in range(c["cols"]):
                b = memory[at_b : at_b + cp]
                at_b += cp
                for lane in range(cp):
                    of_a = c["use_a"] and int8(row_a[y * c["cols"] + x][lane]) - c["z_a"]
                    of_b = c["use_b"] and int8(b[lane]) - c["z_b"]
                    value = of_a * of_b if c.get("multiply") else of_a * c["m_a"] + of_b * c["m_b"]
                    sums[lane] = (sums[lane] if c["pool"] else 0) + value
                if not c["pool"]:
                    result = [finish(sums[i], c) & 255 if i < lanes else 0 for i in range(cp)]
                    memory[at : at + cp] = bytes(result)
                    at += cp
            at_b += c["b_pad"]
            if not c["pool"]:
                memory[at : at + c["pad"]] = bytes(c["pad"])
                at += c["pad"]
        if c["pool"]:
            result = [finish(sums[i], c) & 255 if i < lanes else 0 for i in range(cp)]
            memory[at : at + cp + c["pad"]] = bytes(result) + bytes(c["pad"])


def command(rng, cp, nb, size, region, b_region, **fixed):
    """A random legal command that writes to DRAM region ``region`` and reads b from ``b_region``."""
    rows, cols = rng.randint(1, 4), rng.randint(1, 6)
    c = {"groups": rng.randint(1, 4), "rows": rows, "cols": cols, "pool": rng.random() < 0.3} | fixed
    rows, cols = c["rows"], c["cols"]
    pad = -cols * cp % size
    pitch = cols * cp + pad
    c["pixels"] = rows * cols
    operands = rng.choice([(1, 0), (0, 1), (1, 1), (1, 1)])
    c = {"use_a": operands[0], "use_b": operands[1]} | c
    c["b_pad"], c["b_run_beats"] = pad, rows * pitch // size
    c["pad"] = -cp % size if c["pool"] else pad
    c["run_beats"] = (cp + c["pad"]) // size if c["pool"] else rows * pitch // size
    c["addr"] = REGION * region + size * rng.randint(0, 5)
    c["b_addr"] = REGION * b_region + size * rng.randint(0, 5)
    c["run_stride"] = size * (c["run_beats"] + rng.randint(0, 3))
    c["b_run_stride"] = size * (c["b_run_beats"] + rng.randint(0, 3))
    c["out_base"] = rng.randint(0, WORDS - 6 * c["pixels"])
    c["out_bank"] = rng.randrange(nb)
    c["last_lanes"] = rng.randint(1, cp)
    for name in ("z_a", "z_b", "z_out"):
        c[name] = rng.randint(-128, 127)
    if rng.random() < 0.5:  # round multipliers make ties
        c["m_a"], c["m_b"], c["shift"] = 1 << rng.randint(0, 23), 1 << rng.randint(0, 23), rng.randint(0, 26)
    else:
        c["m_a"], c["m_b"] = rng.getrandbits(24), rng.getrandbits(24)
        c["shift"] = rng.choice([20, 24, 26, 30, rng.randint(0, 63)])
    if c["use_a"] and c["use_b"] and not c["pool"] and rng.random() < 0.4:
        c["multiply"], c["shift"] = 1, rng.randint(0, 12)
    c["lo"] = rng.choice([-128, c["z_out"]])
    c["hi"] = rng.choice([127, rng.randint(c["lo"], 127)])
    c["wait_full"] = c["use_a"] and rng.random() < 0.7
    c["signal_free"], c["signal_stored"] = rng.random() < 0.5, rng.random() < 0.5
    c["opcode"] = Opcode.STORE
    return {name: int(value) for name, value in c.items()}


def output_side(dut, rng):
    """The banks, and a background that reads them with a registered read; after a give they hold garbage."""
    banks = [[rng.randbytes(dut.cp) for _ in range(WORDS)] for _ in range(dut.nb)]

    async def serve(ctx):
        while True:
            _, _, give, *addresses = await ctx.tick().sample(dut.out_free_release, *(p.addr for p in dut.out))
            for port, bank, address in zip(dut.out, banks, addresses, strict=True):
                word = b"".join(bank[(address + i) % WORDS] for i in range(dut.pixels))
                ctx.set(port.data, int.from_bytes(word, "little"))
            if give:
                for bank in banks:
                    bank[:] = [rng.randbytes(dut.cp) for _ in range(WORDS)]

    return banks, serve


def ports(dut, memory):
    """Background testbenches: the memory behind both of the unit's ports."""
    return (lambda ctx: memory.read(ctx, dut.axi_read), lambda ctx: memory.write(ctx, dut.axi_write))


@pytest.mark.parametrize("seed", range(24))
def test_random_commands(seed):
    """DRAM, tokens and counts after a few commands; after a give the banks must not be read any more."""
    rng = random.Random(seed)
    cp, nb, size = rng.choice(SHAPES)
    burst, stall = rng.choice([2, 4, 16]), rng.choice([0.0, 0.3, 0.6])
    pixels = (1, 2, 1, 4)[seed % 4]
    if pixels > 1:
        cp, nb, size = rng.choice([(9, 3, 32), (3, 2, 4), (9, 3, 32), (1, 4, 8), (4, 1, 16)])
    print(f"seed {seed}, cp {cp}, nb {nb}, beats of {size}, bursts of {burst}, stall {stall}, pixels {pixels}")
    count = 5
    dut = Store(cp=cp, nb=nb, beat_bytes=size, max_burst=burst, pixels=pixels)
    latency = rng.choice([1, 6, 30])
    memory = AxiMemory(REGION * (2 * count + 1), size, burst, seed=seed, latency=latency, stall=stall)
    banks, serve = output_side(dut, rng)
    expected = bytearray(memory.data)
    trace = Trace(
        take=dut.out_full.acquire,
        free=dut.out_free_release,
        stored=dut.stored_release,
        beats_b=dut.beats_b,
        beats_out=dut.beats_out,
        error=dut.error_b | dut.error_out,
    )
    commands = []

    async def bench(ctx):
        for i in range(count):
            # b may be the result just written: it is in DRAM when the next command starts.
            c = command(rng, cp, nb, size, 2 * i + 1, rng.choice([2 * i, max(0, 2 * i - 1)]))
            commands.append(c)
            expect(c, cp, nb, size, banks, expected)
            await stream_put(ctx, dut.command, [c], rng, stall)
            while ctx.get(dut.busy):
                await ctx.tick()
            assert memory.data == expected, f"command {i}: {c}"
            assert not ctx.get(dut.residual)

    async def tokens(ctx):
        await token_feed(ctx, dut.out_full, 1000, random.Random(seed), stall)

    simulate(
        dut,
        bench,
        serve,
        tokens,
        *ports(dut, memory),
        trace,
    )
    assert len(trace["take"]) == sum(c["wait_full"] for c in commands)
    assert len(trace["free"]) == sum(c["signal_free"] for c in commands)
    assert len(trace["stored"]) == sum(c["signal_stored"] for c in commands)
    assert len(trace["beats_b"]) == sum(c["use_b"] * c["groups"] * c["b_run_beats"] for c in commands)
    assert len(trace["beats_out"]) == sum(c["groups"] * c["run_beats"] for c in commands)
    assert not trace["error"]


def test_nothing_is_lost_while_the_write_channel_stands_still():
    """70 words with ``wready`` low for 200 cycles: the reads stop, and every result arrives."""
    dut = Store(cp=4, nb=2, beat_bytes=4, max_burst=16)
    memory = AxiMemory(4 * REGION, 4, 16)
    banks, serve = output_side(dut, random.Random(5))
    c = plain(4, 2, 4, groups=2, rows=5, cols=7)
    expected = bytearray(memory.data)
    expect(c, 4, 2, 4, banks, expected)
    trace = Trace(free=dut.out_free_release)

    async def bench(ctx):
        ctx.set(dut.out_full.ready, 1)
        await stream_put(ctx, dut.command, [c])
        await ctx.tick().until(~dut.busy)
        assert memory.data == expected

    async def late(ctx):
        await ctx.tick().repeat(200)
        await memory.write(ctx, dut.axi_write)

    simulate(dut, bench, serve, late, trace)
    assert trace["free"][0] > 200


def test_waits_for_its_token():
    dut = Store(cp=3, nb=2, beat_bytes=4, max_burst=4)
    memory = AxiMemory(4 * REGION, 4, 4)
    c = plain(3, 2, 4)
    trace = Trace(take=dut.out_full.acquire, busy=dut.busy, free=dut.out_free_release, stored=dut.stored_release)

    async def bench(ctx):
        ctx.set(dut.command.payload, c)
        ctx.set(dut.command.valid, 1)
        await ctx.tick().repeat(20)
        ctx.set(dut.out_full.ready, 1)
        await ctx.tick()
        ctx.set(dut.command.valid, 0)
        await ctx.tick().repeat(300)

    simulate(dut, bench, lambda ctx: memory.write(ctx, dut.axi_write), trace)
    assert trace["take"] == [20] and trace["busy"][0] == 21
    assert len(trace["free"]) == 1 and trace["stored"] == [trace["busy"][-1]]


@pytest.mark.parametrize(("field", "more"), [("run_beats", -1), ("groups", 0), ("b_run_beats", 9)])
def test_what_a_command_leaves_over_is_told(field, more):
    """A beat fewer than its rows fill, or more of b than they have; of a sound command nothing is left."""
    dut = Store(cp=4, nb=1, beat_bytes=4, max_burst=4)
    memory = AxiMemory(4 * REGION, 4, 4)
    c = command(random.Random(2), 4, 1, 4, 1, 0, groups=2, use_a=0, use_b=1, pool=0)
    trace = Trace(told=dut.residual)

    async def bench(ctx):
        await stream_put(ctx, dut.command, [c | {field: c[field] + more}])
        while ctx.get(dut.busy):
            await ctx.tick()
        before = len(trace["told"])
        await ctx.tick().repeat(200)
        assert len(trace["told"]) - before == (200 if more else 0)

    simulate(dut, bench, *ports(dut, memory), trace)


@pytest.mark.parametrize("which", ["error_b", "error_out"])
def test_errors(which):
    dut = Store(cp=4, nb=1, beat_bytes=4, max_burst=4)
    memory = AxiMemory(4 * REGION, 4, 4)
    c = command(random.Random(2), 4, 1, 4, 1, 0, use_a=0, use_b=1, pool=0)
    memory.bad.add(c["b_addr"] if which == "error_b" else c["addr"])
    trace = Trace(error_b=dut.error_b, error_out=dut.error_out)

    async def bench(ctx):
        await stream_put(ctx, dut.command, [c])
        while ctx.get(dut.busy):
            await ctx.tick()

    simulate(dut, bench, *ports(dut, memory), trace)
    assert {name: len(cycles) for name, cycles in trace.cycles.items()} == {
        "error_b": which == "error_b",
        "error_out": which == "error_out",
    }


def timed(dut, memory, commands):
    """Run commands offered back to back; the trace of acceptances, gives and ends."""
    rng = random.Random(3)
    _, serve = output_side(dut, rng)
    trace = Trace(
        accept=dut.command.valid & dut.command.ready,
        busy=dut.busy,
        free=dut.out_free_release,
        stored=dut.stored_release,
    )

    async def bench(ctx):
        await ctx.tick().repeat(2)
        ctx.set(dut.out_full.ready, 1)
        await stream_put(ctx, dut.command, commands)
        while ctx.get(dut.busy):
            await ctx.tick()

    simulate(
        dut,
        bench,
        serve,
        *ports(dut, memory),
        trace,
    )
    return trace


def plain(cp, nb, size, **fixed):
    """A command of given size that copies, waits and signals."""
    fixed = {"use_a": 1, "use_b": 0, "pool": 0} | fixed
    c = command(random.Random(1), cp, nb, size, 1, 0, **fixed)
    return c | {"wait_full": 1, "signal_free": 1, "signal_stored": 1}


@pytest.mark.parametrize("latency", [1, 25])
def test_cycles_of_one_beat(latency):
    """One word, one beat: AW in t + 1, W in t + 11, stored a cycle after B, the next command a cycle later."""
    dut = Store(cp=4, nb=2, beat_bytes=4, max_burst=4)
    memory = AxiMemory(4 * REGION, 4, 4, latency=latency)
    c = plain(4, 2, 4, groups=1, rows=1, cols=1)
    trace = timed(dut, memory, [c, c])
    t, following = trace["accept"]
    assert memory.writes.offered[0] == t + 1
    assert trace["free"][0] == t + 1
    assert memory.writes.beats[0] == t + 11
    assert memory.writes.acknowledged[0] == t + 11 + latency
    assert trace["stored"][0] == t + 12 + latency
    assert following == t + 13 + latency
    assert trace["busy"] == [*range(t + 1, t + 13 + latency), *range(following + 1, following + 13 + latency)]


@pytest.mark.parametrize(
    ("cp", "nb", "size", "second"),
    [
        (3, 2, 4, 1),  # a row of 21 bytes, 24 with padding: the last word finds 2 bytes and makes two beats
        (9, 3, 16, 0),  # 63 bytes, 64 with padding: one
        (4, 1, 4, 0),
    ],
)
def test_a_word_a_cycle(cp, nb, size, second):
    """Two groups of 5 by 7 words: read in t + 1 to t + 70, the last beat 10 cycles later, a second one 11."""
    dut = Store(cp=cp, nb=nb, beat_bytes=size, max_burst=16)
    memory = AxiMemory(4 * REGION, size, 16, latency=4)
    c = plain(cp, nb, size, groups=2, rows=5, cols=7)
    trace = timed(dut, memory, [c])
    (t,) = trace["accept"]
    assert trace["free"] == [t + 70]
    assert memory.writes.beats[-1] == t + 80 + second
    assert trace["stored"] == [t + 80 + second + 4 + 1]


def test_a_word_a_cycle_with_b():
    """AR in t + 1, beats of b from t + 1 + latency, words read from the cycle after; 7 words a row take longer
    than its 6 beats."""
    latency = 9
    dut = Store(cp=3, nb=2, beat_bytes=4, max_burst=16)
    memory = AxiMemory(4 * REGION, 4, 16, latency=latency, max_outstanding=99)
    c = plain(3, 2, 4, groups=2, rows=5, cols=7, use_b=1)
    trace = timed(dut, memory, [c])
    (t,) = trace["accept"]
    assert memory.reads.offered[0] == t + 1
    assert memory.reads.beats[0] == t + 1 + latency
    assert trace["free"] == [t + 1 + latency + 70]
    assert memory.writes.beats[-1] == trace["free"][0] + 11


def test_pool_cycles():
    """Three groups of 4 by 4 words, a beat each: the last beat 10 cycles after the last of 48 words."""
    dut = Store(cp=4, nb=2, beat_bytes=4, max_burst=16)
    memory = AxiMemory(4 * REGION, 4, 16)
    c = plain(4, 2, 4, groups=3, rows=4, cols=4, pool=1)
    trace = timed(dut, memory, [c])
    (t,) = trace["accept"]
    assert trace["free"] == [t + 48]
    assert memory.writes.beats == [t + 26, t + 42, t + 58]


@pytest.mark.parametrize(("name", "value"), [("cp", 0), ("cp", 64), ("nb", 17), ("beat_bytes", 12)])
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        Store(**{"cp": 3, "nb": 2, "beat_bytes": 4, "max_burst": 4} | {name: value})


@pytest.mark.parametrize("pixels", [1, 4])
def test_the_last_words_of_the_last_bank(pixels):
    """Bank 15 of 16, and words to 65535: what they hold is what is written."""
    cp, nb, size = 4, 16, 4
    dut, memory = Store(cp=cp, nb=nb, beat_bytes=size, max_burst=16, pixels=pixels), AxiMemory(REGION, size, 16)

    def held(bank, word):
        return [(bank + 3 * word + lane) % 100 for lane in range(cp)]

    async def serve(ctx):
        while True:
            _, _, *addresses = await ctx.tick().sample(*(port.addr for port in dut.out))
            for bank, (port, address) in enumerate(zip(dut.out, addresses, strict=True)):
                word = bytes(byte for i in range(pixels) for byte in held(bank, address + i))
                ctx.set(port.data, int.from_bytes(word, "little"))

    async def bench(ctx):
        fields = {"use_a": 1, "groups": 2, "rows": 2, "cols": 3, "run_beats": 6, "run_stride": 24, "pixels": 6}
        fields |= {"m_a": 1, "out_base": 65536 - 12, "out_bank": 15, "last_lanes": cp, "lo": -128, "hi": 127}
        await stream_put(ctx, dut.command, [fields])
        await ctx.tick().until(~dut.busy)

    simulate(dut, bench, serve, *ports(dut, memory))
    places = [(15, 65536 - 12 + x) for x in range(6)] + [(0, 65536 - 6 + x) for x in range(6)]
    assert list(memory.data[:48]) == [byte for place in places for byte in held(*place)]
