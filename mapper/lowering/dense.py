"""A dense layer as commands of the four units: its loops, and which half of which buffer each command uses.

Loops, from the outside: spatial tiles (one LOAD_ACT each); chunks of K-tiles (one STORE each); K-tiles; windows and
C-tiles (PASS). In the order :attr:`~mapper.lowering.tiling.Order.FILTERS` the first two are exchanged. Input tiles
alternate between the halves of the SB, chunks between those of the OB's output side, groups of streamed weight tiles
between those of the DB, and ZSB tables fill one half after the other.

What the layer loads, and in which parts, is :mod:`mapper.lowering.dense_input` and
:mod:`mapper.lowering.dense_loads`. With ``interleave`` > 1 so many
K-tiles take each part of the prologue in turns, every one with partial sums of its own in the OB.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.timing.rows import (
    COUNT,
    PASS_UNIT,
    ZSB,
)
from arch_model.timing.transfers import up
from mapper.lowering.buffers import (
    end_layer,
    new_pass,
    new_store,
    next_half,
    take_zsb,
)
from mapper.lowering.dense_input import begin_tile, end_tile, load_part
from mapper.lowering.dense_loads import (
    BASE,
    ENTRIES,
    HALF,
    INPUT,
    KEPT_HALF,
    LOADED,
    NEXT_GROUP,
    PART,
    PIECE,
    QUARTER,
    RELOADS,
    TABLE_NUMBER,
    TABLES,
    TILE,
    TILE_HALF,
    TILE_ROWS,
    ZSB_AFTER,
    begin_dense,
    load_tiles,
    load_zsb,
    weights_of,
)
from mapper.lowering.rows import (
    BEGINS,
    BROUGHT,
    C_TILES,
    DB_LAST,
    DB_MEMORY,
    ENTRY,
    ENTRY_LOAD,
    FINISHES,
    GROUP_BEGIN,
    IN_GROUPS,
    K_TILE,
    K_TILES,
    OB_SLOT,
    OUT_COLS,
    OUT_LAST,
    OUT_NEXT,
    OUT_ROWS,
    P_CT,
    P_MEMORY,
    P_SB_HALF,
    P_SLOT,
    P_TABLE,
    PB_LAST,
    PB_MEMORY,
    PIECES,
    ROW_BEGIN,
    STREAMED,
    T_CHUNK,
    T_FILTERS,
    T_INTERLEAVE,
    T_ROWS,
    WINDOW,
    WINDOWS,
    ZSB_NEXT,
    ZSB_TOP,
)
from mapper.lowering.weight_tiles import (
    PIECE_CT,
    PIECE_GROUP,
    PIECE_LENGTH,
    PIECE_SLOT,
)


@inner
def _set_piece(w: Ints, ct: int, length: int, group: int, slot: int) -> None:
    piece = w[PIECE]
    w[piece + PIECE_CT] = ct
    w[piece + PIECE_LENGTH] = length
    w[piece + PIECE_GROUP] = group
    w[piece + PIECE_SLOT] = slot


@inner
def _take(w: Ints, kt: int, window: int, first: int, last: int, ob_slot: int, freed: int) -> None:
    """One PASS over the piece at work of a K-tile's row, with its partial sums in place ``ob_slot`` of the OB."""
    piece = w[PIECE]
    load, group = weights_of(w, kt * w[WINDOWS] + window), w[piece + PIECE_GROUP]
    if w[NEXT_GROUP] < w[IN_GROUPS] and ob_slot == 0:
        load_part(w)
    if last and w[ENTRIES] <= kt:
        row = w[K_TILES] * w[WINDOWS]
        if group >= 0:
            row = w[w[STREAMED] + 2 * (w[w[GROUP_BEGIN] + group + 1] - 1)]
        load_zsb(w, max(row // w[WINDOWS], kt) + 1)
    if last or w[PART] == 0:
        load = max(load, w[w[ENTRY_LOAD] + kt])
    slot, length = w[piece + PIECE_SLOT], w[piece + PIECE_LENGTH]
    cycles, freed = w[TILE_ROWS] * w[OUT_COLS], freed if last else -1
    row = new_pass(w, w[INPUT], load, freed, length, cycles, w[TILE], w[TILE_ROWS])
    w[row + P_SB_HALF] = w[TILE_HALF]
    w[row + K_TILE] = kt
    w[row + WINDOW] = window
    w[row + P_CT] = w[piece + PIECE_CT]
    w[row + P_MEMORY] = DB_MEMORY if group >= 0 else PB_MEMORY
    w[row + P_SLOT] = slot
    w[row + OB_SLOT] = ob_slot
    w[row + BEGINS] = first
    w[row + FINISHES] = last
    w[row + ENTRY] = w[BASE] + kt
    w[row + P_TABLE] = w[TABLE_NUMBER] + 1 if last else 0
    index = w[COUNT + PASS_UNIT] - 1
    if group >= 0:
        w[DB_LAST + w[HALF]] = index
        return
    for place in range(slot, slot + length):
        w[w[PB_LAST] + place] = index


@inner
def _interleaved(w: Ints, kt: int, ct: int, ob_slot: int, freed: int) -> None:
    """The part from ``ct`` on of a K-tile's row, in the slots that it came to with those of the other K-tiles."""
    length = min(w[PART], w[C_TILES] - ct)
    _set_piece(w, ct, length, 0, ct * w[T_INTERLEAVE] + kt * length)
    _take(w, kt, 0, int(ct == 0), int(ct + length == w[C_TILES]), ob_slot, freed)


@inner
def _row(w: Ints, kt: int, window: int, freed: int) -> None:
    """The PASSes of a K-tile's window."""
    row, last_window = w[ROW_BEGIN] + kt * w[WINDOWS] + window, window == w[WINDOWS] - 1
    size = w[PART] if w[NEXT_GROUP] < w[IN_GROUPS] else w[QUARTER]  # the first row of all, others
    for number in range(w[row], w[row + 1]):
        p = w[PIECES] + 4 * number
        ct, end = w[p + PIECE_CT], w[p + PIECE_CT] + w[p + PIECE_LENGTH]
        while ct < end:
            stop = min((ct // size + 1) * size, end) if size else end
            _set_piece(w, ct, stop - ct, w[p + PIECE_GROUP], w[p + PIECE_SLOT] + ct - w[p + PIECE_CT])
            last = last_window and stop == w[C_TILES]
            _take(w, kt, window, int(window == 0 and ct == 0), int(last), 0, freed)
            ct = stop


@inner
def _chunk(w: Ints, chunk: int) -> None:
    """The passes of a chunk of K-tiles over the tile, and its STORE."""
    begin, stop, ahead = w[COUNT + PASS_UNIT], min(chunk + w[T_CHUNK], w[K_TILES]), 0
    half = next_half(w, OUT_NEXT)
    freed = w[OUT_LAST + half]
    if w[NEXT_GROUP] < w[IN_GROUPS] and w[T_INTERLEAVE] > 1:  # the first chunk of all
        ahead = w[T_INTERLEAVE]
    together = w[T_INTERLEAVE] if w[T_INTERLEAVE] > 1 and w[RELOADS] == 0 else 0  # where the first tile has left them
    for step in range(ahead * up(w[C_TILES], max(w[PART], 1))):
        _interleaved(w, step % ahead, step // ahead * w[PART], step % ahead, freed)
    for kt in range(chunk + ahead, stop):
        if kt < together:
            for ct in range(0, w[C_TILES], w[PART]):
                _interleaved(w, kt, ct, 0, freed)
        else:
            for window in range(w[WINDOWS]):
                _row(w, kt, window, freed)
    new_store(w, begin, chunk, stop, w[TILE], w[TILE_ROWS], half)


@inner
def lower_dense(w: Ints, slots: int, new: int) -> int:
    """Append the commands of the dense layer and the tiling in the header.

    Parameters
    ----------
    w : workspace.
    slots, new : index at which the PB slots of its tiles stand (0: none), as in :func:`mapper.lowering.network.lower`.

    Returns
    -------
    int
        0, or the code of what the layer's weights do not allow.
    """
    broken = begin_dense(w, slots)
    if broken:
        return broken
    w[LOADED] = w[TABLE_NUMBER] = w[KEPT_HALF] = w[KEPT_HALF + 1] = -1
    w[ZSB_AFTER] = take_zsb(w, w[K_TILES])
    w[BASE] = w[ZSB_NEXT] * w[ZSB] + w[ZSB_TOP] - w[K_TILES]
    if w[PART] == 0:
        load_zsb(w, w[K_TILES])
    w[BROUGHT] = 0
    if new:
        w[BROUGHT] = w[TABLES]
        w[TABLES] += w[K_TILES] * w[WINDOWS] * w[C_TILES]
        load_tiles(w, new, w[BROUGHT])
    tiles, chunks = up(w[OUT_ROWS], w[T_ROWS]), up(w[K_TILES], w[T_CHUNK])
    for step in range(tiles * chunks):
        tile, chunk = step // chunks, step % chunks
        if w[T_FILTERS]:
            tile, chunk = step % tiles, step // tiles
        if w[T_FILTERS] or chunk == 0:
            begin_tile(w, tile)
        _chunk(w, chunk * w[T_CHUNK])
        if w[T_FILTERS] or chunk == chunks - 1:
            end_tile(w, tile)
    end_layer(w, w[TABLE_NUMBER])
    return 0
