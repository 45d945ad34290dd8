"""What a page holds of the layers of chosen points: a table for each SubNet, and the roofs of the machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator

if TYPE_CHECKING:
    import pandas as pd

    from sim.explore import Study

MOST_POINTS = 24
"""So many points of the front have their layers in the page."""

SHAPES = ("K", "C", "R", "S", "P", "Q", "stride", "groups")
WHAT = ("name", "kind", *SHAPES, "macs")
"""Columns that are the same on every machine."""

COSTS = (
    "cycles", "utilisation", "dram_bytes", "pb_hit_bytes", "energy_j",
    "wait_sb_cycles", "wait_weights_cycles", "wait_out_cycles", "bound",
)  # fmt: skip
"""Columns of a point, as :data:`mapper.search.predict.COLUMNS` has them."""

OnPoint = Callable[[str, int, int], None]


def spread_points(front: Sequence[int], values: npt.NDArray[np.float64], most: int) -> list[int]:
    """Some points of a front: the best in each objective, then always the one farthest from those taken, ascending.

    Distances are Euclidean after each objective is scaled to 0..1, its logarithm where all values are above 0.

    Parameters
    ----------
    front : points.
    values : their objectives, smaller is better, (points, objectives).
    most : points to take.

    Examples
    --------
    >>> spread_points([5, 6, 7, 8], np.array([[1.0, 9], [1.1, 8], [4, 4], [9, 1]]), 3)
    [5, 7, 8]
    """
    if len(front) <= most:
        return sorted(front)
    positive = (values > 0).all(axis=0)
    scaled = np.where(positive, np.log(np.where(positive, values, 1.0)), values)
    span = np.ptp(scaled, axis=0)
    scaled = (scaled - scaled.min(axis=0)) / np.where(span > 0, span, 1.0)
    taken = list(dict.fromkeys(int(best) for best in np.argmin(scaled, axis=0)))[:most]
    nearest = np.full(len(front), math.inf)
    for place in taken:
        nearest = np.minimum(nearest, np.linalg.norm(scaled - scaled[place], axis=1))
    while len(taken) < most:
        place = int(np.argmax(nearest))
        taken.append(place)
        nearest = np.minimum(nearest, np.linalg.norm(scaled - scaled[place], axis=1))
    return sorted({front[place] for place in taken})


def roofs(accelerator: Accelerator) -> dict[str, float]:
    """The machine's limits: MACs a cycle, bytes a cycle of activations alone and of all data ports, and its clock."""
    interval = accelerator.dram.cycles_per_beat
    return {
        "macs_per_cycle": accelerator.multipliers,
        "port_bytes_per_cycle": accelerator.beat_bytes / interval,
        "bytes_per_cycle": accelerator.cycle_bytes / interval,
        "clock_hz": accelerator.clock_hz,
    }


def layer_data(
    study: Study, points: Sequence[int], subnets: Mapping[int, Sequence[str]], on_point: OnPoint | None = None
) -> dict[str, Any]:
    """Layers of points, columns of lists: what each is by SubNet, what it costs by point and SubNet.

    Parameters
    ----------
    study : of the points.
    points : their numbers.
    subnets : of each point, those to give.
    on_point : called with the stage of the work, how many points are done and how many there are.
    """
    what: dict[str, dict[str, list[Any]]] = {}
    costs: dict[int, dict[str, dict[str, list[Any]]]] = {}
    machines: dict[int, dict[str, float]] = {}
    for done, point in enumerate(points):
        if on_point is not None:
            on_point("layers of the front", done, len(points))
        machines[point] = roofs(study.accelerator(point))
        costs[point] = {}
        for subnet in subnets[point]:
            table = study.layers(point, subnet)
            what.setdefault(subnet, {column: _plain(table[column]) for column in WHAT})
            costs[point][subnet] = {column: _plain(table[column]) for column in COSTS}
    return {"what": what, "costs": costs, "machines": machines}


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Values that JSON has: no NumPy, None for NaN, floats of six digits."""
    values: list[Any] = []
    for value in column.tolist():
        if value is None or (isinstance(value, float) and math.isnan(value)):
            values.append(None)
        elif isinstance(value, float):
            values.append(int(value) if value.is_integer() else float(f"{value:.6g}"))
        else:
            values.append(value)
    return values
