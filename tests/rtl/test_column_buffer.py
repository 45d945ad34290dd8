"""The column buffer: the window of every channel of a K-tile, from columns that come one a cycle."""

import numpy as np
import pytest

from rtl.column_buffer import ColumnBuffer
from tests.rtl.simulate import bounded


def number(values):
    return int.from_bytes(np.ascontiguousarray(values).astype(np.int8).tobytes(), "little")


@pytest.mark.parametrize(("kp", "cp", "seed"), [(4, 3, 0), (16, 9, 1), (1, 1, 2), (3, 5, 3), (8, 4, 4)])
def test_windows_follow_the_columns(kp, cp, seed):
    """Lanes, masks and fill change from cycle to cycle."""
    rng = np.random.default_rng(seed)
    step = np.gcd(kp, cp)
    words = rng.integers(-128, 128, (40, 3, 3 * cp))  # cycle, row, channel of three groups
    lanes = rng.integers(0, cp // step, 40) * step
    masks, fills = rng.integers(0, 2, (40, 3)), rng.integers(-128, 128, 40)
    dut, got = ColumnBuffer(kp=kp, cp=cp), []

    async def bench(ctx):
        for n in range(40):
            ctx.set(dut.words, number(words[n]))
            ctx.set(dut.lane, int(lanes[n]))
            ctx.set(dut.columns, int(masks[n] @ [1, 2, 4]))
            ctx.set(dut.fill, int(fills[n]))
            await ctx.delay(1e-9)
            windows = ctx.get(dut.windows).to_bytes(9 * kp, "little")
            got.append(np.frombuffer(windows, np.int8).reshape(kp, 3, 3))
            await ctx.tick()

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
    for n in range(3, 40):
        for j in range(3):
            source = n - 3 + j  # column 2 came one cycle before
            column = words[source][:, lanes[source] : lanes[source] + kp].T
            expected = column if masks[n, j] else np.full((kp, 3), fills[n])
            assert np.array_equal(got[n][:, :, j], expected)


def test_a_k_tile_in_four_groups_is_refused():
    with pytest.raises(ValueError, match="kp is 8; 3 groups of 3"):
        ColumnBuffer(kp=8, cp=3)
