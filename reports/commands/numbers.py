"""Numbers of the command line with limits that say why, and what is shown of a value that is none."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    Whole = click.ParamType[int]
    Real = click.ParamType[float]
else:  # click 8.1 has no types for them
    Whole = Real = click.ParamType

LONGEST = 30
"""Characters of a number that means something."""


def _plain(text: str, most: int = 60) -> str:
    from arch_model.files.shown import plain  # with NumPy behind it: only where something is wrong

    return plain(text, most)


class Count(Whole):
    """A whole number in a range.

    Parameters
    ----------
    least, most : its ends.
    why : what makes more of them impossible.

    Examples
    --------
    >>> Count(1, 1000, "each is simulated").convert("5000", None, None)
    Traceback (most recent call last):
    click.exceptions.BadParameter: 5000 is out of range; give 1 to 1,000: each is simulated
    """

    name = "count"

    def __init__(self, least: int, most: int, why: str = "") -> None:
        self.least, self.most, self.why = least, most, why

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """See :meth:`click.ParamType.get_metavar`."""
        return "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See :meth:`click.ParamType.convert`."""
        if not isinstance(value, int):
            text = str(value).strip()
            if not re.fullmatch(r"[+-]?[0-9][0-9_]*", text):
                self.fail(f"{_plain(text)!r} is not a valid integer; give {self._legal()}", param, ctx)
            if len(text) > LONGEST:
                self.fail(f"{_plain(text, LONGEST)} is out of range; give {self._legal()}", param, ctx)
            value = int(text)
        if not self.least <= value <= self.most:
            self.fail(f"{value} is out of range; give {self._legal()}", param, ctx)
        return int(value)

    def _legal(self) -> str:
        return f"{self.least:,} to {self.most:,}" + (f": {self.why}" if self.why else "")


class Number(Real):
    """A finite number in a range.

    Parameters
    ----------
    least, most : its ends.

    Examples
    --------
    >>> Number(0, 100).convert("2.5", None, None)
    2.5
    >>> Number(0, 100).convert("nan", None, None)
    Traceback (most recent call last):
    click.exceptions.BadParameter: nan is out of range; give 0 to 100
    """

    name = "number"

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """See :meth:`click.ParamType.get_metavar`."""
        return "NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See :meth:`click.ParamType.convert`."""
        legal = f"{self.least:g} to {self.most:g}"
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{_plain(str(value))!r} is not a number; give {legal}", param, ctx)
        if not math.isfinite(number) or not self.least <= number <= self.most:
            self.fail(f"{_plain(str(value))} is out of range; give {legal}", param, ctx)
        return number
