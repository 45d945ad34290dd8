"""Resources and gates as Yosys finds them beside the estimates of ``arch_model``, component by component.

    pip install pyosys          # Yosys with synth_xilinx, as a Python module
    python bench/synthesise.py --shape 4,3,4 --shape 8,4,16 [--gates]

A shape is KP, CP and the bytes of a beat; buffers are small. Each takes minutes: equal modules (DPEs, lanes, banks) are
synthesised once and counted as often as they occur, and nothing is flattened.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from math import gcd
from pathlib import Path

import click
import pandas as pd

from arch_model.accelerator import Accelerator
from arch_model.area import asic_area
from arch_model.resources import fpga_resources
from rtl.generate import verilog

TOP = "fastswitch"
ALIKE = {
    r"machine\.compute\.array\.dpe_\d+_\d+": "dpe",
    r"machine\.compute\.requantiser_\d+": "requantiser_lane",
    r"machine\.store\.lane_\d+": "store_lane",
    r"machine\.compute\.sb_\d+": "sb",
    r"machine\.compute\.out_\d+": "ob_out",
    r"machine\.(?:sb_full|sb_free|w_full|w_free|out_full|out_free|stored)": "token",
}
COMPONENTS = {
    "array": ("dpe", "compute.array"),
    "lb": ("compute.lb",),
    "accumulator": ("compute.accumulator",),
    "requantiser": ("requantiser_lane",),
    "repacker": ("compute.repacker",),
    "run": ("compute.run", "compute"),
    "feed": ("feed",),
    "fetch": ("fetch", "fetch.dma", "fetch.gearbox", *(f"fetch.{q}_queue" for q in
              ("load_act", "load_wgt", "feed", "run", "store"))),
    "load_act": ("load_act", "load_act.dma", "load_act.gearbox"),
    "load_weights": ("load_weights", "load_weights.dma", "load_weights.words", "load_weights.lanes"),
    "store": ("store", "store_lane", *(f"store.{part}" for part in ("read", "write", "pack", "unpack", "results"))),
    "control": ("control", "token"),
    "pb": ("pb",),
    "db": ("db",),
    "sb": ("sb",),
    "ob": ("compute.accumulator.ob",),
    "ob_out": ("ob_out",),
    "zsb": ("zsb",),
}  # fmt: skip
MEMORIES = ("sb", "ob_out", *(f"{TOP}.machine.{name}" for name in ("pb", "db", "zsb", "compute.accumulator.ob")))
LUTRAM = {"RAM32M16": 8, "RAM64M8": 8, "RAM32M": 4, "RAM64M": 4}
TRANSISTORS = {"NOT": 2, "NAND": 4, "NOR": 4, "AND": 6, "OR": 6, "AOI3": 6, "OAI3": 6, "AOI4": 8, "OAI4": 8, "XOR": 12,
               "XNOR": 12, "MUX": 12}  # fmt: skip

FPGA_PASSES = (f"synth_xilinx -family xcup -top {TOP} -noiopad", "tee -q -o {report} stat -json")
GATE_PASSES = (
    f"hierarchy -top {TOP}",
    f"blackbox {' '.join(MEMORIES)}",
    f"synth -noabc -booth -top {TOP}",
    "abc -script {script} -g cmos4",
    "opt_clean",
    "tee -q -o {report} stat -json",
)
YOSYS = "import sys, pyosys.libyosys as y\nd = y.Design()\nfor p in sys.argv[1:]: y.run_pass(p, d)"


def accelerator_of(kp: int, cp: int, beat: int) -> Accelerator:
    """A small machine of this shape."""
    tile, nb = 9 * kp * cp, -(-(kp + cp - gcd(kp, cp)) // cp)
    return Accelerator(
        name=f"{kp}x{cp}x{beat}",
        array={"kp": kp, "cp": cp},
        clock_hz=1e8,
        buffers={
            "pb_bytes": 16 * tile,
            "db_bytes": 16 * tile,
            "sb_bytes": 18 * cp * 1024,
            "ob_bytes": 4 * kp * 512,
            "ob_out_bytes": 2 * nb * cp * 1024,
            "zsb_bytes": 16 * kp * 64,
        },
        axi={"data_bits": 8 * beat, "max_burst": 16},
        dram={"bytes": 1 << 22, "latency_cycles": 24, "cycles_per_beat": 1},
    )


def without_copies(text: str) -> str:
    """Verilog whose equal modules are one."""
    for pattern, name in ALIKE.items():
        text = re.sub(rf"\\{TOP}\.{pattern}(?=\s)", name, text)
    kept: dict[str, str] = {}
    for module in re.split(r"(?=^module )", text, flags=re.MULTILINE):
        kept.setdefault(module.split("(", 1)[0], module)
    return "".join(kept.values())


def synthesised(text: str, passes: tuple[str, ...], folder: Path) -> dict[str, Counter[str]]:
    """Cells by type of every module, its children's not counted."""
    source, report, script = (folder / name for name in ("top.v", "report.json", "abc.txt"))
    source.write_text(text)
    script.write_text("strash\ndc2\nmap -B 0.9\n")
    made = [p.format(report=report, script=script) for p in (f"read_verilog {source}", *passes)]
    subprocess.run([sys.executable, "-c", YOSYS, *made], check=True, stdout=subprocess.DEVNULL)
    modules = json.loads(report.read_text())["modules"]
    short = {name: name.replace("\\", "").replace(f"{TOP}.machine.", "") for name in modules}
    return {short[name]: Counter(module["num_cells_by_type"]) for name, module in modules.items()}


def fpga_table(a: Accelerator, cells: dict[str, Counter[str]]) -> pd.DataFrame:
    """Estimate and synthesis of every component, as columns (resource, source)."""
    rows = {}
    estimate = fpga_resources(a)
    for component, counted in by_component(a, cells).items():
        found = {
            "luts": sum(n for cell, n in counted.items() if cell.startswith("LUT")),
            "lutram": sum(LUTRAM.get(cell, 0) * n for cell, n in counted.items()),
            "ffs": sum(n for cell, n in counted.items() if cell.startswith("FD")),
            "dsps": sum(n for cell, n in counted.items() if cell.startswith("DSP")),
            "bram36": counted["RAMB36E2"] + counted["RAMB18E2"] / 2,
        }
        for name, value in found.items():
            rows[component, name] = {"estimate": getattr(estimate[component], name), "yosys": value}
    return pd.DataFrame(rows).T.unstack(sort=False)


def gate_table(a: Accelerator, cells: dict[str, Counter[str]]) -> pd.DataFrame:
    """Estimate and synthesis of gates and flip-flops of every component of logic."""
    area, rows = asic_area(a), {}
    for component, counted in by_component(a, cells).items():
        if component in area.gates:
            transistors = sum(TRANSISTORS.get(cell.strip("$_"), 0) * n for cell, n in counted.items())
            ffs = sum(n for cell, n in counted.items() if "DFF" in cell)
            rows[component, "gates"] = {"estimate": area.gates[component], "yosys": transistors / 4}
            rows[component, "ffs"] = {"estimate": area.flip_flops[component], "yosys": ffs}
    return pd.DataFrame(rows).T.unstack(sort=False)


def by_component(a: Accelerator, cells: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Cells of each component of the estimates, all its copies counted."""
    copies = {"dpe": a.kp * a.cp, "requantiser_lane": a.kp, "store_lane": a.cp, "token": 7, "sb": 9, "ob_out": a.nb}
    sums: dict[str, Counter[str]] = {}
    for component, modules in COMPONENTS.items():
        sums[component] = Counter()
        for module in modules:
            for cell, n in cells.get(module, Counter()).items():
                sums[component][cell] += n * copies.get(module, 1)
    return sums


@click.command()
@click.option("--shape", multiple=True, default=["4,3,4"], help="KP,CP,beat bytes")
@click.option("--gates", is_flag=True, help="gates for an ASIC instead of FPGA cells")
def main(shape: tuple[str, ...], gates: bool) -> None:
    """Print a table for each shape, and the error of its totals."""
    for text in shape:
        a = accelerator_of(*map(int, text.split(",")))
        with tempfile.TemporaryDirectory() as folder:
            passes, table = (GATE_PASSES, gate_table) if gates else (FPGA_PASSES, fpga_table)
            found = table(a, synthesised(without_copies(verilog(a)), passes, Path(folder)))
        found.loc["total"] = found.sum()
        print(f"\n{a.name}\n{found.to_string()}")
        total = found.loc["total"].unstack(0)
        print((total["estimate"] / total["yosys"] - 1).map("{:+.1%}".format).to_string())


if __name__ == "__main__":
    main()
