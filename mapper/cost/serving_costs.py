"""Cycles and DRAM bytes of many SubNets for many cached SubGraphs, layer by layer, each cut worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.cost.layer_batch import CutLayer, LayerBatch, layer_costs
from mapper.layout.tensors import slice_grid, tile_grid
from mapper.lowering.quick_choice import choose_each
from mapper.workload.fusion import is_dense

Ints = npt.NDArray[np.int64]

_Use = tuple[int, Layer, bool]
"""A layer of a SubNet by all that costs: its place in the SuperNet, its shape, whether an add follows."""


@dataclass(frozen=True, eq=False)
class SummedCosts:
    """Sums over the weight layers that the mapper takes, each as a Program of its own: int64 (SubNets, SubGraphs).

    ``cycles`` one layer after another, without overlap; ``dram_bytes`` moved, of them ``weight_bytes`` of tiles and of
    scales and biases; ``hit_bytes`` that the PB spared.
    """

    cycles: Ints
    dram_bytes: Ints
    weight_bytes: Ints
    hit_bytes: Ints


def summed_costs(
    subnets: Sequence[SubNet], subgraphs: Sequence[SubGraph], supernet: SuperNet, accelerator: Accelerator
) -> SummedCosts:
    """The sums, for 1,000 SubNets and 500 SubGraphs in seconds.

    Raises :class:`MappingError` for a layer too large for the accelerator.

    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> costs = summed_costs([fashion.subnet("fashion-d111-w222")], [SubGraph.empty(fashion)], fashion, tiny)
    >>> costs.cycles.shape, costs.hit_bytes.tolist()
    ((1, 1), [[0]])
    """
    cached = np.zeros((len(subgraphs), len(supernet.layers), 2), np.int64)
    for number, subgraph in enumerate(subgraphs):
        for at, (layer, (k, c)) in enumerate(zip(supernet.layers, subgraph.slices, strict=True)):
            grid = slice_grid(layer, k, c, accelerator)
            if grid.tiles:
                cached[number, at] = grid.kt, grid.ct
    uses_of = [_uses(subnet, supernet) for subnet in subnets]
    uses = list({use: None for uses in uses_of for use in uses})
    cuts: dict[CutLayer, int] = {}
    places = [_places(use, cached[:, use[0]], accelerator, cuts) for use in uses]
    costs = layer_costs(LayerBatch.of(cuts, [accelerator]))
    at_use = {use: place for use, place in zip(uses, places, strict=True)}
    parts = np.array([costs.cycles, costs.dram_bytes, costs.wgt_bytes, costs.pb_hit_bytes])
    found = np.zeros((len(parts), len(subnets), len(subgraphs)), np.int64)
    for row, of_subnet in enumerate(uses_of):
        for use in of_subnet:
            found[:, row] += parts[:, at_use[use]]
    return SummedCosts(*found)


def _uses(subnet: SubNet, supernet: SuperNet) -> list[_Use]:
    added = {layer.inputs[0] for layer in subnet.layers if layer.kind is Kind.ADD}
    return [
        (supernet.index(layer.name), replace(layer, name=supernet.name, inputs=()), layer.name in added)
        for layer in subnet.weight_layers
        if is_dense(layer)
    ]


def _places(use: _Use, cached: Ints, accelerator: Accelerator, cuts: dict[CutLayer, int]) -> Ints:
    """For each SubGraph the place in ``cuts`` of the layer as it is cut with that in the PB; new cuts are added."""
    _, layer, add = use
    grid = tile_grid(layer, accelerator)
    hits = np.minimum(cached, (grid.kt, grid.ct))
    different, place = np.unique(hits, axis=0, return_inverse=True)
    streamed = [(grid.kt * grid.ct - kt * ct) * grid.windows for kt, ct in different.tolist()]
    *tilings, without = choose_each(layer, accelerator, [*streamed, grid.tiles], add)
    tiles = -(-layer.P // without.rows)
    made = [
        CutLayer(layer, replace(tiling, cycles=0), (kt, ct), add, tiles)
        for tiling, (kt, ct) in zip(tilings, different.tolist(), strict=True)
    ]
    return np.array([cuts.setdefault(cut, len(cuts)) for cut in made], np.int64)[place.reshape(-1)]
