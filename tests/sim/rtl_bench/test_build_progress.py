"""How far a build is: told whenever it changes, by the files that there are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sim.rtl_bench.build_progress import stage, told


def test_objects_are_counted_of_the_sources_there_are(tmp_path: Path) -> None:
    assert stage(tmp_path) == "translating Verilog to C++"
    for name in ("Vtop.mk", "Vtop.cpp", "Vtop__Syms.cpp", "Vtop__ALL.cpp", "Vtop.o", "verilated.o"):
        (tmp_path / name).write_text("")
    assert stage(tmp_path) == "compiling C++, 1 of 2 files"


def test_each_change_is_told_once_and_the_watch_ends(tmp_path: Path) -> None:
    said: list[str] = []

    def wait_for(count: int) -> None:
        until = time.monotonic() + 30
        while len(said) < count:
            assert time.monotonic() < until
            time.sleep(0.01)

    with pytest.raises(ZeroDivisionError), told(tmp_path, said.append, every_s=0.01):
        wait_for(1)
        (tmp_path / "Vtop.cpp").write_text("")
        (tmp_path / "Vtop.mk").write_text("")
        wait_for(2)
        raise ZeroDivisionError
    assert said == ["translating Verilog to C++", "compiling C++, 0 of 1 files"]
    (tmp_path / "Vtop.o").write_text("")
    time.sleep(0.05)
    assert len(said) == 2
