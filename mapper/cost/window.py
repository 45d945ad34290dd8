"""One step from state to state: a layer's commands, and the loads after it that are issued ahead, timed in a window.

The window is a workspace: rows for the commands before the layer, as the state has them; the layer's rows; those of the
loads of layers after it, whose PASSes and STOREs are not issued yet. It is timed by the recurrence of all Programs.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.timing.recurrence import advance, finish
from arch_model.timing.rows import (
    ACT,
    AFTER,
    AFTER_PASS,
    AFTER_STORE,
    BEAT_CYCLES,
    COUNT,
    CYCLES,
    FEED_LAST,
    LOAD_ACT_UNIT,
    LOAD_WGT_UNIT,
    NEED,
    NEVER,
    PASS_CYCLES,
    PASS_UNIT,
    PLACE,
    REPS,
    ROOM,
    RUN_LAST,
    SLOT_LEFT,
    STORE,
    STORE_UNIT,
    WGT,
    WORD_CYCLES,
    WORD_READ,
    act_at,
    pass_at,
    store_at,
    wgt_at,
)
from mapper.cost.entry_states import (
    FIRST_DRAINED,
    FIRST_LOAD,
    FIRST_PASS,
    LEFT,
    V_ACTS,
    V_DRAIN,
    V_DRAINED,
    V_HALVES,
    V_LISTS,
    V_STORES,
    V_WGTS,
    first_store,
    restore,
    take,
)
from mapper.cost.memo import (
    DEEPER,
    END,
    FAILED,
    STATE_AT,
    VECTORS,
    block_of,
    intern_state,
    map_of,
    new_vector,
    room_in,
)
from mapper.cost.variant_rows import (
    A_AFTER,
    A_CYCLES,
    A_NEED,
    A_ROW,
    ACT_WORDS,
    B_COUNT,
    B_DRAINED,
    B_HALVES,
    B_MAPS,
    B_REPS,
    B_TABLE,
    B_WAITING,
    NEXT,
    OTHER,
    P_ACT,
    P_CYCLES,
    P_REPS,
    P_STORE,
    P_WGT,
    PASS_WORDS,
    S_AFTER,
    S_BEAT,
    S_PLACE,
    S_WORD,
    STORE_WORDS,
    TABLE_LEFT,
    W_AFTER,
    W_CYCLES,
    W_NEED,
    WGT_WORDS,
    ZSB_LEFT,
    acts_of,
    passes_of,
    wgts_of,
)
from mapper.lowering.buffers import DRAIN_PASSES
from mapper.lowering.rows import OWN_STATE

FLAGS, DISTANCE, TENSOR, NEW_HALF, AFTERWARDS, LINK_WORDS = range(6)
"""What is fixed of a layer in a SubNet, whatever is cached: all of it as one number; how many layers back its input is
made (0: nowhere), and which of the tensors made there it is; whether its ZSB entries go to the other half; what comes
after it, below."""
NOTHING, WAITS, ANYTHING = range(3)
"""The Program's end; a layer whose input this one makes, so that none of its LOAD_ACTs can be issued before this one's
last STORE; another one."""

WINDOW = 8
"""Layers of a window, at most."""
UNISSUED = NEVER
"""The number of a command that no window issues."""

# Of a window: the last users of the halves of SB, DB and OB (next, other); the PASSes with which the half of the ZSB
# that the last layer does not use, the next activation table and the other one are left, and how many repetitions are
# missing until there are such; each layer's block and where its STOREs end.
X_HALVES, X_DRAINED, X_MISSING, X_BLOCK = OWN_STATE, OWN_STATE + 6, OWN_STATE + 9, OWN_STATE + 12
X_STORES = X_BLOCK + WINDOW

NO_VECTOR, NO_ROWS = -4, -5
"""What :func:`step` comes to if there is no room for a state, or in a stream of the window."""


@inner
def _before(w: Ints, after: int, base: int, halves: int) -> int:
    """The number of a command in the window: of the layer's own, or the last user of a half."""
    if after >= 0:
        return after + base
    if after == NEXT:
        return w[halves]
    if after == OTHER:
        return w[halves + 1]
    return -1


@inner
def _left_by(w: Ints, which: int) -> int:
    """The PASS with which a half of the ZSB or a table is left."""
    return w[X_DRAINED + which] if w[X_MISSING + which] == 0 else UNISSUED


@inner
def _append_loads(w: Ints, m: Ints, block: int, new_half: int, rows: int, end: int, floor: int) -> None:
    """The loads of a block. ``rows``: the map from rows of its input to STOREs (0: it is there), which count back from
    ``end``; those before ``floor`` have ended."""
    base = w[COUNT + PASS_UNIT]
    for index in range(m[block + B_COUNT]):
        at, row, stored = acts_of(block) + index * ACT_WORDS, act_at(w, w[COUNT + LOAD_ACT_UNIT] + index), -1
        if rows and m[at + A_ROW] >= 0:
            stored = end - m[rows + 1 + m[at + A_ROW]]
            if stored < floor:
                stored = -1
        w[row + NEED] = base + m[at + A_NEED]
        w[row + AFTER_PASS] = _before(w, m[at + A_AFTER], base, X_HALVES)
        w[row + AFTER_STORE] = stored
        w[row + CYCLES] = m[at + A_CYCLES]
    for index in range(m[block + B_COUNT + LOAD_WGT_UNIT]):
        at, row = wgts_of(m, block) + index * WGT_WORDS, wgt_at(w, w[COUNT + LOAD_WGT_UNIT] + index)
        after = _before(w, m[at + W_AFTER], base, X_HALVES + 2)
        if m[at + W_AFTER] == ZSB_LEFT and new_half:
            after = _left_by(w, 0)
        elif m[at + W_AFTER] == TABLE_LEFT:
            after = _left_by(w, 1)
        w[row + NEED] = base + m[at + W_NEED]
        w[row + AFTER_PASS] = after
        w[row + AFTER_STORE] = -1
        w[row + CYCLES] = m[at + W_CYCLES]


@inner
def _append_work(w: Ints, m: Ints, block: int) -> None:
    """The PASSes and STOREs of a window's first block."""
    base, at = w[COUNT + PASS_UNIT], passes_of(m, block)
    for index in range(m[block + B_COUNT + PASS_UNIT]):
        row = pass_at(w, base + index)
        w[row + ACT] = m[at + P_ACT] + FIRST_LOAD if m[at + P_ACT] >= 0 else -1
        w[row + WGT] = m[at + P_WGT] + FIRST_LOAD if m[at + P_WGT] >= 0 else -1
        w[row + STORE] = _before(w, m[at + P_STORE], w[COUNT + STORE_UNIT], X_HALVES + 4)
        w[row + REPS] = m[at + P_REPS]
        w[row + PASS_CYCLES] = m[at + P_CYCLES]
        at += PASS_WORDS
    for index in range(m[block + B_COUNT + STORE_UNIT]):
        row = store_at(w, w[COUNT + STORE_UNIT] + index)
        w[row + PLACE] = base + m[at + S_PLACE]
        w[row + AFTER] = base + m[at + S_AFTER] if m[at + S_AFTER] >= 0 else -1
        w[row + WORD_CYCLES] = m[at + S_WORD]
        w[row + BEAT_CYCLES] = m[at + S_BEAT]
        at += STORE_WORDS


@inner
def _drain(w: Ints, m: Ints, block: int, which: int, base: int) -> None:
    """Look among a block's PASSes for the one with which the requantiser has left a half of the ZSB or a table."""
    missing = w[X_MISSING + which]
    if missing == 0:
        return
    if m[block + B_DRAINED + missing - 1] >= 0:
        w[X_DRAINED + which] = base + m[block + B_DRAINED + missing - 1]
        w[X_MISSING + which] = 0
    else:
        w[X_MISSING + which] = missing - m[block + B_REPS]


@inner
def _end_layer(w: Ints, m: Ints, block: int, new_half: int) -> None:
    """Who used each half last, now that a block's rows have their numbers; then count its commands."""
    passes, stores = w[COUNT + PASS_UNIT], w[COUNT + STORE_UNIT]
    for half in range(0, 6, 2):
        base, place = stores if half == 4 else passes, X_HALVES + half
        first = _before(w, m[block + B_HALVES + half], base, place)
        w[place + 1] = _before(w, m[block + B_HALVES + half + 1], base, place)
        w[place] = first
    if new_half:  # the half that was in use is the other one now
        w[X_MISSING] = DRAIN_PASSES
    _drain(w, m, block, 0, passes)
    _drain(w, m, block, 2, passes)
    if m[block + B_TABLE]:  # it takes the next table, which is the other one then
        w[X_DRAINED + 1] = w[X_DRAINED + 2]
        w[X_MISSING + 1] = w[X_MISSING + 2]
        w[X_MISSING + 2] = DRAIN_PASSES
    else:
        _drain(w, m, block, 1, passes)
    for unit in range(4):
        w[COUNT + unit] += m[block + B_COUNT + unit]


@inner
def _append(w: Ints, m: Ints, v: int, variants: Ints, links: Ints, column: int, first: int, number: int) -> bool:
    """The rows of a window's layer ``number``; False if a stream has no room."""
    at = first + number
    block, new_half = block_of(m, variants[at, column]), links[at, NEW_HALF]
    w[X_BLOCK + number] = block
    for unit in range(4):
        if w[COUNT + unit] + m[block + B_COUNT + unit] >= w[ROOM + unit]:
            return False
    rows, end, source = 0, 0, at - links[at, DISTANCE]
    if source < at:
        made = block_of(m, variants[source, column])
        rows = map_of(m, m[made + B_MAPS + links[at, TENSOR]])
        if source >= first:
            end = w[X_STORES + source - first]
        else:
            end = first_store(m, v)
            for between in range(source + 1, first):
                end -= m[block_of(m, variants[between, column]) + B_COUNT + STORE_UNIT]
    _append_loads(w, m, block, new_half, rows, end, first_store(m, v) - m[v + V_STORES])
    if number == 0:
        _append_work(w, m, block)
    _end_layer(w, m, block, new_half)
    w[X_STORES + number] = w[COUNT + STORE_UNIT]
    return True


@inner
def _begin(w: Ints, m: Ints, v: int) -> None:
    """The commands before a window's first layer."""
    restore(w, m, v)
    w[COUNT + LOAD_ACT_UNIT] = w[COUNT + LOAD_WGT_UNIT] = FIRST_LOAD
    w[COUNT + PASS_UNIT], w[COUNT + STORE_UNIT] = FIRST_PASS, first_store(m, v)
    for half in range(4):
        w[X_HALVES + half] = half
    w[X_HALVES + 4], w[X_HALVES + 5] = 0, 1
    for which in range(3):
        w[X_DRAINED + which] = FIRST_DRAINED + which
        w[X_MISSING + which] = m[v + V_DRAIN + which]


@inner
def _end_window(w: Ints, comes: int) -> None:
    """What could come after the window: loads that wait for as little as possible. If one of them is issued, more must
    be known."""
    act, wgt = act_at(w, w[COUNT + LOAD_ACT_UNIT]), wgt_at(w, w[COUNT + LOAD_WGT_UNIT])
    for row in (act, wgt):
        w[row + NEED] = NEVER
        w[row + AFTER_PASS] = w[row + AFTER_STORE] = -1
        w[row + CYCLES] = 0
    if comes == WAITS:
        w[act + AFTER_STORE] = UNISSUED
    w[COUNT + LOAD_ACT_UNIT] += 1
    w[COUNT + LOAD_WGT_UNIT] += 1


@inner
def _keep_halves(w: Ints, m: Ints, v: int) -> None:
    """Note at a new state which commands used the halves last, until their times are known."""
    for half in range(6):
        m[v + V_HALVES + half] = w[X_HALVES + half]
    for which in range(3):
        m[v + V_DRAINED + which] = w[X_DRAINED + which]
        m[v + V_DRAIN + which] = w[X_MISSING + which]


@inner
def _time_halves(w: Ints, m: Ints, v: int, block: int) -> None:
    """Put the times of these commands; those that no load of the next layer, at ``block``, waits for any more are long
    past."""
    now = w[SLOT_LEFT]
    for half in range(6):
        at = v + V_HALVES + half
        if half < 2:
            time = w[pass_at(w, m[at]) + RUN_LAST]
        elif half < 4:
            time = w[pass_at(w, m[at]) + FEED_LAST]
        else:
            time = w[store_at(w, m[at]) + WORD_READ]
        m[at] = max(time - now, LEFT)
        if half < 4 and 0 <= m[block + B_WAITING + half] < m[v + (V_ACTS if half < 2 else V_WGTS)]:
            m[at] = LEFT
    for which in range(3):
        at = v + V_DRAINED + which
        missing = m[v + V_DRAIN + which] > 0
        m[at] = LEFT if missing else max(w[pass_at(w, m[at]) + FEED_LAST] - now, LEFT)


@inner
def step(w: Ints, m: Ints, v: int, variants: Ints, links: Ints, column: int, first: int, more: int) -> tuple[int, int]:
    """Time layer ``first`` of a column from the state at ``v`` on, with loads of ``more`` layers after it.

    Returns
    -------
    The state that the next layer finds, :data:`END` behind the last one, :data:`FAILED`, :data:`DEEPER` if a layer more
    is to be known, or what there is no room for; and the cycles from FETCH's last dispatch to that of the layer's last
    command, or to the end.
    """
    new = new_vector(m)
    _begin(w, m, v)
    act, wgt, store = FIRST_LOAD + m[v + V_ACTS], FIRST_LOAD + m[v + V_WGTS], first_store(m, v)
    block = block_of(m, variants[first, column])
    if (links[first, NEW_HALF] and w[X_MISSING]) or (m[block + B_TABLE] and w[X_MISSING + 1]):
        return FAILED, 0
    if not _append(w, m, v, variants, links, column, first, 0):
        return NO_ROWS, 0
    ends = w[COUNT], w[COUNT + LOAD_WGT_UNIT], w[COUNT + PASS_UNIT], w[COUNT + STORE_UNIT]
    if not room_in(m, VECTORS, V_LISTS + w[ROOM] * 3) or not room_in(m, STATE_AT, 1):
        return NO_VECTOR, 0
    _keep_halves(w, m, new)
    for number in range(1, more + 1):
        if not _append(w, m, v, variants, links, column, first, number):
            return NO_ROWS, 0
    comes = links[first + more, AFTERWARDS]
    if comes != NOTHING:
        _end_window(w, comes)
    acts, wgts = w[COUNT], w[COUNT + LOAD_WGT_UNIT]
    if comes != NOTHING and (act >= acts or wgt >= wgts):  # loads of layers behind the window have been issued before
        return DEEPER, 0
    w[COUNT + STORE_UNIT] = ends[3]
    act, wgt, store, place = advance(w, FIRST_PASS, ends[2], act, wgt, store, 0)
    if more == 0:
        return END, finish(w, act, wgt, place)
    if comes != NOTHING and (act == acts or wgt == wgts):
        return DEEPER, 0
    take(w, m, new, ends, act, wgt)
    _time_halves(w, m, new, w[X_BLOCK + 1])
    return intern_state(m), w[SLOT_LEFT]
