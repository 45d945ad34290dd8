"""Fronts and volumes by hand, against brute force, and their laws."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.explore.pareto import costs, hypervolume, pareto_front

points_of = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.tuples(*[st.integers(0, 5)] * m), min_size=1, max_size=30)
)  # few values: many ties


def frame(rows: list[tuple[int, ...]]) -> pd.DataFrame:
    return pd.DataFrame(np.array(rows, float), columns=[f"o{i}" for i in range(len(rows[0]))])


@given(points_of)
def test_front_against_the_definition(rows: list[tuple[int, ...]]) -> None:
    table = frame(rows)

    def dominated(row: tuple[int, ...]) -> bool:
        return any(all(a <= b for a, b in zip(other, row, strict=True)) and other != row for other in rows)

    assert pareto_front(table, list(table.columns)).tolist() == [not dominated(row) for row in rows]


def test_a_large_front_is_found_in_blocks() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=3000)
    table = pd.DataFrame({"a": np.append(x, x), "b": np.append(1 - x, 1.1 - x)})
    assert pareto_front(table, ["a", "b"]).tolist() == [True] * 3000 + [False] * 3000


def test_illegal_points_are_not_on_it_and_more_accuracy_is_better() -> None:
    table = pd.DataFrame(
        {"latency": [1.0, 2.0, np.nan, 3.0], "accuracy": [80.0, 90.0, np.nan, 85.0]}, index=[5, 6, 7, 8]
    )
    front = pareto_front(table, ["latency", "accuracy"])
    assert front.to_dict() == {5: True, 6: True, 7: False, 8: False}
    assert costs(table, ["latency", "accuracy"])[0].tolist() == [1.0, -80.0]


@pytest.mark.parametrize(
    "rows,corner,volume",
    [
        ([[1.0]], [3.0], 2.0),
        ([[1, 3], [2, 1]], [4, 4], 7.0),
        ([[0, 0, 0]], [2, 3, 4], 24.0),
        ([[1, 1, 0], [0, 1, 1], [1, 0, 1]], [2, 2, 2], 4.0),  # 2 + 2 + 2 less the shared corner, twice
        ([[3, 0], [0, 5]], [3, 5], 0.0),  # on the border
        ([], [1, 1], 0.0),
    ],
)
def test_volume_by_hand(rows: list[list[float]], corner: list[float], volume: float) -> None:
    assert hypervolume(np.array(rows).reshape(-1, len(corner)), corner) == volume


@settings(deadline=None)
@given(points_of)
def test_volume_against_counted_cells(rows: list[tuple[int, ...]]) -> None:
    size = len(rows[0])
    cells = itertools.product(range(5), repeat=size)
    counted = sum(any(all(p <= c for p, c in zip(row, cell, strict=True)) for row in rows) for cell in cells)
    assert hypervolume(rows, [5] * size) == counted


def test_volume_in_optuna() -> None:
    hypervolumes = pytest.importorskip("optuna._hypervolume")
    values = np.random.default_rng(3).uniform(size=(200, 3))
    assert hypervolume(values, [1, 1, 1]) == pytest.approx(
        hypervolumes.compute_hypervolume(values, np.ones(3)), rel=1e-12
    )
