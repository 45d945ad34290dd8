"""A memory grows without forgetting: every step and state is found in a larger one."""

import numpy as np

from mapper.cost.entry_states import V_LISTS
from mapper.cost.memo import (
    BLOCKS,
    STATE_AT,
    STATE_TABLE,
    STATE_WORDS,
    STEP_WORDS,
    VECTORS,
    grown,
    more_steps,
    new_memo,
    new_steps,
    refill_states,
    refill_steps,
    segment_of,
    used,
)


def test_states_are_there_in_a_larger_one():
    """States that differ in their last integer."""
    memo, states = new_memo(), 3000
    for state in range(states):
        at = used(memo, VECTORS)
        segment_of(memo, VECTORS)[at + V_LISTS - 1] = state
        segment_of(memo, STATE_AT)[state * STATE_WORDS] = at
        memo[3 * VECTORS + 2] += V_LISTS
        memo[3 * STATE_AT + 2] += STATE_WORDS
    refill_states(memo)
    for segment in (STATE_TABLE, BLOCKS, VECTORS):
        larger = grown(memo, segment)
        numbers = segment_of(larger, STATE_TABLE)
        assert sorted(numbers[numbers > 0].tolist()) == list(range(1, states + 1))
        length = used(memo, VECTORS)
        assert np.array_equal(segment_of(larger, VECTORS)[:length], segment_of(memo, VECTORS)[:length])
        assert larger[3 * segment + 1] >= 2 * memo[3 * segment + 1]
    assert grown(memo, VECTORS, 1 << 25)[3 * VECTORS + 1] >= 1 << 25


def entries(table):
    rows = table.reshape(-1, STEP_WORDS)
    return sorted(map(tuple, rows[rows[:, 0] != 0].tolist()))


def test_steps_are_there_in_a_larger_table():
    rng, count = np.random.default_rng(1), 5000
    steps = rng.integers(1 << 20, size=(count, STEP_WORDS))
    steps[:, 0] |= rng.permutation(1 << 20)[:count] + 1 << 32
    table = new_steps(1 << 13)
    refill_steps(table, steps.reshape(-1))
    assert entries(table) == entries(steps)
    larger = more_steps(table)
    assert entries(larger) == entries(steps) and len(larger) == 2 * len(table)
