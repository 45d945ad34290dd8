"""Public names say what they take and what they raise, in NumPy's sections.

A function with fewer than two parameters is told by its first sentence and its type hints. A longer one has a section
``Parameters`` that names each, and one that raises an error itself has a section ``Raises`` with its class. Of a class
these are the parameters of its ``__init__`` or the fields of its dataclass; a field may have a docstring of its own
below it instead. The functions of commands are left out: click prints their docstrings as help.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("arch_model", "mapper", "rtl", "sim", "reports")
TRIVIAL = 1
"""So many parameters need no section."""

HANDLERS = (("walk", "node"), ("reader", "node"))
"""Parameters of functions that read one operator of a graph: ``onnx_walk.Walk`` and ``quantise.reader.Reader`` say for
all of them what these are and what is raised."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Missing(NamedTuple):
    name: str
    section: str
    what: tuple[str, ...]


def sections(text: str) -> dict[str, str]:
    """The sections of a docstring by their titles, those that are underlined with dashes.

    >>> sections("A.\\n\\nParameters\\n----------\\nx : cycles\\n")["Parameters"].strip()
    'x : cycles'
    """
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def names(section: str) -> set[str]:
    """The names that lines without indentation define: ``a, b : text`` defines two, as ``a, b`` above its text does.

    >>> sorted(names("K, C : channels\\nother : of it\\n    and: more\\n*rest : of them\\npath\\n    a file"))
    ['C', 'K', 'other', 'path', 'rest']
    """
    heads = re.findall(r"^([*\w][\w, *]*?)(?: ?:.*)?$", section, flags=re.MULTILINE)
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def decorators(node: ast.ClassDef | Function) -> set[str]:
    """The last names of what stands above a definition: ``click.option(...)`` is ``option``."""
    called = (part.func if isinstance(part, ast.Call) else part for part in node.decorator_list)
    return {part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "") for part in called}


def parameters(function: Function) -> list[str]:
    """What a caller gives: all names but ``self`` and ``cls``."""
    given = function.args
    parts = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [part.arg for part in parts if part is not None and part.arg not in ("self", "cls")]


def raised(node: ast.AST) -> set[str]:
    """The classes of errors that a function's text raises, ``raise E(...)`` or ``raise E``, and does not catch.

    >>> text = "def f():\\n try:\\n  raise KeyError\\n except KeyError:\\n  raise OSError('no') from None"
    >>> raised(ast.parse(text))
    {'OSError'}
    """
    found, caught, parts = set(), set(), list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Raise) and node.exc is not None:
        what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = what.attr if isinstance(what, ast.Attribute) else getattr(what, "id", "")
        found = {name} if re.match(r"[A-Z]\w+$", name) else set()
    if isinstance(node, ast.Try):
        caught = {name.id for handler in node.handlers for name in ast.walk(handler.type) if isinstance(name, ast.Name)}
        inside = {error for part in node.body for error in raised(part)}
        found, parts = inside - caught, [*node.handlers, *node.orelse, *node.finalbody]
    return found.union(*map(raised, parts))


def fields(node: ast.ClassDef) -> list[str]:
    """Fields of a class that have no docstring below them."""
    after = [*node.body[1:], None]
    return [
        part.target.id
        for part, below in zip(node.body, after, strict=True)
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and not part.target.id.startswith("_")
        and "init=False" not in ast.unparse(part)
        and not (
            isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
        )
    ]


@cache
def protocol_methods() -> set[str]:
    """The names of the methods of all protocols."""
    found = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if "(Protocol)" in (text := path.read_text()):
                classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
                protocols = [
                    node for node in classes if any(getattr(base, "id", "") == "Protocol" for base in node.bases)
                ]
                found |= {part.name for node in protocols for part in node.body if isinstance(part, Function)}
    return found


def lacking(text: str) -> Iterator[Missing]:
    """What is missing in the public docstrings of a module.

    A method without a docstring is described where the protocol of that name is.
    """
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield from _of_class(node) if isinstance(node, ast.ClassDef) else _of_function(node, node.name)


def _of_class(node: ast.ClassDef) -> Iterator[Missing]:
    made = decorators(node) & {"dataclass"} or {getattr(base, "id", "") for base in node.bases} & {"NamedTuple"}
    wanted = fields(node) if made else []
    for part in node.body:
        if isinstance(part, Function) and part.name == "__init__":
            wanted = parameters(part)
        elif isinstance(part, Function) and not part.name.startswith("_") and not decorators(part) & {"property"}:
            if ast.get_docstring(part) is None and part.name in protocol_methods():
                continue
            yield from _of_function(part, f"{node.name}.{part.name}")
    have = sections(ast.get_docstring(node) or "")
    said = names(have.get("Parameters", "") + "\n" + have.get("Attributes", ""))
    if len(wanted) > TRIVIAL and not said.issuperset(wanted):
        yield Missing(node.name, "Parameters", tuple(name for name in wanted if name not in said))


def _of_function(function: Function, name: str) -> Iterator[Missing]:
    text = ast.get_docstring(function) or ""
    wanted = parameters(function)
    if decorators(function) & {"command", "overload"} or text.startswith("See :") or tuple(wanted) in HANDLERS:
        return
    have = sections(text)
    said = names(have.get("Parameters", ""))
    if (len(wanted) > TRIVIAL and not said.issuperset(wanted)) or said - set(wanted):
        yield Missing(name, "Parameters", tuple(sorted(said ^ set(wanted))))
    errors = {error for error in raised(function) if not re.search(rf"\b{error}\b", have.get("Raises", ""))}
    if errors:
        yield Missing(name, "Raises", tuple(sorted(errors)))


def test_what_is_missing_is_found():
    text = '''
class A:
    """A.

    Parameters
    ----------
    a, b : cycles
    """
    def __init__(self, a, b): ...
    def f(self, x, y):
        """F."""
        raise OSError("x")
    def _g(self, x, y): ...

@dataclass
class B:
    """B."""
    a: int
    b: int
    """bytes"""
    c: int

def g(x):
    """G.

    Parameters
    ----------
    y : of another time
    """
    raise
'''
    assert list(lacking(text)) == [
        Missing("A.f", "Parameters", ("x", "y")),
        Missing("A.f", "Raises", ("OSError",)),
        Missing("B", "Parameters", ("a", "c")),
        Missing("g", "Parameters", ("x", "y")),
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_say_what_they_take_and_raise(room):
    paths = sorted((ROOT / room).rglob("*.py"))
    assert paths
    missing = [(path.relative_to(ROOT).as_posix(), *each) for path in paths for each in lacking(path.read_text())]
    assert not missing
