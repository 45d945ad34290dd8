"""Test helpers: run a testbench to its end, and note the cycles in which signals are high."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from amaranth.sim import Simulator

Bench = Callable[[Any], Awaitable[None]]
"""A testbench, or what makes one: anything that, given the simulator's context, can be awaited."""


def bounded(dut: Any, cycles: int = 20_000) -> Simulator:
    """A simulator with a clock, whose run is an AssertionError after ``cycles``: no test waits for ever."""

    async def limit(ctx: Any) -> None:
        for _ in range(cycles):
            await ctx.tick()
        raise AssertionError(f"no end after {cycles} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(limit, background=True)
    return sim


def simulate(dut: Any, bench: Bench, *backgrounds: Bench, cycles: int = 20_000) -> None:
    """Simulate ``dut`` until ``bench`` returns, with ``backgrounds``; AssertionError after ``cycles``."""

    def coroutine(function: Bench) -> Bench:
        async def call(ctx: Any) -> None:
            await function(ctx)

        return call

    sim = bounded(dut, cycles)
    for background in backgrounds:
        sim.add_testbench(coroutine(background), background=True)
    sim.add_testbench(coroutine(bench))
    sim.run()


class Trace:
    """Background testbench: ``cycles[name]`` lists the cycles in which that signal was 1.

    Cycles count from the start of the simulation, as in :class:`tests.rtl.axi_memory.Log`.
    """

    def __init__(self, **signals: Any) -> None:
        self.signals: Mapping[str, Any] = signals
        self.cycles: dict[str, list[int]] = {name: [] for name in signals}

    def __getitem__(self, name: str) -> list[int]:
        return self.cycles[name]

    async def __call__(self, ctx: Any) -> None:
        cycle = 0
        async for _clk, _rst, *values in ctx.tick().sample(*self.signals.values()):
            for name, value in zip(self.signals, values, strict=True):
                if value:
                    self.cycles[name].append(cycle)
            cycle += 1
