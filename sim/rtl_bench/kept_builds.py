"""What is kept of simulations that were built, and for how long."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DONE = "built.json"
"""Written when a build is whole; its time says when the simulation was last asked for."""

DAYS = 30
BYTES = 4 * 10**9
"""Builds not asked for in so many days go, and beyond so many bytes those that were asked for longest ago."""

IN_USE_DAYS = 1
"""A simulation that was asked for since may still run: it stays."""

_INTERMEDIATE = (".cpp", ".h", ".o", ".d", ".gch", ".a", ".mk", ".dat")
_DAY_S = 86_400


def forget_intermediate(folder: Path) -> None:
    """Remove what a compiler leaves beside a program: for a large machine 200 MB beside 3.

    Parameters
    ----------
    folder : of a whole build.
    """
    for path in folder.glob("V*"):
        if path.suffix in _INTERMEDIATE and path.is_file():
            path.unlink()
    for path in (*folder.glob("*.o"), *folder.glob("*.d")):
        path.unlink()


def prune(base: Path, keep: Path, now: float | None = None) -> str:
    """Remove builds that are old, or too many.

    Parameters
    ----------
    base : the folder of builds, each a folder beside its lock file.
    keep : the one that is wanted now.
    now : seconds since the epoch. None: the time now.

    Returns
    -------
    What was removed, in words; empty if nothing was.
    """
    now = time.time() if now is None else now
    builds = sorted(((used, folder) for folder in _builds(base) if (used := _used(folder)) is not None), reverse=True)
    removed, freed, total = 0, 0, 0
    for used, folder in builds:
        size, days = _size(folder), (now - used) / _DAY_S
        total += size
        if folder == keep or days < IN_USE_DAYS or (days < DAYS and total <= BYTES):
            continue
        with _locked(Path(f"{folder}.lock")) as free:
            if free:
                shutil.rmtree(folder, ignore_errors=True)
                removed, freed, total = removed + 1, freed + size, total - size
    if not removed:
        return ""
    return f"removed {removed} simulations ({freed / 1e6:,.0f} MB) not used for long from {base}"


def _builds(base: Path) -> Iterator[Path]:
    return (path.parent for path in base.glob(f"*/{DONE}"))


def _used(folder: Path) -> float | None:
    with suppress(OSError):
        return (folder / DONE).stat().st_mtime
    return None


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def note_use(folder: Path) -> None:
    """Write down that a build was asked for now; a cache that cannot be written keeps its old time."""
    with suppress(OSError):
        os.utime(folder / DONE)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a lock file if nobody else does."""
    try:
        file = open(path, "w")  # noqa: SIM115 (closed below, however this ends)
    except OSError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
