"""What many SubNets cost with many contents of the PB: each the cycles, bytes and activity of its one Program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from arch_model.cost.activity import TOTALS
from arch_model.cost.energy import joules_each, leakage_w
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.program.isa import SLOT_BYTES
from arch_model.program.program import PORTS
from mapper.cost.layer_parts import SLOTS, LayerParts
from mapper.cost.network_cost import network_cycles
from mapper.layout.memory_map import image_folds
from mapper.layout.tensors import slice_grid, tile_grid
from mapper.workload.fusion import Step, check_runnable, steps

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

AT = {name: number for number, name in enumerate(TOTALS)}
"""Places of the totals in an array of them."""


@dataclass(frozen=True, eq=False)
class Costs:
    """What Programs cost, of SubNets (rows) for contents of the PB (columns).

    Attributes
    ----------
    accelerator : the machine.
    cycles : int64 (SubNets, columns), from start to done.
    totals : int64 (SubNets, columns, totals), what the machine does, by :data:`arch_model.cost.activity.TOTALS`.
    hit_bytes : int64 (SubNets, columns), weights that were not fetched thanks to the PB: those that would be if it were
        empty, less those that are.
    """

    accelerator: Accelerator
    cycles: Ints
    totals: Ints
    hit_bytes: Ints

    @property
    def dram_bytes(self) -> Ints:
        """Bytes on all ports, those of the Program itself too, (SubNets, columns)."""
        return np.asarray(sum(self.totals[..., AT[f"{port}_bytes"]] for port in PORTS))

    @property
    def weight_bytes(self) -> Ints:
        """Of them those of weight tiles, of scales and biases, and of activation tables."""
        return self.totals[..., AT["wgt_bytes"]]

    @cached_property
    def energy_j(self) -> Floats:
        """Joules of the Programs, leakage included, (SubNets, columns)."""
        each = joules_each(self.accelerator)
        joules = self.totals @ np.array([each[name] for name in TOTALS])
        return np.asarray(joules + self.cycles * (leakage_w(self.accelerator) / self.accelerator.clock_hz))


class NetworkCosts:
    """Costs of SubNets of one SuperNet on one machine, each as one Program whose layers overlap.

    Every layer is tiled by the quick choice, given what of its weights is cached: as
    :func:`mapper.lowering.compile.compile_subnet` makes the Program if it is told no tilings.

    Parameters
    ----------
    supernet, accelerator : of which the costs are.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> nothing = cached_tiles(fashion, [SubGraph.empty(fashion)], tiny)
    >>> NetworkCosts(fashion, tiny).of([fashion.subnet("fashion-d111-w222")], nothing).cycles.shape
    (1, 1)
    """

    def __init__(self, supernet: SuperNet, accelerator: Accelerator) -> None:
        self.supernet, self.a = supernet, accelerator
        self.parts = LayerParts(accelerator)

    def of(self, subnets: Sequence[SubNet], tiles: Ints) -> Costs:
        """The costs of SubNets for contents of the PB.

        Parameters
        ----------
        subnets : the rows.
        tiles : int64 (columns, SuperNet layers, 2), (K-tiles, C-tiles) of each SuperNet layer that the PB holds
            (:func:`cached_tiles`). Whether they fit the PB is not checked.

        Raises
        ------
        MappingError
            For a SubNet that the machine cannot run: it names the layer and what is wrong.
        """
        shape = len(subnets), len(tiles)
        cycles, hits = np.zeros((2, *shape), np.int64)
        totals = np.zeros((*shape, len(TOTALS)), np.int64)
        for row, subnet in enumerate(subnets):
            numbers = self._numbers(subnet, tiles)
            different, place = np.unique(numbers, axis=1, return_inverse=True)
            order = steps(subnet.layers)
            own = [self._one(order, column) for column in different.T.tolist()]
            cycles[row] = np.array([one[0] for one in own])[place.reshape(-1)]
            totals[row] = np.array([one[1] for one in own])[place.reshape(-1)]
            hits[row] = np.array([one[2] for one in own])[place.reshape(-1)]
        return Costs(self.a, cycles, totals, hits * self.a.tile_bytes)

    def of_subgraphs(self, subnets: Sequence[SubNet], subgraphs: Sequence[SubGraph]) -> Costs:
        """The costs of SubNets for SubGraphs in the PB. Raises :class:`MappingError` for one that does not fit, too."""
        return self.of(subnets, cached_tiles(self.supernet, subgraphs, self.a))

    def _numbers(self, subnet: SubNet, tiles: Ints) -> Ints:
        """The parts of a SubNet's steps, int64 (steps, columns)."""
        check_runnable(subnet)
        order = steps(subnet.layers)
        folded, nothing = image_folds(order, self.a), np.zeros((len(tiles), 2), np.int64)
        numbers = []
        for step in order:
            shape = self.parts.shape(step, folded and step.source == INPUT)
            cached = nothing
            if self.parts.shapes[shape].tiles:
                self._check_kernel(step)
                cached = tiles[:, self.supernet.index(step.layer.name)]
            numbers.append(self.parts.numbers(shape, cached))
        return np.array(numbers)

    def _check_kernel(self, step: Step) -> None:
        layer, whole = step.layer, self.supernet.layer(step.layer.name)
        if (layer.R, layer.S) != (whole.R, whole.S):
            raise MappingError(
                f"layer {layer.name}: its kernel is {layer.R}x{layer.S}; the mapper takes the SuperNet's, "
                f"{whole.R}x{whole.S}, of all but depthwise layers"
            )

    def _one(self, order: Sequence[Step], numbers: Sequence[int]) -> tuple[int, Ints, int]:
        """Cycles, totals and tiles spared of one Program."""
        tilings = [self.parts.tilings[number] for number in numbers]
        slots = [own for own in map(self.parts.slots, numbers) if own is not None]
        cycles = network_cycles(order, tilings, slots, self.a)
        totals = np.sum([self.parts.totals(number) for number in numbers], axis=0)
        beat = self.a.program_beat_bytes
        totals[AT["prog_bytes"]] = -(-(totals[SLOTS] + 1) * SLOT_BYTES // beat) * beat
        return cycles, totals[: len(TOTALS)], sum(map(self.parts.hit_tiles, numbers))


def cached_tiles(supernet: SuperNet, subgraphs: Sequence[SubGraph], accelerator: Accelerator) -> Ints:
    """(K-tiles, C-tiles) of each SuperNet layer in each SubGraph, int64 (SubGraphs, layers, 2).

    Raises
    ------
    MappingError
        For a SubGraph that does not fit the PB: it names its number, bytes needed and there.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> stem = SubGraph(fashion.name, ((16, 1),) + ((0, 0),) * (len(fashion.layers) - 1))
    >>> cached_tiles(fashion, [stem], tiny)[0, :2].tolist()
    [[4, 1], [0, 0]]
    """
    cached, windows = np.zeros((len(subgraphs), len(supernet.layers), 2), np.int64), []
    for index, layer in enumerate(supernet.layers):
        grids = {k_c: slice_grid(layer, *k_c, accelerator) for k_c in {graph.slices[index] for graph in subgraphs}}
        cached[:, index] = [(grids[graph.slices[index]].kt, grids[graph.slices[index]].ct) for graph in subgraphs]
        windows.append(tile_grid(layer, accelerator).windows)
    slots = (cached.prod(axis=2) * windows).sum(axis=1)
    for number, tiles in enumerate(slots.tolist()):
        if tiles > accelerator.pb_tiles:
            raise MappingError(
                f"SubGraph {number} of {supernet.name}: its {tiles} weight tiles need "
                f"{tiles * accelerator.tile_bytes_raw} bytes of the PB; {accelerator.name} has "
                f"{accelerator.buffers.pb_bytes}"
            )
    return cached
