"""``fastswitch map``: the best of all mappings of a layer."""

from __future__ import annotations

import click

from reports.commands.memory import with_memory_said
from reports.commands.options import accelerator_option, json_option
from reports.terminal import json_result, show_summary

OBJECTIVES = ("latency", "energy", "edp")


@click.command(
    "map",
    epilog='\b\nExample:  fastswitch map --layer "K=512 C=512 R=3 S=3 H=7 W=7" --accelerator zcu104',
)
@click.option(
    "--layer",
    required=True,
    metavar='"K=.. C=.. [R=.. S=.. H=.. W=.. stride=.. padding=..]"',
    help="Its sizes; padding is (R - 1) / 2 if it is not given.",
)
@accelerator_option
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default=OBJECTIVES[0],
    show_default=True,
    help="What shall be least: cycles, joules, or joule seconds.",
)
@json_option
def command(layer: str, accelerator: str, objective: str, as_json: bool) -> None:
    """Find the best of all mappings of a layer, and say how that is known."""
    from arch_model.machine.accelerator import Accelerator
    from mapper.search.optimise import optimise
    from mapper.workload.layer_text import parse_layer

    best = optimise(parse_layer(layer), with_memory_said(Accelerator.load(accelerator)), objective)
    record = best.to_dict()
    if as_json:
        click.echo(json_result(record))
        return
    click.echo(best.loop_nest())
    pruned = ", ".join(f"{count:,} by {name}" for name, count in record.pop("pruned").items() if count)
    record.pop("loop_nest")
    show_summary(record | {"pruned": pruned or "none"})
