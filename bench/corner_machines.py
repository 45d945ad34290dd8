"""Random machines with edges of every knob on the RTL, many small Programs each: integers, cycles and bytes.

    python bench/corner_machines.py --machines 26 --programs 40 --seed 1 --jobs 2 --out corner_machines.csv
    python bench/corner_machines.py --tensors chip --out corner_chip.csv

Buffers are the least that a machine may have, a few words, or as many as its addresses reach; beats of weights and of
activations are drawn apart; latency is 1 to 400 cycles and a beat takes 1 to 32. Each machine is built once, on Icarus,
whose four states show a word that nothing defines, and runs random layers and pairs of layers with and without weights
in the PB. With ``--tensors chip`` up to three convolutions come behind them, some tensors stay in the SB, drawn among
those that find room, and every Program is checked by the rules of tokens and races. A machine's row is on disk when it
is done, and the same command goes on behind the last one. Refusals are counted apart: of machines by the Accelerator,
each with its key, and of layers by the mapper.
"""

from __future__ import annotations

import csv
import re
import resource
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np

from arch_model.errors import AcceleratorError, FastSwitchError, LayerError, MappingError, SimulatorError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.memories import memories
from arch_model.machine.microarchitecture import LOAD_TURNAROUND
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program.check import check_program
from arch_model.program.program import Program
from arch_model.timing.reference_timing import time_program
from mapper.layout.dram_image import image_segment, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.lowering.placement import Placement, candidates, place
from mapper.pinning.greedy import fit_subgraph
from mapper.search.tensors import Tensors, viewed
from mapper.workload.fusion import steps
from sim.integers.random_integers import random_integers
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.outcome import run_program
from sim.rtl_bench.simulators import find_simulator

LATENCIES, INTERVALS = (1, 400), (1, 32)
SIDES = (1, 2, 3, 4, 5, 7, 8, 9, 16, 32, 63)
"""KP and CP."""

MOST_LANES = 48
"""KP * CP: a simulator reads a larger machine too slowly."""

MOST_BITS = 1 << 24
"""Of one buffer."""

LONGEST = 2_500
"""Cycles of a Program, predicted: longer ones are left out."""

TRIES = 12
"""Layers drawn for each Program that a machine is to run."""

CHECKED = 0.1
"""Of the Programs are also executed by the rules of tokens and races."""

SHARE_OF = 4_000
"""Machines of which the share that is refused is printed."""

REFUSED = ("dram.cycles_per_beat", "array.kp", "axi.weight_stripes")
"""Keys of refusals of machines that could be built otherwise: too slow a beat, too many banks, too wide a beat."""

COUNTS = (
    "programs", "in the SB", "refused", "too long", "cycles", "cycles off", "bytes off", "integers off", "errors",
    "hangs",
)  # fmt: skip

Programs = tuple[SubNet, list[Program], list[Any], dict[str, np.ndarray]]


def draw(rng: np.random.Generator, name: str = "corner", uniform: bool = False) -> dict[str, Any]:
    """The description of a machine whose numbers are each legal alone.

    ``uniform``: latency and cycles a beat over their ranges, instead of often at an edge, and the latter legal.
    """
    while True:
        kp, cp = (int(side) for side in rng.choice(SIDES, 2))
        if kp * cp <= MOST_LANES:
            break
    latency = 0 if uniform else _latency(rng)
    slowest = min(INTERVALS[1], latency + LOAD_TURNAROUND)
    stripes, weight_stripes, pixels = (int(n) for n in rng.choice((1, 2, 4), 3))
    description = {
        "name": name,
        "array": {"kp": kp, "cp": cp, "dsp_packing": bool(rng.integers(2))},
        "clock_hz": 1e8,
        "buffers": {},
        "axi": {
            "data_bits": 1 << int(rng.integers(5, 11)),
            "max_burst": 1 << int(rng.integers(1, 9)),
            "pixels": pixels,
            "stripes": stripes,
            "weight_stripes": weight_stripes,
        },
        "dram": {
            "bytes": 1 << 20,
            "latency_cycles": latency or _edged(rng, *LATENCIES),
            "cycles_per_beat": _edged(rng, *INTERVALS)
            if uniform
            else int(rng.choice((slowest, int(rng.integers(1, slowest + 1))), p=(0.3, 0.7))),
        },
    }
    tile, word = TAPS * kp * cp, 2 * TAPS * cp
    groups = -(-(kp + cp - int(np.gcd(kp, cp))) // cp)
    chunk = -(-int(np.lcm(kp, cp)) // cp // groups)
    units = (
        ("pb_bytes", tile, 0, 1 << 16, tile),
        ("db_bytes", 2 * tile, 1, 1 << 15, 2 * tile),
        ("sb_bytes", word, 1, 1 << 15, word),
        ("ob_bytes", 4 * kp, 1, 1 << 16, 4 * kp),
        ("ob_out_bytes", 2 * groups * cp, chunk, 1 << 15, 2 * groups * cp),
        ("zsb_bytes", 16 * kp, 1, 1 << 9, 16 * kp),
    )
    for key, unit, low, high, size in units:
        high = min(high, MOST_BITS // (8 * size))
        few = min(high, low + int(rng.integers(1, 60)))
        many = min(high, low + int(rng.integers(60, 400)))
        count = int(rng.choice((low, few, many, high), p=(0.15, 0.35, 0.35, 0.15)))
        description["buffers"][key] = count * unit + int(rng.integers(unit))
    return description


def _edged(rng: np.random.Generator, low: int, high: int) -> int:
    """One of ``low`` to ``high``, in every eighth case either of these."""
    return int(rng.choice((low, high))) if rng.random() < 1 / 8 else int(rng.integers(low, high + 1))


def _latency(rng: np.random.Generator) -> int:
    """One of :data:`LATENCIES`, the least or the most, or most often as many of each order of magnitude."""
    low, high = LATENCIES
    return int(rng.choice((low, high, int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))), p=(0.15, 0.1, 0.75)))


def reason(error: AcceleratorError) -> str:
    """The key that an error names."""
    found = re.search(r": ([a-z_.]+) is ", str(error))
    return found[1] if found else str(error)


def legal_machines(seed: int, uniform: bool = False) -> Iterator[Accelerator]:
    """Machines without end."""
    rng, number = np.random.default_rng(seed), 0
    while True:
        with suppress(AcceleratorError):
            yield Accelerator.model_validate(draw(rng, f"corner{number}", uniform))
            number += 1


def random_layer(rng: np.random.Generator, most: int) -> Layer:
    """One of any kind, up to ``most`` rows and columns; LayerError for many."""
    kind = Kind(str(rng.choice([*Kind, Kind.CONV, Kind.CONV])))
    (h, w), (c, k) = rng.integers(1, most + 1, 2).tolist(), rng.integers(1, 25, 2).tolist()
    r, stride = int(rng.integers(1, 8)), int(rng.integers(1, 3))
    padding = int(rng.integers(0, r // 2 + 1))
    activation = list(Activation)[rng.integers(len(Activation))]
    windows = {"R": r, "S": r, "H": h, "W": w, "stride": stride, "inputs": (INPUT,)}
    if kind is Kind.CONV:
        groups = rng.choice((1, 1, c))
        k = k if groups == 1 else c
        return Layer("layer", kind, k, c, **windows, padding=padding, groups=int(groups), activation=activation)
    if kind is Kind.LINEAR:
        return Layer("layer", kind, k, 9 * c, inputs=(INPUT,), activation=activation)
    if kind is Kind.MAXPOOL or (kind is Kind.AVGPOOL and r <= 3):
        small = {"R": (r - 1) % 3 + 1, "S": int(rng.integers(1, 4)), "ceil_mode": bool(rng.random() < 0.5)}
        return Layer("layer", kind, c, c, **windows | small, padding=min(padding, 1))
    if kind is Kind.AVGPOOL:
        return Layer("layer", kind, c, c, **windows)
    return Layer("layer", kind, c, c, H=h, W=w, inputs=(INPUT,) * kind.operands)


def random_network(rng: np.random.Generator, behind: int = 0) -> tuple[SuperNet, SubNet]:
    """A layer with what it needs before it, and in half of the cases a convolution and ``behind`` others behind it."""
    layer = random_layer(rng, int(rng.choice((1, 3, 6, 10))))
    layers = [layer]
    if layer.kind is Kind.SCALE:
        factors = Layer("factors", Kind.POOL, layer.C, layer.C, H=layer.H, W=layer.W, inputs=(INPUT,))
        layers = [factors, replace(layer, inputs=(INPUT, "factors"))]
    elif layer.kind in (Kind.ADD, Kind.MUL):
        other = Layer("other", Kind.CONV, layer.C, layer.C, H=layer.H, W=layer.W, inputs=(INPUT,))
        layers = [other, replace(layer, inputs=("other", INPUT))]
    if rng.random() < 0.5 or behind:
        layers.append(_convolution(rng, "after", layers[-1]))
    for number in range(behind):
        layers.append(_convolution(rng, f"after{number}", layers[-1], depthwise=rng.random() < 0.3))
    subnet = SubNet("corner", "corner", tuple(layers))
    whole = tuple(replace(one, inputs=()) for one in subnet.weight_layers)
    return SuperNet("corner", whole, lambda: subnet, lambda name: {}, ("corner",)), subnet


def _convolution(rng: np.random.Generator, name: str, last: Layer, depthwise: bool = False) -> Layer:
    """A convolution of the output of another layer."""
    k, r = int(rng.integers(1, 20)), int(rng.choice((1, 3)))
    if depthwise:
        k, r = last.K, 3
    whole = Layer(name, Kind.CONV, k, last.K, r, r, last.P, last.Q, 1, r // 2, groups=last.K if depthwise else 1)
    return replace(whole, inputs=(last.name,))


def random_placement(machine: Accelerator, subnet: SubNet, rng: np.random.Generator) -> Placement:
    """Some of the tensors that can stay in the SB, where they find room."""
    made = steps(subnet.layers)
    share = rng.choice((0.5, 1.0))
    kept = [one for one in candidates(made, machine, viewed(subnet.layers)) if rng.random() < share]
    return place(made, machine, kept)


def random_programs(machine: Accelerator, rng: np.random.Generator, tensors: Tensors) -> Programs:
    """The Programs of a network, what is in DRAM before, every tensor after; MappingError or LayerError if none."""
    on_chip = tensors is Tensors.CHIP
    supernet, subnet = random_network(rng, int(rng.integers(3)) if on_chip else 0)
    drawn = random_integers(subnet, int(rng.integers(1 << 30)))
    places = MemoryMap.build(supernet, [subnet], machine)
    empty = PersistentBuffer.empty(supernet)
    held = PersistentBuffer.of(fit_subgraph(subnet, supernet, machine), supernet, machine)
    states = [(empty, held), (held, held)] if held.slots and rng.random() < 0.7 else [(empty, empty)]
    placement = random_placement(machine, subnet, rng) if on_chip else None
    programs = [
        compile_subnet(subnet, supernet, machine, drawn.quant, places, *state, placement=placement) for state in states
    ]
    if rng.random() < CHECKED or on_chip:
        for program in programs:
            check_program(program)
    segments = [
        *weights_segments(places, drawn.weights),
        *zsb_segments(places, subnet, drawn.weights, drawn.quant),
        image_segment(places, subnet, drawn.image),
    ]
    expected = {INPUT: drawn.image, **run_layers(subnet.layers, drawn.weights, drawn.quant, drawn.image)}
    return subnet, programs, segments, expected


def measure(machine: Accelerator, number: int, count: int, seed: int, tensors: Tensors) -> dict[str, Any]:
    """The row of a machine: ``count`` Programs, or as many as :data:`TRIES` layers for each of them give."""
    begin, rng = _cpu_seconds(), np.random.default_rng((seed, number))
    total, failure = Counter[str](), ""
    with suppress(_Failed), tempfile.TemporaryDirectory() as folder:
        made = build(machine, find_simulator("icarus"), Path(folder))
        with Bench(made, seed=seed) as bench:
            for _ in range(TRIES * count):
                if total["programs"] >= count:
                    break
                try:
                    subnet, programs, segments, expected = random_programs(machine, rng, tensors)
                except (MappingError, LayerError) as error:
                    total["no layer" if isinstance(error, LayerError) else "refused"] += 1
                    continue
                for program in programs:
                    if time_program(program.commands, machine).cycles > LONGEST:
                        total["too long"] += 1
                        break
                    try:
                        outcome = run_program(bench, program, segments, expected)
                    except SimulatorError as error:
                        failure = f"{error}: {subnet.layers}"[:600]
                        total["hangs"] += 1
                        raise _Failed from None
                    off = abs(outcome.result.cycles - outcome.predicted.cycles)
                    total["programs"] += 1
                    total["in the SB"] += len(program.tensors) - len(program.stored)
                    total["cycles"] += outcome.result.cycles
                    total["cycles off"] += off
                    total["bytes off"] += sum(
                        abs(outcome.simulated_bytes[port] - count) for port, count in program.dram_bytes.items()
                    )
                    total["integers off"] += outcome.mismatches
                    total["errors"] += outcome.result.error_code != 0
                    if off or not outcome.exact:
                        failure = failure or f"{subnet.layers}"[:600]
    depth = {name: memory.depth for name, memory in memories(machine).items()}
    return {
        "machine": number, "kp": machine.kp, "cp": machine.cp, "packed": int(machine.array.dsp_packing),
        "weight beat": machine.weight_beat_bytes, "beat": machine.beat_bytes, "weight stripes": machine.weight_stripes,
        "stripes": machine.stripes, "pixels": machine.pixels, "burst": machine.axi.max_burst,
        "latency": machine.dram.latency_cycles, "interval": machine.dram.cycles_per_beat,
        **{name: depth[name] for name in ("pb", "db", "sb", "ob", "ob_out", "zsb")},
        **{name: total[name] for name in COUNTS}, "seconds": round(_cpu_seconds() - begin, 1), "failure": failure,
    }  # fmt: skip


class _Failed(Exception):
    """The simulation is over."""


def _cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def shares(seed: int, count: int) -> dict[str, float]:
    """Of ``count`` random machines whose numbers go together: the share that is refused, by the key at fault.

    Latency and cycles a beat are uniform over their ranges, without edges.
    """
    refused, rng, legal = Counter[str](), np.random.default_rng((seed, count)), 0
    while legal + sum(refused[key] for key in REFUSED) < count:
        description = draw(rng)
        for key, (low, high) in (("latency_cycles", LATENCIES), ("cycles_per_beat", INTERVALS)):
            description["dram"][key] = int(rng.integers(low, high + 1))
        try:
            Accelerator.model_validate(description)
        except AcceleratorError as error:
            refused[reason(error)] += 1
        else:
            legal += 1
    return {key: refused[key] / count for key in REFUSED}


def table(rows: list[dict[str, str]]) -> str:
    """The rows as Markdown, without the failures, with their sums."""
    names = [name for name in rows[0] if name != "failure"]
    sums = {name: sum(float(row[name]) for row in rows) for name in (*COUNTS, "seconds")}
    last = {"machine": f"{len(rows)}", **{name: f"{value:g}" for name, value in sums.items()}}
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row.get(name, "") for name in names) + " |" for row in (*rows, last)]
    return "\n".join(lines)


@click.command()
@click.option("--machines", type=click.IntRange(1), default=26, show_default=True)
@click.option("--programs", type=click.IntRange(1), default=40, show_default=True, help="Of each machine.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--uniform", is_flag=True, help="Latency and cycles a beat uniform, not often at an edge.")
@click.option(
    "--tensors", type=click.Choice([one.value for one in Tensors]), default=Tensors.DRAM.value, show_default=True
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("corner_machines.csv"))
def main(machines: int, programs: int, seed: int, uniform: bool, tensors: str, jobs: int, out: Path) -> None:
    """Simulate the machines that ``out`` lacks, then print the table of all."""
    for key, share in shares(seed, SHARE_OF).items():
        click.echo(f"{share:.1%} of {SHARE_OF} random machines are refused for {key}")
    rows = list(csv.DictReader(out.open())) if out.exists() else []
    done = {int(row["machine"]) for row in rows}
    chosen = enumerate(islice(legal_machines(seed, uniform), machines))
    try:
        find_simulator("icarus")
    except FastSwitchError as error:
        raise SystemExit(str(error)) from None
    with ProcessPoolExecutor(jobs) as pool, out.open("a", newline="") as file:
        runs = [
            pool.submit(measure, machine, n, programs, seed, Tensors(tensors)) for n, machine in chosen if n not in done
        ]
        for run in as_completed(runs):
            row = {name: str(value) for name, value in run.result().items()}
            writer = csv.DictWriter(file, row)
            if not rows:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            rows.append(row)
            if row["failure"]:
                click.echo(f"machine {row['machine']}: {row['failure']}")
    click.echo(table(sorted(rows, key=lambda row: int(row["machine"]))))


if __name__ == "__main__":
    main()
