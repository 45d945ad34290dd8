"""``fastswitch run``: a stream of queries on the RTL, each beside its prediction."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from reports.columns import RUN_COLUMNS
from reports.commands.interrupt import Interrupted
from reports.commands.memory import with_memory_said
from reports.commands.numbers import Count
from reports.commands.options import (
    accelerator_option,
    force_option,
    json_option,
    mapping_option,
    out_option,
    report_option,
    seed_option,
    simulator_option,
    space_option,
    subnets_option,
)
from reports.terminal import json_result, show_summary, shown

PICTURE, PAGE_NAME = "stream.png", "stream.html"
POLICIES = ("strict-accuracy", "strict-latency")


@click.command(
    "run",
    epilog="\b\nExample:  fastswitch run --queries 32 --policy strict-latency --seed 7 --out results",
)
@accelerator_option
@click.option(
    "--queries",
    type=Count(1, 100_000, "each is simulated"),
    default=16,
    show_default=True,
    help="How many queries to serve.",
)
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default=POLICIES[0],
    show_default=True,
    help="Which target of a query is never missed; the other is met as well as can be.",
)
@mapping_option
@seed_option
@out_option("Folder for the rows and the page.", default=Path("fastswitch-out"))
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="The SuperNet's weights; without it those that ship.",
)
@space_option(text="The SuperNet whose the weights are, or what makes it; without it fashion.")
@subnets_option("The SubNets to serve with; without it all that have weights.")
@report_option
@force_option
@json_option
@simulator_option
def command(
    accelerator: str,
    queries: int,
    policy: str,
    mapping: str,
    seed: int,
    out: Path,
    weights: Path | None,
    space: str | None,
    subnets: str | None,
    report: bool,
    as_json: bool,
    force: bool,
    simulator: str | None,
) -> int:
    """Serve a stream of queries on the accelerator's RTL and compare it with model and reference.

    Queries are on disk as they come. Killed at any moment and started again, it goes on and repeats none of them.
    With --json one JSON object a query, then one with the summary.
    """
    from arch_model.files.results_folder import ResultsFolder
    from arch_model.machine.accelerator import Accelerator
    from reports.canvas import require_matplotlib
    from sim.rtl_bench.simulators import find_simulator

    if report:
        require_matplotlib()  # before the work whose page it draws
    tool, machine = find_simulator(simulator), with_memory_said(Accelerator.load(accelerator))
    from sim.serving.run_on_rtl import ROWS, TABLE, run_stream, stream_question

    asked: dict[str, Any] = {"queries": queries, "policy": policy, "seed": seed, "weights": weights, "subnets": subnets}
    asked["mapping"] = mapping
    if space is not None:
        asked["supernet"] = space
    question = stream_question(machine, **asked)
    rows: list[dict[str, Any]] = []
    inputs = [accelerator, weights, subnets]
    with ResultsFolder(out, question, [ROWS, TABLE, PICTURE, PAGE_NAME], inputs, force, [TABLE]) as results:
        if not as_json:
            click.echo(f"accelerator {accelerator}, {policy}, seed {seed}, {tool.describe()}")
        with shown(queries, None if as_json else RUN_COLUMNS) as (on_row, on_stage):

            def keep(row: dict[str, Any]) -> None:
                rows.append(row)
                on_row(row)

            try:
                summary = run_stream(machine, results=results, simulator=tool, on_row=keep, on_stage=on_stage, **asked)
            except KeyboardInterrupt:
                where = f"; {len(rows)} finished queries are in {out}, the same command goes on with them"
                raise Interrupted(where) from None
        if report:
            from arch_model.spaces.registry import space_argument
            from reports.stream import write_page, write_picture

            words = f"fastswitch run --accelerator {accelerator} --queries {queries} --policy {policy} --seed {seed}"
            words += f" --mapping {mapping}" if mapping != "quick" else ""
            words += f" --space {shlex.quote(space_argument(space))}" if space else ""
            words += f" --weights {shlex.quote(str(weights))}" if weights else ""
            words += f" --subnets {shlex.quote(subnets)}" if subnets else ""
            write_picture(rows, summary, out / PICTURE)
            summary = {**summary, "page": write_page(rows, {**summary, "command": words}, out)}
    if as_json:
        click.echo(json_result(summary))
    else:
        show_summary({key: value for key, value in summary.items() if value is not None})
    return 0 if summary["bit_exact"] else 1
