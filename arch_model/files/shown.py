"""A value of a user's in the line that refuses it: as Python writes it, and never longer than the line can bear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time

MOST = 60
"""Characters that are shown of a value."""


def shown(value: object, most: int = MOST) -> str:
    """``repr(value)``, cut to ``most`` characters.

    No more of the value is visited than is shown: a list that holds itself a billion times over, by a few aliases of
    YAML, costs what a short list costs. Of an object that is no plain value the class is named.

    Parameters
    ----------
    value : anything.
    most : characters.

    Examples
    --------
    >>> shown({"kp": [1, 2.5, None]}), shown("x" * 100, most=20)
    ("{'kp': [1, 2.5, None]}", "'xxxxxxxxxxxxxxxx...")
    >>> bomb = ["x"]
    >>> for _ in range(60):
    ...     bomb = [bomb] * 9
    >>> shown(bomb, most=10)
    '[[[[[[[...'
    >>> shown(10**5000)
    'a number of about 5001 digits'
    """
    text = ""
    for piece in _pieces(value, most):
        text += piece
        if len(text) > most:
            return text[: most - 3] + "..."
    return text


def plain(text: str, most: int = MOST) -> str:
    r"""A text for the middle of a sentence: without quotes, control characters escaped, cut to ``most`` characters.

    Parameters
    ----------
    text : any text.
    most : characters.

    Examples
    --------
    >>> plain("conv1"), plain("a\nb"), plain("x" * 100, most=10)
    ('conv1', 'a\\nb', 'xxxxxxx...')
    """
    escaped = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text[: most + 1]
    )
    return escaped if len(escaped) <= most else escaped[: most - 3] + "..."


def _pieces(value: object, most: int) -> Iterator[str]:
    """The text of a value from its left; each list or mapping gives a piece before its first item is visited."""
    if isinstance(value, str | bytes):
        yield repr(value[: most + 1])
    elif isinstance(value, bool | float | complex | date | time) or value is None:
        yield repr(value)
    elif isinstance(value, int):
        digits = int(value.bit_length() * 0.30103) + 1
        yield repr(value) if digits <= 2 * most else f"a number of about {digits} digits"
    elif isinstance(value, Mapping):
        yield "{"
        for place, (key, item) in enumerate(value.items()):
            yield ", " if place else ""
            yield from _pieces(key, most)
            yield ": "
            yield from _pieces(item, most)
        yield "}"
    elif isinstance(value, list):
        yield from _items("[", value, "]", most)
    elif isinstance(value, tuple):
        yield from _items("(", value, ",)" if len(value) == 1 else ")", most)
    elif isinstance(value, set | frozenset) and value:
        yield from _items("{", value, "}", most)
    else:
        yield f"an object of type {type(value).__name__}"


def _items(begin: str, items: Iterable[object], end: str, most: int) -> Iterator[str]:
    yield begin
    for place, item in enumerate(items):
        yield ", " if place else ""
        yield from _pieces(item, most)
    yield end
