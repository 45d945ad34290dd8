"""Hostile files and hostile command lines, all of them, against every reader and every command.

    python bench/hostile.py --jobs 2     # the last figures are in bench/hostile.md

What is counted as a fault is said in ``hostile_runner.py``; the cases are those of ``hostile_files.py`` and
``hostile_commands.py``. Nothing of it needs the network, a simulator or more than 4 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from hostile_runner import Case, main

SOURCES = ("hostile_files", "hostile_commands")


def cases(seed: int) -> Iterator[Case]:
    """Those of every source that is there."""
    for name in SOURCES:
        try:
            module = import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        yield from module.cases(seed)


if __name__ == "__main__":
    main(cases, __doc__.splitlines()[0])
