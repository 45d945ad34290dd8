"""The generated Verilog as modules: equal ones found and counted, each in a form that does not depend on the others."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

_HEADER = re.compile(r"^module (\\\S+ |\w+ ?)\(([^;]*)\);$", re.MULTILINE)
_INSTANCE = re.compile(
    r"^  (?P<module>\\\S+ |\w+) (?P<name>\\\S+ |\w+) \(\n(?P<ports>(?:    \..*\n)*?)  \);$", re.MULTILINE
)
_PORT = re.compile(r"^    \.(\\\S+ |\w+)\s?\(", re.MULTILINE)
_NUMBERED = re.compile(r"\\\S*\$\S* ")
"""Names that carry a count of the whole design, so that equal modules differ in them."""
_DECLARATION = re.compile(r"  (?:input|output|inout|wire|reg) [^;]*;$")
_DIRECTION = re.compile(r"^  (?:input|output|inout) .*;$", re.MULTILINE)


@dataclass(frozen=True)
class Module:
    """One module in canonical form.

    Attributes
    ----------
    name : from a hash of the text.
    text : the same for all that do the same under other names.
    children : how many instances of other canonical modules it has.
    """

    name: str
    text: str
    children: Mapping[str, int]

    @cached_property
    def shell(self) -> str:
        """Its ports alone, a black box."""
        head = self.text[: self.text.index(");\n") + 3]
        ports = "\n".join(_DIRECTION.findall(self.text))
        return f"(* blackbox *)\n{head}{ports}\nendmodule\n"


@dataclass(frozen=True)
class Design:
    """All modules by canonical name, and where each instance stands.

    Attributes
    ----------
    modules : by canonical name.
    top : canonical name of the top module.
    """

    modules: Mapping[str, Module]
    top: str
    instances: Mapping[str, str]
    """Instance path (``machine.compute.lb``; the top is the empty text) to the canonical name of its module."""

    def count(self) -> Counter[str]:
        """How often each module occurs."""
        return Counter(self.instances.values())


def read_design(verilog: str, top: str) -> Design:
    """Take the text of :func:`rtl.generate.verilog` apart.

    Parameters
    ----------
    verilog : the text.
    top : name of the top module.

    Examples
    --------
    >>> leaf = "module {}(a);\\n  input a;\\nendmodule\\n"
    >>> calls = "".join(f"  {name} {name} (\\n    .a(b)\\n  );\\n" for name in ("x", "y"))
    >>> top = f"module t(b);\\n  input b;\\n{calls}endmodule\\n"
    >>> design = read_design(leaf.format("x") + leaf.format("y") + top, "t")
    >>> len(design.modules), sorted(design.instances), set(design.count().values())
    (2, ['', 'x', 'y'], {1, 2})
    """
    texts = {_bare(match[1]): text for match, text in _split(verilog)}
    made: dict[str, tuple[Module, dict[str, str]]] = {}
    inside: dict[str, list[tuple[str, str]]] = {}

    def canonical(name: str) -> tuple[Module, dict[str, str]]:
        if name not in made:
            made[name] = _canonical(texts[name], {c: canonical(c) for c in _children(texts[name], texts)})
            found = ((_bare(m["name"]), _bare(m["module"])) for m in _INSTANCE.finditer(texts[name]))
            inside[name] = [(instance, child) for instance, child in found if child in texts]
        return made[name]

    def walk(name: str, path: str) -> Iterator[tuple[str, str]]:
        yield path, made[name][0].name
        for instance, child in inside[name]:
            yield from walk(child, f"{path}.{instance}" if path else instance)

    canonical(top)
    modules = {module.name: module for module, _ in made.values()}
    return Design(modules, made[top][0].name, dict(walk(top, "")))


def _split(verilog: str) -> Iterator[tuple[re.Match[str], str]]:
    starts = list(_HEADER.finditer(verilog))
    for start, end in zip(starts, [*(s.start() for s in starts[1:]), len(verilog)], strict=True):
        text = verilog[start.start() : end]
        yield start, text[: text.rindex("endmodule") + len("endmodule")] + "\n"


def _children(text: str, known: Mapping[str, str]) -> list[str]:
    found = dict.fromkeys(_bare(match["module"]) for match in _INSTANCE.finditer(text))
    return [name for name in found if name in known]


def _canonical(text: str, children: Mapping[str, tuple[Module, dict[str, str]]]) -> tuple[Module, dict[str, str]]:
    """The module with its own numbered names counted from 0, and how its ports are called now."""
    count: Counter[str] = Counter()
    pieces, end = [], 0
    names: dict[str, str] = {}

    def renamed(part: str) -> str:
        return _NUMBERED.sub(lambda match: names.setdefault(match[0], f"renamed_{len(names)} "), part)

    def connected(part: str, ports: Mapping[str, str]) -> str:
        """An instance's lines: names of the child's ports are the child's business."""
        lines = []
        for line in part.splitlines(keepends=True):
            port = _PORT.match(line)
            assert port is not None, line
            lines.append(f"    .{ports.get(port[1], port[1])}({renamed(line[port.end() :])}")
        return "".join(lines)

    for match in _INSTANCE.finditer(text):
        child = _bare(match["module"])
        if child not in children:
            continue
        module, ports = children[child]
        count[module.name] += 1
        pieces.append(renamed(text[end : match.start()]))
        pieces.append(f"  {module.name} {match['name']} (\n{connected(match['ports'], ports)}  );")
        end = match.end()
    pieces.append(renamed(text[end:]))
    body = _sorted(_HEADER.sub(lambda match: f"module NAME({match[2]});", "".join(pieces), count=1))
    name = "m_" + hashlib.sha256(body.encode()).hexdigest()[:16]
    return Module(name, body.replace("module NAME(", f"module {name}(", 1), dict(count)), names


def _sorted(text: str) -> str:
    """The module with its declarations, which come by their old names, in the order of the new ones."""
    start = text.index(");\n") + 3
    lines = text[start:].splitlines(keepends=True)
    count = next(number for number, line in enumerate(lines) if not _DECLARATION.match(line))
    return text[:start] + "".join(sorted(lines[:count]) + lines[count:])


def _bare(name: str) -> str:
    return name.strip().removeprefix("\\")
