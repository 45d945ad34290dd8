"""The walk over the SB's banks against the formula of its docstring, pixel by pixel."""

from __future__ import annotations

import random

import pytest

from arch_model.machine.accelerator import TAPS
from rtl.bank_walk import BankWalk
from tests.rtl.simulate import simulate


def place(c, g, y, x):
    """(bank, word) of a pixel."""
    if c["pointwise"]:
        block, bank = divmod(c["first_group"] + g, TAPS)
        return bank, c["sb_base"] + block * c["group_step"] + y * c["row_step"] + x
    row, column = c["first_row"] + y, x + (c["first_group"] + g) % 3 * c["skew"]
    word = c["sb_base"] + g * c["group_step"] + row // 3 * c["row_step"] + column // 3
    return 3 * (row % 3) + column % 3, word


def tensor(rng, fold):
    pointwise = rng.random() < 0.4
    return {
        "pointwise": int(pointwise),
        "skew": int(not pointwise and rng.random() < 0.5),
        "folded": int(not pointwise and fold > 1 and rng.random() < 0.5),
        "sb_base": rng.randrange(1000),
        "row_step": rng.randrange(200),
        "group_step": rng.randrange(2000),
        "first_row": 0 if pointwise else rng.randrange(3),
        "first_group": rng.randrange(TAPS),
    }


@pytest.mark.parametrize(("pixels", "fold"), [(1, 1), (2, 1), (2, 2), (4, 1), (4, 3)])
def test_every_pixel_has_its_place(pixels, fold):
    rng, dut = random.Random(10 * pixels + fold), BankWalk(pixels, fold)

    async def bench(ctx):
        for _ in range(6):
            c = tensor(rng, fold)
            groups, rows, cols = rng.randint(1, 12), rng.randint(1, 5), rng.randint(1, 11)
            together = fold if c["folded"] else pixels
            for name, value in c.items():
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.begin, 1)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            for name in c:
                ctx.set(getattr(dut, name), 0)  # they are taken in the cycle of begin
            for g in range(groups):
                for y in range(rows):
                    for first in range(0, cols, together):
                        while rng.random() < 0.3:  # no word: nothing is written, nothing moves
                            assert not any(ctx.get(bank) for bank in dut.bank)
                            await ctx.tick()
                        there, ends = min(together, cols - first), first + together >= cols
                        ctx.set(dut.there, (1 << there) - 1)
                        ctx.set(dut.row_ends, ends)
                        ctx.set(dut.group_ends, ends and y == rows - 1)
                        ctx.set(dut.step, 1)
                        for i in range(pixels):
                            bank, word = place(c, g, y, first + i)
                            assert ctx.get(dut.bank[i]) == (1 << bank if i < there else 0), (c, g, y, first, i)
                            assert i >= there or ctx.get(dut.addr[i]) == word, (c, g, y, first, i)
                        await ctx.tick()
                        ctx.set(dut.step, 0)

    simulate(dut, bench)
