"""A memory grows without forgetting: every step and state is found in a larger one."""

import numpy as np

from mapper.cost.entry_states import V_LISTS
from mapper.cost.memo import (
    BLOCKS,
    STATE_AT,
    STATE_TABLE,
    STEP_TABLE,
    STEP_WORDS,
    VECTORS,
    grown,
    new_memo,
    refill,
    segment_of,
    used,
)


def filled(steps, states):
    """A memory with random steps, and states that differ in their last integer."""
    memo, rng = new_memo(), np.random.default_rng(1)
    for state in range(states):
        at = used(memo, VECTORS)
        segment_of(memo, VECTORS)[at + V_LISTS - 1] = state
        segment_of(memo, STATE_AT)[state] = at
        memo[3 * VECTORS + 2] += V_LISTS
        memo[3 * STATE_AT + 2] += 1
    refill(memo, STATE_TABLE, np.empty(0, np.int64))
    old = np.zeros((steps, STEP_WORDS), np.int64)
    old[:, 0] = rng.permutation(1 << 20)[:steps] + 1 << 32 | rng.integers(1 << 20, size=steps)
    old[:, 1:] = rng.integers(1 << 20, size=(steps, STEP_WORDS - 1))
    refill(memo, STEP_TABLE, old.reshape(-1))
    return memo, old


def entries(memo):
    table = segment_of(memo, STEP_TABLE).reshape(-1, STEP_WORDS)
    return sorted(map(tuple, table[table[:, 0] != 0].tolist()))


def test_all_is_there_in_a_larger_one():
    memo, steps = filled(5000, 3000)
    for segment in (STEP_TABLE, STATE_TABLE, BLOCKS):
        larger = grown(memo, segment)
        assert entries(larger) == sorted(map(tuple, steps.tolist()))
        numbers = segment_of(larger, STATE_TABLE)
        assert sorted(numbers[numbers > 0].tolist()) == list(range(1, 3001))
        assert np.array_equal(
            segment_of(larger, VECTORS)[: used(memo, VECTORS)], segment_of(memo, VECTORS)[: used(memo, VECTORS)]
        )
        assert larger[3 * segment + 1] >= 2 * memo[3 * segment + 1]
        memo = larger
