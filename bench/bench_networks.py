"""Time of all convolutions of networks beside the tile bound and the measured silicon: predicted, and simulated.

    python bench/bench_networks.py [--accelerator zcu104] [--table LAYERS.csv] [--simulate OUT.csv]

Without a table the networks are the six published OFA-ResNet50 SubNets. One row a network: milliseconds of its 3×3
layers and of all its convolutions, each layer as a Program of its own with the best mapping, as the model has them; the
tile bound (passes times output pixels, nothing else), for all layers the greater of it and what their bytes take at all
ports' bandwidth; and the ratios. With ``--simulate`` the cycles are those of the RTL, which runs every different layer
on random tensors, and below stands how far the model is from them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import click
import pandas as pd

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Kind, Layer, LayerRow, read_layer_table
from arch_model.spaces import get_space
from arch_model.spaces.ofa_resnet50 import PUBLISHED, published_table
from mapper.search.optimise import optimise
from reports.columns import COSIM_COLUMNS
from reports.terminal import shown
from sim.cosim.layer_tables import Row, run_layers
from sim.rtl_bench.simulators import find_simulator

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


def simulated(rows: Iterable[LayerRow], accelerator: Accelerator, csv: Path) -> list[Row]:
    """Each layer on the RTL at its best mapping; rows as ``fastswitch cosim --best`` has them, also in ``csv``."""
    with tempfile.TemporaryDirectory() as folder, shown(None, COSIM_COLUMNS) as (on_row, on_stage):
        table = Path(folder) / "layers.csv"
        pd.DataFrame([row.fields for row in rows]).to_csv(table, index=False)
        said = {"on_row": on_row, "on_stage": on_stage}
        return run_layers(accelerator, table, csv, seed=0, simulator=find_simulator(), best=True, **said)


def six_subnets() -> Iterable[LayerRow]:
    """The convolutions of the six published OFA-ResNet50 SubNets, by the road that a layer table takes."""
    space = get_space("ofa-resnet50")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.csv"
        published_table(map(space.subnet, PUBLISHED)).to_csv(path, index=False)
        return read_layer_table(path)


@click.command()
@click.option("--accelerator", default="zcu104")
@click.option("--table", type=Path, metavar="LAYERS.csv", help="A layer table; without it the six published SubNets.")
@click.option("--simulate", "csv", type=Path, metavar="OUT.csv", help="Run the layers on the RTL.")
def main(accelerator: str, table: Path | None, csv: Path | None) -> None:
    """Print the table, and the ten layers that lose most."""
    machine = Accelerator.load(accelerator)
    known: dict[Layer, tuple[int, str]] = {}
    different: list[LayerRow] = []
    rows = []
    for row in six_subnets() if table is None else read_layer_table(table):
        x = row.layer
        if x.kind is not Kind.CONV:
            continue
        layer = Layer("layer", Kind.CONV, x.K, x.C, x.R, x.S, x.H, x.W, x.stride, x.padding)
        if layer not in known:
            best = optimise(layer, machine)
            known[layer] = best.cycles, best.bound
            different.append(row)
        tiles = tile_bound(layer, machine)
        text = f"K={x.K} C={x.C} R={x.R} H={x.H} stride={x.stride}"
        bounds = tiles, max(tiles, dram_bound(layer, machine))
        rows.append((row.network, x.R, *known[layer], *bounds, text, list(known).index(layer)))
    frame = pd.DataFrame(rows, columns=["network", "R", "cycles", "by", "tiles", "bound", "layer", "number"])
    ran = simulated(different, machine, csv) if csv else []
    if ran:
        frame["cycles"] = [ran[number]["simulated_cycles"] for number in frame["number"]]
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
    how = "simulated" if ran else "predicted"
    click.echo(f"{accelerator} {machine.hash()}, {machine.clock_hz / 1e6:.0f} MHz, {len(frame)} convolutions, {how}")
    click.echo(out.round(3).to_string())
    if ran:
        misses = [abs(row["predicted_cycles"] - row["simulated_cycles"]) / row["simulated_cycles"] for row in ran]
        bytes_ = sum(row["predicted_dram_bytes"] != row["simulated_dram_bytes"] for row in ran)
        click.echo(
            f"{len(ran)} different layers on the RTL, seed 0: {sum(row['mismatches'] for row in ran)} wrong integers; "
            f"cycles of {sum(miss > 0 for miss in misses)} not as predicted, at most {max(misses):.3%} off; "
            f"bytes of {bytes_} not as predicted"
        )
    frame["lost"] = frame.cycles - frame.bound
    frame["over"] = frame.cycles / frame.bound
    worst = frame.sort_values("lost", ascending=False).drop_duplicates("layer").head(10)
    click.echo("\nMost cycles above their bound:")
    click.echo(worst[["layer", "by", "cycles", "bound", "over"]].round(3).to_string(index=False))


if __name__ == "__main__":
    main()
