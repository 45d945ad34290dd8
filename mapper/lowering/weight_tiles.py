"""Where each weight tile of a layer comes from: the PB, or a group of tiles that one half of the DB holds."""

from __future__ import annotations

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from arch_model.machine.accelerator import Accelerator
from arch_model.program.isa import Opcode, greatest
from arch_model.timing.rows import DB, MACHINE, TILE_BEATS, machine_row
from mapper.lowering.rows import (
    C_TILES,
    ENTRY_LOAD,
    GROUP_BEGIN,
    GROUP_COUNT,
    K_TILES,
    PIECES,
    ROW_BEGIN,
    RUN_ROWS,
    SPARE,
    STREAMED,
    STREAMED_TILES,
    T_CHUNK,
    T_FILTERS,
    TILE_LOAD,
    WINDOWS,
)

RUNS_MAX, RUN_BEATS_MAX = greatest(Opcode.LOAD_WGT, "runs"), greatest(Opcode.LOAD_WGT, "run_beats")
REPS_MAX = greatest(Opcode.PASS, "reps")

PIECE_CT, PIECE_LENGTH, PIECE_GROUP, PIECE_SLOT = range(4)
"""Columns of a piece: consecutive C-tiles of one row in consecutive slots of one memory, which one PASS can take. Its
group is -1 for the PB, whose slot it then has; else the slot counts from the first of its group in a half of the DB."""

RUN_ROW, RUN_CT, RUN_SLOT, RUN_LENGTH, RUN_RUNS = range(5)
"""Columns of a LOAD_WGT: ``runs`` runs of ``length`` tiles each, from C-tile ``ct`` of ``row`` and the rows after it,
into consecutive slots from ``slot`` on."""


@inner
def _fill(w: Ints, counts: int, rows: int, limit: int, sizes: int) -> int:
    """Rows into groups of about ``limit`` tiles; a row that no half can hold is cut anywhere. Returns how many.

    ``counts``: where the streamed tiles of each row stand; ``sizes``: where those of each group go.
    """
    half, groups, size = w[DB], 0, 0
    for row in range(rows):
        count = w[counts + row]
        if size and size + count > limit:
            w[sizes + groups] = size
            groups += 1
            size = 0
        while count > half:
            w[sizes + groups] = size + half
            groups += 1
            size = 0
            count -= half
        size += count
    if size:
        w[sizes + groups] = size
        groups += 1
    return groups


@inner
def _group_sizes(w: Ints, counts: int, rows: int, sizes: int, spare: int) -> int:
    """Sizes of groups: of whole rows where a row fits a half, and as equal as that allows; or one for each chunk."""
    half, total, longest = w[DB], 0, 0
    for row in range(rows):
        total += w[counts + row]
        longest = max(longest, w[counts + row])
    if w[T_FILTERS]:
        groups, together = 0, w[T_CHUNK] * w[WINDOWS]
        for first in range(0, rows, together):
            size = 0
            for row in range(first, min(first + together, rows)):
                size += w[counts + row]
            if size:
                w[sizes + groups] = size
                groups += 1
        return groups
    if total == 0:
        return 0
    least = -(-total // half)
    balanced = min(max(-(-total // least), longest), half)
    groups, fewest = _fill(w, counts, rows, balanced, sizes), _fill(w, counts, rows, half, spare)
    if fewest < groups:
        for group in range(fewest):
            w[sizes + group] = w[spare + group]
        return fewest
    return groups


@inner
def plan_weights(w: Ints, slots: int) -> int:
    """Fill the tables of the layer's PASSes, streamed tiles and groups; index at which the room behind them begins.

    Parameters
    ----------
    w : workspace.
    slots : index at which the PB slots of its tiles stand, row by row, -1 for those that are streamed. 0: all are.
    """
    ct, rows = w[C_TILES], w[K_TILES] * w[WINDOWS]
    tiles = rows * ct
    counts = w[SPARE]
    sizes = counts + rows
    w[GROUP_BEGIN] = sizes + rows + tiles
    for row in range(rows):
        count = ct
        for c in range(ct):
            if slots and w[slots + row * ct + c] >= 0:
                count -= 1
        w[counts + row] = count
    groups = _group_sizes(w, counts, rows, sizes, w[GROUP_BEGIN])
    begin = w[GROUP_BEGIN]
    w[begin] = 0
    for group in range(groups):
        w[begin + group + 1] = w[begin + group] + w[sizes + group]
    w[GROUP_COUNT], w[STREAMED_TILES] = groups, w[begin + groups]
    w[STREAMED] = begin + groups + 1
    w[ROW_BEGIN] = w[STREAMED] + 2 * w[STREAMED_TILES]
    w[PIECES] = w[ROW_BEGIN] + rows + 1
    pieces = _cut_in_pieces(w, slots)
    w[ENTRY_LOAD] = w[PIECES] + 4 * pieces
    w[TILE_LOAD] = w[ENTRY_LOAD] + w[K_TILES]
    w[RUN_ROWS] = w[TILE_LOAD] + w[STREAMED_TILES]
    return w[RUN_ROWS] + 5 * (w[STREAMED_TILES] + ct + 1)


@inner
def _cut_in_pieces(w: Ints, slots: int) -> int:
    """Fill the tables of pieces and of streamed tiles; how many pieces there are."""
    ct, rows, begin = w[C_TILES], w[K_TILES] * w[WINDOWS], w[GROUP_BEGIN]
    found, streamed, at = 0, 0, 0
    w[w[ROW_BEGIN]] = 0
    for row in range(rows):
        for c in range(ct):
            group, place = -1, w[slots + row * ct + c] if slots else -1
            if place < 0:
                while streamed == w[begin + at + 1]:
                    at += 1
                group, place = at, streamed - w[begin + at]
                w[w[STREAMED] + 2 * streamed] = row
                w[w[STREAMED] + 2 * streamed + 1] = c
                streamed += 1
            p = w[PIECES] + 4 * found
            if c:
                before, length = p - 4, w[p - 4 + PIECE_LENGTH]
                follows = w[before + PIECE_GROUP] == group and w[before + PIECE_SLOT] + length == place
                if follows and length < REPS_MAX:
                    w[before + PIECE_LENGTH] = length + 1
                    continue
            w[p + PIECE_CT] = c
            w[p + PIECE_LENGTH] = 1
            w[p + PIECE_GROUP] = group
            w[p + PIECE_SLOT] = place
            found += 1
        w[w[ROW_BEGIN] + row + 1] = found
    return found


@compiled
def split_runs(w: Ints, tiles: int, count: int, slots: int, first_slot: int, runs: int) -> int:
    """The fewest LOAD_WGT commands, of at most half of the DB each, for tiles in order; how many there are.

    Parameters
    ----------
    w : workspace.
    tiles : where row and C-tile of each of the ``count`` tiles stand.
    count : tiles.
    slots : where the slot of each stands; 0: consecutive ones from ``first_slot`` on.
    first_slot : where their slots begin if ``slots`` is 0.
    runs : where to put the commands, five places each.
    """
    most = max(w[DB], 1)
    longest = min(most, max(RUN_BEATS_MAX // w[TILE_BEATS], 1))
    found, first = 0, 0
    while first < count:
        row, ct, length = w[tiles + 2 * first], w[tiles + 2 * first + 1], 1
        slot = w[slots + first] if slots else first_slot + first
        while first + length < count and length < longest:
            after = first + length
            if w[tiles + 2 * after] != row or w[tiles + 2 * after + 1] != ct + length:
                break
            if slots and w[slots + after] != slot + length:
                break
            length += 1
        first += length
        r = runs + 5 * found
        if found:
            before = r - 5
            often = w[before + RUN_RUNS]
            follows = row == w[before + RUN_ROW] + often and ct == w[before + RUN_CT]
            follows = follows and length == w[before + RUN_LENGTH] and slot == w[before + RUN_SLOT] + often * length
            if follows and (often + 1) * length <= most and often < RUNS_MAX:
                w[before + RUN_RUNS] = often + 1
                continue
        w[r + RUN_ROW] = row
        w[r + RUN_CT] = ct
        w[r + RUN_SLOT] = slot
        w[r + RUN_LENGTH] = length
        w[r + RUN_RUNS] = 1
        found += 1
    return found


def runs_of(slots: Ints, accelerator: Accelerator) -> Ints:
    """The fewest LOAD_WGT commands for tiles of a layer that go to the PB, (n, 5): row, C-tile, slot, length, runs.

    Parameters
    ----------
    slots : (rows, C-tiles), the slot that each tile goes to, -1 for those that stay away.
    accelerator : gives the size of a tile.

    Examples
    --------
    >>> runs_of(np.array([[-1, -1, 5, 6], [-1, -1, 7, 8]]), Accelerator.load("tiny")).tolist()
    [[0, 2, 5, 2, 2]]
    """
    at = np.argwhere(slots >= 0)
    count = len(at)
    w = np.zeros(len(MACHINE) + 8 * count, np.int64)
    w[: len(MACHINE)] = machine_row(accelerator)
    w[DB] = max(count, 1)  # nothing else waits for a part of them
    tiles, goes, runs = len(MACHINE) + np.array([0, 2, 3]) * count
    w[tiles:goes], w[goes:runs] = at.reshape(-1), slots[slots >= 0]
    found = split_runs(w, int(tiles), count, int(goes), 0, int(runs)) if count else 0
    return w[runs : runs + 5 * found].reshape(found, 5)
