"""The README of machines with one stripe and with two: what software has to know of each."""

import ast
import re
from dataclasses import fields

import numpy as np
import pytest

import rtl.driver
from arch_model.machine.accelerator import Accelerator
from rtl.driver import Driver, Package, Result
from rtl.handover.ports import Port
from rtl.handover.readme import LayerRow, readme
from rtl.handover.smoke import Run, Smoke
from rtl.registers import REGISTERS

PORTS = [Port("aclk", "input", 1), Port("m_axi_wgt1_rdata", "input", 128)]
LAYERS = [LayerRow("K=1 C=2", 250_000, 0.5), LayerRow("K=9 C=9", problem="its tile needs 9 bytes of the SB")]


ZCU104 = Accelerator.load("zcu104")


def page(machine):
    memory = np.zeros(1024, np.uint8)
    runs = (Run("fills it", 0, 1, 77, (5, 6, 7, 8)),)
    return readme(machine, PORTS, Smoke(machine, "two layers", runs, {"BASE_0": 0}, memory, memory, {}), LAYERS)


@pytest.fixture(scope="module")
def text():
    return page(ZCU104)


def test_cycles(text):
    assert "| K=1 C=2 | 250,000 | 2.500 | 50% |" in text  # at 100 MHz
    assert "| K=9 C=9 | | | its tile needs 9 bytes of the SB |" in text
    assert "| fills it | 77 | 5 |" in text


def test_memory_of_stripes(text):
    assert "part i of the beat at `x` is 16 bytes at `WGT_BASE_i + x / 4`, on `m_axi_wgt<i>`" in text
    assert "byte `x` is at `BASE_0 + x`, on `m_axi_act` and `m_axi_out`" in text
    assert "byte `x` is at `BASE_0 + x`" in page(Accelerator.load("tiny"))


def test_the_drivers_example_calls_what_there_is(text):
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    tree = ast.parse(example)
    (names,) = [node.names for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "driver"]
    assert all(hasattr(rtl.driver, name.name) for name in names)
    known = {"driver": set(dir(Driver))}
    known |= {"package": {*dir(Package), *(f.name for f in fields(Package))}}
    known |= {"result": {*dir(Result), *(f.name for f in fields(Result))}}
    called = re.findall(r"\b(driver|package|result)\.(\w+)", example.replace('"package.npz"', ""))
    assert {name for name, _ in called} == set(known)
    assert [(name, attribute) for name, attribute in called if attribute not in known[name]] == []
    assert "clock_hz=100e6" in example and "--subgraphs 3" in text
    card = page(Accelerator.load("u50"))
    assert 'XrtDevice("fastswitch.xclbin", clock_hz=200e6, banks=(0, 1, 2, 3, 4, 5, 6))' in card
    assert "banks=(0,), window=0x40 << 32)" in page(Accelerator.load("u50").replace(device="u250"))
    without = page(ZCU104.replace(buffers={"pb_bytes": 0}))
    assert "subgraph(" not in without and "--subgraphs" not in without  # `fastswitch package` would refuse it


def test_registers_parameters_and_resources(text):
    for register in REGISTERS:
        assert f"| 0x{register.address:02X} | {register.name} |" in text
    assert "| KP × CP | 16 × 9 |" in text and "| **all** |" in text and "the limits below" not in text


def test_tables_have_as_many_cells_in_every_row(text):
    cells = 0
    for line in text.splitlines():
        if line.startswith("|"):
            cells = cells or line.count("|")
            assert line.count("|") == cells, line
        else:
            cells = 0
