"""The Amaranth component: its signature is the delivered Verilog's top module, and it is a design's part like another.

``examples/toolkits/amaranth_design.py`` simulates it.
"""

from __future__ import annotations

import pytest
from amaranth.lib.wiring import In, Out

from arch_model.machine.accelerator import Accelerator
from rtl.port_names import master_names
from rtl.toolkits.amaranth_component import FastSwitchComponent

READ = {"araddr", "arlen", "arvalid", "arready", "rdata", "rresp", "rlast", "rvalid", "rready"}
WRITE = {"awaddr", "awlen", "awvalid", "awready", "wdata", "wstrb", "wlast", "wvalid", "wready", "bresp", "bvalid"}


@pytest.mark.parametrize("name", ["tiny", "zcu104", "u50"])
def test_the_signature_has_the_ports_of_the_verilog(name: str) -> None:
    machine = Accelerator.load(name)
    members = FastSwitchComponent(machine).signature.members
    masters = master_names(machine.stripes, machine.weight_stripes)
    assert set(members) == {"s_axi_ctrl", "irq", *masters}
    for master in masters:
        inside = set(members[master].signature.members)
        assert members[master].flow is Out
        assert inside == (READ | WRITE | {"bready"} if "_out" in master else READ)
        assert members[master].signature.members["rdata"].shape == 8 * machine.port_bytes
    assert members["s_axi_ctrl"].flow is In
