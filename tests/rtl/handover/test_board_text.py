"""What the README tells a board engineer: figures by hand, registers that there are, scripts that the folder has."""

from __future__ import annotations

import re

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.handover.board_text import bring_up, buses, checked, glance
from rtl.handover.vivado import vivado_files
from rtl.port_names import master_names
from rtl.registers import ADDRESS

ZCU104, U50, TINY = (Accelerator.load(name) for name in ("zcu104", "u50", "tiny"))


def test_at_a_glance() -> None:
    text = glance(ZCU104)
    assert "7 AXI4 masters of 128 bits, 1.6 GB/s each" in text, "16 bytes at 100 MHz"
    assert "94% of UltraRAMs" in text and "in 6 buffers" in text, "four stripes of weights, one of tensors, Programs"
    assert "no place and route has shown that it closes" in text and "probably does not" not in text
    assert "probably does not" in glance(U50) and "none is named" in glance(TINY)


def test_buses_and_what_memory_must_take() -> None:
    text = buses(ZCU104)
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == master_names(1, 4)
    assert "| `m_axi_out` | reads, writes | 128 | 32 |" in text
    # 40 cycles of latency are more than one burst of 32 beats, so two more must be under way: 3.
    assert "must take 3 bursts at once" in text and "none crosses a multiple of 512 bytes" in text
    assert "Reads and writes of one port go on side by side" in text
    assert "must take 4 bursts at once" in buses(U50), "1 + 40 / 16, rounded up"


@pytest.mark.parametrize("machine", [ZCU104, U50, TINY])
def test_the_steps_name_scripts_and_registers_that_there_are(machine: Accelerator) -> None:
    text = bring_up(machine)
    there = {*vivado_files(machine), "alveo/package_xo.tcl", "alveo/link.cfg"}
    assert set(re.findall(r"(?:vivado|alveo)/\w+\.(?:tcl|cfg)", text)) <= there
    for name, address in re.findall(r"\b([A-Z]+) \(0x(\w\w)\)", text):
        assert ADDRESS[name] == int(address, 16)
    assert [int(line.split(".")[0]) for line in text.splitlines()] == list(range(1, len(text.splitlines()) + 1))
    assert ("alveo/" in text) == ("alveo/" in checked(machine)) == (machine is U50)
