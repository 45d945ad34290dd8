"""FEED and the compute path together, against the formula of a convolution written out in NumPy."""

import numpy as np
import pytest
from amaranth import Elaboratable, Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from arch_model.quant import requantize
from mapper.isa import Command, Opcode
from rtl.compute import Compute
from rtl.feed import Feed
from rtl.memory import BlockMemory
from rtl.semaphore import Semaphore


class Harness(Elaboratable):
    """FEED, the compute path, a DB, a PB and a ZSB, with every outer port in reach of the test."""

    def __init__(self, kp, cp, nb, dsp_packing):
        self.feed = Feed(kp=kp, cp=cp)
        self.compute = Compute(kp=kp, cp=cp, nb=nb, sb_words=256, ob_pixels=64, out_words=256, dsp_packing=dsp_packing)
        self.db, self.pb = (BlockMemory(72 * cp, 64 * kp) for _ in range(2))
        self.zsb = BlockMemory(64 * kp, 16)
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
                    ctx.set(compute.sb.bank[0], 1 << bank)
                    ctx.set(compute.sb.addr[0], addr)
                    ctx.set(compute.sb.data[0], word_of(x[g, y, col]))
                    await ctx.tick()
        ctx.set(compute.sb.bank[0], 0)
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
                ctx.set(top.tokens[name].give, 1)
                await ctx.tick()
                ctx.set(top.tokens[name].give, 0)
            await put(ctx, top.feed.command, command)
            await put(ctx, compute.command, command)
        await ctx.tick().until(compute.out_full_give)
        await ctx.tick()
        assert not ctx.get(compute.busy)
        for g in range(-(-k_tiles * kp // cp)):
            for p in range(pixels):
                bank = compute.out[g % nb]
                ctx.set(bank.addr, 3 + g // nb * pixels + p)
                await ctx.tick()
                out[g, p] = ctx.get(bank.data)

    sim = Simulator(top)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()

    channels = k_tiles * kp
    got = np.array(
        [
            [out[k // cp, p] >> (8 * (k % cp)) & 0xFF for k in range(channels)]
            for p in range(pixels)
        ],
        np.uint8,
    ).view(np.int8)
    assert np.array_equal(got.reshape(out_rows, out_cols, k_tiles, kp), np.moveaxis(expected, 0, 2))
