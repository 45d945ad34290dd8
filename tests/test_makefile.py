"""What make says when something is missing, and that it installs no more often than it must."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = ("sh", "make", "cat", "rm", "mkdir", "chmod", "perl", "g++")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clone with an empty environment: Makefile, pyproject.toml, and a PATH in ``bin``."""
    tree = tmp_path / "clone"
    (tree / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tree)
    for tool in NEEDED:
        found = shutil.which(tool)
        assert found, tool
        (tree / "bin" / tool).symlink_to(found)
    put(tree, "python3", f'exec {sys.executable} "$@"')
    return tree


def put(tree: Path, name: str, body: str) -> None:
    program = tree / "bin" / name
    program.unlink(missing_ok=True)
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def make(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(tree / "bin"), "HOME": str(tree / "home"), "TREE": str(tree)}
    return subprocess.run(["make", *words], cwd=tree, env=env, text=True, capture_output=True, check=False, timeout=60)


def complaint(run: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that make said, having failed."""
    assert run.returncode == 2
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    return line


@pytest.mark.parametrize("target", ["setup", "run", "test"])
@pytest.mark.parametrize("tool", ["perl", "g++"])
def test_missing_tool(tree: Path, tool: str, target: str) -> None:
    (tree / "bin" / tool).unlink()
    assert f"missing: {tool}. On Debian: apt install {tool}." in complaint(make(tree, target))


def test_all_that_is_missing_is_said_at_once(tree: Path) -> None:
    for tool in ("perl", "g++", "python3"):
        (tree / "bin" / tool).unlink()
    assert "apt install python3 python3-venv perl g++." in complaint(make(tree, "setup"))


def test_old_python(tree: Path) -> None:
    put(tree, "python3", 'case "$2" in *hexversion*) exit 1;; *print*) echo 3.9;; esac')
    assert "python3 is 3.9, FastSwitch needs 3.11 or newer" in complaint(make(tree, "setup"))


def test_python_without_venv(tree: Path) -> None:
    put(tree, "python3", f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    assert "apt install python3-venv." in complaint(make(tree, "setup"))


def test_python_without_shared_library(tree: Path) -> None:
    put(tree, "python3", f'case "$2" in *CDLL*) exit 1;; esac; exec {sys.executable} "$@"')
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"apt install libpython{version}." in complaint(make(tree, "setup"))


def test_installs_once(tree: Path) -> None:
    """A second make calls no pip; a changed pyproject.toml and a moved tree each call it again."""
    put(
        tree,
        "python3",
        f"""case "$1" in -m) mkdir -p "$3/bin"; cp_to="$3/bin/python"
            printf '#!/bin/sh\\necho "$*" >> "$TREE/log"\\n' > "$cp_to"; chmod +x "$cp_to"; exit;; esac
        exec {sys.executable} "$@" """,
    )

    def installs(where: Path) -> int:
        run = make(where, "setup")
        assert run.returncode == 0, run.stderr
        log = where / "log"
        return log.read_text().count("pip install") if log.exists() else 0

    assert [installs(tree), installs(tree)] == [1, 1]
    edited = (tree / "pyproject.toml").stat().st_mtime
    os.utime(tree / ".venv" / ".installed", (edited - 5, edited - 5))
    assert [installs(tree), installs(tree)] == [2, 2]
    moved = tree.rename(tree.with_name("moved"))
    assert [installs(moved), installs(moved)] == [3, 3]


def test_help_names_every_target(tree: Path) -> None:
    run = subprocess.run(["make", "help"], cwd=tree, text=True, capture_output=True, check=True)
    for target in ("setup", "run", "test", "quick", "lint", "types", "docs", "examples", "clean"):
        assert f"make {target} " in run.stdout
