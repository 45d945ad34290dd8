"""``fastswitch rtl``: the hardware, as its users receive it."""

from __future__ import annotations

from pathlib import Path

import click

from reports.commands.options import accelerator_option
from reports.terminal import show_summary, shown


@click.command(
    "rtl",
    epilog="\b\nExample:  fastswitch rtl --accelerator zcu104 --out zcu104",
)
@accelerator_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder for the files. Those of an earlier delivery are replaced, others never.",
)
def command(accelerator: str, out: Path) -> None:
    """Write Verilog, registers, constraints, a FuseSoC core and a bench in plain Verilog, with a README.

    The same accelerator gives the same bytes.
    """
    from arch_model.accelerator import Accelerator
    from rtl.handover.deliver import check_folder

    machine = Accelerator.load(accelerator)
    check_folder(out)  # before a minute's work
    from reports.handover import write_delivery

    with shown(None, ()) as (_, on_stage):
        files = write_delivery(machine, out, on_stage)
    lines = files["rtl/fastswitch.v"].count(b"\n")
    show_summary({"accelerator": f"{machine.name} {machine.hash()}", "files": len(files), "lines of Verilog": lines})
    click.echo(f"start with {out / 'README.md'}")
