"""The engine's functions give the same numbers compiled and as plain Python, and where machine code is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arch_model import compiled

ROOT = Path(__file__).parents[2]

SCRIPT = """
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.compiled import WANTED
from mapper.cost.layer_cost import LayerCosts
from mapper.lowering.tiling import Order, Tiling
from mapper.workload.fusion import Step

tiny = Accelerator.load("tiny")
dense = Layer("a", Kind.CONV, K=16, C=30, R=3, S=3, H=6, W=6, padding=1)
wide = Layer("a", Kind.CONV, K=16, C=300, H=4, W=4)
deep = Layer("a", Kind.CONV, K=12, C=12, R=5, S=5, H=9, W=9, padding=2, groups=12)
costs = [
    LayerCosts(Step(dense), tiny).cost(Tiling(3, 3, prologue_parts=prologue, order=order, prefetch_rows=rows))
    for prologue, rows in ((1, 0), (4, 0), (4, 2)) for order in Order
]
costs.append(LayerCosts(Step(wide), tiny).cost(Tiling(4, 4, prologue_parts=12, prefetch_rows=-1, interleave=4)))
costs.append(LayerCosts(Step(deep), tiny).quick())
costs.append(LayerCosts(Step(Layer("p", Kind.POOL, K=6, C=6, H=8, W=8)), tiny).quick())
print(WANTED, [(cost.cycles, cost.waits, cost.totals) for cost in costs])
"""


def ran(**environment: str) -> str:
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", SCRIPT], env=env, check=True, capture_output=True, text=True).stdout


def test_the_same_source_runs_uncompiled() -> None:
    as_compiled, plain = ran(FASTSWITCH_COMPILE="1"), ran(FASTSWITCH_COMPILE="0")
    assert as_compiled.startswith("True [") and plain.startswith("False [")
    assert as_compiled.removeprefix("True ") == plain.removeprefix("False ")


def test_machine_code_lies_where_every_source_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = compiled.cache_folder()
    assert before.parent == tmp_path / "fastswitch" / "compiled"
    (tmp_path / "home" / "mapper" / "lowering").mkdir(parents=True)
    for source in compiled.SOURCES:
        place = tmp_path / "home" / source
        (place if place.suffix else place / "a.py").parent.mkdir(parents=True, exist_ok=True)
        (place if place.suffix else place / "a.py").write_text("a = 1")
    monkeypatch.setattr(compiled, "_HOME", tmp_path / "home")
    first = compiled.cache_folder()
    (tmp_path / "home" / "mapper" / "lowering" / "a.py").write_text("a = 2")
    assert len({before, first, compiled.cache_folder()}) == 3
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    assert compiled.cache_folder().is_relative_to(tmp_path / "given")


def test_a_copy_elsewhere_uses_the_same_machine_code(tmp_path: Path) -> None:
    """Compiled once from one copy of the sources, loaded from the other: the second run makes no file."""
    script = "from arch_model.timing.transfers import up; print(up(7, 2), up.__module__)"
    cache, made = tmp_path / "cache", []
    for place in ("one", "two"):
        home = tmp_path / place
        for room in ("arch_model", "mapper"):
            shutil.copytree(ROOT / room, home / room, ignore=shutil.ignore_patterns("__pycache__"))
        env = {**os.environ, "PYTHONPATH": str(home), "XDG_CACHE_HOME": str(cache), "FASTSWITCH_COMPILE": "1"}
        env.pop("NUMBA_CACHE_DIR", None)
        command = [sys.executable, "-c", script]
        said = subprocess.run(command, cwd=home, env=env, check=True, capture_output=True, text=True).stdout
        assert said.split() == ["4", "arch_model.timing.transfers"]
        made.append({path: path.stat().st_mtime_ns for path in cache.rglob("*.nb*")})
    assert made[0] and made[0] == made[1]


UP = "from arch_model.timing.transfers import up; print(up(7, 2))"


def said_of_up(**environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    run = subprocess.run([sys.executable, "-c", UP], env=env | environment, capture_output=True, text=True)
    return run.stdout + run.stderr


def test_a_home_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert said_of_up(HOME=str(tmp_path / "file")) == "4\n"
    assert said_of_up(HOME="/proc/nowhere") == "4\n"


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
def test_kept_files_that_are_cut_off_are_made_again(kind: str, tmp_path: Path) -> None:
    assert said_of_up(XDG_CACHE_HOME=str(tmp_path)) == "4\n"
    kept = list(tmp_path.rglob(kind))
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert said_of_up(XDG_CACHE_HOME=str(tmp_path)) == "4\n"
