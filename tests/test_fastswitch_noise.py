"""``fastswitch noise`` killed, stopped, given again: no process is left, no finished trial lost, the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fastswitch
from tests.arch_model.test_child_processes import marked, until

WORDS = ["noise", "--subnet", "smallest", "--variation", "lognormal:0.5", "--images", "200", "--trials", "8"]


def start(folder: Path, mark: str, jobs: int) -> subprocess.Popen[str]:
    """The command, with a mark in the environment of all its processes and temporary files of its own."""
    name, value = mark.split("=")
    (folder / "temporary").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "fastswitch", *WORDS, "--jobs", str(jobs), "--csv", str(folder / "noise.csv")],
        env={**os.environ, name: value, "TMPDIR": str(folder / "temporary")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(folder: Path) -> list[str]:
    part = folder / "noise.csv.part"
    return [line for line in part.read_text().splitlines(True)[1:] if line.endswith("\n")] if part.exists() else []


def wait_for(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    assert until(lambda: true() or process.poll() is not None, 120) and process.poll() is None, process.communicate()[1]


def test_a_kill_and_sigterm_lose_nothing_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
    killed = start(tmp_path, mark, jobs=2)
    wait_for(lambda: len(finished(tmp_path)) >= 1, killed)
    killed.kill()
    killed.communicate()
    assert until(lambda: not marked(mark)), f"alive: {marked(mark)}"
    there = finished(tmp_path)
    assert there

    stopped = start(tmp_path, mark, jobs=1)
    wait_for(lambda: len(finished(tmp_path)) > len(there), stopped)
    stopped.send_signal(signal.SIGTERM)
    said = stopped.communicate()[1]
    assert finished(tmp_path)[: len(there)] == there
    if stopped.returncode != 0:  # it may have been quicker
        assert stopped.returncode == 143 and "Traceback" not in said
        last = said.splitlines()[-1]
        assert last.startswith("fastswitch: interrupted; ") and last.endswith("the same command goes on with them")
    assert not marked(mark)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for csv in ("noise.csv", "whole.csv"):
        with pytest.raises(SystemExit) as stop:
            fastswitch.main([*WORDS, "--jobs", "1", "--csv", str(tmp_path / csv)])
        assert stop.value.code == 0
    assert (tmp_path / "noise.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"noise.csv", "whole.csv", "temporary"}
    assert not list((tmp_path / "temporary").iterdir())  # what the killed one left went, too
