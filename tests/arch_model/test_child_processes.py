"""Processes that end with their parent: a worker, a program with children of its own, one that a library starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arch_model.child_processes import end_session, run_supervised, start_supervised

STARTS = {
    "a program with children": "start_supervised(['sh', '-c', 'sleep 600 & sleep 601 & wait'])",
    "a program below a thread that has ended": (
        "t = threading.Thread(target=lambda: kept.append(start_supervised(['sleep', '600']))); t.start(); t.join()"
    ),
    "a worker": "subprocess.Popen([sys.executable, '-S', '-c', WORKER, str(os.getpid())])",
    "a program of a library's": "with supervising(fake): fake.subprocess.Popen(['sleep', '600'])",
}

PARENT = """
import os, subprocess, sys, threading, time, types
sys.path.insert(0, {where!r})
from child_processes import start_supervised, supervising
WORKER = "import sys, time; sys.path.insert(0, {where!r}); from child_processes import start_worker; " \\
    "start_worker(int(sys.argv[1])); time.sleep(600)"
fake, kept = types.ModuleType("fake"), []
fake.subprocess = subprocess
{start}
print("started", flush=True)
time.sleep(600)
"""


def marked(mark: str) -> list[int]:
    """Processes, not dead ones, whose environment has the mark: descendants, wherever they hang now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes() and " Z " not in (folder / "stat").read_text():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def until(true: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("start", STARTS.values(), ids=list(STARTS))
def test_it_ends_with_its_parent(start: str, how: signal.Signals) -> None:
    where = str(Path(run_supervised.__code__.co_filename).parent)
    mark = f"TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
    name, value = mark.split("=")
    parent = subprocess.Popen(
        [sys.executable, "-S", "-c", PARENT.format(where=where, start=start)],
        env={**os.environ, name: value},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None and parent.stdout.readline() == "started\n"
    time.sleep(0.2)
    assert len(marked(mark)) >= 2
    parent.send_signal(how)
    parent.communicate()
    assert until(lambda: not marked(mark)), f"alive: {marked(mark)}"


def test_status_and_output_are_the_programs() -> None:
    assert run_supervised(["sh", "-c", "exit 5"]) == 5
    assert run_supervised(["sh", "-c", "kill -TERM $$"]) == 128 + signal.SIGTERM
    process = start_supervised(["echo", "here"], stdout=subprocess.PIPE, text=True)
    assert process.communicate()[0] == "here\n" and process.returncode == 0
    absent = start_supervised(["no-such-program"], stderr=subprocess.PIPE, text=True)
    assert absent.communicate()[1] == "no-such-program: No such file or directory\n" and absent.returncode == 127


def test_the_end_of_a_session_ends_children_that_their_parent_left(tmp_path: Path) -> None:
    script = "sleep 600 & echo $! > child; wait"
    process = start_supervised(["sh", "-c", script], cwd=tmp_path)
    assert until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().endswith("\n"))
    child = int((tmp_path / "child").read_text())
    end_session(process)
    assert process.returncode == -signal.SIGKILL
    assert until(lambda: not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text())


def test_a_time_limit_ends_children_too() -> None:
    mark = f"TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
    name, value = mark.split("=")
    with pytest.raises(subprocess.TimeoutExpired):
        run_supervised(["sh", "-c", "sleep 600 & wait"], 0.3, env={**os.environ, name: value})
    assert until(lambda: not marked(mark))
