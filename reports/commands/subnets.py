"""``fastswitch subnets``: SubNets of a SuperNet, listed or drawn."""

from __future__ import annotations

import click

from reports.columns import SUBNET_COLUMNS
from reports.commands.options import DRAWN, json_option, seed_option, space_option
from reports.terminal import json_list, named, show_table


@click.command(
    "subnets",
    epilog="\b\nExample:  fastswitch subnets --space ofa-mobilenetv3 --sample 10 --seed 7 --json > ten.json",
)
@space_option(required=True)
@click.option(
    "--sample",
    type=DRAWN,
    metavar="N",
    help="Draw so many different ones, every choice uniformly; without it those that have names of their own.",
)
@seed_option
@json_option
def command(space: str, sample: int | None, seed: int, as_json: bool) -> None:
    """List the SubNets of a SuperNet that have names (of a large one those published), or sample it.

    What --json writes is what --subnets of other commands reads.
    """
    from arch_model.spaces import get_space, subnet_entry

    supernet = get_space(space)
    if sample is None and not supernet.subnet_names():
        raise click.UsageError(f"no SubNet of {space} has a name of its own; give --sample N")
    nets = supernet.sample(sample, seed) if sample else map(supernet.subnet, supernet.subnet_names())
    rows = [subnet_entry(net) for net in nets]
    if as_json:
        click.echo(json_list(rows))
    else:
        show_table((named("SubNet", rows), *SUBNET_COLUMNS), rows)
