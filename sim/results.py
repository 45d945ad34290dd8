"""Tables written row by row, so that what is finished survives an interruption, and the folders they go to."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from arch_model.errors import FastSwitchError, why_read_only


def make_folder(folder: Path) -> None:
    """Make a folder for results, before the work that fills it.

    Raises :class:`~arch_model.errors.FastSwitchError` if nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FastSwitchError(f"cannot write to {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise FastSwitchError(f"cannot write to {folder}: {why_read_only(folder)}")


class RowWriter:
    """A CSV file that begins with ``# key: value`` lines saying what made it.

    Each row is on disk when :meth:`write` returns. ``pandas.read_csv(path, comment="#")`` reads it. Columns are those
    of the first row. Raises :class:`~arch_model.errors.FastSwitchError` if the file cannot be written.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path, self._facts = path, dict(facts)
        self._writer: csv.DictWriter[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self.path.open("w", newline="")
        except OSError as error:
            raise FastSwitchError(f"cannot write {self.path}: {error.strerror}") from None
        self._file.writelines(f"# {key}: {value}\n" for key, value in self._facts.items())
        self._file.flush()
        return self

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, fieldnames=list(row))
            self._writer.writeheader()
        self._writer.writerow(row)
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def write_rows(path: Path, facts: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table that is known whole, as :class:`RowWriter` would."""
    with RowWriter(path, facts) as writer:
        for row in rows:
            writer.write(row)
