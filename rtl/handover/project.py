"""Files that tools find the sources by: file lists, a FuseSoC core, a Makefile, what lint is to pass over."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from arch_model.machine.accelerator import Accelerator

DATA = Path(__file__).parent / "data"

DESIGN = "rtl/fastswitch.v"
WAIVERS = "lint/fastswitch.vlt"
BENCH = ("sim/smoke.v", "sim/dram.v", "sim/machine.v")
IMAGES = ("before.hex", "after.hex")
CORE = "fastswitch.core"
VLNV = "fastswitch:accelerators:fastswitch"

PARTS = {"small": "xczu3eg-sbva484-1-i", "u50": "xcu50-fsvh2104-2-e"}
"""The devices of presets whose board is no ZCU104: an Ultra96-V2, an Alveo U50."""


def device_part(accelerator: Accelerator) -> str:
    """The device of the target `synth`, as Vivado calls it; ``fusesoc run ... --part=`` names another.

    >>> device_part(Accelerator.load("zcu104")), device_part(Accelerator.load("u50"))
    ('xczu7ev-ffvc1156-2-e', 'xcu50-fsvh2104-2-e')
    """
    return PARTS.get(accelerator.name, "xczu7ev-ffvc1156-2-e")


def project_files(accelerator: Accelerator) -> dict[str, bytes]:
    """By file name: everything that this module makes."""
    files = {
        "fastswitch.f": f"{DESIGN}\n",
        "sim/smoke.f": "".join(f"{name}\n" for name in (*BENCH, DESIGN)),
        CORE: core(accelerator),
        "fusesoc.conf": "[library.fastswitch]\nlocation = .\nsync-uri = .\nsync-type = local\nauto-sync = false\n",
        "Makefile": (DATA / "Makefile").read_text(),
        WAIVERS: (DATA / "fastswitch.vlt").read_text(),
    }
    return {name: text.encode() for name, text in files.items()}


def core(accelerator: Accelerator) -> str:
    """The FuseSoC core, CAPI 2."""
    bench = "\n".join(f"      - {name}" for name in BENCH)
    images = "\n".join(f"      - sim/{name}: {{file_type: user, copyto: {name}}}" for name in IMAGES)
    return f"""\
CAPI=2:
name: {VLNV}:{version("fastswitch")}
description: "FastSwitch accelerator {accelerator.name} ({accelerator.hash()})"

filesets:
  rtl:
    files: [{DESIGN}]
    file_type: verilogSource-2001
  waivers:
    files: [{WAIVERS}]
    file_type: vlt
  bench:
    files:
{bench}
    file_type: verilogSource-2001
  images:
    files:
{images}
  vivado:
    files: [constraints/fastswitch.xdc]
    file_type: xdc

targets:
  default:
    filesets: [rtl]
    toplevel: fastswitch

  lint:
    description: "Verilator, every rule that is not in {WAIVERS}"
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall, --language 1364-2001]
    filesets: [waivers, rtl]
    toplevel: fastswitch

  sim:
    description: "The smoke bench in Icarus Verilog"
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2001]
    filesets: [bench, rtl, images]
    parameters: [stall, seed]
    toplevel: smoke

  sim_verilator:
    description: "The smoke bench in Verilator"
    flow: sim
    flow_options:
      tool: verilator
      mode: binary
      verilator_options: [--timing, --timescale 1ns/1ps]
    filesets: [waivers, bench, rtl, images]
    parameters: [stall, seed]
    toplevel: smoke

  synth:
    description: "Vivado, the module by itself"
    flow: vivado
    flow_options:
      part: {device_part(accelerator)}
      pnr: none
    filesets: [rtl, vivado]
    toplevel: fastswitch

parameters:
  stall:
    datatype: int
    default: 0
    paramtype: plusarg
    description: "Cycles in 256 in which a handshake pauses"
  seed:
    datatype: int
    default: 1
    paramtype: plusarg
    description: "Seed of the pauses"
"""
