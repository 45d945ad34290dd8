"""SushiAbs at scale: seconds and memory of `fastswitch table`'s work, how it grows, and that its entries are exact.

    python bench/bench_table.py [--space ofa-resnet50] [--accelerator zcu104] [--subnets 1000]
                                 [--subgraphs 500] [--exact 40]

Each size runs in a process of its own, pinned to one core: CPU seconds and the most memory of the whole process, from
the interpreter's start to the table on disk; then half of the SubNets, half of the SubGraphs, and twice each. The last
line compares random entries with the recurrence over their whole Programs. ``bench/README.md`` has the last results.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

from arch_model import Accelerator, SubGraph, get_space
from arch_model.spaces import choose_subnets
from mapper.cost.network_costs import NetworkCosts
from mapper.cost.program_cost import ProgramCosts
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.pinning.sampling import draw_subgraphs
from mapper.serving.table_file import TableJob
from mapper.workload.depthwise import has_tiles
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


def compare(space: str, machine: str, entries: int) -> None:
    """Print how many random entries equal the recurrence over their whole Programs, in cycles and bytes."""
    supernet, accelerator = get_space(space), Accelerator.load(machine)
    rng, equal = np.random.default_rng(SEED), 0
    nets = choose_subnets(entries, space, SEED, accept=is_runnable).subnets
    graphs = [SubGraph.empty(supernet), *draw_subgraphs(supernet, nets, entries, accelerator, SEED).values()]
    costs = NetworkCosts(supernet, accelerator).of_subgraphs(nets, graphs)
    for row, net in enumerate(nets):
        column = int(rng.integers(len(graphs)))
        resident, order = PersistentBuffer.of(graphs[column], supernet, accelerator), steps(net.layers)
        dense = [step.layer for step in order if has_tiles(step.layer)]
        slots = [resident.layer_slots(layer.name, tile_grid(layer, accelerator)) for layer in dense]
        program = ProgramCosts(order, accelerator, slots)
        whole = program.cost(program.quick())
        equal += (whole.cycles, whole.dram_bytes) == (costs.cycles[row, column], costs.dram_bytes[row, column])
    print(f"\n{equal} of {entries} random entries of {space} on {machine} equal their Programs: cycles, DRAM bytes")


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
        compare(space, accelerator, exact)


if __name__ == "__main__":
    main()
