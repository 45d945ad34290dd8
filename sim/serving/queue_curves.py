"""Every policy for a queue on one stream, and the most that any schedule could have answered in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mapper.serving.batch_costs import BatchCosts
from mapper.serving.queue_bound import most_worth
from mapper.serving.serving_table import ServingTable
from sim.serving.queueing import Queue, Queued, cycles_of, serve_queue
from sim.serving.streams import Stream

Floats = npt.NDArray[np.float64]

FAR_BELOW = (-1000.0, -20.0, -4.0, -1.0, -0.25, 0.25, 0.5, 0.7, 0.84, 0.92)
WITHIN = (-0.2, -0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94)
"""Base accuracies of our policy's curve: below the least accurate SubNet's as parts of it, the first ones far below 0;
then as parts of what lies between the least and the most accurate one."""

FINE = 256
"""Steps of time that the bound divides the fastest service into; it is rounded in its own favour."""


def base_accuracies(accuracy: Floats) -> list[float]:
    """The base accuracies of a curve, ascending; the last leaves the most accurate SubNet alone.

    Parameters
    ----------
    accuracy : of the SubNets, fractions.
    """
    levels = np.unique(accuracy)
    least, most = float(levels[0]), float(levels[-1])
    last = [float(levels[-2])] if len(levels) > 1 else []
    return sorted({part * least for part in FAR_BELOW} | {least + part * (most - least) for part in WITHIN} | {*last})


def offline_worth(table: ServingTable, stream: Stream, machines: int, batches: BatchCosts, base: float) -> float:
    """No schedule's answers in time have more accuracy above ``base`` in all (:mod:`mapper.serving.queue_bound`).

    Each SubNet costs what it costs with the SubGraph and in the batch that suit it best, and no switch costs anything.

    Parameters
    ----------
    table : latencies and accuracies.
    stream : of queries.
    machines : how many.
    batches : what batches cost.
    base : a fraction.
    """
    share = (batches.cycles / np.array(batches.sizes)[None, :, None]).min(axis=(1, 2)) / machines
    alone = batches.cycles[:, 0].min(axis=1)
    fine = max(1.0, np.floor(share.min() / FINE))
    arrival, deadline = cycles_of(stream, table.sushi.clock_hz)
    first, last = arrival // int(fine), -(-np.maximum.accumulate(deadline) // int(fine))
    worth = np.maximum(table.accuracy - base, 0.0)
    scale = float(worth.max())
    found = most_worth(first, last, np.floor(share / fine), (alone // int(fine)).astype(np.int64), worth / scale)
    return float(found) * scale


def compare_queue(
    table: ServingTable,
    stream: Stream,
    queue: Queue,
    batches: BatchCosts,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> list[Queued]:
    """All policies on one stream: ours with base accuracies from far below to just below the best SubNet's, the
    published ones, each fixed SubNet; then ours aiming at the mean accuracy of each of those.

    Parameters
    ----------
    table : costs.
    stream : of queries.
    queue : machines, cache and drops; its policy is not looked at.
    batches : what batches cost.
    on_done : called with what is done of what there is to do.
    """
    ours = [
        replace(queue, policy="backlog", mean_accuracy=0.0, base_accuracy=b) for b in base_accuracies(table.accuracy)
    ]
    names = ("slackfit", "most-accurate", "largest-batch", "cheapest", *(f"static:{n}" for n in table.sushi.subnets))
    others = [replace(queue, policy=name) for name in names]
    total, runs = len(ours) + 3 * len(others), list[Queued]()

    def add(one: Queue) -> None:
        runs.append(serve_queue(table, stream, one, batches))
        on_done(len(runs), total)

    for one in (*ours, *others):
        add(one)
    least, most = float(table.accuracy.min()), float(table.accuracy.max())
    reached = {accuracy for run in runs[len(ours) :] if (accuracy := run.summary()["accuracy"])}
    # It ends close to its aim, above or below.
    aims = {min(accuracy + (most - least) / more, most) for accuracy in reached for more in (200, 40)}
    for aim in sorted(aims):
        add(replace(queue, policy="backlog", mean_accuracy=aim))
    on_done(total, total)
    return runs


def compare_queue_rows(runs: Sequence[Queued]) -> list[dict[str, Any]]:
    """What :func:`compare_queue` found as rows: ``policy``, ``base_accuracy`` and ``mean_accuracy`` (what ours was
    given), the figures of :meth:`Queued.summary`, and

    - ``attainment_bound``: no schedule whose answers in time are as accurate has more of them. Answers in time of mean
      accuracy q, a part a of n queries, have n a (q - base) of accuracy above any base, at most the bound's.
    - ``ours_as_accurate``: the most attainment of our policy among settings at least as accurate; None: there is none.
    - ``ours_as_many``: the highest accuracy of our policy among settings with at least as many answers in time.

    Parameters
    ----------
    runs : of one stream.
    """
    table, stream, batches = runs[0].table, runs[0].stream, runs[0].batches
    bases = np.array(base_accuracies(table.accuracy))
    most = np.array([offline_worth(table, stream, runs[0].queue.machines, batches, base) for base in bases.tolist()])
    rows = [
        {
            "policy": run.queue.policy,
            "cache": run.queue.cache,
            "base_accuracy": run.queue.base_accuracy if _is_ours(run) and not run.queue.mean_accuracy else None,
            "mean_accuracy": run.queue.mean_accuracy or None,
            **run.summary(),
        }
        for run in runs
    ]
    curve = [(row["slo_attainment"], row["accuracy"]) for row in rows if row["policy"] == "backlog" and row["accuracy"]]
    for row in rows:
        accuracy, attained = row["accuracy"], row["slo_attainment"]
        row |= {"attainment_bound": None, "ours_as_accurate": None, "ours_as_many": None}
        if accuracy is None:
            continue
        below = bases < accuracy - 1e-9
        row["attainment_bound"] = min(1.0, float((most[below] / (accuracy - bases[below])).min() / len(stream)))
        row["ours_as_accurate"] = max((a for a, q in curve if q >= accuracy - 1e-9), default=None)
        row["ours_as_many"] = max((q for a, q in curve if a >= attained - 1e-9), default=None)
    return rows


def _is_ours(run: Queued) -> bool:
    return run.queue.policy == "backlog"


def dominated(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> bool:
    """Whether one setting of our policy has as many answers in time, and as accurate ones, as a run.

    Parameters
    ----------
    row : the run's.
    rows : of :func:`compare_queue_rows`.
    """
    if row["accuracy"] is None:
        return True
    return any(
        one["slo_attainment"] >= row["slo_attainment"] - 1e-9 and one["accuracy"] >= row["accuracy"] - 1e-9
        for one in rows
        if one["policy"] == "backlog" and one["accuracy"] is not None
    )
