import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError
from arch_model.files import json_file
from arch_model.files.json_file import DEPTH, parse_json
from arch_model.files.wanted import Wanted

WANTED = Wanted("x.json", "a good one")
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=4), inside, max_size=4),
    max_leaves=15,
)


def refused(text):
    with pytest.raises(FastSwitchError) as error:
        parse_json(text, WANTED)
    assert len(str(error.value)) < 300 and str(error.value).isprintable()
    return str(error.value)


@settings(max_examples=40, derandomize=True)
@given(TREES)
def test_what_is_written_is_read(tree):
    assert parse_json(json.dumps(tree), WANTED) == tree
    assert parse_json(json.dumps(tree, ensure_ascii=False).encode(), WANTED) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.json, line 1: not JSON: "),
        ("[1,\n2,,]", "x.json, line 2: not JSON: "),
        ('{"a": {"b": 1, "b": 1}}', "x.json: key b is given twice; give it once"),
        ("[NaN]", "NaN is not JSON; give a finite number"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("[1e999]", "the number 1e999 is too large or too long"),
        ("[" + "9" * 5000 + "]", "the number 99999999999999999... has 5000 digits; give at most 400"),
        ("[0." + "1" * 5000 + "]", "too large or too long"),
        (r'["a\ud800b"]', r"the text a\ud800b has half of a surrogate pair"),
        (r'{"\udfff": 1}', "has half of a surrogate pair"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), "nested too deep"),
        ('"a\nb"', "not JSON: "),
        (b"[\xff]", "byte 1 is not UTF-8"),
    ],
)
def test_what_is_refused(text, message):
    began = time.perf_counter()
    assert message in refused(text)
    assert time.perf_counter() - began < 1


def test_what_is_just_good():
    assert parse_json("[" * DEPTH + "]" * DEPTH, WANTED)
    assert parse_json("[" + "9" * 400 + "]", WANTED) == [int("9" * 400)]
    assert parse_json(r'["\ud83d\ude00"]', WANTED) == ["\U0001f600"]


def test_values_have_a_budget(monkeypatch):
    monkeypatch.setattr(json_file, "ELEMENTS", 100)
    assert len(parse_json(json.dumps([1] * 100), WANTED)) == 100
    assert "about 102 values, more than 100" in refused(json.dumps([[]] + [1] * 100))
