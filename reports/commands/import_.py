"""``fastswitch import``: a network from ONNX, or from the tables of layers of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.columns import LAYER_COLUMNS
from reports.commands.options import file_option, folder_option, force_option, json_option
from reports.terminal import json_result, named, show_summary, show_table

if TYPE_CHECKING:
    from mapper.importers.host_steps import HostStep


def sizes_of(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """``3x224x224`` as numbers: a click callback.

    Parameters
    ----------
    ctx, param : click's.
    value : sizes; None if the option is not given.

    Raises
    ------
    BadParameter
        They are not positive numbers with "x" between them.
    """
    if value is None:
        return None
    parts = value.lower().split("x")
    if not all(part.isascii() and part.isdecimal() and 0 < len(part) < 7 and int(part) for part in parts):
        raise click.BadParameter(f"{value[:40]!r} is no sizes; give for example 3x224x224", ctx, param)
    return tuple(int(part) for part in parts)


def host_row(step: HostStep) -> dict[str, Any]:
    """What ``--json`` says of a step of the host's."""
    return {"op": step.op, "name": step.name, "inputs": list(step.inputs), "outputs": list(step.outputs)}


@click.command(
    "import",
    epilog="\b\nExample:  fastswitch import resnet.onnx --skip-unsupported --csv layers.csv",
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.onnx|.csv|.yaml|.m|FOLDER")
@click.option(
    "--skip-unsupported",
    is_flag=True,
    help="ONNX: leave out an operator that has no layer, and say so, instead of stopping.",
)
@click.option(
    "--shape",
    callback=sizes_of,
    metavar="CxHxW",
    help="ONNX: sizes of the image, where the file leaves some open; without the batch.",
)
@file_option("--csv", "OUT.csv", "Write every layer that runs by itself as a layer table, which cosim reads.")
@file_option("--scalesim", "OUT.csv", "Write the layers with weights as a SCALE-Sim topology.")
@folder_option("--timeloop", "Write each layer with weights as a Timeloop problem.")
@force_option
@json_option
def command(
    file: Path,
    skip_unsupported: bool,
    shape: tuple[int, ...] | None,
    csv_out: Path | None,
    scalesim: Path | None,
    timeloop: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Read a network: an ONNX model (.onnx); or the layers that a SCALE-Sim topology (.csv), a Timeloop problem or a
    ZigZag workload (.yaml), a MAESTRO network (.m) or a folder of Timeloop problems has.
    """
    from arch_model.files.shown import plain

    if skip_unsupported and file.suffix.lower() != ".onnx":
        raise click.UsageError(f"--skip-unsupported is of ONNX models, {plain(str(file))} is none; leave it out")

    if shape is not None and file.suffix.lower() != ".onnx":
        raise click.UsageError(f"--shape is of ONNX models, {plain(str(file))} is none; leave it out")

    from arch_model.files.writing import check_outputs, write_all_new
    from mapper.importers import layer_row, problem_texts, read_network, table_text, topology_text

    check_outputs([csv_out, scalesim], [file])
    network = read_network(file, skip_unsupported=skip_unsupported, shape=shape)
    files: dict[Path, bytes | str] = {}
    left_out = {}
    if csv_out:
        files[csv_out], left_out[csv_out] = table_text(network.subnet)
    if scalesim:
        files[scalesim], left_out[scalesim] = topology_text(network.subnet.layers)
    if timeloop:
        texts, left_out[timeloop] = problem_texts(network.subnet.layers)
        files |= {timeloop / name: text for name, text in texts.items()}
    write_all_new(files, [file], force)
    rows = [layer_row(layer) for layer in network.subnet.layers]
    exact = {"bit_exact": network.bit_exact, "wrong_steps": network.wrong_steps, "unproven": network.unproven}
    facts = {"runnable": network.runnable, **exact}
    if as_json:
        notes: dict[str, Any] = {"skipped": network.skipped, "notes": network.notes, "model_macs": network.model_macs}
        notes |= {side: [host_row(step) for step in getattr(network, side)] for side in ("prologue", "epilogue")}
        click.echo(json_result({"network": network.subnet.name, "layers": rows, **facts, **notes}))
        return
    show_table((named("layer", rows), *LAYER_COLUMNS), rows)
    part = "_of_these_layers" if network.skipped else ""  # what was left out may have some, too
    sums = {f"MACs{part}": network.subnet.macs, f"weight_bytes{part}": network.subnet.weight_bytes}
    if network.model_macs not in (None, network.subnet.macs):
        sums = {f"model_MACs{part}": network.model_macs, **sums}
    graphs = ", ".join(network.bit_exact) or "no"
    integers = {"all_int8": network.runnable, "bit_exact": graphs} if network.quant else {}
    show_summary({"network": network.subnet.name, "layers": len(rows), **sums, **integers})
    lines = [f"left out: {text}" for text in network.skipped]
    for when, steps in (("before", network.prologue), ("after", network.epilogue)):
        lines += [f"the host, {when} the machine: {step.text}" for step in steps]
    lines += [f"note: {text}" for text in network.notes]
    lines += [
        f"not proven of {graph}: layer {name}: {why}"
        for graph, layers in network.unproven.items()
        for name, why in layers.items()
    ]
    lines += [f"not in {path}: {', '.join(layer.name for layer in rest)}" for path, rest in left_out.items() if rest]
    for line in lines:
        click.echo(line, err=True)
