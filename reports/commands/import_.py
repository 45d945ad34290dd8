"""``fastswitch import``: a network from ONNX, or from the tables of layers of other tools."""

from __future__ import annotations

from pathlib import Path

import click

from reports.columns import LAYER_COLUMNS
from reports.commands.options import file_option, folder_option, force_option, json_option
from reports.terminal import json_result, named, show_summary, show_table


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
@file_option("--csv", "OUT.csv", "Write every layer that runs by itself as a layer table, which cosim reads.")
@file_option("--scalesim", "OUT.csv", "Write the layers with weights as a SCALE-Sim topology.")
@folder_option("--timeloop", "Write each layer with weights as a Timeloop problem.")
@force_option
@json_option
def command(
    file: Path,
    skip_unsupported: bool,
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

    from arch_model.files.writing import check_outputs, write_all_new
    from mapper.importers import layer_row, problem_texts, read_network, table_text, topology_text

    check_outputs([csv_out, scalesim], [file])
    network = read_network(file, skip_unsupported=skip_unsupported)
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
        notes = {"skipped": network.skipped, "notes": network.notes}
        click.echo(json_result({"network": network.subnet.name, "layers": rows, **facts, **notes}))
        return
    show_table((named("layer", rows), *LAYER_COLUMNS), rows)
    part = "_of_these_layers" if network.skipped else ""  # what was left out may have some, too
    sums = {f"MACs{part}": network.subnet.macs, f"weight_bytes{part}": network.subnet.weight_bytes}
    graphs = ", ".join(network.bit_exact) or "no"
    integers = {"all_int8": network.runnable, "bit_exact": graphs} if network.quant else {}
    show_summary({"network": network.subnet.name, "layers": len(rows), **sums, **integers})
    lines = [f"left out: {text}" for text in network.skipped]
    lines += [f"note: {text}" for text in network.notes]
    lines += [
        f"not proven of {graph}: layer {name}: {why}"
        for graph, layers in network.unproven.items()
        for name, why in layers.items()
    ]
    lines += [f"not in {path}: {', '.join(layer.name for layer in rest)}" for path, rest in left_out.items() if rest]
    for line in lines:
        click.echo(line, err=True)
