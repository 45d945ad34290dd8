"""Head and attributes of the Verilog that is delivered."""

import doctest

import pytest

import rtl.handover.source
from arch_model.machine.accelerator import Accelerator
from rtl.handover.source import headed, with_interfaces

TINY = Accelerator.load("tiny")


def test_examples():
    assert doctest.testmod(rtl.handover.source).failed == 0


def test_the_head_names_the_description():
    first, second, rest = headed("module a;\n", TINY).split("\n", 2)
    assert "tiny" in first and TINY.hash() in first and second.startswith("//") and rest == "module a;\n"


def test_only_the_top_module_gets_attributes():
    text = "  input aclk;\n  input aresetn;\n  output irq;\nendmodule\n"
    made = with_interfaces(text + text, ["m_axi_prog"])
    assert made.endswith(text) and made.count("X_INTERFACE_INFO") == 3
    with pytest.raises(ValueError, match="substring"):
        with_interfaces("  input aclk;\n", [])
