"""Numbers of the command line: their limits, and a bounded display of what is none."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.spaces.chosen import MOST_DRAWN
from reports.commands.numbers import Count, Number
from reports.commands.options import DRAWN

COUNT = Count(1, 1000, "each is simulated")


@given(st.integers(1, 1000))
def test_a_count_within_its_limits(number: int) -> None:
    assert COUNT.convert(str(number), None, None) == COUNT.convert(f" {number} ", None, None) == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0", "0 is out of range; give 1 to 1,000: each is simulated"),
        ("1001", "1001 is out of range"),
        ("-3", "-3 is out of range"),
        ("9" * 5000, "is out of range"),
        ("1e3", "'1e3' is not a valid integer; give 1 to 1,000"),
        ("many", "'many' is not a valid integer"),
        ("x" * 5000, "is not a valid integer"),
        ("\u0663", "is not a valid integer"),
        ("1\n2", "is not a valid integer"),
        ("1.0", "is not a valid integer"),
        ("nan", "is not a valid integer"),
    ],
)
def test_no_count(text: str, words: str) -> None:
    with pytest.raises(click.BadParameter) as error:
        COUNT.convert(text, None, None)
    assert words in error.value.message and len(error.value.message) < 200


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "-1", "100.1", "1e999999999"])
def test_no_number(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is out of range; give 0 to 100"):
        Number(0, 100).convert(text, None, None)


@pytest.mark.parametrize("text", ["", "x" * 5000, "1,5", "0x10"])
def test_no_number_at_all(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not a number; give 0 to 100") as error:
        Number(0, 100).convert(text, None, None)
    assert len(error.value.message) < 200


def test_one_limit_for_what_is_drawn() -> None:
    assert DRAWN.most == MOST_DRAWN
