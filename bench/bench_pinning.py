"""What to pin for the six published OFA-ResNet50 SubNets: the search, its bound, and the paper's rule beside it.

    python bench/bench_pinning.py [--accelerator zcu104] [--seconds 60] [--pb-bytes N ...]

Expected cost with each SubNet served equally often: nothing in the PB; the paper's rule (of the SubNets' own best parts
the one nearest to the average vector); the best of those candidates; the greedy search; the exact one by HiGHS, as far
as it comes in ``--seconds``. ``docs/concepts/pinning.md`` has the last results.
"""

from __future__ import annotations

import time

import click

from arch_model import Accelerator, SubGraph, SubNet, SuperNet, get_space
from mapper.pinning.greedy import candidates
from mapper.pinning.search import Pin, nearest_to_average, pin_best, pin_cost


def row(supernet: SuperNet, nets: list[SubNet], machine: Accelerator, objective: Pin, seconds: float) -> str:
    """One line of the table."""
    own = list(candidates({net.name: net for net in nets}, supernet, machine).values())
    costs = [pin_cost(graph, supernet, nets, machine, objective=objective) for graph in own]
    empty = pin_cost(SubGraph.empty(supernet), supernet, nets, machine, objective=objective)
    begin = time.process_time()
    quick = pin_best(supernet, nets, machine, objective=objective, exact=False)
    took = time.process_time() - begin
    best = pin_best(supernet, nets, machine, objective=objective, seconds=seconds)
    saved = [f"{1 - cost / empty:.2%}" for cost in (costs[nearest_to_average(own, supernet, nets)], min(costs))]
    saved += [f"{1 - quick.cost / empty:.2%}", f"{1 - best.cost / empty:.2%}"]
    cells = (objective, f"{machine.buffers.pb_bytes:,}", f"{empty:,.0f}", *saved, f"{quick.gap:.2%}", f"{best.gap:.2%}")
    return "| " + " | ".join((*map(str, cells), f"{took:.1f}", f"{best.rounds}")) + " |"


@click.command()
@click.option("--accelerator", default="zcu104")
@click.option("--seconds", default=60.0)
@click.option("--pb-bytes", type=int, multiple=True, help="Other sizes of the PB.")
def main(accelerator: str, seconds: float, pb_bytes: tuple[int, ...]) -> None:
    """Print the table."""
    supernet, machine = get_space("ofa-resnet50"), Accelerator.load(accelerator)
    nets = [supernet.subnet(name) for name in supernet.subnet_names()]
    headings = ("expected", "PB bytes", "empty PB", "paper's rule saves", "best candidate", "greedy", "exact",
                "greedy at most above", "exact at most above", "greedy, CPU s", "rounds")  # fmt: skip
    print("| " + " | ".join(headings) + " |\n|" + "---|" * len(headings))
    for size in pb_bytes or (machine.buffers.pb_bytes,):
        for objective in Pin:
            print(row(supernet, nets, machine.replace(buffers={"pb_bytes": size}), objective, seconds), flush=True)


if __name__ == "__main__":
    main()
