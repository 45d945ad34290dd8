"""The kernel for Alveo cards: wrapper, description and connections agree with the machine, and with each other."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.handover.alveo import alveo_files, banks, kernel_wrapper, kernel_xml, link_config
from rtl.handover.ports import Port
from rtl.port_names import master_names
from rtl.registers import ADDRESS

U50 = Accelerator.load("u50")
MASTERS = master_names(2, 4)
PORTS = [
    Port("aclk", "input", 1),
    Port("aresetn", "input", 1),
    Port("irq", "output", 1),
    Port("s_axi_ctrl_awaddr", "input", 8),
    *(Port(f"{name}_araddr", "output", 32) for name in MASTERS),
    *(Port(f"{name}_rdata", "input", 256) for name in MASTERS),
    Port("m_axi_out0_awaddr", "output", 32),
]


def test_only_alveo_cards_have_a_kernel() -> None:
    assert set(alveo_files(U50, PORTS)) == {
        *("alveo/fastswitch_kernel.v", "alveo/kernel.xml", "alveo/package_xo.tcl", "alveo/link.cfg")
    }
    assert alveo_files(Accelerator.load("zcu104"), PORTS) == {} == alveo_files(Accelerator.load("tiny"), PORTS)
    for name, data in alveo_files(U50, PORTS).items():
        assert re.search(rb"NOT RUN|No Vitis has read", data) or name.endswith(".v"), name


def test_the_wrapper_has_vitis_names_and_addresses_of_64_bits() -> None:
    text = kernel_wrapper(U50, PORTS)
    header = text[text.index("module fastswitch_kernel") : text.index(");")]
    for name in ("input wire ap_clk", "input wire ap_rst_n", "output wire interrupt", "[7:0] s_axi_control_awaddr"):
        assert name in header
    assert header.count("output wire [63:0] m_axi_") == len(MASTERS) + 1 and "32'h0" in header
    assert ".m_axi_wgt3_araddr(m_axi_wgt3_araddr[31:0])" in text and ".aclk(ap_clk)" in text
    assert text.count("[63:32] = ADDRESS_HIGH;") == len(MASTERS) + 1
    assert "ADDRESS_HIGH = 32'h40" in kernel_wrapper(U50.replace(device="u250"), PORTS)


def test_the_description_names_each_master_its_width_and_its_register() -> None:
    root = ElementTree.fromstring(kernel_xml(U50))
    kernel = root.find("kernel")
    assert kernel is not None and kernel.get("hwControlProtocol") == "user_managed"
    assert kernel.get("name") == "fastswitch_kernel" and kernel.get("language") == "ip"
    ports = {port.get("name"): port for port in root.iter("port")}
    assert list(ports) == ["s_axi_control", *MASTERS]
    assert {ports[name].get("dataWidth") for name in MASTERS} == {"256"}
    assert {ports[name].get("mode") for name in MASTERS} == {"master"}
    args = list(root.iter("arg"))
    assert [arg.get("id") for arg in args] == [str(index) for index in range(len(MASTERS))]
    assert [arg.get("name") for arg in args] == [arg.get("port") for arg in args] == MASTERS
    offset = {arg.get("port"): int(arg.get("offset", ""), 16) for arg in args}
    assert offset["m_axi_wgt2"] == ADDRESS["WGT_BASE_2"] and offset["m_axi_prog"] == ADDRESS["PROG_ADDR"]
    assert offset["m_axi_act1"] == offset["m_axi_out1"] == ADDRESS["BASE_1"]


def test_a_stripe_has_a_bank_of_its_own_which_reads_and_writes_share() -> None:
    found = dict(re.findall(r"^sp=fastswitch_kernel_1\.(\w+):(.*)$", link_config(U50), re.MULTILINE))
    assert list(found) == MASTERS
    assert [found[f"m_axi_wgt{i}"] for i in range(4)] == [f"HBM[{i}]" for i in range(4)]
    assert found["m_axi_act1"] == found["m_axi_out1"] == "HBM[5]" and found["m_axi_prog"] == f"HBM[{banks(U50)[-1]}]"
    assert link_config(U50.replace(device="u250")).count(":DDR[0]") == len(MASTERS)
    assert "\nkernel_frequency=200\n" in link_config(U50)


def test_the_script_packages_both_files_as_a_kernel_that_software_manages(tmp_path: Path) -> None:
    pytest.importorskip("tkinter", reason="Python's Tcl is not installed (Debian: python3-tk)")
    from tests.rtl.handover.vivado_stand_in import run_script

    for name, data in alveo_files(U50, PORTS).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    calls = run_script(tmp_path / "alveo" / "package_xo.tcl")
    (sources,) = [call for call in calls if call[0] == "add_files"]
    assert str(tmp_path / "rtl" / "fastswitch.v") in sources[2] and "fastswitch_kernel.v" in sources[2]
    assert ("set_property", "sdx_kernel", "true", "core") in calls
    clocked = {call[2] for call in calls if call[:2] == ("ipx::associate_bus_interfaces", "-busif")}
    assert clocked == {"s_axi_control", *MASTERS}
    (packed,) = [call[1:] for call in calls if call[0] == "package_xo"]
    options = dict(zip(packed[1::2], packed[2::2], strict=True))
    assert packed[0] == "-force" and options["-ctrl_protocol"] == "user_managed"
    assert options["-kernel_xml"] == str(tmp_path / "alveo" / "kernel.xml")
