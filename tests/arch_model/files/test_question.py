"""The question comes back out of every format, and what differs is named."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.question import (
    as_texts,
    asked,
    check_schema,
    difference,
    file_digest,
    header,
    read_question,
    refuse_other,
)
from arch_model.files.wanted import Wanted

QUESTION = asked("test", seed=1, name="a\n# b: c", sizes=[1, 2.5, None], best=True, file=Path("x.csv"))


def test_a_csv_table_says_it_before_its_rows(tmp_path):
    (tmp_path / "a.csv").write_text(header(QUESTION) + "name\n# not: this\n", encoding="utf-8")
    assert read_question(tmp_path / "a.csv") == as_texts(QUESTION)


def test_binary_and_json_files_say_it(tmp_path):
    text = json.dumps({"question": QUESTION})
    (tmp_path / "a.json").write_text(text)
    table = pa.table({"x": [1]}).replace_schema_metadata({b"fastswitch": text.encode()})
    pq.write_table(table, tmp_path / "a.parquet")
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(3), question=np.frombuffer(text.encode(), np.uint8))
    for name in ("a.json", "a.parquet", "a.npz"):
        assert read_question(tmp_path / name) == QUESTION


def test_other_files_say_none(tmp_path):
    buffer = BytesIO()
    np.savez(buffer, x=np.zeros(3))
    whole = buffer.getvalue()
    for content in (
        b"",
        b"text",
        b"{",
        b"[1]",
        b'{"question": 3}',
        whole,
        whole[:40],
        b"PAR1 and no more",
        b"{" * 5000,
    ):
        (tmp_path / "a").write_bytes(content)
        assert read_question(tmp_path / "a") is None
    assert read_question(tmp_path / "none") is None


@pytest.mark.parametrize(
    "there, here, says",
    [
        ({"seed": 1}, {"seed": 1}, None),
        ({"seed": 1}, {"seed": 2}, "seed is 1 there and 2 here"),
        ({"seed": 1}, {"seed": True}, "seed is 1 there and true here"),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, "a.b.1.c is 2 there and 3 here"),
        ({"a": [1, 2]}, {"a": [1]}, "a is [1, 2] there and [1] here"),
        ({"a": list(range(9))}, {"a": 1}, "a is [0, 1, 2, ... (9 values)] there and 1 here"),
        ({"a": "x" * 5000}, {"a": ""}, "a is " + "x" * 57 + '... there and "" here'),
        ({}, {"best": True}, "best is not given there and true here"),
        ({"best": True}, {}, "best is true there and not given here"),
    ],
)
def test_what_differs_is_named_briefly(there, here, says):
    assert difference(there, here) == says


def test_an_older_version_and_a_strange_file_are_named():
    with pytest.raises(FastSwitchError, match=r"a.csv was written by fastswitch 0.1.0, which .* --force"):
        refuse_other("a.csv", {"version": "0.1.0", "seed": "1"}, QUESTION)
    with pytest.raises(FastSwitchError, match=r"a.csv is there and does not say which question it answers"):
        refuse_other("a.csv", None, QUESTION)
    refuse_other("a.csv", dict(QUESTION), QUESTION)


def test_a_file_is_told_by_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "c").write_bytes(b"2")
    a, b, c = (file_digest(tmp_path / name) for name in "abc")
    assert a == b != c and file_digest(None) == "none"
    with pytest.raises(FastSwitchError, match=r"cannot read .*: No such file"):
        file_digest(tmp_path / "d")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "a.parquet is of schema 1, which fastswitch 0.1.0 wrote, and this one reads schema 2; give another"),
        ({"schema": 3}, "is of schema 3, which another version of fastswitch wrote, and this one reads schema 2"),
        ({"schema": "2"}, "is of schema '2', which is none"),
        ({"schema": True}, "is of schema True, which is none"),
        ({"schema": None}, "is of schema None, which is none"),
        ({"schema": "x" * 999}, "which is none"),
    ],
)
def test_results_of_another_schema_are_named(record, message):
    with pytest.raises(FastSwitchError) as error:
        check_schema(record, Wanted("a.parquet", "another"))
    assert message in str(error.value) and len(str(error.value)) < 200
    check_schema(asked("table"), Wanted("a.parquet", "another"))


def test_another_schema_is_said_before_what_else_differs():
    here = asked("run", seed=1)
    with pytest.raises(
        FastSwitchError, match=r"a\.csv holds results of schema 1, and this version writes schema 2; give"
    ):
        refuse_other("a.csv", {"command": "run", "seed": 2}, here)
    texts = as_texts(here)
    with pytest.raises(FastSwitchError, match=r"holds results of another question: seed is 2 there and 1 here"):
        refuse_other("a.csv", texts | {"seed": "2"}, texts)
