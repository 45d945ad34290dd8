"""The event loop of machines behind one queue, compiled: arrivals, deadlines, batches, what each machine caches.

The queue is in the order of deadlines (earliest deadline first; of equals the earlier arrival). A machine that is free
takes the most urgent queries. All times are cycles of the machines' clock.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from arch_model.compiled import compiled, inner
from mapper.serving.backlog_policy import AGES, GRID, LOOKED_AT, choose, learn
from mapper.serving.queue_policies import (
    BACKLOG,
    CHEAPEST,
    LARGEST_BATCH,
    MOST_ACCURATE,
    SLACKFIT,
    cheapest,
    largest,
    most_accurate,
    slackfit,
)

PINNED, SUSHI, FORECAST = range(3)
"""Who chooses what a machine caches."""

REFUSED, DROPPED = -1, -2
"""Rows of queries that are not served: the queue was full; the deadline could not be met."""

ROW, MACHINE, BEFORE, AFTER, START, END, BATCH = range(7)
"""Columns of what the loop returns."""

KEEP = 0.97
"""Weight of what a machine served before, query by query, in the forecast of its SubGraph."""

GAPS, EVERY, FEW = 500, 250, 16
"""Arrivals that our policy learns from, how often it does, and how few are too few: they are taken to come at once."""

ACCURACY_UNIT = 1e-9
"""Accuracies are compared as whole numbers of this."""

GAIN, REACH = 0.01, 5 / ACCURACY_UNIT
"""Of the accuracy that answers so far have missed this part is added to the base accuracy of our policy; of much more
than ``REACH`` a larger one."""


@inner
def _insert(queue: Any, head: Any, tail: Any, deadline: Any, query: Any) -> None:
    """Put a query behind all those whose deadline is not later."""
    place = tail
    while place > head and deadline[queue[place - 1]] > deadline[query]:
        queue[place] = queue[place - 1]
        place -= 1
    queue[place] = query


@inner
def _free_machine(free: Any, now: Any, costs: Any, row: Any, size: Any, held: Any) -> Any:
    """Of the machines that are free now the one whose SubGraph makes a batch fastest; if none is, the next to be."""
    best = -1
    for i in range(len(free)):
        if free[i] > now:
            continue
        if best < 0 or costs[row, size, held[i]] < costs[row, size, held[best]]:
            best = i
    if best >= 0:
        return best
    best = 0
    for i in range(1, len(free)):
        if free[i] < free[best]:
            best = i
    return best


@inner
def _cached_next(machine: Any, row: Any, held: Any, spare: Any, table: Any, caches: Any) -> Any:
    """The SubGraph that a machine caches after a batch, whose Program brings it."""
    costs, _, extra, _, _ = table
    rule, window, pinned, _, _, memory = caches
    before, graphs = held[machine], costs.shape[2]
    if rule == PINNED:
        return pinned[machine]
    mine = memory[machine]
    if rule == SUSHI:
        if mine[graphs] < window:
            return before
        mine[graphs] = 0.0
        return np.argmin(mine[:graphs])
    added = extra[row if len(extra) > 1 else 0, before]
    after, least = before, mine[before] / (1.0 - KEEP)
    for graph in range(graphs):
        total = added[graph] + mine[graph] / (1.0 - KEEP)
        if total < least and added[graph] <= spare:
            after, least = graph, total
    return after


@inner
def _remember(machine: Any, row: Any, count: Any, costs: Any, caches: Any) -> None:
    """Tell the rule of a machine's SubGraph what SubNet has served a batch."""
    rule, window, _, twice, squares, memory = caches
    mine, graphs = memory[machine], costs.shape[2]
    for _ in range(count if rule != PINNED else 0):
        if rule == FORECAST:
            for graph in range(graphs):
                mine[graph] += (costs[row, 0, graph] - mine[graph]) * (1.0 - KEEP)
            continue
        if mine[graphs] == 0.0:
            mine[:graphs] = squares
        if mine[graphs] < window:
            mine[graphs] += 1.0
            mine[:graphs] -= twice[row]


@inner
def _pick(policy: Any, fixed: Any, column: Any, slack: Any, waiting: Any, asked: Any, table: Any, buckets: Any) -> Any:
    """What a published policy chooses, as row × sizes + size."""
    costs, sizes, _, accuracy, by_energy = table
    many = len(sizes)
    if policy == SLACKFIT:
        return slackfit(buckets[0][column], buckets[1][column], slack)
    if policy == LARGEST_BATCH:
        size = largest(costs, sizes, fixed, column, slack, waiting)
        return most_accurate(costs, size, column, slack, accuracy, fixed) * many + size
    row = fixed
    if policy == MOST_ACCURATE:
        row = most_accurate(costs, 0, column, slack, accuracy, fixed)
    elif policy == CHEAPEST:
        row = cheapest(costs, column, slack, accuracy, asked, by_energy, fixed)
    return row * many + largest(costs, sizes, row, column, slack, waiting)


@inner
def _learn(times: Any, come: Any, table: Any, aims: Any, machines: Any, ours: Any) -> None:
    """Our policy learns from the last arrivals, now and then; what an answer is worth follows the accuracy so far.

    The base accuracy is a multiplier of Lagrange: it rises while answers are less accurate than is aimed at.
    """
    costs, sizes, accuracy = table[0], table[1], table[3]
    value, ahead, known, worth, _, _ = ours
    if come < known[0]:
        return
    most = accuracy.max()
    base = aims[0] if aims[1] <= 0 else min(aims[0] + GAIN * REACH * np.sinh(known[2] / REACH), most - 1.0)
    for row in range(len(worth)):
        worth[row] = (accuracy[row] - base) / (most - base)
    first = max(0, come - GAPS)
    gaps = np.diff(times[0, max(0, first - 1) : come]) if come > FEW else np.zeros(1, np.int64)
    limit = (times[1, first:come] - times[0, first:come]).mean()
    work = costs[:, len(sizes) - 1, 0] / sizes[len(sizes) - 1]
    known[1] = learn(gaps, costs[:, 0, 0], work, worth, machines, limit, value, ahead)
    known[0] = come + EVERY if come >= EVERY else 2 * come


@inner
def _ours(waiting: Any, now: Any, last: Any, free: Any, machine: Any, column: Any, drops: Any, tables: Any) -> Any:
    """What our policy chooses for the waiting queries (their deadlines), the last arrival being ``last``."""
    table, ours = tables
    _, ahead, known, worth, urgent, room = ours
    looked = min(len(waiting), len(urgent))
    age = int(min(AGES - 1.0, (now - last) / known[1]))
    return choose(
        *(urgent[:looked], now, free, machine, table[0], table[1], column, worth, ahead, age, known[1], room, drops)
    )


@inner
def _run(
    row: Any, size: Any, taken: Any, now: Any, before: Any, after: Any, table: Any, together: Any, mine: Any, found: Any
) -> Any:
    """Write down what becomes of a batch; returns when the machine is free again.

    ``mine``: the machine, and the number of the batch.
    """
    costs, _, extra, _, _ = table
    switch = extra[row if len(extra) > 1 else 0, before, after]
    clock, end = now, now + costs[row, size, before] + switch
    for place in range(len(taken)):
        one = found[taken[place]]
        held = before if place == 0 else after
        one[ROW], one[MACHINE], one[BATCH], one[BEFORE], one[AFTER] = row, mine[0], mine[1], held, after
        one[START], one[END] = now, end
        if not together:
            one[START] = clock
            clock += costs[row, 0, held] + (switch if place == 0 else 0)
            one[END] = clock
    return end if together else clock


@compiled
def run_queue(
    times: Any, asked: Any, table: Any, buckets: Any, aims: Any, caches: Any, settings: Any, found: Any
) -> None:
    """Serve a stream.

    Parameters
    ----------
    times : int64 (2, queries), arrivals, never falling, and deadlines.
    asked : int64 (queries,), accuracy that is asked for.
    table : int64 arrays: cycles of a batch (SubNets, sizes, SubGraphs); the sizes, ascending from 1; cycles that a
        switch adds (SubNets or 1, SubGraphs, SubGraphs); accuracy (SubNets,), in the unit of ``asked``; rows from the
        least joules on.
    buckets : int64, of SlackFit: ends (SubGraphs, buckets) and what is picked (SubGraphs, buckets + 1).
    aims : float64, of our policy, in the unit of ``asked``: the base accuracy (with an aim the one that it begins
        with), and the mean accuracy of answers in time that is aimed at; 0: none.
    caches : who chooses SubGraphs; SUSHI's window; int64 (machines,), the SubGraph pinned on each; int64 (SubNets,
        SubGraphs) and (SubGraphs,), doubled products and squares of SUSHI's rule; float64 (machines, SubGraphs + 1),
        what each machine's rule remembers.
    settings : int64: policy, the SubNet that serves if no other does, whether hopeless queries are dropped, the most
        queries that may wait (0: any number), whether a batch ends at once.
    found : int64 (queries, 7), filled.
    """
    policy, fixed, drops, most, together = settings
    arrival, deadline, costs, sizes = times[0], times[1], table[0], table[1]
    count, many, machines = len(arrival), len(sizes), len(caches[2])
    queue, urgent = np.empty(count, np.int64), np.empty(LOOKED_AT, np.int64)
    free, held = np.zeros(machines, np.int64), np.zeros(machines, np.int64)
    ours = (
        np.zeros(GRID),
        np.zeros((AGES, GRID)),
        np.zeros(3),
        np.ones(len(costs)),
        urgent,
        np.zeros(machines, np.int64),
    )
    head = tail = come = now = batches = 0
    while come < count or head < tail:
        now = max(now, free[_free_machine(free, now, costs, fixed, 0, held)])
        if head == tail:
            now = max(now, arrival[come])
        while come < count and arrival[come] <= now:
            if most and tail - head >= most:
                found[come, ROW] = REFUSED
            else:
                _insert(queue, head, tail, deadline, come)
                tail += 1
            come += 1
        machine = _free_machine(free, now, costs, fixed, 0, held)
        column = held[machine]
        while drops and head < tail and now + costs[fixed, 0, column] > deadline[queue[head]]:
            found[queue[head], ROW] = DROPPED
            head += 1
        if head == tail:
            continue
        waiting, slack = tail - head, deadline[queue[head]] - now
        if policy == BACKLOG:
            _learn(times, come, table, aims, machines, ours)
            for place in range(min(waiting, LOOKED_AT)):
                urgent[place] = deadline[queue[head + place]]
            known = (table, ours)
            chosen = _ours(queue[head:tail], now, arrival[come - 1], free, machine, column, drops, known)
            if chosen < 0 and drops:
                found[queue[head], ROW] = DROPPED
                head += 1
                continue
            chosen = chosen if chosen >= 0 else fixed * many
        else:
            chosen = _pick(policy, fixed, column, slack, waiting, asked[queue[head]], table, buckets)
        row, size = chosen // many, chosen % many
        machine = _free_machine(free, now, costs, row, size, held)
        before, taken = held[machine], queue[head : head + min(sizes[size], waiting)]
        after = _cached_next(machine, row, held, slack - costs[row, size, before], table, caches)
        mine = (machine, batches)
        free[machine] = _run(row, size, taken, now, before, after, table, together, mine, found)
        if aims[1] > 0:
            for query in taken:
                if found[query, END] <= deadline[query]:
                    ours[2][2] += aims[1] - table[3][row]
        held[machine] = after
        _remember(machine, row, len(taken), costs, caches)
        head += len(taken)
        batches += 1
