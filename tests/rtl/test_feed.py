"""FEED: tiles in order from both memories, tokens, and a pass every KP + 2 cycles at the most."""

import random
from itertools import pairwise

import pytest

from arch_model.machine.accelerator import Accelerator, preset_names
from arch_model.machine.memories import memories
from arch_model.program.isa import Command, Memory, Opcode
from rtl.feed import Feed
from tests.machines import TINY
from tests.rtl.simulate import bounded, simulate
from tests.rtl.streams import pause


def loaded(word, cp, c, channel):
    """What a word becomes on its way: of a depthwise PASS the taps of one column, as those of a channel."""
    if not c["depthwise"]:
        return word
    taps = word.to_bytes(9 * cp, "little")[c["sub"] :: cp]
    return int.from_bytes(b"".join(bytes(tap * (i == channel) for i in range(cp)) for tap in taps), "little")


@pytest.mark.parametrize("dsp_packing", [False, True])
@pytest.mark.parametrize(
    ("kp", "cp", "stall", "seed"), [(4, 1, 0.0, 0), (4, 3, 0.4, 1), (1, 1, 0.3, 2), (3, 5, 0.7, 3), (2, 9, 0.0, 4)]
)
def test_tiles_arrive_in_order(kp, cp, stall, seed, dsp_packing):
    rng = random.Random(seed)
    dut = Feed(kp=kp, cp=cp, db_words=32 * kp, pb_words=32 * kp, dsp_packing=dsp_packing)
    other = int(dsp_packing and cp > 1)  # the channel of odd rows: the upper filters of pairs
    words = {memory: [rng.getrandbits(72 * cp) for _ in range(32 * kp)] for memory in (Memory.DB, Memory.PB)}
    commands = [
        {
            "memory": rng.choice([Memory.DB, Memory.PB]),
            "slot": rng.randrange(24),
            "reps": rng.randrange(1, 5),
            "depthwise": rng.getrandbits(1),
            "sub": rng.randrange(cp),
            "wait_weights": rng.getrandbits(1),
            "signal_weights": rng.getrandbits(1),
        }
        for _ in range(12)
    ]
    expected = [
        [loaded(words[c["memory"]][(c["slot"] + rep) * kp + k], cp, c, k % 2 * other) for k in range(kp)]
        for c in commands
        for rep in range(c["reps"])
    ]
    tiles, given, consumed = [], [], []

    async def put(ctx):
        for command in commands:
            await pause(ctx, rng, stall)
            value = int.from_bytes(Command(Opcode.PASS, command).encode(), "little")
            ctx.set(dut.command.payload.as_value(), value)
            ctx.set(dut.command.valid, 1)
            await ctx.tick().until(dut.command.ready)
            ctx.set(dut.command.valid, 0)

    async def tokens(ctx):
        """One token for each command that waits, at any time; taken only when there."""
        there, to_come = 0, sum(c["wait_weights"] for c in commands)
        taken = 0
        while len(tiles) < len(expected):
            if to_come and rng.random() >= stall:
                there, to_come = there + 1, to_come - 1
            ctx.set(dut.w_full.ready, there > 0)
            _, _, take, give = await ctx.tick().sample(dut.w_full.acquire, dut.w_free_release)
            assert not take or there
            there, taken = there - take, taken + take
            given.append(give)
        assert taken == sum(c["wait_weights"] for c in commands)

    async def memories(ctx):
        while True:
            *_, db, pb = await ctx.tick().sample(dut.db.addr, dut.pb.addr)
            ctx.set(dut.db.data, words[Memory.DB][db % len(words[Memory.DB])])
            ctx.set(dut.pb.data, words[Memory.PB][pb % len(words[Memory.PB])])

    async def consumer(ctx):
        shadow, cycle = [None] * kp, 0
        while len(tiles) < len(expected):
            ready = ctx.get(dut.shadow_full) and rng.random() >= stall
            ctx.set(dut.consume, ready)
            _, _, load_en, load_data = await ctx.tick().sample(dut.load_en, dut.load_data)
            if load_en:
                shadow[load_en.bit_length() - 1] = load_data
            if ready:
                tiles.append(list(shadow))
                consumed.append(cycle)
            cycle += 1
        ctx.set(dut.consume, 0)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.busy)

    sim = bounded(dut)
    sim.add_testbench(put)
    sim.add_testbench(memories, background=True)
    sim.add_testbench(tokens)
    sim.add_testbench(consumer)
    sim.run()
    assert tiles == expected
    assert sum(given) == sum(c["signal_weights"] for c in commands)
    gaps = [b - a for a, b in pairwise(consumed)]
    assert min(gaps) == kp + 2  # within a command, the rate that docs/concepts/machine.md states


LIMIT = TINY.replace(
    name="limit", array={"kp": 63, "cp": 5}, axi={"data_bits": 32}, buffers={"pb_bytes": 65536 * 63 * 45}
)


@pytest.mark.parametrize("machine", [*map(Accelerator.load, preset_names()), LIMIT], ids=lambda machine: machine.name)
def test_the_last_slot_is_read_to_its_last_word(machine):
    """Of both memories, by the widest slot that the machine has and the one that ends there."""
    depth = {name: memory.depth for name, memory in memories(machine).items()}
    dut = Feed(kp=machine.kp, cp=1, db_words=depth["db"], pb_words=depth["pb"])
    seen = []

    async def bench(ctx):
        for memory, slots in ((Memory.DB, 2 * machine.db_half_tiles), (Memory.PB, machine.pb_tiles)):
            command = Command(Opcode.PASS, {"memory": memory, "slot": slots - 1, "reps": 1}).encode()
            ctx.set(dut.command.payload.as_value(), int.from_bytes(command, "little"))
            ctx.set(dut.command.valid, 1)
            await ctx.tick().until(dut.command.ready)
            ctx.set(dut.command.valid, 0)
            port = dut.pb if memory is Memory.PB else dut.db
            for _ in range(machine.kp):
                seen.append((memory, ctx.get(port.addr)))
                await ctx.tick()
            ctx.set(dut.consume, 1)
            await ctx.tick().repeat(3)
            ctx.set(dut.consume, 0)

    simulate(dut, bench)
    last = {Memory.DB: depth["db"], Memory.PB: depth["pb"]}
    assert seen == [(memory, word) for memory in last for word in range(last[memory] - machine.kp, last[memory])]
