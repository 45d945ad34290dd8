"""Several machines behind one queue: earliest deadline first, batches, admission and drops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.errors import FastSwitchError
from arch_model.files.question import Question
from mapper.serving.batch_costs import BatchCosts
from mapper.serving.queue_loop import (
    ACCURACY_UNIT,
    AFTER,
    BATCH,
    BEFORE,
    DROPPED,
    END,
    FORECAST,
    MACHINE,
    PINNED,
    REFUSED,
    ROW,
    START,
    SUSHI,
    run_queue,
)
from mapper.serving.queue_rules import CODES, check_queue_names, named, slackfit_buckets, spread_subgraphs
from mapper.serving.serving_table import ServingTable
from sim.serving.executed import Executed, MachineRun
from sim.serving.query_file import write_queries
from sim.serving.streams import Stream

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_MACHINES = 1024


@dataclass(frozen=True)
class Queue:
    """Machines, their queue and who decides.

    Parameters
    ----------
    machines : behind the queue, each with a PB of its own that begins empty.
    policy : one of :data:`mapper.serving.queue_rules.QUEUE_POLICIES`.
    cache : one of :data:`mapper.serving.queue_rules.QUEUE_CACHES`.
    drop : whether a query is dropped that no SubNet which the policy uses can answer in time. False: all are served.
    limit : the most queries that may wait; one that comes then is refused. 0: any number.
    base_accuracy : of ``backlog``: an answer in time is worth what its accuracy has above this. Far below 0 only
        answers in time count; just below the best SubNet's accuracy only the most accurate ones do.
    mean_accuracy : of ``backlog``: the mean accuracy that answers in time are to have, a fraction; the base accuracy
        follows from it. 0: the base accuracy is given.
    buckets : of SlackFit.
    window : queries between two choices of the cache ``sushi``.

    Raises
    ------
    FastSwitchError
        A name or a number that makes no queue.
    """

    machines: int = 1
    policy: str = "backlog"
    cache: str = "none"
    drop: bool = True
    limit: int = 0
    base_accuracy: float = 0.0
    mean_accuracy: float = 0.0
    buckets: int = 8
    window: int = 4

    def __post_init__(self) -> None:
        check_queue_names(self.policy, self.cache)
        for name, value, low, high in (
            ("machines", self.machines, 1, MOST_MACHINES),
            ("limit", self.limit, 0, 10**9),
            ("base_accuracy", self.base_accuracy, -1e6, 1),
            ("mean_accuracy", self.mean_accuracy, 0, 1),
            ("buckets", self.buckets, 1, 100_000),
            ("window", self.window, 1, 10**6),
        ):
            if not low <= value <= high:
                raise FastSwitchError(f"{name} of a queue is {value:g}; give {low:g} to {high:g}")


@dataclass(frozen=True, eq=False)
class Queued(Executed):
    """What became of a stream: ``rows``, ``before`` and ``columns`` are those of executed Programs, batch by batch.

    Attributes
    ----------
    table, batches : costs.
    stream : the queries.
    queue : who served them.
    found : int64 (queries, 7), in the stream's order; columns as of :mod:`mapper.serving.queue_loop`.
    facts : what else results say, by name.
    """

    table: ServingTable
    batches: BatchCosts
    stream: Stream
    queue: Queue
    found: Ints
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> Ints:
        """The queries that were served, by batch, then by the start of their Programs."""
        served = np.flatnonzero(self.found[:, ROW] >= 0)
        return served[np.lexsort((served, self.found[served, START], self.found[served, BATCH]))]

    @property
    def rows(self) -> Ints:  # type: ignore[override]
        """The SubNet of each executed Program."""
        return np.asarray(self.found[self.order, ROW])

    @property
    def before(self) -> Ints:  # type: ignore[override]
        """The SubGraph in its machine's PB before it."""
        return np.asarray(self.found[self.order, BEFORE])

    @property
    def columns(self) -> Ints:  # type: ignore[override]
        """The SubGraph in its machine's PB after it."""
        return np.asarray(self.found[self.order, AFTER])

    def of_machine(self, machine: int) -> MachineRun:
        """The Programs of one machine, in its order.

        Parameters
        ----------
        machine : from 0.

        Raises
        ------
        ValueError
            Programs take several images: their costs are not those of the table.
        """
        if self.batches.together:
            raise ValueError("batches of this run are Programs of several images")
        mine = self.order[self.found[self.order, MACHINE] == machine]
        rows, before, after = self.found[mine][:, [ROW, BEFORE, AFTER]].T
        return MachineRun(self.table, rows, before, after, mine)

    @property
    def latency_s(self) -> Floats:
        """Seconds from the arrival to the answer; not a number where there is none."""
        ends = self.found[:, END] / self.table.sushi.clock_hz - self.stream.arrival_s
        return np.where(self.found[:, ROW] >= 0, ends, np.nan)

    @property
    def in_time(self) -> npt.NDArray[np.bool_]:
        """Queries answered by their deadline."""
        deadline = cycles_of(self.stream, self.table.sushi.clock_hz)[1]
        return np.asarray((self.found[:, ROW] >= 0) & (self.found[:, END] <= deadline))

    @property
    def given(self) -> Floats:
        """Accuracy of each answer; not a number where there is none."""
        row = self.found[:, ROW]
        return np.where(row >= 0, self.table.accuracy[np.maximum(row, 0)], np.nan)

    def _costs(self) -> tuple[Floats, Floats]:
        """Bytes and joules of each executed Program, or of a query's part of its batch."""
        if not self.batches.together:
            return self.dram_bytes.astype(np.float64), self.energy_j
        _, first, count = np.unique(self.found[self.order, BATCH], return_index=True, return_counts=True)
        size = np.searchsorted(self.batches.sizes, count)
        row, before, after = self.rows[first], self.before[first], self.columns[first]
        extra = self.table.switches.bytes
        switch = extra[row if len(extra) > 1 else 0, before, after]
        moved = (self.batches.dram_bytes[row, size, before] + switch) / count
        joules = (self.batches.energy_j[row, size, before] + switch * self.table.byte_j) / count
        return np.repeat(moved, count), np.repeat(joules, count)

    def summary(self) -> dict[str, Any]:
        """The figures of the whole stream.

        ``slo_attainment``: of all queries that came, those answered in time; ``accuracy``: mean of these answers;
        ``accuracy_per_query``: their product. Latencies are those of answers, late ones included.
        """
        row, in_time = self.found[:, ROW], self.in_time
        answered = row >= 0
        count = int(answered.sum())
        latency = self.latency_s[answered]
        moved, joules = self._costs()
        attainment = float(in_time.mean())
        accuracy = float(self.given[in_time].mean()) if in_time.any() else None
        busy = _busy(self.found[answered])
        begin, end = self.stream.arrival_s[0], max(self.found[:, END].max() / self.table.sushi.clock_hz, 1e-9)
        hits = int(self.table.hit_bytes[self.rows, self.before].sum())
        return {
            "queries": len(self.stream),
            "machines": self.queue.machines,
            "mean_latency_s": float(latency.mean()) if count else None,
            "p50_latency_s": float(np.percentile(latency, 50)) if count else None,
            "p99_latency_s": float(np.percentile(latency, 99)) if count else None,
            "slo_attainment": attainment,
            "accuracy": accuracy,
            "accuracy_per_query": attainment * accuracy if accuracy is not None else 0.0,
            "refused": int((row == REFUSED).sum()),
            "dropped": int((row == DROPPED).sum()),
            "late": count - int(in_time.sum()),
            "mean_batch": count / (int(self.found[answered, BATCH].max()) + 1) if count else None,
            "busy_fraction": busy / self.table.sushi.clock_hz / max(end - begin, 1e-9) / self.queue.machines,
            "dram_bytes": int(moved.sum()),
            "energy_j": float(joules.sum()),
            "energy_per_answer_j": float(joules.mean()) if count else None,
            "pb_hit_fraction": hits / max(hits + float(moved.sum()), 1.0),
            "switches": int(self.switched.sum()),
            "infeasible": int(self.stream.facts.get("infeasible", 0)),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a query: what it asked for, what became of it, on which machine and when."""
        row, answered = self.found[:, ROW], self.found[:, ROW] >= 0
        outcome = np.select([self.in_time, answered, row == REFUSED], ["in time", "late", "refused"], "dropped")
        subnets, graphs = np.array([*self.table.sushi.subnets, ""]), np.array(self.table.sushi.subgraphs)
        return (
            self.stream.to_frame()
            .rename(columns={"accuracy": "min_accuracy", "latency_s": "max_latency_s"})
            .assign(
                outcome=outcome,
                subnet=subnets[np.where(answered, row, -1)],
                machine=pd.array(np.where(answered, self.found[:, MACHINE], -1), "Int64"),
                batch=pd.array(np.where(answered, self.found[:, BATCH], -1), "Int64"),
                cached_subgraph=np.where(answered, graphs[self.found[:, AFTER]], ""),
                start_s=np.where(answered, self.found[:, START] / self.table.sushi.clock_hz, np.nan),
                latency_s=self.latency_s,
                accuracy=self.given,
            )
            .assign(machine=lambda frame: frame["machine"].mask(~answered), batch=lambda f: f["batch"].mask(~answered))
        )

    def write_to(self, file: BinaryIO, question: Question | None = None) -> None:
        """Write :meth:`to_frame` as CSV, behind ``# key: value`` lines of facts, into an open file.

        Parameters
        ----------
        file : binary.
        question : what was asked, before the facts.
        """
        write_queries(file, self.to_frame(), self.table, {**self.stream.facts, **self.facts, **(question or {})})


def _busy(found: Ints) -> int:
    """Cycles of all machines in which they work: of each batch from the first start to the last end."""
    if not len(found):
        return 0
    order = np.argsort(found[:, BATCH], kind="stable")
    first = np.flatnonzero(np.diff(found[order, BATCH], prepend=-1))
    starts = np.minimum.reduceat(found[order, START], first)
    return int((np.maximum.reduceat(found[order, END], first) - starts).sum())


def cycles_of(stream: Stream, clock_hz: float) -> Ints:
    """Arrivals and deadlines in whole cycles, int64 (2, queries).

    Parameters
    ----------
    stream : of queries.
    clock_hz : of the machines.
    """
    seconds = np.stack([stream.arrival_s, stream.arrival_s + stream.latency_s])
    return np.rint(seconds * clock_hz).astype(np.int64)


def serve_queue(
    table: ServingTable, stream: Stream, queue: Queue, batches: BatchCosts | Sequence[int] = (1,)
) -> Queued:
    """Serve a stream on machines behind one queue.

    A machine that is free takes the queries whose deadlines are nearest, as many as the policy puts into a batch. Of
    several free ones that machine takes them whose SubGraph makes the batch fastest.

    Parameters
    ----------
    table : costs of each query.
    stream : of queries.
    queue : machines and policy.
    batches : what batches cost; or the sizes that a batch may have, from 1 on, of Programs that run one after another.

    Raises
    ------
    FastSwitchError
        A SubNet or SubGraph that is not there, a base accuracy above all SubNets, or sizes that make no batches.

    Examples
    --------
    >>> from arch_model.machine.accelerator import Accelerator
    >>> from sim.serving.streams import Targets, draw_stream
    >>> from sim.serving.tables import load_table
    >>> table = load_table(Accelerator.load("zcu104"), "ofa-resnet50", candidates=1)
    >>> stream = draw_stream("gamma:15,8", Targets((0, 0), (0.045, 0.045)), 2000, seed=1)
    >>> figures = serve_queue(table, stream, Queue(policy="static:resnet50D_MAC@0.6B")).summary()
    >>> round(figures["slo_attainment"], 2), figures["accuracy"], figures["refused"]
    (0.92, 0.75, 0)
    """
    costs = batches if isinstance(batches, BatchCosts) else BatchCosts.one_after_another(table, batches)
    kind, _, name = queue.policy.partition(":")
    fixed = named("SubNet", name, table.sushi.subnets) if name else int(table.sushi.cycles.min(axis=1).argmin())
    worth, aims = table.accuracy - queue.base_accuracy, _aims(table, queue)
    if kind == "static" and not name:
        fixed = _fits_half(table, stream)
    if kind == "backlog" and not queue.mean_accuracy:
        fixed = int(np.where(worth > 0, table.sushi.cycles.min(axis=1), np.iinfo(np.int64).max).argmin())
    times = cycles_of(stream, table.sushi.clock_hz)
    pinned = _pinned(table, stream, queue, costs)
    what = queue.cache.partition(":")[0]
    vectors = table.sushi.vectors
    found = np.zeros((len(stream), 7), np.int64)
    run_queue(
        times,
        np.rint(stream.accuracy / ACCURACY_UNIT).astype(np.int64),
        (
            np.ascontiguousarray(costs.cycles),
            np.array(costs.sizes, np.int64),
            np.ascontiguousarray(table.switches.cycles),
            np.rint(table.accuracy / ACCURACY_UNIT).astype(np.int64),
            np.argsort(table.energy_j[:, 0], kind="stable"),
        ),
        slackfit_buckets(costs, table.accuracy, queue.buckets),
        aims / ACCURACY_UNIT,
        (
            {"sushi": SUSHI, "forecast": FORECAST}.get(what, PINNED),
            queue.window,
            pinned,
            (2 * table.vectors @ vectors.T).astype(np.float64),
            (queue.window * (vectors**2).sum(axis=1)).astype(np.float64),
            np.zeros((queue.machines, table.shape[1] + 1)),
        ),
        np.array([CODES[kind], fixed, queue.drop, queue.limit, costs.together], np.int64),
        found,
    )
    facts = {"policy": queue.policy, "cache": queue.cache, "batch_sizes": " ".join(map(str, costs.sizes))}
    return Queued(table, costs, stream, queue, found, facts)


def _aims(table: ServingTable, queue: Queue) -> Floats:
    """The base accuracy, and the mean accuracy that is aimed at."""
    most = float(table.accuracy.max())
    for name, value, wrong in (
        ("base", queue.base_accuracy, queue.base_accuracy >= most),
        ("mean", queue.mean_accuracy, queue.mean_accuracy > most + 1e-9),
    ):
        if wrong:
            raise FastSwitchError(f"{name} accuracy is {value:g}; the most accurate SubNet has {most:g}, give less")
    base, aim = queue.base_accuracy, min(queue.mean_accuracy, most)
    if aim:  # about where it ends, from which the policy finds its way
        base = aim - 1.5 * (most - aim) - (most - float(table.accuracy.min())) / 16
    return np.array([base, aim])


def _fits_half(table: ServingTable, stream: Stream) -> int:
    """The most accurate SubNet that is fast enough for half of the queries, as ``static`` without a name is."""
    fast = table.latency_s[:, 0] <= np.median(stream.latency_s)
    if not fast.any():
        return int(table.latency_s[:, 0].argmin())
    return int(np.lexsort((table.latency_s[:, 0], -np.where(fast, table.accuracy, -1)))[0])


def _pinned(table: ServingTable, stream: Stream, queue: Queue, costs: BatchCosts) -> Ints:
    """The SubGraph of each machine, of caches that hold one: ``static`` and ``spread`` are chosen in hindsight, for
    the SubNets that serve the stream while nothing is cached."""
    kind, _, graph = queue.cache.partition(":")
    if graph:
        return np.full(queue.machines, named("SubGraph", graph, table.sushi.subgraphs), np.int64)
    if kind not in ("static", "spread"):
        return np.zeros(queue.machines, np.int64)
    empty = serve_queue(table, stream, replace(queue, cache="none"), costs)
    served = np.bincount(empty.rows, minlength=table.shape[0])
    if kind == "static":
        return np.full(queue.machines, int((served @ table.sushi.cycles).argmin()), np.int64)
    return spread_subgraphs(table.sushi.cycles, served, queue.machines)
