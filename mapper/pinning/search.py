"""What to pin: the SubGraph that makes SubNets, each with its probability, cheapest on average; how far off it can be.

Of each SuperNet layer one entry of a menu is chosen (``mapper/pinning/options.py``). Where costs add up over layers
this is one knapsack (``mapper/pinning/knapsack.py``). The time of whole Programs does not add up; it is approached from
below by planes (``mapper/pinning/path_cuts.py``), as in Benders' decomposition: each round solves the knapsack under
the planes found so far, until that bound meets the best choice found. What a choice costs is never taken from a plane:
it is the cycles, or the bytes, of the SubNets' Programs. ``docs/concepts/pinning.md`` has what it finds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.program.isa import SLOT_BYTES
from mapper.cost.network_costs import NetworkCosts, cached_tiles
from mapper.pinning.greedy import fit_subgraph
from mapper.pinning.knapsack import Knapsack, fill, greedy_choice, total
from mapper.pinning.options import Menu, dense_uses, dram_bytes, layer_table, program_uses, stand_alone_cycles
from mapper.pinning.path_cuts import SubNetPaths

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Pin(StrEnum):
    """What shall be least on average."""

    LATENCY = "latency"
    """Cycles of a SubNet's Program."""
    BYTES = "bytes"
    """DRAM bytes of a SubNet's Program, those of its commands among them."""
    LAYERS = "layers"
    """Cycles of its dense layers, which alone the PB can serve, each as a Program of its own; for SubNets with layers
    that the machine cannot run, of which there is no Program."""


@dataclass(frozen=True)
class Pinned:
    """A SubGraph to pin and what is known of it.

    Attributes
    ----------
    cost : expected cycles or bytes with ``subgraph`` in the PB; ``empty``: with nothing in it.
    bound : no choice of the menu costs less.
    tiles : PB slots that it takes.
    rounds : knapsacks solved.
    subgraph : to pin.
    objective : for which.
    empty : expected cycles or bytes with nothing in the PB.
    """

    subgraph: SubGraph
    objective: Pin
    cost: float
    bound: float
    empty: float
    tiles: int
    rounds: int

    @property
    def gap(self) -> float:
        """How far, as a fraction, ``cost`` can be above the optimum at most; infinite where time was too short for a
        bound."""
        return self.cost / self.bound - 1 if self.bound else math.inf


def pin_best(
    supernet: SuperNet,
    subnets: Sequence[SubNet],
    accelerator: Accelerator,
    share: Sequence[float] | None = None,
    objective: Pin | str = Pin.LATENCY,
    exact: bool = True,
    levels: int | None = None,
    gap: float = 1e-6,
    seconds: float = 60.0,
    on_round: Callable[[float, float], None] | None = None,
) -> Pinned:
    """Choose the SubGraph to keep in the PB for a mix of SubNets.

    Parameters
    ----------
    supernet, subnets, accelerator : the SubNets that are served, of one SuperNet, and the machine.
    share : the part of the queries that each SubNet serves; not negative, any sum above 0. None: equal parts.
    objective : what shall be least on average, a :class:`Pin` or its text.
    exact : by SciPy's HiGHS, to within ``gap``, as long as ``seconds`` allow. Otherwise greedily, with the bound that
        this gives.
    levels : fewer options for each layer (:meth:`Menu.of`), of which the bound then speaks. None: all.
    gap : how close cost and bound have to be, a fraction.
    seconds : how long the exact search may take.
    on_round : called with the best cost and the bound after each knapsack.

    Returns
    -------
    Pinned
        The SubGraph, its expected cost in cycles or bytes, and a bound below which no other one is.

    Raises
    ------
    MappingError
        There are no SubNets, the shares are no distribution, there is no such objective, or (but for ``"layers"``) the
        machine cannot run a layer.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> nets = [fashion.subnet("fashion-d111-w222"), fashion.subnet("fashion-d222-w444")]
    >>> best = pin_best(fashion, nets, tiny, share=[0.75, 0.25], objective="bytes")
    >>> best.gap <= 1e-6, best.cost < best.empty, best.tiles <= tiny.pb_tiles
    (True, True, True)
    """
    objective, chances = _objective(objective), _shares(subnets, share)
    menu = Menu.of(supernet, subnets, accelerator, levels)
    if objective is Pin.LATENCY:
        return _Latency(menu, subnets, chances, gap, seconds, on_round).run(exact)
    costs, nothing = _Added(menu, subnets, chances, objective), np.zeros(len(menu.count), np.int64)
    choice, bound = greedy_choice(menu, costs.table)
    if exact:
        found, least = Knapsack(menu, [costs.table], [0], np.ones(1)).solve(True, gap / 2, seconds)
        bound = max(bound, least)
        choice = min((choice, found), key=costs.of)
    cost, tiles = costs.of(choice), menu.used(choice)
    return Pinned(menu.subgraph(choice), objective, cost, min(bound, cost), costs.of(nothing), tiles, 1)


def pin_cost(
    subgraph: SubGraph,
    supernet: SuperNet,
    subnets: Sequence[SubNet],
    accelerator: Accelerator,
    share: Sequence[float] | None = None,
    objective: Pin | str = Pin.LATENCY,
) -> float:
    """What any SubGraph costs on average, as :func:`pin_best` counts it.

    Parameters
    ----------
    subgraph : in the PB.
    supernet : of all of them.
    subnets : that run.
    accelerator : with the PB.
    share : probability of each SubNet. None: all alike.
    objective : what is counted.

    Raises
    ------
    MappingError
        The machine cannot run a layer, or the SubGraph does not fit the PB.
    """
    objective, chances = _objective(objective), _shares(subnets, share)
    tiles = cached_tiles(supernet, [subgraph], accelerator)
    if objective is Pin.LAYERS:
        menu = Menu.one(supernet, subgraph, accelerator)
        return _Added(menu, subnets, chances, objective).of(np.ones(len(menu.count), np.int64))
    costs = NetworkCosts(supernet, accelerator).of(subnets, tiles)
    return float(chances @ (costs.cycles if objective is Pin.LATENCY else costs.dram_bytes)[:, 0])


class _Added:
    """Costs that add up over layers, but for the Programs' bytes, which are rounded up to whole beats.

    ``table``: expected costs, (layers, entries), whose sum over a choice is no more than what it costs.
    """

    def __init__(self, menu: Menu, subnets: Sequence[SubNet], share: Floats, objective: Pin) -> None:
        self.menu, self.subnets, self.share = menu, subnets, share
        self.costs = NetworkCosts(menu.supernet, menu.accelerator)
        self.whole, layers = objective is Pin.BYTES, self.costs.cached_layers
        uses_of, cost_of = (program_uses, dram_bytes) if self.whole else (dense_uses, stand_alone_cycles)
        uses = [uses_of(menu, subnet, layers) for subnet in subnets]
        self.table = layer_table(menu, uses, share.tolist(), lambda number: cost_of(layers, number))
        if self.whole:
            self.table[0] += SLOT_BYTES  # END

    def of(self, choice: Ints) -> float:
        """What a choice costs."""
        if not self.whole:
            return total(self.table, choice)
        costs = self.costs.of(self.subnets, self.menu.cached(choice)[None])
        return float(self.share @ costs.dram_bytes[:, 0])


def nearest_to_average(
    candidates: Sequence[SubGraph], supernet: SuperNet, subnets: Sequence[SubNet], share: Sequence[float] | None = None
) -> int:
    """SUSHI's rule (MLSys 2023): which candidate's vector is nearest to the average of the SubNets'.

    Parameters
    ----------
    candidates : SubGraphs to choose from.
    supernet, subnets : the SubNets that are served, of one SuperNet.
    share : the part of the queries that each SubNet serves. None: equal parts.

    Returns
    -------
    int
        The index of the candidate with the least Euclidean distance, the first of several.

    Raises
    ------
    MappingError
        There are no SubNets, or the shares are no distribution.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion = get_space("fashion")
    >>> nets = [fashion.subnet("fashion-d111-w222"), fashion.subnet("fashion-d222-w444")]
    >>> nearest_to_average([SubGraph.of(net, fashion) for net in nets], fashion, nets, share=[0.2, 0.8])
    1
    """
    chances = _shares(subnets, share)
    average = chances @ np.array([SubGraph.of(subnet, supernet).encode() for subnet in subnets])
    vectors = np.array([candidate.encode() for candidate in candidates])
    return int(np.linalg.norm(vectors - average, axis=1).argmin())


def _objective(text: Pin | str) -> Pin:
    try:
        return Pin(text)
    except ValueError:
        raise MappingError(f"objective is {str(text)[:40]!r}; give one of {', '.join(Pin)}") from None


def _shares(subnets: Sequence[SubNet], share: Sequence[float] | None) -> Floats:
    if not subnets:
        raise MappingError("there are no SubNets to pin for; give at least one")
    chances = np.full(len(subnets), 1 / len(subnets)) if share is None else np.array(share, float)
    if chances.shape != (len(subnets),) or not (chances >= 0).all() or not 0 < chances.sum() < np.inf:
        raise MappingError(f"shares of {len(subnets)} SubNets are {share}; give each a number of at least 0, not all 0")
    found: Floats = chances / chances.sum()
    return found


class _Latency:
    """Planes and knapsacks in turn."""

    def __init__(
        self,
        menu: Menu,
        subnets: Sequence[SubNet],
        share: Floats,
        gap: float,
        seconds: float,
        on_round: Callable[[float, float], None] | None,
    ) -> None:
        served = np.flatnonzero(share)
        self.menu, self.share, self.gap, self.on_round = menu, share[served], gap, on_round
        self.subnets, self.end = [subnets[number] for number in served.tolist()], time.monotonic() + seconds
        self.costs = NetworkCosts(menu.supernet, menu.accelerator)
        self.paths = SubNetPaths(menu, self.subnets, self.costs.cached_layers)
        self.planes: list[Floats] = []
        self.of: list[int] = []
        self.tried: dict[bytes, float] = {}
        self.best: Ints = np.zeros(len(menu.count), np.int64)
        self.cost = np.inf

    def _try(self, choice: Ints) -> bool:
        """Whether ``choice`` is new; then its cost is known and its planes are there."""
        if choice.tobytes() in self.tried:
            return False
        cost = float(self.share @ self.costs.cycles(self.subnets, self.menu.cached(choice)[None])[:, 0])
        self.tried[choice.tobytes()] = cost
        if cost < self.cost:
            self.best, self.cost = choice, cost
        for subnet in range(len(self.subnets)):
            for firm in (False, True):
                self.planes.append(self.paths.plane(subnet, choice, firm))
                self.of.append(subnet)
        return True

    def _changes(self, choice: Ints) -> Floats:
        """By how much each single change of a choice makes it dearer, as far as planes tell, (layers, entries)."""
        found = np.zeros(self.menu.tiles.shape)
        for subnet, weight in enumerate(self.share.tolist()):
            found += weight * self.paths.changes(subnet, choice)
        return found

    def _descend(self) -> None:
        """Better choices near the best: what each single change costs, taken as if changes added up, and then fewer."""
        menu, better = self.menu, True
        while better and time.monotonic() < self.end:
            change = self._changes(self.best)
            before, best = self.cost, self.best
            for fewer in (0.0, 0.03, 0.1, 0.3, 1.0):
                step = change + fewer * np.abs(change).max() * (np.arange(menu.tiles.shape[1]) != best[:, None])
                self._try(greedy_choice(menu, step)[0])
            better = self.cost < before * (1 - 1e-4)

    def run(self, exact: bool) -> Pinned:
        menu, rounds, bound = self.menu, 0, 0.0
        nothing = np.zeros(len(menu.count), np.int64)
        self._try(nothing)
        empty = self.cost
        added = self._changes(nothing)
        self._try(greedy_choice(menu, added)[0])
        for subnet in self.subnets:
            self._try(menu.largest_in(fit_subgraph(subnet, menu.supernet, menu.accelerator)))
        self._descend()
        whole = False  # the linear programs first: they are soon solved, and their planes serve the exact ones
        known: dict[bytes, tuple[Ints, float]] = {}
        while time.monotonic() < self.end and self.cost > bound * (1 + self.gap):
            rounds += 1
            knapsack = Knapsack(menu, self.planes, self.of, self.share, list(known.values()), bound)
            choice, least = knapsack.solve(whole, self.gap / 2, self.end - time.monotonic())
            bound = max(bound, least)
            choice = choice if whole else fill(menu, added, choice)
            new, key = self._try(choice), choice.tobytes()
            if self.on_round:
                self.on_round(self.cost, bound)
            if whole:
                if key in known:
                    break
                # Its planes may be below its cost, by what FETCH holds it up: it is not to be found again for that.
                known[key] = choice, self.tried[key]
            elif not new:
                if not exact:
                    break
                whole = True
        bound = min(bound, self.cost)
        return Pinned(menu.subgraph(self.best), Pin.LATENCY, self.cost, bound, empty, menu.used(self.best), rounds)
