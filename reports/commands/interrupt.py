"""What stops a command from outside, and the line that it then ends with."""

from __future__ import annotations

import atexit
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ONE_REQUEST_S = 1.0
"""Signals that follow one another so closely are one wish: some programs signal a process and then its whole group."""


class Interrupted(Exception):
    """Ctrl-C or a signal that asks for an end; its text continues the word "interrupted".

    >>> print(f"interrupted{Interrupted('; 3 finished queries are in out')}")
    interrupted; 3 finished queries are in out
    """


class Stop:
    """Which signal asked for an end; ``status``, what the command then exits with: 128 and the signal's number."""

    def __init__(self) -> None:
        self.signum = int(signal.SIGINT)
        self._last = -ONE_REQUEST_S

    @property
    def status(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
        return 128 + self.signum

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """The signals' handler. Raises KeyboardInterrupt, but not while it obeys one that came just before."""
        now = time.monotonic()
        if now < self._last + ONE_REQUEST_S:
            return
        self._last, self.signum = now, signum
        raise KeyboardInterrupt


@contextmanager
def stoppable() -> Iterator[Stop]:
    """While the body runs, SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does; each at most once a second.

    Signals that are ignored stay so, as below ``nohup`` or in the background of a script.

    >>> with stoppable() as stop:
    ...     try:
    ...         stop(signal.SIGTERM, None)                   # what the signal does
    ...     except KeyboardInterrupt:
    ...         print(stop.status)
    143
    """
    stop, before = Stop(), {}
    for signum, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(signum) == usual:
            try:
                before[signum] = signal.signal(signum, stop)
            except ValueError:  # not in the main thread, which alone receives signals
                break
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def ignore_while_exiting() -> None:
    """From the interpreter's exit on, signals that ask for an end change nothing: all is done, and the status is known.

    To take down libraries takes a while, in which such a signal would end the process in its own way.
    """
    if threading.current_thread() is threading.main_thread():
        atexit.register(_ignore)


def _ignore() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
