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
from arch_model.machine.microarchitecture import FETCH_ADDRESS
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.program.isa import SLOT_BYTES
from arch_model.program.program import PORTS
from arch_model.timing.rows import ROOM
from mapper.cost.cached_layers import SLOTS
from mapper.cost.entry_states import (
    FULL_QUEUE,
    LEFT,
    SOON,
    V_ARRIVAL,
    V_BEGINS,
    V_FREE,
    V_HALVES,
    V_LISTS,
    V_STARTS,
)
from mapper.cost.layer_variants import LayerVariants, is_pool
from mapper.cost.memo import (
    END,
    FAILED,
    STATE_AT,
    STATE_TABLE,
    STATE_WORDS,
    STEPS,
    VECTORS,
    grown,
    more_steps,
    new_steps,
    used,
)
from mapper.cost.network_walk import DISTANCE_MAX, DONE, STATES_FULL, STEPS_FULL, WINDOW_FULL, walk
from mapper.cost.program_cost import ProgramCosts
from mapper.cost.variant_rows import STEPS_MAX
from mapper.cost.window import (
    AFTERWARDS,
    ANYTHING,
    DISTANCE,
    FLAGS,
    LINK_WORDS,
    NEW_HALF,
    NOTHING,
    TENSOR,
    WAITS,
)
from mapper.layout.memory_map import image_folds
from mapper.layout.tensors import slice_grid, tile_grid
from mapper.lowering.rows import LAYER_AT, ZSB_ENTRIES, new_workspace
from mapper.workload.fusion import Step, steps

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

AT = {name: number for number, name in enumerate(TOTALS)}
"""Places of the totals in an array of them."""

_STATES = (STATE_AT, VECTORS, STATE_TABLE)


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
    :func:`mapper.lowering.compile.compile_subnet` makes the Program if it is told no tilings. What is worked out for
    some SubNets is remembered for others.

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
        self.variants = LayerVariants(accelerator)
        self.cached_layers = self.variants.cached_layers
        begin_state(self.variants.memo, accelerator)
        self._window, self._steps = self._new_window(1 << 10), new_steps()
        self._tiles = np.empty((0, 0, 0), np.int64)
        # By SuperNet layer and shapes: variants, (columns,), and the columns in the order of their variants.
        self._found: dict[tuple[int, tuple[int, ...]], tuple[Ints, Ints]] = {}

    def cycles(self, subnets: Sequence[SubNet], tiles: Ints) -> Ints:
        """Cycles of SubNets for contents of the PB: those of :meth:`of`, which says what may be wrong.

        Parameters
        ----------
        subnets : of the SuperNet.
        tiles : (K-tiles, C-tiles) of each SuperNet layer in the PB, (columns, layers, 2).

        Returns
        -------
        int64 array
            (SubNets, columns).
        """
        rows = [self._cycles(subnet, *self._laid_out(subnet, tiles)) for subnet in subnets]
        return np.array(rows, np.int64).reshape(len(rows), len(tiles))

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
        beat = self.a.program_beat_bytes
        for row, subnet in enumerate(subnets):
            variants, order, links = self._laid_out(subnet, tiles)
            cycles[row] = self._cycles(subnet, variants, order, links)
            counts = self.variants.totals[variants].sum(axis=0)
            counts[:, AT["prog_bytes"]] = -(-(counts[:, SLOTS] + 1) * SLOT_BYTES // beat) * beat
            totals[row] = counts[:, : len(TOTALS)]
            hits[row] = self.variants.hit_tiles[variants].sum(axis=0)
        return Costs(self.a, cycles, totals, hits * self.a.tile_bytes)

    def of_subgraphs(self, subnets: Sequence[SubNet], subgraphs: Sequence[SubGraph]) -> Costs:
        """The costs of SubNets for SubGraphs in the PB.

        Parameters
        ----------
        subnets : of the SuperNet.
        subgraphs : of the same SuperNet.

        Raises
        ------
        MappingError
            As :meth:`of`, and for a SubGraph that does not fit the PB.
        """
        return self.of(subnets, cached_tiles(self.supernet, subgraphs, self.a))

    @property
    def different(self) -> int:
        """How many different steps from layer to layer have turned up."""
        return used(self.variants.memo, STEPS)

    def _laid_out(self, subnet: SubNet, tiles: Ints) -> tuple[Ints, Ints, Ints]:
        """A SubNet's layers as variants, int64 (layers, columns), global pools being part of the layer before them; the
        columns in the order of their variants, alike; and what is fixed of the layers, int64 (layers, LINK_WORDS)."""
        try:
            order, nothing = steps(subnet.layers), np.zeros((len(tiles), 2), np.int64)
        except MappingError as error:
            raise MappingError(f"SubNet {subnet.name}: {error}") from None
        layers, folded = layers_of(order), image_folds(order, self.a)
        if not np.array_equal(tiles, self._tiles):
            self._tiles, self._found = tiles.copy(), {}
        variants, entries = [], []
        for own in layers:
            shapes = tuple(self.cached_layers.shape(step, folded and step.source == INPUT) for step in own)
            index, form = -1, self.cached_layers.shapes[shapes[0]]
            if form.tiles:
                self._check_kernel(own[0])
                index = self.supernet.index(own[0].layer.name)
            if (index, shapes) not in self._found:
                numbers = self.variants.numbers(shapes, nothing if index < 0 else tiles[:, index])
                alike = np.argsort(numbers.astype(np.uint16), kind="stable")  # any order is right; these sort fast
                self._found[index, shapes] = numbers, alike
            variants.append(self._found[index, shapes])
            entries.append(int(form.row[ZSB_ENTRIES - LAYER_AT]))
        both = np.array(variants).transpose(1, 0, 2).copy()
        return both[0], both[1], links_of(layers, entries, self.a.zsb_half_entries)

    def _check_kernel(self, step: Step) -> None:
        layer, whole = step.layer, self.supernet.layer(step.layer.name)
        if (layer.R, layer.S) != (whole.R, whole.S):
            raise MappingError(
                f"layer {layer.name}: its kernel is {layer.R}x{layer.S}; the mapper takes the SuperNet's, "
                f"{whole.R}x{whole.S}, of all but depthwise layers"
            )

    def _cycles(self, subnet: SubNet, variants: Ints, order: Ints, links: Ints) -> Ints:
        """Cycles of a SubNet's columns, (columns,)."""
        columns = variants.shape[1]
        at = np.concatenate([[0, 0], np.zeros(columns, np.int64), np.full(columns, -1)])
        if (links[:, FLAGS] < 0).any():
            at[2 : 2 + columns] = FAILED
        elif self.variants.large:
            at[2 : 2 + columns][np.isin(variants, self.variants.large).any(axis=0)] = FAILED
        while (full := walk(self._window, self.variants.memo, self._steps, variants, order, links, at)) != DONE:
            if full == WINDOW_FULL:
                self._window = self._new_window(4 * int(self._window[ROOM]))
            elif full == STEPS_FULL:
                self._steps = more_steps(self._steps)
            for segment in _STATES if full == STATES_FULL else ():
                self.variants.memo = grown(self.variants.memo, segment)
        for column in np.flatnonzero(at[2 : 2 + columns] != END).tolist():
            at[2 + columns + column] = self._by_itself(subnet, variants[:, column].tolist())
        cycles: Ints = at[2 + columns :]
        return cycles

    def _by_itself(self, subnet: SubNet, variants: Sequence[int]) -> int:
        """Cycles of one Program that no window can tell. Raises :class:`MappingError` if a rule is broken."""
        layers = [layer for number in variants for layer in self.variants.made_of[number]]
        tilings = [self.cached_layers.tilings[layer] for layer in layers]
        slots = [own for own in map(self.cached_layers.slots, layers) if own is not None]
        return ProgramCosts(steps(subnet.layers), self.a, slots).cycles(tilings)

    def _new_window(self, commands: int) -> Ints:
        return new_workspace(self.cached_layers.machine, commands, 0, 0)


def begin_state(memo: Ints, accelerator: Accelerator) -> None:
    """Put the state in which Programs begin to an empty memory, as number 0: FETCH waits for its first slot, all is
    free.

    Parameters
    ----------
    memo : memory of the tables of costs.
    accelerator : whose Programs they are.
    """
    v, dram = int(memo[3 * VECTORS]), accelerator.dram
    memo[v + V_ARRIVAL] = FETCH_ADDRESS + dram.latency_cycles - dram.cycles_per_beat + 1
    memo[v + V_BEGINS] = 1
    memo[v + V_FREE : v + V_STARTS] = SOON
    memo[v + V_STARTS : v + V_HALVES] = FULL_QUEUE
    memo[v + V_HALVES : v + V_LISTS] = LEFT
    memo[3 * VECTORS + 2], memo[3 * STATE_AT + 2] = V_LISTS, STATE_WORDS


def layers_of(order: Sequence[Step]) -> list[tuple[Step, ...]]:
    """A SubNet's steps, each with the global pools that follow it."""
    layers: list[tuple[Step, ...]] = []
    for step in order:
        if is_pool(step) and layers and len(layers[-1]) < STEPS_MAX:
            layers[-1] += (step,)
        else:
            layers.append((step,))
    return layers


def links_of(layers: Sequence[tuple[Step, ...]], entries: Sequence[int], half: int) -> Ints:
    """What is fixed of a SubNet's layers.

    Parameters
    ----------
    layers : of each, its steps.
    entries : ZSB entries of each.
    half : ZSB entries that half the ZSB holds.

    Returns
    -------
    int64 array
        (layers, LINK_WORDS); FLAGS is below 0 where windows cannot tell the layer.
    """
    made = {step.output: (at, tensor) for at, own in enumerate(layers) for tensor, step in enumerate(own)}
    links = np.zeros((len(layers), LINK_WORDS), np.int64)
    top = 0
    for at, own in enumerate(layers):
        source, tensor = made.get(own[0].awaited, (at, 0))
        new_half, top = top + entries[at] > half, top + entries[at]
        if new_half:
            top = entries[at]
        links[at, 1:AFTERWARDS] = at - source, tensor, new_half
    links[:-1, AFTERWARDS] = np.where(links[1:, DISTANCE] == 1, WAITS, ANYTHING)
    links[-1, AFTERWARDS] = NOTHING
    shifts = links[:, DISTANCE] << 5 | links[:, TENSOR] << 3 | links[:, NEW_HALF] << 2 | links[:, AFTERWARDS]
    known = (links[:, DISTANCE] <= DISTANCE_MAX) & np.array([not is_pool(own[0]) for own in layers])
    links[:, FLAGS] = np.where(known, shifts, -1)
    return links


def cached_tiles(supernet: SuperNet, subgraphs: Sequence[SubGraph], accelerator: Accelerator) -> Ints:
    """The slice of each SuperNet layer that each SubGraph holds, in weight tiles.

    Parameters
    ----------
    supernet : gives the layers.
    subgraphs : of ``supernet``.
    accelerator : with the PB.

    Returns
    -------
    int64 array
        (SubGraphs, layers, 2), K-tiles and C-tiles.

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
