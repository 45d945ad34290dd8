"""The study's tables, written and read again."""

import math

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.tables import write_table
from sim.noise.study.tables import read_facts, read_rows


def test_what_is_no_table_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("")
    with pytest.raises(FastSwitchError, match=r"t\.csv: not a table"):
        read_rows(path)


def test_values_come_back_with_their_types_and_an_interval_of_one_chip_is_an_empty_cell(tmp_path):
    path = tmp_path / "t.csv"
    row = {"n": 1, "low": math.nan, "text": "nano", "whole": 3.0, "tenth": 0.1, "name": 'a #1, "b"', "none": None}
    write_table(path, {"seed": 7}, [row])
    assert read_rows(path) == [{**row, "low": None}]
    assert read_facts(path) == {"seed": "7"}
