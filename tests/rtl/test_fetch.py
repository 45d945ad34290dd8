"""FETCH: every command to its queue, whole and in order; the end, the errors, and the cycle costs."""

from __future__ import annotations

import random

import pytest

from arch_model.machine.microarchitecture import QUEUE_DEPTH
from arch_model.program.isa import FIELDS, SLOT_BYTES, SLOTS, Command, Opcode
from arch_model.program.limits import Limit
from arch_model.timing.reference_timing import Slots
from rtl.fetch import QUEUES, Fetch
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import pause

ORDINARY = (Opcode.LOAD_ACT, Opcode.LOAD_WGT, Opcode.PASS, Opcode.STORE)


def random_command(rng, opcode):
    """A command with random bits in every field."""
    fields = {}
    for field in FIELDS[opcode]:
        if field.name != "opcode":
            low = -(1 << field.bits - 1) if field.signed else 0
            fields[field.name] = low + rng.getrandbits(field.bits)
    return Command(opcode, fields)


def program(rng, count, end=True):
    return [random_command(rng, rng.choice(ORDINARY)) for _ in range(count)] + [Command(Opcode.END, {})] * end


def encoded(commands, size):
    """The Program's bytes, filled up to whole beats."""
    text = b"".join(command.encode() for command in commands)
    return text + bytes(-len(text) % size)


class Units:
    """The five units: each takes commands from its queue after pauses and is then busy for a while."""

    def __init__(self, dut, seed, stall, work):
        self.dut, self.seed, self.stall, self.work = dut, seed, stall, work
        self.received = {name: [] for name in QUEUES}
        self.taken = {name: [] for name in QUEUES}
        self.busy_until = dict.fromkeys(QUEUES, -1)
        self.halted = False

    async def __call__(self, ctx):
        rng = random.Random(f"{self.seed} units")
        cycle = 0
        ports = {name: getattr(self.dut, name) for name in QUEUES}
        while True:
            ready = {}
            for name, port in ports.items():
                ready[name] = not self.halted and cycle > self.busy_until[name] and rng.random() >= self.stall
                ctx.set(port.ready, ready[name])
            ctx.set(self.dut.idle_in, all(cycle > until for until in self.busy_until.values()))
            samples = [signal for port in ports.values() for signal in (port.valid, port.payload.as_value())]
            _, _, *values = await ctx.tick().sample(*samples)
            for i, name in enumerate(ports):
                if ready[name] and values[2 * i]:
                    size = SLOTS[QUEUES[name]] * SLOT_BYTES
                    self.received[name].append(Command.decode(values[2 * i + 1].to_bytes(size, "little")))
                    self.taken[name].append(cycle)
                    self.busy_until[name] = cycle + rng.randint(0, self.work)
            cycle += 1


async def start(ctx, dut, address, beats):
    ctx.set(dut.prog_addr, address)
    ctx.set(dut.prog_beats, beats)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    ctx.set(dut.prog_addr, 0xDEAD0000)  # sampled at start
    ctx.set(dut.prog_beats, 7)


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64, 128])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_random_programs(size, stall):
    """Three Programs one after the other, the units slow; ``done`` only when all has been taken and done."""
    seed = size + int(10 * stall)
    print(f"seed {seed}")
    rng = random.Random(seed)
    burst = min(16, 4096 // size)
    dut = Fetch(beat_bytes=size, max_burst=burst)
    memory = AxiMemory(1 << 14, size, burst, seed=seed, latency=rng.choice([1, 7, 30]), stall=stall)
    units = Units(dut, seed, stall, work=12)
    trace = Trace(done=dut.done, commands=dut.commands, beats=dut.beats, error=dut.error != 0)
    idle = Trace(idle=dut.idle_in)
    expected = {name: [] for name in QUEUES}
    counts = [0, 0]

    async def bench(ctx):
        for i in range(3):
            commands = program(rng, rng.randint(0, 25))
            rest = rng.randbytes(size * rng.choice([0, 0, 9]))  # after END: read and thrown away
            text = encoded(commands, size) + rest
            address = i * 4096 + size * rng.randint(0, 3)
            memory.data[address : address + len(text)] = text
            counts[0] += len(commands)
            counts[1] += len(text) // size
            for name, opcode in QUEUES.items():
                expected[name] += [command for command in commands if command.opcode == opcode]
            await pause(ctx, rng, 0.5)
            await start(ctx, dut, address, len(text) // size)
            await ctx.tick().until(dut.done)
            assert units.received == expected
            assert not ctx.get(dut.busy)

    simulate(dut, bench, units, lambda ctx: memory.read(ctx, dut.axi), trace, idle)
    assert len(trace["done"]) == 3 and not trace["error"]
    assert set(trace["done"]) <= set(idle["idle"])
    assert len(trace["commands"]) == counts[0]
    assert trace["beats"] == memory.reads.beats and len(trace["beats"]) == counts[1]


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64, 128])
@pytest.mark.parametrize("interval", [1, 2, 3])
def test_every_command_leaves_when_the_model_says(size, interval):
    """Units that stand still for long and then take commands fast: how far FETCH has read ahead by then matters."""
    seed = 10 * size + interval
    print(f"seed {seed}")
    rng = random.Random(seed)
    latency, burst = rng.choice([1, 7, 30]), min(16, 4096 // size)
    dut = Fetch(beat_bytes=size, max_burst=burst)
    memory = AxiMemory(1 << 13, size, burst, latency=latency, cycles_per_beat=interval, max_outstanding=99)
    commands = program(rng, 20)
    text = encoded(commands, size)
    memory.data[: len(text)] = text
    units = Units(dut, seed, 0.0, work=0)
    trace = Trace(commands=dut.commands)

    async def bench(ctx):
        await start(ctx, dut, 0, len(text) // size)
        while not ctx.get(dut.done):
            units.halted = rng.random() < 0.7
            for _ in range(rng.choice([3, 20, 150])):
                if not ctx.get(dut.done):
                    await ctx.tick()

    simulate(dut, bench, units, lambda ctx: memory.read(ctx, dut.axi), trace)
    slots, expected, given = Slots(size, interval, latency), [], dict.fromkeys(QUEUES, 0)
    for command in commands:
        for _ in range(SLOTS[command.opcode]):
            slots.leave()
        for name, opcode in QUEUES.items():
            if command.opcode == opcode:
                if given[name] >= QUEUE_DEPTH:
                    slots.stay(units.taken[name][given[name] - QUEUE_DEPTH] + 1)
                given[name] += 1
        expected.append(slots.left)
    assert trace["commands"] == expected


@pytest.mark.parametrize("size", [4, 32, 128])
def test_start_ignored_while_busy_and_done_waits_for_idle(size):
    dut = Fetch(beat_bytes=size, max_burst=4)
    memory = AxiMemory(4096, size, 4)
    memory.data[:128] = encoded([Command(Opcode.END, {})], 128)
    trace = Trace(done=dut.done, busy=dut.busy)

    async def bench(ctx):
        ctx.set(dut.idle_in, 0)
        beats = max(1, SLOT_BYTES // size)
        await start(ctx, dut, 0, beats)
        await ctx.tick().repeat(40)
        await start(ctx, dut, 2048, beats)
        await ctx.tick().repeat(40)
        ctx.set(dut.idle_in, 1)
        await ctx.tick().repeat(5)

    simulate(dut, bench, lambda ctx: memory.read(ctx, dut.axi), trace)
    assert trace["done"] == [82]
    assert trace["busy"] == list(range(1, 83))
    assert memory.reads.bursts[0].address == 0
    assert sum(burst.beats for burst in memory.reads.bursts) == max(1, SLOT_BYTES // size)


@pytest.mark.parametrize(
    ("queue", "count"), [("load_act", QUEUE_DEPTH), ("load_wgt", QUEUE_DEPTH), ("store", QUEUE_DEPTH)]
)
def test_queue_depth(queue, count):
    """With the unit standing still exactly four commands leave, and the rest waits."""
    dut = Fetch(beat_bytes=32, max_burst=16)
    memory = AxiMemory(4096, 32, 16)
    rng = random.Random(1)
    text = encoded([random_command(rng, QUEUES[queue]) for _ in range(8)], 32)
    memory.data[: len(text)] = text
    trace = Trace(commands=dut.commands)

    async def bench(ctx):
        await start(ctx, dut, 0, len(text) // 32)
        await ctx.tick().repeat(80)

    simulate(dut, bench, lambda ctx: memory.read(ctx, dut.axi), trace)
    assert len(trace["commands"]) == count


@pytest.mark.parametrize("held", ["feed", "run"])
def test_pass_needs_room_in_both_queues(held):
    """FEED or RUN standing still lets four PASS through to the other."""
    dut = Fetch(beat_bytes=32, max_burst=16)
    memory = AxiMemory(4096, 32, 16)
    rng = random.Random(2)
    text = encoded([random_command(rng, Opcode.PASS) for _ in range(8)], 32)
    memory.data[: len(text)] = text
    other = {"feed": "run", "run": "feed"}[held]
    trace = Trace(held=getattr(dut, held).valid, other=getattr(dut, other).valid & getattr(dut, other).ready)

    async def bench(ctx):
        ctx.set(getattr(dut, other).ready, 1)
        await start(ctx, dut, 0, len(text) // 32)
        await ctx.tick().repeat(80)

    simulate(dut, bench, lambda ctx: memory.read(ctx, dut.axi), trace)
    assert len(trace["other"]) == QUEUE_DEPTH
    assert trace["held"][0] == trace["other"][0]  # the same cycle


def failing(size, text, beats, bad=(), limits=(), misaligned=False, residual=False):
    """Run until the error; how many commands left, what the error is, and that it stays."""
    dut = Fetch(beat_bytes=size, max_burst=8, limits=limits)
    memory = AxiMemory(8192, size, 8)
    memory.data[: len(text)] = text
    memory.bad.update(bad)
    units = Units(dut, 1, 0.0, 1)
    trace = Trace(commands=dut.commands, done=dut.done)
    codes = []

    async def bench(ctx):
        ctx.set(dut.misaligned, misaligned)
        ctx.set(dut.residual, residual)
        await start(ctx, dut, 0, beats)
        await ctx.tick().until(dut.error != 0)
        codes.append(ctx.get(dut.error))
        await ctx.tick().repeat(30)
        await start(ctx, dut, 0, beats)  # no effect: a reset is needed
        await ctx.tick().repeat(30)
        codes.append(ctx.get(dut.error))
        assert ctx.get(dut.busy)

    simulate(dut, bench, units, lambda ctx: memory.read(ctx, dut.axi), trace)
    assert not trace["done"]
    return len(trace["commands"]), codes


@pytest.mark.parametrize("size", [4, 16, 32, 128])
def test_unknown_opcode(size):
    rng = random.Random(size)
    commands = program(rng, 3, end=False)
    text = b"".join(command.encode() for command in commands) + bytes([9]) + bytes(31)
    text += encoded(program(rng, 4), size)
    text += bytes(-len(text) % size)
    assert failing(size, text, len(text) // size) == (3, [1, 1])


@pytest.mark.parametrize("size", [4, 16, 32])
@pytest.mark.parametrize("cut", [False, True])
def test_program_without_end(size, cut):
    """No END; with ``cut`` it stops in the middle of a STORE."""
    rng = random.Random(size)
    commands = program(rng, 4, end=False)
    text = encoded([*commands, random_command(rng, Opcode.STORE)], size)
    beats = len(text) // size - (32 // size if cut else 0)
    assert failing(size, text, beats) == (4 if cut else 5, [2, 2])


def test_empty_program():
    assert failing(4, b"", 0) == (0, [2, 2])


@pytest.mark.parametrize("size", [4, 32])
def test_read_error(size):
    """The command in the bad beat, and all after it, do not leave."""
    text = encoded([random_command(random.Random(1), Opcode.LOAD_WGT)] * 5, size)
    assert failing(size, text, len(text) // size, bad=[64]) == (2, [3, 3])


@pytest.mark.parametrize("size", [4, 32, 128])
@pytest.mark.parametrize("opcode", ORDINARY)
@pytest.mark.parametrize(("multiple", "code"), [(4, 8), (1, 9)])
def test_a_command_that_breaks_a_limit(size, opcode, multiple, code):
    """Two legal ones leave, the third and what follows do not."""
    field = FIELDS[opcode][-1].name
    limit = Limit(opcode, field, "", high=0 if multiple == 1 else None, multiple=multiple)
    commands = [Command(opcode, {field: value}) for value in (0, 0, 1, 0)]
    text = encoded(commands, size)
    assert failing(size, text, len(text) // size, limits=[limit]) == (2, [code, code])


def test_limits_of_other_opcodes_and_of_what_is_not_reached_do_not_matter():
    limit = Limit(Opcode.STORE, "groups", "", low=1)
    text = encoded([Command(Opcode.LOAD_ACT, {}), Command(Opcode.PASS, {})], 32)
    assert failing(32, text, len(text) // 32, limits=[limit]) == (2, [2, 2])


def test_what_is_left_over_at_the_end():
    """Before the end it means nothing: all three commands leave, and END is read."""
    text = encoded(program(random.Random(1), 3), 32)
    assert failing(32, text, len(text) // 32, residual=True) == (4, [11, 11])


@pytest.mark.parametrize("after", [20, 45])
def test_nothing_is_dispatched_after_a_halt(after):
    """A command may leave in the cycle of the halt; then none does, and no ``done`` comes."""
    dut = Fetch(beat_bytes=32, max_burst=8)
    memory = AxiMemory(8192, 32, 8)
    text = encoded(program(random.Random(after), 60), 32)
    memory.data[: len(text)] = text
    trace = Trace(commands=dut.commands, done=dut.done, halt=dut.halt)

    async def bench(ctx):
        await start(ctx, dut, 0, len(text) // 32)
        await ctx.tick().repeat(after)
        ctx.set(dut.halt, 1)
        await ctx.tick().repeat(200)
        assert ctx.get(dut.busy)

    simulate(dut, bench, Units(dut, 1, 0.0, 1), lambda ctx: memory.read(ctx, dut.axi), trace)
    assert not trace["done"]
    assert trace["commands"] and trace["commands"][-1] <= trace["halt"][0]


def test_a_misaligned_start():
    """Nothing is read."""
    text = encoded([random_command(random.Random(1), Opcode.LOAD_WGT)] * 5, 32)
    assert failing(32, text, 5, misaligned=True) == (0, [8, 8])


def test_cycles():
    """The costs of the docstring, with 32-byte beats: a slot a cycle."""
    latency = 6
    dut = Fetch(beat_bytes=32, max_burst=16)
    memory = AxiMemory(4096, 32, 16, latency=latency)
    rng = random.Random(3)
    opcodes = [Opcode.LOAD_ACT, Opcode.LOAD_WGT, Opcode.PASS, Opcode.STORE, Opcode.LOAD_ACT, Opcode.END]
    text = encoded([random_command(rng, opcode) for opcode in opcodes], 32)
    memory.data[: len(text)] = text
    units = Units(dut, 1, 0.0, 0)
    trace = Trace(commands=dut.commands, done=dut.done)

    async def bench(ctx):
        await ctx.tick().repeat(2)
        await start(ctx, dut, 0, len(text) // 32)
        await ctx.tick().until(dut.done)

    simulate(dut, bench, units, lambda ctx: memory.read(ctx, dut.axi), trace)
    t = 2
    assert memory.reads.offered == [t + 1]
    first = memory.reads.beats[0]
    assert memory.reads.beats == list(range(t + 1 + latency, t + 8 + latency))
    # The STORE takes slots 3 and 4 and leaves with the second.
    assert trace["commands"] == [first + 1, first + 2, first + 3, first + 5, first + 6, first + 7]
    assert units.taken == {
        "load_act": [first + 3, first + 8],
        "load_wgt": [first + 4],
        "feed": [first + 5],
        "run": [first + 5],
        "store": [first + 7],
    }
    # END is read at first + 7; LOAD_ACT takes its command at first + 8 and is idle again at first + 9.
    assert trace["done"] == [first + 9]


def test_end_alone_takes_a_cycle():
    dut = Fetch(beat_bytes=32, max_burst=2)
    memory = AxiMemory(4096, 32, 2)
    memory.data[:32] = Command(Opcode.END, {}).encode()
    trace = Trace(commands=dut.commands, done=dut.done)

    async def bench(ctx):
        ctx.set(dut.idle_in, 1)
        await start(ctx, dut, 0, 1)
        await ctx.tick().until(dut.done)

    simulate(dut, bench, lambda ctx: memory.read(ctx, dut.axi), trace)
    assert trace["done"] == [trace["commands"][0] + 1]


@pytest.mark.parametrize(("name", "value"), [("beat_bytes", 12), ("max_burst", 5)])
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        Fetch(**{"beat_bytes": 4, "max_burst": 4} | {name: value})
