"""Vivado's scripts, run by a Tcl interpreter with stand-ins: what they ask for is what the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.handover.project import DESIGN
from rtl.handover.vivado import PS_PORTS, connections, has_block_design, master_rows, vivado_files
from rtl.port_names import master_names
from rtl.registers import REGISTERS

pytest.importorskip("tkinter", reason="Python's Tcl is not installed (Debian: python3-tk)")
from tests.rtl.handover.vivado_stand_in import Call, run_script

ZCU104 = Accelerator.load("zcu104")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Such as a delivery has, in a folder with a blank."""
    folder = tmp_path / "a folder"
    for name, data in vivado_files(ZCU104).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def named(calls: list[Call], name: str) -> list[Call]:
    return [call[1:] for call in calls if call[0] == name]


def test_every_script_says_that_it_was_not_run() -> None:
    for name, data in vivado_files(ZCU104).items():
        assert b"NOT RUN: no Vivado was there" in data, name
        assert max(map(len, data.decode().splitlines())) <= 120, name


def test_the_ip_has_the_machines_buses_with_their_parameters(folder: Path) -> None:
    calls = run_script(folder / "vivado" / "package_ip.tcl")
    assert named(calls, "add_files")[0] == ("-norecurse", str(folder / DESIGN))
    assert ("USED_IN", "out_of_context synthesis implementation", "fastswitch.xdc") in named(calls, "set_property")
    clocked = [call[1] for call in named(calls, "ipx::associate_bus_interfaces") if call[0] == "-busif"]
    assert clocked == [*master_names(1, 4), "s_axi_ctrl"]
    assert ("-clock", "aclk", "-reset", "aresetn", "core") in named(calls, "ipx::associate_bus_interfaces")
    found: dict[str, dict[str, str]] = {}
    for (parameter, bus), after in zip(
        named(calls, "ipx::add_bus_parameter"),
        [call for call, before in zip(calls[1:], calls, strict=False) if before[0] == "ipx::add_bus_parameter"],
        strict=True,
    ):
        assert after[:2] == ("set_property", "value")
        found.setdefault(bus, {})[parameter] = after[2]
    for name, writes, bits, reads, most in master_rows(ZCU104):
        bus = found[name]
        assert bus["DATA_WIDTH"] == str(bits) == "128" and bus["MAX_BURST_LENGTH"] == "32" and bus["ID_WIDTH"] == "0"
        assert bus["READ_WRITE_MODE"] == ("READ_WRITE" if writes else "READ_ONLY")
        assert (bus["NUM_READ_OUTSTANDING"], bus["NUM_WRITE_OUTSTANDING"]) == (str(reads), str(most))
        assert bus["SUPPORTS_NARROW_BURST"] == "0" and bus["PROTOCOL"] == "AXI4" and bus["ADDR_WIDTH"] == "32"
    assert found["s_axi_ctrl"]["PROTOCOL"] == "AXI4LITE" and found["aresetn"] == {"POLARITY": "ACTIVE_LOW"}
    assert found["irq"] == {"SENSITIVITY": "LEVEL_HIGH"}


def test_the_ip_has_every_register(folder: Path) -> None:
    calls = run_script(folder / "vivado" / "package_ip.tcl")
    assert [call[0] for call in named(calls, "ipx::add_register")] == [register.name for register in REGISTERS]
    offsets = {call[2]: call[1] for call in named(calls, "set_property") if call[0] == "address_offset"}
    assert offsets == {register.name: f"0x{register.address:02X}" for register in REGISTERS}
    access = {call[2]: call[1] for call in named(calls, "set_property") if call[0] == "access"}
    assert (access["ID"], access["CYCLES"], access["CTRL"]) == ("read-only", "read-only", "read-write")


def test_another_part_can_be_given(folder: Path) -> None:
    for script, words in (("package_ip.tcl", ["xck26-x"]), ("synth_ooc.tcl", ["synth", "xck26-x"])):
        calls = run_script(folder / "vivado" / script, words)
        assert calls[0][0] == "create_project" and calls[0][-1] == "xck26-x"


def test_synthesis_is_out_of_context(folder: Path) -> None:
    calls = run_script(folder / "vivado" / "synth_ooc.tcl")
    (xdc,), (synth,) = named(calls, "read_xdc"), named(calls, "synth_design")
    assert xdc == ("-mode", "out_of_context", str(folder / "constraints" / "fastswitch.xdc"))
    options = dict(zip(synth[::2], synth[1::2], strict=True))
    assert options["-mode"] == "out_of_context" and options["-part"] == "xczu7ev-ffvc1156-2-e"
    assert not named(calls, "place_design") and named(calls, "report_ram_utilization")
    routed = run_script(folder / "vivado" / "synth_ooc.tcl", ["route"])
    steps = [call[0] for call in routed if call[0].endswith("_design")]
    assert steps == ["synth_design", "opt_design", "place_design", "phys_opt_design", "route_design"]
    with pytest.raises(Exception, match="the step is rout; give synth or route"):
        run_script(folder / "vivado" / "synth_ooc.tcl", ["rout"])


def test_fusesocs_project_is_out_of_context_too(folder: Path) -> None:
    used, more = named(run_script(folder / "vivado" / "fusesoc_ooc.tcl"), "set_property")
    assert used[:2] == ("USED_IN", "out_of_context synthesis implementation")
    assert more[:4] == ("-name", "STEPS.SYNTH_DESIGN.ARGS.MORE OPTIONS", "-value", "-mode out_of_context")


def test_the_block_design_connects_every_port_clock_and_reset_once(folder: Path) -> None:
    (folder / "vivado" / "ip").mkdir()
    calls = run_script(folder / "vivado" / "block_design.tcl")
    pairs = named(calls, "connect_bd_intf_net")
    master_of = {there: here for here, there in pairs}
    assert len(pairs) == len(master_of), "no slave has two masters"
    ends = {here: there for here, there in pairs}
    for port, masters in connections(ZCU104).items():
        for index, master in enumerate(masters):
            block, pin = ends[f"fastswitch_0/{master}"].split("/")
            assert pin == f"S{index:02d}_AXI" and ends[f"{block}/M00_AXI"] == f"ps/{port}"
    assert ends["ps/M_AXI_HPM0_FPD"] == "registers/S00_AXI" and ends["registers/M00_AXI"] == "fastswitch_0/s_axi_ctrl"
    blocks = [call[-1] for call in named(calls, "create_bd_cell") if "xilinx.com:ip:smartconnect" in call]
    nets = {net[0]: list(net[1:]) for net in named(calls, "connect_bd_net")}
    clocks = {clock for port, clock, _ in PS_PORTS if port in connections(ZCU104)}
    wanted = {f"ps/{clock}" for clock in clocks} | {f"{block}/aclk" for block in blocks}
    wanted |= {"ps/maxihpm0_fpd_aclk", "fastswitch_0/aclk", "reset/slowest_sync_clk"}
    assert set(nets["ps/pl_clk0"]) == wanted and len(nets["ps/pl_clk0"]) == len(wanted)
    assert set(nets["reset/peripheral_aresetn"]) == {"fastswitch_0/aresetn", *(f"{block}/aresetn" for block in blocks)}
    assert nets["fastswitch_0/irq"] == ["ps/pl_ps_irq0"] and nets["ps/pl_resetn0"] == ["reset/ext_reset_in"]
    (ps,) = [call for call in named(calls, "set_property") if call[0] == "-dict" and call[-1] == "ps"]
    words = ps[1].split()
    settings = dict(zip(words[::2], words[1::2], strict=True))
    assert settings["CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"] == "100"
    assert [settings[f"CONFIG.PSU__USE__S_AXI_GP{number}"] for number in range(7)] == ["1"] * 7
    assert {settings[f"CONFIG.PSU__SAXIGP{number}__DATA_WIDTH"] for number in range(7)} == {"128"}
    assert named(calls, "exclude_bd_addr_seg") == [("space/SEG_ps_HP0_QSPI",), ("space/SEG_ps_HP0_DDR_HIGH",)]
    assert ("board_part", "xilinx.com:zcu104:part0:1.1", "project") in named(calls, "set_property")
    assert not named(calls, "launch_runs")


def test_the_block_design_wants_the_ip_first_and_says_when_the_run_failed(folder: Path) -> None:
    script = folder / "vivado" / "block_design.tcl"
    with pytest.raises(Exception, match=r"run vivado/package_ip\.tcl first"):
        run_script(script)
    (folder / "vivado" / "ip").mkdir()
    with pytest.raises(Exception, match="implementation has failed"):
        run_script(script, ["bitstream"], {"PROGRESS": "45%"})


def test_where_masters_are_more_or_fewer_than_ports() -> None:
    """Ports are shared in turn; those that nobody needs are off; a beat wider than a port has no block design."""
    wide = ZCU104.replace(axi={"data_bits": 256, "stripes": 4, "weight_stripes": 4})
    groups = connections(wide)
    assert sum(map(len, groups.values())) == 13 and {len(masters) for masters in groups.values()} == {1, 2}
    assert groups["S_AXI_HP0_FPD"] == ["m_axi_wgt0", "m_axi_act3"]
    few = Accelerator.load("tiny").replace(device="zcu104")
    text = vivado_files(few)["vivado/block_design.tcl"].decode()
    assert len(connections(few)) == 4 and "CONFIG.PSU__USE__S_AXI_GP6 0" in text and "SAXIGP6__DATA" not in text
    assert not has_block_design(Accelerator.load("u50").replace(device="zcu102"))
