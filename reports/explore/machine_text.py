"""The YAML of a point's Accelerator as the lines in which it differs from another's."""

from __future__ import annotations

from collections.abc import Iterable

Lines = list[tuple[int, str]]


def changed_lines(base: str, texts: Iterable[str]) -> Iterable[Lines | str]:
    """Each text as the lines, by number from 0, that differ from those of a base; whole where it has more or fewer.

    Parameters
    ----------
    base : the text to compare with.
    texts : the others.

    Examples
    --------
    >>> list(changed_lines("a: 1\\nb: 2\\n", ["a: 1\\nb: 3\\n", "a: 1\\n"]))
    [[(1, 'b: 3')], 'a: 1\\n']
    """
    lines = base.splitlines()
    for text in texts:
        own = text.splitlines()
        if len(own) != len(lines):
            yield text
        else:
            yield [(n, line) for n, (line, old) in enumerate(zip(own, lines, strict=True)) if line != old]
