"""What the command line says of an exception: whose fault it is, in one line, and the exit status."""

from __future__ import annotations

import os
import traceback

import click

from arch_model.errors import FastSwitchError
from arch_model.files.shown import plain
from arch_model.files.wanted import one_line

REFUSED, INTERNAL = 2, 70
"""Exit statuses: the user can do something about it; it is a mistake of ours (``EX_SOFTWARE`` of sysexits.h)."""

VARIABLE = "FASTSWITCH_TRACEBACK"
"""The environment variable that has an internal error show where it was."""


def explained(error: Exception) -> tuple[str, int]:
    """One line and the exit status for an exception that ends a command.

    A :class:`~arch_model.errors.FastSwitchError` and a :class:`click.ClickException` say all that there is to say. What
    the system refuses (an OSError, no memory) is the user's, too: the line has the system's words and the file. Any
    other exception is a mistake of ours, also one of a kind that values of users often cause, such as ValueError: such
    values are to be checked where they are read, and an internal error that looked like the user's would never be
    reported.

    >>> explained(FastSwitchError("queries is 0; give at least 1"))
    ('queries is 0; give at least 1', 2)
    >>> explained(IsADirectoryError(21, "Is a directory", "out"))
    ('cannot use out: Is a directory', 2)
    >>> explained(MemoryError())[1], explained(ValueError("no"))[1]
    (2, 70)
    """
    if isinstance(error, click.ClickException):
        return error.format_message(), REFUSED
    if isinstance(error, FastSwitchError):
        return str(error), REFUSED
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; give less of it at a time", REFUSED
    if isinstance(error, OSError) and error.errno is not None:
        said = error.strerror or os.strerror(error.errno)
        return (f"cannot use {plain(str(error.filename), 200)}: {said}" if error.filename else said), REFUSED
    if os.environ.get(VARIABLE):
        traceback.print_exception(error)
    kind = type(error).__name__
    said = one_line(error)
    what = kind if said == kind else f"{kind}: {said}"
    return f"internal error, {what}; please report it with the command line ({VARIABLE}=1 shows where it is)", INTERNAL
