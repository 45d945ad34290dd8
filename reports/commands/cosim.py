"""``fastswitch cosim``: the rows of a layer table on the RTL, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reports.columns import COSIM_COLUMNS
from reports.commands.options import accelerator_option, file_option, seed_option, simulator_option
from reports.terminal import show_summary, shown


@click.command(
    "cosim",
    epilog="\b\nExample:  fastswitch cosim --accelerator tiny --layers layers.csv --csv cosim.csv",
)
@accelerator_option
@click.option(
    "--layers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    metavar="FILE.csv",
    help="The layer table: name, K, C, H, W, R, S, stride, padding, ... one layer a row.",
)
@file_option("--csv", "OUT.csv", "Where to write the rows with what was predicted and simulated.", required=True)
@click.option("--best", is_flag=True, help="Map each layer as `map` does, not as the compiler chooses by itself.")
@seed_option
@simulator_option
def command(accelerator: str, layers: Path, csv_out: Path, best: bool, seed: int, simulator: str | None) -> int:
    """Simulate each row of a layer table on random int8 tensors and compare it with model and reference."""
    from arch_model.accelerator import Accelerator
    from sim.results import make_folder
    from sim.simulators import find_simulator

    tool, machine = find_simulator(simulator), Accelerator.load(accelerator)
    make_folder(csv_out.parent)
    from sim.cosim import run_layers

    wrong = 0
    click.echo(f"accelerator {accelerator}, seed {seed}, {tool.describe()}")
    with shown(None, COSIM_COLUMNS) as (on_row, on_stage):

        def count(row: dict[str, Any]) -> None:
            nonlocal wrong
            wrong += bool(row["mismatches"])
            on_row(row)

        run_layers(machine, layers, csv_out, seed=seed, simulator=tool, best=best, on_row=count, on_stage=on_stage)
    show_summary({"layers that mismatch": wrong, "table": csv_out})
    return 1 if wrong else 0
