"""Semaphore against a counter, and its latency."""

import random

from rtl.semaphore import Semaphore
from tests.rtl.simulate import simulate


def test_random_against_counter():
    seed = 3
    print("seed", seed)
    rng = random.Random(seed)
    dut = Semaphore()
    both = []

    async def bench(ctx):
        count = 0
        for i in range(3000):
            ready = ctx.get(dut.token.ready)
            assert ready == (count > 0)
            give = rng.random() < (0.9 if i < 1000 else 0.3) and count < 255
            take = ready and rng.random() < (0.1 if i < 1000 else 0.6)
            both.append(give and take)
            ctx.set(dut.release, give)
            ctx.set(dut.token.acquire, take)
            await ctx.tick()
            count += give - take

    simulate(dut, bench)
    assert any(both)


def test_all_of_255_tokens():
    dut = Semaphore()

    async def bench(ctx):
        assert not ctx.get(dut.token.ready)
        ctx.set(dut.release, 1)
        await ctx.tick()
        assert ctx.get(dut.token.ready)  # the cycle after the give
        await ctx.tick().repeat(254)
        ctx.set(dut.release, 0)
        ctx.set(dut.token.acquire, 1)
        for _ in range(255):
            assert ctx.get(dut.token.ready)
            await ctx.tick()
        assert not ctx.get(dut.token.ready)

    simulate(dut, bench)
