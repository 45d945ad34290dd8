"""The register table by hand, and what the RTL reads and keeps, bit by bit, as the table says."""

from __future__ import annotations

import doctest
from types import SimpleNamespace

import pytest

import rtl.registers as registers
from arch_model.machine.accelerator import Accelerator
from rtl.control import Control
from rtl.registers import ADDRESS, COUNTERS, FIELDS, REGISTERS, Access, Field, Register
from tests.rtl.simulate import simulate
from tests.rtl.test_control import Bus

MACHINE = {"kp": 5, "cp": 7, "beat_bytes": 64, "stripes": 4, "weight_stripes": 1, "pixels": 2}


def test_examples():
    assert doctest.testmod(registers).failed == 0


def test_by_hand():
    code = FIELDS["STATUS", "code"]
    assert (code.low, code.high, code.width, code.bits) == (8, 15, 8, " [15:8]")
    by_name = {register.name: register for register in REGISTERS}
    fields = Field("low", 0, 8, "one"), Field("bit", 8, 1, "two"), Field("top", 9, 20, "x")
    made = Register("MADE", 0, Access.READ, fields)
    assert made.doc == "one [7:0], two [8], x [28:9]"
    assert Register("MADE", 0, Access.READ, (Field("all", 0, 32, "a word"),)).doc == "a word"
    assert by_name["SHAPE"].reset_value(SimpleNamespace(**MACHINE)) == 0x0040_0705
    assert by_name["PORTS"].reset_value(SimpleNamespace(**MACHINE)) == 0x1_0204
    assert by_name["SHAPE"].reset_value(Accelerator.load("zcu104")) == 16 << 16 | 9 << 8 | 16


def test_fields_neither_overlap_nor_leave_the_word():
    for register in REGISTERS:
        used = [bit for field in register.fields for bit in range(field.low, field.high + 1)]
        assert used == sorted(set(used)) and used[-1] < 32, register.name
        assert len({field.name for field in register.fields}) == len(register.fields)
        assert register.address % 4 == 0 and register.address < 1 << registers.ADDRESS_BITS


@pytest.mark.parametrize("machine", [MACHINE, {"kp": 4, "cp": 3, "beat_bytes": 4}])
def test_the_hardware_has_these_registers(machine):
    """After reset every register reads its reset value; ones written stay in the bits that the table says."""
    dut = Control(**machine)
    bus = Bus(dut.s_axi_ctrl)
    kept = dict.fromkeys((Access.WRITE, Access.START), lambda r: sum((1 << f.width) - 1 << f.low for f in r.fields))

    async def bench(ctx):
        for register in REGISTERS:
            assert await bus.read(ctx, register.address) == register.reset_value(dut), register.name
        for register in REGISTERS:
            if register.access is Access.COMMAND:
                continue  # starts the machine
            before = register.reset_value(dut)
            await bus.write(ctx, register.address, 0xFFFFFFFF)
            after = kept.get(register.access, lambda _, before=before: before)(register)
            assert await bus.read(ctx, register.address) == after, register.name
        await bus.write(ctx, ADDRESS["CTRL"], 1)
        assert await bus.read(ctx, ADDRESS["CTRL"]) == 0
        assert await bus.read(ctx, ADDRESS["STATUS"]) == 1 << FIELDS["STATUS", "busy"].low
        ctx.set(dut.done, 1)
        await ctx.tick()
        ctx.set(dut.done, 0)
        pending = FIELDS["IRQ_STATUS", "pending"]
        assert await bus.read(ctx, ADDRESS["IRQ_STATUS"]) == 1 << pending.low
        await bus.write(ctx, ADDRESS["IRQ_STATUS"], 1 << pending.low)
        assert await bus.read(ctx, ADDRESS["IRQ_STATUS"]) == 0
        first = await bus.read(ctx, ADDRESS["CYCLES"])
        await bus.write(ctx, ADDRESS["CYCLES"], 0)
        assert await bus.read(ctx, ADDRESS["CYCLES"]) == first > 0 and len(COUNTERS) == 16

    simulate(dut, bench)
