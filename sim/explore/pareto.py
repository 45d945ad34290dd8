"""Pareto fronts and hypervolumes of points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.explore.question import EXACT

Floats = npt.NDArray[np.float64]

LARGER_IS_BETTER = ("accuracy",)
"""Objectives of which more is better; of all others less."""


def costs(points: pd.DataFrame, objectives: Sequence[str]) -> Floats:
    """The objectives as numbers of which less is better.

    Parameters
    ----------
    points : a row each.
    objectives : names of columns.

    Returns
    -------
    float64 array
        (points, objectives).
    """
    found = points[list(objectives)].to_numpy(np.float64, copy=True)
    for column, name in enumerate(objectives):
        if name in LARGER_IS_BETTER:
            found[:, column] *= -1
    return found


def pareto_front(points: pd.DataFrame, objectives: Sequence[str]) -> pd.Series[bool]:
    """Which points no other one beats: none is at least as good in all objectives and better in one.

    Parameters
    ----------
    points : a row for each point, with a column for each objective; not a number where a point is not legal.
    objectives : names of columns. Less is better, of :data:`LARGER_IS_BETTER` more.

    Returns
    -------
    Series of bool
        Whether a point is on the front, with the index of ``points``; illegal points are not.

    Examples
    --------
    >>> table = pd.DataFrame({"latency": [1.0, 2.0, 3.0], "area": [3.0, 1.0, 2.0]})
    >>> pareto_front(table, ["latency", "area"]).tolist()
    [True, True, False]
    """
    values = costs(points, objectives)
    there = ~np.isnan(values).any(axis=1)
    found = np.zeros(len(values), np.bool_)
    index = np.flatnonzero(there)
    found[index] = front(values[index])
    return pd.Series(found, index=points.index, name="pareto")


def exact_front(points: pd.DataFrame, objectives: Sequence[str]) -> pd.Series[bool]:
    """:func:`pareto_front` of the points that are priced exactly; of all as long as none is.

    Parameters
    ----------
    points : of a study, with the column ``price``.
    objectives : as of :func:`pareto_front`.

    Returns
    -------
    Series of bool
        Whether a point is on the front, with the index of ``points``.

    Examples
    --------
    >>> table = pd.DataFrame({"latency": [1.0, 2.0, 3.0], "price": ["estimate", "exact", "exact"]})
    >>> exact_front(table, ["latency"]).tolist()
    [False, True, False]
    """
    exact = (points["price"] == EXACT).to_numpy(dtype=bool)
    if not exact.any():
        return pareto_front(points, objectives)
    left = points[list(objectives)].copy()
    left.loc[~exact] = np.nan
    return pareto_front(left, objectives)


def front(values: Floats) -> npt.NDArray[np.bool_]:
    """Which rows (n, objectives) no other dominates; less is better."""
    different, place = np.unique(values, axis=0, return_inverse=True)  # ascending: only earlier rows can dominate
    kept = np.zeros(len(different), np.bool_)
    best = np.empty((0, values.shape[1]))
    for first in range(0, len(different), 256):
        block = different[first : first + 256]
        free = ~dominated(block, best)
        free[free] = ~dominated(block[free], block[free])
        kept[first : first + len(block)] = free
        best = np.concatenate([best, block[free]])
    found: npt.NDArray[np.bool_] = kept[place.reshape(-1)]
    return found


def dominated(rows: Floats, by: Floats) -> npt.NDArray[np.bool_]:
    """Which rows some other row is at least as good as in everything, and better in something; less is better.

    Parameters
    ----------
    rows : (n, objectives).
    by : the other rows, (m, objectives).
    """
    found = np.zeros(len(rows), np.bool_)
    for start in range(0, len(rows), 1024):
        block, own = rows[start : start + 1024, None], found[start : start + 1024]
        for first in range(0, len(by), 1024):
            other = by[None, first : first + 1024]
            own |= np.any((other <= block).all(axis=2) & (other < block).any(axis=2), axis=1)
    return found


def hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The volume that points dominate below a reference; less is better. Exact, for any number of objectives.

    By slices along the last objective, down to two (Zitzler, 1999, "hypervolume by slicing objectives").

    Parameters
    ----------
    values : points, (n, m).
    reference : (m,).

    Examples
    --------
    >>> hypervolume([[1, 3], [2, 1]], [4, 4])       # 3 x 1 + 2 x 2 of it not in both
    7.0
    """
    corner = np.asarray(reference, np.float64)
    points = np.asarray(values, np.float64).reshape(-1, len(corner))
    points = points[(points < corner).all(axis=1)]
    return _volume(points[front(points)], corner) if len(points) else 0.0


def _volume(points: Floats, corner: Floats) -> float:
    if points.shape[1] == 1:
        return float(corner[0] - points.min())
    if points.shape[1] == 2:
        ordered = points[np.argsort(points[:, 0], kind="stable")]
        lowest = np.minimum.accumulate(ordered[:, 1])
        right = np.append(ordered[1:, 0], corner[0])
        return float(((right - ordered[:, 0]) * (corner[1] - lowest)).sum())
    ordered = points[np.argsort(points[:, -1], kind="stable")]
    tops = np.append(ordered[1:, -1], corner[-1])
    total, ahead = 0.0, np.empty((0, points.shape[1] - 1))
    for point, top in zip(ordered, tops, strict=True):
        ahead = np.concatenate([ahead, point[None, :-1]])
        ahead = ahead[front(ahead)]
        if top > point[-1]:
            total += (top - point[-1]) * _volume(ahead, corner[:-1])
    return total
