"""``fastswitch hybrid``: the whole study of a hybrid machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from reports.columns import STUDY_COLUMNS
from reports.commands.analog import IMAGES, JOBS, TRIALS
from reports.commands.interrupt import Interrupted
from reports.commands.numbers import Count, Number
from reports.commands.options import (
    accelerator_option,
    file_option,
    force_option,
    out_option,
    report_option,
    seed_option,
)
from reports.terminal import shown


@click.command(
    "hybrid",
    epilog="\b\nExample:  fastswitch hybrid --out harmonica --trials 5 --images 200 --full-images 1000 --family 5",
)
@out_option("Folder for tables, pictures and the page; a second run goes on where the first ended.")
@report_option
@click.option("--subnet", default="largest", show_default=True, metavar="NAME|smallest|largest", help="Whose study.")
@click.option("--sigma", type=Number(0, 10), default=0.5, show_default=True, help="The strongest variation, lognormal.")
@click.option(
    "--max-loss", type=Number(0, 100), default=2.0, show_default=True, help="Percentage points that may be lost."
)
@accelerator_option
@seed_option
@click.option("--images", type=IMAGES, default=500, show_default=True, help="Test images a trial.")
@click.option(
    "--trials", type=TRIALS, default=20, show_default=True, help="Chips a point; fewer where many points are."
)
@click.option("--full-images", type=IMAGES, default=10_000, show_default=True, help="Test images of the headline.")
@click.option("--full-trials", type=TRIALS, default=5, show_default=True, help="Chips of the headline.")
@click.option("--rank-images", type=IMAGES, default=512, show_default=True, help="Images that channels are ranked on.")
@click.option(
    "--family",
    type=Count(1, 1000),
    default=19,
    show_default=True,
    metavar="N",
    help="How many SubNets, spread over their sizes, share digital channels.",
)
@click.option("--part", "parts", multiple=True, metavar="NAME", help="This part only; may be given again.")
@click.option("--jobs", type=JOBS, metavar="N", help="Processes, no matter for the results; without it one a core.")
@file_option("--weights", "FILE.npz", "The weights; without it those that ship.")
@force_option
def command(out: Path, report: bool, family: int, force: bool, **options: Any) -> None:
    """Study one SubNet and its family: collapse, recovery, the shared SubGraph, cost (docs/studies/harmonica.md)."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: processes share the cores, not threads
    from reports.canvas import require_matplotlib

    if report:
        require_matplotlib()  # before the work that it draws
    from arch_model.files.results_folder import ResultsFolder
    from arch_model.machine.accelerator import Accelerator
    from reports.harmonica import report_files, write_report
    from sim.noise.study.whole_study import open_study, run_study, study_files, study_parts

    names, chosen = options.pop("parts"), options.pop("accelerator")
    with open_study(out, accelerator=Accelerator.load(chosen), subnets=family, **options) as context:
        total = sum(len(part.points(context)) for part in study_parts(context, names))
        files, inputs = [*study_files(), *report_files()], [options["weights"], chosen]
        with (
            ResultsFolder(out, context.facts(), files, inputs, force) as results,
            shown(total, STUDY_COLUMNS) as (on_row, on_stage),
        ):
            try:
                run_study(context, results, names, lambda part, row: on_row({"part": part, **row}), on_stage)
            except KeyboardInterrupt:
                raise Interrupted(f"; finished rows are in {out}, the same command goes on with them") from None
            if report:
                on_stage("pictures and page")
                page = write_report(out, results.write)
    click.echo(f"page {page}" if report else f"tables {out}")
