"""Synthesis of a machine beside the estimate of ``arch_model``, component by component; its clock on an ECP5.

    pip install 'fastswitch[synth]'
    python bench/synthesise.py --accelerator tiny
    python bench/synthesise.py --accelerator zcu104 --uram --csv zcu104.csv
    python bench/synthesise.py --accelerator micro.yaml --target ecp5 --place
    python bench/synthesise.py --accelerator tiny --gates

Equal modules are synthesised once and counted as often as they occur, and nothing is flattened. What was synthesised
before is remembered in the user's cache folder; logs go to fastswitch-out/synthesis. ``--gates`` has the gates of an
ASIC instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import pandas as pd

from arch_model.cost.area import asic_area
from arch_model.cost.resources import fpga_resources
from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.memories import BUFFERS
from rtl.generate import verilog
from rtl.synth import ULTRARAM, SynthesisResult, synthesise
from rtl.synth.components import component_of, part_of
from rtl.synth.modules import read_design
from rtl.synth.synthesis import TOP, timed
from rtl.synth.tools import run_yosys

TRANSISTORS = {"NOT": 2, "NAND": 4, "NOR": 4, "AND": 6, "OR": 6, "AOI3": 6, "OAI3": 6, "AOI4": 8, "OAI4": 8, "XOR": 12,
               "XNOR": 12, "MUX": 12}  # fmt: skip


def fpga_table(result: SynthesisResult, uram: bool) -> pd.DataFrame:
    """A row a component: what was found, and the estimate beside it."""
    estimate = fpga_resources(result.accelerator, uram_depth=4096 if uram else None, uram_buffers=ULTRARAM).to_frame()
    found = result.to_frame().set_index("component")
    found["bram36"] += found.pop("bram18") / 2
    estimate = estimate.set_index("component")
    estimate = estimate.astype(float)
    estimate.loc["per MAC"] = estimate.loc["total"] / result.accelerator.multipliers
    both = found.join(estimate.add_suffix(" estimated"), how="outer").fillna(0)
    order = [name for name in both.index if name not in ("total", "per MAC")]
    return both.loc[[*order, "total", "per MAC"]]


def gate_table(a: Accelerator, folder: Path) -> pd.DataFrame:
    """Estimate and synthesis of gates (two inputs, four transistors) and flip-flops of every component of logic."""
    design = read_design(verilog(a), TOP)
    buffers = {
        name for path, name in design.instances.items()
        if component_of(path) in BUFFERS or part_of(path).endswith(".tables")
    }  # fmt: skip
    memories = {name for name in buffers if not design.modules[name].children}
    texts = [module.shell if name in memories else module.text for name, module in design.modules.items()]
    (folder / "all.v").write_text("".join(texts))
    (folder / "abc.txt").write_text("strash\ndc2\nmap -B 0.9\n")
    passes = (
        "read_verilog all.v",
        f"hierarchy -top {design.top}",
        f"synth -noabc -booth -top {design.top}",
        "abc -script abc.txt -g cmos4",
        "opt_clean",
        "tee -q -o all.json stat -json",
    )
    run_yosys(passes, folder, "gates")
    cells: Mapping[str, Mapping[str, int]] = {
        name.removeprefix("\\"): module["num_cells_by_type"]
        for name, module in pd.read_json(folder / "all.json", typ="series")["modules"].items()
    }
    area = asic_area(a)
    rows: dict[str, dict[str, float]] = {}
    for path, module in design.instances.items():
        component = component_of(path)
        if component not in area.gates:
            continue
        row = rows.setdefault(component, {"gates": 0.0, "ffs": 0.0})
        for cell, number in cells.get(module, {}).items():
            row["gates"] += TRANSISTORS.get(cell.strip("$_"), 0) * number / 4
            row["ffs"] += number if "DFF" in cell else 0
    frame = pd.DataFrame(rows).T
    frame["gates estimated"] = pd.Series(area.gates)
    frame["ffs estimated"] = pd.Series(area.flip_flops)
    frame.loc["total"] = frame.sum()
    return frame


@click.command()
@click.option("--accelerator", default="tiny", show_default=True, metavar="NAME|FILE", help="a preset or a YAML file")
@click.option("--target", type=click.Choice(["xilinx", "ecp5"]), default="xilinx", show_default=True)
@click.option("--uram", is_flag=True, help="PB, DB and SB may become UltraRAMs")
@click.option("--place", is_flag=True, help="place and route, too (ecp5)")
@click.option("--gates", is_flag=True, help="gates for an ASIC instead of FPGA cells")
@click.option("--csv", type=click.Path(path_type=Path), help="where to keep the table")
def main(accelerator: str, target: str, uram: bool, place: bool, gates: bool, csv: Path | None) -> None:
    """Print the table; see the top of this file."""
    try:
        machine = Accelerator.load(accelerator)
        folder = Path("fastswitch-out/synthesis")
        folder.mkdir(parents=True, exist_ok=True)
        if gates:
            print(gate_table(machine, folder).round(1).to_string())
            return
        on_stage = timed(lambda stage, done, total: print(f"{stage} {done} of {total}", flush=True))
        result = synthesise(machine, target, folder, ultraram=ULTRARAM if uram else (), placed=place, on_stage=on_stage)
    except FastSwitchError as error:
        raise SystemExit(f"synthesise: {error}") from None
    table = fpga_table(result, uram) if target == "xilinx" else result.to_frame()
    print(f"\n{machine.name} {machine.hash()}, {result.tool}, {result.modules} different modules\n")
    print(table.round(3).to_string())
    if result.placement:
        placed = result.placement
        print(f"\nECP5 {placed.device}: {placed.clock_hz / 1e6:.1f} MHz")
        print("\n".join(f"{cell} {used} of {placed.available[cell]}" for cell, used in placed.used.items()))
    if csv:
        table.round(3).to_csv(csv)


if __name__ == "__main__":
    main()
