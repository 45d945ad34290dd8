"""Which points are priced exactly after all were estimated: those that can be on the front, and a sample.

A point's exact latency and energy lie below its estimates by a factor that is not known, but was observed on the points
that are priced exactly already. A point is left out only if some exact point is better even when its estimates are
scaled by the most favourable factor observed. So the front is that of all points unless the estimate of a point that
was left out is worse than any that was observed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.explore.pareto import costs, dominated, front
from sim.explore.question import ESTIMATED, EXACT

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SAMPLE = 64
"""Points, evenly spread over all legal ones, whose exact prices say how good estimates are before any other does."""

FEW = 200
"""So many Programs are priced exactly without a choice."""


def refine(
    screened: pd.DataFrame,
    objectives: Sequence[str],
    price: Callable[[Ints, int], pd.DataFrame],
    programs: int,
    exact: bool = False,
) -> None:
    """Have points priced exactly until no other point can be on the front.

    Parameters
    ----------
    screened : all points, with their estimates.
    objectives : names of columns.
    price : gives the exact rows of points, by number; and is told how many there are so far, these included.
    programs : of each point: its SubNets.
    exact : price every point exactly.
    """
    legal = screened[screened["legal"].to_numpy(dtype=bool)]
    estimates, numbers = costs(legal, objectives), legal.index.to_numpy(np.int64)
    if exact or len(legal) * programs <= FEW:
        price(numbers, len(numbers))
        return
    known = np.full(estimates.shape, np.nan)
    done = np.zeros(len(legal), np.bool_)
    wanted = front(estimates)
    wanted[np.linspace(0, len(legal) - 1, SAMPLE).astype(np.int64)] = True
    while wanted.any():
        done |= wanted
        known[wanted] = costs(price(numbers[wanted], int(done.sum())), objectives)
        wanted = possible(estimates, known, done)


def possible(estimates: Floats, known: Floats, done: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which points without an exact price can be on the front.

    Parameters
    ----------
    estimates, known : (points, objectives), less is better; of ``known`` the rows that are ``done``, not a number where
        a point turned out not to be legal.
    done : which points have an exact price, bool (points,).

    Examples
    --------
    >>> estimates = np.array([[10.0, 1], [20, 1], [11, 2], [30, 3]])
    >>> known = np.array([[9.0, 1], [20, 1], [np.nan] * 2, [np.nan] * 2])      # at best a tenth less than estimated
    >>> possible(estimates, known, np.array([True, True, False, False]))       # 9.9 > 9, and 2 > 1
    array([False, False, False, False])
    >>> possible(np.array([[10.0, 1], [20, 1], [9.9, 2], [30, 3]]), known, np.array([True, True, False, False]))
    array([False, False,  True, False])
    """
    found, legal = ~done, done & ~np.isnan(known).any(axis=1)
    exact, guess = known[legal], estimates[legal]
    if len(exact):
        ratios = np.divide(exact, guess, out=np.ones(exact.shape), where=guess != 0)
        found[~done] = ~dominated(estimates[~done] * ratios.min(axis=0, initial=1.0), exact[front(exact)])
    return found


@dataclass(frozen=True)
class EstimateError:
    """How far estimates of an objective are from exact prices, as parts of the exact ones: estimate / exact - 1.

    Attributes
    ----------
    points : how many are priced exactly.
    median : above 0 where estimates are too high.
    p95 : 95 of 100 are no farther than this from exact, to either side.
    worst : that of the point whose estimate is farthest away.
    """

    points: int
    median: float
    p95: float
    worst: float

    def __str__(self) -> str:
        return (
            f"median {self.median:+.1%}, 95 in 100 within {self.p95:.1%}, worst {self.worst:+.1%}, "
            f"of {self.points:,} points priced exactly"
        )


def estimate_errors(points: pd.DataFrame) -> dict[str, EstimateError]:
    """The errors of the estimated objectives of a study's points; empty if none is priced exactly.

    >>> table = pd.DataFrame({"latency": [2.0, 4.0], "legal": True, "price": "exact", "estimated_latency": [2.1, 3.8]})
    >>> str(estimate_errors(table)["latency"])
    'median +0.0%, 95 in 100 within 5.0%, worst +5.0%, of 2 points priced exactly'
    """
    if "price" not in points:
        return {}
    rows = points[points["legal"].to_numpy(dtype=bool) & (points["price"] == EXACT).to_numpy(dtype=bool)]
    found = {}
    for name in ESTIMATED:
        if f"estimated_{name}" in rows and len(rows):
            error = (rows[f"estimated_{name}"] / rows[name]).to_numpy(dtype=float) - 1
            far = np.abs(error)
            found[name] = EstimateError(
                len(rows), float(np.median(error)), float(np.percentile(far, 95)), float(error[far.argmax()])
            )
    return found
