"""Standard output and error that are closed, full, or whose reader has left."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

LONGEST, LONGEST_TEXT = 950, 1_000_000


def open_closed_streams() -> None:
    """Send what goes to a stream that was closed before the start (``>&-``) to nowhere.

    Otherwise the next file that is opened would take its number, and receive what is printed.
    """
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            _send_to_nowhere(number)
            if getattr(sys, name) is None:
                # Lives as long as the process, as the standard streams do.
                setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


class Output(io.FileIO):
    """Standard output that remembers what went wrong with it: an OSError alone does not say which file it is of."""

    error: OSError | None = None

    def write(self, data: Any) -> Any:
        """Write to the stream as ``io.FileIO`` does, and remember the error if that fails."""
        try:
            return super().write(data)
        except OSError as error:
            self.error = error
            raise


@contextmanager
def checked_output() -> Iterator[Output]:
    """While the body runs, standard output is an :class:`Output`, unless it is no file, as in a test."""
    text = sys.stdout
    if not (isinstance(text, io.TextIOWrapper) and isinstance(getattr(text.buffer, "raw", text.buffer), io.FileIO)):
        yield Output(os.devnull, "w")
        return
    text.flush()
    output = Output(text.fileno(), "w", closefd=False)
    unbuffered = isinstance(text.buffer, io.FileIO)
    sys.stdout = io.TextIOWrapper(
        cast(BinaryIO, output) if unbuffered else io.BufferedWriter(output),
        text.encoding,
        "backslashreplace" if text.errors == "strict" else text.errors,  # a name in another encoding ends no command
        line_buffering=text.line_buffering,
        write_through=text.write_through,
    )
    try:
        yield output
    finally:
        with suppress(OSError, ValueError):  # the output remembers it
            sys.stdout.flush()
        sys.stdout = text


def say(text: str) -> None:
    """Print one line of at most 1,000 characters on standard error, if that takes it; the exit status says the rest."""
    from arch_model.files.shown import plain

    line = plain(" ".join(text.split()), LONGEST_TEXT)
    if len(line) > LONGEST:
        line = f"{line[:600]} ... {line[-300:]}"  # what is wrong stands first, what would be right last
    try:
        print("fastswitch:", line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        with suppress(OSError, ValueError, AttributeError):
            _send_to_nowhere(sys.stderr.fileno())


def _send_to_nowhere(number: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
