"""``fastswitch predict``: cycles, bytes and energy of every layer of SubNets."""

from __future__ import annotations

from pathlib import Path

import click

from reports.columns import PREDICT_COLUMNS
from reports.commands.options import accelerator_option, file_option
from reports.terminal import show_summary, shown


@click.command(
    "predict",
    epilog="\b\nExample:  fastswitch predict --subnets six.json --accelerator zcu104 --cached best --csv layers.csv",
)
@click.option(
    "--subnets",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.json",
    help="A JSON list of SubNets, as `fastswitch subnets --json` writes it.",
)
@accelerator_option
@click.option(
    "--cached",
    default="none",
    show_default=True,
    metavar="none|best|FILE.json",
    help="What the PB holds: nothing, for each SubNet the part of it that saves most, or a SubGraph ([K, C] of each "
    "SuperNet layer).",
)
@file_option("--csv", "OUT.csv", "Where to write one row a layer.", required=True)
def command(subnets: Path, accelerator: str, cached: str, csv_out: Path) -> None:
    """Predict cycles, bytes and energy of every layer, each at its best mapping and as a Program of its own.

    Beside the totals a row has RUN's waits by cause, the bytes of every port and buffer, and the parts of the energy.
    """
    from importlib.metadata import version

    from arch_model.machine import load_machine
    from arch_model.spaces import read_subnets
    from mapper.predict import predict_subnets
    from sim.results import RowWriter, make_folder

    nets, machine = read_subnets(subnets), load_machine(accelerator)
    make_folder(csv_out.parent)
    facts = {"fastswitch": version("fastswitch"), "accelerator": machine.name}
    facts |= {"cached": cached, "subnets": subnets.name}
    if hasattr(machine, "hash"):
        facts["accelerator_hash"] = machine.hash()
    with shown(len(nets), PREDICT_COLUMNS) as (on_row, _), RowWriter(csv_out, facts) as table:
        for rows, total in predict_subnets(nets, machine, cached):
            for row in rows:
                table.write(row)
            on_row(total)
    show_summary({"SubNets": len(nets), "table": csv_out})
