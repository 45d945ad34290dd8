"""What the pages say of commands and registers is what the code says. `python tests/test_docs.py` writes it anew."""

import os
import re
import sys
from pathlib import Path

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.program.isa import FIELDS, SLOTS, Opcode, field_table
from arch_model.program.limits import limit_table
from rtl.control import register_table
from rtl.errors import error_table

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "hardware.md"


def commands() -> str:
    parts = []
    for opcode in FIELDS:
        slots = "one slot" if SLOTS[opcode] == 1 else f"{SLOTS[opcode]} slots"
        parts.append(f"### {opcode.name} ({int(opcode)}), {slots}\n\n{field_table(Opcode(opcode))}")
    return "\n\n".join(parts)


SECTIONS = {"commands": commands, "registers": register_table, "errors": error_table}
SECTIONS["limits"] = lambda: limit_table(Accelerator.load("tiny"))


def with_section(page: str, name: str, text: str) -> str:
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    assert re.search(pattern, page, re.S), f"{PAGE.name} has no section {name}"
    return re.sub(pattern, lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.S)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_shows_what_the_code_defines(name):
    page = PAGE.read_text()
    assert with_section(page, name, SECTIONS[name]()) == page


if __name__ == "__main__":
    if Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:  # this folder has an arch_model of its own
        os.chdir(PAGE.parents[2])
        os.execv(sys.executable, [sys.executable, "-m", "tests.test_docs"])
    text = PAGE.read_text()
    for section, make in SECTIONS.items():
        text = with_section(text, section, make())
    PAGE.write_text(text)
