"""Where each weight tile of a layer comes from: the PB, or a group of tiles that one half of the DB holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mapper.pack import TileGrid

RUNS_MAX = (1 << 12) - 1
RUN_BEATS_MAX = (1 << 20) - 1
REPS_MAX = (1 << 12) - 1


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

    @property
    def streamed(self) -> int:
        """Tiles that go through the DB."""
        return sum(len(group) for group in self.groups)


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
    grid: TileGrid, hits: npt.NDArray[np.int64], new: npt.NDArray[np.int64], half_tiles: int
) -> LayerWeights:
    """Sources of a layer's tiles. ``hits`` and ``new`` (rows, ct): PB slots of tiles there and to bring, or -1.

    Groups hold whole rows where a row fits a half, and as equal numbers of tiles as that allows.

    >>> none = np.full((2, 3), -1)
    >>> plan_layer(TileGrid(2, 1, 3), none, none, half_tiles=4).rows[1]
    (Piece(ct=0, length=3, group=1, slot=0),)
    """
    slots = np.maximum(hits, new)
    streamed = slots < 0
    counts = streamed.sum(axis=1)
    groups = _group_rows(streamed, counts, half_tiles)
    group = np.full(slots.shape, -1, np.int64)
    place = slots.copy()
    for g, tiles in enumerate(groups):
        for i, (row, ct) in enumerate(tiles):
            group[row, ct], place[row, ct] = g, i
    same = (group[:, 1:] == group[:, :-1]) & (place[:, 1:] == place[:, :-1] + 1)
    rows = []
    for r in range(grid.rows):
        breaks = [0, *(np.flatnonzero(~same[r]) + 1).tolist(), grid.ct]
        cuts = [
            (start, min(start + REPS_MAX, stop))
            for low, stop in pairwise(breaks)
            for start in range(low, stop, REPS_MAX)
        ]
        rows.append(tuple(Piece(lo, hi - lo, int(group[r, lo]), int(place[r, lo])) for lo, hi in cuts))
    return LayerWeights(grid, tuple(rows), tuple(tuple(g) for g in groups))


def _group_rows(
    streamed: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64], half_tiles: int
) -> list[list[tuple[int, int]]]:
    total = int(counts.sum())
    if total == 0:
        return []
    least = -(-total // half_tiles)
    balanced = max(-(-total // least), int(counts.max()))
    choices = [_fill(streamed, counts, min(limit, half_tiles), half_tiles) for limit in (balanced, half_tiles)]
    return min(choices, key=len)


def _fill(
    streamed: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64], limit: int, half_tiles: int
) -> list[list[tuple[int, int]]]:
    """Rows into groups of about ``limit`` tiles; a row that no half can hold is cut anywhere."""
    groups: list[list[tuple[int, int]]] = [[]]
    for row, count in enumerate(counts.tolist()):
        if count == 0:
            continue
        tiles = [(row, int(ct)) for ct in np.flatnonzero(streamed[row])]
        if len(groups[-1]) + count > limit and groups[-1]:
            groups.append([])
        while len(tiles) > half_tiles:
            groups[-1].extend(tiles[:half_tiles])
            tiles = tiles[half_tiles:]
            groups.append([])
        groups[-1].extend(tiles)
    return [group for group in groups if group]


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
