"""Estimates of layers on many machines: cycles and activity of the quick choice in closed form, without commands.

For screening machines by the tens of thousands. The cycles are those by which the quick choice chooses
(:mod:`mapper.lowering.choice`), so neither waits nor the overlap of neighbouring layers are in them. The activity
consists of sums over a layer's loops, which are the Program's own, but for two: the commands themselves are counted
roughly, and tiles of depthwise weights as if half the DB held those of a chunk. What a Program costs exactly says
:mod:`mapper.cost.program_cost`.
"""

from __future__ import annotations

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from arch_model.cost.activity import TOTALS
from arch_model.machine.microarchitecture import LANE_BYTES, TABLE_BYTES
from arch_model.program.isa import SLOT_BYTES
from arch_model.timing.rows import BEAT, CP, DB, INTERVAL, KP, NEVER, PB, TILE_BEATS, WBEAT
from arch_model.timing.transfers import row_beats, up
from mapper.cost.program_cost import (
    ACT_BYTES,
    B_BYTES,
    DB_LOADED,
    DB_TILES,
    LOAD_WORDS,
    LOOKED_UP,
    OUT_BYTES,
    PB_TILES,
    PIXELS_DONE,
    PROG_BYTES,
    STEPS,
    STORE_A,
    STORE_B,
    STORE_WORDS,
    SUMS_KEPT,
    SUMS_READ,
    WGT_BYTES,
)
from mapper.cost.program_cost import TABLE_BYTES as TABLE_TOTAL
from mapper.cost.program_cost import ZSB_BYTES as ZSB_TOTAL
from mapper.lowering.choice import (
    CHOICE,
    choose_tiling,
    fits_dense,
    fits_depthwise,
    input_beats,
    input_high,
    input_low,
    pitch_beats,
    put,
)
from mapper.lowering.depthwise import column_of
from mapper.lowering.rows import (
    BESIDE,
    C_TILES,
    COLUMN_TILES,
    DENSE,
    DEPTHWISE,
    FORM,
    GLOBAL_POOL,
    HEIGHT,
    IN_GROUPS,
    K_TILES,
    LAYER_AT,
    OUT_COLS,
    OUT_ROWS,
    T_CHUNK,
    T_ROWS,
    T_STAYS,
    TABLE,
    WEIGHTED,
    WIDTH,
    WINDOWS,
    ZSB_ENTRIES,
    K,
)

CYCLES = len(TOTALS)
"""Place of the cycles behind the totals."""

COSTS = CYCLES + 1


@inner
def _input_rows(w: Ints) -> int:
    """Input rows that LOAD_ACT brings for each channel group, all spatial tiles together."""
    total, come = 0, 0
    for first in range(0, w[OUT_ROWS], w[T_ROWS]):
        last = min(first + w[T_ROWS], w[OUT_ROWS]) - 1
        low, high = input_low(w, first), input_high(w, last)
        if not w[T_STAYS]:
            total += high - low
        else:  # each row once, up to a row of the first bank
            come = max(come, min(up(high, 3) * 3, w[HEIGHT]))
    return come if w[T_STAYS] else total


@inner
def _column_tiles(w: Ints) -> int:
    """Tiles of weight columns that a depthwise layer or an average brings."""
    if w[WEIGHTED] or not w[COLUMN_TILES]:
        return w[COLUMN_TILES]
    low, high = column_of(w, 0, 0) // w[CP], 0
    for window in range(w[WINDOWS]):
        tile = column_of(w, 0, window) // w[CP]
        low, high = min(low, tile), max(high, tile)
    return high - low + 1


@inner
def _count_weights(w: Ints, tiles: int, streamed: int, cost: Ints) -> int:
    """Weights, ZSB entries and tables; how many commands bring them."""
    loads, chunks = 1 + w[TABLE], up(w[K_TILES], w[T_CHUNK])
    if w[FORM] == DENSE:
        passes = w[K_TILES] * w[WINDOWS] * w[C_TILES]
        fetches = 1 if streamed <= w[DB] else tiles
        cost[DB_LOADED] += streamed * fetches
        cost[DB_TILES] += streamed * tiles
        cost[PB_TILES] += (passes - streamed) * tiles
        loads += fetches * (1 if streamed else 0)
    else:
        cost[DB_LOADED] += _column_tiles(w)
        cost[DB_TILES] += w[K_TILES] * w[WINDOWS] * tiles
        loads += chunks if w[COLUMN_TILES] else 0
    entries = w[ZSB_ENTRIES] * row_beats(w[KP], LANE_BYTES, w[WBEAT]) * w[WBEAT]
    table = w[TABLE] * row_beats(TABLE_BYTES // LANE_BYTES, LANE_BYTES, w[WBEAT]) * w[WBEAT]
    cost[ZSB_TOTAL] += entries
    cost[TABLE_TOTAL] += table
    cost[WGT_BYTES] += cost[DB_LOADED] * w[TILE_BEATS] * w[WBEAT] + entries + table
    return loads


@inner
def _count_stores(w: Ints, rows: int, cols: int, cost: Ints) -> None:
    groups = up(w[K], w[CP])
    size = groups * rows * pitch_beats(w, cols) * w[BEAT]
    cost[STORE_WORDS] += groups * rows * cols
    if w[FORM] == GLOBAL_POOL:
        cost[OUT_BYTES] += groups * pitch_beats(w, 1) * w[BEAT]
    else:
        cost[OUT_BYTES] += size
        cost[STORE_A] += groups * rows * cols
    if w[BESIDE] or w[FORM] == GLOBAL_POOL:
        cost[STORE_B] += groups * rows * cols
        cost[B_BYTES] += size


@inner
def _count(w: Ints, streamed: int, cost: Ints) -> None:
    """Add what the layer and the tiling in a header do."""
    if w[FORM] == GLOBAL_POOL:
        _count_stores(w, w[HEIGHT], w[WIDTH], cost)
        cost[PROG_BYTES] += 2 * SLOT_BYTES
        return
    tiles, chunks, pixels = up(w[OUT_ROWS], w[T_ROWS]), up(w[K_TILES], w[T_CHUNK]), w[OUT_ROWS] * w[OUT_COLS]
    dense = w[FORM] == DENSE
    rows, passes = _input_rows(w), w[WINDOWS] * (w[C_TILES] if dense else 1)
    cost[ACT_BYTES] += w[IN_GROUPS] * rows * input_beats(w) * w[BEAT]
    cost[LOAD_WORDS] += w[IN_GROUPS] * rows * w[WIDTH]
    loads = _count_weights(w, tiles, streamed, cost)
    cost[STEPS] += w[K_TILES] * passes * pixels
    cost[SUMS_READ] += w[K_TILES] * (passes - 1) * pixels
    cost[SUMS_KEPT] += w[K_TILES] * (passes - 1) * pixels
    cost[PIXELS_DONE] += w[K_TILES] * pixels
    cost[LOOKED_UP] += w[TABLE] * w[K_TILES] * pixels
    _count_stores(w, w[OUT_ROWS], w[OUT_COLS], cost)
    inputs = tiles if dense else chunks * (1 if w[T_STAYS] and rows == w[HEIGHT] and tiles == 1 else tiles)
    slots = loads + inputs + tiles * (w[K_TILES] * w[WINDOWS] + 2 * chunks)
    cost[PROG_BYTES] += slots * SLOT_BYTES


@compiled
def estimate_each(ms: Ints, xs: Ints, kinds: Ints, found: Ints) -> None:
    """Estimates of layers on machines.

    Parameters
    ----------
    ms : (machines, columns), rows of :data:`arch_model.timing.rows.MACHINE`.
    xs : (arrays, layers, columns), rows of :data:`mapper.lowering.rows.LAYER` on each different array.
    kinds : (5, n): machine, array, layer, how many leading K-tiles of the layer are in the PB, and whether half the DB
        holds the others.
    found : (n, ``COSTS``), filled: :data:`arch_model.cost.activity.TOTALS`, then the cycles, ``NEVER`` if the layer
        does not fit the machine.
    """
    w = np.zeros(CHOICE, np.int64)
    for i in range(kinds.shape[1]):
        put(w, ms[kinds[0, i]], xs[kinds[1, i], kinds[2, i]])
        streamed = (w[K_TILES] - min(kinds[3, i], w[K_TILES])) * w[WINDOWS] * w[C_TILES]
        w[DB] = NEVER if kinds[4, i] else -1
        found[i, CYCLES] = choose_tiling(w, streamed)
        if found[i, CYCLES] < NEVER:
            _count(w, streamed, found[i])


@compiled
def rows_uncached(ms: Ints, xs: Ints, arrays: Ints) -> Ints:
    """Output rows of a spatial tile of each layer, nothing of it in the PB and more than half the DB holds; 1 for other
    layers than dense ones, and 0 for a layer that does not fit: int64 (machines, layers).

    Parameters
    ----------
    ms, xs : as of :func:`estimate_each`.
    arrays : of each machine, its place in ``xs``.
    """
    w, found = np.zeros(CHOICE, np.int64), np.ones((len(ms), xs.shape[1]), np.int64)
    for i in range(len(ms)):
        for j in range(xs.shape[1]):
            put(w, ms[i], xs[arrays[i], j])
            if w[FORM] == DEPTHWISE:
                found[i, j] = int(fits_depthwise(w))
            elif w[FORM] == DENSE:
                w[DB], w[BESIDE] = -1, 0
                fits = fits_dense(w)
                if fits:
                    choose_tiling(w, w[K_TILES] * w[WINDOWS] * w[C_TILES])
                found[i, j] = w[T_ROWS] if fits else 0
    return found


@compiled
def fit_hits(ms: Ints, xs: Ints, arrays: Ints, rows: Ints, uses: Ints, starts: Ints) -> Ints:
    """Leading K-tiles of each use in the PB, (machines, u), as :func:`mapper.pinning.greedy.fit_subgraph` puts them
    there for each network.

    Parameters
    ----------
    ms, xs, arrays, rows : as of and from :func:`rows_uncached`.
    uses : (u,), the layers of all networks, one network after another.
    starts : (networks + 1,), where those of each begin.
    """
    found = np.zeros((len(ms), len(uses)), np.int64)
    for i in range(len(ms)):
        m = ms[i]
        for net in range(len(starts) - 1):
            low, high = starts[net], starts[net + 1]
            worth = np.zeros(high - low, np.int64)
            for use in range(low, high):
                x = xs[arrays[i], uses[use]]
                tiles, pixels = _tiles(x), x[OUT_ROWS - LAYER_AT] * x[OUT_COLS - LAYER_AT]
                if x[FORM - LAYER_AT] == DENSE and rows[i, uses[use]]:
                    fetches = 1 if tiles <= m[DB] else up(x[OUT_ROWS - LAYER_AT], rows[i, uses[use]])
                    saved = max(0, fetches * m[TILE_BEATS] * m[INTERVAL] - pixels)
                    worth[use - low] = -(saved * (1 << 20) + fetches)
            free = m[PB]
            for place in np.argsort(worth, kind="mergesort"):
                if worth[place] < 0 and free > 0:
                    x = xs[arrays[i], uses[low + place]]
                    kt, each = x[K_TILES - LAYER_AT], _tiles(x) // x[K_TILES - LAYER_AT]
                    found[i, low + place] = min(kt, free // each)
                    free -= found[i, low + place] * each
    return found


@inner
def _tiles(x: Ints) -> int:
    """Weight tiles of a layer that the PB can hold; a depthwise layer has none."""
    return x[K_TILES - LAYER_AT] * x[WINDOWS - LAYER_AT] * x[C_TILES - LAYER_AT]


@compiled
def held_at_once(ms: Ints, xs: Ints, arrays: Ints, uses: Ints, hits: Ints) -> Ints:
    """Whether half the DB holds what of each layer is not in the PB.

    Parameters
    ----------
    ms : machines, rows of :data:`arch_model.timing.rows.MACHINE`.
    xs : layers, (arrays, layers, columns).
    arrays : of each machine, its array's number.
    uses : of each use, its layer's number.
    hits : K-tiles in the PB, (machines, uses).

    Returns
    -------
    int64 array
        (machines, uses), 0 or 1.
    """
    found = np.ones(hits.shape, np.int64)
    for i in range(len(ms)):
        for use in range(len(uses)):
            x = xs[arrays[i], uses[use]]
            kt = x[K_TILES - LAYER_AT]
            streamed = _tiles(x) // kt * (kt - min(hits[i, use], kt))
            found[i, use] = int(streamed <= ms[i, DB])
    return found


@compiled
def add_up(table: Ints, index: Ints, starts: Ints) -> Ints:
    """Sums over the layers of each network.

    Parameters
    ----------
    table : (rows, columns).
    index : of each machine and use its row in ``table``, (machines, uses).
    starts : of each network its first use, and where the last one ends, (networks + 1,).

    Returns
    -------
    int64 array
        (machines, networks, columns).
    """
    found = np.zeros((len(index), len(starts) - 1, table.shape[1]), np.int64)
    for i in range(len(index)):
        for net in range(len(starts) - 1):
            for use in range(starts[net], starts[net + 1]):
                row = index[i, use]
                for column in range(table.shape[1]):
                    found[i, net, column] += table[row, column]
    return found
