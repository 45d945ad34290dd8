"""Which times of a state can never be noticed: what the next layer makes sure of, whatever else happens.

The array works on PASSes one after another, so when the next layer's PASS p begins is known from below: no sooner than
the array is free, and the layer's first input is there, plus the work on the PASSes before. Weights that have come by
the time at which FEED would read them anyway, a unit that is free by the time at which its next command can start
anyway, have no influence. Such times are put *long ago*, so that ways which differ in nothing else come to one state.
Most differ in when weights came, which hides behind the array's work.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.machine.microarchitecture import LOAD_ADDRESS, LOAD_GIVE, QUEUE_DEPTH, TOKEN
from arch_model.timing.rows import (
    AFTER_PASS,
    AFTER_STORE,
    CYCLES,
    FEED_FREE,
    FEED_LAST,
    FEED_START,
    FIRST_PIXEL,
    IDLE,
    KP,
    LATENCY,
    LOAD_ACT_UNIT,
    LOAD_WGT_UNIT,
    PASS_UNIT,
    READY,
    RUN_LAST,
    RUN_START,
    START,
    STORE_END,
    STORE_START,
    STORE_UNIT,
    UNIT_FREE,
    act_at,
    pass_at,
    store_at,
    wgt_at,
)
from mapper.cost.variant_rows import (
    A_NEED,
    ACT_WORDS,
    B_COUNT,
    B_WORK,
    P_ACT,
    P_BEFORE,
    P_CYCLES,
    PASS_WORDS,
    S_PLACE,
    STORE_WORDS,
    W_NEED,
    WGT_WORDS,
    acts_of,
    column_of,
    pass_column,
    passes_of,
    stores_of,
    wgts_of,
)

LONG_AGO = -(1 << 40)
"""A time that nothing notices."""


@inner
def work_before(m: Ints, block: int, index: int) -> int:
    """The least number of cycles that the array works on a layer's PASSes before one of them.

    Parameters
    ----------
    m : memory of the tables of costs.
    block : index at which the layer's commands begin.
    index : of the PASS; behind the last one, all PASSes count.
    """
    if index < m[block + B_COUNT + PASS_UNIT]:
        return pass_column(m, passes_of(m, block) + index * PASS_WORDS, P_BEFORE)
    return m[block + B_WORK]


@inner
def _cycles_of(m: Ints, block: int, index: int) -> int:
    """Cycles of one repetition of a PASS."""
    return pass_column(m, passes_of(m, block) + index * PASS_WORDS, P_CYCLES)


@inner
def _let_go(w: Ints, row: int, unit: int, ends: tuple[int, int, int, int]) -> int:
    """When what the load at ``row`` waits for is there, as far as it has been issued."""
    time, after, store = LONG_AGO, w[row + AFTER_PASS], w[row + AFTER_STORE]
    if 0 <= after < ends[2]:
        time = (w[pass_at(w, after) + RUN_LAST] if unit == LOAD_ACT_UNIT else w[pass_at(w, after) + FEED_LAST]) + TOKEN
    if 0 <= store < ends[3]:
        time = max(time, w[store_at(w, store) + STORE_END] + TOKEN)
    return time


@inner
def _begins(w: Ints, m: Ints, block: int, act: int, ends: tuple[int, int, int, int]) -> int:
    """When the array begins with the layer at ``block``, at the earliest; its loads before ``act`` have been issued."""
    first, row = w[UNIT_FREE + PASS_UNIT], act_at(w, ends[0])
    if pass_column(m, passes_of(m, block), P_ACT):
        return first
    if act > ends[0]:
        return max(first, w[row + READY])
    start = max(w[UNIT_FREE + LOAD_ACT_UNIT], _let_go(w, row, LOAD_ACT_UNIT, ends))
    return max(first, start + LOAD_ADDRESS + w[LATENCY] + w[row + CYCLES] + LOAD_GIVE + TOKEN)


@inner
def _dispatched(w: Ints, m: Ints, block: int, passes: int, first: int, index: int) -> int:
    """When FETCH has dispatched a PASS of the layer, whose PASSes begin at number ``passes``, at the earliest."""
    if index >= QUEUE_DEPTH:
        return first + work_before(m, block, index - QUEUE_DEPTH)
    row = pass_at(w, passes + index - QUEUE_DEPTH)
    return max(w[row + FEED_START], w[row + RUN_START])


@inner
def _forget_loads(
    w: Ints, m: Ints, block: int, ends: tuple[int, int, int, int], act: int, wgt: int, first: int
) -> None:
    """Loads that have come by when they are used."""
    last = m[block + B_COUNT + PASS_UNIT]
    for index in range(ends[0], act):
        need, row = last, act_at(w, index) + READY
        if index - ends[0] < m[block + B_COUNT]:
            need = column_of(m, acts_of(block) + (index - ends[0]) * ACT_WORDS, A_NEED)
        if w[row] <= (first + work_before(m, block, need) if need else w[UNIT_FREE + PASS_UNIT]):
            w[row] = LONG_AGO
    for index in range(ends[1], wgt):
        need, row = last, wgt_at(w, index) + READY
        if index - ends[1] < m[block + B_COUNT + LOAD_WGT_UNIT]:
            need = column_of(m, wgts_of(m, block) + (index - ends[1]) * WGT_WORDS, W_NEED)
        pixel = w[FIRST_PIXEL]
        if need:
            pixel = first + work_before(m, block, need) - _cycles_of(m, block, need - 1) + 1
        if w[row] <= pixel:
            w[row] = LONG_AGO


@inner
def _waits_for(w: Ints, m: Ints, block: int, ends: tuple[int, int, int, int], row: int, stores: int) -> int:
    """The PASS of the layer that must be issued before the load at ``row`` is, -1 for none; ``stores``: how many STOREs
    the layer has."""
    last, after = m[block + B_COUNT + PASS_UNIT] - 1, -1
    if w[row + AFTER_PASS] >= ends[2]:
        after = min(w[row + AFTER_PASS] - ends[2], last)
    store = w[row + AFTER_STORE] - ends[3]
    if store >= stores:
        return last
    if store >= 0:
        after = max(after, column_of(m, stores_of(m, block) + store * STORE_WORDS, S_PLACE))
    return after


@inner
def forget(w: Ints, m: Ints, block: int, ends: tuple[int, int, int, int], act: int, wgt: int) -> None:
    """Put times long ago that cannot be noticed when a layer comes next.

    Parameters
    ----------
    w : workspace.
    m : memory of the tables of costs.
    block : index at which the layer's commands begin.
    ends : of each unit, the number behind the commands that have been issued.
    act, wgt : numbers of the next loads, whose rows are there.
    """
    first = _begins(w, m, block, act, ends)
    _forget_loads(w, m, block, ends, act, wgt, first)
    w[FEED_FREE] = LONG_AGO  # before the first pixel, for which FEED waits
    if w[IDLE] <= first + m[block + B_WORK]:
        w[IDLE] = LONG_AGO
    stores, row = m[block + B_COUNT + STORE_UNIT], wgt_at(w, wgt)
    after, free = _waits_for(w, m, block, ends, row, stores), _let_go(w, row, LOAD_WGT_UNIT, ends)
    if after >= 1:
        free = first + work_before(m, block, after) - _cycles_of(m, block, after - 1) + 1 + w[KP] + TOKEN
    if w[UNIT_FREE + LOAD_WGT_UNIT] <= free:
        w[UNIT_FREE + LOAD_WGT_UNIT] = LONG_AGO
    if after >= 0:
        there = _dispatched(w, m, block, ends[2], first, after)
        for index in range(wgt - QUEUE_DEPTH, wgt):
            if w[wgt_at(w, index) + START] <= there:
                w[wgt_at(w, index) + START] = LONG_AGO
    row = act_at(w, act)
    after, free = _waits_for(w, m, block, ends, row, stores), _let_go(w, row, LOAD_ACT_UNIT, ends)
    if after >= 0:
        free = max(free, first + work_before(m, block, after + 1))
        there = _dispatched(w, m, block, ends[2], first, after)
        for index in range(act - QUEUE_DEPTH, act):
            if w[act_at(w, index) + START] <= there:
                w[act_at(w, index) + START] = LONG_AGO
    if w[UNIT_FREE + LOAD_ACT_UNIT] <= free:
        w[UNIT_FREE + LOAD_ACT_UNIT] = LONG_AGO
    place = column_of(m, stores_of(m, block), S_PLACE)
    if w[UNIT_FREE + STORE_UNIT] <= first + work_before(m, block, place + 1):
        w[UNIT_FREE + STORE_UNIT] = LONG_AGO
    there = _dispatched(w, m, block, ends[2], first, place)
    for index in range(ends[3] - QUEUE_DEPTH, ends[3]):
        if w[store_at(w, index) + STORE_START] <= there:
            w[store_at(w, index) + STORE_START] = LONG_AGO
