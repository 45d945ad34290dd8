"""Where tasks run: joblib's worker processes, a Ray cluster, a Dask cluster. One small adapter each, the same function.

A Ray or Dask task whose worker process dies runs again elsewhere; joblib says that a worker died.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol, TypeVar

from arch_model.child_processes import start_worker
from arch_model.scratch import scratch_folder
from sim.explore.knobs import ExploreError

T = TypeVar("T")
R = TypeVar("R")

NAMES = ("joblib", "ray", "dask")
RAY_FOLDER = 43
"""Characters of a folder's path below which the names of Ray's sockets stay within the 107 that a system takes."""

RETRIES = 5
"""So often a task may lose its worker before the run ends."""


class Backend(Protocol):
    """Runs a function on tasks, in processes of its own."""

    workers: int

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Results as they come, in any order.

        Parameters
        ----------
        function : that workers can import.
        tasks : its arguments.
        """


@contextmanager
def open_backend(spec: str) -> Iterator[Backend]:
    """The backend that a text names: ``joblib[:N]``, ``ray[:ADDRESS|:N]`` or ``dask[:ADDRESS|:N]``; N: local workers.

    Raises
    ------
    ExploreError
        The name is another, or the cluster is not there.

    Examples
    --------
    >>> with open_backend("joblib:1") as backend:
    ...     list(backend.map(abs, [-1, 2]))
    [1, 2]
    """
    name, _, where = spec.partition(":")
    if name not in NAMES:
        raise ExploreError(f"backend is {spec}; give one of joblib[:N], ray[:ADDRESS], dask[:ADDRESS]")
    count = int(where) if where.isdecimal() else 0
    if where.isdecimal() and count < 1:
        raise ExploreError(f"backend is {spec}; give 1 or more workers")
    if name == "joblib":
        if where and not count:
            raise ExploreError(f"backend is {spec}; give joblib:N, N worker processes of this machine")
        yield _Joblib(count or cores())
        return
    try:
        opened = (_ray if name == "ray" else _dask)("" if count else where, count or cores())
        with opened as backend:
            yield backend
    except ImportError as error:
        raise ExploreError(f"backend {name} needs {error.name}: pip install 'fastswitch[{name}]'") from None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Joblib:
    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        if self.workers == 1:
            yield from map(function, tasks)
            return
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        parallel = Parallel(
            n_jobs=self.workers,
            return_as="generator_unordered",
            batch_size=1,
            max_nbytes=None,  # tasks are small; no folder for large ones
            initializer=start_worker,
            initargs=(os.getpid(),),
        )
        try:
            yield from parallel(delayed(function)(task) for task in tasks)
        except TerminatedWorkerError:
            raise ExploreError(
                "a worker process was killed (out of memory?); finished points are kept, the same command goes on"
            ) from None


class _Ray:
    def __init__(self, ray: Any, workers: int) -> None:
        self.ray, self.workers = ray, workers

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        remote = self.ray.remote(max_retries=RETRIES)(function)
        waiting: list[Any] = []
        left = iter(tasks)
        while True:
            waiting += [remote.remote(task) for task in islice(left, 2 * self.workers - len(waiting))]
            if not waiting:
                return
            done, waiting = self.ray.wait(waiting)
            for reference in done:
                try:
                    yield self.ray.get(reference)
                except self.ray.exceptions.WorkerCrashedError:
                    raise ExploreError(
                        f"Ray lost a worker {RETRIES + 1} times on one task; finished points are kept"
                    ) from None


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at ``[protocol://]host:port``; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=5).close()


@contextmanager
def _ray(address: str, workers: int) -> Iterator[Backend]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if ray.is_initialized():
        yield _Ray(ray, _ray_cores(ray, workers))
        return
    with scratch_folder() as place:
        handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
        try:
            if address:
                _knock(address)
                ray.init(address=address, **quiet)
            else:
                if len(str(place)) <= RAY_FOLDER:
                    quiet["_temp_dir"] = str(place)
                ray.init(num_cpus=workers, include_dashboard=False, **quiet)
            # Ray's own handler of SIGTERM exits at once, and stays after the shutdown; a caller's must be obeyed.
            if threading.current_thread() is threading.main_thread():
                for signum, handler in handlers.items():
                    signal.signal(signum, handler)
        except (OSError, RuntimeError, ValueError) as error:
            raise ExploreError(f"Ray cluster {address or 'local'} cannot be reached: {_first_line(error)}") from None
        try:
            yield _Ray(ray, _ray_cores(ray, workers))
        finally:
            ray.shutdown()


def _ray_cores(ray: Any, workers: int) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", workers)))


class _Dask:
    def __init__(self, client: Any, workers: int) -> None:
        self.client, self.workers = client, workers

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        from distributed import KilledWorker, as_completed

        left = iter(tasks)

        def submit(count: int) -> list[Any]:
            return [self.client.submit(function, task, pure=False) for task in islice(left, count)]

        running = as_completed(submit(2 * self.workers))
        for future in running:
            try:
                yield future.result()
            except KilledWorker:
                raise ExploreError(
                    f"Dask lost a worker {RETRIES + 1} times on one task; finished points are kept"
                ) from None
            future.release()
            running.update(submit(1))


@contextmanager
def _dask(address: str, workers: int) -> Iterator[Backend]:
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        scratch_folder() as place,  # of the scheduler here, and of the workers of a local cluster
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": RETRIES,
                "distributed.logging.distributed": 50,
                "temporary-directory": str(place),
            }
        ),
    ):
        if not address:
            with (
                LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
                ) as cluster,
                Client(cluster) as client,
            ):
                yield _Dask(client, workers)
            return
        try:
            _knock(address)
            client = Client(address, timeout="10s")
        except (OSError, ValueError) as error:
            raise ExploreError(f"Dask cluster {address} cannot be reached: {_first_line(error)}") from None
        with client:
            yield _Dask(client, max(1, len(client.scheduler_info()["workers"])))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
