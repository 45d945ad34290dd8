"""What is in the Persistent Buffer: which weight tile is in which slot, and how a switch moves as few as possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.layout.tensors import TileGrid, slice_grid, tile_grid

Tile = tuple[str, int, int, int]
"""(layer, K-tile, window, C-tile)."""


def subgraph_tiles(subgraph: SubGraph, supernet: SuperNet, accelerator: Accelerator) -> Iterator[Tile]:
    """The tiles that hold a SubGraph, in DRAM order; a slice that ends within a tile takes the whole tile.

    Only those of dense layers: depthwise weights are few and never in the PB, whatever the SubGraph has of them.

    Parameters
    ----------
    subgraph : of ``supernet``.
    supernet : gives the layers.
    accelerator : gives the size of a tile.

    Yields
    ------
    layer, K-tile, window, C-tile
    """
    for layer, (k, c) in zip(supernet.layers, subgraph.slices, strict=True):
        grid = slice_grid(layer, k, c, accelerator)
        for kt in range(grid.kt):
            for w in range(grid.windows):
                for ct in range(grid.ct):
                    yield layer.name, kt, w, ct


def subgraph_tile_count(subgraph: SubGraph, supernet: SuperNet, accelerator: Accelerator) -> int:
    """How many PB slots a SubGraph takes: tiles of dense layers, as in :func:`subgraph_tiles`.

    Parameters
    ----------
    subgraph : of ``supernet``.
    supernet : gives the layers.
    accelerator : gives the size of a tile.
    """
    pairs = zip(supernet.layers, subgraph.slices, strict=True)
    return sum(slice_grid(layer, k, c, accelerator).tiles for layer, (k, c) in pairs)


@dataclass(frozen=True, eq=False)
class PersistentBuffer:
    """The Persistent Buffer (PB) with a SubGraph in it. It does not change: :meth:`switch` returns another one.

    Attributes
    ----------
    subgraph : what is cached.
    slots : of each of its weight tiles, (layer, K-tile, window, C-tile), the tile slot of the hardware, 0 ..
        ``pb_tiles`` - 1.
    """

    subgraph: SubGraph
    slots: Mapping[Tile, int]

    @classmethod
    def empty(cls, supernet: SuperNet) -> PersistentBuffer:
        """Nothing cached: the state after reset."""
        return cls(SubGraph.empty(supernet), MappingProxyType({}))

    @classmethod
    def of(cls, subgraph: SubGraph, supernet: SuperNet, accelerator: Accelerator) -> PersistentBuffer:
        """A SubGraph in an otherwise empty PB.

        Parameters
        ----------
        subgraph : of ``supernet``.
        supernet : gives the layers.
        accelerator : with the PB.

        Raises
        ------
        MappingError
            It does not fit.
        """
        return cls.empty(supernet).switch(subgraph, supernet, accelerator)

    def switch(self, subgraph: SubGraph, supernet: SuperNet, accelerator: Accelerator) -> PersistentBuffer:
        """The PB after a switch: tiles that both SubGraphs have stay where they are, the others make room.

        New tiles fill, in DRAM order, first the slots that held nothing, then the slots of tiles that go, each in
        ascending order.

        Parameters
        ----------
        subgraph : that the PB is to hold.
        supernet : gives the layers.
        accelerator : with the PB.

        Raises
        ------
        MappingError
            The SubGraph needs more tiles than the PB has.

        Examples
        --------
        >>> from arch_model.spaces import get_space
        >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
        >>> stem = SubGraph(fashion.name, ((16, 1),) + ((0, 0),) * (len(fashion.layers) - 1))
        >>> PersistentBuffer.of(stem, fashion, tiny).slots[("stem", 3, 0, 0)]
        3
        """
        wanted = list(subgraph_tiles(subgraph, supernet, accelerator))
        if len(wanted) > accelerator.pb_tiles:
            raise MappingError(
                f"SubGraph of {supernet.name}: its {len(wanted)} weight tiles need "
                f"{len(wanted) * accelerator.tile_bytes_raw} bytes of the PB; "
                f"{accelerator.name} has {accelerator.buffers.pb_bytes}"
            )
        slots = {tile: self.slots[tile] for tile in wanted if tile in self.slots}
        kept, held = set(slots.values()), set(self.slots.values())
        free = [s for s in range(accelerator.pb_tiles) if s not in held] + sorted(held - kept)
        new = (tile for tile in wanted if tile not in slots)
        slots.update(zip(new, free, strict=False))
        return PersistentBuffer(subgraph, MappingProxyType(slots))

    @cached_property
    def _by_layer(self) -> dict[str, list[tuple[int, int, int, int]]]:
        layers: dict[str, list[tuple[int, int, int, int]]] = {}
        for (layer, kt, w, ct), slot in self.slots.items():
            layers.setdefault(layer, []).append((kt, w, ct, slot))
        return layers

    def layer_slots(self, layer: str, grid: TileGrid) -> npt.NDArray[np.int64]:
        """Slots of a layer's tiles.

        Parameters
        ----------
        layer : its name.
        grid : its tiles.

        Returns
        -------
        int64 array
            (rows, ct) of ``grid``, row = K-tile * windows + window; -1: not there.
        """
        found = np.full((grid.rows, grid.ct), -1, np.int64)
        if entries := self._by_layer.get(layer):
            kt, w, ct, slot = np.array(entries, np.int64).T
            inside = (kt < grid.kt) & (ct < grid.ct)
            found[(kt * grid.windows + w)[inside], ct[inside]] = slot[inside]
        return found


Slots = npt.NDArray[np.int64]


def layer_sources(
    layers: Sequence[Layer], resident: PersistentBuffer, target: PersistentBuffer, accelerator: Accelerator
) -> dict[str, tuple[Slots, Slots]]:
    """For each weight layer: PB slots of tiles to use (hits) and of tiles to bring (new), or -1.

    A tile that goes is a hit only while nothing has been written over it: a new tile of this SubNet is written when its
    own layer is due, one for later queries at the end.

    Parameters
    ----------
    layers : of a SubNet, in order of execution, those with weights.
    resident : in the PB before the SubNet's Program.
    target : in the PB after it.
    accelerator : with the PB.

    Returns
    -------
    dict
        By layer, hits and new ones, each (rows, C-tiles).
    """
    sources = {}
    written = np.full(max(accelerator.pb_tiles, 1), len(layers), np.int64)  # in which layer a slot is written
    for position, layer in enumerate(layers):
        grid = tile_grid(layer, accelerator)
        old, new = resident.layer_slots(layer.name, grid), target.layer_slots(layer.name, grid)
        new = np.where(new == old, -1, new)
        written[new[new >= 0]] = position
        sources[layer.name] = old, new
    for position, layer in enumerate(layers):
        old, new = sources[layer.name]
        lost = (new >= 0) | ((old >= 0) & (written[old] <= position))
        sources[layer.name] = np.where(lost, -1, old), new
    return sources


def later_tiles(
    supernet: SuperNet,
    subnet: SubNet,
    resident: PersistentBuffer,
    target: PersistentBuffer,
    accelerator: Accelerator,
) -> dict[str, Slots]:
    """Tiles that a Program brings for later queries only: the target's that the SubNet does not use and the PB lacks.

    Parameters
    ----------
    supernet : gives the layers.
    subnet : that the Program runs.
    resident : in the PB before.
    target : in the PB after.
    accelerator : with the PB.

    Returns
    -------
    dict
        By SuperNet layer their PB slots, or -1, (rows, C-tiles).
    """
    used = {layer.name: tile_grid(layer, accelerator) for layer in subnet.weight_layers}
    found = {}
    for layer in supernet.layers:
        grid = tile_grid(layer, accelerator)
        new = target.layer_slots(layer.name, grid)
        new = np.where(new == resident.layer_slots(layer.name, grid), -1, new)
        if layer.name in used:
            own = used[layer.name]
            new[: own.rows, : own.ct] = -1
        found[layer.name] = new
    return found
