"""Worker processes: answers in order, a worker that is killed, an exception that does not wait for tasks."""

from __future__ import annotations

import os
import signal
import time

import pytest

from arch_model.errors import FastSwitchError
from sim.workers import Workers

_kept: list[int] = []


def prepare(number: int) -> None:
    _kept.append(number)


def slow_sum(number: int) -> tuple[int, str | None, int]:
    time.sleep(0.05 * (number % 3))
    return number + _kept[0], os.environ.get("OPENBLAS_NUM_THREADS"), os.getpid()


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def test_answers_are_in_order_and_processes_are_prepared() -> None:
    with Workers(2, prepare, 100) as workers:
        answers = list(workers.map(slow_sum, [(n,) for n in range(6)]))
        assert [answer[0] for answer in answers] == [100, 101, 102, 103, 104, 105]
        assert {answer[1] for answer in answers} == {"1"}
        pids = {answer[2] for answer in answers}
        with pytest.raises(FastSwitchError, match=r"a worker process was killed .*fewer --jobs"):
            list(workers.map(die, [(1,)]))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_exception_ends_them_at_once() -> None:
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Workers(1, prepare, 0) as workers:
        waiting = workers.map(sleep, [(0.0,), (600.0,)])
        next(waiting)
        raise KeyboardInterrupt
    assert time.monotonic() < begun + 60
