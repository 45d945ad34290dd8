"""Tokens of commands: who waits and who signals."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mapper.lowering.encode import match_tokens


@given(st.lists(st.integers(-1, 12), max_size=30))
def test_the_kth_wait_proves_what_its_consumer_needs(needs):
    """Signals come in the producer's order, waits in the consumer's; the k-th pair must name the same event."""
    waits, signals = match_tokens(np.array(needs, np.int64))
    assert len(set(signals.tolist())) == len(signals) == len(waits)  # a producer signals once
    seen, given = -1, iter(sorted(signals.tolist()))
    for consumer, need in enumerate(needs):
        if consumer in waits:
            seen = next(given)  # what this wait really takes
        assert seen >= need


def test_order_of_reading_other_than_order_of_writing():
    """Tensors stored by STOREs 1 and 2; the second is read first: one wait, for the later one, serves both."""
    waits, signals = match_tokens(np.array([2, 1]))
    assert (waits.tolist(), signals.tolist()) == ([0], [2])
    waits, signals = match_tokens(np.array([1, 2]))
    assert (waits.tolist(), signals.tolist()) == ([0, 1], [1, 2])
