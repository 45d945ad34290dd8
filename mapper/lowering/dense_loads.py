"""What a dense layer loads beside its input: its weights and its ZSB entries, each load as its prologue asks for it.

A *prologue* of several parts (``prologue_parts`` > 1) lets the array start before the first input tile and the first
row of weight tiles have come whole: both come in so many parts along the channels, each as late as its first PASS wants
it; the other rows of the first and of the last group of weights come in transfers that grow from one row
(:func:`ramp`), and the ZSB entries in the parts that one group of weights can finish. Other groups come
``prefetch_rows`` rows at a time, if that is not 0; -1 brings a quarter of a row at a time. With ``interleave`` > 1 the
first rows of so many K-tiles come together, part by part.
"""

from __future__ import annotations

from arch_model.compiled import Ints, compiled, inner
from arch_model.timing.rows import BEAT, CP, DB, FOLD, INTERVAL, PIXELS, TILE_BEATS
from arch_model.timing.transfers import read_cycles, row_beats, up
from mapper.lowering.buffers import begin_layer, load_table, new_weight_load, next_half
from mapper.lowering.rows import (
    BROUGHT,
    C_TILES,
    DB_LAST,
    DB_MEMORY,
    DB_NEXT,
    ENTRY_LOAD,
    FOLDED,
    GROUP_BEGIN,
    GROUP_COUNT,
    K_TILES,
    OUT_COLS,
    OUT_ROWS,
    OWN_STATE,
    PB_LAST,
    PB_MEMORY,
    RUN_ROWS,
    STREAMED,
    STREAMED_TILES,
    T_FILTERS,
    T_INTERLEAVE,
    T_PREFETCH,
    T_PROLOGUE,
    TILE_LOAD,
    WIDTH,
    WINDOWS,
    ZSB_MEMORY,
)
from mapper.lowering.weight_tiles import (
    PIECE_CT,
    PIECE_GROUP,
    PIECE_LENGTH,
    PIECE_SLOT,
    RUN_CT,
    RUN_LENGTH,
    RUN_ROW,
    RUN_RUNS,
    RUN_SLOT,
    plan_weights,
    split_runs,
)

# What a layer keeps while its commands are appended. Of its tiling: C-tiles of a part of the prologue (0: no prologue)
# and of a quarter of a row (0: rows come whole), whether weights come again for each spatial tile. Of the ZSB: the
# first entry, the PASS to wait for, how many entries have come; the activation table. Of the DB: the half in use, the
# group in it, its last user, tiles and loads of the group that have been issued. Of the SB: the spatial tile, its half
# and load, what of its input still has to come; tiles that stay (order "filters"). Cycles of an input row's transfer.
# fmt: off
(
    PART, QUARTER, RELOADS, BASE, ZSB_AFTER, ENTRIES, TABLE_NUMBER, HALF, LOADED, LAST_USE, IN_DB, ISSUED,
    TILE, TILE_ROWS, TILE_HALF, INPUT, BEGUN, LOW_ROW, LOW_ROWS, NEXT_GROUP, GROUP_STEP, FREED, STORED,
    KEPT_HALF, _K1, KEPT_LOAD, _K3, ACT_ONE, ACT_ROW, ACT_BEATS, PIECE, TABLES,
) = range(OWN_STATE, OWN_STATE + 32)
# fmt: on


@compiled
def ramp(w: Ints, sizes: int, count: int, grows: int, shrinks: int, most: int, begin: int) -> int:
    """Sizes of parts of some rows that grow from one and shrink to one where asked to; how many parts there are.

    Parameters
    ----------
    w : workspace.
    sizes : index at which to put them.
    count : rows together.
    grows, shrinks : 1 if they do.
    most : rows of a part.
    begin : rows of the first part, if they are more than one.

    Examples
    --------
    >>> import numpy as np
    >>> sizes = np.zeros(12, np.int64)
    >>> sizes[:ramp(sizes, 0, 12, 1, 0, 12, 1)].tolist(), sizes[:ramp(sizes, 0, 12, 1, 1, 12, 1)].tolist()
    ([1, 1, 2, 4, 4], [1, 1, 2, 4, 2, 1, 1])
    """
    found, done = 0, 0
    if begin > 1:
        w[sizes] = begin
        found, done = 1, begin
    while done < count:
        size = min(most, count - done)
        if grows:
            size = min(size, max(1, done))
        if shrinks:
            size = min(size, up(count - done, 2))
        w[sizes + found] = size
        found += 1
        done += size
    return found


@inner
def why_not(w: Ints) -> int:
    """Whether the tiling asks for what the layer's weights do not allow, once they are planned: 0, or a rule below.

    Interleaving wants a prologue, one window, several C-tiles, all of them streamed, and whole rows in the first group.
    Quarters of rows want a prologue, rows that are streamed, whole, more than one, of 8 C-tiles or more, whose tiles
    come hardly faster than the array goes over the pixels: else they can't help.
    """
    ct, rows = w[C_TILES], w[K_TILES] * w[WINDOWS]
    streamed = w[STREAMED_TILES] == rows * ct
    if w[T_INTERLEAVE] > 1:
        possible = w[T_PROLOGUE] > 1 and w[WINDOWS] == 1 and ct > 1 and streamed
        if not possible or w[T_INTERLEAVE] * ct > w[w[GROUP_BEGIN] + 1]:
            return NO_INTERLEAVING
    if w[T_PREFETCH] < 0:
        possible = w[T_PROLOGUE] > 1 and ct >= 8 and rows > 1 and ct <= w[DB] and streamed
        if not possible or 2 * w[TILE_BEATS] * w[INTERVAL] <= w[OUT_ROWS] * w[OUT_COLS]:
            return NO_QUARTERS
    return 0


NO_INTERLEAVING, NO_QUARTERS = 1, 2
"""What :func:`why_not` returns."""


@compiled
def load_tiles(w: Ints, slots: int, brought: int) -> int:
    """LOAD_WGT commands of a layer's tiles to the PB, in order; how many tiles.

    Parameters
    ----------
    w : workspace.
    slots : where the slot stands that each of its tiles goes to, row by row, -1 for those that stay away.
    brought : where the load of each tile is noted, -1 for others.
    """
    rows, ct = w[K_TILES] * w[WINDOWS], w[C_TILES]
    tiles = brought + rows * ct
    goes = tiles + 2 * rows * ct
    runs, count = goes + rows * ct, 0
    for tile in range(rows * ct):
        w[brought + tile] = -1
        if w[slots + tile] >= 0:
            w[tiles + 2 * count] = tile // ct
            w[tiles + 2 * count + 1] = tile % ct
            w[goes + count] = w[slots + tile]
            count += 1
    done = 0
    for run in range(split_runs(w, tiles, count, goes, 0, runs) if count else 0):
        r = runs + 5 * run
        after, slot = -1, w[r + RUN_SLOT]
        for place in range(slot, slot + w[r + RUN_LENGTH] * w[r + RUN_RUNS]):
            after = max(after, w[w[PB_LAST] + place])
        index = _load_run(w, r, after, PB_MEMORY, slot)
        for tile in range(done, done + w[r + RUN_LENGTH] * w[r + RUN_RUNS]):
            w[brought + w[tiles + 2 * tile] * ct + w[tiles + 2 * tile + 1]] = index
        done += w[r + RUN_LENGTH] * w[r + RUN_RUNS]
    return count


@inner
def _load_run(w: Ints, run: int, after: int, memory: int, slot: int) -> int:
    return new_weight_load(
        w, after, memory, slot, w[run + RUN_ROW], w[run + RUN_CT], w[run + RUN_LENGTH], w[run + RUN_RUNS]
    )


@inner
def _part_ends(w: Ints, group: int, ends: int) -> int:
    """Where the transfers of a group begin and end, counted in its tiles: puts them at ``ends``; how many."""
    begin = w[w[GROUP_BEGIN] + group]
    count, tiles = w[w[GROUP_BEGIN] + group + 1] - begin, w[STREAMED] + 2 * begin
    first = group == 0 and w[TILE] == 0
    ends_here = w[RELOADS] == 0 or w[TILE] + w[TILE_ROWS] == w[OUT_ROWS]
    last = group == w[GROUP_COUNT] - 1 and ends_here
    w[ends] = 0
    if w[PART] == 0 or not (first or last or w[T_PREFETCH] != 0):
        w[ends + 1] = count
        return 2
    starts, rows, found = ends + 2 * count + 3, 0, 1
    for index in range(count):
        if index == 0 or w[tiles + 2 * index] != w[tiles + 2 * index - 2]:
            w[starts + rows] = index
            rows += 1
    w[starts + rows] = count
    together = w[T_INTERLEAVE] if first else 1
    if first and w[tiles] == 0 and together == 1:
        for index in range(1, w[starts + 1]):
            if w[tiles + 2 * index + 1] % w[PART] == 0:
                w[ends + found] = index
                found += 1
    if w[QUARTER]:
        for index in range(w[starts + together] if first else 1, count):
            if w[tiles + 2 * index + 1] % w[QUARTER] == 0:
                w[ends + found] = index
                found += 1
        w[ends + found] = count
        return found + 1
    most, sizes, at = w[T_PREFETCH] if w[T_PREFETCH] else rows + 1, starts + rows + 1, 0
    for part in range(ramp(w, sizes, rows, int(first), int(last), most, together)):
        at += w[sizes + part]
        w[ends + found] = w[starts + at]
        found += 1
    return found


@inner
def plan_loads(w: Ints, group: int) -> None:
    """Write the loads of a group of streamed weight tiles, in order, to the table of runs.

    Parameters
    ----------
    w : workspace.
    group : its number.
    """
    begin, ends = w[w[GROUP_BEGIN] + group], w[TABLES]
    count, found, skip = _part_ends(w, group, ends), 0, 0
    if group == 0 and w[TILE] == 0 and w[T_INTERLEAVE] > 1:
        skip = 1
        for ct in range(0, w[C_TILES], w[PART]):
            r = w[RUN_ROWS] + 5 * found
            w[r + RUN_ROW] = 0
            w[r + RUN_CT] = ct
            w[r + RUN_SLOT] = ct * w[T_INTERLEAVE]
            w[r + RUN_LENGTH] = min(w[PART], w[C_TILES] - ct)
            w[r + RUN_RUNS] = w[T_INTERLEAVE]
            found += 1
    for part in range(skip, count - 1):
        low, high = w[ends + part], w[ends + part + 1]
        tiles = w[STREAMED] + 2 * (begin + low)
        found += split_runs(w, tiles, high - low, 0, low, w[RUN_ROWS] + 5 * found)
    w[ISSUED] = 0
    w[IN_DB] = 0


@inner
def weights_of(w: Ints, row: int) -> int:
    """Load the weights of the PASS at work if they are not there, and put their first slot in ``PIECE_SLOT``.

    Parameters
    ----------
    w : workspace.
    row : (K-tile, window) of the weights.

    Returns
    -------
    int
        Number of the load to wait for, -1 for none.
    """
    piece, load = w[PIECE], -1
    group, slot, length = w[piece + PIECE_GROUP], w[piece + PIECE_SLOT], w[piece + PIECE_LENGTH]
    if group < 0:
        if w[BROUGHT]:
            first = w[BROUGHT] + row * w[C_TILES] + w[piece + PIECE_CT]
            for tile in range(first, first + length):
                load = max(load, w[tile])
        return load
    if group != w[LOADED]:
        w[HALF] = next_half(w, DB_NEXT)
        w[LAST_USE] = w[DB_LAST + w[HALF]]
        w[LOADED] = group
        plan_loads(w, group)
    base, wanted = w[HALF] * w[DB], slot + length
    while w[IN_DB] < wanted:
        run = w[RUN_ROWS] + 5 * w[ISSUED]
        index = _load_run(w, run, w[LAST_USE], DB_MEMORY, base + w[run + RUN_SLOT])
        come = w[IN_DB] + w[run + RUN_LENGTH] * w[run + RUN_RUNS]
        for tile in range(w[IN_DB], come):
            w[w[TILE_LOAD] + tile] = index
        w[IN_DB] = come
        w[ISSUED] += 1
        if w[PART] == 0:
            wanted = w[w[GROUP_BEGIN] + group + 1] - w[w[GROUP_BEGIN] + group]  # the whole group at once
    w[piece + PIECE_SLOT] = base + slot
    return w[w[TILE_LOAD] + slot + length - 1]


@inner
def load_zsb(w: Ints, end: int) -> None:
    """Load the layer's ZSB entries that are not there.

    Parameters
    ----------
    w : workspace.
    end : up to this one.
    """
    begin = w[ENTRIES]
    if begin == 0:
        w[TABLE_NUMBER] = load_table(w)
    end = min(end, w[K_TILES])
    index = new_weight_load(w, w[ZSB_AFTER], ZSB_MEMORY, w[BASE] + begin, begin, 0, end - begin, 1)
    for entry in range(begin, end):
        w[w[ENTRY_LOAD] + entry] = index
    w[ENTRIES] = end


@inner
def begin_dense(w: Ints, slots: int) -> int:
    """Plan the weights of the dense layer in the header, and what its tiling asks of its loads.

    Parameters
    ----------
    w : workspace.
    slots : index at which the PB slots of its tiles stand (0: none).

    Returns
    -------
    int
        0, or the code of what the layer's weights do not allow.
    """
    begin_layer(w)
    w[PIECE] = plan_weights(w, slots)
    w[TABLES] = w[PIECE] + 4
    words, together = w[WIDTH], w[PIXELS]
    if w[FOLDED]:
        words, together = up(w[WIDTH], w[FOLD]), 1
    w[ACT_ONE] = read_cycles(1, words, w[CP], w[BEAT], w[INTERVAL], together)
    w[ACT_ROW] = read_cycles(2, words, w[CP], w[BEAT], w[INTERVAL], together) - w[ACT_ONE]
    w[ACT_BEATS] = row_beats(words, w[CP], w[BEAT])
    return cut_loads(w)


@inner
def cut_loads(w: Ints) -> int:
    """What the prologue in the header makes of the loads, once weights are planned; 0, or what :func:`why_not` says."""
    w[PART] = up(w[C_TILES], w[T_PROLOGUE]) if w[T_PROLOGUE] > 1 else 0
    w[QUARTER] = up(w[C_TILES], 4) if w[T_PREFETCH] < 0 else 0
    w[RELOADS] = w[T_FILTERS] == 0 and w[STREAMED_TILES] > w[DB]
    return why_not(w)
