"""Verilog without wires that nothing reads: Amaranth names every member of an interface in each module it passes."""

from __future__ import annotations

import re
from collections import Counter

_MODULE = re.compile(r"^module .*?^endmodule\n", re.MULTILINE | re.DOTALL)
_NAME = r"(\\\S+ |[A-Za-z_][\w$]*)"
_TOKEN = re.compile(rf"(?<!\.){_NAME}")  # but for the names of an instance's ports
_WIRE = re.compile(rf"  wire (?:\[\d+:\d+\] )?{_NAME};")
_INIT = re.compile(r"  \(\* init = \S+ \*\)")
_ASSIGN = re.compile(rf"  assign {_NAME} ?= (.*);")


def without_unused_wires(verilog: str) -> str:
    """The same modules without wires of which no expression, port or instance makes use.

    Fields of structures, whose names hold a dot, stay: they make waveforms readable. It is Yosys's Verilog that is
    read, a declaration and an assignment a line.

    >>> text = "module m (a);\\n  input a;\\n  wire b;\\n  wire c;\\n  assign c = b;\\n  assign b = a;\\nendmodule\\n"
    >>> print(without_unused_wires(text), end="")
    module m (a);
      input a;
    endmodule
    """
    return _MODULE.sub(lambda found: _module(found[0]), verilog)


def _module(text: str) -> str:
    lines = text.split("\n")
    used: Counter[str] = Counter()
    wires: dict[str, int] = {}
    assigns: dict[str, tuple[int, list[str]]] = {}
    for number, line in enumerate(lines):
        names = _TOKEN.findall(line)
        used.update(names)
        if wire := _WIRE.fullmatch(line):
            wires[wire[1]] = number
        elif assign := _ASSIGN.fullmatch(line):
            assigns[assign[1]] = (number, names[2:])  # "assign" is a name to the pattern, too
    waiting = list(wires)
    gone: set[int] = set()
    while waiting:
        name = waiting.pop()
        driven = assigns.get(name)
        if "." in name or wires[name] in gone or used[name] != (1 if driven is None else 2):
            continue
        gone.add(wires[name])
        if _INIT.fullmatch(lines[wires[name] - 1]):
            gone.add(wires[name] - 1)
        if driven is not None:
            number, readers = driven
            gone.add(number)
            used.subtract(readers)
            waiting += {reader for reader in readers if reader in wires}
    return "\n".join(line for number, line in enumerate(lines) if number not in gone)
