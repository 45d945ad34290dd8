"""Objects of Verilator's library are compiled once, and anew as soon as anything in them may differ."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sim.rtl_bench.object_cache import launcher


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of one function, and on PATH a compiler that keeps a list of what it compiled."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    real = tmp_path / "bin" / "g++"
    real.parent.mkdir()
    real.write_text(f'#!/bin/sh\nfor last; do :; done\nbasename "$last" >> {tmp_path}/compiled\nexec {compiler} "$@"\n')
    real.chmod(0o755)
    monkeypatch.setenv("PATH", str(real.parent), prepend=os.pathsep)
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "verilated.h").write_text("#define ANSWER 42\n")
    (folder / "verilated.cpp").write_text('#include "verilated.h"\nint answer() { return ANSWER + MORE; }\n')
    (folder / "design.cpp").write_text("int answer();\nint main() { return answer(); }\n")
    return folder


def compiled(library: Path) -> list[str]:
    return (library.parent / "compiled").read_text().split()


def make(library: Path, cache: Path, more: int = 0) -> int:
    """Compile the library and a design in another folder each time, as Verilator's Makefiles would; what it returns."""
    folder = library.parent / f"design{len(list(library.parent.iterdir()))}"
    folder.mkdir()
    for name in ("verilated", "design"):
        words = f"g++ -I. -I{folder} -DMORE={more} -c -o {name}.o {library / name}.cpp"
        subprocess.run(f"{launcher(cache)} {words}", shell=True, cwd=folder, check=True)
    subprocess.run(["g++", "design.o", "verilated.o", "-o", "design"], cwd=folder, check=True)
    return subprocess.run([folder / "design"], check=False).returncode


def test_the_library_is_compiled_once_a_design_each_time(library: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept here"
    assert [make(library, cache) for _ in range(3)] == [42] * 3
    assert compiled(library).count("verilated.cpp") == 1 and compiled(library).count("design.cpp") == 3


def test_other_options_another_header_or_compiler_are_other_objects(library: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert [make(library, cache), make(library, cache, more=1), make(library, cache)] == [42, 43, 42]
    (library / "verilated.h").write_text("#define ANSWER 6\n")
    assert make(library, cache) == 6
    assert compiled(library).count("verilated.cpp") == 3
    with open(tmp_path / "bin" / "g++", "a") as compiler:
        compiler.write("# newer\n")
    assert make(library, cache) == 6
    assert compiled(library).count("verilated.cpp") == 4


def test_an_object_that_cannot_be_compiled_is_not_kept(library: Path, tmp_path: Path) -> None:
    source, cache = library / "verilated.cpp", tmp_path / "cache"
    good = source.read_text()
    source.write_text("wrong")
    for _ in range(2):
        command = f"{launcher(cache)} g++ -c -o {tmp_path}/verilated.o {source}"
        assert subprocess.run(command, shell=True, capture_output=True, check=False).returncode == 1
    source.write_text(good)
    assert make(library, cache) == 42
    assert compiled(library).count("verilated.cpp") == 3


def test_without_a_place_to_keep_them_it_compiles_all_the_same(library: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert [make(library, tmp_path / "file" / "cache") for _ in range(2)] == [42, 42]
    assert compiled(library).count("verilated.cpp") == 2
