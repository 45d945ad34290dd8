"""Whole SubNets on the RTL, image in, logits out: a row a network, with the time that it took.

    python bench/whole_networks.py [--accelerator zcu104] [--out DIR]

The six published OFA-ResNet50 SubNets and three of OFA-MobileNetV3, with seeded random int8 weights, each layer at its
best mapping (``fastswitch cosim --space``, which this calls). Cycles and DRAM bytes as the model predicts them and as
the RTL counts them, the worst part by itself, wrong int8 values in any layer's tensor, and minutes of wall time; the
first network's include the compilation of the simulator. What is finished in DIR is not run again.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click
import pandas as pd

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from sim.cosim.whole_networks import run_whole
from sim.rtl_bench.simulators import find_simulator

NETWORKS = (
    *(("ofa-resnet50", f"resnet50D_MAC@{macs}B") for macs in ("0.6", "0.9", "1.8", "2.4", "3.7", "4.1")),
    ("ofa-mobilenetv3", "note10_lat-11ms_top1-73.6_finetune-25"),
    ("ofa-mobilenetv3", "pixel1_lat-28ms_top1-73.3_finetune-25"),
    ("ofa-mobilenetv3", "pixel2_lat-50ms_top1-74.7_finetune-25"),
)
PARTS = 4
SEED = 0


@click.command()
@click.option("--accelerator", default="zcu104")
@click.option("--out", type=Path, help="Where finished parts stay; without it nowhere.")
def main(accelerator: str, out: Path | None) -> None:
    """Print the table, a row as soon as it is there."""
    machine, simulator = Accelerator.load(accelerator), find_simulator()
    click.echo(f"{accelerator} {machine.hash()}, {simulator.describe()}, seed {SEED}, {PARTS} Programs a SubNet")
    columns = ("layers", "predicted", "simulated", "worst", "bytes", "as predicted", "wrong", "minutes")
    widths = (7, 12, 12, 9, 13, 14, 7, 9)
    heads = "".join(f"{name:>{width}}" for name, width in zip(columns, widths, strict=True))
    click.echo(f"{'SubNet':40}{heads}")
    with tempfile.TemporaryDirectory() as scratch:
        for space, name in NETWORKS:
            subnet = get_space(space).subnet(name)
            begun = time.monotonic()
            rows = run_whole(
                machine, [subnet], (out or Path(scratch)) / name, seed=SEED, simulator=simulator, parts=PARTS,
                on_row=lambda row: None,
            )  # fmt: skip
            minutes = (time.monotonic() - begun) / 60
            frame = pd.DataFrame(rows)
            worst = ((frame.predicted_cycles - frame.simulated_cycles).abs() / frame.simulated_cycles).max()
            same = (frame.predicted_dram_bytes == frame.simulated_dram_bytes).all()
            total = frame[["predicted_cycles", "simulated_cycles", "simulated_dram_bytes", "mismatches"]].sum()
            click.echo(
                f"{name:40}{len(subnet.layers):7}{total.predicted_cycles:12,}{total.simulated_cycles:12,}{worst:9.3%}"
                f"{total.simulated_dram_bytes:13,}{'yes' if same else 'no':>14}{total.mismatches:7}{minutes:9.1f}"
            )


if __name__ == "__main__":
    main()
