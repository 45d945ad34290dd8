"""The same rows from joblib, Ray and Dask, also where a worker process dies in mid-run; what cannot be opened."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sim.explore import ExploreError, explore, run
from sim.explore.backends import cores, open_backend
from tests.sim.explore.session import alive

VARY = "KP=2,4,8 CP=3,5 PB=0:96KB:48KB SB=1,54KB DRAM=600,1200MB/s"


def explored(folder: Path, backend: str) -> pd.DataFrame:
    return explore("fashion", "fashion-d111-w222", VARY, out=folder, accelerator="tiny", backend=backend)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return explored(tmp_path_factory.mktemp("alone"), "joblib:1")


def deadly(flag: str, times: int = 1) -> Callable[[Any], Any]:
    """The work, in a process that is killed so often on the task with point 40. By value: workers lack this file."""

    def work(task: Any) -> Any:
        import os
        import signal
        from pathlib import Path

        from sim.explore.price import price

        before = len(list(Path(flag).iterdir()))
        if 40 in task[1] and before < times:
            (Path(flag) / str(before)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return price(*task)

    return work


def killed(monkeypatch: pytest.MonkeyPatch, folder: Path, backend: str, times: int = 1) -> pd.DataFrame:
    flag = folder / "died"
    flag.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(run, "work", deadly(str(flag), times))
        try:
            return explored(folder / "out", backend)
        finally:
            assert len(list(flag.iterdir())) == times


def test_joblib(tmp_path: Path, alone: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(explored(tmp_path, "joblib:2"), alone, check_exact=True)


def test_joblib_says_that_a_worker_died_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alone: pd.DataFrame
) -> None:
    with pytest.raises(ExploreError, match=r"a worker process was killed .*finished points are kept, the same command"):
        killed(monkeypatch, tmp_path, "joblib:2")
    pd.testing.assert_frame_equal(explored(tmp_path / "out", "joblib:1"), alone, check_exact=True)


def test_workers_that_never_had_a_task_end_with_their_parent(tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from sim.explore.backends import open_backend

def work(task):
    Path({str(tmp_path / "begun")!r}).touch()
    time.sleep(600)

with open_backend("joblib:3") as backend:
    list(backend.map(work, [0]))
"""
    parent = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    while not (tmp_path / "begun").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while alive(parent.pid):
        assert time.monotonic() < deadline, f"workers live on: {alive(parent.pid)}"
        time.sleep(0.1)


@pytest.mark.parametrize("backend,module", [("ray:2", "ray"), ("dask:2", "distributed")])
def test_a_worker_killed_in_mid_run_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alone: pd.DataFrame, backend: str, module: str
) -> None:
    pytest.importorskip(module)
    pd.testing.assert_frame_equal(killed(monkeypatch, tmp_path, backend), alone, check_exact=True)


@pytest.mark.parametrize(
    "spec,words",
    [
        ("spark", "backend is spark; give one of joblib"),
        ("joblib:0", "give 1 or more workers"),
        ("joblib:here", "give joblib:N"),
        ("dask:tcp://127.0.0.1:9", "Dask cluster tcp://127.0.0.1:9 cannot be reached"),
        ("dask:nonsense://x", "Dask cluster nonsense://x cannot be reached"),
        ("ray:127.0.0.1:9", "Ray cluster 127.0.0.1:9 cannot be reached"),
    ],
)
def test_what_cannot_be_opened_is_one_line(spec: str, words: str) -> None:
    with pytest.raises(ExploreError) as error, open_backend(spec):
        pass
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_backend_has_a_worker_a_core_unless_told_otherwise() -> None:
    for spec, workers in (("joblib", cores()), ("joblib:3", 3)):
        with open_backend(spec) as backend:
            assert backend.workers == workers
