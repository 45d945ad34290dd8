"""``fastswitch cosim``: the rows of a layer table on the RTL, one by one; or whole SubNets, image in, logits out."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.columns import COSIM_COLUMNS, WHOLE_COLUMNS
from reports.commands.memory import with_memory_said
from reports.commands.networks import refuse_models
from reports.commands.numbers import Count
from reports.commands.options import (
    accelerator_option,
    file_option,
    force_option,
    out_option,
    policy_option,
    seed_option,
    simulator_option,
    space_option,
    subnets_option,
    tensors_option,
    trace_option,
)
from reports.commands.words import refuse_together
from reports.terminal import show_summary, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arch_model.network.layer import Layer
    from sim.rtl_bench.tracing import Tracing


@click.command(
    "cosim",
    epilog="\b\nExample:  fastswitch cosim --accelerator tiny --layers layers.csv --csv cosim.csv"
    "\n          fastswitch cosim --layers layers.csv --csv cosim.csv --trace traces"
    "\n          fastswitch cosim --subnets fashion-d111-w222 --out whole"
    "\n          fastswitch cosim resnet.onnx --out whole",
)
@accelerator_option
@click.option(
    "--layers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE.csv",
    help="The layer table: name, K, C, H, W, R, S, stride, padding, ... one layer a row.",
)
@file_option("--csv", "OUT.csv", "Where to write the rows with what was predicted and simulated.")
@click.option("--best", is_flag=True, help="Map each layer as `map` does, not as the compiler chooses by itself.")
@space_option()
@subnets_option("Instead of a table: the SubNets to run whole.")
@click.option(
    "--parts",
    type=Count(1, 1000),
    default=1,
    show_default=True,
    help="Programs that a SubNet is cut into at most; with several, finished ones are kept.",
)
@policy_option("best")
@tensors_option
@out_option("Of whole SubNets: where finished parts stay, and the table of them.", required=False)
@trace_option
@force_option
@seed_option
@simulator_option
@click.pass_context
def command(
    context: click.Context,
    accelerator: str,
    layers: Path | None,
    csv_out: Path | None,
    best: bool,
    space: str | None,
    subnets: str | None,
    parts: int,
    policy: str,
    tensors: str,
    out: Path | None,
    trace: Path | None,
    force: bool,
    seed: int,
    simulator: str | None,
) -> int:
    """Simulate layers, or whole SubNets, on random int8 tensors and compare each with model and reference.

    A quantised MODEL.onnx is simulated with its own integers, on a random image.

    With --layers and --csv each row of a layer table, such as `predict --csv` and `import --csv` write. With --subnets
    and --out whole SubNets, each as one Program, whose cycles are those of `predict`; or cut into several, of which
    finished ones are kept in the folder, and the same command goes on after them.

    With --trace every Program that is simulated leaves a waveform, and a picture of what its units did beside what the
    model said they would do.
    """
    from arch_model.machine.accelerator import Accelerator
    from sim.rtl_bench.simulators import find_simulator, find_waveform_simulator

    refuse_together(
        context, "layers", ("space", "subnets", "parts", "policy", "tensors", "out"), "a layer table has its layers"
    )
    refuse_models(layers is not None, "--layers", space, "a layer table has its layers")
    refuse_together(
        context,
        "subnets",
        ("csv_out", "best"),
        "whole SubNets have their table in --out, and --policy",
    )
    whole = layers is None
    if whole and not subnets:
        raise click.UsageError("Missing option '--layers' (with --csv), or '--subnets' or MODEL.onnx (with --out).")
    if whole and not out:
        raise click.UsageError("Missing option '--out', the folder for the results.")
    if layers is not None and csv_out is None:
        raise click.UsageError("Missing option '--csv', the file to write.")
    if trace is not None and out is not None and trace.resolve() == out.resolve():
        raise click.UsageError(f"--trace and --out are the same folder, {out}; give two")
    tracing = None if trace is None else _tracing(trace)
    find = find_simulator if trace is None else find_waveform_simulator
    tool, machine = find(simulator), with_memory_said(Accelerator.load(accelerator))
    wrong = 0
    click.echo(f"accelerator {accelerator}, seed {seed}, {tool.describe()}")
    with shown(None, WHOLE_COLUMNS if whole else COSIM_COLUMNS) as (on_row, on_stage):

        def count(row: dict[str, Any]) -> None:
            nonlocal wrong
            wrong += bool(row["mismatches"])
            on_row(row)

        common: dict[str, Any] = {"seed": seed, "simulator": tool, "on_row": count, "on_stage": on_stage}
        common |= {"tracing": tracing, "force": force}
        if layers is not None and csv_out is not None:
            from sim.cosim.layer_tables import run_layers

            common |= {"best": best, "inputs": [accelerator], "on_left_out": _say_left_out}
            run_layers(machine, layers, csv_out, **common)
        elif subnets is not None and out is not None:
            from arch_model.spaces import choose_subnets
            from arch_model.spaces.registry import own_weights
            from mapper.workload.fusion import is_runnable
            from sim.cosim.whole_networks import run_whole

            common |= {"parts": parts, "policy": policy, "tensors": tensors, "inputs": [subnets, accelerator]}
            nets = choose_subnets(subnets, space, seed, accept=is_runnable).subnets
            brought = own_weights(space) if space else None
            run_whole(machine, nets, out, weights=brought() if brought else None, **common)
            csv_out = out / "parts.csv"
    traces = {} if trace is None else {"waveforms and pictures": trace}
    show_summary({"layers that mismatch" if layers else "parts that mismatch": wrong, "table": csv_out, **traces})
    return 1 if wrong else 0


def _say_left_out(layers: Sequence[Layer]) -> None:
    """Name the rows of a table that are not simulated."""
    names = ", ".join(layer.name for layer in layers[:5]) + (", ..." if len(layers) > 5 else "")
    click.echo(
        f"note: {len(layers)} rows of kind add are not simulated, an addition runs in the layer before it: {names}",
        err=True,
    )


def _tracing(folder: Path) -> Tracing:
    """Waveforms in ``folder``, each with its picture and table; FastSwitchError if something for them is missing."""
    from arch_model.files.tables import write_table
    from reports.canvas import require_matplotlib
    from reports.unit_timeline import Pair, save_unit_timeline
    from sim.rtl_bench.tracing import Traced, Tracing
    from sim.rtl_bench.waveform import require_reader

    require_reader()
    require_matplotlib()

    def on_trace(traced: Traced) -> None:
        program, pair = traced.outcome.program, Pair.of(traced)
        save_unit_timeline(pair, f"{traced.name} on {program.accelerator.name}", folder / f"{traced.name}.png")
        facts = {"version": version("fastswitch"), "accelerator": program.accelerator.hash(), "cycles": pair.cycles}
        write_table(folder / f"{traced.name}.csv", facts, pair.rows())

    return Tracing(folder, on_trace)
