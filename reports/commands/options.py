"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def file_option(flag: str, metavar: str, text: str, required: bool = False, name: str = "") -> Callable[[Any], Any]:
    """An option that names a file; the argument of ``--csv`` is ``csv_out``."""
    name = name or ("csv_out" if flag == "--csv" else flag.removeprefix("--"))
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(flag, name, type=path, metavar=metavar, required=required, help=text)


accelerator_option = click.option(
    "--accelerator",
    default="tiny",
    show_default=True,
    metavar="NAME|FILE",
    help="A preset or a YAML file.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of all that is random."
)
simulator_option = click.option(
    "--simulator",
    type=click.Choice(["verilator", "icarus"]),
    help="The simulator; without it the first that is found.",
)
force_option = click.option(
    "--force", is_flag=True, help="Replace results of another question, or a file that fastswitch did not write."
)
