"""Commands and machines as rows of int64: what the compiled recurrence reads and writes.

A Program is four *streams*, one a unit, a row a command, in order of execution. What a command needs of another unit is
that unit's row number. Machine, streams and everything else that compiled functions share lie in one int64 array, the
*workspace*: functions that take one array and numbers compile in a fraction of the time of those that take many, and
run faster. Its first part is a header of named places; the streams lie where the header says.
"""

from __future__ import annotations

import numpy as np

from arch_model.compiled import Ints, inner
from arch_model.machine.accelerator import Accelerator

NEVER = 1 << 60
"""``NEED`` of a load that no PASS of this Program waits for."""

MACHINE = (
    *("kp", "cp", "nb", "pixels", "fold", "beat_bytes", "weight_beat_bytes", "program_beat_bytes", "tile_beats"),
    *("latency", "interval", "sb_half", "db_half", "out_half", "ob_pixels", "zsb_half", "pb_tiles"),
)
"""A machine: its array, its ports, its memories. It stands first in the workspace."""
KP, CP, NB, PIXELS, FOLD, BEAT, WBEAT, PBEAT, TILE_BEATS, LATENCY, INTERVAL, SB, DB, OUT, OB, ZSB, PB = range(17)

LOAD_ACT_UNIT, LOAD_WGT_UNIT, PASS_UNIT, STORE_UNIT = range(4)
"""The units in the order in which a Program's streams are listed."""

# Of each unit: where its stream begins, how many rows it has room for, how many are in use; then where the order
# begins.
BEGIN, ROOM, COUNT, ORDER = 17, 21, 25, 29

TOTAL = ("cycles", "wait_sb", "wait_weights", "wait_out")
"""What the recurrence finds of a whole Program."""
TOTAL_CYCLES, WAIT_SB, WAIT_WEIGHTS, WAIT_OUT = range(30, 34)

# What the recurrence carries from command to command: FETCH's slots (how many of the beat at work were read, when the
# last one arrived, when it left), the next free cycle of each unit, the first pixel of the repetition before, the last
# end so far.
SLOTS_READ, SLOT_ARRIVAL, SLOT_LEFT, UNIT_FREE, FEED_FREE, FIRST_PIXEL, IDLE = 34, 35, 36, 37, 41, 42, 43

# Of FETCH on this machine: slots that one beat holds, cycles from a slot's arrival to the next one's and from its leave
# to the next one's arrival (see ``slot_pace``).
SLOTS_TOGETHER, SLOT_PACE, SLOT_BEHIND = 44, 45, 46

# Who had the SB's write port last: the number of the LOAD_ACT, and of the STORE that writes into the SB, that were
# issued last, plus 1 (0: none).
LAST_LOAD, LAST_KEPT = 47, 48

HEADER = 49
"""Places of the header that the recurrence knows."""

# Loads of both kinds: the PASS and the STORE after which one may start (-1: at once), the first PASS that uses it,
# beats and cycles of its transfer; then, once it is timed: when it starts, when its token is there, and the number plus
# 1 of the STORE that leaves the SB's write port to a LOAD_ACT (0: none).
OWNER, NEED, AFTER_PASS, AFTER_STORE, BEATS, CYCLES, START, READY, PORT_STORE = range(9)
LOAD_TIMES = 9
"""Columns of a load that the recurrence knows."""

# A PASS: the LOAD_ACT, LOAD_WGT and STORE that it waits for (-1: none), repetitions, cycles of one, all repetitions up
# to its end; then when FEED and RUN take it, FEED's last read, RUN's last pixel; the number plus 1 of the STORE that
# writes its input into the SB (0: none does).
ACT, WGT, STORE, REPS, PASS_CYCLES, REPS_END, FEED_START, RUN_START, FEED_LAST, RUN_LAST, AWAITS = range(1, 12)
PASS_TIMES = 12
"""Columns of a PASS that the recurrence knows."""

# A STORE: the PASS behind which it is issued, the PASS whose results it takes (-1: it has no operand a), cycles to the
# read of its last word and to its last beat; then when it starts, its last word's read, its end; where it writes
# (TO_DRAM, TO_BOTH, TO_SB); the number plus 1 of the LOAD_ACT that leaves the SB's write port to it (0: none).
PLACE, AFTER, WORD_CYCLES, BEAT_CYCLES, STORE_START, WORD_READ, STORE_END, WRITES, PORT_LOAD = range(1, 10)
STORE_TIMES = 10
TO_DRAM, TO_BOTH, TO_SB = range(3)
"""Where a STORE writes: to DRAM, to DRAM and into the SB, into the SB alone."""
"""Columns of a STORE that the recurrence knows."""

ACT_COLUMNS, WGT_COLUMNS, PASS_COLUMNS, STORE_COLUMNS = LOAD_TIMES + 7, LOAD_TIMES + 7, PASS_TIMES + 18, STORE_TIMES + 5
"""Columns of each stream; those behind the times say what a command does and are named in
:mod:`mapper.lowering.rows`."""


@inner
def act_at(w: Ints, index: int) -> int:
    """Index in the workspace at which a LOAD_ACT's row begins.

    Parameters
    ----------
    w : workspace.
    index : of the command among its unit's.
    """
    return w[BEGIN + LOAD_ACT_UNIT] + index * ACT_COLUMNS


@inner
def wgt_at(w: Ints, index: int) -> int:
    """Index in the workspace at which a LOAD_WGT's row begins.

    Parameters
    ----------
    w : workspace.
    index : of the command among its unit's.
    """
    return w[BEGIN + LOAD_WGT_UNIT] + index * WGT_COLUMNS


@inner
def pass_at(w: Ints, index: int) -> int:
    """Index in the workspace at which a PASS's row begins.

    Parameters
    ----------
    w : workspace.
    index : of the command among its unit's.
    """
    return w[BEGIN + PASS_UNIT] + index * PASS_COLUMNS


@inner
def store_at(w: Ints, index: int) -> int:
    """Index in the workspace at which a STORE's row begins.

    Parameters
    ----------
    w : workspace.
    index : of the command among its unit's.
    """
    return w[BEGIN + STORE_UNIT] + index * STORE_COLUMNS


def machine_row(accelerator: Accelerator) -> Ints:
    """An accelerator as a row of :data:`MACHINE`, int64.

    >>> machine_row(Accelerator.load("tiny"))[[KP, CP, LATENCY]].tolist()
    [4, 3, 24]
    """
    a = accelerator
    return np.array(
        [
            *(a.kp, a.cp, a.nb, a.pixels, a.fold, a.beat_bytes, a.weight_beat_bytes, a.program_beat_bytes),
            *(a.tile_beats, a.dram.latency_cycles, a.dram.cycles_per_beat, a.sb_half_words, a.db_half_tiles),
            *(a.out_half_words, a.ob_pixels, a.zsb_half_entries, a.pb_tiles),
        ],
        np.int64,
    )


def stream(w: Ints, unit: int) -> Ints:
    """A unit's commands as a view into the workspace.

    Parameters
    ----------
    w : workspace.
    unit : such as ``PASS_UNIT``.

    Returns
    -------
    int64 array
        (commands, columns).
    """
    columns = (ACT_COLUMNS, WGT_COLUMNS, PASS_COLUMNS, STORE_COLUMNS)[unit]
    begin, count = int(w[BEGIN + unit]), int(w[COUNT + unit])
    return w[begin : begin + count * columns].reshape(count, columns)


def order_of(w: Ints) -> Ints:
    """The order of a Program's commands, END apart, (n, 2): the unit of each and its row in that unit's stream."""
    begin, count = int(w[ORDER]), int(w[COUNT : COUNT + 4].sum())
    return w[begin : begin + 2 * count].reshape(count, 2)
