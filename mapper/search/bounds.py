"""Lower bounds on the cycles of every mapping of a layer at once.

Each bound follows one unit of the machine: it works without a pause from its first command to some point, and what must
follow that point (passes over pixels, then the last STORE) follows without a pause. So no Program can be faster; the
bound's name says which unit it is. The terms are those of ``docs/concepts/time.md``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Layer
from arch_model.timing.reference_timing import (
    FEED_FULL,
    FETCH_ADDRESS,
    FETCH_DECODE,
    FETCH_END,
    FETCH_QUEUE,
    LANE_BYTES,
    LOAD_ADDRESS,
    LOAD_GIVE,
    RUN_WRITE,
    SLOT_BYTES,
    STORE_GIVE,
    STORE_NEXT,
    TOKEN,
)
from arch_model.timing.transfers import read_cycles, store_cycles
from mapper.layout.tensors import folds, is_pointwise
from mapper.search.transfer_sizes import quarter_of, ramp
from mapper.search.weight_plan import LayerWeights

Ints = npt.NDArray[np.int64]

BOUNDS = ("array", "act", "wgt", "out", "prog", "halves")
"""``array``: the passes one after another, behind the least fill and before the least drain. ``act``, ``wgt``, ``out``,
``prog``: the transfers of that port one after another, with the work that must wait for them or come before.
``halves``: passes, input and results together, a tile and a chunk at a time: each must find half a buffer free."""


_MOST = 1 << 18
"""Candidates times loads that are followed at once."""


@dataclass(frozen=True)
class Candidates:
    """Mappings of a layer, int64 (n,) each: output rows a tile, K-tiles a chunk, whether chunks are the outermost loop
    (``filters``), and the prologue, as in :class:`mapper.lowering.tiling.Tiling`."""

    rows: Ints
    chunk: Ints
    prologue_parts: Ints
    prefetch_rows: Ints
    filters: Ints
    interleave: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Candidates:
        """Those at ``index``."""
        return Candidates(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True)
class _Transfer:
    """Cycles that transfers of rows take: ``fixed`` each and ``row`` for every row; no more than the exact ones."""

    fixed: int
    row: int

    def __call__(self, commands: Ints | int, rows: Ints | int) -> Ints:
        return np.asarray(commands * self.fixed + rows * self.row)


def _loads(accelerator: Accelerator, cols: int, size: int, beat: int, pixels: int = 1) -> _Transfer:
    """LOADs of rows of ``cols`` pixels (words, of weights), in beats of ``beat`` bytes, from acceptance to the next."""
    a = accelerator
    one, two = (read_cycles(rows, cols, size, beat, a.dram.cycles_per_beat, pixels) for rows in (1, 2))
    return _Transfer(LOAD_ADDRESS + a.dram.latency_cycles + LOAD_GIVE + 2 * one - two, two - one)


def _stores(accelerator: Accelerator, layer: Layer, add: bool) -> _Transfer:
    """STOREs of output rows, from acceptance to acknowledgement. Their cycles are convex from two rows on."""
    a, latency = accelerator, accelerator.dram.latency_cycles
    one, two, three = (
        store_cycles(rows, layer.Q, a.cp, a.beat_bytes, a.dram.cycles_per_beat, latency, int(add), a.pixels)[1]
        for rows in (1, 2, 3)
    )
    row = min(two - one, three - two)
    return _Transfer(one - row + latency + STORE_GIVE, row)


class Bounds:
    """Lower bounds of legal candidates, and exact counts that they rest on.

    ``weights``: planned for the order "rows"; ``add``: STORE reads an operand. At first they know little of how weights
    come; :meth:`refine` follows every LOAD_WGT of those candidates that bring them alike.

    Attributes
    ----------
    cycles : int64 (6, n), a lower bound in each of :data:`BOUNDS`.
    kind : int64 (n,), equal for candidates that bring weights alike.
    rows_in : int64 (n,), rows of a channel group that LOAD_ACT brings.
    fetches : int64 (n,), of each streamed weight tile.
    tiles : int64 (n,), spatial tiles.
    slots : int64 (n,), of 32 bytes that the Program has at least.
    """

    def __init__(self, layer: Layer, accelerator: Accelerator, weights: LayerWeights, add: bool, c: Candidates) -> None:
        a, grid = accelerator, weights.grid
        kp, beat, latency, interval = a.kp, a.program_beat_bytes, a.dram.latency_cycles, a.dram.cycles_per_beat
        filters, leading = c.filters > 0, c.prologue_parts > 1
        begin = FETCH_ADDRESS + latency + interval * (-(-SLOT_BYTES // beat) - 1) + FETCH_DECODE + FETCH_QUEUE

        # RUN: a pass over a full tile, over the first and the last one; all passes; passes of a chunk, of the last one.
        least = kp + FEED_FULL
        tiles, chunks = -(-layer.P // c.rows), -(-grid.kt // c.chunk)
        last_rows = layer.P - (tiles - 1) * c.rows
        full, last = np.maximum(c.rows * layer.Q, least), np.maximum(last_rows * layer.Q, least)
        first = np.where(tiles == 1, last, full)
        work = grid.tiles * ((tiles - 1) * full + last)
        row_passes = grid.windows * grid.ct
        last_chunk = grid.kt - (chunks - 1) * c.chunk

        # From the start of some last passes to the end, beyond these passes: the very last one may be short.
        store = _stores(a, layer, add)
        last_groups = a.groups(layer.K) - (grid.kt - last_chunk) * kp // a.cp
        ending = RUN_WRITE + TOKEN - 1 + 2
        drain = last_rows * layer.Q - last + ending + store(1, last_groups * last_rows)

        # Input, in rows of a group. The first tile comes in parts, behind each of which some passes are left.
        groups = a.groups(layer.C)
        cols, together = a.row(layer.W, folds(layer, a))
        act = _loads(a, cols, a.cp, a.beat_bytes, together)
        lead_ct = -(-grid.ct // c.prologue_parts)
        parts = np.where(leading, -(-grid.ct // lead_ct), 1)
        part_groups = np.minimum(lead_ct * (TAPS if is_pointwise(layer) else 1), groups)
        first_inside = input_rows_of(layer, np.where(tiles == 1, layer.P, c.rows))
        times = np.where(filters & (tiles > 2), chunks, 1)
        rows_in = groups * times * _table(layer)[c.rows]
        act_commands = tiles * times + parts - 1
        before_parts = (parts - 1) * lead_ct * c.interleave  # passes before the last part is there
        before = before_parts * first
        left = np.where(tiles == 1, work - before, grid.tiles * last)
        left = np.where(filters & (tiles == 2), work - c.chunk * row_passes * first, left)
        left = np.where(filters & (tiles > 2), last_chunk * row_passes * last, left)
        first_act = act(parts, groups * first_inside) + work - before
        all_act = act(act_commands, rows_in) + left
        act_bound = begin + TOKEN + 1 + np.maximum(first_act, all_act) + drain

        # Weights, in tiles, and the ZSB table, in entries; a table in parts is last needed by the last pass.
        tile, entry = (_loads(a, kp, size, a.weight_beat_bytes) for size in (TAPS * a.cp, LANE_BYTES))
        streamed = weights.streamed
        table = np.where(leading, 0, entry(1, grid.kt))
        once = filters | (tiles == 1) | (streamed <= a.db_half_tiles)
        fetches = np.where(once, 1, tiles)
        wgt = begin + table + TOKEN + kp + FEED_FULL
        starts_streamed = streamed > 0 and weights.rows[0][0].group >= 0
        head = np.maximum(
            wgt + (tile(1, 1) if starts_streamed else 0), begin + act(1, part_groups * first_inside) + TOKEN + 1
        )
        if streamed:
            wgt_bound = wgt + tile(fetches * -(-streamed // a.db_half_tiles), fetches * streamed) + least + drain
        else:
            wgt_bound = wgt + drain

        # Results: one STORE after another, the first behind the first chunk's passes.
        stores = tiles * chunks
        out_work = (np.minimum(c.chunk, grid.kt) * row_passes - 1) * first + np.minimum(c.rows, layer.P) * layer.Q
        out_work += ending + store(stores, a.groups(layer.K) * layer.P) + STORE_NEXT * (stores - 1)

        slots = tiles * grid.rows + 2 * stores + act_commands + 2
        read = FETCH_ADDRESS + latency + interval * (-(-SLOT_BYTES * slots // beat) - 1) + FETCH_DECODE
        array_work = work + drain
        prog_bound = read + FETCH_END + 1
        self.cycles = np.stack([head + array_work, act_bound, wgt_bound, head + out_work, prog_bound, 0 * read])
        self.rows_in, self.fetches, self.tiles, self.slots = rows_in, fetches, tiles, slots
        if streamed:
            again = (fetches > 1).astype(np.int64)
            part = np.where(leading, lead_ct, 0)
            key = np.stack([part, c.prefetch_rows + 1, c.filters * c.chunk, again, c.interleave])
            code = np.ravel_multi_index(tuple(key), tuple((key.max(axis=1) + 1).tolist()))
            _, found, self.kind = np.unique(code, return_index=True, return_inverse=True)
            key[1] -= 1
            self._keys = key[:, found].T.tolist()
            self._loads = _WeightLoads(weights, a, tile, entry)
        else:
            self._keys, self.kind = [], np.zeros(len(c), np.int64)
        others = np.where(filters & (tiles > 1), (tiles - 2) * full + last, 0)
        rest = drain + np.where(once & ~filters, work - grid.tiles * first, 0)
        self._terms = once, np.where(once, first, last), others, wgt, rest, head, array_work, out_work
        self._opening = first, drain + work - grid.tiles * first
        self._starts_streamed = starts_streamed
        self._layer, self._a, self._add, self._grid, self._c = layer, a, add, grid, c
        # Passes of a command that ends a K-tile, at least. Rows can be in pieces, of the PB or where half the DB ends.
        self._mixed = 0 < streamed < grid.tiles
        cut = self._mixed or (streamed > a.db_half_tiles and a.db_half_tiles % grid.ct > 0)
        self._finish = 1 if cut else min(row[-1].length for row in weights.rows)
        self._head = head.copy()
        self._ladders: dict[int, _Ladder] = {}
        self._first_act = begin + act(parts, groups * first_inside)
        self._after_parts = before_parts
        self._act = act

    def refine(self, kind: int) -> npt.NDArray[np.int64]:
        """Follow the weights of candidates of a kind; returns their indices."""
        at = np.flatnonzero(self.kind == kind)
        if not self._keys:
            return at
        once, in_tile, others, wgt, rest, head, array_work, out_work = (term[at] for term in self._terms)
        ladder, fetches = self._loads.ladder(*self._keys[kind]), self.fetches[at]
        if len(at) * len(ladder.times) > _MOST:
            ladder = ladder.take(_spread(ladder.times, _MOST // len(at)))
        behind = ladder.times + ladder.left * in_tile[:, None] + ladder.left_all * others[:, None]
        # walk_halves looks at the loads that some candidate waits for most, and at some of the others.
        waited = behind.argmax(axis=1)
        self._ladders[kind] = ladder.take(np.union1d(waited, _spread(ladder.times, 24)))
        before = np.where(once, 0, ladder.first_cycles + (fetches - 2) * ladder.again_cycles)
        self.cycles[2, at] = wgt + before + behind.max(axis=1) + rest
        if not once[0]:  # the first tile waits for its loads, too
            first, after = (term[at] for term in self._opening)
            lead, part, chunk, reload, weave = self._keys[kind]
            opening = self._loads.ladder(lead, part, chunk, reload, weave, opening=True)
            opening = opening.take(_spread(opening.times, max(_MOST // len(at), 2)))
            behind = opening.times + opening.left * first[:, None]
            self.cycles[2, at] = np.maximum(self.cycles[2, at], wgt + behind.max(axis=1) + after)
        if self._starts_streamed:
            head = np.maximum(head, wgt + self._loads.tile(1, ladder.first_tiles))
            self.cycles[0, at], self.cycles[3, at], self._head[at] = head + array_work, head + out_work, head
        return at

    def _arrivals(self, index: int) -> list[tuple[int, int]]:
        """(cycle, pass of the first tile) of weights that come once: not before may that pass begin."""
        grid, once = self._grid, bool(self._terms[0][index])
        if not self._keys or not once or (self._mixed and grid.ct > 1):
            return []
        ladder, wgt = self._ladders[int(self.kind[index])], int(self._terms[3][index])
        positions = grid.tiles - ladder.left
        return [(wgt + t, p) for t, p in zip(ladder.times.tolist(), positions.tolist(), strict=True)]

    def walk_halves(self, index: int) -> None:
        """Find the bound ``halves`` of one candidate: a recurrence over its tiles and chunks."""
        layer, a, c, grid = self._layer, self._a, self._c, self._grid
        rows, chunk, filters = int(c.rows[index]), int(c.chunk[index]), bool(c.filters[index])
        latency, least, row_passes = a.dram.latency_cycles, a.kp + FEED_FULL, grid.windows * grid.ct
        p, q, kp, cp, interval = layer.P, layer.Q, a.kp, a.cp, a.dram.cycles_per_beat
        tiles, chunks = range(0, p, rows), range(0, grid.kt, chunk)
        arrivals = self._arrivals(index)
        groups_in = a.groups(layer.C)
        visits = [(t, k) for k in chunks for t in tiles] if filters else [(t, k) for t in tiles for k in chunks]
        each = filters and len(tiles) > 2  # input comes for each visit
        now, act_free, store_free, end = int(self._head[index]), int(self._first_act[index]), 0, 0
        ready, loads = 0, 0
        # Passes of a command that ends a K-tile, at least: woven rows stay in their parts, others may come in quarters.
        finish, ct, weave = self._finish, grid.ct, int(c.interleave[index])
        if finish > 1 and (weave > 1 or c.prefetch_rows[index] < 0):
            size = -(-ct // int(c.prologue_parts[index])) if weave > 1 else quarter_of(ct)
            finish = ct - (ct - 1) // size * size
        sb_free: list[int] = []  # by load
        out_free: list[int] = []  # by visit
        for number, (first, k) in enumerate(visits):
            here = min(rows, p - first)
            pixels = here * q
            cost = max(pixels, least)
            if each or (k == 0):
                if loads:
                    low, high = max(0, first * layer.stride - layer.padding), (first + here - 1) * layer.stride
                    inside = min(layer.H, high - layer.padding + layer.R) - low
                    wait = sb_free[loads - 2] if loads > 1 else 0
                    act_free = max(act_free, wait) + int(self._act(1, groups_in * inside))
                    ready = act_free + TOKEN + 1
                loads += 1
            k_tiles = min(chunk, grid.kt - k)
            work = k_tiles * row_passes * cost
            now = max(now, ready) + work
            if number == 0:
                now = max(now, int(self._first_act[index]) + TOKEN + 1 + work - int(self._after_parts[index]) * cost)
            if first == 0:  # the weights come while the first tile is at work
                end_pass = (k + k_tiles) * row_passes
                for time, position in arrivals:
                    if k * row_passes <= position < end_pass and time + (end_pass - position) * cost > now:
                        now = time + (end_pass - position) * cost
            if number > 1:  # the first command that ends a K-tile finds the half free
                now = max(now, out_free[number - 2] + 1 + work - (row_passes - finish) * cost)
            last = now - cost + pixels - 1
            if filters or k + chunk >= grid.kt:
                sb_free.append(last + TOKEN)
            groups = -(-(min((k + k_tiles) * kp, layer.K) - k * kp // cp * cp) // cp)
            start = max(store_free, last + RUN_WRITE + TOKEN)
            word, beat = store_cycles(groups * here, q, cp, a.beat_bytes, interval, latency, int(self._add), a.pixels)
            out_free.append(start + word + TOKEN)
            end = start + beat + latency + STORE_GIVE
            store_free = end + STORE_NEXT
        self.cycles[5, index] = end + 2


def input_rows_of(layer: Layer, rows: Ints) -> Ints:
    """Input rows that the first ``rows`` output rows read."""
    read: Ints = np.minimum(layer.H, (rows - 1) * layer.stride - layer.padding + layer.R)
    return read


def _table(layer: Layer) -> Ints:
    """Input rows of all spatial tiles together, by the output rows of a tile, 0 .. P."""
    rows = np.arange(1, layer.P + 1)[:, None]
    first = np.arange(layer.P)[None, :] * rows
    low = np.maximum(0, first * layer.stride - layer.padding)
    high = input_rows_of(layer, np.minimum(first + rows, layer.P))
    total: Ints = np.where(first < layer.P, high - low, 0).sum(axis=1)
    return np.concatenate([[0], total])


@dataclass(frozen=True)
class _Ladder:
    """LOAD_WGTs of a layer one after another.

    ``first_tiles`` of the first one; ``first_cycles`` of those in the first tile, ``again_cycles`` in a later one.
    Steps, int64 (j,), of the tile that comes last: ``times`` when a load may end, counted from that tile's first,
    ``left`` passes that then remain of the tile, ``left_all`` that remain of each of the others (order "filters").
    """

    first_tiles: int
    first_cycles: int
    again_cycles: int
    times: Ints
    left: Ints
    left_all: Ints

    def take(self, index: Ints) -> _Ladder:
        """With these steps alone, a looser bound."""
        steps = (self.times[index], self.left[index], self.left_all[index])
        return _Ladder(self.first_tiles, self.first_cycles, self.again_cycles, *steps)


def _spread(values: Ints, most: int) -> Ints:
    """Indices of at most ``most`` values, from the first to the last."""
    return np.unique(np.linspace(0, len(values) - 1, max(most, 2)).astype(np.int64))


class _WeightLoads:
    """How a layer's weights come at the earliest."""

    def __init__(self, weights: LayerWeights, accelerator: Accelerator, tile: _Transfer, entry: _Transfer) -> None:
        self.weights, self.a, self.grid, self.tile, self.entry = weights, accelerator, weights.grid, tile, entry
        self.has_hits = weights.streamed < weights.grid.tiles
        self.by_row = [sum(p.length for p in row if p.group >= 0) for row in weights.rows]
        self.groups = [_by_rows([row for row, _ in group]) for group in weights.groups]

    def ladder(self, lead: int, part: int, chunk: int, reload: int, weave: int, opening: bool = False) -> _Ladder:
        """``lead``: C-tiles of a part, 0: no parts; ``chunk``: 0 in the order "rows"; ``reload``: all come again;
        ``weave``: K-tiles whose first rows come together; ``opening``: steps of the first tile, if all come again.
        """
        groups = self.groups
        if chunk:
            size = chunk * self.grid.windows
            cut = (range(i, min(i + size, self.grid.rows)) for i in range(0, self.grid.rows, size))
            groups = [here for rows in cut if (here := [(r, self.by_row[r]) for r in rows if self.by_row[r]])]
        leading = lead > 0
        if self.has_hits:
            parts = [[sum(n for _, n in group)] for group in groups]
            first = again = parts
            return self._ladder(groups, parts, first, again, 1, leading=False)
        if not leading:
            parts = [[sum(n for _, n in group)] for group in groups]
            return self._ladder(groups, parts, parts, parts, self._first_run(groups), leading=False)
        if part < 0:
            again = [_cuts(group, quarter_of(self.grid.ct)) for group in groups]
            woven = [weave * min(lead, self.grid.ct - at) for at in range(0, self.grid.ct, lead)]
            first = [[*woven, *_cuts(groups[0][weave:], quarter_of(self.grid.ct))], *again[1:]]
            steps = again if reload and not opening else first
            return self._ladder(groups, steps, first, again, first[0][0], leading=True, weave=weave)
        again = [_parts(group, part, False, False) for group in groups]
        only = len(groups) == 1 and not reload
        last = [*again[:-1], _parts(groups[-1], part, only, True, weave if only else 1)]
        first = [_parts(groups[0], part, True, only, weave), *(again if reload else last)[1:]]
        if groups[0]:  # the first row in parts, as much of it as half the DB holds
            whole, row = first[0], groups[0][0][1]
            came = weave * row
            cuts = [weave * min(lead, row - at) for at in range(0, row, lead)]
            first[0] = [*cuts, *([whole[0] - came] if whole[0] > came else []), *whole[1:]]
        steps = last if reload and not opening else first
        return self._ladder(groups, steps, first, again, first[0][0], leading=True, weave=weave)

    def _first_run(self, groups: list[list[tuple[int, int]]]) -> int:
        if groups[0] != self.groups[0]:
            return sum(n for _, n in groups[0])
        size = len(self.weights.groups[0])
        return self.weights.runs(0, 0, size, max(self.a.db_half_tiles, 1), self.a.tile_beats)[0].tiles

    def _ladder(
        self,
        groups: list[list[tuple[int, int]]],
        parts: list[list[int]],
        first: list[list[int]],
        again: list[list[int]],
        first_tiles: int,
        leading: bool,
        weave: int = 1,
    ) -> _Ladder:
        """Of the loads' sizes by group: of the last tile, the first and another."""
        fixed, row, windows = self.tile.fixed, self.tile.row, self.grid.windows
        fixed_entry, row_entry = self.entry.fixed, self.entry.row
        sizes = np.array([size for group in parts for size in group], np.int64)
        behind = np.array([sum(group) for group in parts], np.int64)[::-1].cumsum()[::-1]
        times = np.cumsum(fixed + row * sizes)
        if leading and parts is first:  # entries of K-tiles that earlier groups end
            # A row that the next group shares may not be ended.
            ends = [(group[-1][0] + (group[-1][0] != after[0][0])) // windows for group, after in pairwise(groups)]
            ended = [0, *ends, groups[-1][-1][0] // windows + 1]
            waits: list[int] = []
            for i, (group, own) in enumerate(zip(groups, parts, strict=True)):
                commands = i if windows == 1 and ended[i] >= i else min(ended[i], 1)
                before = commands * fixed_entry + ended[i] * row_entry
                # The group's own entries come with its first row that ends a K-tile.
                at = next((j for j, (r, _) in enumerate(group) if (r + 1) % windows == 0), len(group))
                at = max(at, weave - 1) if i == 0 else at
                until = sum(n for _, n in group[: at + 1])
                more = fixed_entry * (ended[i + 1] > ended[i]) + row_entry * (ended[i + 1] - ended[i])
                done = 0
                for size in own:
                    waits.append(before + (more if done >= until and at < len(group) - 1 else 0))
                    done += size
            times = times + np.array(waits, np.int64)
        left = sizes[::-1].cumsum()[::-1]
        if self.has_hits:  # the last tile of a group, and the groups after it
            left = left - sizes + 1
        elif len(groups) > 1 and not leading:
            left = np.minimum(left, left - sizes + self._last_run(groups, sizes))
        left_all = np.repeat(behind, [len(group) for group in parts])

        def total(loads: list[list[int]]) -> int:
            return sum(map(len, loads)) * fixed + sum(map(sum, loads)) * row

        return _Ladder(first_tiles, total(first), total(again), times, left, left_all)

    def _last_run(self, groups: list[list[tuple[int, int]]], sizes: Ints) -> Ints:
        """Tiles of the last LOAD_WGT of each group: a group that cuts a row takes several."""
        if groups is not self.groups:
            return sizes
        most, beats = max(self.a.db_half_tiles, 1), self.a.tile_beats
        last = [self.weights.runs(g, 0, int(n), most, beats)[-1].tiles for g, n in enumerate(sizes)]
        return np.array(last, np.int64)


def _by_rows(rows: list[int]) -> list[tuple[int, int]]:
    """(row, tiles of it) in order."""
    return list(Counter(rows).items())


def _cuts(group: list[tuple[int, int]], size: int) -> list[int]:
    """Tiles of each load of a group of whole rows, each row in parts of ``size``."""
    return [min(size, row - at) for _, row in group for at in range(0, row, size)]


def _parts(group: list[tuple[int, int]], part: int, up: bool, down: bool, begin: int = 1) -> list[int]:
    """Tiles of each load of a group."""
    sizes = ramp(len(group), up, down, part or len(group), begin)
    tiles = group[0][1]
    if tiles == group[-1][1]:  # whole rows: only the first or the last one can be cut
        return [size * tiles for size in sizes]
    total = [0, *accumulate(n for _, n in group)]
    ends = list(accumulate(sizes))
    return [total[end] - total[end - size] for end, size in zip(ends, sizes, strict=True)]
