"""Layers of SubNets, each by its shape and by the slice of its weights that the PB holds, numbered as they turn up.

A SubNet's layer meets what is cached in whole weight tiles of its own, so of all the layers of many SubNets with many
contents of the PB few differ. Each different one is a *cached layer*: how it is tiled, what it does and which commands
it becomes is worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arch_model.compiled import Ints
from arch_model.cost.activity import TOTALS
from arch_model.machine.accelerator import Accelerator
from arch_model.timing.rows import COUNT, STORE_UNIT, machine_row
from mapper.cost.program_cost import count_program
from mapper.layout.persistent_buffer import Slots
from mapper.layout.tensors import TileGrid, tile_grid
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.layer_rows import layer_row, tiling_row
from mapper.lowering.network import cycles_of
from mapper.lowering.quick_choice import choose_each, quick_tiling
from mapper.lowering.rows import COLUMN_TILES, LAYER_AT, new_workspace, put_slots
from mapper.lowering.tiling import Tiling
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import Step

SLOTS = len(TOTALS)
"""Behind the totals of a layer: slots of its commands in the Program."""

_Key = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Shape:
    """A layer on the machine by all that its commands follow from, but what is cached.

    Attributes
    ----------
    step : one that has the shape.
    row : a row of :data:`mapper.lowering.rows.LAYER`, its tensors apart.
    grid : its weight tiles; none if the PB never holds them.
    """

    step: Step
    row: Ints
    grid: TileGrid

    @property
    def tiles(self) -> bool:
        """Whether it has weight tiles that the PB can hold."""
        return self.grid.tiles > 0


def held_slots(grid: TileGrid, kt: int, ct: int) -> Slots:
    """PB slots of a layer's weight tiles if the PB holds its first K-tiles and C-tiles.

    They count from the layer's first one: a tile's commands do not depend on where in the PB its layer begins.

    Parameters
    ----------
    grid : the layer's tiles.
    kt, ct : K-tiles and C-tiles in the PB.

    Returns
    -------
    int64 array
        (rows, C-tiles), -1 for those that are streamed.

    Examples
    --------
    >>> held_slots(TileGrid(2, 1, 3), 2, 2).tolist()
    [[0, 1, -1], [2, 3, -1]]
    """
    slots = np.full((grid.rows, grid.ct), -1, np.int64)
    held = kt * grid.windows
    slots[:held, :ct] = np.arange(held * ct).reshape(held, ct)
    return slots


class CachedLayers:
    """The different layers, each with the slice of it that is cached, on one machine.

    Parameters
    ----------
    accelerator : the machine.

    Attributes
    ----------
    shapes : by number.
    of_shape : of each layer, its shape's number.
    held : of each layer, (K-tiles, C-tiles) that the PB holds.
    tilings : of each layer, the quick choice.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.a, self.machine = accelerator, machine_row(accelerator)
        self.shapes: list[Shape] = []
        self.of_shape: list[int] = []
        self.held: list[tuple[int, int]] = []
        self.tilings: list[Tiling] = []
        self._shape_numbers: dict[_Key, int] = {}
        self._numbers: dict[tuple[int, int, int], int] = {}
        self._fetched: list[int] = []  # of each layer, tiles that LOAD_WGT brings
        self._unheld: dict[int, int] = {}  # of each shape, tiles that come if none is cached
        self._totals: dict[int, Ints] = {}

    def __len__(self) -> int:
        return len(self.tilings)

    def shape(self, step: Step, folded: bool) -> int:
        """The number of a step's shape, the same for steps that cost the same.

        Parameters
        ----------
        step : the layer and the add in its STORE.
        folded : whether its input is a folded image.
        """
        x = step.layer
        key = (
            *(x.kind, x.K, x.C, x.R, x.S, x.H, x.W, x.stride, x.padding, x.groups, x.ceil_mode),
            *(x.activation.is_clamp, step.add is not None, folded),
        )
        if (number := self._shape_numbers.get(key)) is None:
            number = self._shape_numbers[key] = len(self.shapes)
            grid = tile_grid(x, self.a) if has_tiles(x) else TileGrid(0, 1, 0)
            self.shapes.append(Shape(step, layer_row(step, self.a, folded=folded), grid))
        return number

    def numbers(self, shape: int, cached: Ints) -> Ints:
        """The number of a layer for each content of the PB: its shape together with the slice of it that the PB holds.

        Parameters
        ----------
        shape : the number that :meth:`shape` gave.
        cached : (K-tiles, C-tiles) of it in the PB, (columns, 2).

        Returns
        -------
        int64 array
            (columns,).

        Raises
        ------
        MappingError
            If there is no legal tiling: it names layer, operand, buffer, bytes needed and there.
        """
        grid = self.shapes[shape].grid
        held = np.minimum(cached, (grid.kt, grid.ct))
        held[(held == 0).any(axis=1)] = 0
        codes, place = np.unique(held[:, 0] << 20 | held[:, 1], return_inverse=True)
        wanted = [divmod(code, 1 << 20) for code in codes.tolist()]
        self._add(shape, [own for own in wanted if (shape, *own) not in self._numbers])
        found: Ints = np.array([self._numbers[shape, *own] for own in wanted], np.int64)[place.reshape(-1)]
        return found

    def _add(self, shape: int, slices: Sequence[tuple[int, int]]) -> None:
        if not slices:
            return
        form = self.shapes[shape]
        step, grid = form.step, form.grid
        if not form.tiles:
            tilings, fetched, streamed = [quick_tiling(step, self.a)], [0], [0]
        else:
            add = step.add is not None or step.layer.kind.is_product
            streamed = [grid.tiles - kt * ct * grid.windows for kt, ct in slices]
            *tilings, without = choose_each(step.layer, self.a, [*streamed, grid.tiles], add)
            on = LayerOnMachine(step.layer, self.a)
            self._unheld[shape] = grid.tiles * on.fetches(grid.tiles, without)
            fetched = [n * on.fetches(n, t) for n, t in zip(streamed, tilings, strict=True)]
        for held, tiling, tiles in zip(slices, tilings, fetched, strict=True):
            self._numbers[shape, *held] = len(self.tilings)
            self.of_shape.append(shape)
            self.held.append(held)
            self.tilings.append(tiling)
            self._fetched.append(tiles)

    def slots(self, number: int) -> Slots | None:
        """PB slots of a layer's weight tiles (:func:`held_slots`); None if it has no tiles that the PB can hold."""
        grid = self.shapes[self.of_shape[number]].grid
        return held_slots(grid, *self.held[number]) if grid.tiles else None

    def hit_tiles(self, number: int) -> int:
        """Tiles that a layer does not fetch thanks to the PB: those that it would if that were empty, tiled as would
        then be best, less those that it fetches."""
        return self._unheld.get(self.of_shape[number], 0) - self._fetched[number]

    def totals(self, number: int) -> Ints:
        """What a layer does: int64 (totals + 1,), the last one :data:`SLOTS`; of the Program's bytes none."""
        if number not in self._totals:
            self._totals[number] = self._count(number)
        return self._totals[number]

    def _count(self, number: int) -> Ints:
        form, slots = self.shapes[self.of_shape[number]], self.slots(number)
        held = 0 if slots is None else int((slots >= 0).sum())
        machine, room, cycles = self.machine.copy(), 1 << 8, 0
        machine[-1] = held
        tiles = max(form.grid.tiles, int(form.row[COLUMN_TILES - LAYER_AT]))
        while cycles == 0:
            w = new_workspace(machine, room, form.step.layer.P, tiles, form.grid.tiles if held else 0)
            if slots is not None and held:
                put_slots(w, slots.reshape(-1))
            cycles, room = cycles_of(w, form.row[None], tiling_row(self.tilings[number])[None]), 4 * room
        counts = np.zeros(len(TOTALS) + 1, np.int64)
        count_program(w, form.row[None], counts)
        counts[SLOTS] = w[COUNT : COUNT + 4].sum() + w[COUNT + STORE_UNIT]
        return counts
