"""A file holds one idea and can be read in one sitting; a function can be seen at once."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("arch_model", "mapper", "rtl", "sim", "reports")

FILE_LINES = 450
FUNCTION_LINES = 80
"""From ``def`` to the end, docstring apart."""

LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[tuple[str, str]] = set()
"""What is still longer; one that no longer is must leave the list."""


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from its ``def`` to its end, docstring apart."""
    count = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        count -= first.end_lineno - first.lineno + 1
    return count


def functions(text: str) -> dict[str, int]:
    """By name: the lines of the longest function of that name in a module."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = max(found.get(node.name, 0), lines(node))
    return found


def sources() -> dict[str, str]:
    paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def test_lines_are_counted_without_the_docstring():
    text = 'def f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    return a\n\n\nasync def g():\n    "a"\n'
    assert functions(text) == {"f": 4, "g": 1}


def test_no_file_is_too_long():
    long = {name: text.count("\n") for name, text in sources().items() if text.count("\n") > FILE_LINES}
    assert not {name: count for name, count in long.items() if name not in LONG_FILES}, f"most is {FILE_LINES} lines"
    assert long.keys() >= LONG_FILES, "files that are short enough now: take them from the list"


def test_no_function_is_too_long():
    long = {
        (name, function): count
        for name, text in sources().items()
        for function, count in functions(text).items()
        if count > FUNCTION_LINES
    }
    new = {place: count for place, count in long.items() if place not in LONG_FUNCTIONS}
    assert not new, f"most is {FUNCTION_LINES} lines, docstring apart"
    assert long.keys() >= LONG_FUNCTIONS, "functions that are short enough now: take them from the list"
