"""Policies for a queue by name, and the tables that the compiled loop looks up."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from mapper.serving import queue_policies
from mapper.serving.batch_costs import BatchCosts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CODES = {
    "backlog": queue_policies.BACKLOG,
    "slackfit": queue_policies.SLACKFIT,
    "static": queue_policies.STATIC,
    "most-accurate": queue_policies.MOST_ACCURATE,
    "largest-batch": queue_policies.LARGEST_BATCH,
    "cheapest": queue_policies.CHEAPEST,
}
QUEUE_POLICIES = tuple(CODES)
QUEUE_CACHES = ("none", "static", "sushi", "forecast", "spread")


def check_queue_names(policy: str, cache: str) -> None:
    """Refuse names that no queue has, before the work that a table is.

    Parameters
    ----------
    policy : one of :data:`QUEUE_POLICIES`; ``static:SUBNET`` names the SubNet.
    cache : one of :data:`QUEUE_CACHES`; ``static:SUBGRAPH`` names the SubGraph.

    Raises
    ------
    FastSwitchError
        There is no rule of that name.

    Examples
    --------
    >>> check_queue_names("random", "none")
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: policy random does not exist for a queue; give backlog, slackfit, static, \
most-accurate, largest-batch, cheapest
    """
    for what, name, known in (("policy", policy, QUEUE_POLICIES), ("cache", cache, QUEUE_CACHES)):
        kind, _, rest = name.partition(":")
        if kind not in known or (rest and kind != "static"):
            raise FastSwitchError(f"{what} {name} does not exist for a queue; give {', '.join(known)}")


def slackfit_buckets(batches: BatchCosts, accuracy: Floats, count: int) -> tuple[Ints, Ints]:
    """SlackFit's buckets of equal width from the least cycles of any (SubNet, size of a batch) to the most.

    Of a bucket the largest batch is picked, of these the most accurate SubNet, then the fastest; an empty bucket picks
    what the one before does, and a slack below every bucket the fastest SubNet alone.

    Parameters
    ----------
    batches : cycles.
    accuracy : of the SubNets.
    count : of buckets.

    Returns
    -------
    edges, picks
        int64 (SubGraphs, count), where each ends; (SubGraphs, count + 1), SubNet × sizes + size, the first for a slack
        below all.
    """
    rows, sizes, graphs = batches.cycles.shape
    edges, picks = np.empty((graphs, count), np.int64), np.empty((graphs, count + 1), np.int64)
    ends = np.ceil(np.linspace(batches.cycles.min(), batches.cycles.max(), count + 1)[1:]).astype(np.int64)
    size, row = np.tile(np.arange(sizes), rows), np.repeat(np.arange(rows), sizes)
    for graph in range(graphs):
        cycles = batches.cycles[:, :, graph].ravel()
        order = np.lexsort((cycles, -accuracy[row], -size))
        bucket = np.searchsorted(ends, cycles)
        pick = int(batches.cycles[:, 0, graph].argmin()) * sizes
        edges[graph], picks[graph, 0] = ends, pick
        for place in range(count):
            inside = order[bucket[order] == place]
            pick = int(inside[0]) if len(inside) else pick
            picks[graph, place + 1] = pick
    return edges, picks


def named(what: str, name: str, names: Sequence[str]) -> int:
    """The place of a name.

    Parameters
    ----------
    what : is named, for the error.
    name : that is looked for.
    names : that there are.

    Raises
    ------
    FastSwitchError
        It is none of them.
    """
    if name not in names:
        near = difflib.get_close_matches(name, names, 1) or names[:1]
        raise FastSwitchError(f"{what} {name} does not exist; {near[0]} is one of {len(names)}")
    return names.index(name)


def spread_subgraphs(cycles: Ints, served: Ints, machines: int) -> Ints:
    """A SubGraph for each machine, so that together they suit what is served, int64 (machines,).

    The work of all queries, SubNets in the order of their cycles, is cut into as many equal parts as there are
    machines; each machine caches what makes its part fastest.

    Parameters
    ----------
    cycles : (SubNets, SubGraphs).
    served : (SubNets,), queries that each serves.
    machines : how many.
    """
    order = np.argsort(cycles[:, 0], kind="stable")
    work = (served * cycles[:, 0])[order].astype(np.float64)
    ends = np.cumsum(work)
    parts = np.linspace(0, ends[-1], machines + 1)
    pinned = np.zeros(machines, np.int64)
    for machine in range(machines):
        inside = np.clip(np.minimum(ends, parts[machine + 1]) - np.maximum(ends - work, parts[machine]), 0, None)
        saved = (inside / cycles[order, 0]) @ cycles[order]
        pinned[machine] = int(saved.argmin())
    return pinned
