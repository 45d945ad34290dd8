"""All points that can be on the front are priced exactly, as long as no estimate is worse than those that were seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.explore.pareto import front, pareto_front
from sim.explore.refine import FEW, SAMPLE, estimate_errors, possible, refine


def table(estimates: np.ndarray, legal: np.ndarray) -> pd.DataFrame:
    found = pd.DataFrame(estimates, columns=["latency", "area"])
    return found.assign(legal=legal)


class Prices:
    """Exact prices that are asked for, and by how much they differ from the estimates."""

    def __init__(self, exact: pd.DataFrame) -> None:
        self.exact, self.asked, self.totals = exact, list[int](), list[int]()

    def __call__(self, numbers: np.ndarray, total: int) -> pd.DataFrame:
        assert not set(numbers) & set(self.asked)
        self.asked += numbers.tolist()
        self.totals.append(total)
        assert total == len(self.asked)
        return self.exact.loc[numbers]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.02, 0.1]))
def test_the_front_is_that_of_all_points_priced_exactly(seed: int, error: float) -> None:
    rng = np.random.default_rng(seed)
    estimates, legal = rng.integers(10, 60, (300, 2)).astype(float), rng.random(300) < 0.9
    exact = table(estimates * [1, 1], legal)
    factors = 1 - error * rng.random(300)
    exact["latency"] *= factors
    exact.loc[~legal, ["latency", "area"]] = np.nan
    prices = Prices(exact)
    refine(table(estimates, legal), ["latency", "area"], prices, FEW)
    done = exact.loc[sorted(prices.asked)]
    least = (done["latency"] / estimates[done.index, 0]).min()
    # Of points that were left out none is on the front, if its estimate is no worse than those that were seen.
    other = exact.drop(done.index)[legal[~exact.index.isin(done.index)]]
    believed = other.assign(latency=np.maximum(other["latency"], estimates[other.index, 0] * least))
    assert set(pd.concat([done, believed])[front_of(done, believed)].index) <= set(done.index)
    assert SAMPLE <= len(done) < legal.sum()


def front_of(*tables: pd.DataFrame) -> np.ndarray:
    return pareto_front(pd.concat(tables), ["latency", "area"]).to_numpy(dtype=bool)


def test_few_points_and_those_who_ask_get_every_exact_price() -> None:
    rng = np.random.default_rng(1)
    points = table(rng.random((120, 2)), np.arange(120) < 100)
    for programs, exact in ((2, False), (50, True)):
        prices = Prices(points)
        refine(points, ["latency", "area"], prices, programs, exact)
        assert prices.asked == list(range(100)) and prices.totals == [100]
    prices = Prices(points)
    refine(points, ["latency", "area"], prices, 3)
    assert len(prices.asked) < 100


def test_a_point_that_turns_out_not_to_be_legal_hides_none() -> None:
    estimates = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    known, done = np.array([[np.nan, np.nan], [2, 2], [np.nan, np.nan]]), np.array([True, True, False])
    assert possible(estimates, known, done).tolist() == [False, False, False]
    assert possible(estimates, np.full((3, 2), np.nan), np.array([True, False, False])).tolist() == [False, True, True]


def test_factors_above_one_are_not_believed() -> None:
    """Estimates that were all too low may be right for once."""
    estimates, done = np.array([[10.0, 1.0], [10.5, 1.0]]), np.array([True, False])
    assert possible(estimates, np.array([[12.0, 1.0], [np.nan, np.nan]]), done).tolist() == [False, True]


def test_errors_by_hand() -> None:
    points = pd.DataFrame(
        {
            "latency": [2.0, 4.0, 10.0, 1.0, np.nan],
            "energy": [1.0, 1.0, 1.0, 1.0, np.nan],
            "legal": [True, True, True, True, False],
            "price": ["exact", "exact", "exact", "estimate", "exact"],
            "estimated_latency": [2.2, 4.0, 9.0, 1.0, 5.0],
        }
    )
    (name, error), *rest = estimate_errors(points).items()
    assert name == "latency" and not rest
    assert (error.points, error.median) == (3, 0.0)
    assert error.worst == pytest.approx(0.1) and error.p95 == pytest.approx(0.1)
    assert estimate_errors(points.assign(price="estimate")) == {} == estimate_errors(pd.DataFrame())


def test_front_and_pareto_front_agree() -> None:
    values = np.random.default_rng(2).integers(0, 9, (50, 2)).astype(float)
    points = pd.DataFrame(values, columns=["latency", "area"])
    assert front(values).tolist() == pareto_front(points, ["latency", "area"]).tolist()
