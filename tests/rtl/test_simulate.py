"""No simulation of the tests runs for ever, whatever the hardware does."""

import gc
from pathlib import Path

import pytest
from amaranth import Module, Signal
from amaranth.lib.wiring import Component, Out

from tests.rtl.simulate import bounded, simulate

TESTS = Path(__file__).parents[1]


class Dead(Component):
    """A unit that never answers."""

    def __init__(self):
        super().__init__({"valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += Signal().eq(1)  # so that there is a clock
        return m


async def for_ever(ctx):
    while True:
        await ctx.tick()


def test_a_wait_for_what_never_comes_ends():
    dut = Dead()

    async def wait(ctx):
        await ctx.tick().until(dut.valid)

    with pytest.raises(AssertionError, match="no end after 50 cycles"):
        simulate(dut, wait, for_ever, cycles=50)
    sim = bounded(Dead(), cycles=30)
    sim.add_testbench(for_ever)
    with pytest.raises(AssertionError, match="no end after 30 cycles"):
        sim.run()
    del sim
    gc.collect()  # a testbench that refuses to be closed would end the whole run of tests here


def test_every_simulation_with_a_clock_has_a_bound():
    """Clocks are made by :func:`tests.rtl.simulate.bounded` alone, and cocotb's by benches that bound each wait."""
    clocks = {
        path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py") if ".add_clock" + "(" in path.read_text()
    }
    assert clocks == {"rtl/simulate.py"}
