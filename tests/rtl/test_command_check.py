"""CommandCheck against the limits' own Python meaning, on random commands and on both sides of every limit."""

import random

import pytest
from amaranth.sim import Simulator

from arch_model.program.isa import FIELDS, Command, Opcode
from arch_model.program.limits import first_broken, limits
from rtl.command_check import CommandCheck
from tests.arch_model.program.test_limits import CASES, LEGAL
from tests.machines import TINY, WIDE

CHECKED = (Opcode.LOAD_ACT, Opcode.LOAD_WGT, Opcode.PASS, Opcode.STORE)


def combinational(dut, bench):
    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def judged(opcode, accelerator, commands):
    """(unaligned, out of range) for each command, as the gates say."""
    dut = CommandCheck(opcode, limits(accelerator))
    seen = []

    async def bench(ctx):
        for command in commands:
            ctx.set(dut.command.as_value(), int.from_bytes(command.encode(), "little"))
            await ctx.delay(1e-7)
            seen.append((bool(ctx.get(dut.unaligned)), bool(ctx.get(dut.out_of_range))))

    combinational(dut, bench)
    return seen


def meant(command, accelerator):
    known = limits(accelerator)
    kinds = [tuple(limit for limit in known if (limit.multiple > 1) == aligned) for aligned in (True, False)]
    return tuple(first_broken(command, kind) is not None for kind in kinds)


@pytest.mark.parametrize("accelerator", [TINY, WIDE], ids=lambda a: a.name)
@pytest.mark.parametrize("opcode", CHECKED)
def test_random_commands(opcode, accelerator):
    """Legal ones with up to three fields at random, small or large."""
    rng = random.Random(opcode)
    fields = [field for field in FIELDS[opcode] if field.name != "opcode"]
    commands = []
    for _ in range(400):
        values = dict(LEGAL[opcode])
        for field in rng.sample(fields, rng.randint(0, 3)):
            bits = rng.randint(1, field.bits - field.signed) if field.bits > field.signed else 1
            value = rng.getrandbits(bits)
            values[field.name] = -value - 1 if field.signed and rng.random() < 0.5 else value
        commands.append(Command(opcode, values))
    expected = [meant(command, accelerator) for command in commands]
    assert judged(opcode, accelerator, commands) == expected
    assert {(False, False), (False, True)} <= set(expected)


@pytest.mark.parametrize("opcode", CHECKED)
def test_either_side_of_every_limit(opcode):
    for _, right, wrong, _ in (case for case in CASES if case[0] is opcode):
        commands = [Command(opcode, LEGAL[opcode] | fields) for fields in (right, wrong)]
        (legal, illegal) = judged(opcode, TINY, commands)
        assert not any(legal) and any(illegal), wrong


def test_without_limits_everything_is_legal():
    dut = CommandCheck(Opcode.PASS, ())

    async def bench(ctx):
        ctx.set(dut.command.as_value(), (1 << 256) - 1)
        await ctx.delay(1e-7)
        assert not ctx.get(dut.unaligned) and not ctx.get(dut.out_of_range)

    combinational(dut, bench)
