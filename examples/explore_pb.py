"""Explore the Persistent Buffer: what is a larger one worth, and on which DRAM?

    python examples/explore_pb.py --plot explore_pb.png

One learns how the mean latency of the six published OFA-ResNet50 SubNets on `zcu104` falls with the size of the PB, how
much more it falls where DRAM is slow, and what the buffer costs in energy and area. Every point is a machine priced by
the cost model; the study stays in a folder, and the same command goes on where it was stopped. `fastswitch explore`
varies any number of an Accelerator file, and makes a page of it (docs/how-to/explore.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pandas as pd

import fastswitch as fs

VARY = "PB=0:8MB:1MB DRAM=2.4,9.6,19.2GB/s"


@click.command()
@click.option("--vary", default=VARY, show_default=True, help="The PB's sizes and DRAM's bandwidths.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("pb-study"), show_default=True, help="Folder.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw latency against the PB: PNG, SVG or PDF.")
@click.option("--short", is_flag=True, help="One SubNet, four machines: seconds.")
def main(vary: str, out: Path, plot: Path | None, short: bool) -> None:
    """Print a row for each size of the PB, and draw a line for each bandwidth."""
    resnet50 = fs.load_supernet("ofa-resnet50")
    points = fs.explore(
        resnet50,
        [resnet50.subnet(name) for name in resnet50.subnet_names()[: 1 if short else None]],
        "PB=0,2MB DRAM=2.4,9.6GB/s" if short else vary,
        objectives=("latency", "energy", "area"),
        accelerator="zcu104",
        out=out,
    )
    points = points[points["legal"]]
    latency, energy = (points.pivot(index="PB", columns="DRAM", values=name) for name in ("latency", "energy"))
    area, saved = points.groupby("PB")["area"].first(), 1 - latency / latency.iloc[0]
    print("PB MB  area mm2" + "".join(f"{f'{where / 1e9:g} GB/s: ms':>14}   saved     mJ" for where in latency))
    for size in latency.index:
        text = f"{size / 1e6:5.2f}  {area[size]:8.1f}"
        for where in latency:
            ms, mj = 1e3 * latency.at[size, where], 1e3 * energy.at[size, where]
            text += f"{ms:14.3f}  {saved.at[size, where]:6.2%}  {mj:5.1f}"
        print(text)
    if plot:
        draw(saved, plot)
        print(f"\npicture: {plot}")


def draw(saved: pd.DataFrame, path: Path) -> None:
    """Latency saved against the size of the PB (rows), a line for each bandwidth (columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4), layout="constrained")
    axes = figure.add_subplot()
    for where in saved:
        axes.plot(saved.index / 1e6, 100 * saved[where], "o-", markersize=4, label=f"{where / 1e9:g} GB/s")
    axes.set_xlabel("Persistent Buffer, MB")
    axes.set_ylabel("mean latency saved, %")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, title="DRAM")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    try:
        main()
    except fs.FastSwitchError as error:
        print(f"explore_pb: {error}", file=sys.stderr)
        sys.exit(2)
