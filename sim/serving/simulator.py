"""The serving simulator: a stream of queries, a scheduler, one machine that the serving table describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.errors import StreamError
from arch_model.files.question import Question
from arch_model.files.writing import whole_file
from mapper.serving.policies import Scheduler
from mapper.serving.serving_table import ServingTable
from sim.serving.executed import Executed
from sim.serving.query_file import write_queries
from sim.serving.streams import Stream

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ON_INFEASIBLE = ("error", "best-effort", "drop")


@dataclass(frozen=True, eq=False)
class Served(Executed):
    """What became of a stream: arrays of one number a query.

    Attributes
    ----------
    table : costs of each query.
    stream : the queries.
    rows : the SubNet.
    before, columns : the SubGraph in the PB before and after it.
    start_s : seconds at which it began.
    facts : what else results say, by name.
    """

    table: ServingTable
    stream: Stream
    rows: Ints
    before: Ints
    columns: Ints
    start_s: Floats
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def latency_s(self) -> Floats:
        """Seconds from the arrival to the end: waiting and service."""
        return self.start_s + self.service_s - self.stream.arrival_s

    @property
    def in_time(self) -> npt.NDArray[np.bool_]:
        """Queries that ended by their deadline."""
        return np.asarray(self.latency_s <= self.stream.latency_s * (1 + 1e-9))

    def summary(self) -> dict[str, Any]:
        """The figures of the whole stream.

        ``slo_attainment``: the fraction of queries that ended by their deadline; ``accuracy_attainment``: that got
        the accuracy they asked for; ``pb_hit_fraction``: bytes that the PB spared, of those that would have come
        without it.
        """
        latency, moved = self.latency_s, int(self.dram_bytes.sum())
        hits = int(self.table.hit_bytes[self.rows, self.before].sum())
        return {
            "queries": len(self.stream),
            "mean_latency_s": float(latency.mean()),
            "p50_latency_s": float(np.percentile(latency, 50)),
            "p99_latency_s": float(np.percentile(latency, 99)),
            "mean_service_s": float(self.service_s.mean()),
            "accuracy": float(self.accuracy.mean()),
            "slo_attainment": float(self.in_time.mean()),
            "accuracy_attainment": float((self.accuracy >= self.stream.accuracy).mean()),
            "dram_bytes": moved,
            "energy_j": float(self.energy_j.sum()),
            "pb_hit_fraction": hits / (hits + moved),
            "switches": int(self.switched.sum()),
            "infeasible": int(self.stream.facts.get("infeasible", 0)),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a query: what it asked for, what served it, when, and what that took."""
        names, graphs = np.array(self.table.sushi.subnets), np.array(self.table.sushi.subgraphs)
        return (
            self.stream.to_frame()
            .rename(columns={"accuracy": "min_accuracy", "latency_s": "max_latency_s"})
            .assign(
                subnet=names[self.rows],
                cached_subgraph=graphs[self.columns],
                switched=self.switched,
                start_s=self.start_s,
                service_s=self.service_s,
                latency_s=self.latency_s,
                accuracy=self.accuracy,
                in_time=self.in_time,
                dram_bytes=self.dram_bytes,
                energy_j=self.energy_j,
            )
        )

    def write(self, path: Path) -> None:
        """Write :meth:`to_frame` as CSV, behind ``# key: value`` lines of facts, replacing what is there."""
        with whole_file(path) as file:
            self.write_to(file)

    def write_to(self, file: BinaryIO, question: Question | None = None) -> None:
        """Write what :meth:`write` writes into an open file.

        Parameters
        ----------
        file : binary.
        question : what was asked, before the facts.
        """
        write_queries(file, self.to_frame(), self.table, {**self.stream.facts, **self.facts, **(question or {})})


def screen(stream: Stream, table: ServingTable, on_infeasible: str = "error") -> Stream:
    """The queries to serve; its ``facts["infeasible"]`` says how many asked for what no SubNet has.

    Parameters
    ----------
    stream : of queries.
    table : latencies and accuracies.
    on_infeasible : ``error``, ``best-effort``, which keeps such queries, or ``drop``, which takes them out.

    Raises
    ------
    StreamError
        With ``error`` the first such query; or nothing is left.
    """
    most, least = float(table.accuracy.max()), float(table.latency_s.min())
    wrong = (stream.accuracy > most) | (stream.latency_s < least)
    count = int(wrong.sum())
    facts = {**stream.facts, "infeasible": count}
    if not count or on_infeasible == "best-effort":
        return replace(stream, facts=facts)
    at = int(np.argmax(wrong))
    source = stream.facts.get("trace", "stream")
    if on_infeasible == "error":
        asked, have = (
            (f"accuracy {stream.accuracy[at]:g}", f"the most accurate SubNet has {most:g}")
            if stream.accuracy[at] > most
            else (f"latency_s {stream.latency_s[at]:g}", f"the fastest SubNet needs {least:g}")
        )
        raise StreamError(f"{source}, query {at}: asks for {asked}; {have}; see --on-infeasible")
    if on_infeasible != "drop":
        raise StreamError(f"on-infeasible is {on_infeasible}; give {', '.join(ON_INFEASIBLE)}")
    if count == len(stream):
        raise StreamError(f"{source}: no SubNet meets any of its {count} queries; nothing is left to serve")
    return replace(stream.take(~wrong), facts=facts)


BLOCK = 10_000
"""Queries between two calls of ``on_done``."""


class ServingInterrupted(KeyboardInterrupt):
    """Ctrl-C while a stream was served; ``served`` holds the queries until then."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.served = served


def serve(
    table: ServingTable, stream: Stream, scheduler: Scheduler, on_done: Callable[[int], None] = lambda done: None
) -> Served:
    """Serve the queries one after another in the order of arrival.

    A query begins when it has arrived and the machine is free; the scheduler then sees what is left of its time, which
    may be nothing: it is served all the same, late.

    Parameters
    ----------
    table : costs of each query.
    stream : of queries.
    scheduler : decides.
    on_done : called now and then with how many are served.

    Raises
    ------
    ServingInterrupted
        At a Ctrl-C; it has what was served.
    """
    decide = scheduler.decide
    latency: list[list[float]] = table.latency_s.tolist()
    extra, many = table.switch_s, len(table.switch_s) > 1
    rows: list[int] = []
    columns: list[int] = []
    starts: list[float] = []
    free, now = 0.0, 0
    asked = (stream.arrival_s.tolist(), stream.accuracy.tolist(), stream.latency_s.tolist())

    def served(count: int) -> Served:
        after = np.array(columns[:count], np.int64)
        before = np.concatenate([np.zeros(1, np.int64), after[:-1]])
        part = stream if count == len(stream) else stream.take(np.arange(count))
        return Served(table, part, np.array(rows[:count], np.int64), before, after, np.array(starts[:count]))

    try:
        for at in range(0, len(stream), BLOCK):
            block = (column[at : at + BLOCK] for column in asked)
            for arrival, accuracy, limit in zip(*block, strict=True):
                start = arrival if arrival > free else free
                row, column = decide(accuracy, arrival + limit - start)
                free = start + latency[row][now]
                if column != now:
                    free += extra[row if many else 0, now, column]
                    now = column
                rows.append(row)
                columns.append(column)
                starts.append(start)
            on_done(len(starts))
    except KeyboardInterrupt:
        if starts:
            raise ServingInterrupted(served(len(starts))) from None
        raise
    return served(len(stream))
