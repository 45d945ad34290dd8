"""Test helpers for ready/valid streams: put, get and watch, with seeded random stalls on either side.

Testbenches of the Amaranth simulator (``sim.add_testbench``) await them; values are sampled just before
the clock edge, so several testbenches need no order among themselves.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any


async def pause(ctx: Any, rng: random.Random, stall: float) -> int:
    """Let cycles pass, each with probability ``stall`` (below 1); how many passed."""
    cycles = 0
    while rng.random() < stall:
        await ctx.tick()
        cycles += 1
    return cycles


async def stream_put(
    ctx: Any, stream: Any, payloads: Iterable[Any], rng: random.Random | None = None, stall: float = 0.0
) -> None:
    """Offer ``payloads`` one after another; before each, pause with probability ``stall`` a cycle.

    A payload is an integer, or a mapping for a stream of structures. Without stalls ``valid`` stays high.
    """
    rng = rng or random.Random(0)
    for payload in payloads:
        await pause(ctx, rng, stall)
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)


async def stream_get(
    ctx: Any, stream: Any, count: int, rng: random.Random | None = None, stall: float = 0.0
) -> list[Any]:
    """Accept ``count`` payloads; before each, ``ready`` is low with probability ``stall`` a cycle."""
    rng = rng or random.Random(0)
    received = []
    for _ in range(count):
        await pause(ctx, rng, stall)
        ctx.set(stream.ready, 1)
        (payload,) = await ctx.tick().sample(stream.payload).until(stream.valid)
        ctx.set(stream.ready, 0)
        received.append(payload)
    return received


async def stream_watch(ctx: Any, stream: Any) -> None:
    """Background testbench: an offered payload must stay, unchanged, until it is accepted."""
    waiting = None
    async for _clk, rst, valid, ready, payload in ctx.tick().sample(stream.valid, stream.ready, stream.payload):
        if rst:
            waiting = None
            continue
        if waiting is not None:
            assert valid, "valid fell before ready"
            assert payload == waiting, f"payload changed while waiting: {waiting} to {payload}"
        waiting = payload if valid and not ready else None


async def token_feed(ctx: Any, port: Any, count: int, rng: random.Random, stall: float = 0.0) -> list[int]:
    """Be the semaphore behind a ``acquire()`` port: grant ``count`` tokens, return the cycles of their use.

    ``ready`` is high while a token is there; a ``take`` without one fails.
    """
    cycle, taken = 0, []
    while len(taken) < count:
        there = rng.random() >= stall
        ctx.set(port.ready, there)
        _clk, _rst, take = await ctx.tick().sample(port.acquire)
        if take:
            assert there, "took a token that is not there"
            taken.append(cycle)
        cycle += 1
    ctx.set(port.ready, 0)
    return taken
