"""Every tiling of random small layers through the public compiler: none is better than the certified best mapping.

    python bench/brute_force.py --layers 400 --seed 1

Layers of all operators on random machines, some with a part of their weights in the PB. For each layer every value of
every field of a tiling goes to ``compile_subnet``, the Program is checked by the rules that the RTL relies on and timed
by the readable specification, and the least cycles, joules and joule seconds of all are compared with the search's
certificates. Also, for each Program: that both lower bounds of its tiling are no greater than its cycles.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import click
import numpy as np

from arch_model.cost.energy import energy_of
from arch_model.errors import AcceleratorError, LayerError, MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Activation, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.program.check import check_program
from arch_model.timing.reference_timing import time_program
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_subnet, single_layer
from mapper.lowering.tiling import INTERLEAVES, Order, Tiling, chunk_unit
from mapper.search.optimise import Objective, optimise
from mapper.workload.depthwise import has_tiles, k_tiles_of
from sim.integers.random_integers import random_integers

KINDS = (Kind.CONV, Kind.CONV, Kind.CONV, Kind.LINEAR, Kind.MAXPOOL, Kind.AVGPOOL, Kind.MUL, Kind.POOL)
"""A SCALE runs as a MUL does, but reads its factors from a layer before it."""

MOST_TILINGS = 3_000


@dataclass
class Case:
    """A layer on a machine, with what the PB holds."""

    kind: str
    layer: Layer
    machine: Accelerator
    supernet: SuperNet
    subnet: SubNet
    resident: PersistentBuffer


def random_machine(rng: np.random.Generator) -> Accelerator:
    """A preset with an array, ports and buffers of other sizes."""
    while True:
        kp, cp = int(rng.choice([2, 4, 5, 8])), int(rng.choice([1, 2, 3, 4]))
        base = Accelerator.load("tiny")
        tile = kp * 9 * cp
        buffers = {
            "db_bytes": 2 * tile * int(rng.integers(2, 40)),
            "pb_bytes": tile * int(rng.integers(0, 30)),
            "sb_bytes": 2 * 9 * cp * int(rng.integers(20, 400)),
        }
        dram = {"latency_cycles": int(rng.integers(4, 60)), "cycles_per_beat": int(rng.integers(1, 5))}
        try:
            return base.replace(array={"kp": kp, "cp": cp}, buffers=buffers, dram=dram)
        except AcceleratorError:
            continue


def random_layer(rng: np.random.Generator) -> tuple[str, Layer]:
    """A small layer of any operator."""
    while True:
        kind = KINDS[int(rng.integers(len(KINDS)))]
        k, c, h, w = (int(rng.integers(1, most)) for most in (33, 33, 8, 8))
        activation = Activation.HSWISH if kind is Kind.CONV and rng.random() < 0.2 else Activation.NONE
        try:
            if kind is Kind.LINEAR:
                return "linear", Layer("layer", kind, 2 * k, 4 * c)
            if kind in (Kind.MUL, Kind.POOL):
                return str(kind), Layer("layer", kind, k, k, H=h, W=w)
            r, stride = int(rng.choice([1, 3, 5])), int(rng.integers(1, 3))
            if kind is not Kind.CONV:
                r = int(rng.integers(1, 4))
                return str(kind), Layer("layer", kind, k, k, r, r, max(h, r), max(w, r), stride)
            groups = k if r > 1 and rng.random() < 0.3 else 1
            c = k if groups > 1 else c
            layer = Layer(
                "layer", kind, k, c, r, r, max(h, r), max(w, r), stride, r // 2, groups=groups, activation=activation
            )
            return "depthwise" if groups > 1 else f"conv {r}x{r}", layer
        except LayerError:
            continue


def random_case(rng: np.random.Generator) -> Case:
    """A layer and a machine, and for a third of the dense layers a leading part of the weights in the PB."""
    machine, (kind, layer) = random_machine(rng), random_layer(rng)
    supernet, subnet = single_layer(layer)
    resident = PersistentBuffer.empty(supernet)
    if has_tiles(layer) and rng.random() < 0.4:
        k, c = int(rng.integers(1, layer.K + 1)), int(rng.integers(1, layer.C + 1))
        try:
            resident = PersistentBuffer.of(SubGraph(supernet.name, ((k, c),)), supernet, machine)
            kind += ", hits"
        except MappingError:  # more than the PB holds
            pass
    return Case(kind, subnet.layers[-1], machine, supernet, subnet, resident)


def every_tiling(layer: Layer, accelerator: Accelerator) -> Iterator[Tiling]:
    """Every value of every field."""
    kt, unit = k_tiles_of(layer, accelerator), chunk_unit(accelerator)
    chunks = sorted({min(n * unit, kt) for n in range(1, kt + 1)})
    if layer.kind is Kind.POOL:
        yield Tiling(1, 1)
    elif not has_tiles(layer):
        for rows, chunk, stays in product(range(1, layer.P + 1), chunks, (False, True)):
            yield Tiling(rows, chunk, stays=stays)
    else:
        grid = tile_grid(layer, accelerator)
        prologues = product(range(1, grid.ct + 2), Order, range(-1, grid.rows + 1), INTERLEAVES)
        for (rows, chunk), prologue in product(product(range(1, layer.P + 1), chunks), list(prologues)):
            if prologue[0] > 1 or prologue[2:] == (0, 1):
                yield Tiling(rows, chunk, 0, *prologue)


def least_costs(case: Case, rng: np.random.Generator) -> tuple[dict[Objective, float], int]:
    """By objective the least of all Programs, and how many Programs there are."""
    a, best, known = case.machine, dict.fromkeys(Objective, np.inf), set()
    quant = random_integers(case.subnet, int(rng.integers(1 << 30))).quant
    memory_map = MemoryMap.build(case.supernet, [case.subnet], a)
    for tiling in every_tiling(case.layer, a):
        try:
            program = compile_subnet(
                case.subnet, case.supernet, a, quant, memory_map, case.resident, tilings={case.layer.name: tiling}
            )
        except MappingError:
            continue
        if (made := program.encode()) in known:
            continue
        known.add(made)
        check_program(program)
        cycles = time_program(program.commands, a).cycles
        joules = energy_of(program.commands, a, cycles).total_j
        for objective, cost in zip(Objective, (cycles, joules, joules * cycles / a.clock_hz), strict=True):
            best[objective] = min(best[objective], cost)
    return best, len(known)


def compare(case: Case, best: dict[Objective, float], programs: int) -> Counter[str]:
    """What the searches say of a case, counted."""
    found: Counter[str] = Counter(layers=1, programs=programs)
    hits = None
    if has_tiles(case.layer):
        hits = case.resident.layer_slots(case.layer.name, tile_grid(case.layer, case.machine))
    for objective in Objective:
        try:
            c = optimise(case.layer, case.machine, objective, hits=hits).certificate
        except MappingError:
            found["refused" if not programs else "wrongly refused"] += objective is Objective.LATENCY
            continue
        found["better than certified"] += best[objective] < c.optimum * (1 - 1e-9)
        found["certified is not reached"] += best[objective] > c.optimum * (1 + 1e-9)
        found["bound above"] += c.lower_bound > c.optimum * (1 + 1e-9)
        if objective is Objective.LATENCY:
            found["space"] += c.space
            found["evaluated"] += c.evaluated
            found["space is smaller"] += c.space < programs
    return found


COLUMNS = (
    *("layers", "refused", "programs", "space", "evaluated"),
    *("better than certified", "certified is not reached", "space is smaller", "bound above", "wrongly refused"),
)


@click.command(help=__doc__.splitlines()[0])
@click.option("--layers", default=400, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(layers: int, seed: int) -> None:
    rng, begin = np.random.default_rng(seed), time.process_time()
    totals: dict[str, Counter[str]] = {}
    while layers:
        case = random_case(rng)
        if sum(1 for _ in every_tiling(case.layer, case.machine)) > MOST_TILINGS:
            continue
        best, programs = least_costs(case, rng)
        totals.setdefault(case.kind, Counter()).update(compare(case, best, programs))
        layers -= 1
    print("| layer | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    totals = dict(sorted(totals.items())) | {"all": sum(totals.values(), Counter())}
    for kind, found in totals.items():
        print(f"| {kind} | " + " | ".join(f"{found[column]:,}" for column in COLUMNS) + " |")
    print(f"\n{(time.process_time() - begin) / 60:.0f} CPU minutes")


if __name__ == "__main__":
    main()
