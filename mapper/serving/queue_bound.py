"""The most that any schedule could have made of a stream with a queue, every query known beforehand.

Each query may be answered by one SubNet, which is worth something if it ends in time, or by none. M machines are
replaced by one that is M times as fast, on which queries may be split: it can do all that they can, and more. With
deadlines in the order of the arrivals the earliest deadline first is then an order as good as any, in which no query
interrupts another; deadlines in another order are first put off to the latest so far. So the best is found by dynamic
programming over pairs (when the machine is free, worth so far) of which none is worse in both: for one machine without
switches and with such deadlines it is the optimum itself, else a bound above it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from arch_model.compiled import compiled


@compiled
def most_worth(arrival: Any, deadline: Any, cycles: Any, alone: Any, worth: Any) -> Any:
    """The most worth of all answers in time.

    Parameters
    ----------
    arrival, deadline : int64 (queries,), cycles, neither ever falling.
    cycles : float64 (SubNets,), of a query on the machine that stands for all.
    alone : int64 (SubNets,), cycles of a query on one machine.
    worth : float64 (SubNets,); a SubNet of no worth is not used.
    """
    rows = len(cycles)
    free, total = np.zeros(1), np.zeros(1)
    place = np.zeros(rows + 1, np.int64)
    for query in range(len(arrival)):
        begin = 0
        while begin < len(free) - 1 and free[begin + 1] <= arrival[query]:
            begin += 1
        free, total = free[begin:], total[begin:]
        free[0] = max(free[0], float(arrival[query]))
        many, size, best = len(free), 0, -1.0
        next_free, next_total = np.empty(many * (rows + 1)), np.empty(many * (rows + 1))
        for row in range(rows):
            usable = worth[row] > 0 and arrival[query] + alone[row] <= deadline[query]
            place[row] = 0 if usable else many
        place[rows] = 0
        while True:  # the lists of all choices, each ascending in both, merged: what is not better than before is left
            chosen, end, sum_ = -1, 0.0, 0.0
            for row in range(rows + 1):
                if place[row] >= many:
                    continue
                then, now = free[place[row]], total[place[row]]
                if row < rows:
                    then, now = then + cycles[row], now + worth[row]
                    if then > deadline[query]:
                        place[row] = many
                        continue
                if chosen < 0 or then < end or (then == end and now > sum_):
                    chosen, end, sum_ = row, then, now
            if chosen < 0:
                break
            place[chosen] += 1
            if sum_ > best + 1e-9:
                next_free[size], next_total[size] = end, sum_
                size, best = size + 1, sum_
        free, total = next_free[:size].copy(), next_total[:size].copy()
    return total[-1]
