"""The command line. Thin: it reads options, calls :mod:`sim`, and shows rows as they come."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.columns import (
    COSIM_COLUMNS,
    LAYER_COLUMNS,
    NOISE_COLUMNS,
    PARTITION_COLUMNS,
    PREDICT_COLUMNS,
    RUN_COLUMNS,
    SERVE_COLUMNS,
    STUDY_COLUMNS,
    SUBNET_COLUMNS,
    TABLE_COLUMNS,
)
from reports.terminal import counting, json_list, named, show_summary, show_table, shown, to_json

if TYPE_CHECKING:
    from arch_model.accelerator import Accelerator
    from sim.noise.study import Question
    from sim.simulators import Simulator

OBJECTIVES = ("latency", "energy", "edp")
POLICIES = ("strict-accuracy", "strict-latency")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 done but wrong, 2 bad input, 130 interrupted."""
    try:
        status = cli.main(args=argv, prog_name="fastswitch", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        _stop(error.format_message(), 2)
    except _Interrupted as stop:
        _stop(f"interrupted{stop}", 130)
    except BrokenPipeError:  # the reader of our output has left: nothing to say, and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from arch_model.errors import FastSwitchError

        if not isinstance(error, FastSwitchError):
            raise
        _stop(str(error), 2)


def _stop(text: str, status: int) -> None:
    """Say one line on standard error and exit."""
    print("fastswitch:", " ".join(text.split()), file=sys.stderr)
    sys.exit(status)


class _Interrupted(Exception):
    """Ctrl-C; its text continues the word "interrupted"."""


class _Group(click.Group):
    """A group whose interrupts reach :func:`main` without the blank line that click prints."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None


@click.group(
    cls=_Group,
    invoke_without_command=True,
    epilog="\b\nExample:  fastswitch run --queries 4",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="fastswitch", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Model, mapper and RTL of an accelerator that keeps the shared part of a SuperNet on chip."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("no command given; fastswitch --help lists them")


def _file(flag: str, metavar: str, text: str, required: bool = False, name: str = "") -> Callable[[Any], Any]:
    """An option that names a file; the argument of ``--csv`` is ``csv_out``."""
    name = name or ("csv_out" if flag == "--csv" else flag.removeprefix("--"))
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(flag, name, type=path, metavar=metavar, required=required, help=text)


_accelerator = click.option(
    "--accelerator",
    default="tiny",
    show_default=True,
    metavar="NAME|FILE",
    help="A preset or a YAML file.",
)
_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of all that is random."
)
_simulator = click.option(
    "--simulator",
    type=click.Choice(["verilator", "icarus"]),
    help="The simulator; without it the first that is found.",
)


@cli.command(
    short_help="Serve a stream of queries on the RTL.",
    epilog="\b\nExample:  fastswitch run --queries 32 --policy strict-latency --seed 7 --out results",
)
@_accelerator
@click.option(
    "--queries", type=click.IntRange(min=1), default=16, show_default=True, help="How many queries to serve."
)
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default=POLICIES[0],
    show_default=True,
    help="Which target of a query is never missed; the other is met as well as can be.",
)
@_seed
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("fastswitch-out"),
    show_default=True,
    help="Folder for the rows and the page.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="The SuperNet's weights; without it those that ship.",
)
@click.option(
    "--subnet", "subnets", multiple=True, metavar="NAME", help="Serve with this SubNet only; may be given again."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a query, then one with the summary.")
@_simulator
def run(
    accelerator: str,
    queries: int,
    policy: str,
    seed: int,
    out: Path,
    weights: Path | None,
    subnets: tuple[str, ...],
    as_json: bool,
    simulator: str | None,
) -> int:
    """Serve a stream of queries on the accelerator's RTL and compare it with model and reference."""
    from reports.canvas import require_matplotlib

    require_matplotlib()  # before the work whose page it draws
    tool, machine = _tool(simulator), _machine(accelerator)
    _make_folder(out)
    from sim.serve import run_stream

    rows: list[dict[str, Any]] = []
    if not as_json:
        click.echo(f"accelerator {accelerator}, {policy}, seed {seed}, {tool.describe()}")
    with shown(queries, None if as_json else RUN_COLUMNS) as (on_row, on_stage):

        def keep(row: dict[str, Any]) -> None:
            rows.append(row)
            on_row(row)

        try:
            summary = run_stream(
                machine,
                queries=queries,
                policy=policy,
                seed=seed,
                out=out,
                simulator=tool,
                weights=weights,
                subnets=subnets,
                on_row=keep,
                on_stage=on_stage,
            )
        except KeyboardInterrupt:
            raise _Interrupted(f"; {len(rows)} finished queries are in {out}") from None
    from reports.stream import write_page, write_picture

    command = f"fastswitch run --accelerator {accelerator} --queries {queries} --policy {policy} --seed {seed}"
    write_picture(rows, summary, out / "stream.png")
    summary = {**summary, "page": write_page(rows, {**summary, "command": command}, out)}
    if as_json:
        click.echo(to_json(summary))
    else:
        show_summary(summary)
    return 0 if summary["bit_exact"] else 1


@cli.command(
    short_help="Simulate the rows of a layer table.",
    epilog="\b\nExample:  fastswitch cosim --accelerator tiny --layers layers.csv --csv cosim.csv",
)
@_accelerator
@click.option(
    "--layers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    metavar="FILE.csv",
    help="The layer table: name, K, C, H, W, R, S, stride, padding, ... one layer a row.",
)
@_file("--csv", "OUT.csv", "Where to write the rows with what was predicted and simulated.", required=True)
@click.option("--best", is_flag=True, help="Map each layer as `map` does, not as the compiler chooses by itself.")
@_seed
@_simulator
def cosim(accelerator: str, layers: Path, csv_out: Path, best: bool, seed: int, simulator: str | None) -> int:
    """Simulate each row of a layer table on random int8 tensors and compare it with model and reference."""
    tool, machine = _tool(simulator), _machine(accelerator)
    _make_folder(csv_out.parent)
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


@cli.command(
    "subnets",
    short_help="List or sample the SubNets of a SuperNet.",
    epilog="\b\nExample:  fastswitch subnets --space ofa-mobilenetv3 --sample 10 --seed 7 --json > ten.json",
)
@click.option("--space", required=True, metavar="NAME", help="The SuperNet, such as fashion or ofa-resnet50.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw so many different ones, every choice uniformly; without it those that have names of their own.",
)
@_seed
@click.option("--json", "as_json", is_flag=True, help="One JSON list, as --subnets of other commands reads it.")
def list_subnets(space: str, sample: int | None, seed: int, as_json: bool) -> None:
    """List the SubNets of a SuperNet that have names (of a large one those published), or sample it."""
    from arch_model.spaces import get_space, subnet_entry

    supernet = get_space(space)
    if sample is None and not supernet.subnet_names():
        raise click.UsageError(f"no SubNet of {space} has a name of its own; give --sample N")
    nets = supernet.sample(sample, seed) if sample else map(supernet.subnet, supernet.subnet_names())
    rows = [subnet_entry(net) for net in nets]
    if as_json:
        click.echo(json_list(rows))
    else:
        show_table((named("SubNet", rows), *SUBNET_COLUMNS), rows)


@cli.command(
    "serve",
    short_help="Serve a stream of queries on the latency table.",
    epilog="\b\nExample:  fastswitch serve --arrivals gamma:400,4 --queries 2000 --cache forecast --csv served.csv",
)
@_accelerator
@click.option("--space", metavar="NAME", help="The SuperNet; fashion alone comes with accuracies.")
@_file(
    "--subnets",
    "FILE.json",
    "SubNets to serve with: a list as `fastswitch subnets --json` writes it, with top1 in per cent.",
)
@_file("--table", "FILE.parquet", "Take cycles and SubGraphs from a table that `fastswitch table` wrote.", name="saved")
@_file(
    "--trace",
    "FILE.csv",
    "A recorded stream: arrival_s, accuracy (a fraction), latency_s (seconds from the arrival to the deadline).",
)
@click.option(
    "--arrivals",
    metavar="PROCESS",
    help="Draw the stream: deterministic:RATE, poisson:RATE, gamma:RATE,CV2, bursty:BASE,BURST,CV2 or "
    "diurnal:LOW,HIGH,PERIOD_S, in queries a second; without it Poisson at a load of about 60 %.",
)
@click.option(
    "--queries", type=click.IntRange(min=1), default=1000, show_default=True, help="How many queries to draw."
)
@click.option(
    "--locality",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    help="Probability that a drawn query asks for about what the one before did.",
)
@_seed
@click.option(
    "--policy",
    default="strict-accuracy",
    show_default=True,
    metavar="NAME",
    help="Who picks the SubNet: strict-accuracy, strict-latency, slackfit, static[:SUBNET], random.",
)
@click.option(
    "--cache",
    default="forecast",
    show_default=True,
    metavar="NAME",
    help="Who picks the SubGraph: none, static[:SUBGRAPH], sushi, forecast.",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Q: queries between two choices of the cache sushi.",
)
@click.option(
    "--candidates",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help="SubNets, spread over their sizes, whose best parts are the SubGraphs to choose from.",
)
@click.option(
    "--on-infeasible",
    type=click.Choice(["error", "best-effort", "drop"]),
    default="error",
    show_default=True,
    help="What to do with a query that no SubNet can satisfy.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Compile every switch of fashion before the stream (a minute or two), not only those that happen.",
)
@click.option("--compare", "all_policies", is_flag=True, help="All policies and caches, and the offline optimum.")
@_file("--csv", "OUT.csv", "Write one row a query; with --compare one row a policy.")
@_file("--plot", "OUT.png", "Draw the timeline of the stream.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object; with --compare a list.")
def serve_stream(
    accelerator: str,
    space: str | None,
    subnets: Path | None,
    saved: Path | None,
    trace: Path | None,
    arrivals: str | None,
    queries: int,
    locality: float,
    seed: int,
    policy: str,
    cache: str,
    window: int,
    candidates: int,
    on_infeasible: str,
    exact: bool,
    all_policies: bool,
    csv_out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Serve a stream of queries, as fast as the latency table says, with a queue and deadlines."""
    from sim.results import write_rows
    from sim.schedulers import check_names, compare_rows
    from sim.serving import ServingInterrupted, screen
    from sim.serving_space import busy, load_table, span
    from sim.settle import compare_exactly, serve_exactly
    from sim.streams import draw_stream, parse_arrivals, read_trace

    if trace and arrivals:
        raise click.UsageError("--trace and --arrivals are both given; give one of them")
    if plot and all_policies:
        raise click.UsageError("--plot draws one schedule, --compare makes many; give one of them")
    if plot:
        from reports.canvas import require_matplotlib

        require_matplotlib()
    check_names(policy, cache)
    if arrivals:
        parse_arrivals(arrivals)
    machine = _machine(accelerator)
    stream = read_trace(trace) if trace else None
    for path in (csv_out, plot):
        if path:
            _make_folder(path.parent)
    with counting() as on_count:
        costs = load_table(machine, space, subnets, candidates, exact, saved, on_count)
        stream = stream or draw_stream(arrivals or busy(costs), span(costs, locality), queries, seed)
        stream = screen(stream, costs, on_infeasible)
        if all_policies:
            runs = compare_exactly(costs, stream, window, seed, on_count)
        else:
            try:
                served = serve_exactly(costs, stream, policy, cache, window, seed, on_count)
            except ServingInterrupted as stop:
                if csv_out is None:
                    raise
                stop.served.write(csv_out)
                raise _Interrupted(f"; {len(stop.served.stream)} finished queries are in {csv_out}") from None
    if all_policies:
        rows = compare_rows(runs)
        if csv_out:
            write_rows(csv_out, {**costs.facts, **stream.facts, "window": window}, rows)
        if as_json:
            click.echo(json_list(rows))
        else:
            show_table(SERVE_COLUMNS, rows)
            facts = {**costs.facts, **stream.facts, "window": window}
            click.echo("stream: " + ", ".join(f"{key} {value}" for key, value in facts.items()), err=True)
            click.echo("service and to best: without waiting; best: no accuracy missed, all queries known", err=True)
        return
    if csv_out:
        served.write(csv_out)
    if plot:
        from reports.serving import save_timeline

        save_timeline(served, plot)
    if as_json:
        click.echo(to_json(served.summary()))
    else:
        show_summary({**costs.facts, **stream.facts, **served.facts, **served.summary()})


@cli.command(
    "map",
    short_help="Find a layer's best mapping, with a certificate.",
    epilog='\b\nExample:  fastswitch map --layer "K=512 C=512 R=3 S=3 H=7 W=7" --accelerator zcu104',
)
@click.option(
    "--layer",
    required=True,
    metavar='"K=.. C=.. [R=.. S=.. H=.. W=.. stride=.. padding=..]"',
    help="Its sizes; padding is (R - 1) / 2 if it is not given.",
)
@_accelerator
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default=OBJECTIVES[0],
    show_default=True,
    help="What shall be least: cycles, joules, or joule seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def map_layer(layer: str, accelerator: str, objective: str, as_json: bool) -> None:
    """Find the best of all mappings of a layer, and say how that is known."""
    from mapper.layer_text import parse_layer
    from mapper.optimise import optimise

    best = optimise(parse_layer(layer), _machine(accelerator), objective)
    record = best.to_dict()
    if as_json:
        click.echo(to_json(record))
        return
    click.echo(best.loop_nest())
    pruned = ", ".join(f"{count:,} by {name}" for name, count in record.pop("pruned").items() if count)
    record.pop("loop_nest")
    show_summary(record | {"pruned": pruned or "none"})


@cli.command(
    short_help="Predict every layer of SubNets.",
    epilog="\b\nExample:  fastswitch predict --subnets six.json --accelerator zcu104 --cached best --csv layers.csv",
)
@click.option(
    "--subnets",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.json",
    help="A JSON list of SubNets, as `fastswitch subnets --json` writes it.",
)
@_accelerator
@click.option(
    "--cached",
    default="none",
    show_default=True,
    metavar="none|best|FILE.json",
    help="What the PB holds: nothing, for each SubNet the part of it that saves most, or a SubGraph ([K, C] of each "
    "SuperNet layer).",
)
@_file("--csv", "OUT.csv", "Where to write one row a layer.", required=True)
def predict(subnets: Path, accelerator: str, cached: str, csv_out: Path) -> None:
    """Predict cycles, bytes and energy of every layer, each at its best mapping and as a Program of its own.

    Beside the totals a row has RUN's waits by cause, the bytes of every port and buffer, and the parts of the energy.
    """
    from importlib.metadata import version

    from arch_model.machine import load_machine
    from arch_model.spaces import read_subnets
    from mapper.predict import predict_subnets
    from sim.results import RowWriter

    nets, machine = read_subnets(subnets), load_machine(accelerator)
    _make_folder(csv_out.parent)
    facts = {"fastswitch": version("fastswitch"), "accelerator": machine.name}
    facts |= {"cached": cached, "subnets": subnets.name}
    if hasattr(machine, "hash"):
        facts["accelerator_hash"] = machine.hash()
    with shown(len(nets), PREDICT_COLUMNS) as (on_row, _), RowWriter(csv_out, facts) as table:
        for rows, total in predict_subnets(nets, machine, cached):
            for row in rows:
                table.write(row)
            on_row(total)
    show_summary({"SubNets": len(nets), "table": csv_out})


@cli.command(
    "import",
    short_help="Read a network from ONNX, SCALE-Sim or Timeloop.",
    epilog="\b\nExample:  fastswitch import resnet.onnx --skip-unsupported --csv layers.csv",
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.onnx|.csv|.yaml")
@click.option(
    "--skip-unsupported",
    is_flag=True,
    help="ONNX: leave out an operator that has no layer, and say so, instead of stopping.",
)
@_file("--csv", "OUT.csv", "Write the dense layers with weights as a layer table, which cosim reads.")
@_file("--scalesim", "OUT.csv", "Write the layers with weights as a SCALE-Sim topology.")
@click.option(
    "--timeloop",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write each layer with weights as a Timeloop problem.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object with the layers and what is known of them.")
def import_network(
    file: Path,
    skip_unsupported: bool,
    csv_out: Path | None,
    scalesim: Path | None,
    timeloop: Path | None,
    as_json: bool,
) -> None:
    """Read a network: an ONNX model (.onnx), a SCALE-Sim topology (.csv) or a Timeloop problem (.yaml)."""
    from mapper.importers import layer_row, read_network, write_layer_table, write_problems, write_topology

    network = read_network(file, skip_unsupported=skip_unsupported)
    left_out = {}
    if csv_out:
        _make_folder(csv_out.parent)
        left_out[csv_out] = write_layer_table(csv_out, network.subnet)
    if scalesim:
        _make_folder(scalesim.parent)
        left_out[scalesim] = write_topology(scalesim, network.subnet.layers)
    if timeloop:
        _make_folder(timeloop)
        left_out[timeloop] = write_problems(timeloop, network.subnet.layers)
    rows = [layer_row(layer) for layer in network.subnet.layers]
    facts = {"runnable": network.runnable, "bit_exact": network.bit_exact, "wrong_steps": network.wrong_steps}
    if as_json:
        notes = {"skipped": network.skipped, "notes": network.notes}
        click.echo(to_json({"network": network.subnet.name, "layers": rows, **facts, **notes}))
        return
    show_table((named("layer", rows), *LAYER_COLUMNS), rows)
    sums = {"layers": len(rows), "MACs": network.subnet.macs, "weight_bytes": network.subnet.weight_bytes}
    integers = {"all_int8": network.runnable, "bit_exact": network.bit_exact} if network.quant else {}
    show_summary({"network": network.subnet.name, **sums, **integers})
    lines = [f"left out: {text}" for text in network.skipped]
    lines += [f"note: {text}" for text in network.notes]
    lines += [f"note: layer {name} differs from float32 at {n} steps" for name, n in network.wrong_steps.items()]
    lines += [f"not in {path}: {', '.join(layer.name for layer in rest)}" for path, rest in left_out.items() if rest]
    for line in lines:
        click.echo(line, err=True)


_ANALOG_OPTIONS = (
    click.option(
        "--subnet", metavar="NAME|smallest|largest", help="A SubNet of fashion; the largest if nothing is named."
    ),
    _file("--onnx", "FILE.onnx", "A quantised ONNX model instead."),
    _file("--data", "FILE.npz", "The model's images (N, C, H, W) and labels (N,); without it Fashion-MNIST."),
    click.option(
        "--variation",
        required=True,
        metavar="LAW:SIGMA[,OPTION...]",
        help="lognormal:0.5, gaussian:0.1 or none, then options such as per-cell, conductance, read=0.02.",
    ),
    click.option(
        "--encoding",
        type=click.Choice(["offset", "differential", "sign-magnitude"]),
        default="differential",
        show_default=True,
        help="How signed weights become conductances.",
    ),
    click.option("--adc-bits", type=int, metavar="N", help="Bits of the ADCs; without it conversion is ideal."),
    click.option("--percentile", type=float, default=99.9, show_default=True, help="Per cent within an ADC's range."),
    click.option(
        "--conversion",
        type=click.Choice(["word", "slice"]),
        default="word",
        show_default=True,
        help="Convert sums of all slices, or slice by slice as ISAAC.",
    ),
    click.option("--weight-bits", type=int, default=8, show_default=True, help="Bits of analog weights."),
    click.option("--cell-bits", type=int, default=2, show_default=True, help="Bits of a cell."),
    click.option("--dac-bits", type=int, default=1, show_default=True, help="Bits driven at a time."),
    click.option("--rows", type=int, default=128, show_default=True, help="Rows of an array."),
    click.option("--cols", type=int, default=128, show_default=True, help="Columns of an array."),
    click.option(
        "--engine",
        type=click.Choice(["auto", "fast", "bit-serial"]),
        default="auto",
        show_default=True,
        help="auto: the fast one wherever it is exact.",
    ),
    click.option("--images", type=int, default=1000, show_default=True, help="Test images a trial."),
    click.option("--trials", type=int, default=20, show_default=True, help="Chips to draw."),
    _seed,
    click.option("--jobs", type=int, metavar="N", help="Processes, no matter for the results; without it one a core."),
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="FILE.npz",
        help="The weights; without it those that ship.",
    ),
)


def _analog_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that :func:`_question` takes."""
    for option in reversed(_ANALOG_OPTIONS):
        command = option(command)
    return command


def _question(options: dict[str, Any]) -> Question:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: processes share the cores, not threads
    from arch_model.analog import Crossbar, Variation
    from sim.noise.monte_carlo import EngineName
    from sim.noise.study import Question

    if options["subnet"] and options["onnx"]:
        raise click.UsageError("--subnet and --onnx are both given; give one of them")
    options["subnet"] = options["subnet"] or "largest"
    names = ("encoding", "adc_bits", "percentile", "conversion", "weight_bits", "cell_bits", "dac_bits", "rows", "cols")
    crossbar = Crossbar(**{name: options.pop(name) for name in names})
    variation, engine = Variation.parse(options.pop("variation")), EngineName(options.pop("engine"))
    return Question(crossbar=crossbar, variation=variation, engine=engine, **options)


@cli.command(
    short_help="Accuracy of a SubNet whose weights are on analog crossbars.",
    epilog="\b\nExample:  fastswitch noise --variation lognormal:0.5 --adc-bits 6 --trials 20 --csv noise.csv",
)
@_analog_options
@click.option(
    "--partition",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="What stays digital, from fastswitch partition; without it nothing.",
)
@_file("--csv", "OUT.csv", "Where to write the trials.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def noise(partition: Path | None, csv_out: Path | None, as_json: bool, **options: Any) -> None:
    """Draw chips, run test images on each and report accuracy. docs/harmonica.md says what every option means."""
    question = _question(options)
    from sim.noise.study import run_noise

    if csv_out is not None:
        _make_folder(csv_out.parent)
    done = 0
    with shown(question.trials, None if as_json else NOISE_COLUMNS) as (on_row, on_stage):

        def count(trial: Any) -> None:
            nonlocal done
            done += 1
            if not as_json:
                on_row(vars(trial))

        try:
            summary = run_noise(question, partition=partition, csv=csv_out, on_trial=count, on_stage=on_stage)
        except KeyboardInterrupt:
            where = "" if csv_out is None else f"; {done} finished trials are in {csv_out}"
            raise _Interrupted(where) from None
    if as_json:
        click.echo(to_json(summary))
    else:
        show_summary({key: value for key, value in summary.items() if not isinstance(value, dict)})


@cli.command(
    "partition",
    short_help="Choose the channels that must stay digital.",
    epilog="\b\nExample:  fastswitch partition --variation lognormal:0.5 --max-loss 1 --trials 5 --out split.json",
)
@_analog_options
@click.option(
    "--max-loss", type=float, default=1.0, show_default=True, help="Percentage points below the int8 network."
)
@click.option(
    "--ranking",
    type=click.Choice(["random", "magnitude", "gradient", "fisher", "fisher-per-byte", "weights", "first-last"]),
    default="fisher-per-byte",
    show_default=True,
    help="What becomes digital first; weights are single ones.",
)
@_file("--out", "FILE.json", "Where to write the split.", required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def find_partition(max_loss: float, ranking: str, out: Path, as_json: bool, **options: Any) -> None:
    """Find the smallest digital part of a SubNet that keeps its accuracy, and write it as JSON."""
    question = _question(options)
    from mapper.partition import Ranking
    from sim.noise.study import run_partition

    _make_folder(out.parent)
    with shown(None, None if as_json else PARTITION_COLUMNS) as (on_row, on_stage):

        def show(fraction: float, loss: float) -> None:
            if not as_json:
                on_row({"fraction": fraction, "loss": loss})

        summary = run_partition(
            question, ranking=Ranking(ranking), max_loss=max_loss, out=out, on_try=show, on_stage=on_stage
        )
    if as_json:
        click.echo(to_json(summary))
    else:
        show_summary({key: value for key, value in summary.items() if not isinstance(value, dict)})


@cli.command(
    "hybrid",
    short_help="The whole study of a hybrid: tables, pictures, a page.",
    epilog="\b\nExample:  fastswitch hybrid --report harmonica --trials 5 --images 200 --full-images 1000 --subnets 5",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder for tables, pictures and the page; a second run goes on where the first ended.",
)
@click.option("--subnet", default="largest", show_default=True, metavar="NAME|smallest|largest", help="Whose study.")
@click.option("--sigma", type=float, default=0.5, show_default=True, help="The strongest variation, lognormal.")
@click.option("--max-loss", type=float, default=2.0, show_default=True, help="Percentage points that may be lost.")
@_accelerator
@_seed
@click.option("--images", type=int, default=500, show_default=True, help="Test images a trial.")
@click.option("--trials", type=int, default=20, show_default=True, help="Chips a point; fewer where many points are.")
@click.option("--full-images", type=int, default=10_000, show_default=True, help="Test images of the headline.")
@click.option("--full-trials", type=int, default=5, show_default=True, help="Chips of the headline.")
@click.option("--rank-images", type=int, default=512, show_default=True, help="Images that channels are ranked on.")
@click.option("--subnets", type=int, default=19, show_default=True, help="SubNets that share digital channels.")
@click.option("--part", "parts", multiple=True, metavar="NAME", help="This part only; may be given again.")
@click.option("--jobs", type=int, metavar="N", help="Processes, no matter for the results; without it one a core.")
@_file("--weights", "FILE.npz", "The weights; without it those that ship.")
def hybrid(report: Path, **options: Any) -> None:
    """Study one SubNet and its family: collapse, recovery, the shared SubGraph, cost. docs/harmonica.md explains it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: processes share the cores, not threads
    from reports.canvas import require_matplotlib

    require_matplotlib()  # before the work that it draws
    _make_folder(report)
    from reports.harmonica import write_report
    from sim.noise.whole_study import open_lab, run_study, study_parts

    names = options.pop("parts")
    machine = _machine(options.pop("accelerator"))
    with open_lab(report, accelerator=machine, **options) as lab:
        total = sum(len(part.points(lab)) for part in study_parts(lab, names))
        with shown(total, STUDY_COLUMNS) as (on_row, on_stage):
            try:
                run_study(lab, names, lambda part, row: on_row({"part": part, **row}), on_stage)
            except KeyboardInterrupt:
                raise _Interrupted(f"; finished rows are in {report}, the same command goes on with them") from None
            on_stage("pictures and page")
            page = write_report(report)
    click.echo(f"page {page}")


@cli.command(
    "table",
    short_help="Build SushiAbs, the latency table of SubNets by cached SubGraphs.",
    epilog="\b\nExample:  fastswitch table --space ofa-resnet50 --subnets 1000 --subgraphs 500 "
    "--accelerator zcu104 --out sushiabs.parquet",
)
@click.option("--space", required=True, metavar="NAME", help="The SuperNet, such as fashion or ofa-resnet50.")
@click.option(
    "--subnets",
    required=True,
    metavar="FILE.json|N",
    help="The rows: a list as `fastswitch subnets --json` writes it, or how many to draw.",
)
@click.option(
    "--subgraphs",
    type=click.IntRange(min=1),
    required=True,
    metavar="M",
    help="How many SubGraphs to draw for the columns, beside the empty one.",
)
@_accelerator
@_file(
    "--out",
    "OUT.parquet",
    "Where to write the table; finished blocks are kept beside it until it is complete.",
    required=True,
)
@_seed
def table(space: str, subnets: str, subgraphs: int, accelerator: str, out: Path, seed: int) -> None:
    """Build SushiAbs: cycles of SubNets (rows) for each SubGraph that the PB may hold (columns).

    Started again with the same options after an interruption, it goes on where it was.
    """
    from arch_model.spaces import get_space, read_subnets

    supernet, machine = get_space(space), _machine(accelerator)
    nets = supernet.sample(int(subnets), seed) if subnets.isdecimal() else read_subnets(subnets)
    for net in nets:
        if net.supernet != space:
            raise click.UsageError(f"SubNet {net.name} of {subnets} is of space {net.supernet}; give one of {space}")
    _make_folder(out.parent)
    from mapper.candidates import draw_subgraphs
    from mapper.sushi_file import BLOCK, TableJob

    with shown(-(-len(nets) // BLOCK), TABLE_COLUMNS) as (on_row, on_stage):
        on_stage("drawing SubGraphs")
        columns = draw_subgraphs(supernet, nets, subgraphs, machine, seed)
        job = TableJob.of(supernet, nets, columns, machine, seed)
        on_stage("working out cycles")

        def on_block(done: int, total: int, different: int) -> None:
            on_row({"done": done, "total": total, "different": different})

        try:
            made = job.run(out, on_block)
        except KeyboardInterrupt:
            raise _Interrupted(f"; finished blocks are beside {out}, the same command goes on with them") from None
    rows, width = made.cycles.shape
    left_out = sorted({layer.kind for net in nets for layer in net.layers if layer.kind in job.left_out})
    show_summary({"SubNets": rows, "SubGraphs": width, "cycles": f"{made.cycles.min():,} to {made.cycles.max():,}"})
    if left_out:
        click.echo(f"note: cycles of {', '.join(left_out)} layers are not counted", err=True)
    click.echo(f"table  {out}")


def _machine(name_or_path: str) -> Accelerator:
    from arch_model.accelerator import Accelerator

    return Accelerator.load(name_or_path)


def _tool(name: str | None) -> Simulator:
    from sim.simulators import find_simulator

    return find_simulator(name)


def _make_folder(folder: Path) -> None:
    from sim.results import make_folder

    make_folder(folder)


if __name__ == "__main__":
    main()
