"""The slices of each SuperNet layer that may be pinned, and what SubNets cost with each: all that can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.program.isa import SLOT_BYTES
from arch_model.program.program import PORTS
from mapper.cost.cached_layers import SLOTS, CachedLayers
from mapper.cost.layer_cost import LayerCosts
from mapper.cost.network_costs import AT
from mapper.layout.memory_map import image_folds
from mapper.layout.tensors import folds, is_pointwise, slice_grid
from mapper.workload.fusion import Step, check_runnable, fused_adds, is_dense, steps

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Menu:
    """Leading slices of SuperNet layers, one of which is pinned of each: entry 0 is always nothing.

    A layer's other entries are its leading K-tiles with the C of some SubNet: whatever lies between two SubNets' C is
    no more use than the smaller.

    Attributes
    ----------
    supernet, accelerator : for which the menu is.
    slices : K and C, int64 (layers, entries, 2).
    tiles : PB slots that they take, (layers, entries).
    count : entries of each layer, (layers,); those beyond repeat entry 0.
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
        """What is worth pinning for SubNets, as far as it fits the PB.

        Parameters
        ----------
        supernet : of the SubNets.
        subnets : that will run.
        accelerator : with the PB.
        levels : at most so many numbers of K-tiles for each C, evenly spaced with the most among them. None: all.

        Examples
        --------
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
        """A menu of one SubGraph: of each layer nothing, or the SubGraph's slice as entry 1.

        Parameters
        ----------
        supernet : of the SubGraph.
        subgraph : that may be pinned.
        accelerator : with the PB.
        """
        slices = np.array([[(0, 0), pair] for pair in subgraph.slices], np.int64)
        pairs = zip(supernet.layers, subgraph.slices, strict=True)
        tiles = [(0, slice_grid(layer, k, c, accelerator).tiles) for layer, (k, c) in pairs]
        return cls(supernet, accelerator, slices, np.array(tiles, np.int64), np.full(len(tiles), 2))

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Which entries are not repetitions, (layers, entries)."""
        found: npt.NDArray[np.bool_] = np.arange(self.tiles.shape[1]) < self.count[:, None]
        return found

    def grid(self, layer: int) -> Ints:
        """(K-tiles, C-tiles) of each entry of a layer, int64 (entries, 2)."""
        kp, cp = self.accelerator.kp, self.accelerator.cp
        channels = cp * (TAPS if is_pointwise(self.supernet.layers[layer]) else 1)
        found: Ints = -(-self.slices[layer, : self.count[layer]] // np.array([kp, channels]))
        return found

    def cached(self, choice: Ints) -> Ints:
        """(K-tiles, C-tiles) of each SuperNet layer for one entry a layer, int64 (layers, 2)."""
        return np.array([self.grid(layer)[entry] for layer, entry in enumerate(choice.tolist())], np.int64)

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


@dataclass(frozen=True, eq=False)
class Use:
    """A layer of a SubNet over a menu.

    Attributes
    ----------
    step : with the add that its STORE does.
    layer : its number in the SuperNet; -1 if nothing of it can be cached.
    numbers : int64 (entries,), of the layer with the slice that each entry of the menu caches, in
        :class:`~mapper.cost.cached_layers.CachedLayers`; one entry if nothing can be cached.
    """

    step: Step
    layer: int
    numbers: Ints


def program_uses(menu: Menu, subnet: SubNet, layers: CachedLayers) -> list[Use]:
    """The layers of a SubNet's Program, in order.

    Parameters
    ----------
    menu : gives the entries of each layer.
    subnet : whose Program it is.
    layers : numbers the layers by shape and cached slice.

    Raises
    ------
    MappingError
        For a layer that the machine cannot run.
    """
    check_runnable(subnet)
    order = steps(subnet.layers)
    folded = image_folds(order, menu.accelerator)
    return [_use(menu, step, folded and step.source == INPUT, layers) for step in order]


def dense_uses(menu: Menu, subnet: SubNet, layers: CachedLayers) -> list[Use]:
    """The dense layers of a SubNet, each by itself; it may have layers that the machine cannot run.

    Parameters
    ----------
    menu : gives the entries of each layer.
    subnet : whose layers they are.
    layers : numbers the layers by shape and cached slice.
    """
    adds = fused_adds(subnet.layers)
    dense = [Step(layer, adds.get(layer.name)) for layer in subnet.weight_layers if is_dense(layer)]
    return [_use(menu, step, folds(step.layer, menu.accelerator), layers) for step in dense]


def _use(menu: Menu, step: Step, folded: bool, layers: CachedLayers) -> Use:
    shape, layer, cached = layers.shape(step, folded), -1, np.zeros((1, 2), np.int64)
    if layers.shapes[shape].tiles:
        layer = menu.supernet.index(step.layer.name)
        cached = menu.grid(layer)
    return Use(step, layer, layers.numbers(shape, cached))


def layer_table(
    menu: Menu, uses: Sequence[Sequence[Use]], share: Sequence[float], cost_of: Callable[[int], float]
) -> npt.NDArray[np.float64]:
    """Expected cost of each SuperNet layer with each entry of the menu cached, where costs add up over layers.

    Parameters
    ----------
    menu, uses : what can be cached, and the layers of each SubNet.
    share : each SubNet's probability.
    cost_of : what a layer costs, by its number; it is asked once for each.

    Returns
    -------
    float64 (layers, entries), whose sum over a choice is its cost. What cannot be cached stands with the first layer.
    """
    numbers = {number for own in uses for use in own for number in use.numbers.tolist()}
    costs, found = {number: cost_of(number) for number in numbers}, np.zeros(menu.tiles.shape)
    for own, weight in zip(uses, share, strict=True):
        for use in own:
            values = weight * np.array([costs[number] for number in use.numbers.tolist()])
            if use.layer < 0:
                found[0] += values[0]
            else:
                found[use.layer, : len(values)] += values
    return found


def dram_bytes(layers: CachedLayers, number: int) -> int:
    """What a layer adds to the bytes of a Program, on all ports; those of its commands before they are rounded up to
    beats.

    Parameters
    ----------
    layers : the layers by shape and cached slice.
    number : of the layer.
    """
    totals = layers.totals(number)
    return int(totals[SLOTS]) * SLOT_BYTES + sum(int(totals[AT[f"{port}_bytes"]]) for port in PORTS[1:])


def stand_alone_cycles(layers: CachedLayers, number: int) -> int:
    """Cycles of a layer as a Program of its own.

    Parameters
    ----------
    layers : the layers by shape and cached slice.
    number : of the layer.
    """
    step = layers.shapes[layers.of_shape[number]].step
    return LayerCosts(step, layers.a, layers.slots(number)).cycles(layers.tilings[number])
