"""A step's cost is the least over the SubNets that are accurate enough, its row the SubNet that has it."""

import numpy as np
import pytest

from mapper.serving.transition_costs import StepCosts
from tests.mapper.serving_tables import SMALL, random_table


def test_by_hand():
    costs = StepCosts(SMALL)
    assert [costs.level(a) for a in (0.0, 0.8, 0.81, 0.9, 0.99)] == [0, 0, 1, 2, 2]
    assert costs.after(2, 0).tolist() == [400, 430, 480]
    assert costs.after(1, 0).tolist() == [200, 230, 280]  # the middle one is the faster of two
    assert costs.row(1, 2, 2) == 1 and costs.after(1, 2)[2] == 170


@pytest.mark.parametrize("of_subnet", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_every_step_is_the_least(seed, of_subnet):
    table = random_table(seed, of_subnet=of_subnet)
    costs = StepCosts(table)
    extra = np.broadcast_to(table.switch_s, (table.shape[0], *table.switch_s.shape[1:]))
    for level, accuracy in enumerate(costs.levels):
        legal = np.flatnonzero(table.accuracy >= accuracy)
        for before in range(table.shape[1]):
            for after in range(table.shape[1]):
                seconds = table.latency_s[legal, before] + extra[legal, before, after]
                assert costs.after(level, before)[after] == costs.all(level)[before, after] == seconds.min()
                row = costs.row(level, before, after)
                assert row in legal and table.latency_s[row, before] + extra[row, before, after] == seconds.min()
