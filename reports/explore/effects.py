"""What a knob does: the objectives' distribution at each of its values, and how much of their spread it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST_GROUPS = 24
"""So many values of a knob stand apart; of more, neighbours share a group."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Effect:
    """A knob's effect on an objective.

    Attributes
    ----------
    spread : float (groups, 5), the objective's :data:`QUANTILES` at each value of the knob, others as they come.
    explained : the part of the objective's variance that the knob's values explain, 0..1 (:func:`explained`).
    ratio : the largest median over the smallest; NaN where a median is not above 0.
    """

    spread: Floats
    explained: float
    ratio: float


def groups_of(values: Floats) -> tuple[list[tuple[float, float]], npt.NDArray[np.int64]]:
    """Groups of points by a knob's value: the least and largest value of each, and each point's group.

    A group is one value, unless there are more than :data:`MOST_GROUPS` or fewer than three points a value; then
    neighbours are put together into groups of about as many points each.

    >>> groups_of(np.array([8.0, 4, 4, 8, 4, 8]))
    ([(4.0, 4.0), (8.0, 8.0)], array([1, 0, 0, 1, 0, 1]))
    """
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(distinct) <= min(MOST_GROUPS, max(len(values) // 3, 2)):
        return [(float(v), float(v)) for v in distinct], place
    wanted = int(np.clip(len(values) // 3, 2, MOST_GROUPS // 2))
    before = np.cumsum(counts) - counts
    group = np.minimum(before * wanted // len(values), wanted - 1)
    _, group = np.unique(group, return_inverse=True)
    edges = [(float(distinct[group == g].min()), float(distinct[group == g].max())) for g in range(group.max() + 1)]
    return edges, group[place]


def explained(group: npt.NDArray[np.int64], y: Floats, sampled: bool = True) -> float:
    """The part of a variance that lies between groups, 0..1.

    With the sums of squares B between k groups, W within them and T in total it is B / T for a whole grid: nothing in
    it is chance. For points that were drawn, it is freed of what chance puts there, so a knob that does nothing gets
    about 0 however many values it has: (B - (k - 1) W / (n - k)) / T, at least 0, Kelley's epsilon squared ("An
    unbiased correlation ratio measure", PNAS 21, 1935).

    Parameters
    ----------
    group : of each point, (n,).
    y : the values, (n,).
    sampled : whether the points were drawn; else they are the whole grid.

    Examples
    --------
    >>> explained(np.array([0, 0, 1, 1]), np.array([1.0, 1.0, 3.0, 3.0]))
    1.0
    >>> mixed = np.array([1.0, 3.0, 2.0, 4.0])
    >>> explained(np.array([0, 0, 1, 1]), mixed), explained(np.array([0, 0, 1, 1]), mixed, sampled=False)
    (0.0, 0.2)
    """
    count = np.bincount(group)
    total = float(((y - y.mean()) ** 2).sum())
    groups = int((count > 0).sum())
    if groups < 2 or len(y) <= groups or total <= 1e-24 * max(float((y**2).sum()), 1e-300):
        return 0.0
    mean = np.bincount(group, y) / np.maximum(count, 1)
    within = float(((y - mean[group]) ** 2).sum())
    chance = (groups - 1) * within / (len(y) - groups) if sampled else 0.0
    found = (total - within - chance) / total
    return float(np.clip(found, 0.0, 1.0))


def effect(group: npt.NDArray[np.int64], objective: Floats, sampled: bool = True) -> Effect:
    """The effect of a knob on one objective.

    Variance is that of the logarithm where all values are above 0, as a machine twice as large is twice as fast, not so
    many seconds faster.

    Parameters
    ----------
    group : which of the knob's values each point has, (n,).
    objective : of each point, (n,).
    sampled : whether the points were drawn; else they are the whole grid.
    """
    spread = np.array([np.quantile(objective[group == g], QUANTILES) for g in range(int(group.max()) + 1)])
    medians = spread[:, 2]
    positive = bool((objective > 0).all())
    ratio = float(medians.max() / medians.min()) if positive else float("nan")
    return Effect(spread, explained(group, np.log(objective) if positive else objective, sampled), ratio)


def order_of(effects: Sequence[Sequence[Effect]]) -> list[int]:
    """Knobs (outer) by their mean explained part over the objectives (inner), the largest first."""
    mean = [float(np.mean([one.explained for one in row])) if row else 0.0 for row in effects]
    return sorted(range(len(mean)), key=lambda k: -mean[k])
