"""Attainment against accuracy behind a queue: our policy beside SuperServe's, each fixed SubNet and a bound.

    python bench/queue_curves.py [--seed 1] [--picture curves.png]

The six published OFA-ResNet50 SubNets on ``zcu104``, quick tilings, estimated switches, no SubGraph in the PB, on eight
streams. A row a policy: answered in time, of all queries; mean accuracy of these answers; the attainment that no
schedule of such accuracy exceeds; the attainment of our policy at no less accuracy, its accuracy at no less attainment,
and whether one setting of it has both. Our settings were chosen on seed 1; other seeds say whether they carry over.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from arch_model.machine.accelerator import Accelerator
from mapper.serving.batch_costs import BatchCosts
from reports.serving_curves import families_picture
from sim.serving.queue_curves import compare_queue, compare_queue_rows, dominated
from sim.serving.queueing import Queue
from sim.serving.streams import Targets, draw_stream
from sim.serving.tables import load_table

FAMILIES = (  # stream, SLO in seconds, machines, queries
    ("gamma:15,2", 0.045, 1, 20_000),
    ("gamma:15,8", 0.045, 1, 20_000),
    ("gamma:15,8", 0.09, 1, 20_000),
    ("poisson:200", 0.045, 8, 20_000),
    ("bursty:50,150,2", 0.045, 8, 20_000),
    ("bursty:50,150,4", 0.045, 8, 20_000),
    ("bursty:50,150,8", 0.045, 8, 20_000),
    ("diurnal:20,400,60", 0.045, 8, 40_000),
)


def percent(value: float | None) -> str:
    """A fraction in per cent, or a dash."""
    return "-" if value is None else f"{100 * value:.2f}"


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--picture", type=Path, help="Where to draw all streams: PNG, SVG or PDF.")
def main(seed: int, picture: Path | None) -> None:
    """Print a table a stream."""
    table = load_table(Accelerator.load("zcu104"), "ofa-resnet50", candidates=6)
    batches, families = BatchCosts.one_after_another(table), []
    for spec, slo, machines, queries in FAMILIES:
        begun = time.process_time()
        stream = draw_stream(spec, Targets((0, 0), (slo, slo)), queries, seed)
        rows = compare_queue_rows(compare_queue(table, stream, Queue(machines=machines), batches))
        title = f"{spec}, {1e3 * slo:g} ms, {machines} machine{'s' if machines > 1 else ''}"
        families.append((title, rows))
        click.echo(f"\n{title}, {queries:,} queries, seed {seed}: {time.process_time() - begun:.1f} CPU s")
        click.echo(
            f"{'policy':28}{'in time':>9}{'accuracy':>10}{'bound':>8}{'ours, time':>12}{'ours, acc.':>12}{'':>6}"
        )
        for row in rows:
            if row["policy"] == "backlog":
                continue
            values = (row[key] for key in ("slo_attainment", "accuracy", "attainment_bound"))
            cells = "".join(f"{percent(value):>{width}}" for value, width in zip(values, (9, 10, 8), strict=True))
            ours = f"{percent(row['ours_as_accurate']):>12}{percent(row['ours_as_many']):>12}"
            click.echo(f"{row['policy']:28}{cells}{ours}{'both' if dominated(row, rows) else 'no':>6}")
    if picture:
        picture.write_bytes(families_picture(families, picture))


if __name__ == "__main__":
    main()
