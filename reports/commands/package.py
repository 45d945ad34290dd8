"""``fastswitch package``: a SuperNet compiled for the driver of one machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
from reports.terminal import Column, count, show_summary, shown

if TYPE_CHECKING:
    from rtl.driver.package import Package

PACKAGE, PARTS = "package.npz", "package.npz.part"
COLUMNS = (
    Column("subnet", "SubNet", 18, left=True),
    Column("empty_cycles", "cycles", 9, count),
    Column("best_cycles", "at best", 9, count),
    Column("best", "with in the PB", 26, left=True),
)


@click.command(
    "package",
    epilog="\b\nExample:  fastswitch package --accelerator tiny --subgraphs 3 --out packed",
)
@space_option(text="The SuperNet whose the weights are, or what makes it; without it fashion.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="The SuperNet's weights; without it those that ship.",
)
@subnets_option("SubNets to pack; without it all that have weights.")
@click.option(
    "--subgraphs",
    type=Count(0, 1000, "each SubNet is compiled for each"),
    default=0,
    show_default=True,
    metavar="M",
    help="How many SubGraphs the PB can be set to, beside the empty one; drawn as for `fastswitch table`.",
)
@policy_option("quick", " The latter takes some tenths of a second a Program.")
@accelerator_option
@out_option("Folder for the package, package.npz.")
@force_option
@seed_option
def command(
    space: str | None,
    weights: Path | None,
    subnets: str | None,
    subgraphs: int,
    policy: str,
    accelerator: str,
    out: Path,
    force: bool,
    seed: int,
) -> None:
    """Compile SubNets for the Python driver: weights, Programs and what they should count, in one file.

    The driver (rtl/driver, or the folder that `fastswitch rtl` writes) runs them on a board with nothing but NumPy.
    Started again with the same options after an interruption, it goes on where it was.
    """
    from arch_model.files.question import asked, file_digest, machine_facts
    from arch_model.files.results_folder import ResultsFolder
    from arch_model.machine.accelerator import Accelerator
    from arch_model.spaces import get_space
    from arch_model.spaces.registry import space_facts
    from arch_model.spaces.trained import choose_weights, weights_of
    from mapper.importers.spaces import models_of
    from mapper.pinning.sampling import draw_subgraphs
    from mapper.search.policy import Policy
    from mapper.search.program_table import check_searchable
    from rtl.driver.package import EMPTY, PackedSubNet
    from rtl.driver_package import make_package

    machine, supernet = with_memory_said(Accelerator.load(accelerator)), get_space(space or "fashion")
    held = weights_of(supernet, weights)
    names = list(held.subnets if subnets is None else choose_weights(held, subnets, seed, supernet).subnets)
    made = {**space_facts(supernet), "subnets": names, "subgraphs": subgraphs, "seed": seed}
    if policy == Policy.BEST:
        check_searchable(len(names), subgraphs + 1)
    if weights is not None:
        made["weights"] = file_digest(weights)
    question = asked("package", **machine_facts(machine), **made, mapping_policy=policy)
    with (
        ResultsFolder(out, question, [PACKAGE, PARTS], [accelerator, subnets, weights], force) as results,
        shown(len(names), COLUMNS) as (on_row, on_stage),
    ):

        def on_subnet(name: str, packed: PackedSubNet) -> None:
            cycles = {subgraph: program.predicted["CYCLES"] for subgraph, program in packed.programs.items()}
            best = min(cycles, key=cycles.__getitem__)
            row = {"subnet": name, "empty_cycles": cycles[EMPTY], "best_cycles": cycles[best], "best": best}
            on_row(row)

        path = out / PACKAGE
        package = _finished(path)
        if package is not None:
            for name, packed in package.subnets.items():
                on_subnet(name, packed)
        else:
            on_stage("drawing SubGraphs")
            nets = [supernet.subnet(name) for name in names]
            chosen = draw_subgraphs(supernet, nets, subgraphs, machine, seed) if subgraphs else {}
            on_stage("compiling")
            with results.journal(PARTS) as finished:
                try:
                    package = make_package(
                        supernet, held, machine, names, chosen, on_subnet, finished.keep, policy, models_of(supernet)
                    )
                except KeyboardInterrupt:
                    where = f"; {len(finished)} finished SubNets are in {out}, the same command goes on with them"
                    raise Interrupted(where) from None
                with results.open(PACKAGE) as file:
                    package.save(file)
                finished.remove()
    show_summary(
        {
            "SubNets": len(package.subnets),
            "SubGraphs": ", ".join(package.subgraphs),
            "mapping policy": policy,
            "memory": f"{package.memory_bytes + len(package.programs):,} bytes",
        }
    )
    click.echo(f"package  {path}")


def _finished(path: Path) -> Package | None:
    """The package that is there, whole."""
    from rtl.driver.errors import PackageError
    from rtl.driver.package import Package

    try:
        return Package.load(path)
    except PackageError:
        return None
