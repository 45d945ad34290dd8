"""Why points are no machine, counted: reasons that differ in their figures only are one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_FIGURE = re.compile(r"(?<![A-Za-z_])[-−]?\d[\d_,]*(?:\.\d+)?(?:e[-+]?\d+)?")
_SOURCE = re.compile(r"^accelerator \S+: ")


@dataclass(frozen=True)
class Reason:
    """Why points are no machine.

    Attributes
    ----------
    text : in the words of the first point.
    count : of points.
    point : number of the first.
    """

    text: str
    count: int
    point: int


def reasons(rows: Iterable[tuple[int, str]]) -> list[Reason]:
    """Reasons from the (point, why) of points that are illegal, the most frequent first.

    >>> [found] = reasons([(3, "accelerator a: axi.data_bits is 96; give 64"), (5, "axi.data_bits is 48; give 64")])
    >>> found
    Reason(text='axi.data_bits is 96; give 64', count=2, point=3)
    """
    found: dict[str, Reason] = {}
    for point, why in rows:
        text = _SOURCE.sub("", " ".join(why.split())) or "no reason given"
        key = _FIGURE.sub("#", text)
        first = found.get(key, Reason(text, 0, point))
        found[key] = Reason(first.text, first.count + 1, first.point)
    return sorted(found.values(), key=lambda reason: -reason.count)
