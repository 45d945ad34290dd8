"""Options of earlier versions, and what to write instead: an old command line is answered, never run as another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import NamedTuple

import click


class Renamed(NamedTuple):
    """An option of a command in version 0.1.0, and what to write instead.

    Attributes
    ----------
    command : its name.
    option : as it was spelt.
    matches : whether a value of it was meant so.
    instead : what to write.
    """

    command: str
    option: str
    matches: Callable[[str], bool]
    instead: str


def _any(value: str) -> bool:
    return True


def _is_value(value: str) -> bool:
    return bool(value) and not value.startswith("-")


def _has_suffix(suffix: str) -> Callable[[str], bool]:
    return lambda value: PurePath(value).suffix == suffix


RENAMED = (
    Renamed("cosim", "--subnet", _any, "--subnets NAME,..."),
    Renamed("run", "--subnet", _any, "--subnets NAME,..."),
    Renamed("serve", "--trace", _any, "--stream FILE.csv"),
    Renamed("hybrid", "--report", _is_value, "--out DIR"),
    Renamed("hybrid", "--subnets", _any, "--family N"),
    Renamed("table", "--out", _has_suffix(".parquet"), "--out DIR, for DIR/sushiabs.parquet"),
    Renamed("package", "--out", _has_suffix(".npz"), "--out DIR, for DIR/package.npz"),
    Renamed("partition", "--out", _has_suffix(".json"), "--out DIR, for DIR/partition.json"),
)
"""Everything that is spelt otherwise since version 0.2.0."""


def refuse_renamed(command: str, words: Sequence[str]) -> None:
    """Refuse a command line that has an option as version 0.1.0 spelt it.

    Parameters
    ----------
    command : its name.
    words : behind it.

    Raises
    ------
    UsageError
        It says what to write instead.

    Examples
    --------
    >>> refuse_renamed("serve", ["--stream", "a.csv"])
    >>> refuse_renamed("serve", ["--trace", "a.csv"])
    Traceback (most recent call last):
    click.exceptions.UsageError: serve --trace is spelt otherwise since version 0.2.0; write --stream FILE.csv
    """
    for place, word in enumerate(words):
        if word == "--":
            return
        option, equals, value = word.partition("=")
        if not equals:
            value = words[place + 1] if place + 1 < len(words) else ""
        for old in RENAMED:
            if (old.command, old.option) == (command, option) and old.matches(value):
                shown = option if old.matches is _any else f"{option} {value[:60]}".rstrip()
                raise click.UsageError(f"{command} {shown} is spelt otherwise since version 0.2.0; write {old.instead}")
