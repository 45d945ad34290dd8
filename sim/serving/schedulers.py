"""Schedulers by name, and all of them on one stream against the best that was possible."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from arch_model.errors import FastSwitchError
from mapper.serving.decision_tables import Decisions
from mapper.serving.lookahead import ForecastCache, ForecastSched
from mapper.serving.offline_optimum import Optimum, offline_optimum
from mapper.serving.policies import (
    CacheRule,
    RandomSubNet,
    Scheduler,
    Separate,
    SlackFit,
    StaticCache,
    StaticSubNet,
    StrictAccuracy,
    StrictLatency,
    SubNetRule,
    SushiCache,
)
from mapper.serving.serving_table import ServingTable
from mapper.serving.transition_costs import StepCosts
from sim.serving.simulator import Served, ServingInterrupted, serve
from sim.serving.streams import Stream

POLICIES = ("strict-accuracy", "strict-latency", "slackfit", "static", "random")
CACHES = ("none", "static", "sushi", "forecast")
OFFLINE = "offline"
"""The cache of the schedule that :func:`mapper.serving.offline_optimum.offline_optimum` finds."""

ALL = (
    *(("strict-accuracy", cache) for cache in CACHES),
    *(("strict-latency", cache) for cache in CACHES),
    *(("slackfit", cache) for cache in ("none", "sushi", "forecast")),
    *(("static", cache) for cache in ("none", "static")),
    *(("random", cache) for cache in ("none", "sushi")),
)
"""What :func:`compare` compares, as (policy, cache)."""


def check_names(policy: str, cache: str) -> None:
    """Refuse names that no table has, before the work that a table is.

    Parameters
    ----------
    policy : of the rule for SubNets.
    cache : of the rule for SubGraphs.

    Raises
    ------
    FastSwitchError
        There is no rule of that name.
    """
    for what, name, known in (("policy", policy, POLICIES), ("cache", cache, CACHES)):
        kind, _, rest = name.partition(":")
        if kind not in known or (rest and kind != "static"):
            raise FastSwitchError(f"{what} {name} does not exist; give {', '.join(known)}")


class Replay:
    """A schedule that is known beforehand."""

    def __init__(self, optimum: Optimum) -> None:
        self._next = iter(zip(optimum.rows.tolist(), optimum.columns.tolist(), strict=True))

    def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
        return next(self._next)


class Schedulers:
    """Everything that schedulers of one table share: decision tables and step costs are made once."""

    def __init__(self, table: ServingTable) -> None:
        self.table = table
        self.decisions = Decisions(table.latency_s, table.accuracy)
        self._costs: StepCosts | None = None

    @property
    def costs(self) -> StepCosts:
        """See :class:`StepCosts`; made when first asked for."""
        if self._costs is None:
            self._costs = StepCosts(self.table)
        return self._costs

    def make(self, policy: str, cache: str, stream: Stream, window: int = 4, seed: int = 0) -> Scheduler:
        """The scheduler of those names, fresh.

        ``static:NAME`` names a SubNet or a SubGraph; without a name it is the SubNet that is most accurate among those
        that are fast enough for half of the queries, and the SubGraph that would have served the stream with the least
        mean latency.

        Parameters
        ----------
        policy : of the rule for SubNets.
        cache : of the rule for SubGraphs.
        stream : that will be served.
        window : queries between two choices of ``sushi``.
        seed : of random rules.

        Raises
        ------
        FastSwitchError
            There is no rule of that name.
        """
        check_names(policy, cache)
        kind, _, name = policy.partition(":")
        rule = self._rule(kind, name, stream, seed)
        what, _, graph = cache.partition(":")
        if what == "forecast" and not graph:
            if kind == "strict-accuracy":
                return ForecastSched(self.costs)
            fast = kind in ("strict-latency", "slackfit")
            return ForecastCache(self.table, rule, by_column=fast, accuracy_first=fast)
        return Separate(rule, self._cache(what, graph, kind, rule, stream, window))

    def _rule(self, kind: str, name: str, stream: Stream, seed: int) -> SubNetRule:
        if kind == "strict-accuracy":
            return StrictAccuracy(self.decisions)
        if kind == "strict-latency":
            return StrictLatency(self.decisions)
        if kind == "slackfit":
            return SlackFit(self.decisions)
        if kind == "random":
            return RandomSubNet(self.table.shape[0], seed)
        if name:
            return StaticSubNet(_index("SubNet", name, self.table.sushi.subnets))
        return StaticSubNet(self.decisions.strict_latency(0, float(np.median(stream.latency_s))))

    def _cache(self, what: str, graph: str, kind: str, rule: SubNetRule, stream: Stream, window: int) -> CacheRule:
        if what == "none":
            return StaticCache(0)
        if what == "sushi":
            return SushiCache(self.table, window)
        if graph:
            return StaticCache(_index("SubGraph", graph, self.table.sushi.subgraphs))
        if kind == "random":
            return StaticCache(int(self.table.latency_s.mean(axis=0).argmin()))
        seconds = []
        for column in range(self.table.shape[1]):
            asked = zip(stream.accuracy.tolist(), stream.latency_s.tolist(), strict=True)
            rows = [rule.row(column, accuracy, limit) for accuracy, limit in asked]
            seconds.append(self.table.latency_s[rows, column].sum())
        return StaticCache(int(np.argmin(seconds)))

    def run(
        self,
        policy: str,
        cache: str,
        stream: Stream,
        window: int = 4,
        seed: int = 0,
        on_done: Callable[[int], None] = lambda done: None,
    ) -> Served:
        """Serve a stream with the scheduler of those names.

        Parameters
        ----------
        policy : of the rule for SubNets.
        cache : of the rule for SubGraphs.
        stream : of queries.
        window : queries between two choices of ``sushi``.
        seed : of random rules.
        on_done : as :func:`sim.serving.simulator.serve` takes it.

        Raises
        ------
        ServingInterrupted
            At a Ctrl-C; it has what was served.
        """
        facts = {"policy": policy, "cache": cache, "window": window}
        try:
            served = serve(self.table, stream, self.make(policy, cache, stream, window, seed), on_done)
        except ServingInterrupted as stop:
            facts |= {"interrupted_after": len(stop.served.stream)}
            raise ServingInterrupted(replace(stop.served, facts=facts)) from None
        return replace(served, facts=facts)

    def offline(self, stream: Stream) -> Served:
        """Serve ``stream`` as :func:`offline_optimum` says."""
        served = serve(self.table, stream, Replay(offline_optimum(self.costs, stream.accuracy)))
        return replace(served, facts={"policy": "strict-accuracy", "cache": OFFLINE})


def _index(what: str, name: str, names: Sequence[str]) -> int:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1) or names[:1]
        raise FastSwitchError(f"{what} {name} does not exist; {near[0]} is one of {len(names)}")
    return names.index(name)


def gap(served: Served, optimum: Served) -> float:
    """How far the mean service time of a run is above the offline optimum's, a fraction.

    Below 0 only if it gave queries less accuracy than they asked for.

    Parameters
    ----------
    served : the run.
    optimum : of the same stream.
    """
    return float(served.service_s.mean() / optimum.service_s.mean() - 1)


def compare(
    table: ServingTable,
    stream: Stream,
    window: int = 4,
    seed: int = 0,
    on_done: Callable[[int], None] = lambda done: None,
) -> list[Served]:
    """Every scheduler of :data:`ALL` on one stream, and at the end the offline optimum.

    Parameters
    ----------
    table : costs of each query.
    stream : of queries.
    window : queries between two choices of ``sushi``.
    seed : of random rules.
    on_done : called with how many schedulers are done.
    """
    schedulers, runs = Schedulers(table), []
    for done, (policy, cache) in enumerate(ALL, 1):
        runs.append(schedulers.run(policy, cache, stream, window, seed))
        on_done(done)
    return [*runs, schedulers.offline(stream)]


def compare_rows(runs: Sequence[Served]) -> list[dict[str, Any]]:
    """What :func:`compare` found as rows: ``policy``, ``cache``, the figures of :meth:`Served.summary` and
    ``gap_to_offline`` (:func:`gap`)."""
    names = ("policy", "cache")
    return [
        {**{name: served.facts[name] for name in names}, **served.summary(), "gap_to_offline": gap(served, runs[-1])}
        for served in runs
    ]
