"""``fastswitch table``: SushiAbs, the latency table of SubNets by cached SubGraphs."""

from __future__ import annotations

from pathlib import Path

import click

from reports.columns import TABLE_COLUMNS
from reports.commands.interrupt import Interrupted
from reports.commands.memory import with_memory_said
from reports.commands.numbers import Count
from reports.commands.options import (
    accelerator_option,
    force_option,
    out_option,
    seed_option,
    space_option,
    subnets_option,
)
from reports.terminal import show_summary, shown


@click.command(
    "table",
    epilog="\b\nExample:  fastswitch table --space ofa-resnet50 --subnets 1000 --subgraphs 500 "
    "--accelerator zcu104 --out abs",
)
@space_option()
@subnets_option("The rows.", required=True)
@click.option(
    "--subgraphs",
    type=Count(1, 10_000, "each is a column of the table"),
    required=True,
    metavar="M",
    help="How many SubGraphs to draw for the columns, beside the empty one.",
)
@accelerator_option
@out_option("Folder for the table, sushiabs.parquet; finished blocks are kept beside it until it is complete.")
@force_option
@seed_option
def command(
    space: str | None, subnets: str, subgraphs: int, accelerator: str, out: Path, force: bool, seed: int
) -> None:
    """Build SushiAbs: cycles of SubNets (rows) for each SubGraph that the PB may hold (columns).

    Started again with the same options after an interruption, it goes on where it was.
    """
    from arch_model.machine.accelerator import Accelerator
    from arch_model.spaces import choose_subnets
    from mapper.pinning.sampling import draw_subgraphs
    from mapper.serving.table_file import BLOCK, TABLE, TableJob
    from mapper.workload.fusion import is_runnable

    machine = with_memory_said(Accelerator.load(accelerator))
    chosen = choose_subnets(subnets, space, seed, accept=is_runnable)
    supernet, nets = chosen.supernet, chosen.subnets
    path = out / TABLE

    with shown(-(-len(nets) // BLOCK), TABLE_COLUMNS) as (on_row, on_stage):
        on_stage("drawing SubGraphs")
        columns = draw_subgraphs(supernet, nets, subgraphs, machine, seed)
        job = TableJob.of(supernet, nets, columns, machine, seed, chosen.accuracy)
        on_stage("working out cycles")

        def on_block(done: int, total: int, different: int) -> None:
            on_row({"done": done, "total": total, "different": different})

        try:
            made = job.run(out, on_block, force=force, inputs=[subnets, accelerator])
        except KeyboardInterrupt:
            raise Interrupted(f"; finished blocks are in {out}, the same command goes on with them") from None
    rows, width = made.cycles.shape
    show_summary({"SubNets": rows, "SubGraphs": width, "cycles": f"{made.cycles.min():,} to {made.cycles.max():,}"})
    click.echo(f"table  {path}")
