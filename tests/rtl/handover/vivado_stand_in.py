"""A Tcl interpreter with stand-ins for Vivado's commands: it runs a script and notes what the script asked for.

The stand-ins know nothing of a device; they answer with names, so that a script's own logic runs. A command that is not
listed here is an error, as is one of Tcl's that a script for Vivado should not need.
"""

from __future__ import annotations

import tkinter
from collections.abc import Sequence
from pathlib import Path

COMMANDS = (
    *(
        "create_project",
        "close_project",
        "add_files",
        "get_files",
        "current_fileset",
        "current_project",
        "set_property",
    ),
    *("get_property", "update_compile_order", "read_verilog", "read_xdc", "synth_design", "opt_design", "place_design"),
    *("phys_opt_design", "route_design", "write_checkpoint", "report_utilization", "report_ram_utilization"),
    *(
        "report_timing_summary",
        "report_power",
        "get_timing_paths",
        "get_runs",
        "launch_runs",
        "wait_on_run",
        "open_run",
    ),
    *("get_board_parts", "update_ip_catalog", "create_bd_design", "create_bd_cell", "apply_bd_automation"),
    *("get_bd_cells", "get_bd_pins", "get_bd_intf_pins", "connect_bd_net", "connect_bd_intf_net", "assign_bd_address"),
    *("get_bd_addr_segs", "get_bd_addr_spaces", "exclude_bd_addr_seg", "validate_bd_design", "save_bd_design"),
    *("make_wrapper", "generate_target", "package_xo"),
    *("ipx::package_project", "ipx::current_core", "ipx::get_bus_interfaces", "ipx::get_bus_parameters"),
    *("ipx::add_bus_parameter", "ipx::associate_bus_interfaces", "ipx::get_memory_maps", "ipx::add_memory_map"),
    *("ipx::get_address_blocks", "ipx::add_address_block", "ipx::add_register", "ipx::create_xgui_files"),
    *("ipx::update_checksums", "ipx::check_integrity", "ipx::save_core"),
)
"""Commands of Vivado 2019 and later (AMD UG835, UG1118) that scripts may use."""

ANSWERS = {
    "current_fileset": "sources_1",
    "current_project": "project",
    "ipx::current_core": "core",
    "ipx::get_bus_parameters": "",
    "get_board_parts": "xilinx.com:zcu104:part0:1.0 xilinx.com:zcu104:part0:1.1",
    "get_bd_addr_segs": "space/SEG_ps_HP0_DDR_LOW space/SEG_ps_HP0_QSPI space/SEG_ps_HP0_DDR_HIGH",
    "ipx::get_memory_maps": "map",
    "ipx::get_address_blocks": "block",
}

Call = tuple[str, ...]


def run_script(script: Path, arguments: Sequence[str] = (), properties: dict[str, str] | None = None) -> list[Call]:
    """The commands of Vivado that a script calls, with their arguments.

    Parameters
    ----------
    script : the file.
    arguments : of ``-tclargs``.
    properties : what ``get_property`` answers, by its name.
    """
    tcl = tkinter.Tcl()
    tcl.eval("namespace eval ipx {}")
    calls: list[Call] = []

    def stand_in(name: str) -> None:
        def command(*given: str) -> str:
            words = tuple(str(word) for word in given)
            calls.append((name, *words))
            if name == "get_property":
                return (properties or {}).get(words[0], "0.25")
            if name == "create_bd_cell":
                return words[-1]
            if name in ANSWERS:
                return ANSWERS[name]
            named = [word for word in words if not word.startswith("-")]
            return named[0] if named else ""  # an object is its name

        tcl.createcommand(name, command)

    for name in COMMANDS:
        stand_in(name)
    tcl.createcommand("puts", lambda *words: "")
    tcl.setvar("argv", tuple(arguments))
    tcl.eval(f"set argv0 vivado; info script {{{script}}}")
    tcl.eval(script.read_text())
    return calls
