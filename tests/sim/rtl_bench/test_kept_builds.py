"""What is kept of builds: the program, and of old or too many builds nothing."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from sim.rtl_bench import kept_builds
from sim.rtl_bench.kept_builds import DONE, forget_intermediate, note_use, prune

NOW = 1_800_000_000.0
DAY = 86_400


def built(base: Path, name: str, days: float, size: int = 1000) -> Path:
    """A build that was asked for so many days ago."""
    folder = base / name
    folder.mkdir()
    (folder / "bench").write_bytes(bytes(size))
    (folder / DONE).write_text("{}\n")
    os.utime(folder / DONE, (NOW - days * DAY,) * 2)
    return folder


def test_builds_that_nobody_asked_for_in_a_month_go(tmp_path: Path) -> None:
    old, young, wanted = (built(tmp_path, name, days) for name, days in (("old", 31), ("young", 29), ("wanted", 40)))
    said = prune(tmp_path, wanted, NOW)
    assert (old.exists(), young.exists(), wanted.exists()) == (False, True, True)
    assert said == f"removed 1 simulations (0 MB) not used for long from {tmp_path}"
    assert prune(tmp_path, wanted, NOW) == ""


def test_beyond_the_bytes_those_that_were_asked_for_longest_ago_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_builds, "BYTES", 3500)
    folders = [built(tmp_path, f"build{days}", days) for days in (2, 3, 4, 5, 6)]
    assert prune(tmp_path, folders[0], NOW).startswith("removed 2 simulations")
    assert [folder.exists() for folder in folders] == [True, True, True, False, False]


def test_one_of_today_may_still_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_builds, "BYTES", 0)
    today, yesterday = built(tmp_path, "today", 0.9), built(tmp_path, "yesterday", 1.1)
    prune(tmp_path, today, NOW)
    assert today.exists() and not yesterday.exists()


def test_one_that_somebody_builds_stays(tmp_path: Path) -> None:
    old = built(tmp_path, "old", 100)
    with open(f"{old}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prune(tmp_path, tmp_path / "new", NOW) == "" and old.exists()
    assert prune(tmp_path, tmp_path / "new", NOW) and not old.exists()


def test_what_is_used_is_young_again(tmp_path: Path) -> None:
    folder = built(tmp_path, "build", 100)
    note_use(folder)
    assert prune(tmp_path, tmp_path / "new") == ""
    note_use(tmp_path / "nothing")  # is no error


def test_the_program_and_its_sources_are_kept(tmp_path: Path) -> None:
    for name in ("Vtop.cpp", "Vtop__ALL.a", "Vtop___024root.h", "Vtop__pch.h.fast.gch", "verilated.o", "Vtop.mk"):
        (tmp_path / name).write_text("")
    for name in ("bench", "fastswitch.v", "build.log", DONE):
        (tmp_path / name).write_text("")
    forget_intermediate(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench", "build.log", DONE, "fastswitch.v"]
