"""Processes that end with the one that started them, however that ends: also by SIGKILL, which it cannot answer.

A process of Python's calls :func:`end_with_parent` when it begins. Any other program is started by
:func:`start_supervised`, below this file run as a program: a supervisor that leads a session of its own, passes the
exit status on, and ends the whole session when its parent is gone.

The supervisor starts in 20 ms: this file imports nothing of the project.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType, SimpleNamespace
from typing import Any

_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

POLL_S = 0.2
"""How often the parent is looked for on a system that cannot wait for the end of any process."""


def end_with_parent(parent: int, session: bool = False) -> None:
    """End this process as soon as its parent is gone; call it once, when the process begins.

    Parameters
    ----------
    parent : number of the process that started this one.
    session : this process leads a session; all processes of its group end with it.

    Only the end of the parent's process counts, not that of the thread that started this one, as it would for Linux's
    ``PR_SET_PDEATHSIG``. A call in C that keeps the interpreter to itself is waited for.
    """
    threading.Thread(target=_watch, args=(parent, session), name="end-with-parent", daemon=True).start()


def start_worker(parent: int) -> None:
    """What a worker process begins with: it ends with its parent, which is also the one that answers Ctrl-C."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


def _watch(parent: int, session: bool) -> None:
    try:
        end: int | None = os.pidfd_open(parent)
    except (AttributeError, OSError):  # another system than Linux; or the parent is gone already
        end = None
    if end is not None and os.getppid() == parent:
        wait = select.poll()
        wait.register(end, select.POLLIN)
        wait.poll()
    while os.getppid() == parent:
        time.sleep(POLL_S)
    if session:
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def start_supervised(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program below a supervisor, which ends it when this process ends; end it with :func:`end_session`.

    Parameters
    ----------
    command : the program and its arguments.
    options : of ``subprocess.Popen``.
    """
    supervisor = [sys.executable, "-IS", os.path.abspath(__file__), str(os.getpid())]
    return subprocess.Popen([*supervisor, *map(str, command)], start_new_session=True, **options)


def run_supervised(command: Sequence[str], timeout_s: float | None = None, **options: Any) -> int:
    """Run a program to its end and return its exit status; whatever it started is then gone.

    Parameters
    ----------
    command : the program and its arguments.
    timeout_s : seconds. None: without a limit.
    options : of ``subprocess.Popen``.

    Raises
    ------
    subprocess.TimeoutExpired
        It took longer; all of its processes are ended.

    Examples
    --------
    >>> run_supervised(["sh", "-c", "exit 3"])
    3
    """
    process = start_supervised(command, **options)
    try:
        return process.wait(timeout_s)
    finally:
        end_session(process)


def end_session(process: subprocess.Popen[Any]) -> None:
    """End a process that leads a session, and every process of its group, at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def supervising(library: ModuleType) -> Iterator[None]:
    """While the body runs, programs that a library's module starts by ``subprocess.Popen`` are supervised."""
    before = vars(library)["subprocess"]
    vars(library)["subprocess"] = SimpleNamespace(**{**vars(before), "Popen": start_supervised})
    try:
        yield
    finally:
        vars(library)["subprocess"] = before


@contextmanager
def starting_workers() -> Iterator[None]:
    """While processes are started in the body, what asks for an end waits until they are there.

    The other half of :func:`start_worker`. A terminal sends Ctrl-C to all processes of a command, and one that is still
    importing, or whose parent stops in the middle of telling it what to do, would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _supervise() -> int:
    """Run the command that follows the parent's number; its exit status, as a shell gives it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    end_with_parent(parent, session=True)
    try:
        status = subprocess.call(command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(_supervise())
