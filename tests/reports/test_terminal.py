"""Rows line up, JSON holds what was counted, and progress never reaches the stream that carries data."""

from __future__ import annotations

import json
import math
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.terminal import (
    Column,
    counting,
    json_list,
    line,
    named,
    percent,
    plain,
    show_summary,
    show_table,
    shown,
    to_json,
)

COLUMNS = (Column("name", "layer", 6, left=True), Column("part", "part", 8, percent))


def test_columns_stand_below_their_headings(capsys):
    rows = [{"name": "stem", "part": 0.5}, {"name": "head", "part": None}, {"name": "a long one"}]
    show_table(COLUMNS, rows)
    assert capsys.readouterr().out.splitlines() == [
        "layer       part",
        "stem      50.00%",
        "head           -",
        "a long one         -",
    ]


@given(st.lists(st.text("abc-", min_size=1, max_size=30), max_size=5))
def test_a_column_of_names_holds_the_longest(names):
    column = named("SubNet", [{"name": name} for name in names])
    cells = [line((column, Column("x", "x", 1)), {"name": name, "x": 1}) for name in names]
    assert all(len(cell) == column.width + 3 for cell in cells)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_reads_back_as_what_it_was(value):
    def same(found, true):
        if isinstance(true, float) and not math.isfinite(true):
            return found is None
        if isinstance(true, dict):
            return found.keys() == true.keys() and all(same(found[key], true[key]) for key in true)
        if isinstance(true, list):
            return len(found) == len(true) and all(map(same, found, true))
        return found == true

    assert same(json.loads(to_json({"x": value}))["x"], value)


def test_numpy_and_paths_are_plain():
    found = plain({"n": np.int64(3), "a": np.array([1.0, np.inf]), "p": Path("a")})
    assert found == {"n": 3, "a": [1.0, None], "p": "a"}
    assert json.loads(json_list([{"n": np.float32(0.5)}, {"n": 2}])) == [{"n": 0.5}, {"n": 2}]


def test_a_summary_says_what_its_values_are(capsys):
    show_summary({"queries": 1000, "seed": 1000, "mean_latency_s": 0.00123456, "accuracy": 0.875, "bit_exact": False})
    assert capsys.readouterr().out.splitlines() == [
        "",
        "queries         1,000",
        "seed            1000",
        "mean latency s  0.001235",
        "accuracy        87.50%",
        "bit exact       no",
    ]


@pytest.mark.parametrize("columns", [COLUMNS, None])
def test_stages_are_lines_on_the_other_stream_without_a_terminal(capsys, columns):
    with shown(2, columns) as (on_row, on_stage):
        on_stage("counting")
        on_row({"name": "a", "part": 0.25})
        on_row({"name": "b", "part": 1.0})
    out, err = capsys.readouterr()
    assert err == "counting ...\n"
    if columns:
        assert out.splitlines() == ["layer       part", "a         25.00%", "b        100.00%"]
    else:
        assert [json.loads(row)["name"] for row in out.splitlines()] == ["a", "b"]


def test_a_terminal_gets_a_bar_and_the_pipe_beside_it_the_rows_alone():
    code = (
        "from reports.terminal import shown\n"
        "with shown(1, None) as (on_row, on_stage):\n    on_stage('counting'); on_row({'n': 1})\n"
    )
    control, screen = pty.openpty()
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, stderr=screen, check=True, text=True
    )
    os.close(screen)
    seen = b""
    while True:
        try:
            part = os.read(control, 4096)
        except OSError:  # the terminal is gone
            break
        if not part:
            break
        seen += part
    os.close(control)
    assert done.stdout == '{"n": 1}\n'
    assert b"counting" in seen and b"{" not in seen


def test_a_count_is_said_when_a_stage_begins_and_now_and_then(capsys):
    with counting(every_s=0.0) as on_count:
        on_count("compiling", 0, 2000)
        on_count("compiling", 1000, 2000)
        on_count("compiling", 2000, 2000)
        on_count("serving", 1, 3)
    assert capsys.readouterr() == ("", "compiling ...\ncompiling: 1,000 of 2,000\nserving ...\n")
    with counting(every_s=60.0) as on_count:
        for done in range(1000):
            on_count("compiling", done, 1000)
    assert capsys.readouterr().err == "compiling ...\n"
