"""How a layer finds the machine: all times that the recurrence carries into it, counted from one of them.

A state is taken between two layers, when the last PASS and STORE of one have been issued, before any load behind these.
Its times count from FETCH's last dispatch, so it is the same whenever it comes about. Later commands reach their units
:data:`SOON` cycles after that, or more: a time that no command can notice any more is written as the latest of these,
so that states which differ in nothing that matters are equal.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.machine.microarchitecture import FETCH_QUEUE, QUEUE_DEPTH, TOKEN
from arch_model.timing.recurrence import begin
from arch_model.timing.rows import (
    FEED_FREE,
    FEED_LAST,
    FEED_START,
    FIRST_PIXEL,
    IDLE,
    READY,
    RUN_LAST,
    RUN_START,
    SLOT_ARRIVAL,
    SLOT_BEHIND,
    SLOT_LEFT,
    SLOT_PACE,
    SLOTS_READ,
    START,
    STORE_END,
    STORE_START,
    UNIT_FREE,
    WORD_READ,
    act_at,
    pass_at,
    store_at,
    wgt_at,
)

SOON = 1 + FETCH_QUEUE
"""The earliest that the next command reaches its unit, after FETCH's last dispatch."""
LEFT = SOON - TOKEN
"""An event of which every later command's token is there by then."""
FULL_QUEUE = -1
"""A start that leaves room in its queue for every later command."""

# Loads of the next layers that have been issued, STOREs of which the end can still be noticed; repetitions until the
# requantiser has left the half of the ZSB that the last layer does not use, the activation table that comes next, the
# other one (0: the PASS that proves it has been issued); whether the Program begins. Then FETCH's slots, the units, the
# last end, starts of the last commands of each unit, the last users of the halves of SB, DB and OB (next, other), the
# ends of those three PASSes, and lists: when the issued loads are there, when STOREs end, latest first.
V_ACTS, V_WGTS, V_STORES, V_DRAIN, V_BEGINS, V_READ, V_ARRIVAL, V_FREE = 0, 1, 2, 3, 6, 7, 8, 9
V_FEED_FREE, V_FIRST_PIXEL, V_IDLE, V_STARTS = 13, 14, 15, 16
V_HALVES = V_STARTS + 4 * QUEUE_DEPTH
V_DRAINED = V_HALVES + 6
V_LISTS = V_DRAINED + 3

# The rows of a window that stand for commands before its first layer: a PASS or STORE for each of the last users above,
# then the last commands of each unit.
HALF_PASSES, HALF_STORES = 4, 2
MOST_STORES = 2 * QUEUE_DEPTH
"""STOREs before the layer that a window has room for; more are rare."""
FIRST_DRAINED = HALF_PASSES
FIRST_PASS = FIRST_DRAINED + 3 + QUEUE_DEPTH
FIRST_LOAD = QUEUE_DEPTH


@inner
def first_store(m: Ints, v: int) -> int:
    """The number of the first STORE of the layer that finds a state.

    Parameters
    ----------
    m : memory of the tables of costs.
    v : index at which the state begins.
    """
    return HALF_STORES + max(m[v + V_STORES], MOST_STORES)


@inner
def restore(w: Ints, m: Ints, v: int) -> None:
    """Put a state into a workspace: what is carried, and rows for the commands before.

    Parameters
    ----------
    w : workspace.
    m : memory of the tables of costs.
    v : index at which the state begins.
    """
    begin(w)
    acts, wgts, stores = FIRST_LOAD + m[v + V_ACTS], FIRST_LOAD + m[v + V_WGTS], first_store(m, v)
    w[SLOT_LEFT] = 0
    w[SLOTS_READ] = m[v + V_READ]
    w[SLOT_ARRIVAL] = m[v + V_ARRIVAL]
    w[FEED_FREE] = m[v + V_FEED_FREE]
    w[FIRST_PIXEL] = m[v + V_FIRST_PIXEL]
    w[IDLE] = m[v + V_IDLE]
    for unit in range(4):
        w[UNIT_FREE + unit] = m[v + V_FREE + unit]
    for back in range(QUEUE_DEPTH):
        at = v + V_STARTS + back
        w[act_at(w, acts - 1 - back) + START] = m[at]
        w[wgt_at(w, wgts - 1 - back) + START] = m[at + QUEUE_DEPTH]
        row = pass_at(w, FIRST_PASS - 1 - back)
        w[row + FEED_START] = m[at + 2 * QUEUE_DEPTH]
        w[row + RUN_START] = m[at + 2 * QUEUE_DEPTH]
        w[store_at(w, stores - 1 - back) + STORE_START] = m[at + 3 * QUEUE_DEPTH]
    for half in range(2):
        w[pass_at(w, half) + RUN_LAST] = m[v + V_HALVES + half]
        w[pass_at(w, 2 + half) + FEED_LAST] = m[v + V_HALVES + 2 + half]
        w[store_at(w, half) + WORD_READ] = m[v + V_HALVES + 4 + half]
    for which in range(3):
        w[pass_at(w, FIRST_DRAINED + which) + FEED_LAST] = m[v + V_DRAINED + which]
    at = v + V_LISTS
    for index in range(FIRST_LOAD, acts):
        w[act_at(w, index) + READY] = m[at]
        at += 1
    for index in range(FIRST_LOAD, wgts):
        w[wgt_at(w, index) + READY] = m[at]
        at += 1
    for back in range(stores - HALF_STORES):
        w[store_at(w, stores - 1 - back) + STORE_END] = m[at + back] if back < m[v + V_STORES] else LEFT


@inner
def take(w: Ints, m: Ints, v: int, ends: tuple[int, int, int, int], act: int, wgt: int) -> int:
    """Write what a workspace carries as a state, halves and ZSB apart; index at which it ends.

    Parameters
    ----------
    w : workspace.
    m : memory of the tables of costs.
    v : index at which the state begins.
    ends : of each unit, the number behind its commands, all of which have been issued.
    act, wgt : numbers of the first loads behind them that have not been issued.
    """
    now, (acts, wgts, passes, stores) = w[SLOT_LEFT], ends
    m[v + V_ACTS] = act - acts
    m[v + V_WGTS] = wgt - wgts
    m[v + V_BEGINS] = 0
    m[v + V_READ] = w[SLOTS_READ]
    arrival = w[SLOT_BEHIND] - (w[SLOT_PACE] if w[SLOTS_READ] == 0 else 0)
    m[v + V_ARRIVAL] = max(w[SLOT_ARRIVAL] - now, arrival)
    m[v + V_FEED_FREE] = max(w[FEED_FREE] - now, SOON)
    m[v + V_FIRST_PIXEL] = max(w[FIRST_PIXEL] - now, SOON)
    m[v + V_IDLE] = max(w[IDLE] - now, SOON)
    for unit in range(4):
        m[v + V_FREE + unit] = max(w[UNIT_FREE + unit] - now, SOON)
    for back in range(QUEUE_DEPTH):
        at, row = v + V_STARTS + back, pass_at(w, passes - 1 - back)
        m[at] = max(w[act_at(w, act - 1 - back) + START] - now, FULL_QUEUE)
        m[at + QUEUE_DEPTH] = max(w[wgt_at(w, wgt - 1 - back) + START] - now, FULL_QUEUE)
        m[at + 2 * QUEUE_DEPTH] = max(max(w[row + FEED_START], w[row + RUN_START]) - now, FULL_QUEUE)
        m[at + 3 * QUEUE_DEPTH] = max(w[store_at(w, stores - 1 - back) + STORE_START] - now, FULL_QUEUE)
    at = v + V_LISTS
    for index in range(acts, act):
        m[at] = max(w[act_at(w, index) + READY] - now, SOON)
        at += 1
    for index in range(wgts, wgt):
        m[at] = max(w[wgt_at(w, index) + READY] - now, SOON)
        at += 1
    found = 0
    while found < stores - HALF_STORES and w[store_at(w, stores - 1 - found) + STORE_END] - now > LEFT:
        m[at] = w[store_at(w, stores - 1 - found) + STORE_END] - now
        at += 1
        found += 1
    m[v + V_STORES] = found
    return at
