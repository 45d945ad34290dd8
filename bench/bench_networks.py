"""Predicted time of whole networks beside the tile bound and the measured silicon.

    python bench/bench_networks.py [--accelerator zcu104] [--table ../shared/data/ofa_resnet50_six_subnets_layers.csv]

One row a network: milliseconds of its 3×3 layers and of all its convolutions as the model has them (which the RTL
confirms layer by layer: ``fastswitch cosim``), the tile bound (passes times output pixels, nothing else) and the ratio.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd

from arch_model.accelerator import TAPS, Accelerator
from arch_model.layer import Kind, Layer, read_layer_table
from arch_model.timing import time_program
from mapper.compile import compile_layer
from sim.cosim import random_quant

MEASURED_3X3_MS = (7.20, 9.93, 18.09, 24.56, 34.86, 35.63)
"""Of networks 0 to 5 on the published FPGA design: same multipliers, clock and bandwidth; host starts included."""


def tile_bound(layer: Layer, accelerator: Accelerator) -> int:
    """Cycles of a layer whose passes follow each other without a gap."""
    channels = accelerator.cp if layer.R > 1 else TAPS * accelerator.cp
    return -(-layer.C // channels) * -(-layer.K // accelerator.kp) * layer.P * layer.Q


@click.command()
@click.option("--accelerator", default="zcu104")
@click.option("--table", type=Path, default=Path("../shared/data/ofa_resnet50_six_subnets_layers.csv"))
def main(accelerator: str, table: Path) -> None:
    """Print the table."""
    machine = Accelerator.load(accelerator)
    known: dict[Layer, int] = {}
    rows = []
    for row in read_layer_table(table):
        layer = Layer("layer", Kind.CONV, row.layer.K, row.layer.C, row.layer.R, row.layer.S, row.layer.H, row.layer.W,
                      row.layer.stride, row.layer.padding)
        if row.layer.kind is not Kind.CONV:
            continue
        if layer not in known:
            program, _ = compile_layer(layer, machine, random_quant(layer, np.random.default_rng(0)))
            known[layer] = time_program(program.commands, machine).cycles
        rows.append((row.network, layer.R, known[layer], tile_bound(layer, machine)))
    frame = pd.DataFrame(rows, columns=["network", "R", "cycles", "bound"])
    ms = 1e3 / machine.clock_hz
    totals = frame.groupby("network")[["cycles", "bound"]].sum() * ms
    three = frame[frame.R == 3].groupby("network")[["cycles", "bound"]].sum() * ms
    out = pd.DataFrame(
        {
            "3x3 ms": three.cycles,
            "bound ms": three.bound,
            "ratio": three.cycles / three.bound,
            "all ms": totals.cycles,
            "all bound ms": totals.bound,
            "all ratio": totals.cycles / totals.bound,
        }
    )
    if len(out) == len(MEASURED_3X3_MS):
        out.insert(3, "silicon ms", MEASURED_3X3_MS)
    click.echo(f"{accelerator}, clock {machine.clock_hz / 1e6:.0f} MHz, {len(frame)} convolutions")
    click.echo(out.round(3).to_string())


if __name__ == "__main__":
    main()
