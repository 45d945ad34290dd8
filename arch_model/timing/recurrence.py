"""The cycles of a Program as one compiled max-plus recurrence over its rows of commands.

The same machine as :mod:`arch_model.timing.reference_timing` describes, unit by unit, but in one loop: FETCH meets the
commands in an order in which each comes after all that it waits for, so every maximum is over times that are known.

That order is decided on the way, from the times that are known then: a load is issued as soon as what it waits for has
been issued and its queue has room no later than the queue of the next PASS. So a load never holds up FETCH, and with it
the array, longer than that PASS would.

LOAD_ACT and a STORE that writes into the SB have one port of it in turns, in the order in which they are issued.
"""

from __future__ import annotations

from arch_model.compiled import Ints, compiled, inner
from arch_model.machine.microarchitecture import (
    FEED_FULL,
    FETCH_ADDRESS,
    FETCH_DECODE,
    FETCH_END,
    FETCH_QUEUE,
    FETCH_ROOM,
    LOAD_ADDRESS,
    LOAD_GIVE,
    QUEUE_DEPTH,
    RUN_WRITE,
    STORE_GIVE,
    STORE_KEPT,
    STORE_NEXT,
    TOKEN,
)
from arch_model.program.isa import SLOT_BYTES
from arch_model.timing.rows import (
    ACT,
    ACT_COLUMNS,
    AFTER,
    AFTER_PASS,
    AFTER_STORE,
    AWAITS,
    BEAT_CYCLES,
    COUNT,
    CYCLES,
    FEED_FREE,
    FEED_LAST,
    FEED_START,
    FIRST_PIXEL,
    IDLE,
    INTERVAL,
    KP,
    LAST_KEPT,
    LAST_LOAD,
    LATENCY,
    LOAD_ACT_UNIT,
    LOAD_WGT_UNIT,
    NEED,
    NEVER,
    ORDER,
    PASS_COLUMNS,
    PASS_CYCLES,
    PASS_UNIT,
    PBEAT,
    PLACE,
    PORT_LOAD,
    PORT_STORE,
    READY,
    REPS,
    RUN_LAST,
    RUN_START,
    SLOT_ARRIVAL,
    SLOT_BEHIND,
    SLOT_LEFT,
    SLOT_PACE,
    SLOTS_READ,
    SLOTS_TOGETHER,
    START,
    STORE,
    STORE_COLUMNS,
    STORE_END,
    STORE_START,
    STORE_UNIT,
    TO_DRAM,
    TOTAL_CYCLES,
    UNIT_FREE,
    WAIT_OUT,
    WAIT_SB,
    WAIT_WEIGHTS,
    WGT,
    WGT_COLUMNS,
    WORD_CYCLES,
    WORD_READ,
    WRITES,
    act_at,
    pass_at,
    store_at,
    wgt_at,
)


@inner
def _next_slot(w: Ints) -> int:
    """When the next slot of the Program arrives in FETCH's gearbox: see ``slot_pace``."""
    arrival = w[SLOT_ARRIVAL]
    if w[SLOTS_READ] == 0:
        arrival += w[SLOT_PACE]
    return max(arrival, w[SLOT_LEFT] + w[SLOT_BEHIND])


@inner
def _dispatch(w: Ints, slots: int, room: int) -> int:
    """Read a command of so many slots, leave when its queue has ``room``; when the queue shows it."""
    for _ in range(slots):
        arrival = _next_slot(w)
        w[SLOT_LEFT] = max(arrival + FETCH_DECODE, w[SLOT_LEFT] + 1)
        w[SLOT_ARRIVAL] = arrival
        w[SLOTS_READ] += 1
        if w[SLOTS_READ] == w[SLOTS_TOGETHER]:
            w[SLOTS_READ] = 0
    w[SLOT_LEFT] = max(w[SLOT_LEFT], room)
    return w[SLOT_LEFT] + FETCH_QUEUE


@inner
def load_times(w: Ints, unit: int, row: int, there: int) -> None:
    """The times of a LOAD_ACT or LOAD_WGT, written into its row.

    Parameters
    ----------
    w : workspace.
    unit : ``LOAD_ACT_UNIT`` or ``LOAD_WGT_UNIT``.
    row : index in ``w`` at which the command's row begins.
    there : cycle from which its queue shows the command.
    """
    start = max(there, w[UNIT_FREE + unit])
    if w[row + AFTER_PASS] >= 0:
        after = pass_at(w, w[row + AFTER_PASS])
        start = max(start, (w[after + RUN_LAST] if unit == LOAD_ACT_UNIT else w[after + FEED_LAST]) + TOKEN)
    if w[row + AFTER_STORE] >= 0:
        start = max(start, w[store_at(w, w[row + AFTER_STORE]) + STORE_END] + TOKEN)
    end = start + LOAD_ADDRESS + w[LATENCY] + w[row + CYCLES]
    w[row + START] = start
    w[row + READY] = end + LOAD_GIVE + TOKEN
    w[UNIT_FREE + unit] = end + LOAD_GIVE
    w[IDLE] = max(w[IDLE], end)


@inner
def pass_times(w: Ints, row: int, there: int, free: int, feed_free: int, pixel: int) -> tuple[int, int, int]:
    """The times of a PASS, written into its row: FEED brings its weights to the shadow registers while RUN goes over
    pixels.

    Parameters
    ----------
    w : workspace.
    row : index in ``w`` at which the command's row begins.
    there : cycle from which its queue shows the command.
    free, feed_free, pixel : next free cycle of RUN and of FEED, first pixel of the repetition before.

    Returns
    -------
    free, feed_free, pixel
        As they are then.
    """
    feed = max(there, feed_free)
    if w[row + WGT] >= 0:
        feed = max(feed, w[wgt_at(w, w[row + WGT]) + READY])
    start = max(there, free)
    ready = 0
    if w[row + ACT] >= 0:
        ready = w[act_at(w, w[row + ACT]) + READY]
    if w[row + AWAITS]:
        ready = max(ready, w[store_at(w, w[row + AWAITS] - 1) + WORD_READ] + STORE_KEPT + TOKEN)
    w[WAIT_SB] += max(0, ready - start)
    start = max(start, ready)
    if w[row + STORE] >= 0:
        free = w[store_at(w, w[row + STORE]) + WORD_READ] + TOKEN
        w[WAIT_OUT] += max(0, free - start)
        start = max(start, free)
    kp, cycles, reps = w[KP], w[row + PASS_CYCLES], w[row + REPS]
    read = max(feed, pixel) + 1
    pixel = max(start + 1, read + kp - 1 + FEED_FULL)
    w[WAIT_WEIGHTS] += pixel - start - 1
    last_read = read + kp - 1
    if reps > 1:  # from the second one on, each tile is read while the one before is at work
        pace = max(cycles, kp + FEED_FULL)
        w[WAIT_WEIGHTS] += (reps - 1) * (pace - cycles)
        pixel += (reps - 1) * pace
        last_read = pixel - pace + kp
    w[row + FEED_START] = feed
    w[row + RUN_START] = start
    w[row + FEED_LAST] = last_read
    w[row + RUN_LAST] = pixel + cycles - 1
    return pixel + cycles - 1, last_read + 1, pixel


@inner
def store_times(w: Ints, row: int, there: int) -> None:
    """The times of a STORE, written into its row.

    Parameters
    ----------
    w : workspace.
    row : index in ``w`` at which the command's row begins.
    there : cycle from which its queue shows the command.
    """
    start = max(there, w[UNIT_FREE + STORE_UNIT])
    if w[row + AFTER] >= 0:
        start = max(start, w[pass_at(w, w[row + AFTER]) + RUN_LAST] + RUN_WRITE + TOKEN)
    end = start + w[row + BEAT_CYCLES] + w[LATENCY] + STORE_GIVE
    w[row + STORE_START] = start
    w[row + WORD_READ] = start + w[row + WORD_CYCLES]
    w[row + STORE_END] = end
    w[UNIT_FREE + STORE_UNIT] = end + STORE_NEXT
    w[IDLE] = max(w[IDLE], end)


@inner
def _load(w: Ints, unit: int, index: int, place: int) -> int:
    """Issue a LOAD_ACT or LOAD_WGT as the Program's command ``place``; the place after it."""
    columns = ACT_COLUMNS if unit == LOAD_ACT_UNIT else WGT_COLUMNS
    row = act_at(w, index) if unit == LOAD_ACT_UNIT else wgt_at(w, index)
    room = w[row - QUEUE_DEPTH * columns + START] + 1 if index >= QUEUE_DEPTH else 0
    there = _dispatch(w, 1, room)
    if unit == LOAD_ACT_UNIT:
        w[row + PORT_STORE] = w[LAST_KEPT]
        if w[LAST_KEPT]:
            there = max(there, w[store_at(w, w[LAST_KEPT] - 1) + STORE_END] + TOKEN)
        w[LAST_LOAD] = index + 1
    load_times(w, unit, row, there)
    return _placed(w, unit, index, place)


@inner
def _store(w: Ints, index: int, place: int) -> int:
    """Issue a STORE."""
    row, room = store_at(w, index), 0
    if index >= QUEUE_DEPTH:
        room = w[row - QUEUE_DEPTH * STORE_COLUMNS + STORE_START] + 1
    there = _dispatch(w, 2, room)
    if w[row + WRITES] != TO_DRAM:
        w[row + PORT_LOAD] = w[LAST_LOAD]
        if w[LAST_LOAD]:
            there = max(there, w[act_at(w, w[LAST_LOAD] - 1) + READY])
        w[LAST_KEPT] = index + 1
    store_times(w, row, there)
    return _placed(w, STORE_UNIT, index, place)


@inner
def _placed(w: Ints, unit: int, index: int, place: int) -> int:
    at = w[ORDER] + 2 * place
    w[at] = unit
    w[at + 1] = index
    return place + 1


@inner
def _ahead(w: Ints, unit: int, index: int, passes: int, stores: int) -> bool:
    """Whether a load is issued now: what it waits for is, and its queue has room no later than the next PASS's."""
    if index >= w[COUNT + unit]:
        return False
    row, columns = act_at(w, index), ACT_COLUMNS
    if unit == LOAD_WGT_UNIT:
        row, columns = wgt_at(w, index), WGT_COLUMNS
    if w[row + AFTER_PASS] >= passes or w[row + AFTER_STORE] >= stores:
        return False
    if index < QUEUE_DEPTH:
        return True
    room, now = w[row - QUEUE_DEPTH * columns + START] + 1, w[SLOT_LEFT]
    if passes >= QUEUE_DEPTH:
        before = pass_at(w, passes - QUEUE_DEPTH)
        now = max(now, max(w[before + FEED_START], w[before + RUN_START]) + 1)
    return room <= now


@inner
def begin(w: Ints) -> None:
    """Clear what is carried from command to command and the totals: nothing has been fetched."""
    for place in range(TOTAL_CYCLES, IDLE + 1):
        w[place] = 0
    beats = max(1, SLOT_BYTES // w[PBEAT])
    w[SLOTS_TOGETHER] = max(1, w[PBEAT] // SLOT_BYTES)
    w[SLOT_PACE] = beats * w[INTERVAL]
    w[SLOT_BEHIND] = FETCH_ROOM + (beats - 2) * w[INTERVAL]
    w[SLOT_ARRIVAL] = FETCH_ADDRESS + w[LATENCY] - w[INTERVAL]
    w[SLOT_LEFT] = w[FIRST_PIXEL] = -1
    w[LAST_LOAD] = w[LAST_KEPT] = 0


@inner
def issue_ahead(w: Ints, index: int, act: int, wgt: int, store: int, place: int) -> tuple[int, int, int]:
    """Issue what can be issued before a PASS though that does not need it.

    Parameters
    ----------
    w : workspace.
    index : of the PASS.
    act, wgt, store : index of the next command of LOAD_ACT, LOAD_WGT and STORE.
    place : position of the next command in the Program.

    Returns
    -------
    act, wgt, place
        As they are then.
    """
    while _ahead(w, LOAD_ACT_UNIT, act, index, store):
        place = _load(w, LOAD_ACT_UNIT, act, place)
        act += 1
    while _ahead(w, LOAD_WGT_UNIT, wgt, index, store):
        place = _load(w, LOAD_WGT_UNIT, wgt, place)
        wgt += 1
    return act, wgt, place


@inner
def _issued_from(w: Ints, unit: int, index: int, stores: int) -> tuple[int, int]:
    """The first PASS before which a load can be issued, as far as it waits for PASSes and STOREs, and from when on its
    queue has room."""
    row, columns = act_at(w, index), ACT_COLUMNS
    if unit == LOAD_WGT_UNIT:
        row, columns = wgt_at(w, index), WGT_COLUMNS
    if index >= w[COUNT + unit] or w[row + AFTER_STORE] >= stores:
        return NEVER, 0
    room = w[row - QUEUE_DEPTH * columns + START] + 1 if index >= QUEUE_DEPTH else -1
    return w[row + AFTER_PASS] + 1, room


@inner
def _due(w: Ints, act: int, wgt: int, store: int) -> int:
    """The PASS behind which another command must be issued."""
    last = NEVER
    if act < w[COUNT + LOAD_ACT_UNIT]:
        last = w[act_at(w, act) + NEED] - 1
    if wgt < w[COUNT + LOAD_WGT_UNIT]:
        last = min(last, w[wgt_at(w, wgt) + NEED] - 1)
    if store < w[COUNT + STORE_UNIT]:
        last = min(last, w[store_at(w, store) + PLACE])
    return last


@inner
def _passes(w: Ints, first: int, last: int, act: int, wgt: int, store: int, place: int) -> int:
    """Issue PASSes: ``first`` in any case, and those behind it up to the one before ``last`` until another command is
    issued; the PASS behind them."""
    last = min(last, max(first, _due(w, act, wgt, store)) + 1)
    act_from, act_room = _issued_from(w, LOAD_ACT_UNIT, act, store)
    wgt_from, wgt_room = _issued_from(w, LOAD_WGT_UNIT, wgt, store)
    free, feed_free, pixel = w[UNIT_FREE + PASS_UNIT], w[FEED_FREE], w[FIRST_PIXEL]
    row, at = pass_at(w, first), w[ORDER] + 2 * place
    for index in range(first, last):
        room = 0
        if index >= QUEUE_DEPTH:
            before = row - QUEUE_DEPTH * PASS_COLUMNS
            room = max(w[before + FEED_START], w[before + RUN_START]) + 1
        now = max(w[SLOT_LEFT], room)
        if index > first and ((index >= act_from and act_room <= now) or (index >= wgt_from and wgt_room <= now)):
            last = index
            break
        free, feed_free, pixel = pass_times(w, row, _dispatch(w, 1, room), free, feed_free, pixel)
        w[at] = PASS_UNIT
        w[at + 1] = index
        row += PASS_COLUMNS
        at += 2
    w[UNIT_FREE + PASS_UNIT], w[FEED_FREE], w[FIRST_PIXEL] = free, feed_free, pixel
    w[IDLE] = max(w[IDLE], free)
    return last


@inner
def advance(
    w: Ints, index: int, last: int, act: int, wgt: int, store: int, place: int
) -> tuple[int, int, int, int, int]:
    """Issue a PASS behind the loads that it needs, the PASSes behind it up to the next other command, and the STOREs
    behind these.

    Parameters
    ----------
    w : workspace.
    index : of the PASS; -1 stands for the Program's start.
    last : the PASS behind the last one that may be issued.
    act, wgt, store : index of the next command of LOAD_ACT, LOAD_WGT and STORE.
    place : position of the next command in the Program.

    Returns
    -------
    index, act, wgt, store, place
        As they are then: of what is to be issued next.
    """
    if index >= 0:
        while act < w[COUNT + LOAD_ACT_UNIT] and w[act_at(w, act) + NEED] <= index:
            place = _load(w, LOAD_ACT_UNIT, act, place)
            act += 1
        while wgt < w[COUNT + LOAD_WGT_UNIT] and w[wgt_at(w, wgt) + NEED] <= index:
            place = _load(w, LOAD_WGT_UNIT, wgt, place)
            wgt += 1
        behind = _passes(w, index, last, act, wgt, store, place)
        place += behind - index
        index = behind - 1
    while store < w[COUNT + STORE_UNIT] and w[store_at(w, store) + PLACE] <= index:
        place = _store(w, store, place)
        store += 1
    return index + 1, act, wgt, store, place


@inner
def finish(w: Ints, act: int, wgt: int, place: int) -> int:
    """Issue the loads that no PASS of this Program waits for, and END.

    Parameters
    ----------
    w : workspace.
    act, wgt : index of the next command of LOAD_ACT and LOAD_WGT.
    place : position of the next command in the Program.

    Returns
    -------
    int
        Cycles from start to done, both counted.
    """
    for index in range(act, w[COUNT]):
        place = _load(w, LOAD_ACT_UNIT, index, place)
    for index in range(wgt, w[COUNT + 1]):
        place = _load(w, LOAD_WGT_UNIT, index, place)
    end = max(_next_slot(w) + FETCH_DECODE, w[SLOT_LEFT] + 1) + FETCH_END
    w[TOTAL_CYCLES] = max(w[IDLE] + 1, end) + 1
    return w[TOTAL_CYCLES]


@compiled
def issue(w: Ints) -> int:
    """Time the commands of a Program, and put them in order.

    Parameters
    ----------
    w : a workspace with a machine and streams (:mod:`arch_model.timing.rows`). Their times, the order and the totals
        are filled.

    Returns
    -------
    Cycles from start to done, both counted.
    """
    begin(w)
    last = w[COUNT + PASS_UNIT]
    index, act, wgt, store, place = advance(w, -1, last, 0, 0, 0, 0)
    while index < last:
        if index > 0:
            act, wgt, place = issue_ahead(w, index, act, wgt, store, place)
        index, act, wgt, store, place = advance(w, index, last, act, wgt, store, place)
    return finish(w, act, wgt, place)
