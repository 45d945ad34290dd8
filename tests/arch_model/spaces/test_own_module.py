"""SuperNets of modules and of installed packages: found by name, loaded once, every mistake one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from arch_model.errors import SpaceError
from arch_model.spaces import get_space, load_supernet, space_names
from arch_model.spaces.own_module import from_module, registered
from arch_model.spaces.registry import _of_package, forget_supernet, is_known, ships, space_argument, space_facts

MODULE = """
from tests.own_supernet import own_supernet

MINE = own_supernet("mine")
def make(): return own_supernet("made")
class Nets: inner = MINE
NUMBER = 3
def fails(): return [][1]
def wants(number): return MINE
"""


@pytest.fixture(autouse=True)
def forget():
    yield
    for name in ("mine", "made", "toy"):
        forget_supernet(name)
    for cached in (registered, _of_package):
        cached.cache_clear()
    sys.modules.pop("nets_of_a_test", None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets_of_a_test.py").write_text(MODULE)
    return tmp_path


def test_an_object_of_a_module(folder: Path) -> None:
    path = list(sys.path)
    space = load_supernet("nets_of_a_test:MINE")
    assert (space.name, get_space("mine"), space_argument(space)) == ("mine", space, "nets_of_a_test:MINE")
    assert load_supernet("nets_of_a_test:make").name == "made"
    assert load_supernet("nets_of_a_test:Nets.inner") is space
    assert load_supernet("tests.own_supernet:own_supernet").name == "toy"
    assert sys.path == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "no_such_module:A",
            "there is no module no_such_module; give MODULE:OBJECT of a module that is installed or in",
        ),
        ("tests.no_such:A", "there is no module tests.no_such; give"),
        ("nets_of_a_test:OTHER", "module nets_of_a_test has no OTHER; give one that it has"),
        ("nets_of_a_test:NUMBER", "nets_of_a_test:NUMBER is 3; give a SuperNet or a function that makes one"),
        ("nets_of_a_test:fails", "IndexError: list index out of range; mend the module"),
        ("nets_of_a_test:wants", "TypeError: wants() missing 1 required positional argument: 'number'; mend"),
        ("broken_of_a_test:A", "ModuleNotFoundError: No module named 'not_there'; mend the module"),
    ],
)
def test_mistakes(folder: Path, text: str, said: str) -> None:
    (folder / "broken_of_a_test.py").write_text("import not_there\n")
    with pytest.raises(SpaceError) as error:
        load_supernet(text)
    assert said in str(error.value) and "\n" not in str(error.value) and str(folder) not in sys.path
    with pytest.raises(SpaceError, match="names no object of a module"):
        from_module("no module")


def package(folder: Path, name: str, entry: str) -> None:
    (info := folder / f"{name}-1.dist-info").mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[fastswitch.spaces]\n{entry}\n")


def test_what_a_package_registers_is_known_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    package(folder, "theirs", "mine = nets_of_a_test:MINE")
    package(folder, "broken", "made = nets_of_a_test:fails\nother = nets_of_a_test:MINE")
    registered.cache_clear()
    assert "mine" in space_names() and is_known("mine") and "nets_of_a_test" not in sys.modules
    space = get_space("mine")
    assert get_space("mine") is load_supernet("mine") is space and not ships("mine")
    assert (
        space.subnet("mine-44").macs > 0 and space_argument(space) == "mine" and "space_digest" in space_facts("mine")
    )
    with pytest.raises(SpaceError, match=r"SuperNet made \(nets_of_a_test:fails of an installed package\): IndexError"):
        get_space("made")
    with pytest.raises(SpaceError, match="is called mine; give the entry point that name"):
        get_space("other")
    with pytest.raises(SpaceError, match=r"SuperNet moon does not exist; give one of fashion, .*mine"):
        get_space("moon")
    package(folder, "again", "mine = nets_of_a_test:make")
    registered.cache_clear()
    with pytest.raises(SpaceError, match="SuperNet mine: two packages register it, as nets_of_a_test:"):
        get_space("mine")
