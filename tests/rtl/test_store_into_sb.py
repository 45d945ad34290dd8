"""STORE into the SB: every result at its place and no other write, tokens and the end in their cycles."""

from __future__ import annotations

import random

import pytest

from arch_model.machine.microarchitecture import STORE_KEPT
from rtl.store import Store
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.simulate import Trace, simulate
from tests.rtl.streams import stream_put, token_feed
from tests.rtl.test_bank_walk import place
from tests.rtl.test_store import REGION, SHAPES, command, expect, output_side, plain, ports, timed


def to_sb(rng, c, only):
    """The fields of a command that writes into the SB as well, or alone: then others do not matter."""
    pointwise = rng.random() < 0.4
    c = c | {"to_sb": 1, "sb_only": int(only), "pointwise": int(pointwise), "signal_kept": 1, "signal_free": 1}
    c |= {"skew": int(not pointwise and rng.random() < 0.5), "first_row": 0 if pointwise else rng.randrange(3)}
    c |= {"first_group": rng.randrange(9), "sb_base": rng.randrange(100), "row_step": rng.randint(8, 20)}
    c |= {"group_step": rng.randint(60, 100), "wait_loaded": rng.randrange(2)}
    if only:
        c |= {name: rng.randrange(16) for name in ("addr", "run_beats", "run_stride", "pad")}
    return c


def in_sb(c, cp, memory, base):
    """By (bank, word) the pixels of a result whose rows lie in ``memory`` from ``base`` on, without padding."""
    rows, cols = (1, 1) if c["pool"] else (c["rows"], c["cols"])
    pixels = {}
    for g in range(c["groups"]):
        for y in range(rows):
            for x in range(cols):
                at = base + ((g * rows + y) * cols + x) * cp
                pixels[place(c, g, y, x)] = bytes(memory[at : at + cp])
    return pixels


def result_of(c, cp, nb, size, banks, memory):
    """The result's pixels one after another, whatever the command says of DRAM."""
    rows, cols = (1, 1) if c["pool"] else (c["rows"], c["cols"])
    scratch = bytearray(memory) + bytes(c["groups"] * rows * cols * cp)
    close = c | {"addr": len(memory), "run_stride": rows * cols * cp, "pad": 0}
    expect(close, cp, nb, size, banks, scratch)
    return scratch[len(memory) :]


@pytest.mark.parametrize("seed", range(6))
def test_results_in_the_sb(seed):
    """Every pixel at its place, no other write; tokens and the end in the cycles of the docstring, under stalls."""
    rng = random.Random(100 + seed)
    pixels = (1, 2, 4)[seed % 3]
    cp, nb, size = rng.choice(SHAPES) if pixels == 1 else rng.choice([(9, 3, 32), (3, 2, 4), (1, 4, 8), (4, 1, 16)])
    stall, count = rng.choice([0.0, 0.4]), 5
    dut = Store(cp=cp, nb=nb, beat_bytes=size, max_burst=rng.choice([2, 16]), pixels=pixels)
    memory = AxiMemory(REGION * (2 * count + 1), size, 16, seed=seed, latency=rng.choice([1, 30]), stall=stall)
    banks, serve = output_side(dut, rng)
    expected, found, words = bytearray(memory.data), {}, []
    trace = Trace(
        accept=dut.command.valid & dut.command.ready,
        take=dut.loaded.acquire,
        free=dut.out_free_release,
        kept=dut.kept_release,
        stored=dut.stored_release,
        busy=dut.busy,
        write=dut.sb_writes,
    )
    commands = []

    async def writes(ctx):
        ports = [signal for i in range(pixels) for signal in (dut.sb.bank[i], dut.sb.addr[i], dut.sb.data[i])]
        while True:
            _, _, en, *values = await ctx.tick().sample(dut.sb_writes, *ports)
            for bank, word, pixel in zip(values[::3], values[1::3], values[2::3], strict=True):
                assert en or not bank
                if bank:
                    where = bank.bit_length() - 1, word
                    assert bank == 1 << where[0] and where not in found, (bank, word)
                    found[where] = pixel.to_bytes(cp, "little")

    async def bench(ctx):
        for i in range(count):
            c = to_sb(rng, command(rng, cp, nb, size, 2 * i + 1, 2 * i), rng.random() < 0.6)
            commands.append(c)
            made = result_of(c, cp, nb, size, banks, expected)
            if not c["sb_only"]:
                expect(c, cp, nb, size, banks, expected)
            found.clear()
            await stream_put(ctx, dut.command, [c], rng, stall)
            while ctx.get(dut.busy):
                await ctx.tick()
            await ctx.tick()
            assert found == in_sb(c, cp, made, 0), f"command {i}: {c}"
            assert memory.data == expected and not ctx.get(dut.residual)
            words.append(len(trace["write"]))

    def feed(port):
        return lambda ctx: token_feed(ctx, port, 1000, random.Random(seed), stall)

    simulate(dut, bench, serve, feed(dut.out_full), feed(dut.loaded), writes, *ports(dut, memory), trace)
    assert trace["kept"] == [read + STORE_KEPT for read in trace["free"]]
    assert len(trace["take"]) == sum(c["wait_loaded"] for c in commands)
    ends = [t for t in trace["busy"] if t + 1 not in set(trace["busy"])]
    for c, kept, end in zip(commands, trace["kept"], ends, strict=True):
        assert (end == kept) if c["sb_only"] else end >= kept
    assert trace["stored"] == [end for c, end in zip(commands, ends, strict=True) if c["signal_stored"]]


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_cycles_of_results_in_the_sb_alone(pixels):
    """Two groups of 5 by 7 pixels: a word a cycle, kept STORE_KEPT after the last read, the next command in a cycle."""
    dut = Store(cp=3, nb=2, beat_bytes=4, max_burst=16, pixels=pixels)
    memory = AxiMemory(4 * REGION, 4, 16, latency=40)
    c = plain(3, 2, 4, groups=2, rows=5, cols=7) | {"to_sb": 1, "sb_only": 1, "row_step": 3, "group_step": 6}
    trace = timed(dut, memory, [c, c])
    t, following = trace["accept"]
    last = t + 10 * -(-7 // pixels)
    assert trace["free"][0] == last and trace["stored"][0] == last + STORE_KEPT
    assert following == last + STORE_KEPT + 1
    assert not memory.writes.beats
