"""A depthwise layer, a pool over windows or a scaling as commands of the four units.

Loops, from the outside: chunks of K-tiles; spatial tiles (one LOAD_ACT of the chunk's groups and one STORE each);
K-tiles; windows (PASS). Where a half of the SB holds all of a chunk's input, each tile brings the rows that no tile
before it brought, and chunks alternate between the halves; else each tile brings all of its rows, and tiles alternate.
Output tiles alternate between the halves of the OB's output side, tiles of weight columns go to one half of the DB
until it is full and then to the other. A maximum has no weights, its passes read what lies in the first slot.

A global average pool is one STORE that streams the tensor in as its second operand.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.machine.microarchitecture import COLUMN_ISSUE
from arch_model.timing.rows import (
    AFTER,
    AFTER_PASS,
    AFTER_STORE,
    BEAT,
    BEAT_CYCLES,
    BEATS,
    COUNT,
    CP,
    CYCLES,
    DB,
    INTERVAL,
    KP,
    LATENCY,
    LOAD_ACT_UNIT,
    NEED,
    OWNER,
    PASS_UNIT,
    PIXELS,
    PLACE,
    STORE_UNIT,
    TILE_BEATS,
    TO_SB,
    WORD_CYCLES,
    WRITES,
    ZSB,
    act_at,
    store_at,
)
from arch_model.timing.transfers import STORE_BEAT, held_cycles, read_cycles, row_beats, up
from mapper.lowering.buffers import (
    begin_layer,
    end_layer,
    kept_beat,
    load_table,
    new_pass,
    new_row,
    new_store,
    new_weight_load,
    next_half,
    take_zsb,
)
from mapper.lowering.rows import (
    AWAITED,
    BEGINS,
    COLUMN_TILES,
    COME,
    DB_LAST,
    DB_MEMORY,
    DB_NEXT,
    ENTRY,
    FINISHES,
    GROUP,
    GROUPS,
    HEIGHT,
    HELD_FROM,
    HELD_ROWS,
    IN_ROWS,
    INPUT_ON_CHIP,
    K_TILE,
    K_TILES,
    KERNEL_COLS,
    KERNEL_ROWS,
    LAYER_OWNER,
    LOW,
    OUT_COLS,
    OUT_LAST,
    OUT_NEXT,
    OUT_ROWS,
    OUTPUT,
    OUTPUT_TO,
    OWN_STATE,
    P_HELD_FROM,
    P_HELD_ROWS,
    P_MEMORY,
    P_SB_HALF,
    P_SLOT,
    P_TABLE,
    PADDING,
    ROW_DONE,
    SB_HALF,
    SB_LAST,
    SB_NEXT,
    SCALE,
    SOURCE,
    SPARE,
    STRIDE,
    T_CHUNK,
    T_ROWS,
    T_STAYS,
    TILE_LOAD,
    WEIGHTED,
    WIDTH,
    WINDOW,
    WINDOWS,
    ZSB_ENTRIES,
    ZSB_MEMORY,
    ZSB_NEXT,
    ZSB_TOP,
    C,
    K,
)
from mapper.lowering.weight_tiles import RUN_BEATS_MAX

# What a layer keeps while its commands are appended: its first ZSB entry and the load of them, its activation table;
# the half of the SB, its load, which input rows lie there together and up to which they have come; the half of the DB,
# which tiles of weight columns lie there, and its last user; the tiles that the chunk needs.
# fmt: off
(
    BASE, ENTRIES_LOAD, TABLE_NUMBER, INPUT_HALF, INPUT, ROWS_FROM, ROWS_TO, ROWS_COME,
    COLUMN_HALF, COLUMNS_FROM, COLUMNS_TO, LAST_USE, NEEDS_FROM, NEEDS_TO,
) = range(OWN_STATE, OWN_STATE + 14)
# fmt: on


@inner
def _window_at(w: Ints, window: int) -> tuple[int, int]:
    """Row and column in the kernel of the top left tap of a window; they are taken column by column.

    A pass with a smaller x0 issues its pixels sooner; after one with a greater x0 a tile of a pixel or two would be
    read from the OB in the cycle after it was written.
    """
    down = up(w[KERNEL_ROWS], 3)
    return window % down * 3, window // down * 3


@inner
def column_of(w: Ints, k_tile: int, window: int) -> int:
    """The number of the weight column that a K-tile's window uses: its own, or that of the constant ones.

    Parameters
    ----------
    w : workspace.
    k_tile, window : their numbers.
    """
    row, col = _window_at(w, window)
    if not w[WEIGHTED]:
        return 3 * (min(3, w[KERNEL_ROWS] - row) - 1) + min(3, w[KERNEL_COLS] - col) - 1
    return k_tile * w[WINDOWS] + row // 3 * up(w[KERNEL_COLS], 3) + col // 3


@inner
def pass_cycles(w: Ints, rows: int, window: int) -> int:
    """Cycles of a depthwise PASS, as :func:`arch_model.timing.reference_timing.run_cycles` counts them.

    Parameters
    ----------
    w : workspace.
    rows : output rows.
    window : its number.
    """
    across = (1 if w[SCALE] else w[STRIDE]) * (w[OUT_COLS] - 1)  # from a row's first pixel to its last
    column = _window_at(w, window)[1]
    return (rows - 1) * max(w[WIDTH], across + 1) + across - w[PADDING] + column + COLUMN_ISSUE + 1


@inner
def load_input(w: Ints, chunk: int, stop: int, first: int, rows: int) -> None:
    """Load what a spatial tile reads of a chunk's groups and is not there.

    Parameters
    ----------
    w : workspace.
    chunk, stop : the first K-tile, and the one behind the last.
    first, rows : output rows, the first and how many.
    """
    low, high = 0, 1
    if not w[SCALE]:
        low = max(0, first * w[STRIDE] - w[PADDING])
        high = min(w[HEIGHT], (first + rows - 1) * w[STRIDE] - w[PADDING] + w[KERNEL_ROWS])
    if w[INPUT_ON_CHIP]:
        w[INPUT_HALF] = w[ROWS_FROM] = 0
        w[ROWS_TO] = w[HEIGHT]
        w[ROWS_COME] = high
        w[AWAITED] = w[w[ROW_DONE] + w[SOURCE] + high - 1] + 1
        return
    last = -1
    if not (w[T_STAYS] and w[ROWS_TO] > w[ROWS_FROM]):
        w[INPUT_HALF] = next_half(w, SB_NEXT)
        last = w[SB_LAST + w[INPUT_HALF]]
        w[ROWS_FROM] = 0 if w[T_STAYS] else low
        w[ROWS_TO] = w[HEIGHT] if w[T_STAYS] else high
        w[ROWS_COME] = w[ROWS_FROM]
    # To where the next block can begin: a row of the first bank.
    end = min(w[ROWS_FROM] + up(high - w[ROWS_FROM], 3) * 3, w[ROWS_TO])
    if end <= w[ROWS_COME]:
        return
    index = new_row(w, LOAD_ACT_UNIT)
    row, group = act_at(w, index), chunk * w[KP] // w[CP]
    groups, come = up(min(stop * w[KP], w[C]), w[CP]) - group, end - w[ROWS_COME]
    w[row + OWNER] = w[LAYER_OWNER]
    w[row + NEED] = w[COUNT + PASS_UNIT]
    w[row + AFTER_PASS] = last
    w[row + AFTER_STORE] = w[w[ROW_DONE] + w[SOURCE] + end - 1] if w[SOURCE] >= 0 else -1
    w[row + BEATS] = groups * come * row_beats(w[WIDTH], w[CP], w[BEAT])
    w[row + CYCLES] = read_cycles(groups * come, w[WIDTH], w[CP], w[BEAT], w[INTERVAL], w[PIXELS])
    w[row + LOW] = w[ROWS_COME]
    w[row + IN_ROWS] = come
    w[row + GROUP] = group
    w[row + GROUPS] = groups
    w[row + SB_HALF] = w[INPUT_HALF]
    w[row + HELD_FROM] = w[ROWS_FROM]
    w[row + HELD_ROWS] = w[ROWS_TO] - w[ROWS_FROM]
    w[INPUT] = index
    w[ROWS_COME] = end


@inner
def _bring_columns(w: Ints, tile: int) -> None:
    """Bring a tile of weight columns if it is not there, with the others that the chunk needs if half the DB holds them
    together."""
    if w[COLUMNS_FROM] <= tile < w[COLUMNS_TO]:
        return
    held = w[COLUMNS_TO] - w[COLUMNS_FROM]
    if not (w[COLUMN_HALF] >= 0 and tile == w[COLUMNS_TO] and held < w[DB]):
        w[COLUMN_HALF] = next_half(w, DB_NEXT)
        w[LAST_USE] = w[DB_LAST + w[COLUMN_HALF]]
        w[COLUMNS_FROM] = w[NEEDS_FROM] if w[NEEDS_TO] - w[NEEDS_FROM] < w[DB] else tile
        w[COLUMNS_TO] = w[COLUMNS_FROM]
    begin = w[COLUMNS_TO]
    end = min(min(w[NEEDS_TO] + 1, w[COLUMNS_FROM] + w[DB]), begin + RUN_BEATS_MAX // w[TILE_BEATS])
    end = max(end, tile + 1)
    slot = w[COLUMN_HALF] * w[DB] + begin - w[COLUMNS_FROM]
    index = new_weight_load(w, w[LAST_USE], DB_MEMORY, slot, begin, 0, end - begin, 1)
    for place in range(begin, end):
        w[w[TILE_LOAD] + place] = index
    w[COLUMNS_TO] = end


@inner
def _tile(w: Ints, chunk: int, stop: int, first: int) -> None:
    """The passes of a chunk of K-tiles over a spatial tile, and its STORE."""
    rows, begin = min(w[T_ROWS], w[OUT_ROWS] - first), w[COUNT + PASS_UNIT]
    load_input(w, chunk, stop, first, rows)
    half = next_half(w, OUT_NEXT)
    freed = w[OUT_LAST + half]
    for step in range((stop - chunk) * w[WINDOWS]):
        kt, window, load, slot = chunk + step // w[WINDOWS], step % w[WINDOWS], -1, 0
        finishes = window == w[WINDOWS] - 1
        if w[COLUMN_TILES]:
            tile = column_of(w, kt, window) // w[CP]
            _bring_columns(w, tile)
            slot, load = w[COLUMN_HALF] * w[DB] + tile - w[COLUMNS_FROM], w[w[TILE_LOAD] + tile]
        if finishes:
            load = max(load, w[ENTRIES_LOAD])
        cycles = pass_cycles(w, rows, window)
        row = new_pass(w, w[INPUT], load, freed if finishes else -1, 1, cycles, first, rows)
        w[row + P_SB_HALF] = w[INPUT_HALF]
        w[row + K_TILE] = kt
        w[row + WINDOW] = window
        w[row + P_MEMORY] = DB_MEMORY
        w[row + P_SLOT] = slot
        w[row + BEGINS] = int(window == 0)
        w[row + FINISHES] = int(finishes)
        w[row + ENTRY] = w[BASE] + (kt if w[WEIGHTED] else 0)
        w[row + P_TABLE] = w[TABLE_NUMBER] + 1 if finishes else 0
        w[row + P_HELD_FROM] = w[ROWS_FROM]
        w[row + P_HELD_ROWS] = w[ROWS_TO] - w[ROWS_FROM]
        w[row + COME] = w[ROWS_COME]
        if w[COLUMN_TILES]:
            w[DB_LAST + w[COLUMN_HALF]] = w[COUNT + PASS_UNIT] - 1
    if not w[INPUT_ON_CHIP]:
        w[SB_LAST + w[INPUT_HALF]] = w[COUNT + PASS_UNIT] - 1
    new_store(w, begin, chunk, stop, first, rows, half)


@inner
def lower_depthwise(w: Ints) -> None:
    """Append the commands of the depthwise layer, pool over windows or scaling and the tiling in the header."""
    begin_layer(w)
    w[TILE_LOAD] = w[SPARE]
    w[COLUMN_HALF] = w[INPUT] = w[LAST_USE] = -1
    w[TABLE_NUMBER] = load_table(w)
    entries = w[ZSB_ENTRIES]
    after = take_zsb(w, entries)
    w[BASE] = w[ZSB_NEXT] * w[ZSB] + w[ZSB_TOP] - entries
    w[ENTRIES_LOAD] = new_weight_load(w, after, ZSB_MEMORY, w[BASE], 0, 0, entries, 1)
    for chunk in range(0, w[K_TILES], w[T_CHUNK]):
        stop = min(chunk + w[T_CHUNK], w[K_TILES])
        w[ROWS_FROM] = w[ROWS_TO] = 0
        w[NEEDS_FROM] = w[NEEDS_TO] = column_of(w, chunk, 0) // w[CP]
        for window in range(w[WINDOWS]):
            w[NEEDS_FROM] = min(w[NEEDS_FROM], column_of(w, chunk, window) // w[CP])
            w[NEEDS_TO] = max(w[NEEDS_TO], column_of(w, stop - 1, window) // w[CP])
        for first in range(0, w[OUT_ROWS], w[T_ROWS]):
            _tile(w, chunk, stop, first)
    end_layer(w, w[TABLE_NUMBER])


@inner
def lower_pool(w: Ints) -> None:
    """Append the STORE of a global average pool: it adds up the pixels of each group one by one."""
    index = new_row(w, STORE_UNIT)
    row, rows = store_at(w, index), up(w[K], w[CP]) * w[HEIGHT]
    words = held_cycles(rows, w[WIDTH], w[CP], w[BEAT], w[INTERVAL], w[LATENCY], 1, 1)
    w[row + OWNER] = w[LAYER_OWNER]
    w[row + PLACE] = w[COUNT + PASS_UNIT] - 1
    w[row + AFTER] = -1
    w[row + WORD_CYCLES] = words
    w[row + BEAT_CYCLES] = words + STORE_BEAT + w[INTERVAL] * (row_beats(1, w[CP], w[BEAT]) - 1)
    if w[OUTPUT_TO] == TO_SB:
        w[row + BEAT_CYCLES] = words + kept_beat(w)
    w[row + WRITES] = w[OUTPUT_TO]
    w[w[ROW_DONE] + w[OUTPUT]] = index
