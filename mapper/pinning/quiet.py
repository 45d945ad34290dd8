"""Standard output kept clean of what a library in C prints there by itself."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STDOUT = 1


@contextmanager
def without_c_output() -> Iterator[None]:
    """What C code prints on standard output goes nowhere; what Python prints before and after is untouched.

    HiGHS prints a line with ``printf`` whenever it repairs a solution, whatever its options say, so that the only place
    to keep it from is the file descriptor. C has a buffer of its own, which is emptied before and after.

    >>> with without_c_output():
    ...     _ = ctypes.CDLL(None).puts(b"a line of C")
    """
    try:
        kept, nowhere = os.dup(STDOUT), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # there is no standard output to keep clean
        yield
        return
    try:
        _flush()
        os.dup2(nowhere, STDOUT)
        yield
    finally:
        _flush()
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(nowhere)


def _flush() -> None:
    """Empty the buffers of C; where the C library cannot be asked, they are left alone."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
