"""A PB that is full to its last word, on the RTL: a linear layer of as many weight tiles as the PB has slots.

    python bench/full_pb.py --accelerator u50
    python bench/full_pb.py --accelerator tiny --simulator icarus

The first Program fills the PB while it computes, the second finds every tile there. u50's PB has 81,920 words, more
than an address of 16 bits reaches. Its Verilator build takes minutes, and is kept.
"""

from __future__ import annotations

import time

import click
import numpy as np

from arch_model.errors import FastSwitchError, MappingError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.program.program import Program
from mapper.layout.dram_image import image_segment, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from sim.integers.random_integers import random_integers
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.outcome import run_program
from sim.rtl_bench.simulators import find_simulator


def linear(k_tiles: int, c_tiles: int, accelerator: Accelerator) -> tuple[SuperNet, SubNet]:
    """A SuperNet of one linear layer of whole tiles, and the SubNet that is all of it."""
    k, c = k_tiles * accelerator.kp, c_tiles * TAPS * accelerator.cp
    subnet = SubNet("full-pb", "full-pb", (Layer("layer", Kind.LINEAR, k, c, inputs=(INPUT,)),))
    return SuperNet("full-pb", (Layer("layer", Kind.LINEAR, k, c),), lambda: subnet, lambda _: {}, ("full-pb",)), subnet


def fill(accelerator: Accelerator, seed: int) -> tuple[tuple[Program, Program], tuple, dict[str, np.ndarray]]:
    """The two Programs, what is in DRAM before, and every tensor after; MappingError if no layer fills the PB."""
    slots = accelerator.pb_tiles
    shapes = [(n, slots // n) for n in range(1, slots + 1) if slots % n == 0]
    for k_tiles, c_tiles in sorted(shapes, key=lambda shape: abs(shape[0] - shape[1])):
        supernet, subnet = linear(k_tiles, c_tiles, accelerator)
        drawn = random_integers(subnet, seed)
        weights = {
            "layer": np.random.default_rng((seed, 1)).integers(-127, 128, (*_shape(subnet), 1, 1), dtype=np.int8)
        }
        try:
            places = MemoryMap.build(supernet, [subnet], accelerator)
            held = PersistentBuffer.of(SubGraph(supernet.name, (_shape(subnet),)), supernet, accelerator)
            states = (PersistentBuffer.empty(supernet), held), (held, held)
            filling, finding = (
                compile_subnet(subnet, supernet, accelerator, drawn.quant, places, *state) for state in states
            )
        except MappingError:
            continue
        segments = (
            *weights_segments(places, weights),
            *zsb_segments(places, subnet, weights, drawn.quant),
            image_segment(places, subnet, drawn.image),
        )
        expected = {INPUT: drawn.image, **run_layers(subnet.layers, weights, drawn.quant, drawn.image)}
        return (filling, finding), segments, expected
    raise MappingError(f"{accelerator.name}: no linear layer of {slots} weight tiles fits its other buffers")


def _shape(subnet: SubNet) -> tuple[int, int]:
    layer = subnet.layers[0]
    return layer.K, layer.C


@click.command()
@click.option("--accelerator", default="u50", show_default=True, help="A preset or a file.")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), default="verilator", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(accelerator: str, simulator: str, seed: int) -> None:
    """Run both Programs and print a row for each."""
    try:
        a = Accelerator.load(accelerator)
        programs, segments, expected = fill(a, seed)
        click.echo(f"{a.name}: PB of {a.pb_tiles} tiles, {a.pb_tiles * a.kp} words")
        click.echo(
            "| Program | passes from the PB | last slot | predicted | simulated | mismatches | error | seconds |"
        )
        click.echo("|---|---|---|---|---|---|---|---|")
        with Bench(build(a, find_simulator(simulator))) as bench:
            for name, program in zip(("fills", "finds"), programs, strict=True):
                begin = time.monotonic()
                outcome = run_program(bench, program, segments, expected)
                passes = [c for c in program.commands if c.opcode.name == "PASS" and c["memory"]]
                last = max((c["slot"] + c["reps"] - 1 for c in passes), default="none")
                cells = (
                    name,
                    sum(c["reps"] for c in passes),
                    last,
                    outcome.predicted.cycles,
                    outcome.result.cycles,
                    f"{outcome.mismatches} of {expected['layer'].size}",
                    outcome.result.error_code,
                    f"{time.monotonic() - begin:.0f}",
                )
                click.echo("| " + " | ".join(map(str, cells)) + " |")
    except FastSwitchError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
