"""How near the bounds of `pin_best` come to what Programs cost, and that none is above.

    python bench/pinning_bounds.py [--choices 12] [--seed 0]

For SubNets of a space, nothing, each one's own best part and random parts of all of them are cached. The recurrence
without FETCH's waits (`arch_model/timing/relaxed.py`) is held against the exact cycles of the Program, and the planes
made for some of these choices against the exact cycles of all. `docs/concepts/pinning.md` has the last results.
"""

from __future__ import annotations

import click
import numpy as np

from arch_model import Accelerator, get_space
from mapper.cost.network_costs import NetworkCosts
from mapper.pinning.greedy import fit_subgraph
from mapper.pinning.options import Menu
from mapper.pinning.path_cuts import SubNetPaths

CASES = (
    ("ofa-resnet50", "zcu104", 6, None),
    ("ofa-resnet50", "zcu104", 6, 8_294_400),
    ("ofa-resnet50", "u50", 3, None),
    ("ofa-mobilenetv3", "zcu104", 3, None),
    ("fashion", "tiny", 3, None),
)
"""Space, machine, how many random SubNets, bytes of the PB if not the machine's."""


def row(space: str, machine: str, count: int, pb_bytes: int | None, choices: int, seed: int) -> str:
    """One line of the table."""
    supernet, a, rng = get_space(space), Accelerator.load(machine), np.random.default_rng(seed)
    a = a if pb_bytes is None else a.replace(buffers={"pb_bytes": pb_bytes})
    nets = supernet.sample(count, seed)
    menu, costs = Menu.of(supernet, nets, a), NetworkCosts(supernet, a)
    paths = SubNetPaths(menu, nets, costs.cached_layers)
    own = [menu.largest_in(fit_subgraph(net, supernet, a)) for net in nets]
    some = [[rng.integers(0, n) if rng.random() < share else 0 for n in menu.count] for share in rng.random(choices)]
    every = np.array([np.zeros(len(menu.count), np.int64), *own, *some])
    exact = costs.cycles(nets, np.array([menu.cached(choice) for choice in every]))
    relaxed = np.array([[paths.cycles(net, choice) for choice in every] for net in range(count)])
    above = planes = 0
    for net in range(count):
        for choice in every[: len(every) // 2]:
            for firm in (False, True):
                plane = paths.plane(net, choice, firm)
                planes += 1
                above += int((plane[np.arange(len(menu.count)), every].sum(axis=1) > exact[net]).any())
    loss = 1 - relaxed / exact
    cells = (space, machine, f"{a.buffers.pb_bytes:,}", exact.size, (loss == 0).sum(), f"{loss.mean():.3%}")
    return "| " + " | ".join(map(str, (*cells, f"{loss.max():.3%}", planes, above))) + " |"


@click.command()
@click.option("--choices", default=12, help="Random parts of the weights that are cached.")
@click.option("--seed", default=0)
def main(choices: int, seed: int) -> None:
    """Print the table."""
    headings = ("SubNets of", "machine", "PB bytes", "Programs", "without loss", "mean loss", "largest",
                "planes", "above a Program")  # fmt: skip
    print("| " + " | ".join(headings) + " |\n|" + "---|" * len(headings))
    for case in CASES:
        print(row(*case, choices, seed), flush=True)


if __name__ == "__main__":
    main()
