"""One step from state to state: a layer's commands, and the loads after it that are issued ahead, timed in a window.

The window is a workspace: rows for the commands before the layer, as the state has them; the layer's rows; those of the
loads of layers after it, whose PASSes and STOREs are not issued yet. It is timed by the recurrence of all Programs.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.machine.microarchitecture import TOKEN
from arch_model.timing.recurrence import advance, finish, issue_ahead
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
    UNIT_FREE,
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
    V_BEGINS,
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
from mapper.cost.forget import forget, work_before
from mapper.cost.memo import (
    AT_MAPS,
    AT_STORES,
    DEEPER,
    END,
    FAILED,
    STATE_AT,
    STATE_WORDS,
    VECTORS,
    block_of,
    intern_state,
    map_of,
    new_vector,
    room_in,
    variant_of,
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
    B_OUT,
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
    column_of,
    pass_column,
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

WINDOW = 16
"""Layers of a window, at most."""
UNISSUED = NEVER
"""The number of a command that no window issues."""

# Of a window: the last users of the halves of SB, DB and OB (next, other); the PASSes with which the half of the ZSB
# that the last layer does not use, the next activation table and the other one are left, and how many repetitions are
# missing until there are such; each layer's block and where its STOREs end; whose PASSes and STOREs are there from an
# earlier window, and from which STORE on.
X_HALVES, X_DRAINED, X_MISSING, X_BLOCK = OWN_STATE, OWN_STATE + 6, OWN_STATE + 9, OWN_STATE + 12
X_STORES = X_BLOCK + WINDOW
X_WORK, X_BASE = X_STORES + WINDOW, X_STORES + WINDOW + 1

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
        if rows and column_of(m, at, A_ROW) >= 0:
            stored = end - m[rows + 1 + column_of(m, at, A_ROW)]
            if stored < floor:
                stored = -1
        w[row + NEED] = base + column_of(m, at, A_NEED)
        w[row + AFTER_PASS] = _before(w, column_of(m, at, A_AFTER), base, X_HALVES)
        w[row + AFTER_STORE] = stored
        w[row + CYCLES] = column_of(m, at, A_CYCLES)
    for index in range(m[block + B_COUNT + LOAD_WGT_UNIT]):
        at, row = wgts_of(m, block) + index * WGT_WORDS, wgt_at(w, w[COUNT + LOAD_WGT_UNIT] + index)
        after = _before(w, column_of(m, at, W_AFTER), base, X_HALVES + 2)
        if column_of(m, at, W_AFTER) == ZSB_LEFT and new_half:
            after = _left_by(w, 0)
        elif column_of(m, at, W_AFTER) == TABLE_LEFT:
            after = _left_by(w, 1)
        w[row + NEED] = base + column_of(m, at, W_NEED)
        w[row + AFTER_PASS] = after
        w[row + AFTER_STORE] = -1
        w[row + CYCLES] = column_of(m, at, W_CYCLES)


@inner
def _append_work(w: Ints, m: Ints, block: int) -> None:
    """The PASSes and STOREs of a window's first block."""
    base, at = w[COUNT + PASS_UNIT], passes_of(m, block)
    for index in range(m[block + B_COUNT + PASS_UNIT]):
        row = pass_at(w, base + index)
        w[row + ACT] = pass_column(m, at, P_ACT) + FIRST_LOAD if pass_column(m, at, P_ACT) >= 0 else -1
        w[row + WGT] = pass_column(m, at, P_WGT) + FIRST_LOAD if pass_column(m, at, P_WGT) >= 0 else -1
        w[row + STORE] = _before(w, pass_column(m, at, P_STORE), w[COUNT + STORE_UNIT], X_HALVES + 4)
        w[row + REPS] = pass_column(m, at, P_REPS)
        w[row + PASS_CYCLES] = pass_column(m, at, P_CYCLES)
        at += PASS_WORDS
    for index in range(m[block + B_COUNT + STORE_UNIT]):
        row = store_at(w, w[COUNT + STORE_UNIT] + index)
        w[row + PLACE] = base + column_of(m, at, S_PLACE)
        w[row + AFTER] = base + column_of(m, at, S_AFTER) if column_of(m, at, S_AFTER) >= 0 else -1
        w[row + WORD_CYCLES] = column_of(m, at, S_WORD)
        w[row + BEAT_CYCLES] = column_of(m, at, S_BEAT)
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
        rows = map_of(m, m[variant_of(m, variants[source, column]) + AT_MAPS + links[at, TENSOR]])
        if source >= first:
            end = w[X_STORES + source - first]
        else:
            end = first_store(m, v)
            for between in range(source + 1, first):
                end -= m[variant_of(m, variants[between, column]) + AT_STORES]
    _append_loads(w, m, block, new_half, rows, end, first_store(m, v) - m[v + V_STORES])
    if number == 0 and (w[X_WORK] != variants[at, column] + 1 or w[X_BASE] != w[COUNT + STORE_UNIT]):
        _append_work(w, m, block)
        w[X_WORK], w[X_BASE] = variants[at, column] + 1, w[COUNT + STORE_UNIT]
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
def _append_head(w: Ints, m: Ints, block: int, new_half: int) -> int:
    """The loads with which a layer begins; the PASS that the next one waits for."""
    for index in range(m[block + B_COUNT + LOAD_WGT_UNIT]):
        at, row = wgts_of(m, block) + index * WGT_WORDS, wgt_at(w, w[COUNT + LOAD_WGT_UNIT])
        after = column_of(m, at, W_AFTER)
        if after != ZSB_LEFT and after != TABLE_LEFT:
            return _before(w, after, w[COUNT + PASS_UNIT], X_HALVES + 2)
        w[row + NEED] = NEVER
        w[row + AFTER_STORE] = w[row + AFTER_PASS] = -1
        if after == TABLE_LEFT:
            w[row + AFTER_PASS] = _left_by(w, 1)
        elif new_half:
            w[row + AFTER_PASS] = _left_by(w, 0)
        w[row + CYCLES] = column_of(m, at, W_CYCLES)
        w[COUNT + LOAD_WGT_UNIT] += 1
    return -1


@inner
def _end_window(w: Ints, m: Ints, block: int, new_half: int, comes: int, first: int) -> None:
    """What comes after the window: the loads of weights with which the layer at ``block`` begins, and a LOAD_ACT and a
    LOAD_WGT that wait for as little as those after them. If one of these is issued, more must be known.

    ``first``: the first STORE of the window's last layer.
    """
    wait, index = _append_head(w, m, block, new_half), w[COUNT + LOAD_WGT_UNIT]
    act, wgt = act_at(w, w[COUNT + LOAD_ACT_UNIT]), wgt_at(w, index)
    for row in (act, wgt):
        w[row + NEED] = NEVER
        w[row + AFTER_PASS] = w[row + AFTER_STORE] = -1
        w[row + CYCLES] = 0
    if comes == WAITS:
        w[act + AFTER_STORE] = first
    w[wgt + AFTER_PASS] = wait
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
def _time_halves(w: Ints, m: Ints, v: int, block: int, acts: int, wgts: int) -> None:
    """Put the times of these commands; those that nothing of the next layer, at ``block``, waits for any more are long
    past. ``acts``, ``wgts``: of its loads so many have been issued."""
    for half in range(6):
        at, past = v + V_HALVES + half, False
        if half < 2:
            time, past = w[pass_at(w, m[at]) + RUN_LAST], 0 <= m[block + B_WAITING + half] < acts
        elif half < 4:
            time, past = w[pass_at(w, m[at]) + FEED_LAST], 0 <= m[block + B_WAITING + half] < wgts
        else:
            time, user = w[store_at(w, m[at]) + WORD_READ] + TOKEN, m[block + B_OUT + half - 4]
            free = w[UNIT_FREE + PASS_UNIT]
            past = time <= free + (work_before(m, block, user) if user > 0 else 0)
            time -= TOKEN
        m[at] = LEFT if past else max(time - w[SLOT_LEFT], LEFT)
    for which in range(3):
        at = v + V_DRAINED + which
        time = w[pass_at(w, m[at]) + FEED_LAST] - w[SLOT_LEFT]
        m[at] = LEFT if m[v + V_DRAIN + which] > 0 else max(time, LEFT)


@inner
def step(w: Ints, m: Ints, v: int, variants: Ints, links: Ints, column: int, first: int, more: int) -> tuple[int, int]:
    """Time one layer of a column, with loads of some layers after it.

    Parameters
    ----------
    w : workspace.
    m : memory of the tables of costs.
    v : index at which the state begins that the layer finds.
    variants : number of each layer's variant, (layers, columns).
    links : of the layers, as :func:`mapper.cost.network_walk.links_of` gives them.
    column : content of the PB.
    first : the layer.
    more : layers after it.

    Returns
    -------
    The state that the next layer finds, :data:`END` behind the last one, :data:`FAILED`, :data:`DEEPER` if a layer more
    is to be known, or what there is no room for; and the cycles from FETCH's last dispatch to that of the layer's last
    STORE, or to the end.
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
    if not room_in(m, VECTORS, V_LISTS + w[ROOM] * 3) or not room_in(m, STATE_AT, STATE_WORDS):
        return NO_VECTOR, 0
    _keep_halves(w, m, new)
    for number in range(1, more + 1):
        if not _append(w, m, v, variants, links, column, first, number):
            return NO_ROWS, 0
    comes = links[first + more, AFTERWARDS]
    if comes != NOTHING:
        after = block_of(m, variants[first + more + 1, column])
        if w[COUNT + LOAD_WGT_UNIT] + m[after + B_COUNT + LOAD_WGT_UNIT] >= w[ROOM + LOAD_WGT_UNIT]:
            return NO_ROWS, 0
        _end_window(w, m, after, links[first + more + 1, NEW_HALF], comes, w[X_STORES + more - 1])
    acts, wgts = w[COUNT], w[COUNT + LOAD_WGT_UNIT]
    if comes != NOTHING and (act >= acts or wgt >= wgts):  # loads of layers behind the window have been issued before
        return DEEPER, 0
    w[COUNT + STORE_UNIT] = ends[3]
    index, place = FIRST_PASS, 0
    while index < ends[2]:
        if index > FIRST_PASS or not m[v + V_BEGINS]:
            act, wgt, place = issue_ahead(w, index, act, wgt, store, place)
            if comes != NOTHING and (act == acts or wgt == wgts):
                return DEEPER, 0
        index, act, wgt, store, place = advance(w, index, ends[2], act, wgt, store, place)
    if more == 0:
        return END, finish(w, act, wgt, place)
    _time_halves(w, m, new, w[X_BLOCK + 1], act - ends[0], wgt - ends[1])
    forget(w, m, w[X_BLOCK + 1], ends, act, wgt)
    take(w, m, new, ends, act, wgt)
    return intern_state(m), w[SLOT_LEFT]
