"""Tabulated decisions are those of the rule as it is written, on every table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.serving.decision_tables import Decisions
from mapper.serving.sushi_sched import Policy, Query, choose_subnet
from tests.mapper.serving_tables import SMALL, random_table

small = Decisions(SMALL.latency_s, SMALL.accuracy)


@pytest.mark.parametrize(
    ("column", "accuracy", "row"),
    [(0, 0.79, 0), (0, 0.80, 0), (0, 0.81, 1), (0, 0.90, 2), (0, 0.95, 2), (2, 0.85, 1)],
)
def test_strict_accuracy_by_hand(column, accuracy, row):
    assert small.strict_accuracy(column, accuracy) == row


@pytest.mark.parametrize(
    ("column", "latency", "row"), [(0, 250, 1), (0, 200, 1), (0, 199.9, 0), (2, 200, 2), (0, 50, 0), (0, -1, 0)]
)
def test_strict_latency_by_hand(column, latency, row):
    assert small.strict_latency(column, latency) == row


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.floats(-0.1, 0.5), st.floats(0, 200))
def test_any_table_decides_as_the_rule_does(seed, accuracy, latency):
    made = random_table(seed, subnets=7)
    found = Decisions(made.latency_s, made.accuracy)
    for column in range(made.shape[1]):
        query = Query(accuracy, latency)
        assert found.strict_accuracy(column, accuracy) == choose_subnet(
            made.sushi, column, query, Policy.STRICT_ACCURACY
        )
        assert found.strict_latency(column, latency) == choose_subnet(made.sushi, column, query, Policy.STRICT_LATENCY)


def test_a_thousand_subnets_are_ready_soon_and_right():
    rng = np.random.default_rng(1)
    latency, accuracy = rng.random((1000, 20)), rng.random(1000)
    found = Decisions(latency, accuracy)
    for column, asked in zip(rng.integers(20, size=50).tolist(), rng.random(50).tolist(), strict=True):
        legal = np.flatnonzero(accuracy >= asked)
        if len(legal):
            assert found.strict_accuracy(column, asked) == legal[latency[legal, column].argmin()]
