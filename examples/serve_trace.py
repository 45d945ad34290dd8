"""Serve a recorded stream of queries, and see what the Persistent Buffer and the scheduler are worth on it.

    python examples/serve_trace.py --stream stream.csv --plot serve_trace.png

A recorded stream is a CSV with `arrival_s`, `accuracy` (a fraction) and `latency_s` (from the arrival to the
deadline); without one a bursty stream is drawn, written to `stream.csv`, and read back. One learns how the same queries
fare when nothing is cached, when SUSHI's rule caches, when the forecast does, and when deadlines come before accuracy.
Latencies are those of compiled Programs of the SuperNet `fashion`, switches of the PB included
(docs/concepts/serving.md).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pandas as pd

import fastswitch as fs

SCHEDULERS = (
    ("strict-accuracy", "none"),
    ("strict-accuracy", "sushi"),
    ("strict-accuracy", "forecast"),
    ("slackfit", "forecast"),
)


@click.command()
@click.option("--stream", type=click.Path(path_type=Path), help="The recorded stream; without it one is drawn.")
@click.option("--accelerator", default="tiny", show_default=True, help="A preset or a YAML file.")
@click.option("--queries", default=400, show_default=True, help="How many to draw.")
@click.option("--seed", default=7, show_default=True, help="Seed of the drawn stream.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw which SubNet served when: PNG, SVG or PDF.")
@click.option("--short", is_flag=True, help="20 queries, one SubGraph: seconds.")
def main(stream: Path | None, accelerator: str, queries: int, seed: int, plot: Path | None, short: bool) -> None:
    """Print a row for each scheduler."""
    machine, fashion = fs.load_accelerator(accelerator), fs.load_supernet("fashion")
    asked = {"accelerator": machine, "candidates": 1 if short else 6, "on_infeasible": "best-effort", "seed": seed}
    table = None
    if stream is None:
        drawn = fs.serve(fashion, arrivals="bursty:200,300,6", queries=20 if short else queries, **asked)
        stream, table = Path("stream.csv"), drawn.table
        drawn.stream.write(stream)
        print(f"drawn: {stream}")
    said = False
    for policy, cache in SCHEDULERS:
        served = fs.serve(fashion, stream=stream, policy=policy, cache=cache, table=table, **asked)
        table = served.table  # of Programs, which the next schedule needs as well
        if not said:
            at, pb = served.stream.arrival_s, f"a PB of {machine.buffers.pb_bytes:,} bytes"
            print(f"{len(at)} queries in {at[-1]:.2f} s on {machine.name}, {pb}")
            print("policy           cache        in time  mean ms   p99 ms  accuracy met  PB saved  switches      mJ")
            said = True
        print(line(served.summary(), policy, cache), flush=True)
    if plot:
        draw(served.to_frame(), plot)
        print(f"picture: {plot}")


def line(s: dict[str, Any], policy: str, cache: str) -> str:
    """A row of the table, of the figures of a whole stream."""
    return (
        f"{policy:15}  {cache:10}  {s['slo_attainment']:8.1%}  {1e3 * s['mean_latency_s']:7.3f}  "
        f"{1e3 * s['p99_latency_s']:7.3f}  {s['accuracy_attainment']:12.1%}  {s['pb_hit_fraction']:8.1%}  "
        f"{s['switches']:8}  {1e3 * s['energy_j']:6.1f}"
    )


def draw(rows: pd.DataFrame, path: Path) -> None:
    """A bar a query, as long as the machine worked on it, in the row of its SubNet; red if it ended too late."""
    from matplotlib.figure import Figure

    order = sorted(set(rows["subnet"]), key=lambda name: rows["accuracy"][rows["subnet"] == name].iloc[0])
    figure = Figure(figsize=(7.6, 1.5 + 0.2 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    for row in rows.itertuples():
        colour = "#0b6cab" if row.in_time else "#c0392b"
        axes.barh(order.index(row.subnet), row.service_s, left=row.start_s, height=0.8, color=colour)
    axes.set_yticks(range(len(order)), order, fontsize=6)
    axes.set_xlabel("seconds")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    try:
        main()
    except fs.FastSwitchError as error:
        print(f"serve_trace: {error}", file=sys.stderr)
        sys.exit(2)
