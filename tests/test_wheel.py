"""The wheel, built from the source archive and installed in a clean environment, serves a query elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("arch_model", "mapper", "rtl", "sim", "reports")

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """Return what a command prints, run as a user without our environment would."""
    hide = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    env = {name: value for name, value in os.environ.items() if name not in hide}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, text=True, capture_output=True, check=False
    )
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the source archive that is made from a copy of the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    made = (".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", "fastswitch-out")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*made))
    run(sys.executable, "-m", "build", "--outdir", folder, folder / "tree", cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    commands = folder / "env" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", commands / "python", "install", "--quiet")
    run(*pip, "--no-compile", f"{wheel}[sim,report]", cwd=folder)  # what is imported Python compiles anyway
    return commands


def test_holds_the_packages_and_their_data_only(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {*PACKAGES, "fastswitch.py"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    data = ("arch_model/data/*", "arch_model/presets/**/*.yaml", "rtl/*.vlt", "rtl/handover/data/*")
    for pattern in (*data, "sim/rtl_bench/verilog/*v", *(f"{package}/**/*.py" for package in PACKAGES)):
        there = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern) if path.is_file()}
        assert there <= names, there - names


def test_says_its_version(commands: Path, tmp_path: Path) -> None:
    ask = "import importlib.metadata as m; print(m.version('fastswitch'))"
    version = run(commands / "python", "-c", ask, cwd=tmp_path)
    assert run(commands / "fastswitch", "--version", cwd=tmp_path) == f"fastswitch {version}"


def test_serves_a_query(commands: Path, tmp_path: Path) -> None:
    lines = run(commands / "fastswitch", "run", "--queries", "1", "--json", cwd=tmp_path).splitlines()
    query, summary = map(json.loads, lines)
    assert query["bit_exact"] and summary["bit_exact"]
    assert summary["queries"] == 1
    assert summary["max_cycle_error"] <= 0.03
    assert any((tmp_path / "fastswitch-out").glob("*.html"))
