"""The best mapping of a layer, and the proof: every other one costs as much, or a bound says that it cannot cost less.

The space is what the compiler accepts (:mod:`mapper.search.space`); the search goes through all of it
(:mod:`mapper.search.branch_and_bound`), and what it calls a mapping's cost is the cost of the layer's Program.
"""

from __future__ import annotations

import time
from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np

from arch_model.cost.activity import TOTALS
from arch_model.cost.energy import joules_each, leakage_w
from arch_model.errors import MappingError
from arch_model.files.shown import shown
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program.isa import SLOT_BYTES
from mapper.cost.layer_cost import LayerCost
from mapper.cost.program_cost import PROG_BYTES, ProgramCosts
from mapper.layout.persistent_buffer import PersistentBuffer, Slots
from mapper.layout.tensors import tile_grid
from mapper.lowering.layer_rows import layer_row
from mapper.lowering.quick_choice import why_none
from mapper.lowering.rows import TILING
from mapper.lowering.tiling import Order, Tiling, chunk_unit
from mapper.search import candidates as c
from mapper.search.costed import Costed
from mapper.search.loop_nest import loop_nest
from mapper.search.space import C_CHUNK, C_DONE, C_FILTERS, C_ROWS, C_SLOTS, CUT_COLUMNS
from mapper.workload.depthwise import has_tiles, k_tiles_of, windows_of
from mapper.workload.fusion import Step, check_supported, fused_adds


class Objective(StrEnum):
    """What a search makes least."""

    LATENCY = "latency"
    """Cycles from start to done."""
    ENERGY = "energy"
    """Joules, leakage included."""
    EDP = "edp"
    """Joule seconds."""

    @classmethod
    def _missing_(cls, value: object) -> Objective:
        raise MappingError(f"objective is {shown(value)}; give one of {', '.join(cls)}")


@dataclass(frozen=True)
class Certificate:
    """What a search has proved of the ``optimum``: ``space`` = ``evaluated`` + all of ``pruned``.

    Attributes
    ----------
    objective : in cycles, joules or joule seconds.
    space : mappings there are: tilings that the compiler accepts, without values that make no difference.
    evaluated : of them cost exactly.
    pruned : others, which cannot cost less than the optimum, by the bound that says so: ``cut``, whatever their
        prologue is, or ``prologue``, which follows their weights.
    lower_bound : what the bounds alone say of the best.
    optimum : the best cost: nothing in the space is below it.
    tile_bound : cycles of the array's passes over whole tiles; no mapping can have fewer, whatever the buffers.
    seconds : that the search took.
    """

    objective: Objective
    space: int
    evaluated: int
    pruned: Mapped[str, int]
    lower_bound: float
    optimum: float
    tile_bound: int
    seconds: float

    @property
    def gap(self) -> float:
        """How far, as a fraction, the optimum is above what the bounds alone say."""
        return self.optimum / self.lower_bound - 1


@dataclass(frozen=True)
class Mapping(Costed):
    """A layer's best mapping: its tiling, its cost as a Program of its own, and the certificate.

    >>> best = optimise(Layer("a", Kind.CONV, K=8, C=3, R=3, S=3, H=8, W=8, padding=1), Accelerator.load("tiny"))
    >>> best.bound, best.tiling.chunk, best.cycles == best.certificate.optimum
    ('out', 2, True)
    """

    certificate: Certificate

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values: cost, tiling, loop nest and certificate."""
        c, t = self.certificate, self.tiling
        return {
            "layer": self.layer.name,
            "accelerator": self.accelerator.name,
            "objective": str(c.objective),
            "cycles": self.cycles,
            "latency_s": self.latency_s,
            "utilisation": self.utilisation,
            "dram_bytes": self.dram_bytes,
            "energy_j": self.energy_j,
            "bound": self.bound,
            "rows": t.rows,
            "chunk": t.chunk,
            "order": str(t.order),
            "prologue_parts": t.prologue_parts,
            "prefetch_rows": t.prefetch_rows,
            "interleave": t.interleave,
            "stays": t.stays,
            "loop_nest": self.loop_nest(),
            "optimum": c.optimum,
            "lower_bound": c.lower_bound,
            "gap": c.gap,
            "tile_bound": c.tile_bound,
            "space_size": c.space,
            "evaluated": c.evaluated,
            "pruned": dict(c.pruned),
            "seconds": c.seconds,
        }

    def loop_nest(self) -> str:
        """The mapping as nested loops, a line each."""
        return loop_nest(self.layer, self.tiling, self.streamed, self.accelerator)


def optimise(
    layer: Layer,
    accelerator: Accelerator,
    objective: Objective | str = Objective.LATENCY,
    add: Layer | None = None,
    hits: Slots | None = None,
) -> Mapping:
    """The best mapping of a layer, with its certificate.

    Parameters
    ----------
    layer : of any kind but ADD, which runs in the STORE of another layer.
    accelerator : the machine.
    objective : what shall be least.
    add : an ADD fused into the layer's STORE.
    hits : int64 (K-tiles * windows, C-tiles), PB slots of a dense layer's weight tiles that are there, or -1; None:
        none is.

    Raises
    ------
    MappingError
        For a layer that the machine cannot run: if no mapping is legal it names operand, buffer, bytes needed and
        there.

    Examples
    --------
    >>> layer = Layer("a", Kind.CONV, K=16, C=9, R=3, S=3, H=8, W=8, padding=1)
    >>> best = optimise(layer, Accelerator.load("tiny"))
    >>> c = best.certificate
    >>> c.tile_bound, best.cycles >= c.tile_bound, c.space == c.evaluated + sum(c.pruned.values())
    (768, True, True)
    """
    begin, objective, step = time.perf_counter(), Objective(objective), Step(layer, add)
    search = _Search(step, accelerator, hits, objective, 1)
    (tiling,) = search.run()
    walk, (optimum, *_) = search.costs.cost([tiling]), search.found[0]
    pruned = {"cut": int(search.s[c.PRUNED_CUT]), "prologue": int(search.s[c.PRUNED_MAPPING]) + search.pruned}
    certificate = Certificate(
        objective=objective,
        space=int(search.s[c.SPACE]),
        evaluated=search.evaluated,
        pruned=pruned,
        lower_bound=min(float(search.f[c.LEAST]), optimum),
        optimum=optimum,
        tile_bound=_tile_bound(layer, accelerator),
        seconds=time.perf_counter() - begin,
    )
    return Mapping(layer, add, accelerator, replace(tiling, cycles=walk.cycles), search.streamed, walk, certificate)


def ranked(
    step: Step,
    accelerator: Accelerator,
    slots: Slots | None = None,
    objective: Objective | str = Objective.LATENCY,
    count: int = 8,
) -> list[Tiling]:
    """The best different mappings of a step as a Program of its own, the best first.

    Parameters
    ----------
    step, accelerator : what runs where.
    slots : PB slots of a dense layer's weight tiles, -1 for those that are streamed; None: all are.
    objective : what is less in the first ones.
    count : how many; fewer if there are no more.

    Returns
    -------
    list of Tiling
        With their exact cycles, if the objective is latency.

    Raises
    ------
    MappingError
        As :func:`optimise`.

    Examples
    --------
    >>> layer = Layer("a", Kind.CONV, K=16, C=9, R=3, S=3, H=8, W=8, padding=1)
    >>> [tiling.cycles for tiling in ranked(Step(layer), Accelerator.load("tiny"), count=3)]
    [1577, 1582, 1598]
    """
    return _Search(step, accelerator, slots, Objective(objective), count).run()


def optimise_subnet(
    subnet: SubNet,
    supernet: SuperNet,
    accelerator: Accelerator,
    objective: Objective | str = Objective.LATENCY,
    resident: PersistentBuffer | None = None,
    skip_unsupported: bool = False,
) -> dict[str, Mapping]:
    """The best mapping of each layer of a SubNet by itself; layers that are alike are searched once.

    ``{name: m.tiling ...}`` is what :func:`mapper.lowering.compile.compile_subnet` takes. An ADD has no mapping of its
    own: it runs in the STORE of the layer that is its step's.

    Parameters
    ----------
    subnet : whose layers are mapped.
    supernet : of the SubNet.
    accelerator : that runs them.
    objective : what shall be least.
    resident : what the PB holds. None: nothing.
    skip_unsupported : leave out layers that the machine cannot run.

    Returns
    -------
    dict
        Mappings by the layer's name.

    Raises
    ------
    MappingError
        For a layer that the machine cannot run, unless ``skip_unsupported`` leaves it out.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> found = optimise_subnet(fashion.subnet("fashion-d111-w222"), fashion, tiny)
    >>> found["stem"].cycles, found["pool"].tiling.rows
    (8003, 1)
    """
    resident = resident or PersistentBuffer.empty(supernet)
    known: dict[object, Mapping] = {}
    found = {}
    adds = fused_adds(subnet.layers)
    for layer in subnet.layers:
        if layer.kind is Kind.ADD:
            continue
        try:
            check_supported(layer)
            add, hits = adds.get(layer.name), None
            if has_tiles(layer):
                hits = resident.layer_slots(layer.name, tile_grid(layer, accelerator))
            key = layer.unnamed(), add is None, None if hits is None else hits.tobytes()
            if key not in known:
                known[key] = optimise(layer, accelerator, objective, add, hits)
        except MappingError:
            if not skip_unsupported:
                raise
        else:
            found[layer.name] = replace(known[key], layer=layer, add=add)
    return found


class _Search:
    """Candidates in the order of their bounds, until none is below the best cost.

    Attributes
    ----------
    found : (cost, cycles, row of the tiling) of the best mappings, in order.
    evaluated : how many were evaluated.
    """

    def __init__(
        self, step: Step, accelerator: Accelerator, slots: Slots | None, objective: Objective, count: int
    ) -> None:
        check_supported(step.layer)
        if step.layer.kind is Kind.ADD:
            raise MappingError(f"layer {step.layer.name}: kind is add; give the layer in whose STORE it runs")
        self.step, self.a, self.objective, self.count = step, accelerator, objective, count
        x = layer_row(step, accelerator)
        self.costs = ProgramCosts([step], accelerator, None if slots is None else [slots], rows=(x[None], step.layer.P))
        grid = tile_grid(step.layer, accelerator)
        self.streamed = grid.tiles if slots is None else int((slots < 0).sum())
        cuts = 2 * step.layer.P * -(-max(k_tiles_of(step.layer, accelerator), 1) // chunk_unit(accelerator))
        room = max(cuts, 1 << 12)
        ends = np.cumsum([c.SEARCH_PLACES, room * len(TILING), cuts * CUT_COLUMNS, 12 * (2 * grid.tiles + 4)])
        self.s, self.f = np.zeros(ends[-1], np.int64), np.zeros(c.FLOAT_BOUNDS + room + cuts)
        self.s[c.OBJECTIVE], self.s[c.CANDIDATES_ROOM] = list(Objective).index(objective), room
        self.s[[c.CANDIDATES_AT, c.CUTS_AT, c.LISTS_AT]] = ends[:-1]
        self.f[[c.LEAST, c.LIMIT]] = np.inf
        if objective is not Objective.LATENCY:
            self.f[: len(TOTALS)], self.f[c.CYCLE_JOULES] = _joules(accelerator)
            self.f[c.CYCLE_SECONDS] = 1 / accelerator.clock_hz
        self.found: list[tuple[float, int, list[int]]] = []
        self.evaluated, self.pruned = 0, 0

    def run(self) -> list[Tiling]:
        """The best mappings in order."""
        s = self.s
        best = c.begin_search(self.costs.w, s, self.f, self.costs.xs)
        if best < 0:
            raise why_none(self.step.layer, self.a)
        if self.objective is not Objective.LATENCY:
            self._find_fixed_joules(best)
        # The cut with the least bound first: what it costs at best spares most of the others.
        self._among(best, best + CUT_COLUMNS)
        s[best + C_DONE] = 1
        self._among(int(s[c.CUTS_AT]), int(s[c.CUTS_END]))
        exact = self.objective is Objective.LATENCY
        return [_tiling(row, cycles if exact else 0) for _, cycles, row in self.found]

    def _among(self, first: int, stop: int) -> None:
        """Find the best mappings of some cuts."""
        s, more = self.s, 1
        s[[c.CUT, c.STOP, c.NEXT_PARTS, c.NEXT_PREFETCH, c.NEXT_INTERLEAVE]] = first, stop, 1, 0, 1
        while more:
            more = c.find_candidates(self.costs.w, s, self.f)
            self._evaluate_candidates()

    def _evaluate_candidates(self) -> None:
        count, at = int(self.s[c.CANDIDATES]), int(self.s[c.CANDIDATES_AT])
        bounds = self.f[c.FLOAT_BOUNDS : c.FLOAT_BOUNDS + count]
        rows = self.s[at : at + count * len(TILING)].reshape(count, len(TILING))
        for done, number in enumerate(np.argsort(bounds, kind="stable").tolist()):
            if bounds[number] >= self.f[c.LIMIT]:
                self.pruned += count - done
                break
            self._evaluate(rows[number].tolist())

    def _evaluate(self, row: list[int]) -> None:
        tiling = _tiling(row, 0)
        self.evaluated += 1
        if self.objective is Objective.LATENCY:
            cycles = self.costs.cycles([tiling])
            cost = float(cycles)
        else:
            walk = self.costs.cost([tiling])
            cycles, cost = walk.cycles, self._joules(walk)
            cost *= cycles / self.a.clock_hz if self.objective is Objective.EDP else 1.0
        self.found.append((cost, cycles, row))
        self.found.sort(key=lambda one: one[0])
        del self.found[self.count :]
        if len(self.found) == self.count:
            self.f[c.LIMIT] = self.found[-1][0]

    def _joules(self, walk: LayerCost) -> float:
        return float(np.dot(self.f[: len(TOTALS)], list(walk.totals.values())) + self.f[c.CYCLE_JOULES] * walk.cycles)

    def _find_fixed_joules(self, cut: int) -> None:
        """Joules that no tiling of a dense layer changes, from those of one of them."""
        if not has_tiles(self.step.layer):
            return
        order = Order.FILTERS if self.s[cut + C_FILTERS] else Order.ROWS
        walk = self.costs.cost([Tiling(int(self.s[cut + C_ROWS]), int(self.s[cut + C_CHUNK]), order=order)])
        beat = self.a.program_beat_bytes
        program = -(-(int(self.s[cut + C_SLOTS]) + 1) * SLOT_BYTES // beat) * beat - walk.totals["prog_bytes"]
        known = self.f[c.FLOAT_BOUNDS + self.s[c.CANDIDATES_ROOM] + (cut - self.s[c.CUTS_AT]) // CUT_COLUMNS]
        joules = float(np.dot(self.f[: len(TOTALS)], list(walk.totals.values())))
        self.f[c.FIXED_JOULES] = joules + self.f[PROG_BYTES] * program - known


@lru_cache(maxsize=16)
def _joules(accelerator: Accelerator) -> tuple[list[float], float]:
    """Joules of one of each of the totals, and those that leak in a cycle."""
    each = joules_each(accelerator)
    return [each[total] for total in TOTALS], leakage_w(accelerator) / accelerator.clock_hz


def _tiling(row: Sequence[int], cycles: int) -> Tiling:
    """A row of :data:`mapper.lowering.rows.TILING` as an object."""
    rows, chunk, filters, parts, prefetch, interleave, stays = row
    order = Order.FILTERS if filters else Order.ROWS
    return Tiling(rows, chunk, cycles, parts, order, prefetch, interleave, bool(stays))


def _tile_bound(layer: Layer, accelerator: Accelerator) -> int:
    """Cycles of the array's passes over whole tiles, a pixel a cycle; of a global pool a pixel of a group a cycle."""
    if layer.kind is Kind.POOL:
        return accelerator.groups(layer.K) * layer.H * layer.W
    if has_tiles(layer):
        return tile_grid(layer, accelerator).tiles * layer.P * layer.Q
    return k_tiles_of(layer, accelerator) * len(windows_of(layer)) * layer.P * layer.Q
