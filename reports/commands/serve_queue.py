"""``fastswitch serve --machines N``: several machines behind one queue."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.columns import QUEUE_COLUMNS
from reports.commands.numbers import Count, Number
from reports.commands.words import was_given
from reports.terminal import json_list, json_result, show_summary, show_table

if TYPE_CHECKING:
    Listed = click.ParamType[tuple[int, ...]]
    from arch_model.files.result_file import ResultFile
    from mapper.serving.serving_table import ServingTable
    from sim.serving.streams import Stream
else:  # click 8.1 has no types for them
    Listed = click.ParamType

OPTIONS = ("batch_sizes", "queue_limit", "late", "base_accuracy", "mean_accuracy", "buckets")
"""Parameters that are of a queue alone."""

LARGEST_BATCH = 1024


class Sizes(Listed):
    """Sizes of batches: ``1,2,4``.

    Examples
    --------
    >>> Sizes().convert("1,2,4", None, None)
    (1, 2, 4)
    """

    name = "N,N,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """See :meth:`click.ParamType.convert`."""
        if isinstance(value, tuple):
            return value
        from arch_model.files.shown import plain

        text = str(value)
        sizes = tuple(int(part) for part in text.split(",")) if re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})*", text) else ()
        if sizes[:1] != (1,) or sizes[-1] > LARGEST_BATCH or list(sizes) != sorted(set(sizes)):
            self.fail(
                f"{plain(text, 60)} is no list of batch sizes; give 1 and larger ones up to 1024, as 1,2,4", param
            )
        return sizes


def queue_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a queue, for a command.

    Parameters
    ----------
    function : the command.
    """
    for option in reversed(
        (
            click.option(
                "--machines",
                type=Count(1, 1024, "each has its own PB"),
                help="Serve on N machines behind one queue, earliest deadline first. Policies are then backlog (ours), "
                "slackfit, static[:SUBNET], most-accurate, largest-batch, cheapest; there is a cache spread, too.",
            ),
            click.option(
                "--slo", type=Number(1e-9, 1e9), help="The deadline of every drawn query, in seconds from its arrival."
            ),
            click.option(
                "--batch-sizes",
                type=Sizes(),
                default="1",
                show_default=True,
                help="With --machines: sizes that a batch may have; its Programs run one after another.",
            ),
            click.option(
                "--queue-limit",
                type=Count(0, 1_000_000_000),
                default=0,
                show_default=True,
                help="With --machines: the most queries that wait; more are refused. 0: any number.",
            ),
            click.option(
                "--late",
                type=click.Choice(["drop", "serve"]),
                default="drop",
                show_default=True,
                help="With --machines: what becomes of a query that cannot be answered in time any more.",
            ),
            click.option(
                "--base-accuracy",
                type=Number(-1e6, 1),
                default=0.0,
                show_default=True,
                help="Policy backlog: an answer in time is worth its accuracy above this fraction.",
            ),
            click.option(
                "--mean-accuracy",
                type=Number(0, 1),
                help="Policy backlog: as many answers in time as have this mean accuracy, a fraction.",
            ),
            click.option(
                "--buckets",
                type=Count(1, 100_000),
                default=8,
                show_default=True,
                help="Policy slackfit with --machines: buckets of latency.",
            ),
        )
    ):
        function = option(function)
    return function


def check_queue_options(context: click.Context, machines: int | None, policy: str, cache: str) -> tuple[str, str]:
    """Refuse options that are of a queue where there is none; returns policy and cache, by default ``backlog`` and
    ``forecast`` of a queue.

    Parameters
    ----------
    context : of the command.
    machines : behind the queue; None: there is none.
    policy, cache : as they are given.

    Raises
    ------
    UsageError
        An option is given that needs ``--machines``.
    """
    if machines is None:
        from sim.serving.schedulers import check_names

        check_names(policy, cache)
        for param in context.command.params:
            if param.name in OPTIONS and was_given(context, str(param.name)):
                raise click.UsageError(f"{param.opts[0]} is of a queue; give --machines N, too")
        return policy, cache
    from mapper.serving.queue_rules import check_queue_names

    policy = policy if was_given(context, "policy") else "backlog"
    check_queue_names(policy, cache)
    return policy, cache


def run_queue_command(
    out: ResultFile,
    table: ServingTable,
    stream: Stream,
    options: dict[str, Any],
    all_policies: bool,
    plot: tuple[Path, Any, bool] | None,
    as_json: bool,
    question: dict[str, Any],
    on_count: Callable[[str, int, int], None],
) -> None:
    """Serve the stream with a queue, write and show what came of it.

    Parameters
    ----------
    out : the file of ``--csv``.
    table, stream : what is served.
    options : of the queue, by the names of the command's parameters, with ``policy``, ``cache``, ``window``.
    all_policies : compare all.
    plot : the file of a picture, the command's inputs, and whether it may replace a file.
    as_json : on standard output.
    question : what was asked.
    on_count : told what is done.
    """
    from arch_model.files.writing import write_new
    from mapper.serving.batch_costs import BatchCosts
    from reports.serving_curves import curves_picture
    from sim.serving.exact_switches import serve_until_exact
    from sim.serving.queue_curves import compare_queue, compare_queue_rows
    from sim.serving.queueing import Queue, serve_queue

    queue = Queue(
        machines=options["machines"],
        policy=options["policy"],
        cache=options["cache"],
        drop=options["late"] == "drop",
        limit=options["queue_limit"],
        base_accuracy=options["base_accuracy"],
        mean_accuracy=options["mean_accuracy"] or 0.0,
        buckets=options["buckets"],
        window=options["window"],
    )
    sizes = options["batch_sizes"]
    if all_policies:
        runs = serve_until_exact(
            table,
            lambda known: compare_queue(
                known, stream, queue, BatchCosts.one_after_another(known, sizes), partial(on_count, "serving")
            ),
            on_count,
        )
        rows = compare_queue_rows(runs)
        facts = {**runs[0].table.facts, **stream.facts, "machines": queue.machines, "cache": queue.cache}
        out.finish(rows, facts)
        if plot:
            write_new(plot[0], curves_picture(rows, plot[0], f"{queue.machines} machines"), plot[1], plot[2])
        if as_json:
            click.echo(json_list(rows))
            return
        show_table(QUEUE_COLUMNS, [{**row, "policy": _setting(row)} for row in rows])
        click.echo("stream: " + ", ".join(f"{key} {value}" for key, value in facts.items()), err=True)
        return
    (served,) = serve_until_exact(table, lambda known: [serve_queue(known, stream, queue, sizes)], on_count)
    out.finish_with(partial(served.write_to, question=question))
    summary = {**served.table.facts, **stream.facts, **served.facts, **served.summary()}
    if as_json:
        click.echo(json_result(summary))
    else:
        show_summary(summary)


def _setting(row: dict[str, Any]) -> str:
    if row["mean_accuracy"]:
        return f"{row['policy']}, aims at {100 * row['mean_accuracy']:.2f} %"
    if row["base_accuracy"] is not None:
        return f"{row['policy']}, base {row['base_accuracy']:.4g}"
    return str(row["policy"])
