"""The names against the ports of the Verilog itself."""

import doctest

import pytest

import rtl.port_names
from arch_model.machine.accelerator import Accelerator
from rtl.generate import verilog
from rtl.handover.ports import read_ports
from rtl.port_names import master_names


@pytest.mark.parametrize(("stripes", "weight_stripes"), [(1, 1), (2, 1), (1, 2)])
def test_are_those_of_the_verilog(stripes: int, weight_stripes: int) -> None:
    machine = Accelerator.load("tiny").replace(
        axi={"data_bits": 32 * stripes, "stripes": stripes, "weight_stripes": weight_stripes}
    )
    buses = {port.bus for port in read_ports(verilog(machine))}
    assert buses == {"", "s_axi_ctrl", *master_names(stripes, weight_stripes)}


def test_examples() -> None:
    assert doctest.testmod(rtl.port_names).failed == 0
