"""The best mapping of a layer, and the proof: every other one costs as much, or a bound says that it cannot cost less.

The space: output rows of a spatial tile × K-tiles of a chunk × which of the two loops is outermost × in how many parts
the first input and weights come × how many rows of weight tiles come at once: all that the compiler can make of a
layer. Bounds (``mapper/search/bounds.py``) are cheap and taken of all mappings at once; the exact cost
(``mapper/cost/layer_cost.py``) is that of the Program, and taken in the order of the bounds until none is below the
best cost found.
"""

from __future__ import annotations

import time
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.cost.energy import energy, energy_costs, leakage_w
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Layer
from arch_model.network.supernet import SubNet, SuperNet
from mapper.cost.layer_cost import LayerCost, LayerCosts
from mapper.layout.persistent_buffer import PersistentBuffer, Slots
from mapper.layout.tensors import folds, is_pointwise, tile_grid
from mapper.lowering.tiling import INTERLEAVES, Order, Tiling, check_least, chunks_of, legal_cuts, prologues_of
from mapper.search.bounds import BOUNDS, Bounds, Candidates
from mapper.search.costed import Costed
from mapper.search.transfer_sizes import comes_in_quarters, ramp
from mapper.search.weight_plan import LayerWeights, plan_layer
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import Step, check_supported, fused_adds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Objective(StrEnum):
    """What is least."""

    LATENCY = "latency"
    """Cycles from start to done."""
    ENERGY = "energy"
    """Joules, leakage included."""
    EDP = "edp"
    """Joule seconds."""


@dataclass(frozen=True)
class Certificate:
    """What a search has proved: ``space`` = illegal + ``evaluated`` + all of ``pruned``, and the ``optimum``.

    Attributes
    ----------
    objective : in cycles, joules or joule seconds.
    space : mappings there are, each counted once.
    legal : of them fit every buffer.
    evaluated : of them cost exactly.
    pruned : legal ones that need no evaluation, by the bound that says so: no less than the best cost.
    lower_bound : what the bounds alone say of the best, before any evaluation.
    optimum : the best cost: nothing in the space is below it.
    tile_bound : cycles of the array's passes over whole tiles; no mapping can have fewer, whatever the buffers.
    seconds : that the search took.
    """

    objective: Objective
    space: int
    legal: int
    evaluated: int
    pruned: Mapped[str, int]
    lower_bound: float
    optimum: float
    tile_bound: int
    seconds: float

    @property
    def illegal(self) -> int:
        """Mappings that do not fit some buffer."""
        return self.space - self.legal

    @property
    def gap(self) -> float:
        """How far, as a fraction, the optimum is above what the bounds alone say."""
        return self.optimum / self.lower_bound - 1


@dataclass(frozen=True)
class Mapping(Costed):
    """A layer's best mapping: its tiling, its cost as a Program of its own, and the certificate.

    ``bound`` names what takes longest: ``array``, a port (``act``, ``wgt``, ``out``, ``prog``), see
    :data:`mapper.search.bounds.BOUNDS`.

    >>> from arch_model.network.layer import Kind
    >>> best = optimise(Layer("a", Kind.CONV, K=8, C=3, R=3, S=3, H=8, W=8, padding=1), Accelerator.load("tiny"))
    >>> best.bound, best.tiling.chunk, best.cycles == best.certificate.optimum
    ('wgt', 2, True)
    """

    layer: Layer
    add: Layer | None
    accelerator: Accelerator
    weights: LayerWeights
    tiling: Tiling
    walk: LayerCost
    bound: str
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
            "loop_nest": self.loop_nest(),
            "optimum": c.optimum,
            "lower_bound": c.lower_bound,
            "gap": c.gap,
            "tile_bound": c.tile_bound,
            "space_size": c.space,
            "legal": c.legal,
            "evaluated": c.evaluated,
            "pruned": dict(c.pruned),
            "seconds": c.seconds,
        }

    def loop_nest(self) -> str:
        """The mapping as nested loops, a line each."""
        return loop_nest(self.layer, self.tiling, self.weights, self.accelerator)


def optimise(
    layer: Layer,
    accelerator: Accelerator,
    objective: Objective | str = Objective.LATENCY,
    add: Layer | None = None,
    hits: Slots | None = None,
) -> Mapping:
    """The best mapping of a weight layer, with its certificate.

    ``add``: an ADD fused into the layer's STORE; ``hits`` int64 (K-tiles * windows, C-tiles): PB slots of weight tiles
    that are there, or -1. Raises :class:`MappingError` for a layer that the machine cannot run: if no mapping is legal
    it names operand, buffer, bytes needed and there.

    >>> from arch_model.network.layer import Kind
    >>> layer = Layer("a", Kind.CONV, K=16, C=9, R=3, S=3, H=8, W=8, padding=1)
    >>> best = optimise(layer, Accelerator.load("tiny"))
    >>> c = best.certificate
    >>> c.tile_bound, best.cycles >= c.tile_bound, c.space == c.illegal + c.evaluated + sum(c.pruned.values())
    (768, True, True)
    """
    begin = time.perf_counter()
    objective = Objective(objective)
    check_supported(layer)
    if not has_tiles(layer):
        what = "a depthwise conv" if layer.kind.has_weights else layer.kind
        raise MappingError(f"layer {layer.name}: kind is {what}; give a dense conv or linear, which have mappings")
    check_least(layer, accelerator)
    step, grid = Step(layer, add), tile_grid(layer, accelerator)
    none = np.full((grid.rows, grid.ct), -1, np.int64)
    hits = none if hits is None else hits
    weights = plan_layer(grid, hits, none, accelerator.db_half_tiles)
    everything = _space(layer, accelerator, weights)
    legal = everything.take(_legal(layer, accelerator, weights, everything))
    if not len(legal):
        raise MappingError(f"layer {layer.name}: a row of one channel group needs more beats than a command holds")
    bounds = Bounds(layer, accelerator, weights, add is not None, legal)
    search = _Search(step, accelerator, hits, weights, legal, bounds, objective)
    index, walk, cost = search.run()
    which = np.argmax(bounds.cycles, axis=0)
    pruned = np.bincount(which[~search.evaluated], minlength=len(BOUNDS))
    certificate = Certificate(
        objective,
        len(everything),
        len(legal),
        int(search.evaluated.sum()),
        {name: int(count) for name, count in zip(BOUNDS, pruned, strict=True)},
        search.least,
        cost,
        int(grid.tiles * layer.P * layer.Q),
        time.perf_counter() - begin,
    )
    tiling = _tiling(legal, index, walk.cycles)
    return Mapping(layer, add, accelerator, search.plan(tiling), tiling, walk, BOUNDS[which[index]], certificate)


def optimise_subnet(
    subnet: SubNet,
    supernet: SuperNet,
    accelerator: Accelerator,
    objective: Objective | str = Objective.LATENCY,
    resident: PersistentBuffer | None = None,
    skip_unsupported: bool = False,
) -> dict[str, Mapping]:
    """The best mapping of each dense layer of a SubNet by itself, with ``resident`` in the PB; layers that are alike
    are searched once. ``{name: m.tiling ...}`` is what :func:`mapper.lowering.compile.compile_subnet` takes.

    Raises :class:`MappingError` for a layer that the machine cannot run, unless ``skip_unsupported`` leaves it out.

    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> found = optimise_subnet(fashion.subnet("fashion-d111-w222"), fashion, tiny)
    >>> found["stem"].cycles
    8003
    """
    resident = resident or PersistentBuffer.empty(supernet)
    known: dict[object, Mapping] = {}
    found = {}
    adds = fused_adds(subnet.layers)
    for layer in subnet.layers:
        try:
            check_supported(layer)
            if not has_tiles(layer):
                continue
            add, hits = adds.get(layer.name), resident.layer_slots(layer.name, tile_grid(layer, accelerator))
            key = replace(layer, name="layer", inputs=(INPUT,)), add is None, hits.tobytes()
            if key not in known:
                known[key] = optimise(layer, accelerator, objective, add, hits)
        except MappingError:
            if not skip_unsupported:
                raise
        else:
            found[layer.name] = replace(known[key], layer=layer, add=add)
    return found


def _space(layer: Layer, accelerator: Accelerator, weights: LayerWeights) -> Candidates:
    """Every mapping once: choices that make no difference are left out."""
    rows, chunks = np.arange(1, layer.P + 1), chunks_of(layer, accelerator)
    # Groups of streamed weights, as numbers of rows: those of the order "rows", then of each chunk in "filters".
    streamed = np.array([any(p.group >= 0 for p in row) for row in weights.rows])
    groups = [[len({row for row, _ in group}) for group in weights.groups]]
    for chunk in chunks.tolist():
        starts = range(0, weights.grid.rows, chunk * weights.grid.windows)
        groups.append([n for i in starts if (n := int(streamed[i : i + chunk * weights.grid.windows].sum()))])
    deepest = max((n for group in groups for n in group), default=1)
    parts = np.array([-1, 0, *(1 << np.arange((deepest - 1).bit_length()))], np.int64)
    quarters = comes_in_quarters(layer, weights, accelerator)
    distinct = np.array([(quarters, *_distinct(tuple(rows_of), tuple(parts[1:].tolist()))) for rows_of in groups])
    prologues, numbers = (prologues_of(layer, accelerator), np.arange(len(parts))), np.arange(len(chunks))
    axes = np.meshgrid(rows, numbers, *prologues, np.arange(2), np.array(INTERLEAVES), indexing="ij")
    row, which, prologue, part, filters, interleave = (axis.reshape(-1) for axis in axes)
    # Prefetches belong to a prologue. One chunk has no order; with one tile the order still says which weights come
    # together.
    ordered = (which < len(chunks) - 1) & ((row < layer.P) | (weights.streamed > 0))
    own = distinct[np.where(filters > 0, which + 1, 0), part]
    found = Candidates(row, chunks[which], prologue, parts[part], filters, interleave)
    # What is interleaved: parts along several C-tiles, of K-tiles whose rows the first group holds whole; in 1 x 1
    # layers, whose input takes longer to come than a K-tile's passes over it.
    grid, streams = weights.grid, weights.streamed == weights.grid.tiles
    possible = is_pointwise(layer) and streams and 1 < grid.ct <= accelerator.db_half_tiles
    together = np.minimum(chunks[which], np.where(filters > 0, chunks[which], groups[0][0] if groups[0] else 0))
    legal = (interleave == 1) | (possible & (prologue > 1) & (interleave <= together))
    return found.take(np.where(prologue > 1, own, parts[part] == 0) & ((filters == 0) | ordered) & legal)


@lru_cache(maxsize=1 << 10)
def _distinct(groups: tuple[int, ...], parts: tuple[int, ...]) -> tuple[bool, ...]:
    """Which parts, in a layer whose groups have so many rows of tiles, cut them as no part before does."""
    if not groups:
        return tuple(part == 0 for part in parts)
    known: set[object] = set()
    found = []
    for part in parts:
        ways = (True, True), (True, False), (False, True), (False, False)
        ends = groups[0], groups[-1], *groups[1:-1]
        cut = tuple(ramp(n, up, down, part or n) for n in dict.fromkeys(ends) for up, down in ways)
        found.append(cut not in known)
        known.add(cut)
    return tuple(found)


def _legal(layer: Layer, accelerator: Accelerator, weights: LayerWeights, c: Candidates) -> npt.NDArray[np.bool_]:
    chunks = chunks_of(layer, accelerator)
    fits = legal_cuts(layer, accelerator, np.arange(1, layer.P + 1)[:, None], chunks[None, :])
    streamed = [sum(p.length for p in row if p.group >= 0) for row in weights.rows]
    total = np.concatenate([[0], np.cumsum(streamed)])
    stays = np.array([_most(total, int(chunk) * weights.grid.windows) for chunk in chunks]) <= accelerator.db_half_tiles
    which = np.searchsorted(chunks, c.chunk)
    legal: npt.NDArray[np.bool_] = fits[c.rows - 1, which] & ((c.filters == 0) | stays[which])
    legal &= (c.interleave == 1) | (c.interleave * c.rows * layer.Q <= accelerator.ob_pixels)
    return legal


def _most(total: Ints, rows: int) -> int:
    """The most tiles in ``rows`` consecutive rows from a multiple of them on; ``total`` (r): tiles before row r."""
    ends = [*range(0, len(total) - 1, rows), len(total) - 1]
    return max(int(total[high] - total[low]) for low, high in pairwise(ends))


def _tiling(c: Candidates, index: int, cycles: int = 0) -> Tiling:
    order = Order.FILTERS if c.filters[index] else Order.ROWS
    prologue = int(c.prologue_parts[index]), order, int(c.prefetch_rows[index]), int(c.interleave[index])
    return Tiling(int(c.rows[index]), int(c.chunk[index]), cycles, *prologue)


class _Search:
    """Exact costs in the order of the bounds, until none is below the best cost."""

    def __init__(
        self,
        step: Step,
        accelerator: Accelerator,
        hits: Slots,
        weights: LayerWeights,
        legal: Candidates,
        bounds: Bounds,
        objective: Objective,
    ) -> None:
        self.step, self.a, self.hits = step, accelerator, hits
        self.costs = LayerCosts(step, accelerator, hits)
        self.legal, self.bounds, self.objective = legal, bounds, objective
        self.evaluated = np.zeros(len(legal), np.bool_)
        self.walks: dict[int, LayerCost] = {}
        self.plans = {0: weights}

    def run(self) -> tuple[int, LayerCost, float]:
        """(index, walk, cost) of the best."""
        self._prepare()
        lower = self._lower(np.arange(len(self.legal)))
        refined = np.zeros(self.bounds.kind.max() + 1, np.bool_)
        walked = np.zeros(len(self.legal), np.bool_)
        by_slots = np.argsort(self.bounds.slots, kind="stable")  # of equal bounds, the one that is soonest known
        ranked = lower[by_slots]
        best, best_cost = -1, np.inf
        while True:
            rank = int(np.argmin(ranked))
            index = int(by_slots[rank])
            if ranked[rank] >= best_cost:
                break
            kind = int(self.bounds.kind[index])
            if not refined[kind]:
                refined[kind] = True
                at = self.bounds.refine(kind)
                lower[at] = self._lower(at)
                ranked = np.where(np.isinf(ranked), np.inf, lower[by_slots])
                continue
            if not walked[index]:
                walked[index] = True
                self.bounds.walk_halves(index)
                lower[index] = ranked[rank] = self._lower(np.array([index]))[0]
                continue
            ranked[rank] = np.inf
            cost = self._cost(self._walk(index))
            if cost < best_cost:
                best, best_cost = index, cost
        self.least = float(lower.min())
        return best, self.walks[best], best_cost

    def _walk(self, index: int) -> LayerCost:
        if index not in self.walks:
            self.walks[index] = self.costs.cost(_tiling(self.legal, index))
            self.evaluated[index] = True
        return self.walks[index]

    def plan(self, tiling: Tiling) -> LayerWeights:
        """Where weights come from: their groups depend on the order and, in "filters", on the chunk."""
        key = tiling.chunk if tiling.order is Order.FILTERS else 0
        if key not in self.plans:
            grid = tile_grid(self.step.layer, self.a)
            none, rows = np.full_like(self.hits, -1), tiling.chunk * grid.windows
            self.plans[key] = plan_layer(grid, self.hits, none, self.a.db_half_tiles, rows)
        return self.plans[key]

    def _cost(self, walk: LayerCost) -> float:
        if self.objective is Objective.LATENCY:
            return walk.cycles
        joules = energy(walk.activity, self.a, walk.cycles).total_j
        return joules if self.objective is Objective.ENERGY else joules * walk.cycles / self.a.clock_hz

    def _prepare(self) -> None:
        self.dynamic = np.zeros(len(self.legal)) if self.objective is Objective.LATENCY else self._dynamic_joules()

    def _lower(self, at: Ints) -> Floats:
        """The objective's lower bound from those of the cycles."""
        cycles = self.bounds.cycles[:, at].max(axis=0)
        if self.objective is Objective.LATENCY:
            return np.asarray(cycles, np.float64)
        joules: Floats = self.dynamic[at] + leakage_w(self.a) * cycles / self.a.clock_hz
        joules *= 1 - 1e-12  # sums in another order round otherwise
        return joules if self.objective is Objective.ENERGY else joules * cycles / self.a.clock_hz

    def _dynamic_joules(self) -> Floats:
        """Joules without leakage: one mapping's, and where others differ: exact but for the Program's bytes."""
        a, b, layer = self.a, self.bounds, self.step.layer
        grid, streamed = tile_grid(layer, a), int((self.hits < 0).sum())
        index = int(np.argmin(b.slots))
        one, costs = self._walk(index).activity, energy_costs(a)
        prog = -(-32 * b.slots // a.program_beat_bytes) * a.program_beat_bytes
        passes = b.tiles * a.tile_bytes_raw
        counts = {
            "dram.act": b.rows_in * a.pitch(layer.W, folds(layer, a)),
            "sb.write": b.rows_in * layer.W * a.cp,
            "dram.wgt": b.fetches * streamed * a.tile_bytes,
            "db.write": b.fetches * streamed * a.tile_bytes_raw,
            "db.read": passes * streamed,
            "pb.read": passes * (grid.tiles - streamed),
            "weight_registers": 16 * passes * grid.tiles,
        }
        joules: Floats = np.full(len(b.slots), energy(one, a).total_j)
        joules += costs["dram.prog"] * 1e-12 * (prog - one["dram.prog"])
        for name, count in counts.items():
            joules += costs[name] * 1e-12 * (count - count[index])
        return joules


def loop_nest(layer: Layer, tiling: Tiling, weights: LayerWeights, accelerator: Accelerator) -> str:
    """A mapping as nested loops, a line each, with what each brings or writes.

    >>> from arch_model.network.layer import Kind
    >>> tiny = Accelerator.load("tiny")
    >>> print(optimise(Layer("a", Kind.LINEAR, K=10, C=96), tiny).loop_nest())
    ... # doctest: -NORMALIZE_WHITESPACE
    for tile in 0..0                       1 output row: LOAD_ACT
      for chunk in 0..0                    3 K-tiles: one STORE
        for k_tile in 0..2                 4 filters
          for c_tile in 0..3               27 channels: weights shift in (DB, loaded once)
            for pixel in 0..0              4 filters x 27 products a cycle
    """
    a, grid = accelerator, weights.grid
    tiles, chunks = -(-layer.P // tiling.rows), -(-grid.kt // tiling.chunk)
    pointwise = layer.R == layer.S == 1
    depth, taps = (9 * a.cp, 1) if pointwise else (a.cp, 9)
    times = 1 if tiling.order is Order.FILTERS or weights.streamed <= a.db_half_tiles else tiles
    source = "PB" if not weights.streamed else "DB" if weights.streamed == grid.tiles else "PB and DB"
    often = "" if not weights.streamed else f", loaded {'once' if times == 1 else f'{times} times'}"
    rows = f"{tiling.rows} output row{'s' if tiling.rows > 1 else ''}: LOAD_ACT"
    act = rows if tiling.prologue_parts == 1 else f"{rows}, the first in {tiling.prologue_parts} parts"
    if tiling.interleave > 1:
        act += f", {tiling.interleave} K-tiles interleaved"
    outer = [("tile", tiles, act), ("chunk", chunks, f"{tiling.chunk} K-tiles: one STORE")]
    if tiling.order is Order.FILTERS:
        outer.reverse()
    loops = [*outer, ("k_tile", min(tiling.chunk, grid.kt), f"{a.kp} filters")]
    if grid.windows > 1:
        loops.append(("window", grid.windows, "3 x 3 taps"))
    loops.append(("c_tile", grid.ct, f"{depth} channels: weights shift in ({source}{often})"))
    loops.append(("pixel", tiling.rows * layer.Q, f"{a.kp} filters x {depth * taps} products a cycle"))
    lines = (f"{'  ' * i}for {name} in 0..{count - 1}".ljust(39) + what for i, (name, count, what) in enumerate(loops))
    return "\n".join(line.rstrip() for line in lines)
