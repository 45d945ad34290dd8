"""The study's tables, read again: CSV behind lines that say what made it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from arch_model.errors import AnalogError
from arch_model.files.csv_file import CsvTable, read_csv
from arch_model.files.wanted import Wanted

Row = dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file below its facts: integers, floats to the bit, texts, None for an empty cell or nan."""
    table = _table(path)
    return [{key: _value(text) for key, text in zip(table.columns, row, strict=True)} for _, row in table.rows]


def read_facts(path: Path) -> dict[str, str]:
    """What the file says, before its rows, of what made it."""
    return dict(_table(path).facts)


def _table(path: Path) -> CsvTable:
    return read_csv(path, Wanted(f"{path}: not a table", "another folder, or delete it", AnalogError))


def _value(text: str) -> int | float | str | None:
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return None if math.isnan(value) else value
    return text or None
