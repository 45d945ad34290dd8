"""Depthwise layers beside their bounds: how many of the multipliers work, and what keeps the others waiting.

    python bench/depthwise.py [--accelerator zcu104]

All depthwise layers of three OFA-MobileNetV3 SubNets, each as a Program of its own, summed by kernel and stride.
*sweep*: cycles in which RUN reads a column, the least that the passes can take. *input*: cycles of the activation port,
rows and channel groups padded as they are stored, each row once. *over*: cycles by the greater of the two, layer by
layer. *busy*: products of the kernel's own taps, by cycles times multipliers; *while sweeping*: by the sweep alone.
A window a row of the array is one multiplier in CP.
"""

from __future__ import annotations

from dataclasses import replace

import click
import pandas as pd
from whole_networks import NETWORKS

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Kind
from arch_model.spaces import get_space
from mapper.cost.layer_cost import layer_cost
from mapper.workload.depthwise import k_tiles_of, windows_of
from mapper.workload.fusion import Step


@click.command()
@click.option("--accelerator", default="zcu104")
def main(accelerator: str) -> None:
    """Print the table."""
    a = Accelerator.load(accelerator)
    rows = []
    for space, name in NETWORKS:
        for layer in get_space(space).subnet(name).layers:
            if layer.kind is Kind.CONV and layer.groups > 1:
                x = replace(layer, name="layer", inputs=())
                sweep = k_tiles_of(x, a) * len(windows_of(x)) * x.P * x.Q * x.stride
                beats = a.groups(x.C) * x.H * a.pitch(x.W) // a.beat_bytes * a.dram.cycles_per_beat
                products = x.K * x.P * x.Q * x.R * x.S
                rows.append((x.R, x.stride, layer_cost(Step(x), a).cycles, sweep, beats, max(sweep, beats), products))
    columns = ["kernel", "stride", "cycles", "sweep", "input", "bound", "products"]
    groups = pd.DataFrame(rows, columns=columns).groupby(["kernel", "stride"])
    out = groups.sum()
    out.insert(0, "layers", groups.size())
    multipliers = TAPS * a.kp * a.cp
    out["over"] = (out.cycles / out.bound).round(3)
    out["busy"] = (out.products / out.cycles / multipliers).map("{:.1%}".format)
    out["while sweeping"] = (out.products / out.sweep / multipliers).map("{:.1%}".format)
    click.echo(f"{accelerator} {a.hash()}, predicted; one in CP is {1 / a.cp:.1%}")
    click.echo(out.drop(columns=["bound", "products"]).to_string())


if __name__ == "__main__":
    main()
