"""The YAML of a point's Accelerator: as a file, and as the lines in which it differs from another's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import yaml

from arch_model.accelerator import Accelerator
from arch_model.technology import Table

_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@cache
def _shipped(table: type[Table]) -> Table:
    return table.shipped()


def accelerator_yaml(accelerator: Accelerator) -> str:
    """The description as ``Accelerator.load`` reads it; tables of energy and area only where they are not the shipped.

    >>> tiny = Accelerator.load("tiny")
    >>> print(accelerator_yaml(tiny)[:25])
    name: tiny
    array:
      kp: 4
    """
    fields = type(accelerator).model_fields
    shipped = {
        name
        for name in fields
        if isinstance(table := getattr(accelerator, name), Table) and table == _shipped(type(table))
    }
    data = accelerator.model_dump(mode="json", exclude=shipped)
    data = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in data.items()}  # 100000000 hertz
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True))


Lines = list[tuple[int, str]]


def changed_lines(base: str, texts: Iterable[str]) -> Iterable[Lines | str]:
    """Each text as the lines, by number from 0, that differ from those of ``base``; whole where it has more or fewer.

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
