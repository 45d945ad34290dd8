"""The accumulator: passes over the same pixels at the least distance that RUN keeps, with gaps in between."""

import numpy as np
import pytest

from rtl.accumulator import Accumulator
from tests.rtl.simulate import bounded

SHORTEST_PASS = 3  # KP + 2 cycles at KP = 1


@pytest.mark.parametrize(("seed", "first"), [(0, 0), (1, 0), (2, 0), (3, 65536 - 5)])
def test_partial_sums_add_up(seed, first):
    """In the OB's words from ``first`` on, its last ones."""
    rng = np.random.default_rng(seed)
    kp, pixels, passes = 2, 5, 4
    values = rng.integers(-(2**30), 2**30, (passes, pixels, kp))
    dut = Accumulator(kp=kp, pixels=first + pixels)
    # One entry a cycle: (pass, pixel) or None for a bubble. Passes are shorter than the OB on purpose.
    order = []
    for n in range(passes):
        for p in range(pixels):
            order += [None] * int(rng.integers(0, 2)) + [(n, p)]
        order += [None] * int(rng.integers(0, 2))
    got = {}

    async def bench(ctx):
        cycles = [*order, None, None]
        for now, after in zip([None, *cycles], [*cycles, None], strict=True):
            ctx.set(dut.pixel, first + (after[1] if after else int(rng.integers(pixels))))
            ctx.set(dut.valid, now is not None)
            if now:
                n, p = now
                ctx.set(dut.write_pixel, first + p)
                ctx.set(dut.start, n == 0)
                ctx.set(dut.finish, n == passes - 1)
                for k in range(kp):
                    ctx.set(dut.sums[k], int(values[n, p, k]))
            await ctx.tick()
            if now:
                got[now] = [ctx.get(dut.acc[k]) for k in range(kp)]

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
    assert pixels >= SHORTEST_PASS
    wrapped = (np.cumsum(values, axis=0) + 2**31) % 2**32 - 2**31  # int32 arithmetic wraps
    assert all(got[n, p] == wrapped[n, p].tolist() for n in range(passes) for p in range(pixels))
