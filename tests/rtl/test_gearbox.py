# amaranth: UnusedElaboratable=no
"""Gearbox: bytes in order under stalls, padding, drops, full rate, and where its handshakes come from."""

import random

import pytest
from amaranth import Module
from amaranth.back import verilog

from arch_model.machine.microarchitecture import gearbox_bytes
from rtl.gearbox import Gearbox
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_get, stream_put, stream_watch

SIZES = [(4, 3), (16, 9), (16, 3), (4, 27), (16, 81), (3, 4), (9, 16), (9, 4), (4, 9), (8, 8), (1, 1)]


def unpadded_rows(rng, rows, in_bytes, out_bytes, most):
    """Rows of whole output words, each padded to whole input words: (input words, [(output word, drop)])."""
    inputs, outputs = [], []
    for _ in range(rows):
        words = [rng.randbytes(out_bytes) for _ in range(rng.randint(1, most))]
        row = b"".join(words)
        pad = -len(row) % in_bytes
        row += rng.randbytes(pad)  # what is dropped is not zero: it must not reappear
        inputs += [row[i : i + in_bytes] for i in range(0, len(row), in_bytes)]
        outputs += [(word, 0) for word in words[:-1]] + [(words[-1], pad)]
    return inputs, outputs


def padded_rows(rng, rows, in_bytes, out_bytes, most):
    """Rows of whole input words, each padded to whole output words: ([(input word, pad)], output words)."""
    inputs, outputs = [], []
    for _ in range(rows):
        words = [rng.randbytes(in_bytes) for _ in range(rng.randint(1, most))]
        row = b"".join(words)
        pad = -len(row) % out_bytes
        inputs += [(word, 0) for word in words[:-1]] + [(words[-1], pad)]
        row += bytes(pad)
        outputs += [row[i : i + out_bytes] for i in range(0, len(row), out_bytes)]
    return inputs, outputs


def run(dut, inputs, outputs, rng, stall_in, stall_out):
    """Push (word, pad) pairs, pull words and drop as listed; the words, and when words moved."""
    got = []
    put_rng, get_rng = random.Random(rng.random()), random.Random(rng.random())
    trace = Trace(i=dut.i.valid & dut.i.ready, o=dut.o.valid & dut.o.ready)

    async def put(ctx):
        payloads = [{"data": int.from_bytes(word, "little"), "pad": pad} for word, pad in inputs]
        await stream_put(ctx, dut.i, payloads, put_rng, stall_in)

    async def get(ctx):
        for _, drop in outputs:
            ctx.set(dut.drop, drop)
            (word,) = await stream_get(ctx, dut.o, 1, get_rng, stall_out)
            got.append(word.to_bytes(dut.out_bytes, "little"))

    simulate(dut, get, put, trace, lambda ctx: stream_watch(ctx, dut.o))
    return got, trace


@pytest.mark.parametrize("in_bytes, out_bytes", SIZES)
@pytest.mark.parametrize("stall_in, stall_out", [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)])
def test_drops_row_padding(in_bytes, out_bytes, stall_in, stall_out):
    seed = 1000 * in_bytes + out_bytes
    print("seed", seed)
    rng = random.Random(seed)
    inputs, outputs = unpadded_rows(rng, 15, in_bytes, out_bytes, 9)
    dut = Gearbox(in_bytes, out_bytes, max_pad=0)
    got, _ = run(dut, [(word, 0) for word in inputs], outputs, rng, stall_in, stall_out)
    assert got == [word for word, _ in outputs]


@pytest.mark.parametrize("in_bytes, out_bytes", SIZES)
@pytest.mark.parametrize("stall_in, stall_out", [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)])
def test_pads_rows(in_bytes, out_bytes, stall_in, stall_out):
    seed = 1000 * in_bytes + out_bytes
    print("seed", seed)
    rng = random.Random(seed)
    inputs, outputs = padded_rows(rng, 15, in_bytes, out_bytes, 9)
    dut = Gearbox(in_bytes, out_bytes)
    got, _ = run(dut, inputs, [(word, 0) for word in outputs], rng, stall_in, stall_out)
    assert got == outputs


@pytest.mark.parametrize("size, parts, beat", [(3, 2, 4), (9, 2, 32), (9, 4, 32), (3, 4, 4), (2, 2, 16)])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_words_of_parts(size, parts, beat, stall):
    """Rows of pixels in words of some, whose last may lack some: out of beats and into beats again."""
    rng = random.Random(100 * beat + size)
    rows = [rng.randbytes(size * rng.randint(1, 9)) for _ in range(15)]
    beats, words, taken = [], [], []
    for row in rows:
        pad = -len(row) % beat
        beats += [(row + bytes(pad))[i : i + beat] for i in range(0, len(row), beat)]
        for i in range(0, len(row), parts * size):
            word = row[i : i + parts * size]
            last = i + parts * size >= len(row)
            words.append((word, parts - len(word) // size, pad if last else 0))
    unpack = Gearbox(beat, parts * size, max_pad=0, out_parts=parts)
    pack = Gearbox(parts * size, beat, max_drop=0, in_parts=parts)
    rngs = [random.Random(rng.random()) for _ in range(4)]
    made = []

    async def give(ctx):
        payloads = [{"data": int.from_bytes(b, "little"), "pad": 0} for b in beats]
        await stream_put(ctx, unpack.i, payloads, rngs[0], stall)

    async def middle(ctx):
        for word, absent, pad in words:
            ctx.set(unpack.unwanted, absent)
            ctx.set(unpack.drop, pad)
            (got,) = await stream_get(ctx, unpack.o, 1, rngs[1], stall)
            taken.append(got.to_bytes(parts * size, "little")[: len(word)])
        while len(made) < len(beats):
            await ctx.tick()

    async def back(ctx):
        for word, absent, pad in words:
            ctx.set(pack.absent, absent)
            payload = {"data": int.from_bytes(word, "little"), "pad": pad}
            await stream_put(ctx, pack.i, [payload], rngs[2], stall)

    async def collect(ctx):
        for _ in beats:
            made.extend(await stream_get(ctx, pack.o, 1, rngs[3], stall))

    dut = Module()
    dut.submodules.unpack, dut.submodules.pack = unpack, pack
    simulate(dut, middle, collect, give, back)
    assert taken == [word for word, *_ in words]
    assert [b.to_bytes(beat, "little") for b in made] == beats


@pytest.mark.parametrize("most", [1, 2, 3, 9])
@pytest.mark.parametrize("in_bytes, out_bytes", SIZES)
def test_full_rate_dropping(in_bytes, out_bytes, most):
    """The narrow side moves every cycle from its first word to its last, row ends included."""
    rng = random.Random(most)
    inputs, outputs = unpadded_rows(rng, 20, in_bytes, out_bytes, most)
    dut = Gearbox(in_bytes, out_bytes, max_pad=0)
    _, times = run(dut, [(word, 0) for word in inputs], outputs, rng, 0, 0)
    side, count = ("o", len(outputs)) if in_bytes >= out_bytes else ("i", len(inputs))
    assert times[side][-1] - times[side][0] == count - 1
    assert times["o"][-1] >= times["i"][-1] + 1


@pytest.mark.parametrize("most", [1, 2, 3, 9])
@pytest.mark.parametrize("in_bytes, out_bytes", SIZES)
def test_full_rate_padding(in_bytes, out_bytes, most):
    rng = random.Random(most)
    inputs, outputs = padded_rows(rng, 20, in_bytes, out_bytes, most)
    dut = Gearbox(in_bytes, out_bytes, max_drop=0)
    _, times = run(dut, inputs, [(word, 0) for word in outputs], rng, 0, 0)
    side, count = ("o", len(outputs)) if in_bytes >= out_bytes else ("i", len(inputs))
    assert times[side][-1] - times[side][0] == count - 1


def test_latency_and_empty_and_clear():
    """Hand-made: 4 bytes into 3. Two words out of one input and its successor, then a cleared remainder."""
    dut = Gearbox(4, 3)
    seen = []

    async def bench(ctx):
        assert ctx.get(dut.empty) and ctx.get(dut.i.ready) and not ctx.get(dut.o.valid)
        ctx.set(dut.i.payload, {"data": 0x44332211, "pad": 0})
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload) == 0x332211
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        assert not ctx.get(dut.o.valid) and not ctx.get(dut.empty)  # 0x44 waits for company
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        assert ctx.get(dut.empty)
        ctx.set(dut.i.payload, {"data": 0x88776633, "pad": 2})
        ctx.set(dut.i.valid, 1)
        for expected in (0x776633, 0x000088):
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload) == expected
        await ctx.tick()
        assert ctx.get(dut.empty)
        seen.append(True)

    simulate(dut, bench)
    assert seen


def test_handshakes_come_from_registers():
    """i.ready, o.valid and o.payload do not move with what either side does in the same cycle."""
    dut = Gearbox(16, 9)
    rng = random.Random(5)
    seen = []

    async def bench(ctx):
        for _ in range(200):
            views = set()
            for pattern in range(8):
                ctx.set(dut.i.valid, pattern & 1)
                ctx.set(dut.o.ready, pattern >> 1 & 1)
                ctx.set(dut.i.payload, {"data": rng.getrandbits(128), "pad": 15 * (pattern >> 2)})
                views.add((ctx.get(dut.i.ready), ctx.get(dut.o.valid), ctx.get(dut.o.payload)))
            assert len(views) == 1
            ctx.set(dut.i.valid, rng.random() < 0.7)
            ctx.set(dut.o.ready, rng.random() < 0.7)
            await ctx.tick()
        seen.append(True)

    simulate(dut, bench)
    assert seen


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"in_bytes": 0, "out_bytes": 4}, "in_bytes is 0"),
        ({"in_bytes": 4, "out_bytes": 2000}, "out_bytes is 2000"),
        ({"in_bytes": 4, "out_bytes": 4, "max_pad": 256}, "max_pad is 256"),
        ({"in_bytes": 4, "out_bytes": 4, "max_drop": -1}, "max_drop is -1"),
        ({"in_bytes": 4, "out_bytes": 4, "out_parts": 3}, "out_parts is 3"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Gearbox(**arguments)


@pytest.mark.parametrize("in_bytes, out_bytes", [(16, 81), (16, 8), (9, 16), (1, 1)])
def test_verilog_has_no_wire_without_bits(in_bytes, out_bytes):
    """A width of 0 would be written [-1:0], which Verilog reads as two bits."""
    text = verilog.convert(Gearbox(in_bytes, out_bytes, max_pad=0, max_drop=0))
    assert "module" in text and "[-1:0]" not in text


def test_capacity_by_hand():
    # 9 to 16, padded: a two-word backlog (32) and a word of 9. 16 to 9: refused at 33, 33 - 9 - 15 leaves 9.
    assert gearbox_bytes(9, 16, 15, 0) == 41
    assert gearbox_bytes(16, 9, 0, 15) == 48
