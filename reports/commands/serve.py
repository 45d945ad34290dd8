"""``fastswitch serve``: a stream of queries on the latency table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.columns import SERVE_COLUMNS
from reports.commands.interrupt import Interrupted
from reports.commands.memory import with_memory_said
from reports.commands.numbers import Count, Number
from reports.commands.options import (
    accelerator_option,
    file_option,
    force_option,
    json_option,
    mapping_option,
    seed_option,
    space_option,
    subnets_option,
)
from reports.commands.serve_queue import check_queue_options, queue_options, run_queue_command
from reports.commands.words import refuse_together
from reports.terminal import counting, json_list, json_result, show_summary, show_table

if TYPE_CHECKING:
    from arch_model.files.result_file import ResultFile
    from sim.serving.simulator import Served


@click.command(
    "serve",
    epilog="\b\nExample:  fastswitch serve --arrivals gamma:400,4 --queries 2000 --cache forecast --csv served.csv",
)
@accelerator_option
@space_option(text="The SuperNet: its SubNets whose accuracy is known; fashion if not said.")
@subnets_option("SubNets to serve with; those of no known accuracy need top1, in per cent, in a file.")
@click.option(
    "--table",
    "saved",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.parquet",
    help="Take cycles and SubGraphs from a table that `fastswitch table` wrote.",
)
@file_option(
    "--stream",
    "FILE.csv",
    "A recorded stream: arrival_s, accuracy (a fraction), latency_s (seconds from the arrival to the deadline).",
)
@click.option(
    "--arrivals",
    metavar="PROCESS",
    help="Draw the stream: deterministic:RATE, poisson:RATE, gamma:RATE,CV2, bursty:BASE,BURST,CV2, "
    "diurnal:LOW,HIGH,PERIOD_S or accelerating:FROM,TO,PER_S2, in queries a second; without it Poisson at a load of "
    "about 60 %.",
)
@click.option(
    "--queries",
    type=Count(1, 5_000_000, "each is kept in memory"),
    default=1000,
    show_default=True,
    help="How many queries to draw.",
)
@click.option(
    "--locality",
    type=Number(0, 1),
    default=0.8,
    show_default=True,
    help="Probability that a drawn query asks for about what the one before did.",
)
@seed_option
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
@mapping_option
@click.option(
    "--window",
    type=Count(1, 1_000_000),
    default=4,
    show_default=True,
    help="Q: queries between two choices of the cache sushi.",
)
@click.option(
    "--candidates",
    type=Count(1, 1000, "each is a column of the table"),
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
@queue_options
@file_option("--csv", "OUT.csv", "Write one row a query; with --compare one row a policy.")
@file_option(
    "--plot",
    "OUT.png|.svg|.pdf",
    "Draw the timeline of the stream; with --compare and --machines the curves of all policies.",
)
@force_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    accelerator: str,
    space: str | None,
    subnets: str | None,
    saved: Path | None,
    stream: Path | None,
    arrivals: str | None,
    queries: int,
    locality: float,
    seed: int,
    policy: str,
    cache: str,
    mapping: str,
    window: int,
    candidates: int,
    on_infeasible: str,
    exact: bool,
    all_policies: bool,
    csv_out: Path | None,
    plot: Path | None,
    force: bool,
    as_json: bool,
    **queue: Any,
) -> None:
    """Serve a stream of queries, as fast as the latency table says, with a queue and deadlines."""
    from arch_model.files.question import file_digest, machine_facts
    from arch_model.files.result_file import ResultFile
    from arch_model.files.writing import check_outputs, write_new
    from arch_model.machine.accelerator import Accelerator
    from mapper.serving.table_file import TABLE
    from reports.serving import timeline_picture
    from sim.serving.exact_switches import compare_exactly, serve_exactly
    from sim.serving.simulator import ServingInterrupted, screen
    from sim.serving.streams import draw_stream, read_trace
    from sim.serving.tables import busy, load_table, span

    machines, slo = queue["machines"], queue["slo"]
    _check_options(context, plot, arrivals, machines)
    policy, cache = check_queue_options(context, machines, policy, cache)
    machine = with_memory_said(Accelerator.load(accelerator))
    recorded = read_trace(stream) if stream else None
    inputs = [accelerator, subnets, stream, saved and (saved / TABLE if saved.is_dir() else saved)]
    check_outputs([csv_out, plot], inputs)
    drawn = {"stream": file_digest(stream)} if stream else {"arrivals": arrivals, "queries": queries}
    question = _question(
        "serve --compare" if all_policies else "serve",
        {**machine_facts(machine), "space": space, "subnets": subnets, "table": str(inputs[-1]) if saved else None},
        {**drawn, "locality": locality, "seed": seed, "policy": policy, "cache": cache, "window": window},
        {"candidates": candidates, "on_infeasible": on_infeasible, "exact": exact},
        *([] if saved else [{"mapping_policy": mapping}]),
        {key: str(value) for key, value in queue.items()} if machines or slo else {},
    )
    with ResultFile(csv_out, question, inputs, force) as out, counting() as on_count:
        costs = load_table(machine, space, subnets, candidates, exact, saved, on_count, seed, policy=mapping)
        targets = span(costs, locality) if slo is None else replace(span(costs, locality), latency_s=(slo, slo))
        process = arrivals or busy(costs, 0.6 * (machines or 1))
        wanted = screen(recorded or draw_stream(process, targets, queries, seed), costs, on_infeasible)
        if machines is not None:
            queue |= {"policy": policy, "cache": cache, "window": window}
            picture = (plot, inputs, force) if plot else None
            run_queue_command(out, costs, wanted, queue, all_policies, picture, as_json, question, on_count)
            return
        if all_policies:
            runs = compare_exactly(costs, wanted, window, seed, on_count)
            _compare(out, runs, {**costs.facts, **wanted.facts, "window": window}, as_json)
            return
        try:
            served = serve_exactly(costs, wanted, policy, cache, window, seed, on_count)
        except ServingInterrupted as stop:
            left = out.leave(partial(stop.served.write_to, question=question))
            if left is None:
                raise
            raise Interrupted(f"; {len(stop.served.stream)} finished queries are in {left}") from None
        out.finish_with(partial(served.write_to, question=question))
    if plot:
        write_new(plot, timeline_picture(served, plot), inputs, force)
    _show({**costs.facts, **wanted.facts, **served.facts, **served.summary()}, as_json)


def _show(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json_result(summary))
    else:
        show_summary(summary)


def _question(command: str, what: dict[str, Any], *rest: dict[str, Any]) -> dict[str, Any]:
    """All that the results depend on."""
    from arch_model.files.question import argument, asked
    from arch_model.spaces.registry import space_facts

    table, subnets, space = what.pop("table"), what.pop("subnets"), what.pop("space")
    facts = {**what, **space_facts(space), "subnets": argument(subnets) if subnets else None}
    facts["table"] = argument(table) if table else None
    return asked(command, **facts, **{key: value for more in rest for key, value in more.items()})


def _check_options(context: click.Context, plot: Path | None, arrivals: str | None, machines: int | None) -> None:
    """Refuse options that do not go together, and a picture that could not be drawn, before any work."""
    drawn = ("arrivals", "queries", "locality", "slo")
    refuse_together(context, "stream", drawn, "a recorded stream is served as it is")
    alone = ("plot", "policy", "cache") if machines is None else ("policy", "base_accuracy", "mean_accuracy")
    refuse_together(context, "all_policies", alone, "a comparison is of every schedule")
    refuse_together(context, "saved", ("candidates", "mapping"), "a saved table has its SubGraphs and mappings")
    if plot and machines and not context.params["all_policies"]:
        raise click.UsageError("--plot of a queue draws the curves of all policies; give --compare, too")
    if plot:
        from reports.canvas import check_picture, require_matplotlib

        check_picture(plot)
        require_matplotlib()
    if arrivals:
        from sim.serving.streams import parse_arrivals

        parse_arrivals(arrivals)


def _compare(out: ResultFile, runs: Sequence[Served], facts: dict[str, Any], as_json: bool) -> None:
    """All policies, written and shown."""
    from sim.serving.schedulers import compare_rows

    rows = compare_rows(runs)
    out.finish(rows, facts)
    if as_json:
        click.echo(json_list(rows))
        return
    show_table(SERVE_COLUMNS, rows)
    click.echo("stream: " + ", ".join(f"{key} {value}" for key, value in facts.items()), err=True)
    click.echo("service and to best: without waiting; best: no accuracy missed, all queries known", err=True)
