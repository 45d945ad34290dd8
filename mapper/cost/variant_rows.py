"""The commands of one layer, whatever comes before it: rows with references that count from the layer's own first ones.

A layer's commands wait for commands of its own and, at its beginning, for those that used a half of a buffer last. Here
a layer is lowered by itself into a *block* of integers in which a reference is the number of one of its own commands,
or says which half's last user is meant; whoever knows what came before puts the number of that command in its place.
Global pools that follow a layer have no PASS; their STOREs are part of its block.
"""

from __future__ import annotations

from arch_model.compiled import Ints, compiled, inner
from arch_model.machine.microarchitecture import FEED_FULL
from arch_model.timing.rows import (
    ACT,
    AFTER,
    AFTER_PASS,
    AFTER_STORE,
    BEAT_CYCLES,
    COUNT,
    CYCLES,
    KP,
    LOAD_WGT_UNIT,
    NEED,
    PASS_CYCLES,
    PASS_UNIT,
    PLACE,
    REPS,
    REPS_END,
    STORE,
    STORE_UNIT,
    WGT,
    WORD_CYCLES,
    act_at,
    pass_at,
    store_at,
    wgt_at,
)
from mapper.lowering.buffers import DRAIN_PASSES
from mapper.lowering.rows import (
    ALL_SLOTS,
    C_TILES,
    DB_LAST,
    DB_NEXT,
    HEIGHT,
    K_TILES,
    LAYER_AT,
    MEMORY,
    OUT_LAST,
    OUT_NEXT,
    OUT_ROWS,
    OUTPUT,
    ROW_DONE,
    SB_LAST,
    SB_NEXT,
    TABLE_MEMORY,
    WINDOWS,
    ZSB_MEMORY,
    clear,
)

NOBODY, NEXT, OTHER, ZSB_LEFT, TABLE_LEFT = -1, -2, -3, -4, -5
"""References to what came before: nobody; the last user of the half of the buffer (of the SB for LOAD_ACT, of the DB
for LOAD_WGT, of the OB's output side for PASS) that comes next, or of the other one; the PASS with which the
requantiser has left the half of the ZSB, or the activation table, that the layer takes."""

STEPS_MAX = 4
"""A layer and the global pools that follow it."""

# A block: commands of each unit; the last users of the halves of SB, DB and OB when the layer ends, next and other;
# the last LOAD_ACT and LOAD_WGT that wait for the entry's NEXT and OTHER; whether it takes an activation table; the
# first PASS by whose end so many repetitions (1 .. DRAIN_PASSES) have begun; all repetitions; the first PASS that waits
# for the entry's NEXT and OTHER half of the output side; cycles that the array works on its PASSes, at least. Then rows
# of LOAD_ACTs, LOAD_WGTs, PASSes and STOREs.
B_COUNT, B_HALVES, B_WAITING, B_TABLE, B_DRAINED, B_REPS, B_OUT, B_WORK, BLOCK_HEADER = 0, 4, 10, 14, 15, 18, 19, 21, 22

A_NEED, A_AFTER, A_ROW, A_CYCLES = range(4)
W_NEED, W_AFTER, W_CYCLES = range(3)
P_ACT, P_WGT, P_STORE, P_REPS, P_CYCLES, P_BEFORE = range(6)
S_PLACE, S_AFTER, S_WORD, S_BEAT = range(4)
ACT_WORDS, WGT_WORDS, PASS_WORDS, STORE_WORDS = 2, 2, 2, 2
"""Columns of the rows of a block, two to an integer, of PASSes three, and how many integers a row has. ``A_ROW``: the
row of its input that must be stored, or NOBODY; ``P_BEFORE``: cycles that the array works on the block's PASSes before
this one, at least."""

SHIFT, LEAST = 32, -8
"""Bits of a column, and the least number in one."""


@inner
def column_of(m: Ints, row: int, column: int) -> int:
    """A column of a row of a block.

    Parameters
    ----------
    m : memory of the tables of costs.
    row : index at which the row begins.
    column : its number.
    """
    both = m[row + (column >> 1)]
    return ((both & 0xFFFFFFFF) if column & 1 else both >> SHIFT) + LEAST


@inner
def _put(m: Ints, row: int, column: int, one: int, two: int) -> int:
    """Two columns of a row, the first one even; 1 if a number is too large for one."""
    m[row + (column >> 1)] = (one - LEAST) << SHIFT | (two - LEAST)
    return int(one - LEAST >= 1 << 31 or two - LEAST >= 1 << 31)


@inner
def pass_column(m: Ints, row: int, column: int) -> int:
    """A column of a PASS's row, in which numbers have 21 bits, repetitions 12, cycles 20 and 31.

    Parameters
    ----------
    m : memory of the tables of costs.
    row : index at which the row begins.
    column : its number.
    """
    if column < P_REPS:
        return (m[row] >> 21 * (2 - column) & 0x1FFFFF) + LEAST
    if column == P_REPS:
        return m[row + 1] >> 51
    return m[row + 1] >> 31 & 0xFFFFF if column == P_CYCLES else m[row + 1] & 0x7FFFFFFF


@inner
def _put_pass(m: Ints, row: int, refs: tuple[int, int, int], reps: int, cycles: int, before: int) -> int:
    """A PASS's row; 1 if a number is too large."""
    act, wgt, store = refs
    m[row] = (act - LEAST) << 42 | (wgt - LEAST) << 21 | (store - LEAST)
    m[row + 1] = reps << 51 | cycles << 31 | before
    large = max(max(act, wgt), store) - LEAST >= 1 << 21
    return int(large or reps >= 1 << 12 or cycles >= 1 << 20 or before >= 1 << 31)


@inner
def acts_of(block: int) -> int:
    """Where the LOAD_ACT rows of a block begin."""
    return block + BLOCK_HEADER


@inner
def wgts_of(m: Ints, block: int) -> int:
    """Index at which a block's LOAD_WGT rows begin.

    Parameters
    ----------
    m : memory of the tables of costs.
    block : index at which the block begins.
    """
    return acts_of(block) + m[block] * ACT_WORDS


@inner
def passes_of(m: Ints, block: int) -> int:
    """Index at which a block's PASS rows begin.

    Parameters
    ----------
    m : memory of the tables of costs.
    block : index at which the block begins.
    """
    return wgts_of(m, block) + m[block + LOAD_WGT_UNIT] * WGT_WORDS


@inner
def stores_of(m: Ints, block: int) -> int:
    """Index at which a block's STORE rows begin.

    Parameters
    ----------
    m : memory of the tables of costs.
    block : index at which the block begins.
    """
    return passes_of(m, block) + m[block + PASS_UNIT] * PASS_WORDS


@compiled
def prepare(w: Ints, xs: Ints, kt: int, ct: int) -> None:
    """Make a workspace ready to lower a layer into: every half of every buffer was used by somebody.

    Parameters
    ----------
    w : workspace.
    xs : (steps, columns), rows of :data:`~mapper.lowering.rows.LAYER`; the first input lies in rows of tensors from 0
        on.
    kt, ct : K-tiles and C-tiles of the layer that the PB holds.
    """
    clear(w)
    for last in (SB_LAST, DB_LAST, OUT_LAST):
        w[last], w[last + 1] = NEXT, OTHER
    for row in range(max(xs[0, HEIGHT - LAYER_AT], 1)):
        w[w[ROW_DONE] + row] = row
    tiles, held, windows = xs[0, C_TILES - LAYER_AT], 0, xs[0, WINDOWS - LAYER_AT]
    for row in range(xs[0, K_TILES - LAYER_AT] * windows):
        for tile in range(tiles):
            here = row < kt * windows and tile < ct
            w[w[ALL_SLOTS] + row * tiles + tile] = held if here else -1
            held += here


@inner
def _put_header(w: Ints, m: Ints, block: int) -> None:
    for place in range(BLOCK_HEADER):
        m[block + place] = -1
    for unit in range(4):
        m[block + B_COUNT + unit] = w[COUNT + unit]
    at = block + B_HALVES
    for half, last in ((w[SB_NEXT], SB_LAST), (w[DB_NEXT], DB_LAST), (w[OUT_NEXT], OUT_LAST)):
        m[at] = w[last + half]
        m[at + 1] = w[last + 1 - half]
        at += 2
    m[block + B_TABLE] = 0
    reps = w[pass_at(w, w[COUNT + PASS_UNIT] - 1) + REPS_END]
    m[block + B_REPS] = reps
    for index in range(w[COUNT + PASS_UNIT] - 1, -1, -1):
        row = pass_at(w, index)
        for count in range(DRAIN_PASSES):
            if w[row + REPS_END] > count:
                m[block + B_DRAINED + count] = index


@inner
def _put_loads(w: Ints, m: Ints, block: int) -> int:
    """The rows of LOAD_ACTs and LOAD_WGTs; not 0 if a number is too large."""
    large = 0
    for index in range(w[COUNT]):
        row, at = act_at(w, index), acts_of(block) + index * ACT_WORDS
        large += _put(m, at, A_NEED, w[row + NEED], w[row + AFTER_PASS])
        large += _put(m, at, A_ROW, w[row + AFTER_STORE], w[row + CYCLES])
        if w[row + AFTER_PASS] in (NEXT, OTHER):
            m[block + B_WAITING + NEXT - w[row + AFTER_PASS]] = index
    for index in range(w[COUNT + LOAD_WGT_UNIT]):
        row, at = wgt_at(w, index), wgts_of(m, block) + index * WGT_WORDS
        after = w[row + AFTER_PASS]
        if w[row + MEMORY] == ZSB_MEMORY:
            after = ZSB_LEFT
        elif w[row + MEMORY] == TABLE_MEMORY:
            after = TABLE_LEFT
            m[block + B_TABLE] = 1
        elif after in (NEXT, OTHER):
            m[block + B_WAITING + 2 + NEXT - after] = index
        large += _put(m, at, W_NEED, w[row + NEED], after)
        large += _put(m, at, W_CYCLES, w[row + CYCLES], 0)
    return large


@inner
def _put_work(w: Ints, m: Ints, block: int) -> int:
    """The rows of PASSes and STOREs; not 0 if a number is too large."""
    at, before, large = passes_of(m, block), 0, 0
    for index in range(w[COUNT + PASS_UNIT]):
        row = pass_at(w, index)
        store, cycles, reps = w[row + STORE], w[row + PASS_CYCLES], w[row + REPS]
        if store in (NEXT, OTHER) and m[block + B_OUT + NEXT - store] < 0:
            m[block + B_OUT + NEXT - store] = index
        large += _put_pass(m, at, (w[row + ACT], w[row + WGT], store), reps, cycles, before)
        before += cycles + (reps - 1) * max(cycles, w[KP] + FEED_FULL)
        at += PASS_WORDS
    m[block + B_WORK] = before
    for index in range(w[COUNT + STORE_UNIT]):
        row = store_at(w, index)
        large += _put(m, at, S_PLACE, w[row + PLACE], w[row + AFTER])
        large += _put(m, at, S_WORD, w[row + WORD_CYCLES], w[row + BEAT_CYCLES])
        at += STORE_WORDS
    return large


@compiled
def put_block(w: Ints, xs: Ints, m: Ints, block: int, most: int, maps: Ints) -> int:
    """Put a layer and the global pools behind it into a block.

    Parameters
    ----------
    w : a workspace into which their steps have been lowered, after :func:`prepare`.
    xs : as of that.
    m, block, most : where to put it, and where the room for it ends.
    maps : filled, for each row of each step's tensor, with how many STOREs of the block are not before the one that
        completes it.

    Returns
    -------
    Where the block ends, that below 0 if a number of cycles or commands is too large for a column; 0 if there is no
    room.
    """
    words = w[COUNT] * ACT_WORDS + w[COUNT + LOAD_WGT_UNIT] * WGT_WORDS
    words += w[COUNT + PASS_UNIT] * PASS_WORDS + w[COUNT + STORE_UNIT] * STORE_WORDS
    if block + BLOCK_HEADER + words > most:
        return 0
    _put_header(w, m, block)
    large, found = _put_loads(w, m, block) + _put_work(w, m, block), 0
    for step in range(len(xs)):
        for row in range(xs[step, OUT_ROWS - LAYER_AT]):
            maps[found] = w[COUNT + STORE_UNIT] - w[w[ROW_DONE] + xs[step, OUTPUT - LAYER_AT] + row]
            found += 1
    end = block + BLOCK_HEADER + words
    return -end if large else end
