"""CSV tables: a header, then rows of as many fields; before the header maybe lines ``# key: value`` that say more.

The lines with ``#`` are read only where they stand in front: a name with ``#`` in a row is a name. Writers quote it, so
that ``pandas.read_csv(path, comment="#")`` reads the same.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arch_model.files.shown import plain, shown
from arch_model.files.text import GZIP, gunzipped, read_bytes
from arch_model.files.wanted import Wanted, one_line

BYTES = 256 * 2**20
"""Of a table, unpacked."""
FIELD = 100_000
"""Characters of a field."""
COLUMNS = 10_000


@dataclass(frozen=True)
class CsvTable:
    """A table while it is being read.

    Parameters
    ----------
    facts : mapping
        Key and value of the lines before the header.
    columns : tuple of str
        The header, each column once; blanks around a name are not part of it.
    rows : iterator
        ``(line, fields)`` of each row, the number of its line and a text for each column. It raises the errors of the
        rows as it comes to them.
    """

    facts: Mapping[str, str]
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def read_csv(
    path: str | Path, wanted: Wanted, needed: Sequence[str] = (), most: int = BYTES, comments: bool = False
) -> CsvTable:
    """Open a table, plain or gzip (the file's bytes tell which, and ``.gz`` must be it).

    Parameters
    ----------
    path : path of the file
    wanted : what the errors say
    needed : columns that must be there
    most : bytes, unpacked
    comments : whether rows whose first field begins with ``#`` are left out: for tables of numbers

    Raises
    ------
    FastSwitchError
        As ``wanted`` says: for a file that cannot be read, is not UTF-8 or has more bytes; a header with a column
        twice or without a needed one; and, from the rows, for a row of more or fewer fields than columns.
    """
    data = read_bytes(path, wanted, most)
    if data.startswith(GZIP):
        data = gunzipped(data, wanted, most)
    elif str(path).endswith(".gz"):
        raise wanted.cannot("is called .gz and is not gzip")
    return parse_csv(data, wanted, needed, comments)


def parse_csv(data: bytes, wanted: Wanted, needed: Sequence[str] = (), comments: bool = False) -> CsvTable:
    r"""A table in the bytes of a CSV file, as :func:`read_csv` does.

    Parameters
    ----------
    data : the file's bytes.
    wanted : what the file is called in an error, and what would be right.
    needed : columns that must be there.
    comments : whether lines ``# key: value`` may come before the header.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says, naming the line.

    Examples
    --------
    >>> table = parse_csv(b"# seed: 1\nname,K\nconv#1,8\n", Wanted("a.csv", "a table"), ["name"])
    >>> table.facts, table.columns, list(table.rows)
    ({'seed': '1'}, ('name', 'K'), [(3, ['conv#1', '8'])])
    """
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise wanted.wrong(f"byte {error.start} is not UTF-8") from None
    if b"\0" in data:
        raise wanted.wrong(f"byte {data.index(0)} is zero, which no text has")
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    facts: dict[str, str] = {}
    first, skipped = lines.readline(), 0
    while first.startswith("#"):
        key, _, value = first[1:].rstrip("\r\n").lstrip().partition(": ")
        facts[key] = _fact(value)
        first, skipped = lines.readline(), skipped + 1

    def each_line() -> Iterator[str]:
        yield first
        yield from lines

    reader = csv.reader(each_line(), strict=True, skipinitialspace=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise wanted.wrong(f"not CSV: {one_line(error)}", skipped + reader.line_num) from None
    columns = tuple(title.strip() for title in header)
    _check_header(columns, needed, skipped + 1, wanted)
    return CsvTable(facts, columns, _rows(reader, len(columns), skipped, wanted, comments))


def _check_header(columns: Sequence[str], needed: Sequence[str], line: int, wanted: Wanted) -> None:
    if not any(columns):
        what = f"column {needed[0]} is missing" if needed else "it has no header"
        raise wanted.wrong(what, right=",".join(needed) or None)
    if len(columns) > COLUMNS:
        raise wanted.wrong(f"{len(columns)} columns, more than {COLUMNS}", line)
    seen: set[str] = set()
    for column in columns:
        if column in seen and column:
            raise wanted.wrong(f"column {plain(column)} is there twice", right=",".join(needed) or "it once")
        seen.add(column)
    for column in needed:
        if column not in seen:
            raise wanted.wrong(f"column {column} is missing", right=",".join(needed))


def _rows(reader: Any, width: int, skipped: int, wanted: Wanted, comments: bool) -> Iterator[tuple[int, list[str]]]:
    limit = csv.field_size_limit()
    begin = skipped + reader.line_num + 1
    while True:
        csv.field_size_limit(FIELD)  # of the whole process, so set only while we read
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise wanted.wrong(f"not CSV: {one_line(error)}", skipped + reader.line_num) from None
        finally:
            csv.field_size_limit(limit)
        if fields and not (comments and fields[0].startswith("#")):
            if len(fields) != width:
                raise wanted.wrong(f"it has {len(fields)} fields", begin, f"{width}, one for each column")
            yield begin, fields
        begin = skipped + reader.line_num + 1


def whole_number(text: str, most_digits: int = 18) -> int | None:
    """The whole number, at least 0, that a field holds; None for anything else, also for too many digits.

    Parameters
    ----------
    text : the field.
    most_digits : of the number.

    Examples
    --------
    >>> whole_number(" 12 "), whole_number("-1"), whole_number("9" * 5000)
    (12, None, None)
    """
    digits = text.strip()
    good = digits.isascii() and digits.isdigit() and len(digits) <= most_digits
    return int(digits) if good else None


def real_number(text: str) -> float:
    """The number that a field holds, as CSV's readers agree on.

    Raises
    ------
    ValueError
        It holds something else, or what only Python reads (1_0, Arabic digits).

    Examples
    --------
    >>> real_number(" -2.5e3 ")
    -2500.0
    >>> real_number("1_0")
    Traceback (most recent call last):
    ValueError: '1_0' is not a number
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{shown(text)} is not a number")
    return float(text)


def _fact(text: str) -> str:
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return value if isinstance(value, str) else text
    return text


class CsvRows:
    """Rows of a CSV file that every reader takes as they were: a text with ``#`` stands in quotes, as one with a comma.

    Parameters
    ----------
    file : text file, opened with ``newline=""``
    columns : the header, which is written at once

    Examples
    --------
    >>> file = io.StringIO()
    >>> rows = CsvRows(file, ["name", "K"])
    >>> rows.write(["conv#1", 8])
    >>> file.getvalue()
    'name,K\\r\\n"conv#1",8\\r\\n'
    """

    def __init__(self, file: Any, columns: Sequence[str]) -> None:
        self._plain, self._quoted = csv.writer(file), csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        self.write(columns)

    def write(self, fields: Iterable[Any]) -> None:
        """Write a row."""
        row = list(fields)
        odd = any(isinstance(field, str) and needs_quotes(field) for field in row)
        (self._quoted if odd else self._plain).writerow(row)


def needs_quotes(text: str) -> bool:
    """Whether a field would be taken for something else without quotes, beyond what :mod:`csv` sees itself."""
    return "#" in text or text[:1].isspace() or text[-1:].isspace()


def quoting(texts: Iterable[object]) -> Any:
    """The ``quoting`` of ``DataFrame.to_csv`` for columns of these texts: all of them, if one needs it."""
    odd = any(isinstance(text, str) and (needs_quotes(text) or "\r" in text) for text in texts)
    return csv.QUOTE_NONNUMERIC if odd else csv.QUOTE_MINIMAL


def refused_field(wanted: Wanted, line: int, column: str, value: object, right: str) -> Exception:
    """The error for a field of a row: the line, the column, its value and what would be right.

    Parameters
    ----------
    wanted : what the file is called, and the class of the error.
    line : of the file.
    column : its name.
    value : that it has.
    right : what it should have been.
    """
    return wanted.wrong(f"{column} is {shown(value)}", line, right)
