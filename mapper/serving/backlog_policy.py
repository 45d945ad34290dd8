"""Our policy for a queue: what the machines' backlog costs the queries to come, and the SubNet that is worth most then.

Queries to come are a renewal process: gaps between arrivals are drawn anew from those seen last. Work that is waiting
or under way, by the number of machines, is the backlog x. A query that arrives with the backlog x may be served by the
SubNet k if it then ends in time: it is worth w_k, and the backlog grows by its work. What follows is the value
iteration

    V(x) = max over k of w_k + d E V(max(0, x + s_k / m - gap)),   or  d E V(max(0, x - gap))  for a query refused,

on a grid of backlogs from 0 to the time limit. :func:`after` is the same expectation by how long ago the last query
came: with bursty arrivals a long gap so far means a longer one to come. When a machine is free, :func:`choose` tries
each SubNet for the most urgent query and each for those that wait behind it, and adds V of the backlog that is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from arch_model.compiled import compiled, inner

GRID = 64
"""Backlogs, from none to the time limit and half of the longest service."""
AGES = 48
"""Times since the last arrival, a step of the grid apart."""
KEEP = 0.99
"""What a query counts whose arrival is one later, at least; the look ahead reaches ten time limits."""
SWEEPS, MOST_SWEEPS = 100, 1500
LOOKED_AT = 32
"""Waiting queries that a choice looks at."""


@inner
def _gap_parts(gaps: Any, step: Any, part: Any, tail: Any) -> None:
    """Probabilities of a gap of so many steps, ``part``, the last for all longer ones, and of at least so many."""
    part[:] = 0.0
    last = len(part) - 1
    for gap in gaps:
        steps = gap / step
        low = int(steps)
        if low >= last:
            part[last] += 1.0
        else:
            part[low] += 1.0 - (steps - low)
            part[low + 1] += steps - low
    total = 0.0
    for i in range(last, -1, -1):
        part[i] /= len(gaps)
        total += part[i]
        tail[i] = total


@compiled
def learn(gaps: Any, cycles: Any, work: Any, worth: Any, machines: Any, limit: Any, value: Any, ahead: Any) -> Any:
    """Value iteration on the gaps seen last; returns the grid's step in cycles.

    Parameters
    ----------
    gaps : int64, cycles between arrivals.
    cycles : int64 (SubNets,) of a query alone.
    work : float64 (SubNets,), cycles of a machine that a query takes.
    worth : float64 (SubNets,); a SubNet of no worth is not used.
    machines : how many.
    limit : cycles from an arrival to its deadline.
    value : float64 (GRID,), V: where the iteration begins, and its result.
    ahead : float64 (AGES, GRID), filled: d E V by the time since the last arrival and the backlog now.
    """
    step = max(1.0, (limit + cycles.max() / 2) / (GRID - 1))
    part, tail, mean = np.zeros(GRID + 1), np.zeros(GRID + 1), max(1.0, gaps.mean())
    _gap_parts(gaps, step, part, tail)
    reach = 10.0 * limit / mean
    keep = max(KEEP, 1.0 - 1.0 / max(1.0, reach))
    expected = np.zeros(GRID)
    for _ in range(int(min(MOST_SWEEPS, SWEEPS + reach))):
        for x in range(GRID):
            total = tail[x] * value[0]
            for d in range(x):
                total += part[d] * value[x - d]
            expected[x] = total
        for x in range(GRID):
            best = keep * expected[x]
            for k in range(len(cycles)):
                # While fewer queries than machines are under way none waits: half a service is left on each of them.
                free = cycles[k] * (machines - 1) / (2.0 * machines)
                if worth[k] <= 0 or max(0.0, x * step - free) + cycles[k] > limit:
                    continue
                then = worth[k] + keep * at(expected, x + work[k] / machines / step)
                best = max(best, then)
            value[x] = best
    for age in range(AGES):
        for x in range(GRID):
            total = 0.0
            for d in range(age, GRID + 1):
                total += part[d] * (value[x - d + age] if d < GRID and x > d - age else value[0])
            # As if one more query had come after so long, for what has not been seen may happen.
            ahead[age, x] = keep * (total + value[x] / len(gaps)) / (tail[age] + 1.0 / len(gaps))
    return step


@inner
def at(values: Any, place: Any) -> Any:
    """Values of a grid between two of its points; beyond the last one they go on as between the last two.

    Parameters
    ----------
    values : float64 (GRID,).
    place : in steps of the grid, from 0.
    """
    low = int(place)
    if low >= GRID - 1:
        return values[GRID - 1] - (place - (GRID - 1)) * max(0.0, values[GRID - 2] - values[GRID - 1])
    return values[low] * (1.0 - (place - low)) + values[low + 1] * (place - low)


@inner
def _earliest(free: Any) -> Any:
    best = 0
    for i in range(1, len(free)):
        if free[i] < free[best]:
            best = i
    return best


@inner
def behind(deadlines: Any, count: Any, costs: Any, sizes: Any, size: Any, row: Any, column: Any, free: Any) -> Any:
    """How many of the queries behind the first ``count`` end in time if one SubNet serves them all.

    Parameters
    ----------
    deadlines : int64, of the waiting queries, the most urgent first.
    count : of queries that are served before.
    costs, sizes, size : cycles (SubNets, sizes, SubGraphs) of batches, the sizes, and which of them is used.
    row, column : the SubNet, and the SubGraph that is cached.
    free : int64, when each machine is free: changed to when it is free after these.
    """
    served, place = 0, count
    while place < len(deadlines):
        batch = min(sizes[size], len(deadlines) - place)
        machine = _earliest(free)
        end = free[machine] + costs[row, size, column]
        if end > deadlines[place]:  # the most urgent one is given up
            place += 1
            continue
        free[machine] = end
        served += batch
        place += batch
    return served


@inner
def choose(
    deadlines: Any,
    now: Any,
    free: Any,
    machine: Any,
    costs: Any,
    sizes: Any,
    column: Any,
    worth: Any,
    ahead: Any,
    age: Any,
    step: Any,
    room: Any,
    drops: Any,
) -> Any:
    """The SubNet and the size of its batch that are worth most, as row × sizes + size; -1: the query is given up.

    Of one machine a query is given up that could be answered, if the time is worth more to others. The backlog says too
    little of several machines for that.

    Parameters
    ----------
    deadlines : int64, of the waiting queries, the most urgent first.
    now : cycle.
    free : int64 (machines,), when each is free.
    machine : that is free now.
    costs, sizes : as of :func:`behind`.
    column : the SubGraph that the machine caches.
    worth : as of :func:`learn`.
    ahead, age, step : what :func:`learn` found, and steps since the last arrival.
    room : int64 (machines,), scratch.
    drops : whether queries may be dropped.
    """
    best, chosen = -1.0e300, -1
    rows, many = costs.shape[0], len(sizes)
    waiting = len(deadlines)
    for first in range(-1 if drops and len(free) == 1 else 0, rows * many):
        count, end, gain = 1, now, 0.0
        if first >= 0:
            row, size = first // many, first % many
            count, end = sizes[size], now + costs[row, size, column]
            if worth[row] <= 0 or count > waiting or end > deadlines[0]:
                continue
            gain = count * worth[row]
        for rest in range(rows * many):
            other, batch = rest // many, rest % many
            if worth[other] <= 0 or (batch and sizes[batch] > waiting - count):
                continue
            for i in range(len(free)):
                room[i] = max(free[i], now)
            room[machine] = end
            total = gain
            if waiting > count:
                total += worth[other] * behind(deadlines, count, costs, sizes, batch, other, column, room)
            left = 0.0
            for i in range(len(room)):
                left += room[i] - now
            total += at(ahead[age], left / len(room) / step)
            if total > best + 1e-9:
                best, chosen = total, first
            if waiting == count:
                break
    return chosen
