"""How a whole SubNet is tiled: the policies that a price or a Program is made by.

The cost of a SubNet is that of one Program, whose layers overlap, so the best tiling of a layer by itself is not always
the best in its place: what it saves at its beginning, the layer before may have hidden already. :func:`map_network`
therefore compares whole Programs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from math import inf

import numpy as np

from arch_model.cost.energy import Energy, energy
from arch_model.errors import MappingError
from arch_model.files.shown import shown
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind
from arch_model.network.supernet import SubNet
from mapper.cost.program_cost import ProgramCost, ProgramCosts
from mapper.layout.persistent_buffer import PersistentBuffer, Slots
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import check_mapping
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.placement import Placement
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.tiling import Tiling
from mapper.search.optimise import Objective, ranked
from mapper.search.tensors import Tensors, keep_tensors, viewed
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import Step, check_runnable, steps
from mapper.workload.views import FittedLayers, fitted_layers

RANKED = 4
"""Tilings of each layer that the search offers: its best ones by themselves."""

ROUNDS = 4
"""How often :func:`map_network` goes over the layers at most; two rounds are usual."""


class Policy(StrEnum):
    """Who tiles the layers of a Program."""

    QUICK = "quick"
    """The compiler's quick choice of each layer, by an estimate. Tables of many Programs use it."""
    BEST = "best"
    """The quick choice or one of the search's four best of each layer, whichever makes the whole Program better, layer
    by layer until no layer's change helps. Never worse than the quick choice; not proved to be the best of all
    combinations."""

    @classmethod
    def _missing_(cls, value: object) -> Policy:
        raise MappingError(f"policy is {shown(value)}; give one of {', '.join(cls)}")


@dataclass(frozen=True, eq=False)
class NetworkMapping:
    """A SubNet's tilings, and what its Program costs with them.

    Attributes
    ----------
    tilings : by layer, of all but global pools, which have none.
    cost : cycles, waits and activity of the Program.
    hit_bytes : of weights that the PB spares, as :attr:`arch_model.program.program.Program.pb_hit_bytes`.
    accelerator : that runs it.
    policy, objective : by which it was tiled.
    placement : of the tensors that stay in the SB; None: all go through DRAM.
    """

    accelerator: Accelerator
    policy: Policy
    objective: Objective
    tilings: dict[str, Tiling]
    cost: ProgramCost
    hit_bytes: int
    placement: Placement | None = None

    @property
    def latency_s(self) -> float:
        """Seconds of the Program's cycles."""
        return self.cost.cycles / self.accelerator.clock_hz

    @cached_property
    def energy(self) -> Energy:
        """Joules of the Program by component, leakage included."""
        return energy(self.cost.activity, self.accelerator, self.cost.cycles)


def map_network(
    subnet: SubNet,
    accelerator: Accelerator,
    resident: PersistentBuffer | None = None,
    policy: Policy | str = Policy.BEST,
    objective: Objective | str = Objective.LATENCY,
    tensors: Tensors | str = Tensors.DRAM,
    also: Collection[str] = (),
) -> NetworkMapping:
    """Tile every layer of a SubNet for its one Program.

    Parameters
    ----------
    subnet, accelerator : what runs where.
    resident : what the Persistent Buffer holds; None: nothing.
    policy : who chooses, a :class:`Policy` or its text.
    objective : what shall be least of the whole Program, an :class:`~mapper.search.optimise.Objective` or its text.
    tensors : where feature maps are, a :class:`~mapper.search.tensors.Tensors` or its text.
    also : names of tensors that somebody else reads from DRAM, as the host does.

    Returns
    -------
    NetworkMapping

    Raises
    ------
    MappingError
        The machine cannot run a layer: the line names it and what is wrong. There is no such policy or objective.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> net, tiny = get_space("fashion").subnet("fashion-d111-w222"), Accelerator.load("tiny")
    >>> quick, best = (map_network(net, tiny, policy=policy).cost.cycles for policy in Policy)
    >>> best < quick
    True
    """
    policy, objective, tensors = Policy(policy), Objective(objective), Tensors(tensors)
    check_runnable(subnet)
    layers = fit_for(subnet, accelerator).layers
    order = steps(layers)
    slots = [pb_slots(step, accelerator, resident) for step in order]
    costs = ProgramCosts(order, accelerator, [own for own in slots if own is not None])
    tilings, placement, choices = costs.quick(), None, []
    if policy is Policy.BEST:
        choices = _choices(order, slots, tilings, accelerator, objective)
        tilings = _improve(costs, choices, objective)
    if tensors is Tensors.CHIP:
        placement, tilings = _kept(costs, viewed(layers) | set(also), slots, tilings, choices, objective)
    chosen = zip(order, tilings, strict=True)
    named = {step.layer.name: tiling for step, tiling in chosen if step.layer.kind is not Kind.POOL}
    hits = 0
    for step, tiling, own in zip(order, tilings, slots, strict=True):
        if own is not None and (own >= 0).any():
            without = quick_tiling(step, accelerator) if policy is Policy.QUICK else tiling
            on = LayerOnMachine(step.layer, accelerator)
            hits += on.saved_tiles(tiling, without, int((own < 0).sum()))
    cost, hit_bytes = costs.cost(tilings), hits * accelerator.tile_bytes
    return NetworkMapping(accelerator, policy, objective, named, cost, hit_bytes, placement)


def chosen(
    subnet: SubNet,
    accelerator: Accelerator,
    resident: PersistentBuffer | None,
    policy: Policy | str,
    tensors: Tensors | str = Tensors.DRAM,
    also: Collection[str] = (),
) -> tuple[dict[str, Tiling] | None, Placement | None]:
    """The tilings and the places of tensors that :func:`mapper.lowering.compile.compile_subnet` takes.

    Parameters
    ----------
    subnet, accelerator, resident, policy, tensors, also : as of :func:`map_network`.

    Returns
    -------
    tilings, placement
        None and None for what the compiler chooses itself.
    """
    if Policy(policy) is Policy.QUICK and Tensors(tensors) is Tensors.DRAM:
        return None, None
    mapped = map_network(subnet, accelerator, resident, policy, tensors=tensors, also=also)
    return mapped.tilings, mapped.placement


def fit_for(subnet: SubNet, accelerator: Accelerator) -> FittedLayers:
    """The layers of a SubNet as a machine runs them: with channels that fit its words and, if the SubNet could not run
    otherwise, filters that make room for activation tables (:mod:`mapper.workload.views`); mostly as they are.

    Parameters
    ----------
    subnet : any that has no layer which no machine runs.
    accelerator : the machine.

    Raises
    ------
    MappingError
        Two operands whose channels cannot lie alike.
    """
    fit = fitted_layers(subnet.layers, accelerator.cp)
    larger = fitted_layers(subnet.layers, accelerator.cp, accelerator.kp)
    if larger.layers == fit.layers:
        return fit
    order = steps(fit.layers)
    slots = [pb_slots(step, accelerator, None) for step in order]
    try:
        costs = ProgramCosts(order, accelerator, [own for own in slots if own is not None])
        costs.cost(costs.quick())
    except MappingError:
        return larger
    return fit


def pb_slots(step: Step, accelerator: Accelerator, resident: PersistentBuffer | None) -> Slots | None:
    """PB slots of a step's weight tiles.

    Parameters
    ----------
    step : the layer and the add in its STORE.
    accelerator : gives the size of a tile.
    resident : what the PB holds. None: nothing.

    Returns
    -------
    int64 array or None
        (K-tiles * windows, C-tiles), -1 for tiles that are not there; None for a step that has no weight tiles which
        the PB can hold.
    """
    if not has_tiles(step.layer):
        return None
    grid = tile_grid(step.layer, accelerator)
    if resident is None:
        return np.full((grid.rows, grid.ct), -1, np.int64)
    return resident.layer_slots(step.layer.name, grid)


def _choices(
    order: Sequence[Step],
    slots: Sequence[Slots | None],
    quick: Sequence[Tiling],
    accelerator: Accelerator,
    objective: Objective,
) -> list[list[Tiling]]:
    """Tilings of each step, all different: the quick choice, then the search's, the best first; steps that are alike
    are searched once."""
    known: dict[object, list[Tiling]] = {}
    found = []
    for step, own, default in zip(order, slots, quick, strict=True):
        if step.layer.kind is Kind.POOL:
            found.append([default])
            continue
        key = step.layer.unnamed(), step.add is None, None if own is None else own.tobytes()
        if key not in known:
            known[key] = ranked(step, accelerator, own, objective, RANKED)
        others = [tiling for tiling in known[key] if replace(tiling, cycles=default.cycles) != default]
        found.append([default, *others])
    return found


def _improve(costs: ProgramCosts, choices: Sequence[Sequence[Tiling]], objective: Objective) -> list[Tiling]:
    """The quick choices, or the search's best ones, whichever are better as a whole; then each layer by another of its
    tilings if that makes the Program better."""
    quick, searched = [own[0] for own in choices], [own[min(1, len(own) - 1)] for own in choices]
    best = min((quick, searched), key=lambda tilings: _value(costs, tilings, objective))
    value = _value(costs, best, objective)
    for _ in range(ROUNDS):
        before = value
        for number, own in enumerate(choices):
            for other in own:
                tried = [*best[:number], other, *best[number + 1 :]]
                if other is not best[number] and (new := _value(costs, tried, objective)) < value:
                    best, value = tried, new
        if value == before:
            break
    return best


def _kept(
    costs: ProgramCosts,
    also: Collection[str],
    slots: Sequence[Slots | None],
    tilings: list[Tiling],
    choices: Sequence[Sequence[Tiling]],
    objective: Objective,
) -> tuple[Placement | None, list[Tiling]]:
    """The tensors that stay and the tilings with them; none stays if the Program is no better so.

    The tensors are chosen with the quick tilings of each placement; then the search's ones are tried, too.
    """
    without = _value(costs, tilings, objective)
    placement, kept = keep_tensors(costs, also, ProgramCosts.quick, lambda c, t: _value(c, t, objective))
    if choices:
        offered = zip(kept, choices, strict=True)
        legal = [
            [first, *(t for t in own if _fits(costs, number, slots[number], placement, t))]
            for number, (first, own) in enumerate(offered)
        ]
        kept = _improve(costs, legal, objective)
    if _value(costs, kept, objective) < without:
        return placement, kept
    costs.place(None)
    return None, tilings


def _fits(costs: ProgramCosts, number: int, slots: Slots | None, placement: Placement, tiling: Tiling) -> bool:
    """Whether a step's tiling is legal where its input is then."""
    try:
        check_mapping(costs.steps[number], costs.a, slots, tiling, placement.room(number, costs.a))
    except MappingError:
        return False
    return True


def _value(costs: ProgramCosts, tilings: Sequence[Tiling], objective: Objective) -> float:
    try:
        if objective is Objective.LATENCY:
            return costs.cycles(tilings)
        cost = costs.cost(tilings)
    except MappingError:  # tilings chosen one by one need not follow each other
        return inf
    joules = energy(cost.activity, costs.a, cost.cycles).total_j
    return joules if objective is Objective.ENERGY else joules * cost.cycles / costs.a.clock_hz
