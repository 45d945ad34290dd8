"""``fastswitch partition``: the smallest part that must stay digital."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reports.columns import PARTITION_COLUMNS
from reports.commands.analog import analog_options, question_of
from reports.commands.interrupt import Interrupted
from reports.commands.numbers import Number
from reports.commands.options import force_option, json_option, out_option
from reports.terminal import json_result, show_summary, shown


@click.command(
    "partition",
    epilog="\b\nExample:  fastswitch partition --variation lognormal:0.5 --max-loss 1 --trials 5 --out split",
)
@analog_options
@click.option(
    "--max-loss", type=Number(0, 100), default=1.0, show_default=True, help="Percentage points below the int8 network."
)
@click.option(
    "--ranking",
    type=click.Choice(["random", "magnitude", "gradient", "fisher", "fisher-per-byte", "weights", "first-last"]),
    default="fisher-per-byte",
    show_default=True,
    help="What becomes digital first; weights are single ones.",
)
@out_option("Folder for the split, partition.json, and for the trials that are finished.")
@json_option
@force_option
def command(max_loss: float, ranking: str, out: Path, as_json: bool, force: bool, **options: Any) -> None:
    """Find the smallest digital part of a SubNet that keeps its accuracy, and write it as JSON.

    Started again with the same options after an interruption, it goes on behind the trials that are finished.
    """
    question = question_of(options)
    from mapper.hybrid.partition import Ranking
    from sim.noise.study.commands import run_partition

    with shown(None, None if as_json else PARTITION_COLUMNS) as (on_row, on_stage):

        def show(fraction: float, loss: float) -> None:
            if not as_json:
                on_row({"fraction": fraction, "loss": loss})

        try:
            summary = run_partition(
                question,
                ranking=Ranking(ranking),
                max_loss=max_loss,
                out=out,
                force=force,
                on_try=show,
                on_stage=on_stage,
            )
        except KeyboardInterrupt:
            raise Interrupted(f"; finished trials are in {out}, the same command goes on with them") from None
    if as_json:
        click.echo(json_result(summary))
    else:
        show_summary({key: value for key, value in summary.items() if not isinstance(value, dict)})
