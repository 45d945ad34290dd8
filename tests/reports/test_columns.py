"""Every column of every command writes what its rows hold, under a heading of its own."""

from __future__ import annotations

import pytest

from reports import columns
from reports.terminal import Column, line

TABLES = {name: value for name, value in vars(columns).items() if name.endswith("_COLUMNS")}


@pytest.mark.parametrize("name", TABLES)
def test_headings_fit_and_keys_differ(name):
    table = TABLES[name]
    assert all(isinstance(column, Column) and len(column.title) <= column.width for column in table)
    assert len({column.key for column in table}) == len(table)


def test_a_row_of_serve():
    row = {"policy": "slackfit", "cache": "none", "mean_latency_s": 0.0123, "gap_to_offline": -0.05, "energy_j": 0.25}
    words = line(columns.SERVE_COLUMNS, row).split()
    assert words[:3] == ["slackfit", "none", "12.300"] and "-5.00%" in words and "0.25" in words
