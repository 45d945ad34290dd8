"""Numeric code that numba compiles once after installation, and that runs uncompiled too.

A function marked :func:`compiled` works on integers and int64 arrays alone. With the environment variable
``FASTSWITCH_COMPILE=0`` it stays plain Python, which tests compare with what numba makes of it.

numba keeps machine code in a folder, and knows a function's own file but not the files of the functions that it calls.
So the folder's name has the digest of every source file that holds such functions: an edit anywhere compiles all anew,
and can't leave old code in use.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core import event

Ints = npt.NDArray[np.int64]

F = TypeVar("F", bound=Callable[..., Any])

_HOME = Path(__file__).resolve().parent.parent
SOURCES = (
    *("arch_model/compiled.py", "arch_model/machine/microarchitecture.py", "arch_model/timing"),
    *("mapper/lowering", "mapper/cost", "mapper/search"),
)
"""Files and folders, from the project's root, that hold compiled functions."""

WANTED = os.environ.get("FASTSWITCH_COMPILE", "1") != "0"
"""Whether functions are compiled in this process."""


def _digest() -> str:
    whole = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in SOURCES:
        place = _HOME / source
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:16]


def cache_folder() -> Path:
    """Where machine code is kept: a folder of the user's cache, or what ``NUMBA_CACHE_DIR`` names."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "fastswitch" / "compiled" / _digest()


if WANTED:
    numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]
    # Nothing here is a vector: to look for them costs a third of the time to compile.
    numba.config.LOOP_VECTORIZE = numba.config.SLP_VECTORIZE = 0  # type: ignore[attr-defined]


def compiled(function: F) -> F:
    """The function, compiled when it is first called unless machine code of it is there.

    Parameters
    ----------
    function : takes and returns integers, int64 arrays and named tuples of them.

    >>> from arch_model.timing.transfers import up
    >>> up(7, 2)
    4
    """
    return _made(function, cache=True)


def inner(function: F) -> F:
    """As :func:`compiled`, for a function that compiled ones alone call: without what a call from Python needs, which
    takes most of the time to compile a function of many arrays."""
    return _made(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


class _Announcement(event.Listener):
    """Says once, to a person at a terminal, why the first command after installation takes so long."""

    said = False

    def on_start(self, event: Any) -> None:
        if not self.said and sys.stderr.isatty():
            print("compiling the mapper's engine, once after installation (about half a minute) ...", file=sys.stderr)
        self.said = True

    def on_end(self, event: Any) -> None:
        pass


if WANTED:
    event.register("numba:compile", _Announcement())  # type: ignore[no-untyped-call]


def _made(function: F, **options: bool) -> F:
    if not WANTED:
        return function
    # A division has no zero to look out for: sizes are positive.
    return cast(F, numba.njit(nogil=True, error_model="numpy", **options)(function))  # type: ignore[call-overload]
