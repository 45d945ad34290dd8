"""Control through its bus: registers, every order of address and data, counters, interrupt, latencies."""

from __future__ import annotations

import random

import pytest

from rtl.control import ADDRESS, COUNTERS, REGISTERS, Access, Control, register_table
from rtl.errors import ErrorCode
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import pause


class Bus:
    """An AXI4-Lite master; AW and W start and B and R are taken after independent random pauses."""

    def __init__(self, port, seed=0, stall=0.0):
        self.port, self.rng, self.stall = port, random.Random(seed), stall

    async def write(self, ctx, address, value, strobe=15):
        port = self.port
        delays = {name: await self.delay() for name in ("aw", "w")}
        ctx.set(port.awaddr, address)
        ctx.set(port.wdata, value)
        ctx.set(port.wstrb, strobe)
        todo, cycle = {"aw", "w"}, 0
        while todo:
            for name in todo:
                ctx.set(getattr(port, f"{name}valid"), cycle >= delays[name])
            _, _, aw, w = await ctx.tick().sample(port.awvalid & port.awready, port.wvalid & port.wready)
            for name, moved in (("aw", aw), ("w", w)):
                if moved:
                    todo.discard(name)
                    ctx.set(getattr(port, f"{name}valid"), 0)
            cycle += 1
        await pause(ctx, self.rng, self.stall)
        ctx.set(port.bready, 1)
        (response,) = await ctx.tick().sample(port.bresp).until(port.bvalid)
        ctx.set(port.bready, 0)
        assert response == 0

    async def delay(self):
        return self.rng.randint(0, 4) if self.rng.random() < self.stall else 0

    async def read(self, ctx, address):
        port = self.port
        await pause(ctx, self.rng, self.stall)
        ctx.set(port.araddr, address)
        ctx.set(port.arvalid, 1)
        await ctx.tick().until(port.arready)
        ctx.set(port.arvalid, 0)
        ctx.set(port.araddr, self.rng.getrandbits(8))
        await pause(ctx, self.rng, self.stall)
        ctx.set(port.rready, 1)
        value, response = await ctx.tick().sample(port.rdata, port.rresp).until(port.rvalid)
        ctx.set(port.rready, 0)
        assert response == 0
        return value


def control():
    return Control(kp=16, cp=9, beat_bytes=16, stripes=2, weight_stripes=4, pixels=4)


@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_registers(stall):
    """Constants, strobes, unmapped addresses and what cannot be written."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl, 1, stall)

    async def bench(ctx):
        assert await bus.read(ctx, 0x00) == 0x46535731
        assert await bus.read(ctx, 0x04) == 16 << 16 | 9 << 8 | 16
        await bus.write(ctx, 0x18, 0x12345678)
        await bus.write(ctx, 0x1C, 0xFFF54321)  # 20 bits
        assert await bus.read(ctx, 0x18) == 0x12345678
        assert await bus.read(ctx, 0x1C) == 0x54321
        await bus.write(ctx, 0x18, 0xAABBCCDD, strobe=0b0101)
        assert await bus.read(ctx, 0x18) == 0x12BB56DD
        await bus.write(ctx, 0x10, 1, strobe=0b1110)
        assert await bus.read(ctx, 0x10) == 0
        await bus.write(ctx, 0x10, 0xFF)
        assert await bus.read(ctx, 0x10) == 1
        assert await bus.read(ctx, 0x30) == 4 << 16 | 4 << 8 | 2
        bases = [0x20, 0x24, 0x28, 0x2C, 0x80, 0x84, 0x88, 0x8C]
        for i, address in enumerate(bases):
            await bus.write(ctx, address, 0x1000 * (i + 1))
        assert [await bus.read(ctx, address) for address in bases] == [0x1000 * (i + 1) for i in range(8)]
        mapped = {register.address for register in REGISTERS}
        before = {address: await bus.read(ctx, address) for address in sorted(mapped)}
        for address in range(0, 256, 4):
            if address not in (0x08, 0x10, 0x14, 0x18, 0x1C, 0x38, *bases):
                await bus.write(ctx, address, 0xFFFFFFFF)
        for address in range(0, 256, 4):
            assert await bus.read(ctx, address) == before.get(address, 0), hex(address)
        assert before[0x38] == 1 << 20
        await bus.write(ctx, 0x38, 0x89ABCDEF)
        assert await bus.read(ctx, 0x38) == 0x89ABCDEF
        await bus.write(ctx, 0x08, 0xFFFFFFFC)  # start is bit 0 only, reset bit 1
        await bus.write(ctx, 0x08, 3, strobe=0b1110)
        assert await bus.read(ctx, 0x0C) == 0

    simulate(dut, bench)


def test_a_program_keeps_the_registers_that_it_was_started_with():
    """Every START register is taken with the start, whatever is written to it before `done` or while it resets."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl)
    ports = [dut.prog_addr, dut.prog_beats, *dut.base, *dut.weight_base]
    names = ["PROG_ADDR", "PROG_BEATS", *(f"{kind}_{i}" for kind in ("BASE", "WGT_BASE") for i in range(4))]
    assert {register.name for register in REGISTERS if register.access is Access.START} == set(names)
    trace = Trace(start=dut.start)

    async def write(ctx, step):
        for i, name in enumerate(names):
            await bus.write(ctx, ADDRESS[name], step * (i + 1))

    def seen(ctx):
        return [ctx.get(port) for port in ports]

    async def bench(ctx):
        assert seen(ctx) == [0] * 10
        for step in (0x100, 0x300):
            await write(ctx, step)
            await bus.write(ctx, ADDRESS["CTRL"], 1)
            started = [step * (i + 1) for i in range(10)]
            assert seen(ctx) == started
            await write(ctx, step + 0x100)
            await bus.write(ctx, ADDRESS["CTRL"], 1)  # ignored: busy
            assert seen(ctx) == started
            if step == 0x100:
                ctx.set(dut.done, 1)
                await ctx.tick()
                ctx.set(dut.done, 0)
            else:
                await bus.write(ctx, ADDRESS["CTRL"], 2)
                await write(ctx, 0x700)
            assert seen(ctx) == started
        assert await bus.read(ctx, ADDRESS["BASE_2"]) == 0x700 * 5

    async def at_start(ctx):
        while True:
            _clk, _rst, start, first, last = await ctx.tick().sample(dut.start, dut.prog_addr, dut.weight_base[3])
            assert not start or (first and last == 10 * first), "valid together with start"

    simulate(dut, bench, at_start, trace)
    assert len(trace["start"]) == 2


@pytest.mark.parametrize("seed", range(4))
def test_counters_count_from_start_to_done(seed):
    """Every counter against a sum over the cycles from start to done; a second run begins at 0."""
    print(f"seed {seed}")
    dut = control()
    bus = Bus(dut.s_axi_ctrl, seed, 0.3)
    rng = random.Random(seed)
    ports = [register.port for register in COUNTERS if register.name != "CYCLES"]
    sums = dict.fromkeys(ports, 0)

    async def events(ctx):
        odds = {port: rng.random() for port in ports}
        counting = False
        while True:
            values = {port: rng.random() < odds[port] for port in ports}
            for port, value in values.items():
                ctx.set(getattr(dut, port), value)
            _, _, start, done = await ctx.tick().sample(dut.start, dut.done)
            if start:
                counting = True
                sums.update(dict.fromkeys(ports, 0))
            if counting:
                for port, value in values.items():
                    sums[port] += value
            counting = counting and not done

    async def bench(ctx):
        for _ in range(3):
            await bus.write(ctx, ADDRESS["CTRL"], 1)
            await ctx.tick().repeat(rng.randint(1, 60))
            assert await bus.read(ctx, ADDRESS["STATUS"]) == 1
            await bus.write(ctx, ADDRESS["CTRL"], 1)  # ignored while busy
            ctx.set(dut.done, 1)
            await ctx.tick()
            ctx.set(dut.done, 0)
            await ctx.tick().repeat(rng.randint(1, 20))
            assert await bus.read(ctx, ADDRESS["STATUS"]) == 2
            sums["cycles"] = trace["done"][-1] - trace["start"][-1] + 1
            for register in COUNTERS:
                assert await bus.read(ctx, register.address) == sums[register.port], register.name

    trace = Trace(start=dut.start, done=dut.done)
    simulate(dut, bench, events, trace)
    assert len(trace["start"]) == 3


def test_done_interrupt():
    dut = control()
    bus = Bus(dut.s_axi_ctrl)

    async def finish(ctx):
        await bus.write(ctx, 0x08, 1)
        ctx.set(dut.done, 1)
        await ctx.tick()
        ctx.set(dut.done, 0)

    async def bench(ctx):
        ctx.set(dut.done, 1)  # while idle it means nothing
        await ctx.tick().repeat(2)
        ctx.set(dut.done, 0)
        assert await bus.read(ctx, 0x14) == 0
        await finish(ctx)
        assert await bus.read(ctx, 0x14) == 1 and not ctx.get(dut.irq)
        await bus.write(ctx, 0x10, 1)
        assert ctx.get(dut.irq)
        await bus.write(ctx, 0x14, 0)
        assert ctx.get(dut.irq)
        await bus.write(ctx, 0x14, 1)
        assert not ctx.get(dut.irq) and await bus.read(ctx, 0x14) == 0
        assert await bus.read(ctx, 0x0C) == 2  # done stays until the next start
        await finish(ctx)
        assert ctx.get(dut.irq)

    simulate(dut, bench)


def test_no_interrupt_is_lost_while_software_clears_the_last_one():
    """In whatever cycle of the write it comes: IRQ_STATUS stays set, or STATUS tells it right after the write."""
    dut = control()
    port, bus = dut.s_axi_ctrl, Bus(dut.s_axi_ctrl)
    kept = []

    async def clear(ctx, cause, cycle):
        """Write IRQ_STATUS; address and data are accepted in cycle 0."""
        ctx.set(port.awaddr, 0x14)
        ctx.set(port.wdata, 1)
        ctx.set(port.wstrb, 1)
        ctx.set(port.bready, 1)
        for now in range(3):
            for valid in (port.awvalid, port.wvalid):
                ctx.set(valid, now == 0)
            ctx.set(cause, now == cycle)
            await ctx.tick()
        ctx.set(port.bready, 0)
        ctx.set(cause, 0)

    async def bench(ctx):
        await bus.write(ctx, 0x10, 1)
        for cause in (dut.done, dut.error):
            for cycle in range(3):
                await bus.write(ctx, 0x08, 1)
                await clear(ctx, cause, cycle)
                status = await bus.read(ctx, 0x0C)
                kept.append(await bus.read(ctx, 0x14))
                assert kept[-1] == ctx.get(dut.irq)
                assert status & 0b110
                ctx.set(dut.done, 1)
                await ctx.tick()
                ctx.set(dut.done, 0)

    simulate(dut, bench)
    assert kept == [0, 1, 1] * 2, "written at the end of cycle 1: what comes then stays"


@pytest.mark.parametrize("seed", range(2))
def test_reads_and_writes_at_once(seed):
    """A reader and a writer that do not know of each other, pausing at random: R has the values of the cycle of AR,
    and what is written has changed the bytes with a strobe, and no others, when B comes."""
    print(f"seed {seed}")
    dut = control()
    port, rng = dut.s_axi_ctrl, random.Random(seed)
    shown = {ADDRESS[name]: signal for name, signal in dut.written.items()}
    model, asked, answers, reading = dict.fromkeys(shown, 0), [], [], [True]

    async def watch(ctx):
        signals = port.arvalid & port.arready, port.araddr, port.rvalid & port.rready, port.rdata
        async for _clk, _rst, ar, address, r, data, *values in ctx.tick().sample(*signals, *shown.values()):
            now = dict(zip(shown, values, strict=True))
            if r:
                answers.append(data)
            if ar:
                asked.append(now.get(address & ~3, 0))

    async def read(ctx):
        bus = Bus(port, seed, 0.4)
        for _ in range(60):
            await bus.read(ctx, rng.choice([*shown, 0xF0, 0x3C]) | rng.randrange(4))
        reading.clear()

    async def write(ctx):
        bus = Bus(port, seed + 100, 0.4)
        while reading:
            address, value, strobe = rng.choice([*shown, 0xF0, 0x04]), rng.getrandbits(32), rng.randrange(16)
            await bus.write(ctx, address | rng.randrange(4), value, strobe)
            if address in shown:
                mask = sum(0xFF << 8 * i for i in range(4) if strobe >> i & 1)
                mask &= 0xFFFFF if address == 0x1C else 0xFFFFFFFF
                model[address] = model[address] & ~mask | value & mask
            assert {at: ctx.get(signal) for at, signal in shown.items()} == model

    simulate(dut, write, read, watch)
    assert len(answers) == 60 and answers == asked
    assert len(set(answers)) > 15


def test_first_error_is_kept():
    """An error interrupts at once; the machine is busy until done, and the next start clears the error."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl)

    async def pulse(ctx, code):
        ctx.set(dut.error, code)
        await ctx.tick()
        ctx.set(dut.error, 0)

    async def bench(ctx):
        await pulse(ctx, 4)  # not started
        assert await bus.read(ctx, 0x0C) == 0
        await bus.write(ctx, 0x10, 1)
        await bus.write(ctx, 0x08, 1)
        await pulse(ctx, 6)
        assert ctx.get(dut.irq)
        await pulse(ctx, 7)
        assert await bus.read(ctx, 0x0C) == 6 << 8 | 0b101
        await bus.write(ctx, 0x14, 1)
        await pulse(ctx, 7)
        assert not ctx.get(dut.irq)  # one interrupt for the first error
        await bus.write(ctx, 0x08, 1)
        assert await bus.read(ctx, 0x0C) == 6 << 8 | 0b101
        ctx.set(dut.done, 1)
        await ctx.tick()
        ctx.set(dut.done, 0)
        assert ctx.get(dut.irq)
        assert await bus.read(ctx, 0x0C) == 6 << 8 | 0b110
        await bus.write(ctx, 0x08, 1)
        assert await bus.read(ctx, 0x0C) == 1

    simulate(dut, bench)


@pytest.mark.parametrize("code", ErrorCode)
def test_the_command_of_an_error(code):
    """A unit tells the number of its command; for the others it is the number of commands dispatched."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl)

    async def bench(ctx):
        await bus.write(ctx, 0x08, 1)
        ctx.set(dut.commands, 1)
        await ctx.tick().repeat(5)
        ctx.set(dut.commands, 0)
        ctx.set(dut.order, 77)
        ctx.set(dut.error, code)
        await ctx.tick()
        ctx.set(dut.order, 78)
        await ctx.tick()
        ctx.set(dut.error, 0)
        assert await bus.read(ctx, 0x34) == (77 if code in (4, 5, 6, 7, 13, 14, 15, 16) else 5)
        assert await bus.read(ctx, 0x0C) == code << 8 | 0b101
        await bus.write(ctx, 0x08, 2)
        ctx.set(dut.drained, 1)
        await ctx.tick().repeat(3)
        assert await bus.read(ctx, 0x34) == 0 == await bus.read(ctx, 0x0C)

    simulate(dut, bench)


def test_reset_waits_until_drained():
    """Busy and resetting until then, whatever else happens; registers stay; ``clear`` is one cycle."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl)
    trace = Trace(clear=dut.clear, start=dut.start)

    async def bench(ctx):
        await bus.write(ctx, 0x18, 0x1000)
        await bus.write(ctx, 0x38, 90)
        await bus.write(ctx, 0x08, 1)
        ctx.set(dut.progress, 1)
        await bus.write(ctx, 0x08, 3)  # reset wins over start
        ctx.set(dut.progress, 0)
        assert ctx.get(dut.draining)
        ctx.set(dut.done, 1)
        ctx.set(dut.error, 5)
        await ctx.tick()
        ctx.set(dut.done, 0)
        ctx.set(dut.error, 0)
        await ctx.tick().repeat(60)
        await bus.write(ctx, 0x08, 1)  # ignored: busy
        assert await bus.read(ctx, 0x0C) == 0b1001 and await bus.read(ctx, 0x14) == 0
        ctx.set(dut.drained, 1)
        await ctx.tick().repeat(5)
        assert await bus.read(ctx, 0x0C) == 0 and await bus.read(ctx, 0x18) == 0x1000
        await bus.write(ctx, 0x08, 2)  # also of a machine that stands still
        await ctx.tick().repeat(5)
        assert await bus.read(ctx, 0x0C) == 0
        await bus.write(ctx, 0x08, 1)
        assert await bus.read(ctx, 0x0C) == 1

    simulate(dut, bench, trace)
    assert len(trace["clear"]) == 2 and len(trace["start"]) == 2


async def resets(ctx, bus):
    """CTRL's reset of a machine that has nothing under way."""
    await bus.write(ctx, ADDRESS["CTRL"], 2)
    await ctx.tick().repeat(3)


@pytest.mark.parametrize("code", [code for code in ErrorCode if code.of_port])
@pytest.mark.parametrize("before", [0, ErrorCode.READ_ACT, ErrorCode.OPCODE])
def test_a_port_that_breaks_a_rule_ends_the_program(code, before):
    """Its code replaces that of any other error, `done` is ignored, and BUS keeps the port, all until reset."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl)
    trace = Trace(halt=dut.halt)

    async def pulse(ctx, **values):
        for name, value in values.items():
            ctx.set(getattr(dut, name), value)
        await ctx.tick()
        for name in values:
            ctx.set(getattr(dut, name), 0)

    async def bench(ctx):
        ctx.set(dut.drained, 1)
        await bus.write(ctx, ADDRESS["CTRL"], 1)
        await pulse(ctx, error=before)
        await pulse(ctx, error=code, broke=0b10, done=1)
        await pulse(ctx, error=ErrorCode.PROTOCOL_PROG, broke=0b1)  # a second one
        await pulse(ctx, done=1)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == code << 8 | 0b101
        assert await bus.read(ctx, ADDRESS["BUS"]) == 0b11
        await resets(ctx, bus)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 0 == await bus.read(ctx, ADDRESS["BUS"])
        assert not ctx.get(dut.halt)
        await bus.write(ctx, ADDRESS["CTRL"], 1)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 1

    simulate(dut, bench, trace)
    assert trace["halt"]


def test_a_port_that_breaks_a_rule_between_two_programs_has_the_next_start_refused():
    dut = control()
    bus = Bus(dut.s_axi_ctrl)
    trace = Trace(start=dut.start, irq=dut.irq)

    async def bench(ctx):
        ctx.set(dut.drained, 1)
        await bus.write(ctx, ADDRESS["IRQ_ENABLE"], 1)
        ctx.set(dut.error, ErrorCode.PROTOCOL_WGT)
        ctx.set(dut.broke, 0b100)
        await ctx.tick()
        ctx.set(dut.error, 0)
        ctx.set(dut.broke, 0)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 13 << 8 | 0b100, "seen while the machine is idle"
        await bus.write(ctx, ADDRESS["IRQ_STATUS"], 1)
        assert not ctx.get(dut.irq)
        await bus.write(ctx, ADDRESS["CTRL"], 1)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 13 << 8 | 0b101 and ctx.get(dut.irq)
        assert await bus.read(ctx, ADDRESS["COMMANDS"]) == 0
        await resets(ctx, bus)
        await bus.write(ctx, ADDRESS["CTRL"], 1)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 1

    simulate(dut, bench, trace)
    assert len(trace["start"]) == 1


@pytest.mark.parametrize("patience", [40, 300])
def test_a_reset_gives_up_when_nothing_has_moved_for_watchdog_cycles(patience):
    """Broken then, busy and still draining; a start is ignored; another reset tries again."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl)
    trace = Trace(moved=dut.moved, start=dut.start, clear=dut.clear)
    first = []

    async def bench(ctx):
        await bus.write(ctx, ADDRESS["WATCHDOG"], patience)
        await bus.write(ctx, ADDRESS["CTRL"], 2)
        for _ in range(5):
            ctx.set(dut.moved, 1)
            await ctx.tick()
            ctx.set(dut.moved, 0)
            await ctx.tick().repeat(patience - 10)
        await ctx.tick().repeat(patience + 10)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 0b10001
        await bus.write(ctx, ADDRESS["CTRL"], 1)
        await ctx.tick().repeat(patience + 10)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 0b10001 and ctx.get(dut.draining)
        ctx.set(dut.drained, 1)
        await ctx.tick().repeat(5)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 0b10001, "only when it is asked to"
        await bus.write(ctx, ADDRESS["CTRL"], 2)
        await ctx.tick().repeat(5)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 0 and not ctx.get(dut.draining)
        await bus.write(ctx, ADDRESS["CTRL"], 1)
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 1

    async def gave_up(ctx):
        cycle = 0
        async for _clk, _rst, draining, broken in ctx.tick().sample(dut.draining, dut.broken):
            if broken and not first:
                assert draining
                first.append(cycle)
            cycle += 1

    simulate(dut, bench, gave_up, trace)
    assert len(trace["start"]) == len(trace["clear"]) == 1
    assert first == [trace["moved"][-1] + patience + 2]


@pytest.mark.parametrize("patience", [0, 1, 40])
def test_watchdog(patience):
    """As many cycles without progress while busy, counted anew from every progress; 0 waits for ever."""
    dut = control()
    bus = Bus(dut.s_axi_ctrl)
    trace = Trace(irq=dut.irq, progress=dut.progress)

    async def bench(ctx):
        await bus.write(ctx, 0x38, patience)
        await bus.write(ctx, 0x10, 1)
        await ctx.tick().repeat(100)
        ctx.set(dut.progress, 1)
        await bus.write(ctx, 0x08, 1)
        ctx.set(dut.progress, 0)
        await ctx.tick().repeat(max(patience - 2, 1))
        ctx.set(dut.progress, 1)
        await ctx.tick()
        ctx.set(dut.progress, 0)
        await ctx.tick().repeat(100)
        assert await bus.read(ctx, 0x0C) == (10 << 8 | 0b101 if patience else 1)

    simulate(dut, bench, trace)
    assert trace["irq"][:1] == ([trace["progress"][-1] + patience + 2] if patience > 1 else trace["irq"][:1])
    assert bool(trace["irq"]) == bool(patience)


def test_a_watchdog_that_is_made_shorter_than_what_has_passed_barks_at_once():
    dut = control()
    bus = Bus(dut.s_axi_ctrl)

    async def bench(ctx):
        await bus.write(ctx, 0x38, 10_000)
        await bus.write(ctx, 0x08, 1)
        await ctx.tick().repeat(300)
        assert await bus.read(ctx, 0x0C) == 1
        await bus.write(ctx, 0x38, 100)
        await ctx.tick().repeat(2)
        assert await bus.read(ctx, 0x0C) == 10 << 8 | 0b101

    simulate(dut, bench)


def test_address_before_after_and_with_data():
    """AW and W are taken without waiting for each other, and a write needs both."""
    dut = control()
    port = dut.s_axi_ctrl

    async def offer(ctx, name):
        ctx.set(getattr(port, f"{name}valid"), 1)
        await ctx.tick().until(getattr(port, f"{name}ready"))
        ctx.set(getattr(port, f"{name}valid"), 0)

    async def bench(ctx):
        ctx.set(port.awaddr, 0x18)
        ctx.set(port.wstrb, 15)
        for value, order in ((5, ("aw", "w")), (6, ("w", "aw"))):
            ctx.set(port.wdata, value)
            await offer(ctx, order[0])
            for _ in range(4):
                _, _, valid = await ctx.tick().sample(port.bvalid)
                assert not valid and ctx.get(dut.written["PROG_ADDR"]) != value
            await offer(ctx, order[1])
            ctx.set(port.bready, 1)
            await ctx.tick().until(port.bvalid)
            ctx.set(port.bready, 0)
            assert ctx.get(dut.written["PROG_ADDR"]) == value

    simulate(dut, bench)


def test_cycles():
    """R one cycle after AR, start and B two after AW and W; a read a cycle, a write every two."""
    dut = control()
    port = dut.s_axi_ctrl
    trace = Trace(
        ar=port.arvalid & port.arready,
        r=port.rvalid & port.rready,
        aw=port.awvalid & port.awready,
        w=port.wvalid & port.wready,
        b=port.bvalid & port.bready,
        start=dut.start,
    )

    async def bench(ctx):
        await ctx.tick().repeat(2)
        for name in ("arvalid", "awvalid", "wvalid", "rready", "bready"):
            ctx.set(getattr(port, name), 1)
        ctx.set(port.awaddr, 0x08)
        ctx.set(port.wdata, 1)
        ctx.set(port.wstrb, 1)
        await ctx.tick().repeat(6)

    simulate(dut, bench, trace)
    assert trace["ar"] == [2, 3, 4, 5, 6, 7] and trace["r"] == [3, 4, 5, 6, 7]
    assert trace["aw"] == trace["w"] == [2, 4, 6] and trace["b"] == [4, 6]
    assert trace["start"] == [4]


def test_register_table():
    """Addresses of docs/reference/registers.md; each once, in order, a word apart at least; a row of the table each."""
    by_hand = {"CTRL": 0x08, "STATUS": 0x0C, "PROG_BEATS": 0x1C, "CYCLES": 0x40, "BUSY_STORE": 0x58}
    by_hand |= {"BEATS_PROG": 0x5C, "BEATS_OUT": 0x6C, "PASSES": 0x70, "WAIT_SB": 0x74, "WAIT_OUT": 0x7C}
    assert by_hand.items() <= ADDRESS.items()
    addresses = [register.address for register in REGISTERS]
    assert addresses == sorted(set(addresses)) and all(address % 4 == 0 for address in addresses)
    table = register_table()
    assert len(table.splitlines()) == len(REGISTERS) + 2
    assert "| 0x08 | CTRL | write, reads 0 |" in table
    assert all(register.access is Access.COUNT for register in REGISTERS if 0x40 <= register.address < 0x80)


@pytest.mark.parametrize(("name", "value"), [("kp", 0), ("cp", 256), ("beat_bytes", 65536)])
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        Control(**{"kp": 4, "cp": 3, "beat_bytes": 4} | {name: value})
