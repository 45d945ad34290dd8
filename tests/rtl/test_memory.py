"""BlockMemory: registered read, old data on a collision, byte enables. SplitMemory: several words on one side."""

import random

import pytest
from amaranth import Signal

from rtl.memory import BlockMemory, SplitMemory, check_reach
from tests.rtl.simulate import bounded


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

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 7, 18, 20, 31])
def test_beyond_the_depth_there_is_another_word(depth):
    dut, seen = BlockMemory(8, depth), []

    async def bench(ctx):
        ctx.set(dut.write_en, 1)
        for addr in range(depth):
            ctx.set(dut.write_addr, addr)
            ctx.set(dut.write_data, addr + 1)
            await ctx.tick()
        ctx.set(dut.write_en, 0)
        for addr in range(1 << dut.address_bits):
            ctx.set(dut.read_addr, addr)
            await ctx.tick()
            seen.append(ctx.get(dut.read_data) - 1)

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
    assert seen[:depth] == list(range(depth))
    assert depth == 1 or all(word in range(depth) for word in seen)


@pytest.mark.parametrize(("arguments", "name"), [((8, 0), "depth"), ((10, 4, 8), "granularity")])
def test_a_wrong_shape_is_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        BlockMemory(*arguments)


@pytest.mark.parametrize(("writes", "reads"), [(1, 1), (2, 1), (4, 1), (1, 2), (1, 4)])
@pytest.mark.parametrize("depth", [16, 23])
def test_words_that_follow_each_other_move_together(writes, reads, depth):
    seed = 100 * writes + 10 * reads + depth
    print("seed", seed)
    rng = random.Random(seed)
    dut = SplitMemory(16, depth, writes=writes, reads=reads, granularity=8)
    model = [0] * depth

    async def bench(ctx):
        for step in range(400):
            first = rng.randrange(depth - writes + 1)
            if step < depth:  # no reset: give every word a value first
                first = min(step, depth - writes)
            for i in range(writes):
                enable = 3 if step < depth else rng.randrange(4)
                data = rng.getrandbits(16)
                ctx.set(dut.write_en[i], enable)
                ctx.set(dut.write_addr[i], first + i)
                ctx.set(dut.write_data[i], data)
                mask = (enable & 1) * 0xFF | (enable >> 1) * 0xFF00
                model[first + i] = model[first + i] & ~mask | data & mask
            await ctx.tick()
            for i in range(writes):
                ctx.set(dut.write_en[i], 0)
            read = rng.randrange(depth - reads + 1)
            ctx.set(dut.read_addr, read)
            await ctx.tick()
            if step >= depth:
                assert [ctx.get(word) for word in dut.read_data] == model[read : read + reads]

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()


def test_a_wrong_number_of_words_is_named():
    with pytest.raises(ValueError, match="writes is 3"):
        SplitMemory(8, 16, writes=3)


@pytest.mark.parametrize(("bits", "depth"), [(1, 2), (3, 7), (16, 65_536), (17, 65_537), (17, 81_920)])
def test_an_address_reaches_the_last_word_or_is_refused(bits, depth):
    check_reach("it", depth, Signal(bits))
    with pytest.raises(ValueError, match=rf"{bits} bits reaches {1 << bits} words of it, which has {(1 << bits) + 1}"):
        check_reach("it", (1 << bits) + 1, Signal(bits))


@pytest.mark.parametrize("memory", [BlockMemory(8, 300), SplitMemory(8, 300, writes=2), SplitMemory(8, 300, reads=4)])
def test_a_memory_takes_no_address_that_is_too_narrow(memory):
    first = (0,) if isinstance(memory, SplitMemory) else ()
    memory.read_at(Signal(9), "it"), memory.write_at(*first, Signal(9), "it")
    with pytest.raises(ValueError, match="256 words of it, which has 300"):
        memory.read_at(Signal(8), "it")
    with pytest.raises(ValueError, match="256 words of it, which has 300"):
        memory.write_at(*first, Signal(8), "it")
