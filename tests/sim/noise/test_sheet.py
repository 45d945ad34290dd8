"""Tables that a second run resumes."""

import math

import pytest

from arch_model.errors import FastSwitchError
from sim.noise.sheet import Sheet, read_rows

POINTS = [{"encoding": e, "bits": b} for e in ("a", "b") for b in (None, 6)]


def counting(done):
    def compute(point):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(point)
        return {"value": 0.1 * len(done), "moved": None if point["bits"] else 3}

    return compute


def test_an_interrupted_table_goes_on_where_it_ended(tmp_path):
    path, facts = tmp_path / "t.csv", {"seed": 1}
    first, second = [], []
    with pytest.raises(KeyboardInterrupt):
        Sheet(path, facts).fill(POINTS, counting(first))
    assert [row["value"] for row in read_rows(path)] == [0.1, 0.2]
    Sheet(path, facts).fill(POINTS, counting(second))
    assert first + second == POINTS
    rows = read_rows(path)
    assert [(row["encoding"], row["bits"]) for row in rows] == [("a", None), ("a", 6), ("b", None), ("b", 6)]
    assert [row["value"] for row in rows] == [0.1, 0.2, 0.1, 0.2]
    assert path.read_text().startswith("# seed: 1\n")
    assert list(tmp_path.iterdir()) == [path]


def test_rows_that_nobody_asks_for_any_more_go(tmp_path):
    path = tmp_path / "t.csv"
    Sheet(path, {}).fill(POINTS[:2], counting([]))
    sheet = Sheet(path, {})
    sheet.fill(POINTS[1:2], counting([]))
    assert [row["bits"] for row in sheet.rows] == [6]
    assert len(read_rows(path)) == 1


def test_other_facts_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    Sheet(path, {"seed": 1}).fill(POINTS[:1], counting([]))
    with pytest.raises(FastSwitchError, match=r"t\.csv was made with seed 1, not 2; give another folder"):
        Sheet(path, {"seed": 2})


def test_what_is_no_table_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("")
    with pytest.raises(FastSwitchError, match=r"t\.csv: not a table"):
        Sheet(path, {})


def test_an_interval_of_one_chip_is_an_empty_cell(tmp_path):
    path = tmp_path / "t.csv"
    Sheet(path, {}).fill([{"n": 1}], lambda point: {"low": math.nan, "text": "nano", "whole": 3.0})
    assert read_rows(path) == [{"n": 1, "low": None, "text": "nano", "whole": 3.0}]
