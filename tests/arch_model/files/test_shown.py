import datetime
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.files.shown import plain, shown

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside) | st.tuples(inside) | st.tuples(),
    max_leaves=8,
)


@settings(max_examples=60, derandomize=True)
@given(PLAIN)
def test_a_short_value_is_shown_as_python_writes_it_and_no_value_is_shown_longer(value):
    text, whole = shown(value), repr(value)
    assert len(text) <= 60
    assert text == whole if len(whole) <= 60 else text.startswith(whole[:50]) and text.endswith("...")


def test_what_holds_itself_billions_of_times_is_shown_at_once():
    bomb: object = ["x"]
    mapping: object = {"a": 1}
    for _ in range(40):
        bomb, mapping = [bomb] * 9, {"a": mapping, "b": mapping}
    endless = []
    endless.append(endless)
    began = time.perf_counter()
    for value in (bomb, mapping, endless, "x" * 10**7, list(range(10**6)), 10**100_000, -(2**200_000)):
        assert len(shown(value)) <= 60
    assert time.perf_counter() - began < 1


def test_an_object_is_shown_by_its_class_alone():
    class Nasty:
        def __repr__(self) -> str:
            raise AssertionError("not asked")

    assert shown([Nasty()]) == "[an object of type Nasty]"
    assert shown(np.zeros(10)) == "an object of type ndarray"
    assert shown(datetime.date(2024, 1, 2)) == "datetime.date(2024, 1, 2)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("a\r\nb", "a\\r\\nb"),
        ("\ud800", "\\ud800"),
        ("\x1b[31m", "\\x1b[31m"),
        ("ä" * 70, "ä" * 57 + "..."),
    ],
)
def test_a_text_in_a_sentence_has_no_line_ends_and_no_control_characters(text, expected):
    assert plain(text) == expected
