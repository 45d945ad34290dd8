"""The sizes of a prologue's transfers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mapper.lowering.dense_loads import ramp


@given(st.integers(1, 60), st.booleans(), st.booleans(), st.integers(1, 60), st.integers(1, 4))
def test_a_ramp_brings_every_row_once_and_grows_and_shrinks(
    count: int, grows: bool, shrinks: bool, most: int, begin: int
) -> None:
    begin = min(begin, count)
    sizes = np.zeros(count + 1, np.int64)
    parts = sizes[: ramp(sizes, 0, count, int(grows), int(shrinks), most, begin)].tolist()
    assert sum(parts) == count and min(parts) > 0
    rest = parts[1:] if begin > 1 else parts
    assert all(part <= most for part in rest)
    before = begin if begin > 1 else 0
    for part in rest:
        if grows:  # no more than has come, so that the array has work meanwhile
            assert part <= max(1, before)
        if shrinks:  # no more than half of what is left, so that the last one is short
            assert part <= -(-(count - before) // 2)
        before += part
