"""A multiple-choice knapsack: of each layer one entry of a menu, no more tiles than the PB has slots, at least cost.

Greedily along each layer's convex hull, whose first step that does not fit bounds the optimum (Sinha and Zoltners,
Operations Research 27(3), 1979), or by SciPy's HiGHS. Costs add up over layers, or are the largest of several that do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mapper.pinning.options import Menu
from mapper.pinning.quiet import without_c_output

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def total(costs: Floats, choice: Ints) -> float:
    """The cost of a choice: the sum over layers.

    Parameters
    ----------
    costs : (layers, entries).
    choice : an entry of each layer, (layers,).
    """
    return float(costs[np.arange(len(choice)), choice].sum())


def greedy_choice(menu: Menu, costs: Floats) -> tuple[Ints, float]:
    """A choice and a lower bound for costs that add up.

    Layers go along their hulls, the steps with the most saved a tile first. Where all fit, what is reached would be the
    optimum of the relaxed problem, and so is the first step that does not fit, taken in part: the bound.

    Parameters
    ----------
    menu : the entries.
    costs : of each, (layers, entries).

    Returns
    -------
    choice, bound
        An entry of each layer, (layers,), and what no choice costs less than.
    """
    steps = []
    for layer, count in enumerate(menu.count.tolist()):
        at, tiles, cost = 0, menu.tiles[layer, :count], costs[layer, :count]
        while True:
            saved, more = cost[at] - cost, tiles - tiles[at]
            each = np.where((more > 0) & (saved > 0), saved / np.maximum(more, 1), 0.0)
            after = int(each.argmax())
            if each[after] <= 0:
                break
            steps.append((float(each[after]), layer, at, after))
            at = after
    free, choice, bound = menu.accelerator.pb_tiles, np.zeros(len(menu.count), np.int64), float(costs[:, 0].sum())
    stopped = False
    for gain, layer, at, after in sorted(steps, key=lambda step: -step[0]):
        more = int(menu.tiles[layer, after] - menu.tiles[layer, at])
        if not stopped:
            bound -= gain * min(more, free)
            stopped = more > free
        if choice[layer] == at and more <= free:
            choice[layer], free = after, free - more
    return fill(menu, costs, choice), bound


def fill(menu: Menu, costs: Floats, choice: Ints) -> Ints:
    """The choice with each layer in turn at the best entry that the remaining slots allow.

    Parameters
    ----------
    menu : the entries.
    costs : of each, (layers, entries).
    choice : an entry of each layer, (layers,); it is not changed.
    """
    choice, free = choice.copy(), menu.accelerator.pb_tiles - menu.used(choice)
    for layer in np.argsort(costs[:, 0] - costs.min(axis=1))[::-1].tolist():
        more = menu.tiles[layer] - menu.tiles[layer, choice[layer]]
        best = int(np.where(menu.there[layer] & (more <= free), costs[layer], np.inf).argmin())
        choice[layer], free = best, free - int(more[best])
    return choice


@dataclass(frozen=True)
class Knapsack:
    """The least Σ share[s] · max over planes of s, (layers, entries) each.

    Attributes
    ----------
    planes, of : lower bounds of costs, and whose each is.
    share : of each SubNet.
    known, least : choices (layers,) whose cost is known, each with it, and what no choice costs less than. If a choice
        is one of them the optimum is not sought below its cost.
    menu : the entries.
    """

    menu: Menu
    planes: Sequence[Floats]
    of: Sequence[int]
    share: Floats
    known: Sequence[tuple[Ints, float]] = ()
    least: float = 0.0

    def solve(self, whole: bool, gap: float, seconds: float) -> tuple[Ints, float]:
        """A choice and a lower bound, by HiGHS.

        Parameters
        ----------
        whole : solve exactly; else a linear program whose layers, where they are split between entries, take the
            smallest.
        gap : relative distance of the bound at which to stop.
        seconds : after which to stop.

        Returns
        -------
        choice, bound
            An entry of each layer, (layers,), and what no choice costs less than.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array, hstack, vstack

        menu, layers, subnets, cuts = self.menu, len(self.menu.count), len(self.share), len(self.planes)
        layer, entry = np.nonzero(menu.there & (np.arange(menu.tiles.shape[1]) > 0))
        n, slots = len(layer), menu.accelerator.pb_tiles
        scale = max(float(self.planes[0][:, 0].sum()), 1.0)
        base = np.array([plane[:, 0].sum() for plane in self.planes]) / scale
        change = np.array([(plane - plane[:, :1])[layer, entry] for plane in self.planes]) / scale
        one = csr_array((np.ones(n), (layer, np.arange(n))), shape=(layers, n))
        taken = csr_array(menu.tiles[layer, entry][None] / max(slots, 1))
        theta = csr_array((np.ones(cuts), (np.arange(cuts), list(self.of))), shape=(cuts, subnets))
        rows = [hstack([vstack([one, taken]), csr_array((layers + 1, subnets))]), hstack([csr_array(-change), theta])]
        low = [np.full(layers + 1, -np.inf), base]
        for choice, cost in self.known:
            # Σ share · θ ≥ cost - (cost - least) · (layers in which another entry is chosen)
            differs = np.where(choice[layer] == 0, 1.0, np.where(choice[layer] == entry, -1.0, 0.0))
            fall = (cost - self.least) / scale
            rows.append(csr_array(np.concatenate([fall * differs, self.share])[None]))
            low.append(np.array([cost / scale - fall * np.count_nonzero(choice)]))
        high = np.concatenate([np.ones(layers), [1.0 if slots else 0.0], np.full(cuts + len(self.known), np.inf)])
        with without_c_output():
            solved = milp(
                np.concatenate([np.zeros(n), self.share]),
                integrality=np.concatenate([np.full(n, int(whole)), np.zeros(subnets)]),
                bounds=Bounds(np.zeros(n + subnets), np.concatenate([np.ones(n), np.full(subnets, np.inf)])),
                constraints=LinearConstraint(vstack(rows).tocsr(), np.concatenate(low), high),
                options={"mip_rel_gap": gap, "time_limit": max(seconds, 1.0)},
            )
        choice, bound = np.zeros(layers, np.int64), 0.0
        if solved.x is not None:
            parts = np.zeros(menu.tiles.shape)
            parts[layer, entry] = solved.x[:n]
            parts[:, 0] = 1 - parts.sum(axis=1)
            if whole:
                choice = parts.argmax(axis=1)
            else:
                choice = np.where((parts > 1e-6) & menu.there, menu.tiles, np.iinfo(np.int64).max).argmin(axis=1)
        if whole and solved.mip_dual_bound is not None:
            bound = float(solved.mip_dual_bound)
        elif not whole and solved.status == 0:
            bound = float(solved.fun)
        return choice, bound * scale
