"""``import fastswitch`` costs nearly nothing; each name is where type checkers and editors look for it, and works."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import fastswitch

ROOT = Path(fastswitch.__file__).parent


def test_import_loads_nothing() -> None:
    """Neither NumPy nor any package of ours."""
    code = "import sys; before = set(sys.modules); import fastswitch; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {"numpy", "pandas", "scipy", "numba", "pyarrow", "pydantic", "yaml", "amaranth", "click", "rich"}
    assert not loaded & (heavy | set(fastswitch.PACKAGES)), loaded


def test_the_names() -> None:
    assert set(fastswitch.__all__) <= set(dir(fastswitch))
    assert sorted(fastswitch.__all__, key=lambda name: (name[0].islower(), name)) == fastswitch.__all__
    functions = [name for name in fastswitch.__all__ if name.islower()]
    assert len(functions) == 18
    for name in fastswitch.__all__:
        found = getattr(fastswitch, name)
        assert found is getattr(import_module(fastswitch._HOME[name]), name)
        assert found.__doc__, name
    for name in functions:
        doc = inspect.getdoc(getattr(fastswitch, name)) or ""
        assert all(section in doc for section in ("Returns\n---", "Raises\n---", "Examples\n---")), name
        assert "Parameters\n---" in doc or not inspect.signature(getattr(fastswitch, name)).parameters, name
    with pytest.raises(AttributeError, match="module fastswitch has no predict; it has Accelerator, "):
        _ = getattr(fastswitch, "predict")  # noqa: B009  (mypy refuses the other way of writing it, as it should)


def test_type_checkers_see_the_same() -> None:
    """What the TYPE_CHECKING block imports is what `_HOME` loads."""
    tree = ast.parse(Path(fastswitch.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {name: seen[name] for name in fastswitch._HOME} == fastswitch._HOME
    assert set(fastswitch._HOME) == {*fastswitch.__all__, "cli", "COMMANDS"}
