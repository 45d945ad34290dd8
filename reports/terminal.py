"""How rows, summaries and progress look on a terminal, and as JSON."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from rich.progress import Progress

Row = Mapping[str, Any]
OnRow = Callable[[dict[str, Any]], None]
OnStage = Callable[[str], None]
OnCount = Callable[[str, int, int], None]


# ---- how a value looks ----


def percent(value: float) -> str:
    """A fraction as per cent.

    >>> percent(0.875), signed_percent(0.004), ms(0.0123), count(1234), digits([2, 1, 4]), short(0.123456)
    ('87.50%', '+0.40%', '12.300', '1,234', '214', '0.1235')
    """
    return f"{100 * value:.2f}%"


def signed_percent(value: float) -> str:
    """A fraction as per cent with its sign."""
    return f"{100 * value:+.2f}%"


def ms(value: float) -> str:
    """Seconds as milliseconds (joules as millijoules)."""
    return f"{1000 * value:.3f}"


def count(value: int) -> str:
    """An integer, thousands apart."""
    return f"{value:,}"


def digits(values: int | Sequence[int]) -> str:
    """Digits in a row; of a choice that is a single number, that number.

    >>> digits((2, 1, 4)), digits(2)
    ('214', '2')
    """
    return str(values) if isinstance(values, int) else "".join(map(str, values))


def hundredths(value: float) -> str:
    """A number with two decimals."""
    return f"{value:.2f}"


def short(value: float) -> str:
    """Four digits that count."""
    return f"{value:.4g}"


def exact(value: object) -> str:
    """Whether all integers were the reference's."""
    return "bit-exact" if value else "DIFFERENT"


# ---- rows ----


class Column(NamedTuple):
    """A column of the table on the terminal.

    Attributes
    ----------
    key : of a row.
    title : the heading.
    width : characters.
    text : how to write a value.
    left : whether it is aligned left.
    """

    key: str
    title: str
    width: int
    text: Callable[[Any], str] = str
    left: bool = False


def line(columns: Sequence[Column], row: Row | None) -> str:
    """A row, or the headings, as one aligned line; ``-`` for what a row does not have.

    Parameters
    ----------
    columns : of the table.
    row : values by key. None: the headings.

    Examples
    --------
    >>> columns = (Column("name", "layer", 6, left=True), Column("cycles", "cycles", 8, count))
    >>> line(columns, {"name": "stem", "cycles": 1234})
    'stem       1,234'
    """
    cells = []
    for column in columns:
        value = None if row is None else row.get(column.key)
        text = column.title if row is None else "-" if value is None else column.text(value)
        cells.append(text.ljust(column.width) if column.left else text.rjust(column.width))
    return "  ".join(cells).rstrip()


def show_table(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Print the headings and the rows.

    Parameters
    ----------
    columns : of the table.
    rows : values by key.
    """
    for row in (None, *rows):
        click.echo(line(columns, row))


def named(title: str, rows: Sequence[Row]) -> Column:
    """A first column, wide enough for every row's ``name``.

    Parameters
    ----------
    title : its heading.
    rows : of the table.

    Examples
    --------
    >>> named("layer", [{"name": "stem"}, {"name": "block1.conv"}]).width
    11
    """
    return Column("name", title, max(len(title), *(len(row["name"]) for row in rows), 0), left=True)


# ---- JSON ----


def plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: NumPy scalars and arrays unwrapped, not-a-number as null.

    >>> from pathlib import Path
    >>> plain({"a": (1, float("nan")), "b": Path("x")})
    {'a': [1, None], 'b': 'x'}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def to_json(record: Row) -> str:
    """One JSON object on one line.

    >>> to_json({"cycles": 7, "accuracy": float("nan")})
    '{"cycles": 7, "accuracy": null}'
    """
    return json.dumps(plain(record), allow_nan=False)


def json_result(record: Row) -> str:
    """What a command found as one JSON object, which says the schema of its keys.

    >>> json_result({"cycles": 7})
    '{"schema": 2, "cycles": 7}'
    """
    from arch_model.files.question import SCHEMA

    return to_json({"schema": SCHEMA, **record})


def json_list(rows: Iterable[Row]) -> str:
    """A JSON list, one row a line."""
    return "[\n" + ",\n".join(map(to_json, rows)) + "\n]"


# ---- while it lasts, and at the end ----


def _bar(stderr: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=stderr),
        transient=True,
        redirect_stdout=not stderr,
        redirect_stderr=not stderr,
    )


@contextlib.contextmanager
def shown(total: int | None, columns: Sequence[Column] | None) -> Iterator[tuple[OnRow, OnStage]]:
    """Give the functions that show a row and name a stage of the work.

    A terminal gets a progress bar, on the stream that carries no data; elsewhere a stage is a line on standard error.

    Parameters
    ----------
    total : rows that will come, if it is known.
    columns : under which rows are aligned. None: rows are JSON.
    """
    write: Callable[[str], object] = click.echo
    bar = None
    if sys.stdout.isatty() or sys.stderr.isatty():
        shared = sys.stdout.isatty()  # rows and bar on one terminal: rich must place both
        bar = _bar(stderr=not shared)
        if shared:
            write = functools.partial(bar.console.print, markup=False, highlight=False, soft_wrap=True)
    with bar or contextlib.nullcontext():
        task = bar.add_task("", total=total) if bar else None
        headed = not columns

        def on_row(row: dict[str, Any]) -> None:
            nonlocal headed
            if columns and not headed:
                write(line(columns, None))
                headed = True
            write(line(columns, row) if columns else to_json(row))
            if bar and task is not None:
                bar.advance(task)

        def on_stage(stage: str) -> None:
            if bar and task is not None:
                bar.update(task, description=stage)
            else:
                click.echo(f"{stage} ...", err=True)

        yield on_row, on_stage


@contextlib.contextmanager
def counting(every_s: float = 10.0) -> Iterator[OnCount]:
    """Give the function that says how far a stage of the work is: its name, what is done, what there is to do.

    A terminal gets a progress bar; elsewhere each stage is a line on standard error, and now and then another.
    """
    if sys.stderr.isatty():
        with _bar(stderr=True) as bar:
            task = bar.add_task("", total=None)

            def draw(stage: str, done: int, total: int) -> None:
                bar.update(task, description=stage, completed=done, total=total)

            yield draw
        return
    stages: dict[str, float] = {}

    def say(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage not in stages:
            click.echo(f"{stage} ...", err=True)
        elif now < stages[stage] + every_s or done >= total:
            return
        else:
            click.echo(f"{stage}: {done:,} of {total:,}", err=True)
        stages[stage] = now

    yield say


def show_summary(summary: Row) -> None:
    """Print a summary, one value a line."""
    values = plain(summary)
    width = max(map(len, values))
    click.echo()
    for name, value in values.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {summary_text(name, value)}")


def summary_text(name: str, value: Any) -> str:
    """Write one value of a summary.

    Parameters
    ----------
    name : which says what it counts.
    value : the value.

    Examples
    --------
    >>> summary_text("accuracy", 0.875), summary_text("bit_exact", True), summary_text("seconds", 12.3456)
    ('87.50%', 'yes', '12.35')
    """
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return percent(value) if name.endswith(("accuracy", "error", "fraction")) else short(value)
    return f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
