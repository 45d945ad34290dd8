"""Tables that grow row by row over several runs: what is finished is not computed again."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from arch_model.errors import AnalogError
from arch_model.files.csv_file import CsvTable, read_csv
from arch_model.files.wanted import Wanted
from sim.results import RowWriter

Row = dict[str, Any]


class Sheet:
    """A CSV file whose first lines say, as ``# key: value``, what made it; equal facts resume it.

    Raises :class:`~arch_model.errors.AnalogError` if the file is there with other facts.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path, self._facts = path, {key: str(value) for key, value in facts.items()}
        self.rows: list[Row] = self._read() if path.exists() else []

    def _read(self) -> list[Row]:
        held = _table(self.path).facts
        for key in self._facts:
            if held.get(key) != self._facts[key]:
                raise AnalogError(
                    f"{self.path} was made with {key} {held.get(key, 'unknown')}, not {self._facts[key]}; "
                    "give another folder"
                )
        return read_rows(self.path)

    def fill(
        self,
        points: Sequence[Row],
        compute: Callable[[Row], Row],
        on_row: Callable[[Row], None] = lambda row: None,
        on_stage: Callable[[Row], None] = lambda point: None,
    ) -> None:
        """Write a row for each point, in order: its own columns, then those that ``compute`` makes of it.

        Rows that are there already, told by their points, are kept; others that the file may hold go. Each row is on
        disk before the next one is begun.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     sheet = Sheet(Path(folder) / "squares.csv", {"seed": 1})
        ...     sheet.fill([{"n": 2}, {"n": 3}], lambda point: {"square": point["n"] ** 2})
        ...     again = Sheet(sheet.path, {"seed": 1}).rows
        >>> again
        [{'n': 2, 'square': 4}, {'n': 3, 'square': 9}]
        """
        keys = list(points[0]) if points else []
        done = {_key(row, keys): row for row in self.rows if all(key in row for key in keys)}
        fresh = self.path.with_suffix(".part")
        with RowWriter(fresh, self._facts) as writer:
            rows = []
            for point in points:
                row = done.get(_key(point, keys))
                if row is not None:
                    writer.write(row)
                    rows.append(row)
            if rows:
                os.replace(fresh, self.path)
            order = {_key(point, keys): n for n, point in enumerate(points)}
            for point in points:
                if _key(point, keys) in done:
                    continue
                on_stage(point)
                row = point | compute(point)
                writer.write(row)
                rows.append(row)
                if fresh.exists():
                    os.replace(fresh, self.path)
                on_row(row)
        self.rows = sorted(rows, key=lambda row: order[_key(row, keys)])


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


def _key(row: Row, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple("" if row[key] is None else str(row[key]) for key in keys)
