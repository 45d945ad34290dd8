"""The recurrence on arrays: the example of docs/concepts/time.md, counted by hand, and what a batch must be."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.timing.closed_form import Batch, Entry, Loads, Machines, Passes, Stores, time_batch


def column(*numbers):
    """One Program's commands."""
    return np.array(numbers, np.int64)[:, None]


def one(number):
    return np.array([number], np.int64)


# docs/concepts/time.md: conv 3 x 3 of 3 to 3 channels on 4 x 4 pixels, `tiny`. Transfers, from acceptance to the token:
# LOAD_ACT 1 + 24 + 24 + 1, ZSB 1 + 24 + 15 + 1, tile 1 + 24 + 53 + 1; STORE reads its last word after 16 cycles and
# sends its last beat after 34, which is acknowledged 24 + 1 later.
EXAMPLE = Batch(
    Machines(kp=one(4), program_beat_bytes=one(4), latency=one(24), interval=one(2)),
    acts=Loads(one(1), column(0), column(-1), column(50), column(24 + 2 * 12)),
    wgts=Loads(one(2), column(0, 0), column(-1, -1), column(41, 79), column(24 + 2 * 8, 24 + 2 * 27)),
    passes=Passes(one(1), column(1), column(16), column(0), column(1), column(-2)),
    stores=Stores(one(1), column(0), column(16), column(34 + 25), column(24 + 24)),
)


def test_the_example_of_the_model_page():
    timing = time_batch(EXAMPLE)
    assert timing.act_done[:, 0].tolist() == [92]  # in hand in 42
    assert timing.wgt_done[:, 0].tolist() == [99, 178]  # 58 and, the unit being busy, 99
    assert timing.read_last[0, 0] == 183  # FEED from 179
    assert timing.run_last[0, 0] == 200  # 16 pixels from 185
    assert timing.store_done[0, 0] == 272  # from 213
    assert [int(x[0]) for x in (timing.wait_sb, timing.wait_weights, timing.wait_out)] == [3, 91, 0]
    assert timing.cycles.tolist() == [274]


def test_the_rest_of_a_longer_program_waits_for_what_is_before():
    nothing = Entry(one(0), one(0), column(0), column(0, 0), column(0, 0))
    # Weights are there in 41 + 79 and the token's cycle, in the shadow 6 later; 16 pixels.
    assert time_batch(EXAMPLE, nothing).run_last[0, 0] == 120 + 1 + 6 + 15
    held = replace(nothing, run=one(1000))
    assert time_batch(EXAMPLE, held).run_last[0, 0] == 1016
    held = replace(nothing, act=column(1000))
    assert time_batch(EXAMPLE, held).run_last[0, 0] == 1000 + 50 + 1 + 16
    held = replace(nothing, out=column(1000, 0))  # the first chunk's half: its pixels begin one later
    assert time_batch(EXAMPLE, held).run_last[0, 0] == 1000 + 16
    held = replace(nothing, store=one(1000))
    assert time_batch(EXAMPLE, held).store_done[0, 0] == 1000 + 59


def test_programs_come_by_descending_passes():
    two = Passes(np.array([1, 2]), *(np.zeros((2, 2), np.int64),) * 5)
    with pytest.raises(ValueError, match="another order"):
        replace(EXAMPLE, passes=two)
