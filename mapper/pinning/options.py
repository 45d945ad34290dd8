"""The parts of each SuperNet layer that may be pinned, and what SubNets cost with each: all that can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.cost.layer_batch import CutLayer, LayerBatch, layer_costs
from mapper.layout.tensors import is_pointwise, slice_grid, tile_grid
from mapper.lowering.quick_choice import choose_each
from mapper.workload.fusion import fused_adds, is_dense

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Menu:
    """Leading parts of SuperNet layers, one of which is pinned of each: entry 0 is always nothing.

    ``slices`` int64 (layers, entries, 2): K and C; ``tiles`` (layers, entries): PB slots that they take; ``count``
    (layers,): entries of each layer, those beyond repeat entry 0. A layer's other entries are its leading K-tiles with
    the C of some SubNet: whatever lies between two SubNets' C is no more use than the smaller.
    """

    supernet: SuperNet
    accelerator: Accelerator
    slices: Ints
    tiles: Ints
    count: Ints

    @classmethod
    def of(
        cls, supernet: SuperNet, subnets: Sequence[SubNet], accelerator: Accelerator, levels: int | None = None
    ) -> Menu:
        """What is worth pinning for these SubNets, as far as it fits the PB.

        ``levels``: at most so many numbers of K-tiles for each C, evenly spaced with the most among them; None: all.

        >>> from arch_model.spaces import get_space
        >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
        >>> menu = Menu.of(fashion, [fashion.subnet("fashion-d111-w222")], tiny)
        >>> menu.slices[0, :4].tolist()          # the stem of one channel: 4, 8, 12, ... filters
        [[0, 0], [4, 1], [8, 1], [12, 1]]
        """
        sizes: list[set[tuple[int, int]]] = [set() for _ in supernet.layers]
        for subnet in subnets:
            for layer in subnet.weight_layers:
                if is_dense(layer):
                    sizes[supernet.index(layer.name)].add((layer.K, layer.C))
        table = []
        for layer, pairs in zip(supernet.layers, sizes, strict=True):
            entries = [(0, 0, 0)]
            for c in sorted({c for _, c in pairs}):
                most = max(k for k, other in pairs if other >= c)
                grid = slice_grid(layer, most, c, accelerator)
                each = grid.windows * grid.ct
                last = min(grid.kt, accelerator.pb_tiles // each)
                steps = min(last, levels or last)
                for kt in sorted({-(-last * (i + 1) // steps) for i in range(steps)}):
                    entries.append((min(most, kt * accelerator.kp), c, kt * each))
            table.append(entries)
        width = max(len(entries) for entries in table)
        padded = np.array([entries + [(0, 0, 0)] * (width - len(entries)) for entries in table], np.int64)
        count = np.array([len(entries) for entries in table])
        return cls(supernet, accelerator, padded[:, :, :2], padded[:, :, 2], count)

    @classmethod
    def one(cls, supernet: SuperNet, subgraph: SubGraph, accelerator: Accelerator) -> Menu:
        """Of each layer nothing or what ``subgraph`` has of it: its entry 1."""
        slices = np.array([[(0, 0), pair] for pair in subgraph.slices], np.int64)
        pairs = zip(supernet.layers, subgraph.slices, strict=True)
        tiles = [(0, slice_grid(layer, k, c, accelerator).tiles) for layer, (k, c) in pairs]
        return cls(supernet, accelerator, slices, np.array(tiles, np.int64), np.full(len(tiles), 2))

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Which entries are not repetitions, (layers, entries)."""
        found: npt.NDArray[np.bool_] = np.arange(self.tiles.shape[1]) < self.count[:, None]
        return found

    def grid(self) -> Ints:
        """(K-tiles, C-tiles) of each entry, (layers, entries, 2)."""
        kp, cp = self.accelerator.kp, self.accelerator.cp
        channels = np.array([cp * (TAPS if is_pointwise(layer) else 1) for layer in self.supernet.layers])
        k, c = self.slices[..., 0], self.slices[..., 1]
        return np.stack([-(-k // kp), -(-c // channels[:, None])], axis=-1)

    def subgraph(self, choice: Ints) -> SubGraph:
        """The SubGraph of one entry a layer, (layers,)."""
        pairs = self.slices[np.arange(len(choice)), choice].tolist()
        return SubGraph(self.supernet.name, tuple((k, c) for k, c in pairs))

    def used(self, choice: Ints) -> int:
        """PB slots that this choice takes."""
        return int(self.tiles[np.arange(len(choice)), choice].sum())

    def largest_in(self, subgraph: SubGraph) -> Ints:
        """For each layer the entry with the most tiles that lies in ``subgraph``, (layers,)."""
        inside = self.there & (self.slices <= np.array(subgraph.slices)[:, None]).all(axis=-1)
        found: Ints = np.where(inside, self.tiles, -1).argmax(axis=1)
        return found


def layer_table(menu: Menu, subnets: Sequence[SubNet], share: Sequence[float], bytes_: bool) -> npt.NDArray[np.float64]:
    """Expected cost of each SuperNet layer with each entry of the menu pinned, float64 (layers, entries).

    ``share``: each SubNet's probability. The cost is DRAM bytes, or cycles, of the layer as a Program of its own;
    layers without tiles that the PB can hold cost nothing.
    """
    accelerator, supernet = menu.accelerator, menu.supernet
    grids, found = menu.grid(), np.zeros(menu.tiles.shape)
    known: dict[object, int] = {}
    cuts: list[CutLayer] = []
    uses: list[tuple[int, float, list[int]]] = []
    for subnet, weight in zip(subnets, share, strict=True):
        adds = fused_adds(subnet.layers)
        for layer in subnet.weight_layers:
            if not is_dense(layer):
                continue
            index, add, grid = supernet.index(layer.name), layer.name in adds, tile_grid(layer, accelerator)
            hits = [(min(kt, grid.kt), min(ct, grid.ct)) for kt, ct in grids[index, : menu.count[index]].tolist()]
            shape = (layer.K, layer.C, layer.R, layer.S, layer.H, layer.W, layer.stride, layer.padding, add)
            new = [hit for hit in dict.fromkeys(hits) if (shape, hit) not in known]
            if new:
                streamed = [grid.tiles - kt * ct * grid.windows for kt, ct in new]
                for hit, tiling in zip(new, choose_each(layer, accelerator, streamed, add), strict=True):
                    known[shape, hit] = len(cuts)
                    cuts.append(CutLayer(layer, tiling, hit, add))
            uses.append((index, weight, [known[shape, hit] for hit in hits]))
    costs = layer_costs(LayerBatch.of(cuts, [accelerator]))
    values = costs.dram_bytes if bytes_ else costs.cycles
    for index, weight, numbers in uses:
        found[index, : len(numbers)] += weight * values[numbers]
    return found
