"""One keyword of a search space: taken, refused, drawn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from arch_model.errors import SpaceError
from arch_model.network.choices import Choice


@pytest.mark.parametrize("value", [(2, 3), [2, 3], (2.0, np.int64(3))])
def test_a_list_is_taken_as_the_space_writes_it(value: Any) -> None:
    taken = Choice("depth", (2, 3, 4), 2).take("toy", value)
    assert taken == (2, 3) and [type(v) for v in taken] == [int, int]


@pytest.mark.parametrize("value", [(2,), (2, 5), "23", 2, None, (2, True), (2, [3]), {2: 3, 3: 2}])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(SpaceError) as error:
        Choice("depth", (1, 2, 3), 2).take("toy", value)
    assert str(error.value) == f"SubNet of toy: depth is {value!r}; give 2 of 1, 2, 3"


def test_a_single_value() -> None:
    image = Choice("image", (128, 160))
    assert image.take("toy", 160.0) == 160
    with pytest.raises(SpaceError, match=r"image is \[128\]; give one of 128, 160$"):
        image.take("toy", [128])


def test_draws_are_uniform() -> None:
    rng = np.random.default_rng(11)
    choice = Choice("kernel", (3, 5, 7), 2)
    counts = Counter(choice.draw(rng) for _ in range(9_000))
    assert len(counts) == 9 == choice.combinations
    # 1,000 of each are expected, 30 is a standard deviation
    assert all(abs(count - 1_000) < 150 for count in counts.values())


def test_the_first_may_have_fewer() -> None:
    rng = np.random.default_rng(2)
    choice = Choice("depth", (0, 1, 2), 2, first=(0, 2))
    assert {choice.draw(rng) for _ in range(200)} == {(a, b) for a in (0, 2) for b in (0, 1, 2)}
    assert choice.combinations == 6 and choice.take("toy", (1, 1)) == (1, 1)
