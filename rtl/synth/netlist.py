"""The machine after synthesis as Verilog again, for simulation: gates or an FPGA's cells instead of operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from arch_model.machine.accelerator import Accelerator
from rtl.synth.errors import SynthesisError
from rtl.synth.modules import read_design
from rtl.synth.synthesis import TOP
from rtl.synth.tools import run_yosys, shared_files

# Memories stay what they are, arrays of words: a RAM of an FPGA is the memory that the RTL asks for.
_PASSES: Mapping[str, Sequence[str]] = {
    "gates": (
        "synth -run begin:fine",
        "opt -fast -full",
        "techmap",
        "opt -fast",
        "abc -script abc.txt -g AND,OR,XOR,MUX",
        "opt_clean",
    ),
    "xilinx": (
        "synth_xilinx -family xcup -noiopad -noclkbuf -nodsp -nosrl -run begin:map_memory",
        "opt -fast -full",
        "synth_xilinx -family xcup -noiopad -noclkbuf -nodsp -nosrl -run fine:check",
    ),
}
_MODELS: Mapping[str, Sequence[str]] = {"gates": (), "xilinx": ("xilinx/cells_sim.v",)}

KINDS = tuple(_PASSES)
"""``gates``: AND, OR, XOR, multiplexers, flip-flops; ``xilinx``: LUTs, carry chains and flip-flops of UltraScale+."""


def write_netlist(accelerator: Accelerator, folder: Path, kind: str, limit_s: float | None = None) -> list[Path]:
    """Synthesise an accelerator and write its netlist; its files, the simulation models of its cells last.

    Modules keep their borders, multipliers become gates or LUTs (Yosys has no model of a DSP48E2). The models are the
    installed Yosys's own.

    Parameters
    ----------
    accelerator : the machine.
    folder : for the files.
    kind : one of :data:`KINDS`.
    limit_s : seconds of each process. None: no limit.

    Raises
    ------
    SynthesisError
        The kind is another, or Yosys fails.
    """
    from rtl.generate import verilog

    if kind not in _PASSES:
        raise SynthesisError(f"netlist is {kind}; it can be {' or '.join(KINDS)}")
    models = [shared_files() / name for name in _MODELS[kind]]
    folder.mkdir(parents=True, exist_ok=True)
    design = read_design(verilog(accelerator), TOP)
    (folder / "modules.v").write_text("".join(module.text for module in design.modules.values()))
    (folder / "abc.txt").write_text("strash\ndc2\nmap -B 0.9\n")
    netlist = folder / f"{TOP}_{kind}.v"
    passes = (
        "read_verilog modules.v",
        f"hierarchy -check -top {design.top}",
        f"rename {design.top} {TOP}",
        *_PASSES[kind],
        f"write_verilog -noattr {netlist.name}",
    )
    run_yosys(passes, folder, f"netlist_{kind}", limit_s)
    return [netlist, *models]
