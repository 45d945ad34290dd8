"""``fastswitch noise``: the accuracy of a SubNet whose weights are on noisy crossbars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reports.columns import NOISE_COLUMNS
from reports.commands.analog import analog_options, question_of
from reports.commands.interrupt import Interrupted
from reports.commands.options import file_option, force_option, json_option
from reports.terminal import json_result, show_summary, shown


@click.command(
    "noise",
    epilog="\b\nExample:  fastswitch noise --variation lognormal:0.5 --adc-bits 6 --trials 20 --csv noise.csv",
)
@analog_options
@click.option(
    "--partition",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.json",
    help="What stays digital, from fastswitch partition; without it nothing.",
)
@file_option("--csv", "OUT.csv", "Where to write the trials; finished ones are kept beside it until it is whole.")
@json_option
@force_option
def command(partition: Path | None, csv_out: Path | None, as_json: bool, force: bool, **options: Any) -> None:
    """Draw chips, run test images on each and report accuracy. docs/studies/harmonica.md says what every option means.

    Started again with the same options after an interruption, it goes on behind the trials that are finished.
    """
    question = question_of(options)
    from sim.noise.study.commands import run_noise

    done = 0
    with shown(question.trials, None if as_json else NOISE_COLUMNS) as (on_row, on_stage):

        def count(trial: Any) -> None:
            nonlocal done
            done += 1
            if not as_json:
                on_row(vars(trial))

        try:
            summary = run_noise(
                question, partition=partition, csv=csv_out, force=force, on_trial=count, on_stage=on_stage
            )
        except KeyboardInterrupt:
            where = f"; {done} finished trials are beside {csv_out}, the same command goes on with them"
            raise Interrupted("" if csv_out is None else where) from None
    if as_json:
        click.echo(json_result(summary))
    else:
        show_summary({key: value for key, value in summary.items() if not isinstance(value, dict)})
