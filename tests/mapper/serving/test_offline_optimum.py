"""The offline optimum: by hand, and against every schedule that there is."""

from itertools import product

import numpy as np
import pytest

from mapper.serving.offline_optimum import offline_optimum
from mapper.serving.transition_costs import StepCosts
from tests.mapper.serving_tables import SMALL, random_table


def test_by_hand():
    costs = StepCosts(SMALL)
    # One large query: 400. Two: 480 with the switch and 200, or 800 without.
    assert offline_optimum(costs, np.array([0.9])).seconds == 400
    two = offline_optimum(costs, np.array([0.9, 0.9]))
    assert two.seconds == 680 and two.columns[0] == 2 and two.rows.tolist() == [2, 2]
    # Small queries: graph1 costs 30 once and saves 40 from the second on.
    assert offline_optimum(costs, np.full(3, 0.8)).seconds == 130 + 60 + 60


@pytest.mark.parametrize("seed", range(30))
def test_no_schedule_is_better(seed):
    table = random_table(seed, subnets=3, subgraphs=3, of_subnet=bool(seed % 2))
    extra = np.broadcast_to(table.switch_s, (3, 3, 3))
    asked = np.random.default_rng(seed).choice(table.accuracy, 4)
    legal = [np.flatnonzero(table.accuracy >= a).tolist() for a in asked]
    least = np.inf
    for columns in product(range(3), repeat=4):
        for rows in product(*legal):
            before, total = 0, 0.0
            for row, column in zip(rows, columns, strict=True):
                total += table.latency_s[row, before] + extra[row, before, column]
                before = column
            least = min(least, total)
    found = offline_optimum(StepCosts(table), asked)
    assert found.seconds == least
    total, before = 0.0, 0
    for row, column, allowed in zip(found.rows, found.columns, legal, strict=True):
        assert row in allowed
        total += table.latency_s[row, before] + extra[row, before, column]
        before = column
    assert total == least  # the schedule has the cost that it claims
