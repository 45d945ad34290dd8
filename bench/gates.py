"""The synthesised netlist of a machine, simulated: the same layers as on the RTL, bit by bit and in the same cycles.

    pip install 'fastswitch[synth]'
    python bench/gates.py                                   # tiny, gates
    python bench/gates.py --cells xilinx --accelerator tiny --layers layers.csv

Yosys first (half a minute of CPU for tiny), then Icarus, which reads a netlist in seconds where Verilator's C++ takes
minutes.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import COLUMNS
from rtl.synth.netlist import KINDS, write_netlist
from sim.cosim.layer_tables import run_layers
from sim.rtl_bench.simulators import find_simulator

FOLDER = Path("fastswitch-out/gates")
LAYERS = f"""{",".join(COLUMNS)}
7,3,4,one,1,10,12,9,9,1,1,1,0,9,9,9720,120
7,4,5,two,1,8,10,9,9,3,3,2,1,5,5,18000,720
"""
"""A 1×1 layer with channels that fill no tile, and a 3×3 one with stride 2."""


@click.command()
@click.option("--accelerator", default="tiny", show_default=True, metavar="NAME|FILE")
@click.option("--cells", type=click.Choice(KINDS), default="gates", show_default=True)
@click.option("--layers", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="else two small ones")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), default="icarus", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(accelerator: str, cells: str, layers: Path | None, simulator: str, seed: int) -> None:
    """Synthesise, simulate, and print a line a layer."""
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - start:6.0f} s  {text}", flush=True)

    FOLDER.mkdir(parents=True, exist_ok=True)
    if layers is None:
        layers = FOLDER / "layers.csv"
        layers.write_text(LAYERS)
    try:
        machine = Accelerator.load(accelerator)
        say(f"synthesising {machine.name} to {cells}")
        netlist = write_netlist(machine, FOLDER, cells)
        rows = run_layers(
            machine,
            layers,
            FOLDER / "gates.csv",
            seed=seed,
            simulator=find_simulator(simulator),
            netlist=netlist,
            on_row=lambda row: say(
                f"{row['name']}: {row['simulated_cycles']} cycles, predicted {row['predicted_cycles']}, "
                f"{row['mismatches']} mismatches"
            ),
            on_stage=say,
        )
    except FastSwitchError as error:
        raise SystemExit(f"gates: {error}") from None
    raise SystemExit(1 if any(row["mismatches"] for row in rows) else 0)


if __name__ == "__main__":
    main()
