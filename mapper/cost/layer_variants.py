"""The commands of different layers, each lowered once, for the memory of steps from layer to layer.

A *variant* is a layer by its shape and by how much of its weights the PB holds (:mod:`mapper.cost.cached_layers`), with
the global pools that follow it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arch_model.compiled import Ints
from arch_model.cost.activity import TOTALS
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind
from arch_model.timing.rows import LOAD_ACT_UNIT, LOAD_WGT_UNIT, PB, STORE_UNIT
from mapper.cost.cached_layers import SLOTS, CachedLayers
from mapper.cost.memo import (
    AT_MAPS,
    BLOCK_AT,
    BLOCKS,
    HEAD_BITS,
    MAP_AT,
    MAPS,
    VARIANT_WORDS,
    grown,
    new_memo,
    segment_of,
    used,
)
from mapper.cost.network_walk import MAP_BITS
from mapper.cost.program_cost import count_program
from mapper.cost.variant_rows import (
    ACT_WORDS,
    BLOCK_HEADER,
    LEAST,
    NOBODY,
    TABLE_LEFT,
    WGT_WORDS,
    ZSB_LEFT,
    prepare,
    put_block,
)
from mapper.lowering.layer_rows import tiling_row
from mapper.lowering.network import lower, why_refused
from mapper.lowering.rows import (
    ALL_NEW,
    C_TILES,
    COLUMN_TILES,
    FAILURE,
    FULL,
    HEIGHT,
    K_TILES,
    LAYER_AT,
    LAYER_OWNER,
    OUT_ROWS,
    OUTPUT,
    SOURCE,
    WINDOWS,
    new_workspace,
)
from mapper.workload.fusion import Step


class LayerVariants:
    """The different layers, each with what of it is cached, on one machine.

    Parameters
    ----------
    accelerator : the machine.

    Attributes
    ----------
    cached_layers : layers without what follows them.
    memo : what :mod:`mapper.cost.memo` remembers, the variants' commands among it.
    made_of : of each variant, the number of its layer and those of the pools behind it.
    large : variants with more commands or cycles than a block can say: no step tells them.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.a, self.cached_layers = accelerator, CachedLayers(accelerator)
        self.memo = new_memo()
        self.made_of: list[tuple[int, ...]] = []
        self.large: list[int] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self._maps: dict[bytes, int] = {}
        self._heads: dict[tuple[bytes, int], int] = {}
        self._counts = np.zeros((1 << 8, len(TOTALS) + 2), np.int64)  # of each variant: totals, slots, hit tiles
        self._laid_out: dict[tuple[int, ...], Ints] = {}
        self._room = (1 << 9, 1, 1)  # commands, rows of tensors, weight tiles
        self._w = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.made_of)

    @property
    def totals(self) -> Ints:
        """What each variant does: int64 (variants, totals + 1), the last one :data:`mapper.cost.cached_layers.SLOTS`;
        of the Program's bytes none."""
        return self._counts[: len(self), :-1]

    @property
    def hit_tiles(self) -> Ints:
        """Tiles that each variant does not fetch thanks to the PB, int64 (variants,)."""
        return self._counts[: len(self), -1]

    def numbers(self, shapes: Sequence[int], cached: Ints) -> Ints:
        """The variants of a layer and the global pools behind it, int64 (columns,).

        Parameters
        ----------
        shapes : their shapes, by the numbers of :attr:`cached_layers`.
        cached : int64 (columns, 2), (K-tiles, C-tiles) of the layer that the PB holds.

        Raises
        ------
        MappingError
            If there is no legal tiling: it names layer, operand, buffer, bytes needed and there.
        """
        pools = [int(self.cached_layers.numbers(shape, np.zeros((1, 2), np.int64))[0]) for shape in shapes[1:]]
        different, place = np.unique(self.cached_layers.numbers(shapes[0], cached), return_inverse=True)
        found: Ints = np.array([self._number((layer, *pools)) for layer in different.tolist()], np.int64)
        return found[place.reshape(-1)]

    def _number(self, layers: tuple[int, ...]) -> int:
        if (number := self._numbers.get(layers)) is None:
            self._lower(layers)
            number = self._numbers[layers] = len(self)
            self.made_of.append(layers)
        return number

    def _step(self, layer: int) -> Step:
        return self.cached_layers.shapes[self.cached_layers.of_shape[layer]].step

    def _rows(self, layers: Sequence[int]) -> Ints:
        """Their layers, for which there is a workspace then; rows of tensors lie one behind the other, those of the
        input first."""
        shapes = tuple(self.cached_layers.of_shape[layer] for layer in layers)
        if (rows := self._laid_out.get(shapes)) is None:
            rows = self._laid_out[shapes] = self._new_rows(shapes)
            self._make_room(rows)
        return rows

    def _new_rows(self, shapes: Sequence[int]) -> Ints:
        rows = np.array([self.cached_layers.shapes[shape].row for shape in shapes])
        ends = max(int(rows[0, HEIGHT - LAYER_AT]), 1) + np.cumsum(rows[:, OUT_ROWS - LAYER_AT])
        rows[:, SOURCE - LAYER_AT] = 0
        rows[:, OUTPUT - LAYER_AT] = ends - rows[:, OUT_ROWS - LAYER_AT]
        rows[:, LAYER_OWNER - LAYER_AT] = np.arange(len(rows))
        return rows

    def _lower(self, layers: Sequence[int]) -> None:
        """The block of the next variant, and what it does."""
        rows, tilings = self._rows(layers), [self.cached_layers.tilings[layer] for layer in layers]
        ts = np.array([tiling_row(tiling) for tiling in tilings])
        ends = rows[:, OUT_ROWS - LAYER_AT].cumsum().tolist()
        maps = np.zeros(ends[-1], np.int64)
        while True:
            prepare(self._w, rows, *self.cached_layers.held[layers[0]])
            if lower(self._w, rows, ts) or self._w[FAILURE]:
                raise why_refused(self._w, [self._step(layer) for layer in layers], tilings, self.a)
            if not self._w[FULL]:
                break
            self._room, self._w = (4 * self._room[0], *self._room[1:]), np.empty(0, np.int64)
            self._make_room(rows)
        while True:
            block, room = self.memo[3 * BLOCKS : 3 * BLOCKS + 2].tolist()
            rel = used(self.memo, BLOCKS)
            end = put_block(self._w, rows, self.memo, block + rel, block + room, maps)
            if end:
                break
            self.memo = grown(self.memo, BLOCKS)
        if end < 0:
            self.large.append(len(self))
            end = -end
        self.memo[3 * BLOCKS + 2] = end - block
        made = segment_of(self.memo, BLOCKS)[rel : rel + end - block]
        stores, head = int(made[STORE_UNIT]), self._head(made)
        numbers = [self._map(maps[begin:end]) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        self._append(BLOCK_AT, [rel, head, stores, *numbers, *[-1] * (VARIANT_WORDS - AT_MAPS - len(numbers))])
        if len(self) >= len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        counts, own = self._counts[len(self), :-1], segment_of(self.memo, BLOCKS)[rel : rel + 4]
        count_program(self._w, rows, counts)
        counts[SLOTS] = own.sum() + own[STORE_UNIT]
        self._counts[len(self), -1] = self.cached_layers.hit_tiles(layers[0])

    def _head(self, block: Ints) -> int:
        """The number of the loads of weights with which a layer begins, before those that wait for a half of the DB."""
        begin = BLOCK_HEADER + int(block[LOAD_ACT_UNIT]) * ACT_WORDS
        loads = block[begin : begin + int(block[LOAD_WGT_UNIT]) * WGT_WORDS].reshape(-1, WGT_WORDS)
        after = ((loads[:, 0] & 0xFFFFFFFF) + LEAST).tolist()
        first = next((i for i, own in enumerate(after) if own not in (ZSB_LEFT, TABLE_LEFT)), len(loads))
        key = loads[:first].tobytes(), after[first] if first < len(loads) else NOBODY
        number = self._heads.setdefault(key, len(self._heads))
        if number >> HEAD_BITS - 1:
            raise MappingError(f"more than {number} different tables of scales; give fewer SubNets at once")
        return number

    def _map(self, rows: Ints) -> int:
        """The number of a map from rows to STOREs."""
        if (number := self._maps.get(rows.tobytes())) is None:
            number = self._maps[rows.tobytes()] = len(self._maps)
            if number >> MAP_BITS - 1:
                raise MappingError(f"more than {number} different cuts of layers; give fewer SubNets at once")
            self._append(MAP_AT, [used(self.memo, MAPS)])
            self._append(MAPS, [rows.min(), *rows])
        return number

    def _append(self, segment: int, values: Sequence[int]) -> None:
        at = used(self.memo, segment)
        if at + len(values) > self.memo[3 * segment + 1]:
            self.memo = grown(self.memo, segment, len(values))
        segment_of(self.memo, segment)[at : at + len(values)] = values
        self.memo[3 * segment + 2] += len(values)

    def _make_room(self, rows: Ints) -> None:
        """A workspace in which a layer's commands fit."""
        tensors = int(rows[0, HEIGHT - LAYER_AT] + rows[:, OUT_ROWS - LAYER_AT].sum()) + 1
        sizes = rows[0, [K_TILES - LAYER_AT, WINDOWS - LAYER_AT, C_TILES - LAYER_AT]]
        tiles = max(int(np.maximum(sizes, 1).prod()), int(rows[0, COLUMN_TILES - LAYER_AT]))
        room = self._room[0], max(tensors, self._room[1]), max(tiles, self._room[2])
        if room == self._room and len(self._w):
            return
        self._room, machine = room, self.cached_layers.machine.copy()
        machine[PB] = room[2]
        self._w = new_workspace(machine, room[0], room[1], room[2], room[2])
        self._w[ALL_NEW] = 0  # none comes


def is_pool(step: Step) -> bool:
    """Whether a step is a global pool: a STORE alone, which belongs to the layer before it."""
    return step.layer.kind is Kind.POOL
