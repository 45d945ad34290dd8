"""The study as the data that a page carries: columns in the units that it writes, nothing that it does not show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.machine.accelerator_yaml import accelerator_yaml
from reports.explore.effects import QUANTILES, effect, groups_of, order_of
from reports.explore.layers import MOST_POINTS, OnPoint, layer_data, spread_points
from reports.explore.machine_text import changed_lines
from reports.explore.quantities import MEASURES, scale_of, value_labels
from reports.explore.reproduce_command import reproduce_command
from sim.explore.knobs import SUBNET
from sim.explore.pareto import LARGER_IS_BETTER, costs, exact_front

if TYPE_CHECKING:
    from sim.explore import Knob, Study

MOST_SHOWN = 5000
"""So many points are drawn: all of the front, of the others evenly many."""

Floats = npt.NDArray[np.float64]


def payload(study: Study, on_point: OnPoint | None = None, most: int = MOST_SHOWN) -> dict[str, Any]:
    """What the page's script reads, ready for JSON.

    ``points``: columns of the points that are drawn, ``knobs`` by place in the knob's values, ``objectives`` in the
    unit of ``objectives``; ``yaml``: their machines as lines that differ from the base's; ``layers``: see
    :func:`~reports.explore.layers.layer_data`; ``effects``: see :mod:`reports.explore.effects`.

    Parameters
    ----------
    study : with its points.
    on_point : called with the stage of the work, how many points are done and how many there are.
    most : points that are drawn.
    """

    points = study.points
    legal = points[points["legal"].to_numpy(dtype=bool)]
    front = exact_front(legal, study.objectives).to_numpy(dtype=bool)
    shown = shown_rows(front, most)
    table, on_front = legal.iloc[shown], front[shown]
    ids = [int(point) for point in table.index]
    objectives = [_objective(name, _floats(legal, name)) for name in study.objectives]
    knobs = [_knob(knob, study) for knob in study.knobs]
    base = accelerator_yaml(study.base)
    layered, made = _layered(study, legal, front), reproduce_command(study)
    return {
        "objectives": objectives,
        "knobs": knobs,
        "front": int(front.sum()),
        "legal": len(legal),
        "points": {
            "id": ids,
            "front": [int(flag) for flag in on_front],
            "knobs": [_places(knob, table[knob.name]) for knob in study.knobs],
            "objectives": [
                [float(f"{value / one['factor']:.7g}") for value in _floats(table, one["name"])] for one in objectives
            ],
        },
        "yaml": {
            "base": base,
            "lines": list(changed_lines(base, (accelerator_yaml(study.accelerator(point)) for point in ids))),
        },
        "layers": layer_data(study, layered, {point: _subnets(study, point) for point in layered}, on_point),
        "effects": effects(study, legal, front, objectives),
        "command": {"before": made.before, "subnets": made.subnets, "after": made.after},
    }


def shown_rows(front: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.int64]:
    """Rows to draw, ascending: those of the front first, then evenly spaced ones of the others.

    Parameters
    ----------
    front : which rows are on it, (n,).
    most : rows to draw.

    Examples
    --------
    >>> shown_rows(np.array([False, True, False, False, False]), 3)
    array([0, 1, 3])
    """
    ahead, behind = np.flatnonzero(front)[:most], np.flatnonzero(~front)
    left = min(most - len(ahead), len(behind))
    picked = behind[np.arange(left) * len(behind) // max(left, 1)]
    return np.sort(np.concatenate([ahead, picked]))


def effects(study: Study, legal: pd.DataFrame, front: npt.NDArray[np.bool_], objectives: Sequence[Any]) -> list[Any]:
    """For each knob that varies, the most telling first: its groups, where the front is, its effect on objectives.

    Parameters
    ----------
    study : of the points.
    legal : its legal points.
    front : which of them are on the front.
    objectives : as the page has them.
    """
    rows, found = [], []
    for place, knob in enumerate(study.knobs):
        values = _floats(legal, knob.name)
        if len(np.unique(values)) < 2:
            continue
        edges, group = groups_of(values)
        one = [effect(group, _floats(legal, name), study.sampler != "grid") for name in study.objectives]
        found.append(one)
        write = dict(zip(_sorted(knob), _labels(knob, study), strict=True))
        rows.append(
            {
                "knob": place,
                "groups": [write[low] if low == high else f"{write[low]} … {write[high]}" for low, high in edges],
                "count": np.bincount(group).tolist(),
                "front": np.bincount(group[front], minlength=len(edges)).tolist(),
                "objectives": [
                    {
                        "explained": round(e.explained, 4),
                        "ratio": None if math.isnan(e.ratio) else float(f"{e.ratio:.4g}"),
                        "spread": [
                            [float(f"{v / objective['factor']:.6g}") for v in e.spread[:, q]]
                            for q in range(len(QUANTILES))
                        ],
                    }
                    for e, objective in zip(one, objectives, strict=True)
                ],
            }
        )
    return [rows[k] for k in order_of(found)]


# ---- columns ----


def _objective(name: str, values: Floats) -> dict[str, Any]:
    title, unit = MEASURES.get(name, (name, ""))
    scale = scale_of(values, unit)
    better = "max" if name in LARGER_IS_BETTER else "min"
    return {"name": name, "title": title, "unit": scale.unit, "factor": scale.factor, "better": better}


def _knob(knob: Knob, study: Study) -> dict[str, Any]:
    values = _sorted(knob)
    return {
        "name": knob.name,
        "labels": _labels(knob, study),
        "vary": [] if knob.name == SUBNET else [f"{knob.name}={value:.17g}{knob.unit}" for value in values],
    }


def _labels(knob: Knob, study: Study) -> list[str]:
    """The knob's values as they are written, ascending."""
    if knob.name == SUBNET:
        return [study.subnets[int(value)] for value in _sorted(knob)]
    return value_labels(_sorted(knob), knob.unit)


def _sorted(knob: Knob) -> list[float]:
    return sorted(float(value) for value in knob.values)


def _places(knob: Knob, column: pd.Series[Any]) -> list[int]:
    """Each value's place among the knob's, ascending."""
    values = np.array(_sorted(knob))
    at = np.searchsorted(values, column.to_numpy(dtype=float) * (1 - 1e-12))
    return [int(n) for n in np.minimum(at, len(values) - 1)]


def _floats(table: pd.DataFrame, name: str) -> Floats:
    return table[name].to_numpy(dtype=float)


# ---- layers ----


def _layered(study: Study, legal: pd.DataFrame, front: npt.NDArray[np.bool_]) -> list[int]:
    ahead = legal[front]
    return spread_points([int(point) for point in ahead.index], costs(ahead, study.objectives), MOST_POINTS)


def _subnets(study: Study, point: int) -> tuple[str, ...]:
    """The SubNet that a point runs; where it runs several those with the fewest and most MACs."""
    values = study.values(point)
    if SUBNET in values:
        return (study.subnets[int(values[SUBNET])],)
    least = min(study.nets, key=lambda net: net.macs)
    most = max(study.nets, key=lambda net: net.macs)
    return tuple(dict.fromkeys((least.name, most.name)))
