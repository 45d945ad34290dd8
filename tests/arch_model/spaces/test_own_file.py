"""SuperNets from a user's Python file: found, named, registered; every mistake is one line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from arch_model.errors import SpaceError
from arch_model.spaces import get_space, load_supernet, space_names
from arch_model.spaces.registry import forget_supernet, space_argument, space_facts

GOOD = """
from dataclasses import dataclass
from fastswitch import Layer, SubNet, SuperNet

@dataclass(frozen=True)
class Width:
    k: int

def build(k):
    layer = Layer("conv", "conv", Width(k).k, 3, 3, 3, 8, 8, padding=1, inputs=("input",))
    return SubNet(f"mine-{k}", "mine", (layer,), (("k", k),))

SPACE = SuperNet("mine", build(8).weight_layers, build, lambda name: {"k": int(name[5:])}, ("mine-4", "mine-8"))
ALIAS = SPACE
"""


@pytest.fixture(autouse=True)
def forget():
    yield
    for name in ("mine", "yours"):
        forget_supernet(name)


def test_a_file_is_a_supernet(tmp_path: Path) -> None:
    file = tmp_path / "nets.py"
    file.write_text(GOOD)
    space = load_supernet(file)
    assert space.subnet("mine-4").layer("conv").K == 4
    assert get_space("mine") is space and "mine" in space_names()
    assert space_argument("mine") == space_argument(space) == str(file)
    assert load_supernet(f"{file}:ALIAS").layers == space.layers
    assert space_argument("mine") == f"{file}:ALIAS"
    assert load_supernet(space) is space and load_supernet("fashion") is get_space("fashion")


def test_files_beside_it_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "my_layers_of_a_test.py").write_text("WIDTH = 6\n")
    (tmp_path / "nets.py").write_text(
        GOOD.replace("Width(k).k", "WIDTH").replace("\nfrom data", "\nfrom my_layers_of_a_test import WIDTH\nfrom data")
    )
    assert load_supernet(tmp_path / "nets.py").layer("conv").K == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (", "nets.py, line 1: SyntaxError: '(' was never closed; mend the file"),
        ("a = 1\nb = a / 0\n", "nets.py, line 2: ZeroDivisionError: division by zero; mend the file"),
        ("a = 1\n", "nets.py makes no SuperNet; give a Python file that makes a SuperNet"),
        (
            GOOD + "OTHER = SuperNet('yours', SPACE.layers, build, None, ())\n",
            "makes several: SPACE, ALIAS, OTHER; give",
        ),
        (
            GOOD.replace('"mine", build(8)', '"fashion", build(8)'),
            "fashion: a SuperNet of that name comes with FastSwitch",
        ),
        (GOOD.replace('"mine", build(8)', '"", build(8)'), "SuperNet name is ''"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "nets.py"
    file.write_text(text)
    with pytest.raises(SpaceError) as error:
        load_supernet(file)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"SuperNet file .*absent\.py does not exist"):
        load_supernet(tmp_path / "absent.py")
    (tmp_path / "nets.py").write_text(GOOD)
    with pytest.raises(SpaceError, match="no SuperNet is called OTHER; it has SPACE, ALIAS"):
        load_supernet(f"{tmp_path / 'nets.py'}:OTHER")
    with pytest.raises(SpaceError, match="SuperNet moon does not exist"):
        load_supernet("moon")


def test_functions_that_fail_are_named(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(GOOD)
    space = load_supernet(tmp_path / "nets.py")
    with pytest.raises(SpaceError, match="SuperNet mine: its function parse fails with ValueError: invalid literal"):
        space.subnet("mine-x")
    (tmp_path / "nets.py").write_text(
        GOOD.replace('return SubNet(f"mine-{k}", "mine"', 'return SubNet(f"mine-{k}", "yours"')
    )
    with pytest.raises(SpaceError, match="SubNet mine-4 is of SuperNet yours; give one of mine"):
        load_supernet(tmp_path / "nets.py").subnet("mine-4")


def test_facts_tell_own_supernets_apart(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(GOOD)
    first = space_facts(load_supernet(tmp_path / "nets.py"))
    (tmp_path / "nets.py").write_text(GOOD.replace("build(8)", "build(16)"))
    second = space_facts(load_supernet(tmp_path / "nets.py"))
    assert first["space"] == second["space"] == "mine" and first != second
