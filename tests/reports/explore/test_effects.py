"""What a knob explains: by hand, and against SciPy's analysis of variance."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f_oneway

from reports.explore.effects import MOST_GROUPS, effect, explained, groups_of, order_of


def test_epsilon_squared_by_hand():
    # Means 2 and 5, all 3.5; between 4 * 1.5^2 = 9, within 4 * 1 = 4, total 13: (9 - 1 * 4 / 2) / 13
    assert explained(np.array([0, 0, 1, 1]), np.array([1.0, 3.0, 4.0, 6.0])) == pytest.approx(7 / 13)


def test_parts_of_a_whole_grid_of_knobs_that_add_up_are_the_whole():
    # y = a + 3 b: the variances of a (0, 1, 2: 2/3) and of 3 b (0, 3: 9/4) are all there is
    a, b = (axis.ravel() for axis in np.meshgrid([0, 1, 2], [0, 1]))
    y = (a + 3 * b).astype(float)
    assert explained(a, y, sampled=False) == pytest.approx((2 / 3) / (2 / 3 + 9 / 4))
    assert explained(b, y, sampled=False) == pytest.approx((9 / 4) / (2 / 3 + 9 / 4))
    assert explained(a, y) == 0  # of six sampled points it may be chance


@given(st.integers(0, 1000), st.integers(2, 5), st.integers(8, 60))
def test_epsilon_squared_is_that_of_the_f_statistic(seed, groups, n):
    rng = np.random.default_rng(seed)
    group = np.concatenate([np.arange(groups), rng.integers(0, groups, n)])
    y = rng.normal(size=len(group)) + group * rng.uniform(0, 2)
    f = f_oneway(*(y[group == g] for g in range(groups))).statistic
    within = len(y) - groups
    expected = (groups - 1) * (f - 1) / ((groups - 1) * f + within)  # Carroll and Nordholm, 1975
    assert explained(group, y) == pytest.approx(max(expected, 0), abs=1e-9)


def test_a_constant_objective_is_explained_by_nothing():
    group = np.array([0, 1] * 20)
    assert explained(group, np.full(40, 0.1)) == 0
    assert effect(group, np.full(40, 0.1)).ratio == 1


def test_a_knob_without_effect_gets_little_however_many_values_it_has():
    rng = np.random.default_rng(5)
    found = [explained(rng.permutation(np.arange(200) % 20), rng.normal(size=200)) for _ in range(200)]
    assert np.mean(found) < 0.03  # the part between groups alone would be 19 / 199


def test_spread_and_ratio_of_two_groups():
    group = np.repeat([0, 1], 101)
    found = effect(group, np.concatenate([np.arange(100, 201), 2.0 * np.arange(100, 201)]))
    assert found.spread.tolist() == [[105, 125, 150, 175, 195], [210, 250, 300, 350, 390]]
    assert found.ratio == 2


def test_objectives_that_are_not_above_zero_have_no_ratio():
    assert math.isnan(effect(np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 2.0, 3.0])).ratio)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=300))
def test_groups_hold_every_point_once_in_order(values):
    column = np.array(values, dtype=float)
    edges, group = groups_of(column)
    assert len(edges) <= MOST_GROUPS
    assert set(group) == set(range(len(edges)))
    for (low, high), g in zip(edges, range(len(edges)), strict=True):
        own = column[group == g]
        assert (own.min(), own.max()) == (low, high)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(edges))


def test_knobs_are_ordered_by_their_mean_effect():
    weak = effect(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 1.0, 2.0]))
    strong = effect(np.array([0, 0, 1, 1]), np.array([1.0, 1.0, 2.0, 2.0]))
    assert order_of([[weak, weak], [strong, weak], [strong, strong]]) == [2, 1, 0]
