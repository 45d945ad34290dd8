"""The recurrence without FETCH's waits: a lower bound of a Program's cycles whatever the order of its commands.

Two kinds of waits are left out: of a command for others to be dispatched before it, and for room in its unit's queue.
(That a Program's slots take their time to arrive is kept, for the commands whose place in it is known.) What is left of
:mod:`arch_model.timing.recurrence` are maxima over times of earlier rows and constants that the rows hold, so every
time is a max-plus linear function of the times at which the units and buffers were free before; and as each maximum is
over fewer terms, no time is later than in the Program.
"""

from __future__ import annotations

from arch_model.compiled import Ints, compiled, inner
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import FETCH_ADDRESS, FETCH_DECODE, FETCH_QUEUE
from arch_model.program.isa import SLOT_BYTES
from arch_model.timing.recurrence import load_times, pass_times, store_times
from arch_model.timing.rows import (
    COUNT,
    FEED_FREE,
    FIRST_PIXEL,
    IDLE,
    INTERVAL,
    LATENCY,
    LOAD_ACT_UNIT,
    LOAD_WGT_UNIT,
    NEED,
    PASS_UNIT,
    PBEAT,
    PLACE,
    STORE_UNIT,
    UNIT_FREE,
    act_at,
    pass_at,
    store_at,
    wgt_at,
)

FAR = -(1 << 40)
"""A time so long ago that nothing waits for it."""


def slot_cycles(accelerator: Accelerator) -> int:
    """Cycles from a slot of a Program to the next one, if FETCH waits for nothing else.

    >>> slot_cycles(Accelerator.load("tiny"))                # a slot of 8 beats, one every 2 cycles
    16
    """
    beats = SLOT_BYTES // accelerator.program_beat_bytes
    return max(1, accelerator.dram.cycles_per_beat * beats)


@compiled
def first_dispatch(machine: Ints) -> int:
    """The first cycle in which some unit's queue can show a command of a Program.

    Parameters
    ----------
    machine : a row of :data:`arch_model.timing.rows.MACHINE`, or a workspace, which begins with one.

    Examples
    --------
    >>> from arch_model.timing.rows import machine_row
    >>> first_dispatch(machine_row(Accelerator.load("tiny")))
    42
    """
    beats = max(1, SLOT_BYTES // machine[PBEAT])
    first: int = FETCH_ADDRESS + machine[LATENCY] + (beats - 1) * machine[INTERVAL] + FETCH_DECODE + FETCH_QUEUE
    return first


@inner
def relax(w: Ints, passes: int, stores: int, there: int, pace: int, starts: int) -> int:
    """Time all loads of a workspace, and its PASSes and STOREs from some on.

    When the units are free before stands in the header (``UNIT_FREE``, ``FEED_FREE``, ``FIRST_PIXEL``), and the times
    of the rows before in these rows.

    Parameters
    ----------
    w : workspace.
    passes, stores : index of the first PASS and of the first STORE that are timed.
    there, pace : when the next command can be there, and cycles from a slot to the next one. A PASS and a STORE are
        behind all that is needed before; loads may be ahead of that.
    starts : whether these are the first rows of a Program, so that the loads which the first PASS needs are the first
        commands.

    Returns
    -------
    When the command behind these can be there.
    """
    act, wgt, store = 0, 0, stores
    free, feed_free, pixel = w[UNIT_FREE + PASS_UNIT], w[FEED_FREE], w[FIRST_PIXEL]
    for index in range(passes - 1, w[COUNT + PASS_UNIT]):
        if index >= passes:
            while act < w[COUNT + LOAD_ACT_UNIT] and w[act_at(w, act) + NEED] <= index:
                load_times(w, LOAD_ACT_UNIT, act_at(w, act), there if starts and index == passes else FAR)
                there += pace
                act += 1
            while wgt < w[COUNT + LOAD_WGT_UNIT] and w[wgt_at(w, wgt) + NEED] <= index:
                load_times(w, LOAD_WGT_UNIT, wgt_at(w, wgt), there if starts and index == passes else FAR)
                there += pace
                wgt += 1
            free, feed_free, pixel = pass_times(w, pass_at(w, index), there, free, feed_free, pixel)
            there += pace
        while store < w[COUNT + STORE_UNIT] and w[store_at(w, store) + PLACE] <= index:
            store_times(w, store_at(w, store), there + pace)
            there += 2 * pace
            store += 1
    w[UNIT_FREE + PASS_UNIT], w[FEED_FREE], w[FIRST_PIXEL] = free, feed_free, pixel
    w[IDLE] = max(w[IDLE], free)
    return there
