"""Worker processes of this machine: the same function on many tasks, answers in order, nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from arch_model.child_processes import start_worker, starting_workers
from arch_model.errors import FastSwitchError
from arch_model.files.writing import write_whole
from arch_model.scratch import scratch_folder

R = TypeVar("R")

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Workers:
    """A number of processes, each with one thread for linear algebra. Close them, or use ``with``.

    They end at once with an exception in the ``with`` block, and when this process ends, however that does.

    Parameters
    ----------
    count : processes.
    prepare, facts : a function, and its arguments, that each process calls before its first task.
    """

    def __init__(self, count: int, prepare: Callable[..., None], *facts: Any) -> None:
        self._place = ExitStack()
        place = self._place.enter_context(scratch_folder()) / "facts"
        write_whole(place, pickle.dumps((prepare, facts)))  # a process told by a pipe may find half of it there
        # Small products take longer on several threads, which mostly wait for one another.
        with _environment(dict.fromkeys(_THREADS, "1")), starting_workers():
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(count, context, _begin, (os.getpid(), place))
            first = [self._pool.submit(os.getpid) for _ in range(count)]  # a process is started with a task
            self._processes = list((self._pool._processes or {}).values())
        try:
            list(self._wait(first))
        except BaseException:
            self.close(kill=True)
            raise

    def map(self, function: Callable[..., R], tasks: Sequence[tuple[Any, ...]]) -> Generator[R, None, None]:
        """What a function returns for each task, in order; what is not asked for any more is dropped.

        Parameters
        ----------
        function : that a process can import.
        tasks : arguments of each call.

        Raises
        ------
        FastSwitchError
            A process was killed.
        """
        futures = [self._pool.submit(function, *task) for task in tasks]
        try:
            yield from self._wait(futures)
        finally:
            for future in futures:
                future.cancel()

    @staticmethod
    def _wait(futures: Sequence[Future[R]]) -> Iterator[R]:
        try:
            for future in futures:
                yield future.result()
        except BrokenProcessPool:
            raise FastSwitchError(
                "a worker process was killed (out of memory?); what is finished is kept, try again with fewer --jobs"
            ) from None

    def close(self, kill: bool = False) -> None:
        """End the processes, after the tasks that they are at or, with ``kill``, at once."""
        if kill:
            for process in self._processes:
                process.kill()
        self._pool.shutdown(cancel_futures=True)
        self._place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(kill=kind is not None)


def _begin(parent: int, place: Path) -> None:
    start_worker(parent)
    prepare, facts = pickle.loads(place.read_bytes())  # from the process that started this one
    prepare(*facts)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Change environment variables, which processes started in the body inherit."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
