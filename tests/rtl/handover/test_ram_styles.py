"""RAM styles: every buffer's memory in the delivered Verilog says where it lies, and simulators pass over it."""

from __future__ import annotations

import re

import pytest

from arch_model.cost.fit import fit
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.device import named_device
from arch_model.machine.memories import memories
from rtl.handover.ram_styles import styles_by_shape, with_ram_styles
from rtl.handover.source import delivered_verilog

ARRAY = re.compile(r'^(?:  \(\* ram_style = "(\w+)" \*\)\n)?  reg \[(\d+):0\] memory \[(\d+):0\];', re.MULTILINE)
# Large enough that its PB and SB go to UltraRAMs, small enough to be elaborated in a second.
MACHINE = Accelerator.load("tiny").replace(buffers={"pb_bytes": 4096 * 27}, device="zcu104")


@pytest.fixture(scope="module")
def text() -> str:
    return delivered_verilog(MACHINE)


def test_every_memory_has_the_style_that_the_fit_gave_it(text: str) -> None:
    found = ARRAY.findall(text)
    assert MACHINE.device is not None
    made = fit(MACHINE, MACHINE.device)
    shapes = {(memory.depth, memory.width): made.styles[name] for name, memory in memories(MACHINE).items()}
    assert {(int(depth) + 1, int(width) + 1): style for style, width, depth in found} == shapes
    assert made.styles["pb"] == "ultra" and {"ultra", "block", "distributed"} == {style for style, _, _ in found}


def test_without_a_device_nothing_is_said() -> None:
    module = "module fastswitch_block_memory_8x8(write_en);\n  input write_en;\n  reg [7:0] memory [7:0];\nendmodule\n"
    assert with_ram_styles(module, {}) == module
    assert with_ram_styles(module.replace("fastswitch_block", "other"), {(8, 8, 8): "block"}).count("ram_style") == 0


def test_a_shape_tells_write_enables_apart() -> None:
    styles = styles_by_shape(fit(Accelerator.load("zcu104"), named_device("zcu104")))
    assert (styles[4096, 72, 72], styles[4096, 72, 8]) == ("ultra", "block"), "the SB, OB's output side"
