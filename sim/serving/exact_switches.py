"""Fixed-point iteration: serve on estimated switch costs, compile the Programs of the switches that occurred, put
their costs in the place of the estimates, and repeat until no switch that occurred is an estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mapper.cost.switch_cost import Switch
from mapper.serving.serving_table import ServingTable
from sim.serving.executed import Executed
from sim.serving.schedulers import ALL, Schedulers, compare
from sim.serving.simulator import Served
from sim.serving.streams import Stream

Run = TypeVar("Run", bound=Executed)

OnCount = Callable[[str, int, int], None]
"""Called with a stage of the work, what is done of it and what there is to do."""


def switches_of(served: Executed) -> set[Switch]:
    """The different switches of a run."""
    at = served.switched.nonzero()[0]
    places = zip(served.rows[at].tolist(), served.before[at].tolist(), served.columns[at].tolist(), strict=True)
    return {Switch(*place) for place in places}


def serve_until_exact(
    table: ServingTable,
    runs: Callable[[ServingTable], Sequence[Run]],
    on_count: OnCount = lambda stage, done, total: None,
) -> Sequence[Run]:
    """Serve until every switch that happened is exact; the runs of the last round.

    A few rounds, because better known costs change decisions; never more than there are switches. A table without
    Programs is served once, on its estimates. What schedulers know beforehand are the table's costs: estimates for
    switches that never happen.

    Parameters
    ----------
    table : the first one, with estimates.
    runs : serves by a table.
    on_count : called with the stage of the work, what is done and what there is to do.
    """
    while True:
        found = runs(table)
        guessed: set[Switch] = set()
        for served in found:
            guessed |= table.guessed(switches_of(served))
        if not guessed:
            return found
        done = 0

        def on_switch(total: int = len(guessed)) -> None:
            nonlocal done
            done += 1
            on_count("compiling switches", done, total)

        table = table.compile(sorted(guessed), on_switch)


def serve_exactly(
    table: ServingTable,
    stream: Stream,
    policy: str,
    cache: str,
    window: int = 4,
    seed: int = 0,
    on_count: OnCount = lambda stage, done, total: None,
) -> Served:
    """:meth:`Schedulers.run`, repeated until no switch is an estimate.

    Parameters
    ----------
    table : the first one, with estimates.
    stream : of queries.
    policy, cache, window : names of the scheduler, and queries between two choices of SUSHI's cache rule.
    seed : of random rules.
    on_count : called with the stage of the work, what is done and what there is to do.

    Raises
    ------
    ServingInterrupted
        At a Ctrl-C.
    """

    def runs(known: ServingTable) -> list[Served]:
        return [
            Schedulers(known).run(
                policy, cache, stream, window, seed, lambda done: on_count("serving", done, len(stream))
            )
        ]

    (served,) = serve_until_exact(table, runs, on_count)
    return served


def compare_exactly(
    table: ServingTable,
    stream: Stream,
    window: int = 4,
    seed: int = 0,
    on_count: OnCount = lambda stage, done, total: None,
) -> Sequence[Served]:
    """:func:`sim.serving.schedulers.compare`, repeated until no switch is an estimate.

    Parameters
    ----------
    table : the first one, with estimates.
    stream : of queries.
    window : queries between two choices of SUSHI's cache rule.
    seed : of random rules.
    on_count : called with the stage of the work, what is done and what there is to do.
    """

    def runs(known: ServingTable) -> list[Served]:
        return compare(known, stream, window, seed, lambda done: on_count("serving by every policy", done, len(ALL)))

    return serve_until_exact(table, runs, on_count)
