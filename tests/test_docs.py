"""What the pages say of commands and registers is what the code says. `python tests/test_docs.py` writes it anew."""

import os
import re
import sys
from pathlib import Path

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.key_table import key_table
from arch_model.program.isa import FIELDS, SLOTS, Opcode, field_table
from arch_model.program.limits import limit_table
from rtl.control import register_table
from rtl.errors import error_table

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def commands() -> str:
    parts = []
    for opcode in FIELDS:
        slots = "one slot" if SLOTS[opcode] == 1 else f"{SLOTS[opcode]} slots"
        parts.append(f"### {opcode.name} ({int(opcode)}), {slots}\n\n{field_table(Opcode(opcode))}")
    return "\n\n".join(parts)


SECTIONS = {  # by page: what it shows between <!-- NAME --> and <!-- /NAME -->
    "accelerator-file.md": {"accelerator": key_table},
    "command-set.md": {"commands": commands, "limits": lambda: limit_table(Accelerator.load("tiny"))},
    "registers.md": {"registers": register_table, "errors": error_table},
}


def with_section(page: str, name: str, text: str) -> str:
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    assert re.search(pattern, page, re.S), f"the page has no section {name}"
    return re.sub(pattern, lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.S)


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, sections in SECTIONS.items() for name in sections])
def test_the_page_shows_what_the_code_defines(page, name):
    text = (REFERENCE / page).read_text()
    assert with_section(text, name, SECTIONS[page][name]()) == text


def test_pages_that_the_code_names_are_there():
    root = REFERENCE.parents[1]
    folders = ("arch_model", "mapper", "sim", "rtl", "reports", "tests", "bench", "examples")
    named = {
        (str(path.relative_to(root)), page)
        for folder in folders
        for path in (root / folder).rglob("*.py")
        for page in re.findall(r"(?<![\w/])docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 10 and not [name for name in sorted(named) if not (root / name[1]).is_file()]


if __name__ == "__main__":
    if Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:  # this folder has an arch_model of its own
        os.chdir(REFERENCE.parents[1])
        os.execv(sys.executable, [sys.executable, "-m", "tests.test_docs"])
    for page, sections in SECTIONS.items():
        text = (REFERENCE / page).read_text()
        for section, make in sections.items():
            text = with_section(text, section, make())
        (REFERENCE / page).write_text(text)
