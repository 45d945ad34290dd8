"""``fastswitch map``: the best of all mappings of a layer, or of every layer of SubNets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reports.columns import MAP_COLUMNS
from reports.commands.memory import with_memory_said
from reports.commands.networks import refuse_models
from reports.commands.options import accelerator_option, json_option, seed_option, space_option, subnets_option
from reports.commands.words import refuse_together
from reports.terminal import json_result, show_summary, shown

if TYPE_CHECKING:
    from arch_model.machine.accelerator import Accelerator

OBJECTIVES = ("latency", "energy", "edp")


@click.command(
    "map",
    epilog='\b\nExample:  fastswitch map --layer "K=512 C=512 R=3 S=3 H=7 W=7" --accelerator zcu104'
    "\n          fastswitch map resnet.onnx --accelerator zcu104",
)
@click.option(
    "--layer",
    metavar='"K=.. C=.. [R=.. S=.. H=.. W=.. stride=.. padding=..]"',
    help="Its sizes; padding is (R - 1) / 2 if it is not given.",
)
@space_option()
@subnets_option("Instead of one layer: SubNets, each layer of which is mapped by itself.")
@accelerator_option
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default=OBJECTIVES[0],
    show_default=True,
    help="What shall be least: cycles, joules, or joule seconds.",
)
@seed_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    layer: str | None,
    space: str | None,
    subnets: str | None,
    accelerator: str,
    objective: str,
    seed: int,
    as_json: bool,
) -> None:
    """Find the best of all mappings of a layer, and say how that is known; or of each layer of a network.

    Layers are stand-alone, each a Program of its own; `predict` has the price of whole networks, whose layers overlap.
    """
    refuse_together(context, "layer", ("space", "subnets", "seed"), "a layer is of no network")
    refuse_models(layer is not None, "--layer", space, "a layer is of no network")
    if layer is None and subnets is None:
        raise click.UsageError("Missing option '--layer', '--subnets' or MODEL.onnx.")
    from arch_model.machine.accelerator import Accelerator

    machine = with_memory_said(Accelerator.load(accelerator))
    if layer is None and subnets is not None:
        _map_networks(machine, space, subnets, objective, seed, as_json)
        return
    from mapper.search.optimise import optimise
    from mapper.workload.layer_text import parse_layer

    best = optimise(parse_layer(layer or ""), machine, objective)
    record = best.to_dict()
    if as_json:
        click.echo(json_result(record))
        return
    click.echo(best.loop_nest())
    pruned = ", ".join(f"{count:,} by {name}" for name, count in record.pop("pruned").items() if count)
    record.pop("loop_nest")
    show_summary(record | {"pruned": pruned or "none"})


def _map_networks(
    machine: Accelerator, space: str | None, subnets: str, objective: str, seed: int, as_json: bool
) -> None:
    """A row for each layer, as they are found; with ``as_json`` all of what is known of each."""
    from arch_model.spaces import choose_subnets
    from mapper.search.optimise import optimise_subnet
    from mapper.workload.fusion import is_runnable

    chosen = choose_subnets(subnets, space, seed, accept=is_runnable)
    found: list[dict[str, Any]] = []
    with shown(None, None if as_json else MAP_COLUMNS) as (on_row, _):
        for net in chosen.subnets:
            for mapping in optimise_subnet(net, chosen.supernet, machine, objective).values():
                found.append({"subnet": net.name, **mapping.to_dict()})
                if not as_json:
                    on_row(found[-1])
    if as_json:
        click.echo(json_result({"objective": objective, "layers": found}))
    else:
        show_summary({"SubNets": len(chosen.subnets), "layers": len(found), "objective": objective})
