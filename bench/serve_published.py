"""A stream of published SubNets on the RTL of zcu104, PB and switches included: python bench/serve_published.py

    python bench/serve_published.py [--space ofa-mobilenetv3] [--accelerator zcu104] [--subnets 3] [--queries 6]

The smallest of a SuperNet's published SubNets with their published accuracies and image sizes, whole, on one copy of
its weights (random, as requantisations and images are: seeded), scheduled as ``fastswitch serve`` schedules,
strict-accuracy, SUSHI's cache rule every second query. First every query, as it comes, with what is in the PB going
from one to the next; then what each switch cost: its query with the SubGraph before staying, with the one after there
already (had), and the Program that only fills the PB. *cost*: cycles beyond ``stays``, by RTL, by the model and as
estimated without compiling; *bytes* alike; *hidden*: the part of the fill that the query does not take beyond ``had``.
Exit status 1 if an integer, a byte or a cycle is not as its Program's prediction says.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arch_model.errors import FastSwitchError
from arch_model.files.tables import TableWriter, whole_table
from arch_model.files.writing import make_folder
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from arch_model.spaces.accuracy import space_top1
from sim.integers.random_weights import random_weights
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import find_simulator
from sim.serving.exact_switches import serve_exactly
from sim.serving.schedule_on_rtl import Row, replay
from sim.serving.session import Session
from sim.serving.simulator import Served
from sim.serving.streams import draw_stream
from sim.serving.switch_on_rtl import measure_switch, pb_states
from sim.serving.tables import busy, session_table, span

SPACES = ("ofa-resnet50", "ofa-mobilenetv3")


def top1(space: str) -> dict[str, float]:
    """Top-1 on ImageNet of a space's published SubNets, the one with the fewest MACs first."""
    supernet, known = get_space(space), space_top1(space)
    return {name: known[name] for name in sorted(known, key=lambda name: supernet.subnet(name).macs)}


DRAM_BYTES = 128 << 20
"""Simulated: enough for either SuperNet, so that one build serves both."""

WINDOW = 2
"""Queries between two choices of a SubGraph."""


@click.command()
@click.option("--space", type=click.Choice(SPACES), default="ofa-resnet50", show_default=True)
@click.option("--accelerator", default="zcu104", show_default=True)
@click.option("--subnets", type=click.IntRange(2, 6), default=3, show_default=True, help="The smallest.")
@click.option("--queries", type=click.IntRange(1), default=6, show_default=True)
@click.option("--cache", type=click.Choice(["sushi", "forecast"]), default="sushi", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Of the stream and of all integers.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="For queries.csv and switches.csv.")
def main(space: str, accelerator: str, subnets: int, queries: int, cache: str, seed: int, out: Path | None) -> None:
    """Serve the stream, then measure its switches."""
    begin = time.monotonic()
    try:
        machine, simulator = Accelerator.load(accelerator), find_simulator()
        click.echo(f"{accelerator} {machine.hash()}, {simulator.describe()}, {space}, seed {seed}, cache {cache}")
        weights = random_weights(get_space(space), dict(list(top1(space).items())[:subnets]), seed)
        session = Session(space, weights, machine)
        table = session_table(session, candidates=subnets)
        stream = draw_stream(busy(table), span(table), queries, seed)
        served = serve_exactly(table, stream, "strict-accuracy", cache, WINDOW)
        built = build(machine, simulator, dram_bytes=DRAM_BYTES)
        click.echo(f"compiled and built after {(time.monotonic() - begin) / 60:.1f} minutes")
        facts = {"accelerator": machine.hash(), "space": space, "seed": seed, "cache": cache, "subnets": subnets}
        with tempfile.TemporaryDirectory() as scratch, Bench(built) as bench:
            folder = out or Path(scratch)
            make_folder(folder)
            with whole_table(folder / "queries.csv", facts) as writer:
                rows = _stream(served, session, bench, writer)
            with whole_table(folder / "switches.csv", facts) as writer:
                costs = _switches(replace(served, table=table), rows, session, bench, writer)
    except FastSwitchError as error:
        raise SystemExit(str(error)) from None
    click.echo(f"{(time.monotonic() - begin) / 60:.1f} minutes")
    right = all(row["bit_exact"] and row["predicted_cycles"] == row["simulated_cycles"] for row in rows)
    sys.exit(not (right and costs))


WIDTH = 20
"""Characters of a SubNet's name."""


def _short(name: str) -> str:
    return name.split("_top1")[0]


def _stream(served: Served, session: Session, bench: Bench, writer: TableWriter) -> list[Row]:
    """Every query on the RTL."""
    click.echo(
        f"\n{'query SubNet':{WIDTH + 6}}{'PB then holds':{WIDTH}}{'switch':7}{'table':>11}{'predicted':>11}"
        f"{'simulated':>11}{'bytes predicted':>16}{'simulated':>13}{'bit-exact':>10}"
    )

    def show(row: Row) -> None:
        writer.write(row)
        click.echo(
            f"{row['query']:5} {_short(row['subnet']):{WIDTH}}{_short(row['cached_subgraph']):{WIDTH}}"
            f"{'yes' if row['switched'] else '':7}"
            f"{row['table_cycles']:11,}{row['predicted_cycles']:11,}{row['simulated_cycles']:11,}"
            f"{row['predicted_dram_bytes']:16,}{row['dram_bytes']:13,}{'yes' if row['bit_exact'] else 'NO':>10}"
        )

    result = replay(served, session, bench, on_row=show)
    click.echo(f"all {100 * result.cycle_error:+.3f} % cycles, {100 * result.byte_error:+.3f} % bytes of the table's")
    return list(result.rows)


def _switches(served: Served, rows: list[Row], session: Session, bench: Bench, writer: TableWriter) -> bool:
    """Every switch of the stream on the RTL, beside its estimate; whether all was as predicted."""
    click.echo(
        f"\n{'switch of query':{WIDTH + 6}}{'tiles':>6}{'fill alone':>11}{'stays':>11}{'switches':>11}{'had':>11}"
        f"{'cost':>8}{'model':>8}{'estimate':>9}{'hidden':>8}{'bytes':>9}"
    )
    right = True
    for query, (before, after) in enumerate(pb_states(served, session)):
        if not served.switched[query]:
            continue
        at = int(served.rows[query]), int(served.before[query]), int(served.columns[query])
        name = rows[query]["subnet"]
        row = measure_switch(session, bench, name, before, after, session.image(rows[query]["image_index"], name))
        row = {"query": query, "estimated": int(served.table.switches.cycles[at]), **row}
        writer.write(row)
        words = "stays", "switches", "had", "fill"
        right &= all(row[f"{word}_exact"] and row[f"{word}_predicted"] == row[f"{word}_cycles"] for word in words)
        cost, model = (row[f"switches_{of}"] - row[f"stays_{of}"] for of in ("cycles", "predicted"))
        click.echo(
            f"{query:5} {_short(name):{WIDTH}}{row['tiles']:6}{row['fill_cycles']:11,}{row['stays_cycles']:11,}"
            f"{row['switches_cycles']:11,}{row['had_cycles']:11,}{cost:8,}{model:8,}{row['estimated']:9,}"
            f"{row['hidden']:8.1%}{row['switches_bytes'] - row['stays_bytes']:9,}"
        )
    return right


if __name__ == "__main__":
    main()
