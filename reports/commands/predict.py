"""``fastswitch predict``: cycles, bytes and energy of every layer of SubNets."""

from __future__ import annotations

from pathlib import Path

import click

from reports.columns import PREDICT_COLUMNS
from reports.commands.options import (
    accelerator_option,
    cached_option,
    file_option,
    seed_option,
    space_option,
    subnets_option,
)
from reports.terminal import show_summary, shown


@click.command(
    "predict",
    epilog="\b\nExample:  fastswitch predict --subnets six.json --accelerator zcu104 --cached best --csv layers.csv",
)
@space_option()
@subnets_option("What is predicted.", required=True)
@accelerator_option
@cached_option("none", file=True)
@file_option("--csv", "OUT.csv", "Where to write one row a layer.", required=True)
@seed_option
def command(space: str | None, subnets: str, accelerator: str, cached: str, csv_out: Path, seed: int) -> None:
    """Predict cycles, bytes and energy of every layer, each at its best mapping and as a Program of its own.

    Beside the totals a row has RUN's waits by cause, the bytes of every port and buffer, and the parts of the energy.
    """
    from importlib.metadata import version

    from arch_model.machine import load_machine
    from arch_model.spaces import choose_subnets
    from mapper.predict import predict_subnets, why_no_total
    from mapper.steps import is_runnable
    from sim.results import RowWriter, make_folder

    nets, machine = choose_subnets(subnets, space, seed, accept=is_runnable).subnets, load_machine(accelerator)
    make_folder(csv_out.parent)
    facts: dict[str, object] = {"fastswitch": version("fastswitch"), "accelerator": machine.name}
    facts |= {"cached": cached, "subnets": Path(subnets).name, "seed": seed}
    if hasattr(machine, "hash"):
        facts["accelerator_hash"] = machine.hash()
    without: dict[str, str] = {}
    with shown(len(nets), PREDICT_COLUMNS) as (on_row, _), RowWriter(csv_out, facts) as table:
        for rows, total in predict_subnets(nets, machine, cached):
            for row in rows:
                table.write(row)
            on_row(total)
            if why := why_no_total(rows):
                without[total["subnet"]] = why
    show_summary({"SubNets": len(nets), "table": csv_out})
    for name, why in without.items():
        click.echo(f"note: {name} has no total, for not every layer can run: {why}", err=True)
