"""JSON as the standard has it: finite numbers, each key once, and no more of anything than a budget allows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from arch_model.files.shown import plain
from arch_model.files.text import TEXT_BYTES, decoded, read_text
from arch_model.files.wanted import Wanted

DEPTH = 50
"""Lists and objects inside one another."""
ELEMENTS = 8_000_000
"""Values in lists and objects, counted by their commas."""
DIGITS = 400
"""Of a number; the largest float has 309."""

_DEEP = f"nested too deep, more than {DEPTH} lists or objects inside one another"


class _Refused(ValueError):
    """What a hook of the parser finds."""


def read_json(path: str | Path, wanted: Wanted, most: int = TEXT_BYTES) -> Any:
    """What a JSON file holds, in plain values.

    Parameters
    ----------
    path : the file.
    wanted : what it is called in an error, and what would be right.
    most : bytes that it may have.

    Raises
    ------
    FastSwitchError
        As :func:`parse_json`, and for a file of no text or too much of it.
    """
    return parse_json(read_text(path, wanted, most), wanted)


def parse_json(text: str | bytes, wanted: Wanted) -> Any:
    """What a JSON text holds, in plain values.

    Parameters
    ----------
    text : the JSON.
    wanted : what it is called in an error, and what would be right.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says: for what is not JSON (with its line), a key that is given twice in an object, NaN and
        infinities, half a surrogate pair, and more than :data:`DEPTH`, :data:`ELEMENTS` or :data:`DIGITS`.

    Examples
    --------
    >>> wanted = Wanted("a.json", "a list")
    >>> parse_json('[{"a": 1.5}, null]', wanted)
    [{'a': 1.5}, None]
    >>> parse_json('{"a": 1, "a": 2}', wanted)
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: a.json: key a is given twice; give it once
    """
    if isinstance(text, bytes):
        text = decoded(text, wanted)
    count = sum(text.count(letter) for letter in ",[{")
    if count > ELEMENTS:
        raise wanted.wrong(f"about {count} values, more than {ELEMENTS}", right="a smaller file")
    try:
        value = json.loads(
            text, parse_int=_whole, parse_float=_real, parse_constant=_constant, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise wanted.wrong(f"not JSON: {error.msg}", error.lineno) from None
    except _Refused as error:
        what, _, right = str(error).partition("\0")
        raise wanted.wrong(what, right=right) from None
    except RecursionError:
        raise wanted.wrong(_DEEP) from None
    _check(value, wanted)
    return value


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise _Refused(f"the number {plain(digits, 20)} has {len(digits)} digits\0at most {DIGITS}")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits) if len(digits) <= DIGITS else math.inf
    if math.isinf(number):
        raise _Refused(f"the number {plain(digits, 20)} is too large or too long\0one that a float64 can hold")
    return number


def _constant(name: str) -> float:
    raise _Refused(f"{name} is not JSON\0a finite number, or null")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"key {plain(twice)} is given twice\0it once")
    return made


def _check(value: Any, wanted: Wanted) -> None:
    """Refuse depth and half surrogate pairs; level by level, so the depth of the file is not that of our calls."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item, wanted)
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
        level, depth = below, depth + 1
        if depth > DEPTH:
            raise wanted.wrong(_DEEP)


def _check_text(text: str, wanted: Wanted) -> None:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise wanted.wrong(f"the text {plain(text)} has half of a surrogate pair", right="texts of whole characters")
