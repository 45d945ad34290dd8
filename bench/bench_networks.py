"""Predicted time of whole networks beside the tile bound and the measured silicon.

    python bench/bench_networks.py [--accelerator zcu104] [--table ../shared/data/ofa_resnet50_six_subnets_layers.csv]

One row a network: milliseconds of its 3×3 layers and of all its convolutions, each layer as a Program of its own with
the best mapping, as the model has them (which the RTL confirms layer by layer: ``fastswitch cosim``); the tile bound
(passes times output pixels, nothing else), for all layers the greater of it and what their bytes take at all ports'
bandwidth; and the ratios.
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from arch_model.accelerator import TAPS, Accelerator
from arch_model.layer import Kind, Layer, read_layer_table
from mapper.optimise import optimise

MEASURED_3X3_MS = (7.20, 9.93, 18.09, 24.56, 34.86, 35.63)
"""Of networks 0 to 5 on the published FPGA design: same multipliers, clock and bandwidth; host starts included."""


def tile_bound(layer: Layer, accelerator: Accelerator) -> int:
    """Cycles of a layer whose passes follow each other without a gap."""
    channels = accelerator.cp if layer.R > 1 else TAPS * accelerator.cp
    return -(-layer.C // channels) * -(-layer.K // accelerator.kp) * layer.P * layer.Q


def dram_bound(layer: Layer, accelerator: Accelerator) -> float:
    """Cycles that its weights, input and output take on all data ports together."""
    bytes_ = layer.weight_bytes + layer.input_bytes + layer.output_bytes
    return bytes_ / (2 * accelerator.beat_bytes + accelerator.weight_beat_bytes) * accelerator.dram.cycles_per_beat


@click.command()
@click.option("--accelerator", default="zcu104")
@click.option("--table", type=Path, default=Path("../shared/data/ofa_resnet50_six_subnets_layers.csv"))
def main(accelerator: str, table: Path) -> None:
    """Print the table, and the ten layers that lose most."""
    machine = Accelerator.load(accelerator)
    known: dict[Layer, tuple[int, str]] = {}
    rows = []
    for row in read_layer_table(table):
        x = row.layer
        if x.kind is not Kind.CONV:
            continue
        layer = Layer("layer", Kind.CONV, x.K, x.C, x.R, x.S, x.H, x.W, x.stride, x.padding)
        if layer not in known:
            best = optimise(layer, machine)
            known[layer] = best.cycles, best.bound
        tiles = tile_bound(layer, machine)
        text = f"K={x.K} C={x.C} R={x.R} H={x.H} stride={x.stride}"
        rows.append((row.network, x.R, *known[layer], tiles, max(tiles, dram_bound(layer, machine)), text))
    frame = pd.DataFrame(rows, columns=["network", "R", "cycles", "by", "tiles", "bound", "layer"])
    ms = 1e3 / machine.clock_hz
    totals = frame.groupby("network")[["cycles", "bound"]].sum() * ms
    three = frame[frame.R == 3].groupby("network")[["cycles", "tiles"]].sum() * ms
    out = pd.DataFrame(
        {
            "3x3 ms": three.cycles,
            "bound ms": three.tiles,
            "ratio": three.cycles / three.tiles,
            "all ms": totals.cycles,
            "all bound ms": totals.bound,
            "all ratio": totals.cycles / totals.bound,
        }
    )
    if len(out) == len(MEASURED_3X3_MS):
        out.insert(3, "silicon ms", MEASURED_3X3_MS)
    click.echo(f"{accelerator} {machine.hash()}, clock {machine.clock_hz / 1e6:.0f} MHz, {len(frame)} convolutions")
    click.echo(out.round(3).to_string())
    frame["lost"] = frame.cycles - frame.bound
    frame["over"] = frame.cycles / frame.bound
    worst = frame.sort_values("lost", ascending=False).drop_duplicates("layer").head(10)
    click.echo("\nMost cycles above their bound:")
    click.echo(worst[["layer", "by", "cycles", "bound", "over"]].round(3).to_string(index=False))


if __name__ == "__main__":
    main()
