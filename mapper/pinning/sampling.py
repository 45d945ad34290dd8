"""SubGraphs to choose from, as many as asked for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.layout.tensors import slice_grid
from mapper.pinning.greedy import fit_subgraph
from mapper.workload.depthwise import has_tiles

_DRAWS = 50
"""SubNets drawn for each SubGraph wanted before the space counts as too small."""


def draw_subgraphs(
    supernet: SuperNet, subnets: Iterable[SubNet], count: int, accelerator: Accelerator, seed: int
) -> dict[str, SubGraph]:
    """Different SubGraphs that fit the PB, none of them empty, by name.

    First the best slice of each of the first SubNets (:func:`~mapper.pinning.greedy.fit_subgraph`), "fit-NAME", where
    NAME is the first SubNet whose it is; then "drawn-1" and so on: layers of a SubNet of the SuperNet in a random order
    until the PB is full, the last one cut to leading K-tiles.

    Parameters
    ----------
    supernet : of all of them.
    subnets : that will run.
    count : of SubGraphs.
    accelerator : with the PB.
    seed : of the draws.

    Raises
    ------
    MappingError
        The PB holds no tile, or the space has not so many.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> list(draw_subgraphs(fashion, [fashion.subnet("fashion-d222-w444")], 2, tiny, seed=0))
    ['fit-fashion-d222-w444', 'drawn-1']
    """
    if not accelerator.pb_tiles:
        raise MappingError(f"{accelerator.name} has no PB to cache a SubGraph in; give a larger buffers.pb_bytes")
    found: dict[SubGraph, str] = {}
    subnets = list(subnets)
    for subnet in subnets[:count]:
        found.setdefault(fit_subgraph(subnet, supernet, accelerator), f"fit-{subnet.name}")
    rng = np.random.default_rng(seed)
    drawn = 0
    for _ in range(_DRAWS * count):
        if len(found) == count:
            break
        subnet = subnets[int(rng.integers(len(subnets)))]
        subgraph = _fill(subnet, supernet, accelerator, rng)
        if subgraph not in found:
            drawn += 1
            found[subgraph] = f"drawn-{drawn}"
    if len(found) < count:
        raise MappingError(
            f"{len(found)} different SubGraphs of {supernet.name} were found for {accelerator.name}; "
            f"{count} were asked for, give fewer or more SubNets"
        )
    return {name: subgraph for subgraph, name in found.items()}


def _fill(subnet: SubNet, supernet: SuperNet, accelerator: Accelerator, rng: np.random.Generator) -> SubGraph:
    """Layers of a SubNet in a random order until the PB is full."""
    slices, free = [(0, 0)] * len(supernet.layers), accelerator.pb_tiles
    layers = [layer for layer in subnet.weight_layers if has_tiles(layer)]
    for number in rng.permutation(len(layers)).tolist():
        layer = layers[number]
        grid = slice_grid(layer, layer.K, layer.C, accelerator)
        rows = min(grid.kt, free // (grid.windows * grid.ct))
        if rows:
            slices[supernet.index(layer.name)] = min(layer.K, rows * accelerator.kp), layer.C
            free -= rows * grid.windows * grid.ct
    return SubGraph(supernet.name, tuple(slices))
