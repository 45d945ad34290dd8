"""``fastswitch predict``: cycles, bytes and energy of every layer of SubNets."""

from __future__ import annotations

from contextlib import nullcontext
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
    json_option,
    policy_option,
    seed_option,
    space_option,
    subnets_option,
    tensors_option,
)
from reports.terminal import json_result, show_summary, shown

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
@policy_option("best")
@tensors_option
@file_option(
    "--memory",
    "OUT.png|.svg|.pdf",
    "Draw where the tensors of one SubNet lie in the SB while it runs; with --tensors chip.",
)
@file_option("--csv", "OUT.csv", "Where to write one row a layer, each stand-alone, as a Program of its own.")
@json_option
@force_option
@seed_option
def command(
    space: str | None,
    subnets: str,
    accelerator: str,
    cached: str,
    policy: str,
    tensors: str,
    memory: Path | None,
    csv_out: Path | None,
    as_json: bool,
    force: bool,
    seed: int,
) -> None:
    """Predict cycles, bytes and energy of whole SubNets, each one Program, and of their layers.

    A SubNet's cycles are those of its Program, whose layers overlap: what the hardware takes. The table of layers has
    each stand-alone, at its best mapping, with RUN's waits by cause, the bytes of every port and buffer, and the parts
    of the energy; its rows do not add up to the Program.
    """
    from arch_model.files.question import argument, asked, machine_facts, nets_facts
    from arch_model.files.result_file import ResultFile
    from arch_model.files.writing import write_new
    from arch_model.machine.load import load_machine
    from arch_model.spaces import choose_subnets
    from mapper.workload.fusion import is_runnable

    nets = choose_subnets(subnets, space, seed, accept=is_runnable).subnets
    machine = with_memory_said(load_machine(accelerator))
    if memory:
        _check_memory(memory, len(nets), machine, tensors)
    question = asked(
        "predict", **machine_facts(machine), cached=argument(cached), policy=policy, tensors=tensors, **nets_facts(nets)
    )
    inputs = [subnets, accelerator, cached]
    with (
        ResultFile(csv_out, question, inputs, force) as out,
        nullcontext((_ignore, None)) if as_json else shown(len(nets), PREDICT_COLUMNS) as (on_row, _),
    ):
        pieces = []
        for number, net in enumerate(nets):
            piece = out.keep(str(number), partial(_predicted, net, machine, cached, policy, tensors))
            on_row(piece["total"])
            pieces.append(piece)
        out.finish(row for piece in pieces for row in piece["rows"])
    if memory:
        write_new(memory, _drawn(nets[0], machine, cached, policy, memory), inputs, force)
    if as_json:
        click.echo(json_result({"subnets": [{**piece["total"], "rows": piece["rows"]} for piece in pieces]}))
    else:
        show_summary({"SubNets": len(nets), **({"table": csv_out} if csv_out else {})})
    for piece in pieces:
        if why := piece["total"]["why"]:
            click.echo(f"note: {piece['total']['subnet']} has no total, for not every layer can run: {why}", err=True)


def _check_memory(path: Path, nets: int, machine: Machine, tensors: str) -> None:
    """Refuse a picture that could not be drawn, before any work."""
    from arch_model.machine.accelerator import Accelerator
    from reports.canvas import check_picture, require_matplotlib

    if tensors != "chip":
        raise click.UsageError("--memory shows tensors in the SB; give --tensors chip, too")
    if nets != 1:
        raise click.UsageError(f"--memory shows one SubNet; --subnets names {nets}")
    if not isinstance(machine, Accelerator):
        raise click.UsageError(f"--memory shows the SB of an Accelerator; {machine.name} was measured, not built")
    check_picture(path)
    require_matplotlib()


def _drawn(net: SubNet, machine: Machine, cached: str, policy: str, path: Path) -> bytes:
    """The picture of a SubNet's tensors in the SB; MappingError if none stays there."""
    from arch_model.errors import MappingError
    from arch_model.machine.accelerator import Accelerator
    from mapper.search.policy import fit_for, map_network
    from mapper.search.predict import resident_of
    from mapper.workload.fusion import steps
    from reports.sb_picture import sb_picture

    assert isinstance(machine, Accelerator)  # or it was refused
    mapped = map_network(net, machine, resident_of(net, machine, cached), policy, tensors="chip")
    if mapped.placement is None:
        raise MappingError(f"SubNet {net.name}: no tensor in the SB makes it faster on {machine.name}; nothing to draw")
    title = f"{net.name} on {machine.name}: {mapped.cost.cycles:,} cycles"
    return sb_picture(steps(fit_for(net, machine).layers), mapped.placement, machine, title, path)


def _ignore(row: dict[str, Any]) -> None:
    """Rows come with the rest, as JSON."""


def _predicted(net: SubNet, machine: Machine, cached: str, policy: str, tensors: str) -> dict[str, Any]:
    from mapper.search.predict import predict_subnets

    ((rows, total),) = predict_subnets([net], machine, cached, policy=policy, tensors=tensors)
    return {"rows": rows, "total": total}
