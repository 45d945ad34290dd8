"""Where a layer's weight tiles come from, written to be read: what the compiled lowering is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mapper.layout.tensors import TileGrid
from mapper.lowering.weight_tiles import REPS_MAX, RUN_BEATS_MAX, RUNS_MAX


@dataclass(frozen=True)
class Piece:
    """Consecutive C-tiles ``ct`` .. of one row in consecutive slots of one memory: what one PASS can take.

    ``group`` -1: in the PB from ``slot`` on. Otherwise in a half of the DB that holds that group, ``slot`` slots from
    its first.
    """

    ct: int
    length: int
    group: int
    slot: int


@dataclass(frozen=True)
class LayerWeights:
    """``rows[r]``: the pieces of row r = K-tile * windows + window, in order. ``groups[g]``: its (row, C-tile)s."""

    grid: TileGrid
    rows: tuple[tuple[Piece, ...], ...]
    groups: tuple[tuple[tuple[int, int], ...], ...]

    @cached_property
    def streamed(self) -> int:
        """Tiles that go through the DB."""
        return sum(len(group) for group in self.groups)

    @cached_property
    def _runs(self) -> dict[tuple[int, int, int], tuple[Run, ...]]:
        return {}

    def runs(self, group: int, first: int, last: int, most: int, tile_beats: int) -> tuple[Run, ...]:
        """LOAD_WGT commands of tiles ``first`` .. ``last - 1`` of a group, slots counted from the group's first."""
        key = group, first, last
        if key not in self._runs:
            row, ct = self.groups[group][first]
            rows, rest = divmod(last - first, self.grid.ct)
            if ct == rest == 0 and self.streamed == self.grid.tiles and last - first <= most and rows <= RUNS_MAX:
                # Whole rows: what split_runs finds, sooner.
                self._runs[key] = (Run(row, 0, first, self.grid.ct, rows),)
                return self._runs[key]
            tiles = [(row, ct, first + i) for i, (row, ct) in enumerate(self.groups[group][first:last])]
            self._runs[key] = tuple(split_runs(tiles, most, tile_beats))
        return self._runs[key]


@dataclass(frozen=True)
class Run:
    """One LOAD_WGT: ``runs`` runs of ``length`` tiles each, from C-tile ``ct`` of ``row`` and the rows after it, into
    consecutive slots from ``slot`` on."""

    row: int
    ct: int
    slot: int
    length: int
    runs: int

    @property
    def tiles(self) -> int:
        return self.runs * self.length


def plan_layer(
    grid: TileGrid,
    hits: npt.NDArray[np.int64],
    new: npt.NDArray[np.int64],
    half_tiles: int,
    group_rows: int | None = None,
) -> LayerWeights:
    """Sources of a layer's tiles. ``hits`` and ``new`` (rows, ct): PB slots of tiles there and to bring, or -1.

    Groups hold whole rows where a row fits a half, and as equal numbers of tiles as that allows; with ``group_rows``
    each holds what is streamed of so many rows, whatever a half holds.

    >>> none = np.full((2, 3), -1)
    >>> plan_layer(TileGrid(2, 1, 3), none, none, half_tiles=4).rows[1]
    (Piece(ct=0, length=3, group=1, slot=0),)
    """
    slots = np.maximum(hits, new)
    streamed = slots < 0
    where = np.argwhere(streamed)
    counts: list[int] = streamed.sum(axis=1).tolist()
    if group_rows is None:
        sizes = _group_sizes(counts, half_tiles)
    else:
        sums = [sum(counts[i : i + group_rows]) for i in range(0, grid.rows, group_rows)]
        sizes = [size for size in sums if size]
    ends = np.cumsum(sizes, dtype=np.int64)
    group = np.full(slots.shape, -1, np.int64)
    place = slots.copy()
    group[streamed] = np.repeat(np.arange(len(sizes)), sizes)
    place[streamed] = np.arange(len(where)) - np.repeat(ends - sizes, sizes)
    same = (group[:, 1:] == group[:, :-1]) & (place[:, 1:] == place[:, :-1] + 1)
    rows: list[tuple[Piece, ...]] = []
    firsts = zip(same.all(axis=1).tolist(), group[:, 0].tolist(), place[:, 0].tolist(), strict=True)
    for r, (whole, its_group, its_place) in enumerate(firsts):
        if whole and grid.ct <= REPS_MAX:
            rows.append((Piece(0, grid.ct, its_group, its_place),))
            continue
        breaks = [0, grid.ct] if whole else [0, *(np.flatnonzero(~same[r]) + 1).tolist(), grid.ct]
        cuts = [
            (start, min(start + REPS_MAX, stop))
            for low, stop in pairwise(breaks)
            for start in range(low, stop, REPS_MAX)
        ]
        rows.append(tuple(Piece(lo, hi - lo, int(group[r, lo]), int(place[r, lo])) for lo, hi in cuts))
    tiles = list(zip(*where.T.tolist(), strict=True))
    cut = zip([0, *ends.tolist()], ends.tolist(), strict=False)
    return LayerWeights(grid, tuple(rows), tuple(tuple(tiles[low:high]) for low, high in cut))


def _group_sizes(counts: Sequence[int], half_tiles: int) -> list[int]:
    total = sum(counts)
    if total == 0:
        return []
    least = -(-total // half_tiles)
    balanced = max(-(-total // least), max(counts))
    return min((_fill(counts, min(limit, half_tiles), half_tiles) for limit in (balanced, half_tiles)), key=len)


def _fill(counts: Sequence[int], limit: int, half_tiles: int) -> list[int]:
    """Rows into groups of about ``limit`` tiles; a row that no half can hold is cut anywhere."""
    sizes = [0]
    for count in counts:
        if sizes[-1] and sizes[-1] + count > limit:
            sizes.append(0)
        while count > half_tiles:
            sizes[-1] += half_tiles
            sizes.append(0)
            count -= half_tiles
        sizes[-1] += count
    return [size for size in sizes if size]


def split_runs(tiles: Sequence[tuple[int, int, int]], most: int, tile_beats: int) -> Iterator[Run]:
    """The fewest LOAD_WGT commands, of at most ``most`` tiles each, for (row, C-tile, slot) in order.

    >>> list(split_runs([(0, 2, 5), (0, 3, 6), (1, 2, 7), (1, 3, 8)], most=8, tile_beats=1))
    [Run(row=0, ct=2, slot=5, length=2, runs=2)]
    """
    longest = min(most, max(RUN_BEATS_MAX // tile_beats, 1))
    segments: list[Run] = []
    for row, ct, slot in tiles:
        if segments:
            s = segments[-1]
            if (row, ct, slot) == (s.row, s.ct + s.length, s.slot + s.length) and s.length < longest:
                segments[-1] = Run(s.row, s.ct, s.slot, s.length + 1, 1)
                continue
        segments.append(Run(row, ct, slot, 1, 1))
    current: Run | None = None
    for s in segments:
        if current is not None:
            follows = (s.row, s.ct, s.length, s.slot) == (
                current.row + current.runs,
                current.ct,
                current.length,
                current.slot + current.tiles,
            )
            if follows and current.tiles + s.length <= most and current.runs < RUNS_MAX:
                current = Run(current.row, current.ct, current.slot, current.length, current.runs + 1)
                continue
            yield current
        current = s
    if current is not None:
        yield current
