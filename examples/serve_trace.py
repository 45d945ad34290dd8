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

import click

from arch_model import Accelerator, FastSwitchError
from reports.serving import save_timeline
from sim.serving.exact_switches import serve_exactly
from sim.serving.simulator import Served, screen
from sim.serving.streams import draw_stream, read_trace
from sim.serving.tables import fashion_table, span

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
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the last schedule's timeline: PNG, SVG or PDF.")
@click.option("--short", is_flag=True, help="20 queries, one SubGraph: seconds.")
def main(stream: Path | None, accelerator: str, queries: int, seed: int, plot: Path | None, short: bool) -> None:
    """Print a row for each scheduler."""
    machine = Accelerator.load(accelerator)
    table = fashion_table(machine, candidates=1 if short else 6)
    if stream is None:
        stream = Path("stream.csv")
        arrivals = "bursty:200,300,6"
        draw_stream(arrivals, span(table), 20 if short else queries, seed).write(stream)
        print(f"drawn: {stream}")
    queries_asked = screen(read_trace(stream), table, "best-effort")
    pb = f"a PB of {machine.buffers.pb_bytes:,} bytes"
    print(f"{len(queries_asked)} queries in {queries_asked.arrival_s[-1]:.2f} s on {machine.name}, {pb}")
    print("policy           cache        in time  mean ms   p99 ms  accuracy met  PB saved  switches      mJ")
    for policy, cache in SCHEDULERS:
        served = serve_exactly(table, queries_asked, policy, cache)
        print(line(served, policy, cache), flush=True)
    if plot:
        save_timeline(served, plot)
        print(f"picture: {plot}")


def line(served: Served, policy: str, cache: str) -> str:
    """A row of the table."""
    s = served.summary()
    return (
        f"{policy:15}  {cache:10}  {s['slo_attainment']:8.1%}  {1e3 * s['mean_latency_s']:7.3f}  "
        f"{1e3 * s['p99_latency_s']:7.3f}  {s['accuracy_attainment']:12.1%}  {s['pb_hit_fraction']:8.1%}  "
        f"{s['switches']:8}  {1e3 * s['energy_j']:6.1f}"
    )


if __name__ == "__main__":
    try:
        main()
    except FastSwitchError as error:
        print(f"serve_trace: {error}", file=sys.stderr)
        sys.exit(2)
