"""Numeric code that numba compiles once after installation, and that runs uncompiled too.

A function marked :func:`compiled` works on integers and int64 arrays alone. With the environment variable
``FASTSWITCH_COMPILE=0`` it stays plain Python, which tests compare with what numba makes of it.

numba keeps machine code by the place and date of a function's own file, and doesn't know the files of the functions
that it calls. Here it is kept by what the sources are instead: in a folder whose name has the digest of every source
file that holds such functions. An edit anywhere compiles all anew and can't leave old code in use, and a copy elsewhere
finds what is there.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core import caching, event, types

Ints = npt.NDArray[np.int64]

F = TypeVar("F", bound=Callable[..., Any])

_HOME = Path(__file__).resolve().parent.parent
SOURCES = (
    *("arch_model/compiled.py", "arch_model/machine/microarchitecture.py", "arch_model/timing"),
    *("mapper/lowering", "mapper/cost", "mapper/search", "mapper/pinning"),
    *("mapper/serving/backlog_policy.py", "mapper/serving/queue_policies.py", "mapper/serving/queue_loop.py"),
    "mapper/serving/queue_bound.py",
)
"""Files and folders, from the project's root, that hold compiled functions."""

ROOMS = ("arch_model", "mapper")
"""Packages of which they are modules."""

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
    """Where machine code is kept: in the user's cache folder, or in what ``NUMBA_CACHE_DIR`` names."""
    home = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "fastswitch" / "compiled" / _digest()


def _is_ours(function: Any) -> bool:
    return function.__module__.split(".")[0] in ROOMS


class _BySource(caching._CacheLocator):
    """Tells numba to keep a function's machine code in :func:`cache_folder`, whatever the place and date of its
    file."""

    folder = str(cache_folder()) if WANTED else ""

    def __init__(self, function: Any) -> None:
        self._name = f"{function.__module__}.{function.__code__.co_firstlineno}"

    def get_cache_path(self) -> str:
        return self.folder

    def get_source_stamp(self) -> str:
        return "by digest"

    def get_disambiguator(self) -> str:
        return self._name

    @classmethod
    def from_function(cls, function: Any, file: str) -> _BySource | None:
        return cls(function) if _is_ours(function) else None


if WANTED:
    _kept_by = getattr(caching, "_CacheImpl", None) or getattr(caching, "CacheImpl", None)  # newer numba
    if (_locators := getattr(_kept_by, "_locator_classes", None)) is not None:
        _locators.insert(0, _BySource)
    else:
        numba.config.CACHE_DIR = _BySource.folder  # type: ignore[attr-defined]
    # Nothing here is a vector: to look for them costs a third of the time to compile.
    numba.config.LOOP_VECTORIZE = numba.config.SLP_VECTORIZE = 0  # type: ignore[attr-defined]
    # LLVM's higher levels take a sixth more time to compile and make what runs 4 % faster.
    if "NUMBA_OPT" not in os.environ:
        numba.config.OPT = type(numba.config.OPT)(1)  # type: ignore[attr-defined]


def _ask_for_blas_later() -> None:
    """Where numba first loads or compiles anything it imports scipy's linear algebra, an eighth of a second, only to
    know that it is there. It is; what multiplies matrices imports it then."""
    if "scipy" in sys.modules and "numba.np.arraymath" not in sys.modules:
        with suppress(ImportError, AttributeError):
            linalg = importlib.import_module("numba.np.linalg")
            asks, linalg.ensure_blas = linalg.ensure_blas, lambda: None  # type: ignore[attr-defined]
            try:
                importlib.import_module("numba.np.arraymath")
            finally:
                linalg.ensure_blas = asks  # type: ignore[attr-defined]


if WANTED:
    _ask_for_blas_later()


def compiled(function: F) -> F:
    """The function, compiled when it is first called unless machine code of it is there.

    Parameters
    ----------
    function : takes and returns integers and int64 arrays.

    Examples
    --------
    >>> from arch_model.timing.transfers import up
    >>> up(7, 2)
    4
    """
    return _made(function, cache=True)


def inner(function: F) -> F:
    """As :func:`compiled`, for a function that compiled ones alone call: without what a call from Python needs."""
    return _made(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


class _Announcement(event.Listener):
    """Says once, to a person at a terminal, why the first command after installation takes so long."""

    said = False

    def on_start(self, event: Any) -> None:
        if self.said or not _is_ours(event.data["dispatcher"].py_func):
            return
        if sys.stderr.isatty():
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
    made = numba.njit(nogil=True, error_model="numpy", **options)(function)  # type: ignore[call-overload]
    _take_any(made)
    if options.get("cache"):
        _forgive(made._cache)
    return cast(F, made)


def _take_any(made: Any) -> None:
    """A constant among the arguments is an integer like another: numba would compile the function for each by itself,
    a third of all the work on it."""
    template, plain = made.get_call_template, cast(Any, types.unliteral)

    def get_call_template(args: Any, kws: Any) -> Any:
        return template(tuple(map(plain, args)), {key: plain(kind) for key, kind in kws.items()})

    made.get_call_template = get_call_template


def _forgive(cache: Any) -> None:
    """Where machine code cannot be kept or read (a home that nobody may write to, a full disk, a file that is cut off),
    it is compiled in every process: slower, and no failure of what the user asked for."""
    load, save = cache.load_overload, cache.save_overload

    def load_overload(signature: Any, context: Any) -> Any:
        try:
            return load(signature, context)
        except Exception:  # bytes that are no pickle raise nearly anything
            with suppress(OSError):
                cache.flush()
            return None

    def save_overload(signature: Any, data: Any) -> None:
        with suppress(OSError):
            save(signature, data)

    cache.load_overload, cache.save_overload = load_overload, save_overload
