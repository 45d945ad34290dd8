"""What a switch of the cached SubGraph costs the query in whose Program it happens.

A Program that leaves SubGraph B in the PB where A was loads the tiles of B that its SubNet uses into the PB instead
of the DB, when their layer is due, and the rest of B at its end (``mapper/lowering/compile.py``). So the switch costs a
query

- nothing for tiles that A holds too: they stay where they are;
- no byte for tiles of its own, less if they would have come once for every spatial tile; but they come in
  one piece before the layer's passes instead of beside them, so less of them hides behind arithmetic;
- every byte of the rest, of which the last layers hide a little.

``docs/concepts/serving.md`` has the formula; ``tests/mapper/cost/test_switch_cost.py`` holds it against compiled
Programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import PASS_OVERHEAD
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.layout.tensors import slice_grid, tile_grid
from mapper.lowering.quick_choice import choose
from mapper.workload.fusion import is_dense

Ints = npt.NDArray[np.int64]

MOST = 30_000_000
"""Entries (SubNets × SubGraphs²) that a table of switches may have."""


class Switch(NamedTuple):
    """A place in a table of switches.

    Attributes
    ----------
    row : the SubNet that runs.
    before, after : the SubGraphs in the PB.
    """

    row: int
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Switches:
    """What a query costs beyond what it would without a switch.

    Arrays (SubNets, SubGraphs before, SubGraphs after), zero where nothing changes; the first axis has length 1 if it
    does not matter which SubNet the query runs. Numbers may be negative: a switch to what the query needs can pay at
    once.

    Attributes
    ----------
    cycles : int64.
    bytes : int64, from DRAM.
    exact : where the cycles are of a compiled Program and no estimate. None: nowhere.
    """

    cycles: Ints
    bytes: Ints
    exact: npt.NDArray[np.bool_] | None = None

    @classmethod
    def none(cls, columns: int) -> Switches:
        """A table in which no change of the SubGraph costs anything."""
        return cls(np.zeros((1, columns, columns), np.int64), np.zeros((1, columns, columns), np.int64))


@dataclass(frozen=True, eq=False)
class _Grids:
    """Leading tiles of weights: K-tiles and C-tiles (things, layers), ``windows`` (layers)."""

    k: Ints
    c: Ints
    windows: Ints

    @classmethod
    def of(cls, things: Sequence[SubGraph], supernet: SuperNet, accelerator: Accelerator) -> _Grids:
        k, c = np.zeros((2, len(things), len(supernet.layers)), np.int64)
        for i, thing in enumerate(things):
            for j, (layer, size) in enumerate(zip(supernet.layers, thing.slices, strict=True)):
                grid = slice_grid(layer, *size, accelerator)
                k[i, j], c[i, j] = grid.kt, grid.ct
        return cls(k, c, np.array([tile_grid(layer, accelerator).windows for layer in supernet.layers]))

    def __getitem__(self, index: Any) -> _Grids:
        return _Grids(self.k[index], self.c[index], self.windows)

    def __and__(self, other: _Grids) -> _Grids:
        return _Grids(np.minimum(self.k, other.k), np.minimum(self.c, other.c), self.windows)

    @property
    def tiles(self) -> Ints:
        return self.k * self.c * self.windows


def estimated_switches(
    subnets: Sequence[SubNet],
    subgraphs: Sequence[SubGraph],
    supernet: SuperNet,
    accelerator: Accelerator,
    cycles: Ints,
    tail: Ints | None = None,
) -> Switches:
    """Every switch between SubGraphs, estimated.

    The sums run over layers that the mapper takes, each bound by weights or by passes, whichever takes longer. No query
    with a switch is faster than both with the SubGraph before and with the one after it. Beyond :data:`MOST` entries
    every new tile counts as one for later, whichever SubNet runs: the first axis has length 1.

    Parameters
    ----------
    subnets, subgraphs : between and with which to switch.
    supernet : of both.
    accelerator : with the PB.
    cycles : without a switch, (SubNets, SubGraphs), as in SushiAbs.
    tail : of each SubNet, cycles at its Program's end in which no weight is loaded, behind which tiles for later
        queries can hide. None: none.
    """
    a = accelerator
    load = a.tile_beats * a.dram.cycles_per_beat
    cached = _Grids.of(subgraphs, supernet, a)
    used = _Grids.of([SubGraph.of(subnet, supernet) for subnet in subnets], supernet, a)
    count = len(subgraphs)
    new = np.array([(cached.tiles - (cached & cached[i]).tiles).sum(axis=-1) for i in range(count)])
    if len(subnets) * count**2 > MOST:
        return Switches(new[None] * load, new[None] * a.tile_bytes)
    extra, more = np.zeros((2, len(subnets), count, count), np.int64)
    for n, subnet in enumerate(subnets):
        own = used[n]
        fetches, work = np.ones((2, len(supernet.layers)), np.int64)
        counted = np.zeros(len(supernet.layers), np.int64)
        for layer in subnet.weight_layers:
            if not is_dense(layer):
                continue
            at, tiles = supernet.index(layer.name), tile_grid(layer, a).tiles
            fetches[at] = -(-layer.P // choose(layer, a).rows)
            work[at] = tiles * max(layer.P * layer.Q, a.kp + PASS_OVERHEAD)
            counted[at] = 1

        def fetched(streamed: Ints, fetches: Ints = fetches) -> Ints:
            return streamed * np.where(streamed > a.db_half_tiles, fetches, 1)

        own = _Grids(own.k * counted, own.c, own.windows)
        theirs = own & cached
        hits = theirs.tiles
        without = fetched(own.tiles - hits)
        plain = cycles[n] - np.maximum(load * without, work).sum(axis=-1)
        hidden = 0 if tail is None else int(tail[n])
        for before in range(count):  # arrays (SubGraphs after, layers)
            bring = hits - (theirs & cached[before]).tiles
            with_ = bring + fetched(own.tiles - hits[before] - bring)
            taken = np.maximum(load * with_, work).sum(axis=-1)
            later = new[before] - bring.sum(axis=-1)
            whole = np.maximum(taken + np.minimum(plain[before], plain), np.minimum(cycles[n, before], cycles[n]))
            whole += np.maximum(0, later * load - hidden)
            extra[n, before] = whole - cycles[n, before]
            more[n, before] = (with_.sum(axis=-1) - without[before].sum() + later) * a.tile_bytes
    same = np.arange(count)
    extra[:, same, same] = more[:, same, same] = 0
    return Switches(extra, more)
