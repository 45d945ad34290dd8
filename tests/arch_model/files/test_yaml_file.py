import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError
from arch_model.files.wanted import Wanted
from arch_model.files.yaml_file import DEPTH, NODES, parse_yaml, read_yaml

WANTED = Wanted("x.yaml", "a good one")


def refused(text):
    with pytest.raises(FastSwitchError) as error:
        parse_yaml(text, WANTED)
    assert len(str(error.value)) < 300 and str(error.value).isprintable()
    return str(error.value)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**50), 10**50) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=4), inside, max_size=4),
    max_leaves=15,
)


@settings(max_examples=40, derandomize=True)
@given(TREES)
def test_what_is_written_is_read(tree):
    assert parse_yaml(yaml.safe_dump(tree), WANTED) == tree


def test_aliases_and_merges_are_read_and_count_as_what_they_repeat():
    text = "a: &a {x: 1, y: [1, 2]}\nb: *a\nc:\n  <<: *a\n  x: 3\nd: {<<: [*a, {z: 4}]}\n"
    assert parse_yaml(text, WANTED)["c"] == {"x": 3, "y": [1, 2]}
    assert parse_yaml(text, WANTED)["d"] == {"x": 1, "y": [1, 2], "z": 4}
    hundred = "a: &a [" + "1," * 100 + "]\nb: ["
    assert len(parse_yaml(hundred + "*a," * 900 + "]", WANTED)["b"]) == 900
    assert f"more than {NODES} values" in refused(hundred + "*a," * 1000 + "]")


def bomb(width, depth, inner="x"):
    text = f"&d0 [{inner}]"
    for level in range(1, depth):
        text = f"&d{level} [{text}{f',*d{level - 1}' * width}]"
    return text


@pytest.mark.parametrize(
    "text",
    [
        f"kp: {bomb(8, 12)}",
        f"kp: {bomb(2, 40)}",
        "a: &a {k: v}\n"
        + "".join(
            f"m{i}: &{'abcdefghijklmnopqrstuvwxyz'[i + 1]} {{<<: [*{'abcdefghijklmnopqrstuvwxyz'[i]}"
            + f",*{'abcdefghijklmnopqrstuvwxyz'[i]}" * 9
            + "]}\n"
            for i in range(20)
        ),
        "[" * 20_000,
        "{a: " * 20_000,
        "- " * 5_000,
        "? " * 5_000,
        "[" * (DEPTH + 1) + "]" * (DEPTH + 1),
        "a: " + "9" * 5_000,
        "a: 0x" + "f" * 5_000,
        "a: 0b" + "1" * 50_000,
        "a: 1" + ":59" * 5_000,
        "a: " + "1_0" * 3_000,
        "[" + "1," * (NODES + 1) + "]",
    ],
)
def test_a_bomb_is_refused_at_once(text):
    began = time.perf_counter()
    refused(text)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {c: 2, c: 3}", "x.yaml, line 2: key c is given twice; give it once"),
        ("a: &a {x: &b {y: 1, y: 2}}\nb: *b", "line 1: key y is given twice"),
        ("a: &a [*a]", "the alias *a stands inside what it repeats"),
        ("a: *b", "the alias *b repeats nothing before it"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "the tag tag:yaml.org,2002:python/object/apply:os.system is not read",
        ),
        ("a: !!int ''", "the tag "),
        ("a: !!bool x", "the tag "),
        ("a: !!timestamp x", "the tag "),
        ("a: !mine x", "the tag !mine is not read"),
        ("[a, b]: 1", "line 1: a list or mapping stands where a key should"),
        ("{{include}}: 1", "a list or mapping stands where a key should"),
        ("a: 1\n---\nb: 2", "not YAML: "),
        ("a: 2024-13-45", "not YAML: month must be in 1..12"),
        ("a: 0000-01-01", "not YAML: "),
        ("a: 2001-01-01 00:00:00 +99:99", "not YAML: "),
        ("a: [1", "not YAML: "),
        ("a: b: c", "line 1: not YAML: "),
        ("a: \x07", "not YAML: "),
        ("a: '\x00'", "not YAML: "),
        ('a: "\\ud800"', ""),
        ("<<: 3", "not YAML: "),
        ("a: 1\nb: 010", "line 2: the number 010 means another in another version of YAML; give it in decimal"),
        ("a: -0_7", "the number -0_7 means another"),
        ("a: 1:30", "the number 1:30 means another"),
        ("a: 1:30.5", "the number 1:30.5 means another"),
        ("%YAML 9.9\n---\na: 1", "not YAML: "),
        ("=: 3\na: =", ""),
    ],
)
def test_what_is_no_yaml_or_no_plain_value(text, message):
    assert message in refused(text)


@settings(max_examples=150, derandomize=True)
@given(st.text(alphabet="ab01:-[]{},&*!|>'\"%@`#?<\n \t\\.~=\ud800\x85é", max_size=40))
def test_no_text_gives_anything_but_values_or_one_line(text):
    try:
        parse_yaml(text, WANTED)
    except FastSwitchError as error:
        assert str(error).isprintable()


def test_a_large_file_is_refused_unread(tmp_path):
    (tmp_path / "a.yaml").write_text("a: " + "x" * 2**20)
    with pytest.raises(FastSwitchError, match="has 1048579 bytes, more than 1048576"):
        read_yaml(tmp_path / "a.yaml", WANTED)
