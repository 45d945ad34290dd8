"""Published policies for a queue: the SubNet and the size of the batch for the most urgent query and those behind it.

Compiled, for they are asked once a batch. A batch is not larger than the queue. Where nothing ends in time, the fastest
SubNet serves one query.
"""

from __future__ import annotations

from typing import Any

from arch_model.compiled import inner

STATIC, SLACKFIT, MOST_ACCURATE, LARGEST_BATCH, CHEAPEST, BACKLOG = range(6)
"""Policies as the compiled loop knows them."""


@inner
def largest(costs: Any, sizes: Any, row: Any, column: Any, slack: Any, waiting: Any) -> Any:
    """The largest size of a batch that one SubNet ends in time: its index, 0 at least.

    Parameters
    ----------
    costs, sizes : cycles (SubNets, sizes, SubGraphs) of batches, and the sizes, ascending from 1.
    row, column : the SubNet, and the SubGraph that is cached.
    slack : cycles until the most urgent deadline.
    waiting : queries in the queue.
    """
    best = 0
    for size in range(1, len(sizes)):
        if sizes[size] <= waiting and costs[row, size, column] <= slack:
            best = size
    return best


@inner
def most_accurate(costs: Any, size: Any, column: Any, slack: Any, accuracy: Any, fastest: Any) -> Any:
    """The most accurate SubNet, of equals the faster one, whose batch of a size ends in time.

    Parameters
    ----------
    costs : as of :func:`largest`.
    size : index of the size.
    column : the SubGraph that is cached.
    slack : cycles until the most urgent deadline.
    accuracy : int64 (SubNets,).
    fastest : the SubNet where none does.
    """
    best = -1
    for row in range(len(accuracy)):
        cycles = costs[row, size, column]
        if cycles > slack:
            continue
        finer = best < 0 or accuracy[row] > accuracy[best]
        if finer or (accuracy[row] == accuracy[best] and cycles < costs[best, size, column]):
            best = row
    return fastest if best < 0 else best


@inner
def slackfit(edges: Any, picks: Any, slack: Any) -> Any:
    """SuperServe's SlackFit: what the highest bucket holds that ends within the slack, as row × sizes + size.

    Parameters
    ----------
    edges : int64 (buckets,), where each ends, cycles ascending.
    picks : int64 (buckets + 1,); the first is for a slack below every bucket.
    slack : cycles until the most urgent deadline.
    """
    low, high = 0, len(edges)
    while low < high:
        middle = (low + high) // 2
        if edges[middle] <= slack:
            low = middle + 1
        else:
            high = middle
    return picks[low]


@inner
def cheapest(costs: Any, column: Any, slack: Any, accuracy: Any, asked: Any, by_energy: Any, fastest: Any) -> Any:
    """As INFaaS chooses: the SubNet of least energy that is as accurate as asked and ends in time.

    Parameters
    ----------
    costs, column, slack, accuracy, fastest : as of :func:`most_accurate`.
    asked : accuracy that the most urgent query asks for, in the units of ``accuracy``.
    by_energy : int64 (SubNets,), rows from the least joules on.
    """
    for row in by_energy:
        if accuracy[row] >= asked and costs[row, 0, column] <= slack:
            return row
    return fastest
