"""``fastswitch serve``: a stream of queries on the latency table."""

from __future__ import annotations

from pathlib import Path

import click

from reports.columns import SERVE_COLUMNS
from reports.commands.interrupt import Interrupted
from reports.commands.numbers import Count, Number
from reports.commands.options import (
    accelerator_option,
    file_option,
    json_option,
    seed_option,
    space_option,
    subnets_option,
)
from reports.commands.words import refuse_together
from reports.terminal import counting, json_list, show_summary, show_table, to_json


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
    help="Draw the stream: deterministic:RATE, poisson:RATE, gamma:RATE,CV2, bursty:BASE,BURST,CV2 or "
    "diurnal:LOW,HIGH,PERIOD_S, in queries a second; without it Poisson at a load of about 60 %.",
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
@file_option("--csv", "OUT.csv", "Write one row a query; with --compare one row a policy.")
@file_option("--plot", "OUT.png|.svg|.pdf", "Draw the timeline of the stream.")
@json_option
@click.pass_context
def command(
    context: click.Context,
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
    from arch_model.accelerator import Accelerator
    from sim.results import make_folder, write_rows
    from sim.schedulers import check_names, compare_rows
    from sim.serving import ServingInterrupted, screen
    from sim.serving_space import busy, load_table, span
    from sim.settle import compare_exactly, serve_exactly
    from sim.streams import draw_stream, parse_arrivals, read_trace

    refuse_together(context, "stream", ("arrivals", "queries", "locality"), "a recorded stream is served as it is")
    refuse_together(context, "all_policies", ("plot", "policy", "cache"), "a comparison is of every schedule")
    refuse_together(context, "saved", ("candidates",), "a saved table has its SubGraphs")
    if plot:
        from reports.canvas import check_picture, require_matplotlib

        check_picture(plot)
        require_matplotlib()
    check_names(policy, cache)
    if arrivals:
        parse_arrivals(arrivals)
    machine = Accelerator.load(accelerator)
    recorded = read_trace(stream) if stream else None
    for path in (csv_out, plot):
        if path:
            make_folder(path.parent)
    with counting() as on_count:
        costs = load_table(machine, space, subnets, candidates, exact, saved, on_count, seed)
        asked = recorded or draw_stream(arrivals or busy(costs), span(costs, locality), queries, seed)
        asked = screen(asked, costs, on_infeasible)
        if all_policies:
            runs = compare_exactly(costs, asked, window, seed, on_count)
        else:
            try:
                served = serve_exactly(costs, asked, policy, cache, window, seed, on_count)
            except ServingInterrupted as stop:
                if csv_out is None:
                    raise
                stop.served.write(csv_out)
                raise Interrupted(f"; {len(stop.served.stream)} finished queries are in {csv_out}") from None
    if all_policies:
        rows = compare_rows(runs)
        if csv_out:
            write_rows(csv_out, {**costs.facts, **asked.facts, "window": window}, rows)
        if as_json:
            click.echo(json_list(rows))
        else:
            show_table(SERVE_COLUMNS, rows)
            facts = {**costs.facts, **asked.facts, "window": window}
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
        show_summary({**costs.facts, **asked.facts, **served.facts, **served.summary()})
