"""CSV tables that begin with ``# key: value`` lines saying what made them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from arch_model.files.csv_file import CsvRows
from arch_model.files.question import Question, header
from arch_model.files.writing import whole_file


class TableWriter:
    """Rows that go to a binary file as CSV, behind the lines that say what made them.

    Columns are those of the first row. Without any row there are only the lines.

    Parameters
    ----------
    file : where the bytes go; it stays open.
    question : what made the rows, by name.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> with TableWriter(file, {"seed": 7}) as table:
    ...     table.write({"name": "conv1", "cycles": 33})
    >>> file.getvalue()
    b'# seed: 7\\nname,cycles\\r\\nconv1,33\\r\\n'
    """

    def __init__(self, file: BinaryIO, question: Question) -> None:
        self._file, self._question = file, question
        self._rows: CsvRows | None = None
        self._columns: list[str] = []

    def __enter__(self) -> Self:
        self._text = io.TextIOWrapper(self._file, encoding="utf-8", newline="")
        self._text.write(header(self._question))
        return self

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises
        ------
        ValueError
            It has a column that the first row does not have.
        """
        if self._rows is None:
            self._columns = list(row)
            self._rows = CsvRows(self._text, self._columns)
        if other := [name for name in row if name not in self._columns]:
            raise ValueError(f"a row has the fields {', '.join(other)}, which the first has not")
        self._rows.write(row.get(name, "") for name in self._columns)

    def flush(self) -> None:
        """Let whoever reads the file see the rows so far."""
        self._text.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.detach()  # flushes; the file is its owner's to close


@contextmanager
def whole_table(path: Path, question: Question) -> Iterator[TableWriter]:
    """A table in a file of its own, which is there when the block ends without an exception.

    Parameters
    ----------
    path : the file.
    question : what made the rows, by name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_table(Path(folder) / "a.csv", {"seed": 7}) as table:
    ...         table.write({"name": "conv1"})
    ...     (Path(folder) / "a.csv").read_text().splitlines()
    ['# seed: 7', 'name', 'conv1']
    """
    with whole_file(path) as file, TableWriter(file, question) as table:
        yield table


def write_table(path: Path, question: Question, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table whole, replacing what is there; as :func:`whole_table`.

    Parameters
    ----------
    path : the file.
    question : what made the rows, by name.
    rows : values by column.
    """
    with whole_table(path, question) as table:
        for row in rows:
            table.write(row)
