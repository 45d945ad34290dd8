from hypothesis import given
from hypothesis import strategies as st

from mapper.lowering.issue_order import match_tokens


@given(st.lists(st.integers(-1, 12), max_size=30))
def test_the_kth_wait_proves_what_its_consumer_needs(needs):
    """Signals come in the producer's order, waits in the consumer's; the k-th pair must name the same event."""
    producers = match_tokens(needs)
    signals = sorted(p for p in producers if p >= 0)
    assert len(set(signals)) == len(signals)  # a producer signals once
    seen = -1
    waits = iter(signals)
    for need, producer in zip(needs, producers, strict=True):
        if producer >= 0:
            seen = next(waits)  # what this wait really takes
        assert seen >= need


def test_order_of_reading_other_than_order_of_writing():
    """Tensors stored by STOREs 1 and 2; the second is read first: one wait, for the later one, serves both."""
    assert match_tokens([2, 1]) == [2, -1]
    assert match_tokens([1, 2]) == [1, 2]
