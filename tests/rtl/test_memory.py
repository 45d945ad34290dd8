"""BlockMemory: registered read, old data on a collision, byte enables."""

import random

import pytest
from amaranth.sim import Simulator

from rtl.memory import BlockMemory


@pytest.mark.parametrize(("width", "depth", "granularity", "seed"), [(24, 7, 8, 0), (32, 16, 32, 1), (8, 1, 8, 2)])
def test_it_is_an_array_read_a_cycle_later(width, depth, granularity, seed):
    rng = random.Random(seed)
    dut = BlockMemory(width, depth, granularity)
    model = [0] * depth
    parts = width // granularity

    async def bench(ctx):
        for addr in range(depth):  # no reset: give every word a value first
            model[addr] = rng.getrandbits(width)
            ctx.set(dut.write_en, -1)
            ctx.set(dut.write_addr, addr)
            ctx.set(dut.write_data, model[addr])
            await ctx.tick()
        for _ in range(300):
            enable, data = rng.getrandbits(parts), rng.getrandbits(width)
            write, read = rng.randrange(depth), rng.randrange(depth)
            ctx.set(dut.write_en, enable)
            ctx.set(dut.write_addr, write)
            ctx.set(dut.write_data, data)
            ctx.set(dut.read_addr, read)
            before = model[read]
            for part in range(parts):
                if enable >> part & 1:
                    mask = ((1 << granularity) - 1) << part * granularity
                    model[write] = model[write] & ~mask | data & mask
            await ctx.tick()
            assert ctx.get(dut.read_data) == before

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize(("arguments", "name"), [((8, 0), "depth"), ((10, 4, 8), "granularity")])
def test_a_wrong_shape_is_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        BlockMemory(*arguments)
