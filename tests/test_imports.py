"""Imports point one way: between rooms, between the rooms inside them, and never in a circle.

Every import counts, whether it stands at the top of a module, inside a function or under ``TYPE_CHECKING``: what a
reader must know of other modules to understand this one does not depend on when Python loads them.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("arch_model", "mapper", "rtl", "sim", "reports", "fastswitch")
"""From the ground up: a room may import those before it."""

FLOORS = {
    "arch_model": [
        [
            "errors",
            "files child_processes physical scratch compiled",
            "network",
            "machine spaces analog",
            "program",
            "timing",
            "cost",
            "(face)",
        ]
    ],
    "mapper": [
        ["workload", "layout", "lowering", "cost", "pinning serving", "search", "hybrid", "(face)"],
        ["workload", "importers", "(face)"],
    ],
    "rtl": [["driver", "(units)", "handover synth", "toolkits"]],
    "sim": [
        ["workers", "integers", "rtl_bench", "cosim serving", "api"],
        ["workers", "explore", "api"],
        ["integers", "quantise", "api"],
        ["workers", "noise", "noise.engine", "noise.sensitivity", "noise.study", "api"],
    ],
    "reports": [["(pages)", "explore", "commands"]],
}
"""Of each room its inner rooms, from the ground up; a module may import from its own and, along a line, from those
before it. Those that share a floor do not import one another."""

FLAT = {"rtl": "(units)", "reports": "(pages)"}
"""Rooms that have modules of their own beside inner rooms, and what stands for them above; ``(face)`` is a room's own
``__init__``, which nothing inside it imports."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Imports that point the other way still, and why. One that is not needed any more fails here, too."""


def modules() -> dict[str, Path]:
    files = {"fastswitch": ROOT / "fastswitch.py"}
    for room in ROOMS[:-1]:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            files[name.removesuffix(".__init__")] = path
    return files


MODULES = modules()


def names_in(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Everything that a module imports, by its full name; ``package``: where relative names begin."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module":
            yield from (a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str))


def imported(name: str, text: str, package: bool) -> set[str]:
    """The project's modules that a module's text imports."""
    parts, found = name.split("."), set()
    for target in names_in(ast.parse(text), parts if package else parts[:-1]):
        while target and target not in MODULES:
            target = target.rpartition(".")[0]
        found.add(target)
    return found - {"", name}


IMPORTS = {
    name: imported(name, path.read_text(encoding="utf-8"), path.name == "__init__.py") for name, path in MODULES.items()
}


def inner_rooms(room: str) -> set[str]:
    return {one for line in FLOORS[room] for floor in line for one in floor.split()}


def place(name: str) -> tuple[str, str]:
    """(room, inner room) of a module; an inner room without a floor by its own name."""
    room, *inner = name.split(".")
    if room not in FLOORS:
        return room, ""
    for depth in (2, 1):
        if ".".join(inner[:depth]) in inner_rooms(room):
            return room, ".".join(inner[:depth])
    own = inner and (room not in FLAT or (ROOT / room / inner[0]).is_dir())
    return room, inner[0] if own else FLAT.get(room, "(face)")


def may_import(name: str, target: str) -> bool:
    """Whether the order of rooms and floors lets one module import another."""
    (room, inner), (other, inside) = place(name), place(target)
    if room != other:
        return ROOMS.index(other) < ROOMS.index(room)
    if inner == inside:
        return True
    for line in FLOORS[room]:
        height = {one: floor for floor, names in enumerate(line) for one in names.split()}
        if inner in height and inside in height and height[inside] < height[inner]:
            return True
    return False


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another (Kosaraju)."""
    order: list[str] = []
    seen: set[str] = set()

    def reach(start: str, edges: dict[str, set[str]], found: list[str]) -> None:
        stack = [(start, iter(sorted(edges[start])))]
        seen.add(start)
        while stack:
            at, rest = stack[-1]
            step = next((name for name in rest if name not in seen), None)
            if step is None:
                found.append(at)
                stack.pop()
            else:
                seen.add(step)
                stack.append((step, iter(sorted(edges[step]))))

    for name in graph:
        if name not in seen:
            reach(name, graph, order)
    backwards: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        for target in targets:
            backwards[target].add(name)
    seen, groups = set(), []
    for name in reversed(order):
        if name not in seen:
            group: list[str] = []
            reach(name, backwards, group)
            groups.append(sorted(group))
    return [group for group in groups if len(group) > 1]


def test_rooms_and_their_inner_rooms_import_one_way():
    wrong = {(name, target) for name in MODULES for target in IMPORTS[name] if not may_import(name, target)}
    assert wrong - set(EXCEPTIONS) == set(), "imports that point up, or across a floor"
    assert set(EXCEPTIONS) - wrong == set(), "exceptions that are not needed any more: remove them"


def test_no_module_is_in_a_circle():
    graph = {name: {t for t in targets if (name, t) not in EXCEPTIONS} for name, targets in IMPORTS.items()}
    assert circles(graph) == []


def test_every_inner_room_has_its_floor():
    homeless = {place(name) for name in MODULES if place(name)[0] in FLOORS}
    homeless -= {(room, inner) for room in FLOORS for inner in [*inner_rooms(room), "(face)"]}
    assert homeless == set(), "give these inner rooms a floor in this file"


def test_no_room_imports_tests_benches_or_examples():
    for name, path in MODULES.items():
        parts = name.split(".")[:-1]
        tops = {target.split(".")[0] for target in names_in(ast.parse(path.read_text(encoding="utf-8")), parts)}
        assert not tops & {"tests", "bench", "examples"}, name


@pytest.mark.parametrize(
    "text",
    [
        "from mapper.layout.tensors import tile_grid",
        "def f():\n    import mapper.layout.tensors",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mapper.layout import tensors",
        "from importlib import import_module\nimport_module('mapper.layout.tensors')",
    ],
)
def test_every_kind_of_import_is_seen(text):
    assert imported("arch_model.errors", text, False) == {"mapper.layout.tensors"}


def test_relative_imports_are_those_of_their_package():
    assert imported("mapper.layout.tensors", "from ..workload import fusion", False) == {"mapper.workload.fusion"}
    assert imported("mapper", "from .workload import fusion", True) == {"mapper.workload.fusion"}


@pytest.mark.parametrize(
    ("name", "target", "allowed"),
    [
        ("mapper.cost.walk", "mapper.lowering.tiling", True),
        ("mapper.lowering.tiling", "mapper.cost.walk", False),
        ("mapper.pinning.search", "mapper.serving.policies", False),  # the same floor
        ("sim.noise.engine.adc", "sim.noise.study.parts", False),
        ("sim.noise.study.parts", "sim.rtl_bench.bench", False),  # no line has both
        ("rtl.accelerator", "rtl.handover.smoke", False),
        ("rtl.driver.device", "rtl.accelerator", False),
        ("sim.cosim.smoke", "rtl.accelerator", True),
        ("rtl.accelerator", "sim.cosim.smoke", False),
        ("arch_model.timing.transfers", "arch_model", False),
        ("reports.page", "fastswitch", False),
    ],
)
def test_the_order_by_hand(name, target, allowed):
    assert may_import(name, target) is allowed


def test_circles_by_hand():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert circles(graph) == [["b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []
