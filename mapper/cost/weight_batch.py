"""The weight tiles of many layers on their way to the array: pieces, groups that fill half of the DB, loads.

What ``mapper/lowering/weight_tiles.py`` decides for one layer, for a batch of them: a layer's rows (K-tile, window) of
C-tiles in order, each the part that the PB holds and then the part that is streamed; streamed rows gathered
into groups.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_Array = TypeVar("_Array", Ints, npt.NDArray[np.bool_])


@dataclass(frozen=True)
class WeightGroups:
    """For each layer (rows of the arrays) one spatial tile's pieces, groups and runs.

    A piece is what one PASS takes, ``reps`` C-tiles of K-tile ``k_tile``; ``finish`` if it is the last of that
    K-tile; ``run`` the load that brings its last tile, -1 if it is in the PB. A run is one LOAD_WGT of
    ``run_tiles`` tiles; the runs of ``run_group`` fill one half of the DB for pieces ``group_first`` to
    ``group_last``, and ``k_last`` is the piece that finishes each K-tile. ``pieces``, ``groups`` and ``runs`` count
    them (n,); the others are (n, most), zero beyond.
    """

    pieces: Ints
    groups: Ints
    runs: Ints
    reps: Ints
    k_tile: Ints
    finish: npt.NDArray[np.bool_]
    run: Ints
    run_tiles: Ints
    run_group: Ints
    group_first: Ints
    group_last: Ints
    k_last: Ints

    def take(self, index: npt.NDArray[np.int64]) -> WeightGroups:
        """The layers at ``index``."""
        return WeightGroups(*(getattr(self, f.name)[index] for f in fields(self)))

    def merged(self, chunk: Ints) -> WeightGroups:
        """The same with the pieces that follow one another without a new reason to wait as one piece.

        ``chunk`` (n,): K-tiles of a STORE. A piece stays apart from the one before it if that one is the last of a
        chunk or of a group, if it needs a load that none before it did, or if it is the first of its chunk to finish.

        >>> one = lambda *numbers: [np.array([number]) for number in numbers]
        >>> groups = group_weights(*one(4, 1, 3, 0, 0, 6))     # four rows, two a group, all in one chunk
        >>> groups.reps[0].tolist(), groups.merged(np.array([4])).reps[0].tolist()
        ([3, 3, 3, 3], [6, 6])
        """
        n, most = self.reps.shape
        line, place = np.arange(n)[:, None], np.arange(most)
        there = place < self.pieces[:, None]
        before = np.pad(self.run, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]
        begins = self.run > np.maximum.accumulate(before, axis=1)
        begins[:, 0] = True
        ends = np.zeros((n, most + 1), np.bool_)
        ends[line, np.where(np.arange(self.group_last.shape[1]) < self.groups[:, None], self.group_last, most)] = True
        k_tiles = np.arange(self.k_last.shape[1])
        opens, closes = k_tiles % chunk[:, None] == 0, (k_tiles + 1) % chunk[:, None] == 0
        ends[line, np.where(closes, self.k_last, most)] = True
        begins[:, 1:] |= ends[:, : most - 1]
        first = np.zeros((n, most + 1), np.bool_)
        first[line, np.where(opens, self.k_last, most)] = True
        begins = (begins | first[:, :most]) & there
        number = np.cumsum(begins, axis=1) - 1
        pieces = number[:, -1] + 1
        reps = np.zeros((n, int(pieces.max())), np.int64)
        np.add.at(reps, (np.broadcast_to(line, number.shape)[there], number[there]), self.reps[there])
        found: dict[str, Any] = {"reps": reps}
        for name in ("k_tile", "finish", "run"):
            values = getattr(self, name)
            found[name] = np.zeros(reps.shape, values.dtype)
            found[name][np.nonzero(begins)[0], number[begins]] = values[begins]
        found |= {name: number[line, getattr(self, name)] for name in ("group_first", "group_last", "k_last")}
        return replace(self, pieces=pieces, **found)


def _count_groups(rows: Ints, first_rows: Ints, short: Ints, full: Ints, limit: Ints, half: Ints) -> Ints:
    """Groups that :func:`group_weights` makes with ``limit``."""
    fill, groups = np.zeros_like(rows), np.zeros_like(rows)
    for row in range(int(rows.max())):
        count = np.where(row < first_rows, short, full) * (row < rows)
        opens = (count > 0) & ((fill + count > limit) | (groups == 0))
        splits = np.maximum(-(-count // half) - 1, 0)
        groups += opens + splits
        fill = np.where(opens | (splits > 0), 0, fill) + count - splits * half
    return groups


def group_weights(kt: Ints, windows: Ints, ct: Ints, hit_kt: Ints, hit_ct: Ints, half: Ints) -> WeightGroups:
    """Pieces, groups and runs of layers with ``kt`` x ``windows`` rows of ``ct`` tiles, leading parts of which
    are in the PB.

    All arguments (n,). Groups hold whole rows where a row fits half of the DB (``half`` tiles), and about as
    many tiles each as that allows, unless that makes more groups than filling every half does.

    >>> one = lambda *numbers: [np.array([number]) for number in numbers]
    >>> made = group_weights(*one(3, 1, 4, 1, 2, 6))       # the PB holds two of the first row's four tiles
    >>> made.reps[0].tolist(), made.run[0].tolist(), made.run_tiles[0].tolist()
    ([2, 2, 4, 4], [-1, 0, 1, 2], [2, 4, 4])
    """
    hit_kt, hit_ct = np.minimum(hit_kt, kt), np.minimum(hit_ct, ct)
    hit_kt, hit_ct = np.where(hit_ct > 0, hit_kt, 0), np.where(hit_kt > 0, hit_ct, 0)
    n, rows, first_rows, short = len(kt), kt * windows, hit_kt * windows, ct - hit_ct
    total = first_rows * short + (rows - first_rows) * ct
    longest = np.where(rows > first_rows, ct, short)
    least = np.maximum(-(-total // half), 1)
    balanced = np.minimum(np.maximum(-(-total // least), longest), half)
    args = (rows, first_rows, short, ct)
    fewer = _count_groups(*args, half, half) < _count_groups(*args, balanced, half)
    limit = np.where(fewer, half, balanced)

    most_pieces = int((rows * (1 + -(-ct // half)) + first_rows).max())
    table = {name: np.zeros((n, most_pieces), np.int64) for name in ("reps", "k_tile", "run")}
    finish = np.zeros((n, most_pieces), np.bool_)
    loads = {name: np.zeros((n, most_pieces), np.int64) for name in ("tiles", "group", "first", "last")}
    pieces, runs, groups, fill = (np.zeros(n, np.int64) for _ in range(4))
    k_last = np.zeros((n, int(kt.max())), np.int64)
    before = np.full((n, 2), -1, np.int64)  # C-tile and length of the segment before, if the next row may join it

    def add(at: Ints, row: int, reps: Ints, run: Ints) -> None:
        place = pieces[at]
        table["reps"][at, place], table["run"][at, place] = reps, run
        table["k_tile"][at, place] = row // windows[at]
        pieces[at] = place + 1

    for row in range(int(rows.max())):
        cached = np.flatnonzero(row < first_rows)
        if len(cached):
            add(cached, row, hit_ct[cached], np.full(len(cached), -1))
        left = np.where(row < rows, np.where(row < first_rows, short, ct), 0)
        low = np.where(row < first_rows, hit_ct, 0)
        opens = (left > 0) & ((fill + left > limit) | (groups == 0))
        while len(at := np.flatnonzero(left > 0)):
            groups[at] += opens[at]
            fill[at] = np.where(opens[at], 0, fill[at])
            length = np.minimum(left[at], half[at])
            joins = ~opens[at] & (before[at, 0] == low[at]) & (before[at, 1] == length)
            runs[at] += ~joins
            group, run = groups[at] - 1, runs[at] - 1
            loads["tiles"][at, run] += length
            loads["group"][at, run] = group
            fresh = at[opens[at]]
            loads["first"][fresh, groups[fresh] - 1] = pieces[fresh]
            loads["last"][at, group] = pieces[at]
            add(at, row, length, run)
            before[at, 0], before[at, 1] = low[at], length
            fill[at] += length
            left[at] -= length
            low[at] += length
            opens = left > 0  # what is left of a row that no half can hold
        done = np.flatnonzero((row < rows) & ((row + 1) % windows == 0))
        finish[done, pieces[done] - 1] = True
        k_last[done, row // windows[done]] = pieces[done] - 1

    def cut(array: _Array, counts: Ints) -> _Array:
        return array[:, : max(int(counts.max()), 1)]

    return WeightGroups(
        pieces,
        groups,
        runs,
        cut(table["reps"], pieces),
        cut(table["k_tile"], pieces),
        cut(finish, pieces),
        cut(table["run"], pieces),
        cut(loads["tiles"], runs),
        cut(loads["group"], runs),
        cut(loads["first"], groups),
        cut(loads["last"], groups),
        k_last,
    )
