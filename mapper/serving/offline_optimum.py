"""The best that any schedule could have done with a recorded stream: dynamic programming over what the PB holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mapper.serving.transition_costs import StepCosts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Optimum:
    """A schedule that could not have been faster.

    Attributes
    ----------
    rows : the SubNet of each query, int64 (queries,).
    columns : the SubGraph that it leaves in the PB, int64 (queries,).
    seconds : in all.
    """

    rows: Ints
    columns: Ints
    seconds: float


def offline_optimum(costs: StepCosts, accuracy: Floats) -> Optimum:
    """The least total service time that gives each query the accuracy it asks for, exactly.

    V(t, B) = min over A of V(t - 1, A) + step(level of t, A, B), V(0, ·) = 0 for the empty PB alone: O(queries ×
    SubGraphs²).

    Parameters
    ----------
    costs : seconds of each query.
    accuracy : that each asks for, fractions, (queries,).
    """
    levels = [costs.level(value) for value in accuracy.tolist()]
    count, columns = len(levels), costs.best.shape[1]
    before = np.empty((count, columns), np.int32)
    value = np.full(columns, np.inf)
    value[0] = 0.0
    every = np.arange(columns)
    for t, level in enumerate(levels):
        total = value[:, None] + costs.all(level)
        before[t] = total.argmin(axis=0)
        value = total[before[t], every]
    best = np.empty(count + 1, np.int64)
    best[count] = int(value.argmin())
    for t in range(count - 1, -1, -1):
        best[t] = before[t, best[t + 1]]
    rows = [costs.row(level, int(a), int(b)) for level, a, b in zip(levels, best[:-1], best[1:], strict=True)]
    return Optimum(np.array(rows, np.int64), best[1:], float(value.min()))
