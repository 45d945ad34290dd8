"""Shared units: one module of all that are made alike, with the ports of the signature, behaving as the body does."""

import gc
import re

import pytest
from amaranth import Module, Signal
from amaranth.hdl import Fragment
from amaranth.lib.wiring import In, Out

from rtl.netlist import Netlist, SharedUnit, without_collector, without_memory_contents
from tests.rtl.simulate import simulate


class Adder(SharedUnit):
    """``y`` is ``x`` and ``amount``, a cycle later."""

    def __init__(self, amount, width=8):
        self.amount = amount
        super().__init__({"x": In(width).array(2), "y": Out(width)})

    @property
    def sizes(self):
        return f"by{self.amount}" if self.amount > 1 else ""

    def body(self, platform):
        m = Module()
        m.d.sync += self.y.eq(self.x[0] + self.x[1] + self.amount)
        return m


class Twice(SharedUnit):
    """Two adders behind one another: a shared unit of shared units."""

    def __init__(self):
        super().__init__({"x": In(8), "y": Out(8)})

    def body(self, platform):
        m = Module()
        m.submodules.first, m.submodules.second = first, second = Adder(1), Adder(1)
        m.d.comb += [first.x[0].eq(self.x), second.x[0].eq(first.y), self.y.eq(second.y)]
        return m


def modules_of(*units):
    netlist, m = Netlist(), Module()
    for number, unit in enumerate(units):
        m.submodules[f"unit_{number}"] = unit
    Fragment.get(m, netlist)
    return re.findall(r"^module \\(\S+)$", netlist.rtlil, re.M)


def test_units_made_alike_are_one_module():
    assert modules_of(Adder(1), Adder(1), Adder(1)) == ["fastswitch_adder"]


def test_units_made_with_something_else_are_others_by_their_sizes_or_by_number():
    names = modules_of(Adder(1), Adder(2), Adder(2, width=4), Adder(2))
    assert names == ["fastswitch_adder", "fastswitch_adder_by2", "fastswitch_adder_by2__2"]


def test_a_shared_unit_may_hold_shared_units():
    assert modules_of(Twice(), Adder(1), Twice()) == ["fastswitch_adder", "fastswitch_twice"]


def test_the_ports_are_those_of_the_signature_and_a_clock():
    netlist = Netlist()
    Fragment.get(Adder(1), netlist)
    ports = re.findall(r"wire width \d+ (?:input|output) \d+ +\\(\S+)", netlist.rtlil)
    assert set(ports) == {"clk", "rst", "x__0", "x__1", "y"}


def test_a_simulation_elaborates_the_body():
    unit, m = Twice(), Module()
    m.submodules.unit = unit
    seen = []

    async def drive(ctx):
        ctx.set(unit.x, 40)
        await ctx.tick().repeat(2)
        seen.append(ctx.get(unit.y))

    simulate(m, drive)
    assert seen == [42]


def test_only_memory_contents_are_taken_out():
    rtlil = "  cell $memrd_v2 $1\n  end\n  cell $meminit_v2 $2\n    parameter \\WORDS 4\n  end\n  cell $add $3\n  end\n"
    assert without_memory_contents(rtlil) == "  cell $memrd_v2 $1\n  end\n  cell $add $3\n  end\n"


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was_even_after_an_error(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ZeroDivisionError), without_collector():
            assert not gc.isenabled()
            Signal(1 // 0)
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
