"""``fastswitch predict``: cycles, bytes and energy of every layer of SubNets."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.columns import PREDICT_COLUMNS
from reports.commands.memory import with_memory_said
from reports.commands.options import (
    accelerator_option,
    cached_option,
    file_option,
    force_option,
    seed_option,
    space_option,
    subnets_option,
)
from reports.terminal import show_summary, shown

if TYPE_CHECKING:
    from arch_model.machine.load import Machine
    from arch_model.network.supernet import SubNet


@click.command(
    "predict",
    epilog="\b\nExample:  fastswitch predict --subnets six.json --accelerator zcu104 --cached best --csv layers.csv",
)
@space_option()
@subnets_option("What is predicted.", required=True)
@accelerator_option
@cached_option("none", file=True)
@file_option("--csv", "OUT.csv", "Where to write one row a layer.", required=True)
@force_option
@seed_option
def command(
    space: str | None, subnets: str, accelerator: str, cached: str, csv_out: Path, force: bool, seed: int
) -> None:
    """Predict cycles, bytes and energy of every layer, each at its best mapping and as a Program of its own.

    Beside the totals a row has RUN's waits by cause, the bytes of every port and buffer, and the parts of the energy.
    """
    from arch_model.files.question import argument, asked, machine_facts, nets_facts
    from arch_model.files.result_file import ResultFile
    from arch_model.machine.load import load_machine
    from arch_model.spaces import choose_subnets
    from mapper.search.predict import why_no_total
    from mapper.workload.fusion import is_runnable

    nets = choose_subnets(subnets, space, seed, accept=is_runnable).subnets
    machine = with_memory_said(load_machine(accelerator))
    question = asked("predict", **machine_facts(machine), cached=argument(cached), **nets_facts(nets))
    inputs = [subnets, accelerator, cached]
    with (
        ResultFile(csv_out, question, inputs, force) as out,
        shown(len(nets), PREDICT_COLUMNS) as (on_row, _),
    ):
        pieces = []
        without: dict[str, str] = {}
        for number, net in enumerate(nets):
            piece = out.keep(str(number), partial(_predicted, net, machine, cached))
            on_row(piece["total"])
            pieces.append(piece["rows"])
            if why := why_no_total(piece["rows"]):
                without[net.name] = why
        out.finish(row for rows in pieces for row in rows)
    show_summary({"SubNets": len(nets), "table": csv_out})
    for name, why in without.items():
        click.echo(f"note: {name} has no total, for not every layer can run: {why}", err=True)


def _predicted(net: SubNet, machine: Machine, cached: str) -> dict[str, Any]:
    from mapper.search.predict import predict_subnets

    ((rows, total),) = predict_subnets([net], machine, cached)
    return {"rows": rows, "total": total}
