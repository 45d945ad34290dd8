"""``fastswitch table``: SushiAbs, the latency table of SubNets by cached SubGraphs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.columns import TABLE_COLUMNS
from reports.commands.interrupt import Interrupted
from reports.commands.memory import with_memory_said
from reports.commands.numbers import Count
from reports.commands.options import (
    accelerator_option,
    force_option,
    out_option,
    policy_option,
    seed_option,
    space_option,
    subnets_option,
)
from reports.terminal import show_summary, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arch_model.network.supernet import SubNet

SEARCHED_BLOCK = 5
"""SubNets whose mappings are searched together; so many at most are lost when the work is killed."""


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
@policy_option("quick", " The latter takes some tenths of a second an entry, and up to 1,000 entries.")
@force_option
@seed_option
def command(
    space: str | None, subnets: str, subgraphs: int, accelerator: str, out: Path, policy: str, force: bool, seed: int
) -> None:
    """Build SushiAbs: cycles of SubNets (rows) for each SubGraph that the PB may hold (columns).

    Started again with the same options after an interruption, it goes on where it was.
    """
    from arch_model.machine.accelerator import Accelerator
    from arch_model.spaces import choose_subnets
    from mapper.pinning.sampling import draw_subgraphs
    from mapper.search.program_table import check_searchable, search_programs
    from mapper.serving.latency_table import BEST
    from mapper.serving.table_file import BLOCK, TABLE, TableJob
    from mapper.workload.fusion import is_runnable

    machine = with_memory_said(Accelerator.load(accelerator))
    chosen = choose_subnets(subnets, space, seed, accept=is_runnable)
    supernet, nets = chosen.supernet, chosen.subnets
    if policy == BEST:
        check_searchable(len(nets), subgraphs + 1)
    path = out / TABLE

    with shown(-(-len(nets) // (SEARCHED_BLOCK if policy == BEST else BLOCK)), TABLE_COLUMNS) as (on_row, on_stage):
        on_stage("drawing SubGraphs")
        columns = draw_subgraphs(supernet, nets, subgraphs, machine, seed)
        job = TableJob.of(supernet, nets, columns, machine, seed, chosen.accuracy)
        if policy == BEST:
            graphs = list(job.subgraphs.values())

            def searched(rows: Sequence[SubNet]) -> Any:
                return search_programs(supernet, machine, rows, graphs).costs.cycles

            job = replace(job, searched=searched, block=SEARCHED_BLOCK)
        on_stage("working out cycles")

        def on_block(done: int, total: int, different: int) -> None:
            on_row({"done": done, "total": total, "different": different})

        try:
            made = job.run(out, on_block, force=force, inputs=[subnets, accelerator])
        except KeyboardInterrupt:
            raise Interrupted(f"; finished blocks are in {out}, the same command goes on with them") from None
    rows, width = made.cycles.shape
    cycles = f"{made.cycles.min():,} to {made.cycles.max():,}"
    show_summary({"SubNets": rows, "SubGraphs": width, "cycles": cycles, "mapping policy": made.policy})
    click.echo(f"table  {path}")
