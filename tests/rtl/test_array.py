"""The array: stationary weights, swapped between two windows that follow each other."""

import numpy as np
import pytest
from amaranth.hdl import Fragment

from arch_model.machine.microarchitecture import ARRAY
from rtl.array import Array
from rtl.dpe import DPE, PackedDPE
from tests.rtl.simulate import bounded


def word(values):
    return int.from_bytes(values.astype(np.int8).tobytes(), "little")


@pytest.mark.parametrize("dsp_packing", [False, True])
@pytest.mark.parametrize(("kp", "cp", "seed"), [(4, 3, 0), (1, 1, 1), (3, 5, 2), (2, 1, 3)])
def test_a_swap_changes_the_weights_from_one_window_to_the_next(kp, cp, seed, dsp_packing):
    rng = np.random.default_rng(seed)
    tiles = rng.integers(-128, 128, (3, kp, 9, cp))
    windows = rng.integers(-128, 128, (3, 8, 9, cp))
    dut, got = Array(kp=kp, cp=cp, dsp_packing=dsp_packing), []

    async def bench(ctx):
        async def load(tile, k):
            ctx.set(dut.load_en, 1 << k)
            ctx.set(dut.load_data, word(tile[k]))

        for k in range(kp):
            await load(tiles[0], k)
            await ctx.tick()
        ctx.set(dut.load_en, 0)
        ctx.set(dut.swap, 1)
        await ctx.tick()
        for n in range(3):
            for i in range(8):
                # The next tile arrives while this one works; the swap comes with the last window.
                ctx.set(dut.load_en, 0)
                if n < 2 and i < kp:
                    await load(tiles[n + 1], i)
                ctx.set(dut.swap, i == 7)
                ctx.set(dut.window, word(windows[n, i]))
                await ctx.tick()
                got.append([ctx.get(dut.sums[k]) for k in range(kp)])
        ctx.set(dut.swap, 0)
        for _ in range(ARRAY):
            await ctx.tick()
            got.append([ctx.get(dut.sums[k]) for k in range(kp)])

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
    expected = np.einsum("nitc,nktc->nik", windows, tiles).reshape(24, kp)
    assert np.array_equal(got[ARRAY - 1 : ARRAY - 1 + 24], expected)


@pytest.mark.parametrize("dsp_packing", [False, True])
@pytest.mark.parametrize(("kp", "cp", "seed"), [(4, 3, 3), (2, 1, 4), (3, 2, 5), (1, 2, 6), (5, 1, 7)])
def test_filters_with_windows_of_their_own(kp, cp, seed, dsp_packing):
    """Shared, own and greatest in turns, a window a cycle, with the same weights: every filter's in one channel."""
    rng = np.random.default_rng(seed)
    taps = rng.integers(-128, 128, (kp, 9))
    taps[:2] = rng.choice([-128, -1, 0, 127], (min(kp, 2), 9))  # a pair's borrows beside weights that are 0
    weights = np.zeros((kp, 9, cp), int)
    for k in range(kp):  # of a pair the upper filter's in channel 1
        weights[k, :, k % 2 if dsp_packing and cp > 1 else 0] = taps[k]
    shared, own = rng.integers(-128, 128, (30, 9, cp)), rng.integers(-128, 128, (30, kp, 9))
    modes = rng.choice(["shared", "own", "maximum"], 30)
    dut, got = Array(kp=kp, cp=cp, dsp_packing=dsp_packing), []

    async def bench(ctx):
        for k in range(kp):
            ctx.set(dut.load_en, 1 << k)
            ctx.set(dut.load_data, word(weights[k]))
            await ctx.tick()
        ctx.set(dut.load_en, 0)
        ctx.set(dut.swap, 1)
        await ctx.tick()
        ctx.set(dut.swap, 0)
        for n in range(30 + ARRAY):
            if n < 30:
                ctx.set(dut.window, word(shared[n]))
                ctx.set(dut.own, word(own[n]))
                ctx.set(dut.use_own, modes[n] != "shared")
                ctx.set(dut.maximum, modes[n] == "maximum")
            await ctx.tick()
            got.append([ctx.get(dut.sums[k]) for k in range(kp)])

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
    expected = {
        "shared": np.einsum("ntc,ktc->nk", shared, weights),
        "own": np.einsum("nkt,kt->nk", own, taps),
        "maximum": own.max(axis=2),
    }
    rows = [expected[mode][n].tolist() for n, mode in enumerate(modes)]
    assert got[ARRAY - 1 : ARRAY - 1 + 30] == rows


@pytest.mark.parametrize(
    ("kp", "cp", "depthwise", "pairs", "single"),
    [
        (4, 3, True, 6, 0),
        (5, 2, True, 4, 2),  # the last filter is alone
        (4, 1, True, 0, 4),  # no second channel for the upper filters' own windows
        (4, 1, False, 2, 0),
        (1, 3, True, 0, 3),
    ],
)
def test_who_shares_multipliers(kp, cp, depthwise, pairs, single):
    array = Fragment.get(Array(kp=kp, cp=cp, dsp_packing=True, depthwise=depthwise), None)
    engines = [type(fragment.origins[0]) for fragment, name, _ in array.subfragments if name.startswith("dpe_")]
    assert engines.count(PackedDPE) == pairs and engines.count(DPE) == single


def test_an_empty_array_is_refused():
    with pytest.raises(ValueError, match="0 × 3"):
        Array(kp=0, cp=3)
