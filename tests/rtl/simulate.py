"""Test helpers: run a testbench to its end, and note the cycles in which signals are high."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from amaranth.sim import Simulator

Bench = Callable[[Any], Awaitable[None]]
"""A testbench, or what makes one: anything that, given the simulator's context, can be awaited."""


class ClosedQuietly(Simulator):
    """Amaranth's simulator, whose testbenches can be closed while they wait.

    After a failure those that still wait are closed. Amaranth's triggers answer that with a RuntimeError, which
    pytest would raise from its own code and so end the whole run of tests.
    """

    def add_testbench(self, constructor: Bench, *, background: bool = False) -> None:
        async def bench(ctx: Any) -> None:
            try:
                await constructor(ctx)
            except RuntimeError as error:
                if not isinstance(error.__context__, GeneratorExit):
                    raise

        super().add_testbench(bench, background=background)


def bounded(dut: Any, cycles: int = 20_000) -> Simulator:
    """A simulator with a clock, whose run is an AssertionError after ``cycles``: no test waits for ever."""

    async def limit(ctx: Any) -> None:
        for _ in range(cycles):
            await ctx.tick()
        raise AssertionError(f"no end after {cycles} cycles")

    sim = ClosedQuietly(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(limit, background=True)
    return sim


def simulate(dut: Any, bench: Bench, *backgrounds: Bench, cycles: int = 20_000) -> None:
    """Simulate ``dut`` until ``bench`` returns, with ``backgrounds``; AssertionError after ``cycles``."""
    sim = bounded(dut, cycles)
    for background in backgrounds:
        sim.add_testbench(background, background=True)
    sim.add_testbench(bench)
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
