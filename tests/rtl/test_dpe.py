"""The DPE, alone and as a packed pair, against Python's own sum of products."""

import random

import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator

from arch_model.machine.microarchitecture import DPE as LATENCY
from rtl.dpe import DPE, PackedDPE, less_borrow
from tests.rtl.simulate import bounded

EXTREMES = (
    ([-128] * 9, [-128] * 9, [-128] * 9),  # each product as large as can be
    ([127] * 9, [-128] * 9, [127] * 9),
    ([-128] * 9, [127] * 9, [-128] * 9),
    ([1, 2, 3, 4, 5, 6, 7, 8, 9], [1] * 9, [-1] * 9),
    ([-1] * 9, [1] * 9, [0] * 9),  # the lower sum is negative, the upper one 0
    ([1] + [0] * 8, [-1] + [0] * 8, [-128] + [0] * 8),  # v - 1 is -129
)


def packed(values, bits=8):
    return sum((v & ((1 << bits) - 1)) << bits * i for i, v in enumerate(values))


def operands():
    """Windows with two sets of weights, extremes first."""
    rng = random.Random(3)
    edges = (-128, -127, -1, 0, 1, 127)
    drawn = [
        tuple([rng.choice(edges) if n % 2 else rng.randint(-128, 127) for _ in range(9)] for _ in range(3))
        for n in range(200)
    ]
    return [*EXTREMES, *drawn]


def simulated(dut, drive, totals):
    """What ``totals`` give, a cycle each, for :func:`operands` one a cycle."""
    given, got = operands(), []

    async def bench(ctx):
        for window, low, high in given + [given[0]] * LATENCY:
            drive(ctx, window, low, high)
            await ctx.tick()
            got.append(tuple(ctx.get(total) for total in totals))

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
    return got[LATENCY - 1 : LATENCY - 1 + len(given)]


def dot(x, w):
    return sum(a * b for a, b in zip(x, w, strict=True))


def test_the_extremes_and_random_operands_one_a_cycle():
    dut = DPE()

    def drive(ctx, window, low, _):
        ctx.set(dut.window, packed(window))
        ctx.set(dut.weights, packed(low))

    got = simulated(dut, drive, [dut.total])
    assert got == [(dot(window, low),) for window, low, _ in operands()]
    assert got[:2] == [(9 * 16384,), (-9 * 16256,)]


def test_a_packed_pair_is_two_of_them():
    dut = PackedDPE()

    def drive(ctx, window, low, high):
        ctx.set(dut.window, packed(window))
        ctx.set(dut.low, packed(low))
        ctx.set(dut.high, packed([v - (u < 0) for u, v in zip(low, high, strict=True)], 9))

    got = simulated(dut, drive, [dut.total_low, dut.total_high])
    assert got == [(dot(window, low), dot(window, high)) for window, low, high in operands()]


@pytest.mark.parametrize(
    ("high", "negative", "expected"), [(-128, 1, -129), (0, 1, -1), (127, 1, 126), (-128, 0, -128)]
)
def test_the_borrow_of_a_negative_lower_weight(high, negative, expected):
    m, byte, sign, out = Module(), Signal(8), Signal(), Signal(9)
    m.d.comb += out.eq(less_borrow(byte, sign))

    async def bench(ctx):
        ctx.set(byte, high & 0xFF)
        ctx.set(sign, negative)
        assert ctx.get(out) == expected & 0x1FF

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()
