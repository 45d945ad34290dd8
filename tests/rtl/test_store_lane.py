"""The arithmetic of a channel: hand-computed values, and the largest pool."""

import pytest

from rtl.store_lane import StoreLane
from tests.rtl.simulate import simulate

LANE = {"z_a": 0, "z_b": 0, "m_b": 0, "shift": 0, "z_out": 0, "lo": -128, "hi": 127, "use_a": 1, "use_b": 0,
        "multiply": 0}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "a", "b", "y"),
    [
        ({"m_a": 1, "shift": 1}, 1, 0, 0),  # 0.5 to even 0
        ({"m_a": 1, "shift": 1}, 3, 0, 2),  # 1.5 to even 2
        ({"m_a": 1, "shift": 1}, -1, 0, 0),
        ({"m_a": 1, "shift": 1}, -3, 0, -2),
        ({"m_a": 3, "shift": 2}, 1, 0, 1),  # 0.75
        ({"m_a": 5, "shift": 2}, -1, 0, -1),  # -1.25
        ({"m_a": 1, "shift": 0, "z_out": 100}, 27, 0, 127),
        ({"m_a": 1, "shift": 0, "z_out": 100}, 28, 0, 127),  # clamped
        ({"m_a": (1 << 24) - 1, "z_a": -128, "z_out": -128}, 127, 0, 127),  # far above ten bits
        ({"m_a": (1 << 24) - 1, "z_a": 127, "z_out": 127, "lo": -7}, -128, 0, -7),
        ({"m_a": 1, "shift": 63}, -128, 0, 0),
        ({"m_a": 1, "z_a": 5, "m_b": 2, "z_b": -3, "use_b": 1}, 10, 4, 19),  # 5 + 14
        ({"m_a": 1, "z_a": 5, "m_b": 2, "z_b": -3, "use_a": 0, "use_b": 1}, 10, 4, 14),
        ({"z_a": 5, "z_b": -3, "use_b": 1, "multiply": 1, "shift": 1}, 10, 4, 18),  # 5 * 7 / 2 = 17.5 to even 18
        ({"z_a": 127, "z_b": -128, "use_b": 1, "multiply": 1, "shift": 9}, -128, 127, -127),  # -255 * 255 / 512
        ({"z_a": 0, "z_b": 0, "use_b": 1, "multiply": 1}, -128, -128, 127),
    ],
)
def test_lane_by_hand(fields, a, b, y):
    dut = StoreLane()
    values = LANE | fields | {"a": a, "b": b, "add": 1, "first": 1, "keep": 1}
    values["below"] = ((1 << values["shift"]) >> 1) - 1 & (1 << 48) - 1

    async def bench(ctx):
        for name, value in values.items():
            ctx.set(getattr(dut, name), value)
        await ctx.tick().repeat(6)
        assert ctx.get(dut.y) == y

    simulate(dut, bench)


def test_lane_holds_the_largest_pool():
    """2**14 values of 2 * 255 * (2**24 - 1) fit in 48 bits: over 2**41 they are 63.75, less a little."""
    dut = StoreLane()
    top = (1 << 24) - 1
    values = LANE | {"m_a": top, "m_b": top, "z_a": -128, "z_b": -128, "use_b": 1, "shift": 41, "keep": 1}
    values |= {"below": (1 << 40) - 1, "a": 127, "b": 127, "add": 1, "first": 1}

    async def bench(ctx):
        for name, value in values.items():
            ctx.set(getattr(dut, name), value)
        await ctx.tick().repeat(4)
        ctx.set(dut.first, 0)
        await ctx.tick().repeat((1 << 14) - 1 + 2)
        assert ctx.get(dut.y) == 64

    simulate(dut, bench, cycles=1 << 15)
