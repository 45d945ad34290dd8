"""FEED and the compute path together, against the formula of a convolution written out in NumPy."""

import numpy as np
import pytest
from amaranth import Elaboratable, Module
from amaranth.lib.wiring import connect

from arch_model.network.quant import requantize
from arch_model.program.isa import Command, Opcode
from rtl.compute import Compute
from rtl.feed import Feed
from rtl.memory import BlockMemory
from rtl.semaphore import Semaphore
from tests.rtl.simulate import bounded


class Harness(Elaboratable):
    """FEED, the compute path, a DB, a PB and a ZSB, with every outer port in reach of the test."""

    def __init__(self, kp, cp, nb, dsp_packing):
        self.feed = Feed(kp=kp, cp=cp, db_words=64 * kp, pb_words=64 * kp, dsp_packing=dsp_packing)
        self.compute = Compute(kp=kp, cp=cp, nb=nb, sb_words=256, ob_pixels=64, out_words=256, dsp_packing=dsp_packing)
        self.db, self.pb = (BlockMemory(72 * cp, 64 * kp) for _ in range(2))
        self.zsb = BlockMemory(64 * kp, 64)
        self.tokens = {name: Semaphore() for name in ("w_full", "sb_full", "out_free")}

    def elaborate(self, platform):
        m = Module()
        feed, compute = self.feed, self.compute
        m.submodules += [feed, compute, self.db, self.pb, self.zsb]
        for name, token in self.tokens.items():
            m.submodules[name] = token
            connect(m, getattr(feed if name == "w_full" else compute, name), token.token)
        for reader, ram in ((feed.db, self.db), (feed.pb, self.pb), (compute.zsb, self.zsb)):
            m.d.comb += [ram.read_addr.eq(reader.addr), reader.data.eq(ram.read_data)]
        m.d.comb += [
            compute.load_en.eq(feed.load_en),
            compute.load_data.eq(feed.load_data),
            compute.shadow_full.eq(feed.shadow_full),
            feed.consume.eq(compute.consume),
        ]
        return m


def word_of(values):
    """Bytes (int8) as one little-endian integer."""
    return int.from_bytes(np.asarray(values, np.int8).tobytes(), "little")


async def write(ctx, ram, addr, value):
    ctx.set(ram.write_en, -1)
    ctx.set(ram.write_addr, addr)
    ctx.set(ram.write_data, value)
    await ctx.tick()
    ctx.set(ram.write_en, 0)


async def write_sb(ctx, compute, by_store, bank, addr, word):
    """A word into the SB, from LOAD_ACT or from STORE, while the other one's address and data are of no meaning."""
    port, other = (compute.results, compute.sb) if by_store else (compute.sb, compute.results)
    for to, value in ((port.addr[0], addr), (port.data[0], word), (other.addr[0], ~addr & 255), (other.data[0], ~word)):
        ctx.set(to, value)
    ctx.set(port.bank[0], 1 << bank)
    ctx.set(compute.results_write, by_store)
    await ctx.tick()
    ctx.set(port.bank[0], 0)
    ctx.set(compute.results_write, 0)


async def put(ctx, port, command):
    ctx.set(port.payload.as_value(), int.from_bytes(command.encode(), "little"))
    ctx.set(port.valid, 1)
    await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


@pytest.mark.parametrize(
    ("kp", "cp", "nb", "pointwise", "stride", "k_tiles", "c_tiles", "seed"),
    [
        (4, 3, 2, False, 1, 2, 2, 0),
        (4, 3, 2, False, 2, 2, 3, 1),
        (4, 3, 2, True, 1, 3, 2, 2),
        (4, 3, 2, True, 2, 1, 1, 3),
        (8, 3, 4, False, 1, 2, 1, 4),
        (3, 5, 2, False, 2, 2, 2, 5),
        (2, 2, 1, True, 1, 2, 2, 6),
        (1, 1, 1, False, 1, 2, 3, 7),
    ],
)
def test_a_tile_is_the_convolution(kp, cp, nb, pointwise, stride, k_tiles, c_tiles, seed):
    rng = np.random.default_rng(seed)
    height, width = int(rng.integers(3, 7)), int(rng.integers(3, 8))
    groups = c_tiles * (9 if pointwise else 1) - (int(rng.integers(0, 4)) if pointwise else 0)
    x = rng.integers(-128, 128, (groups, height, width, cp), dtype=np.int8)
    w = rng.integers(-128, 128, (k_tiles, c_tiles, kp, 9, cp), dtype=np.int8)
    bias = rng.integers(-(2**20), 2**20, (k_tiles, kp))
    multiplier = rng.integers(2**25, 2**26, (k_tiles, kp))
    shift = rng.integers(34, 40, (k_tiles, kp))
    fill, z_out, lo, hi = -7, 5, -100, 120

    # The last group lacks some channels: its lanes hold 0 in the tensor and outside it, whatever their weights.
    present = int(rng.integers(1, cp + 1))
    x[-1, :, :, present:] = 0

    if pointwise:  # nine groups are the nine taps
        padded = np.zeros((c_tiles * 9, height, width, cp), np.int64)
        padded[:groups] = x
        taps = padded.reshape(c_tiles, 9, height, width, cp)[:, :, ::stride, ::stride]
    else:
        around = np.pad(x.astype(np.int64), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=fill)
        around[-1, :, :, present:] = 0
        rows, cols = -(-height // stride), -(-width // stride)
        taps = np.stack(
            [
                around[:, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (cols - 1) + 1 : stride]
                for i in range(3)
                for j in range(3)
            ],
            axis=1,
        )
    out_rows, out_cols = taps.shape[2:4]
    acc = np.einsum("gtpqc,kgftc->kpqf", taps, w.astype(np.int64))
    expected = requantize(acc, bias[:, None, None], multiplier[:, None, None], shift[:, None, None], z_out, lo, hi)

    row_step = width if pointwise else -(-width // 3)
    group_step = (height if pointwise else -(-height // 3)) * row_step
    base, pixels = 5, out_rows * out_cols
    top = Harness(kp, cp, nb, dsp_packing=seed % 2 == 0)  # every other shape with filters in pairs
    out = {}

    async def bench(ctx):
        compute = top.compute
        for g in range(groups):
            for y in range(height):
                for col in range(width):
                    if pointwise:
                        bank, addr = g % 9, base + g // 9 * group_step + y * row_step + col
                    else:
                        bank, addr = 3 * (y % 3) + col % 3, base + g * group_step + y // 3 * row_step + col // 3
                    await write_sb(ctx, compute, (g + y + col) % 2, bank, addr, word_of(x[g, y, col]))
        for kt in range(k_tiles):
            # Tiles of odd K-tiles wait in the PB.
            ram = top.pb if kt % 2 else top.db
            for ct in range(c_tiles):
                for k in range(kp):
                    await write(ctx, ram, ((kt * c_tiles + ct) * kp) + k, word_of(w[kt, ct, k].ravel()))
            entry = 0
            for k in range(kp):
                lane = int(bias[kt, k]) & 0xFFFFFFFF | int(multiplier[kt, k]) << 32 | int(shift[kt, k]) << 58
                entry |= lane << (64 * k)
            await write(ctx, top.zsb, kt, entry)
        for kt in range(k_tiles):
            group = kt * kp // cp
            command = Command(
                Opcode.PASS,
                {
                    "wait_sb": kt == 0,
                    "signal_sb": kt == k_tiles - 1,
                    "signal_out": kt == k_tiles - 1,
                    "wait_weights": 1,
                    "memory": kt % 2,
                    "slot": kt * c_tiles,
                    "reps": c_tiles,
                    "pointwise": pointwise,
                    "stride": stride,
                    "out_rows": out_rows,
                    "out_cols": out_cols,
                    "y0": 0 if pointwise else -1,
                    "x0": 0 if pointwise else -1,
                    "rows": height,
                    "cols": width,
                    "fill": fill,
                    "last_lanes": present,
                    "sb_base": base,
                    "row_step": row_step,
                    "group_step": group_step,
                    "last_banks": groups - 9 * (c_tiles - 1) if pointwise else 9,
                    "start": 1,
                    "finish": 1,
                    "zsb": kt,
                    "z_out": z_out,
                    "lo": lo,
                    "hi": hi,
                    "out_base": 3 + group // nb * pixels,
                    "out_bank": group % nb,
                    "out_lane": kt * kp - group * cp,
                    "pixels": pixels,
                },
            )
            # Commands and tokens come when they come.
            await ctx.tick().repeat(int(rng.integers(1, 20)))
            for name in ("w_full", *(["sb_full"] if kt == 0 else [])):
                ctx.set(top.tokens[name].release, 1)
                await ctx.tick()
                ctx.set(top.tokens[name].release, 0)
            await put(ctx, top.feed.command, command)
            await put(ctx, compute.command, command)
        await ctx.tick().until(compute.out_full_release)
        await ctx.tick()
        assert not ctx.get(compute.busy)
        for g in range(-(-k_tiles * kp // cp)):
            for p in range(pixels):
                bank = compute.out[g % nb]
                ctx.set(bank.addr, 3 + g // nb * pixels + p)
                await ctx.tick()
                out[g, p] = ctx.get(bank.data)

    sim = bounded(top)
    sim.add_testbench(bench)
    sim.run()

    channels = k_tiles * kp
    got = np.array(
        [[out[k // cp, p] >> (8 * (k % cp)) & 0xFF for k in range(channels)] for p in range(pixels)],
        np.uint8,
    ).view(np.int8)
    assert np.array_equal(got.reshape(out_rows, out_cols, k_tiles, kp), np.moveaxis(expected, 0, 2))


@pytest.mark.parametrize(
    ("kp", "cp", "nb", "kernel", "stride", "channels", "mode", "seed"),
    [
        (4, 3, 2, 3, 1, 10, "conv", 0),
        (4, 3, 2, 3, 2, 12, "conv", 1),
        (4, 3, 2, 5, 1, 7, "conv", 2),
        (4, 3, 2, 5, 2, 8, "table", 3),
        (3, 5, 2, 7, 1, 11, "conv", 4),
        (2, 2, 1, 7, 2, 6, "table", 5),
        (5, 3, 3, 3, 2, 15, "maximum", 6),
        (4, 3, 2, 3, 1, 8, "maximum", 7),
        (1, 1, 1, 3, 1, 3, "conv", 8),
        (8, 4, 2, 1, 0, 18, "conv", 9),
        (4, 3, 2, 1, 0, 7, "table", 10),
        # Packed, as all of odd seeds: the last of an odd KP is alone; a single channel shares nothing.
        (3, 5, 2, 5, 2, 7, "conv", 11),
        (5, 2, 3, 3, 1, 11, "conv", 13),
        (2, 1, 2, 3, 1, 3, "conv", 15),
        # Windows of 2 x 2 have one row and column more than the input, at stride 1.
        (4, 3, 2, 2, 1, 8, "maximum", 16),
        (5, 3, 3, 2, 2, 15, "maximum", 17),
        (4, 3, 2, 3, 1, 8, "average", 18),
        (2, 2, 1, 3, 2, 6, "average", 19),
        (3, 5, 2, 2, 1, 11, "average", 20),
    ],
)
def test_a_depthwise_tile_is_the_convolution(kp, cp, nb, kernel, stride, channels, mode, seed):
    """Every K-tile, window by window, with its weights in one column of the words; stride 0: one pixel for all.

    An average has an entry for each number of taps inside the tensor.
    """
    rng = np.random.default_rng(seed)
    height, width = (1, 1) if stride == 0 else rng.integers(max(3, kernel - 2), 9, 2).tolist()
    pad, groups, k_tiles = kernel // 2, -(-channels // cp), -(-channels // kp)
    x = rng.integers(-128, 128, (groups * cp, height, width), dtype=np.int8)
    w = rng.integers(-128, 128, (k_tiles * kp, kernel, kernel), dtype=np.int8)
    w[channels:] = 0
    bias = rng.integers(-(2**14), 2**14, k_tiles * kp)
    multiplier, shift = rng.integers(2**25, 2**26, k_tiles * kp), rng.integers(28, 34, k_tiles * kp)
    table = rng.integers(-128, 128, 256, dtype=np.int8)
    fill, z_out, lo, hi = -128 if mode == "maximum" else -7, 5, -100, 120
    if mode == "maximum":
        bias[:], multiplier[:], shift[:] = 0, 1 << 25, 25
    entries = 9 if mode == "average" else 1  # of a K-tile: by the rows and columns of a window that are inside
    factors = rng.integers(2**24, 2**25, entries) if mode == "average" else np.ones(1, np.int64)
    counted = 5 * kernel if mode == "average" or (mode == "maximum" and kernel < 3) else 0
    if mode == "average":
        w[:channels], multiplier[:], bias[:], shift[:] = 1, 1, bias // 64, 27

    around = np.pad(x[:channels].astype(np.int64), ((0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    if stride == 0:
        out_rows, out_cols = 3, 5
        acc = np.broadcast_to(x[:channels].astype(np.int64) * w[:channels, :1, :1], (channels, out_rows, out_cols))
    else:
        windows = np.lib.stride_tricks.sliding_window_view(around, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
        out_rows, out_cols = windows.shape[1:3]
        if mode == "maximum":
            acc = windows.max(axis=(3, 4))
        else:
            acc = np.einsum("kpqrs,krs->kpq", windows, w[:channels].astype(np.int64))
    scale = multiplier[:channels]
    if mode == "average":
        begins = (np.arange(count)[:, None] * stride - pad + np.arange(kernel) for count in (out_rows, out_cols))
        rows, cols = (((b >= 0) & (b < n)).sum(axis=1) for b, n in zip(begins, (height, width), strict=True))
        scale = factors[3 * (rows[:, None] - 1) + cols - 1][..., None]
    expected = requantize(np.moveaxis(acc, 0, 2), bias[:channels], scale, shift[:channels], z_out, lo, hi)
    if mode == "table":
        expected = table[expected.astype(int) + 128]

    offsets = [(y, x) for y in range(0, kernel, 3) for x in range(0, kernel, 3)]
    words = np.zeros((-(-k_tiles * len(offsets) // cp), kp, 9, cp), np.int8)  # a tile, row, tap, column
    for kt in range(k_tiles):
        for n, (dy, dx) in enumerate(offsets):
            tile, sub = divmod(kt * len(offsets) + n, cp)
            window = w[kt * kp : (kt + 1) * kp, dy : dy + 3, dx : dx + 3]
            for i in range(window.shape[1]):
                for j in range(window.shape[2]):
                    words[tile, :, 3 * i + j, sub] = window[:, i, j]

    row_step = -(-(width + 2) // 3)
    group_step, base, pixels = -(-height // 3) * row_step, 5, out_rows * out_cols
    top, out = Harness(kp, cp, nb, dsp_packing=bool(seed % 2)), {}

    async def bench(ctx):
        compute = top.compute
        for g in range(groups):
            for y in range(height):
                for col in range(width):
                    column = col + g % 3
                    bank, addr = 3 * (y % 3) + column % 3, base + g * group_step + y // 3 * row_step + column // 3
                    await write_sb(
                        ctx, compute, (g + y + col) % 2, bank, addr, word_of(x[g * cp : (g + 1) * cp, y, col])
                    )
        for tile in range(len(words)):
            for k in range(kp):
                await write(ctx, top.db, tile * kp + k, word_of(words[tile, k].ravel()))
        for kt in range(k_tiles):
            for e, factor in enumerate(factors.tolist()):
                entry = 0
                for k in range(kp):
                    n = kt * kp + k
                    lane = int(bias[n]) & 0xFFFFFFFF | int(multiplier[n]) * factor << 32 | int(shift[n]) << 58
                    entry |= lane << (64 * k)
                await write(ctx, top.zsb, entries * kt + e, entry)
        for word in range(32):
            ctx.set(compute.table.en, 1)
            ctx.set(compute.table.addr, 32 + word)
            ctx.set(compute.table.data, word_of(table[8 * word : 8 * word + 8]))
            await ctx.tick()
        ctx.set(compute.table.en, 0)
        for kt in range(k_tiles):
            group, lane = divmod(kt * kp, cp)
            for n, (dy, dx) in enumerate(offsets):
                tile, sub = divmod(kt * len(offsets) + n, cp)
                command = {
                    "depthwise": 1, "maximum": mode == "maximum", "table": 2 * (mode == "table"),
                    "sub": sub, "slot": tile, "reps": 1, "stride": stride,
                    "out_rows": out_rows, "out_cols": out_cols, "y0": dy - pad, "x0": dx - pad,
                    "rows": height, "cols": width, "fill": fill, "last_lanes": counted, "last_banks": group % 3,
                    "sb_base": base + group * group_step, "row_step": row_step, "group_step": group_step,
                    "start": n == 0, "finish": n == len(offsets) - 1,
                    "signal_out": n == len(offsets) - 1 and kt == k_tiles - 1,
                    "zsb": entries * kt, "z_out": z_out, "lo": lo, "hi": hi, "pixels": pixels,
                    "out_base": 3 + group // nb * pixels, "out_bank": group % nb, "out_lane": lane,
                }  # fmt: skip
                await ctx.tick().repeat(int(rng.integers(1, 20)))
                await put(ctx, top.feed.command, Command(Opcode.PASS, command))
                await put(ctx, compute.command, Command(Opcode.PASS, command))
        await ctx.tick().until(compute.out_full_release)
        await ctx.tick()
        for g in range(groups):
            for p in range(pixels):
                bank = compute.out[g % nb]
                ctx.set(bank.addr, 3 + g // nb * pixels + p)
                await ctx.tick()
                out[g, p] = ctx.get(bank.data)

    sim = bounded(top)
    sim.add_testbench(bench)
    sim.run()
    got = [[out[k // cp, p] >> (8 * (k % cp)) & 0xFF for k in range(channels)] for p in range(pixels)]
    assert np.array_equal(np.array(got, np.uint8).view(np.int8), expected.reshape(pixels, channels))
