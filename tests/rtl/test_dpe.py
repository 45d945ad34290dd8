"""The DPE against Python's own sum of products."""

import random

from amaranth.sim import Simulator

from rtl.dpe import DPE, LATENCY


def packed(values):
    return sum((v & 0xFF) << 8 * i for i, v in enumerate(values))


def test_the_extremes_and_random_operands_one_a_cycle():
    rng = random.Random(3)
    operands = [([-128] * 9, [-128] * 9), ([127] * 9, [-128] * 9), ([1, 2, 3, 4, 5, 6, 7, 8, 9], [1] * 9)]
    operands += [([rng.randint(-128, 127) for _ in range(9)] for _ in range(2)) for _ in range(100)]
    operands = [tuple(pair) for pair in operands]
    dut, totals = DPE(), []

    async def bench(ctx):
        for window, weights in operands + [([0] * 9, [0] * 9)] * LATENCY:
            ctx.set(dut.window, packed(window))
            ctx.set(dut.weights, packed(weights))
            await ctx.tick()
            totals.append(ctx.get(dut.total))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    expected = [sum(x * w for x, w in zip(*pair, strict=True)) for pair in operands]
    assert expected[:3] == [9 * 16384, -9 * 16256, 45]
    assert totals[LATENCY - 1 : LATENCY - 1 + len(operands)] == expected
