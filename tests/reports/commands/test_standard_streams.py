"""A full device, a reader that has left, a stream that was closed before the start: one line or none, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fastswitch

ROOT = Path(fastswitch.__file__).parent
FULL = Path("/dev/full")
LONG = "subnets --space fashion --json"
FULL_LINE = "fastswitch: cannot write standard output: No space left on device\n"


def shell(words: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m fastswitch {words}"
    return subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("words,unbuffered", [("--help", ""), ("--help", "1"), (LONG, "")])
def test_a_full_standard_output_is_one_line(words: str, unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = shell(f"{words} >/dev/full")
    assert (done.returncode, done.stderr) == (2, FULL_LINE)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_full_standard_error_changes_no_status() -> None:
    done = shell("predict 2>/dev/full")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("words", "status"), [("--help >&-", 0), ("predict >&- 2>&-", 2), ("--version <&- >&- 2>&-", 0)]
)
def test_closed_streams_are_nobodys_files(words: str, status: int) -> None:
    done = shell(words)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_a_reader_that_leaves_is_no_error_to_speak_of() -> None:
    done = shell("--help | true; exit ${PIPESTATUS[0]}")
    assert done.returncode in (0, 1) and done.stderr == ""
