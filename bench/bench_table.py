"""SushiAbs at scale: seconds and memory of `fastswitch table`'s work, how it grows, and how exact its entries are.

    python bench/bench_table.py [--space ofa-resnet50] [--accelerator zcu104] [--subnets 1000]
                                 [--subgraphs 500] [--exact 40]

Each size runs in a process of its own, pinned to one core: CPU seconds and the most memory of the whole process, from
the interpreter's start to the table on disk; then half of the SubNets, half of the SubGraphs, and twice each. The last
line compares random entries with the walk of their Programs. ``bench/README.md`` has the last results.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from arch_model import Accelerator, Kind, SubGraph, SubNet, SuperNet, get_space
from arch_model.spaces import choose_subnets
from mapper.cost.network_cost import network_cycles
from mapper.cost.sushi_costs import BESIDE, SubNetCosts
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.quick_choice import quick_tiling
from mapper.pinning.sampling import draw_subgraphs
from mapper.serving.table_file import TableJob
from mapper.workload.fusion import is_runnable, steps

SEED = 1


def measure(space: str, machine: str, subnets: int, subgraphs: int) -> None:
    """Build one table in this process and print what it took, as JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    supernet, accelerator = get_space(space), Accelerator.load(machine)
    nets = choose_subnets(subnets, space, SEED, accept=is_runnable).subnets
    graphs = draw_subgraphs(supernet, nets, subgraphs, accelerator, SEED)
    different = 0

    def count(done: int, total: int, found: int) -> None:
        nonlocal different
        different = found

    with tempfile.TemporaryDirectory() as folder:
        table = TableJob.of(supernet, nets, graphs, accelerator, SEED).run(Path(folder), count)
    layers = sum(len(net.weight_layers) for net in nets)
    used = resource.getrusage(resource.RUSAGE_SELF)
    record = {
        "subnets": subnets,
        "subgraphs": subgraphs,
        "layer_costs": layers * table.cycles.shape[1],
        "different": different,
        "seconds": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss * 1024 / 1e6,
    }
    print(json.dumps(record))


def measured(space: str, machine: str, subnets: int, subgraphs: int) -> dict[str, float]:
    """That in a process of its own."""
    words = [sys.executable, __file__, "--one", "--space", space, "--accelerator", machine]
    words += ["--subnets", str(subnets), "--subgraphs", str(subgraphs)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def growth(space: str, machine: str, subnets: int, subgraphs: int) -> None:
    """Print the table of sizes."""
    sizes = [(subnets, subgraphs), (max(1, subnets // 2), subgraphs), (2 * subnets, subgraphs)]
    sizes += [(subnets, max(1, subgraphs // 2)), (subnets, 2 * subgraphs)]
    print("| SubNets | SubGraphs | layer costs | different | CPU s | of the first | MB |\n|" + "---|" * 7)
    first = 0.0
    for rows, columns in sizes:
        found = measured(space, machine, rows, columns)
        first = first or found["seconds"]
        cells = (f"{rows:,}", f"{columns:,}", f"{found['layer_costs']:,}", f"{found['different']:,}",
                 f"{found['seconds']:.1f}", f"{found['seconds'] / first:.2f}", f"{found['megabytes']:.0f}")  # fmt: skip
        print("| " + " | ".join(cells) + " |", flush=True)


def walked(net: SubNet, supernet: SuperNet, accelerator: Accelerator, subgraph: SubGraph) -> int:
    """Cycles of a SubNet's weight layers and adds as one Program.

    Pools over windows are not there: who reads one reads what that reads.
    """
    source = {layer.name: layer.inputs[0] for layer in net.layers if layer.kind in BESIDE}
    layers = [replace(layer, inputs=tuple(source.get(name, name) for name in layer.inputs)) for layer in net.layers]
    resident = PersistentBuffer.of(subgraph, supernet, accelerator)
    order = steps([layer for layer in layers if layer.name not in source])
    slots = [resident.layer_slots(step.layer.name, tile_grid(step.layer, accelerator)) for step in order]
    tilings = [quick_tiling(step, accelerator, own) for step, own in zip(order, slots, strict=True)]
    return network_cycles(order, tilings, slots, accelerator)


def accuracy(space: str, machine: str, entries: int) -> None:
    """Print how far random entries are from their Programs; the last pool and what follows it are left out of both."""
    supernet, accelerator = get_space(space), Accelerator.load(machine)
    rng, error = np.random.default_rng(SEED), []
    nets = choose_subnets(entries, space, SEED, accept=is_runnable).subnets
    graphs = [SubGraph.empty(supernet), *draw_subgraphs(supernet, nets, entries, accelerator, SEED).values()]
    for net in nets:
        end = next((i for i, layer in enumerate(net.layers) if layer.kind is Kind.POOL), len(net.layers))
        cut, graph = replace(net, layers=net.layers[:end]), graphs[int(rng.integers(len(graphs)))]
        found = int(SubNetCosts(supernet, [graph], accelerator).layer_cycles([cut])[0][:, 0].sum())
        error.append(found / walked(cut, supernet, accelerator, graph) - 1)
    print(
        f"\n{entries} random entries of {space} on {machine} beside the walk of their Programs: error "
        f"{np.abs(error).mean():.3%} in the mean, {np.abs(error).max():.3%} at most, bias {np.mean(error):+.3%}"
    )


@click.command()
@click.option("--space", default="ofa-resnet50")
@click.option("--accelerator", default="zcu104")
@click.option("--subnets", default=1000, type=click.IntRange(min=1))
@click.option("--subgraphs", default=500, type=click.IntRange(min=1))
@click.option("--exact", default=40, help="Entries to compare with their Programs.")
@click.option("--one", is_flag=True, hidden=True)
def main(space: str, accelerator: str, subnets: int, subgraphs: int, exact: int, one: bool) -> None:
    """Print the tables."""
    if one:
        measure(space, accelerator, subnets, subgraphs)
        return
    growth(space, accelerator, subnets, subgraphs)
    if exact:
        accuracy(space, accelerator, exact)


if __name__ == "__main__":
    main()
