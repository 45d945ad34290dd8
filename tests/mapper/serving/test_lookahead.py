"""Our scheduler keeps every target, pays for what it switches, and is near the best that was possible."""

import numpy as np
import pytest

from mapper.serving.decision_tables import Decisions
from mapper.serving.lookahead import LOOKS, ForecastCache, ForecastSched
from mapper.serving.offline_optimum import offline_optimum
from mapper.serving.policies import Separate, StrictAccuracy, StrictLatency, SushiCache
from mapper.serving.transition_costs import StepCosts
from sim.serving.streams import Targets
from tests.mapper.serving_tables import SMALL, random_table, table


def run(made, scheduler, accuracy, slack=1e9):
    extra = np.broadcast_to(made.switch_s, (made.shape[0], *made.switch_s.shape[1:]))
    before, total, rows = 0, 0.0, []
    for asked in accuracy.tolist():
        row, column = scheduler.decide(asked, slack)
        total += made.latency_s[row, before] + extra[row, before, column]
        before = column
        rows.append(row)
    return total, rows


def test_it_holds_what_the_stream_needs():
    scheduler = ForecastSched(StepCosts(SMALL))
    columns = [scheduler.decide(0.9, 1e9)[1] for _ in range(30)]
    assert columns == [2] * 30  # saves 200 a query for 80 once


def test_it_leaves_alone_what_does_not_pay():
    dear = table(SMALL.sushi.cycles, SMALL.accuracy, SMALL.sushi.vectors, SMALL.vectors, 10**5 * (1 - np.eye(3))[None])
    scheduler = ForecastSched(StepCosts(dear))
    assert {scheduler.decide(a, 1e9)[1] for a in (0.8, 0.85, 0.9) * 10} == {0}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_every_query_gets_its_accuracy_and_no_schedule_beats_the_optimum(seed, whole, monkeypatch):
    made = random_table(seed, subnets=8, subgraphs=5, of_subnet=bool(seed % 2) and not whole)
    if whole:  # as a table that is too large for a Markov chain
        monkeypatch.setattr("mapper.serving.transition_costs.MOST", 0)
    targets = Targets((0.0, float(made.accuracy.max())), (1.0, 1.0), stay=0.8)
    accuracy = targets.draw(400, np.random.default_rng(seed))[0]
    costs = StepCosts(made)
    best = offline_optimum(costs, accuracy).seconds
    total, rows = run(made, ForecastSched(costs), accuracy)
    assert all(made.accuracy[row] >= asked for row, asked in zip(rows, accuracy, strict=True))
    rule = StrictAccuracy(Decisions(made.latency_s, made.accuracy))
    sushi, _ = run(made, Separate(rule, SushiCache(made, 4)), accuracy)
    assert total >= best * (1 - 1e-9)
    if not whole:
        assert total <= sushi * (1 + 1e-9)  # vectors of these tables say nothing about their latency
        assert total <= 1.10 * best


@pytest.mark.parametrize("seed", range(4))
def test_value_iteration_in_small_pieces_comes_to_the_same(seed, monkeypatch):
    made = random_table(seed, subnets=8, subgraphs=5)
    targets = Targets((0.0, float(made.accuracy.max())), (1.0, 1.0), stay=0.8)
    accuracy = targets.draw(1000, np.random.default_rng(seed))[0]
    costs = StepCosts(made)
    totals = []
    for work in (10**9, 1):  # everything at once, or one row at a time
        monkeypatch.setattr("mapper.serving.lookahead.WORK", work)
        totals.append(run(made, ForecastSched(costs), accuracy)[0])
    assert totals[1] == pytest.approx(totals[0], rel=0.02)


@pytest.mark.parametrize("work", [10**9, 200, 1])
def test_subgraphs_that_are_alike_are_never_exchanged(work, monkeypatch):
    """However far value iteration has come: what is compared is of one sweep."""
    monkeypatch.setattr("mapper.serving.lookahead.WORK", work)
    cycles, switch = np.full((3, 40), [[100], [200], [400]]), (1 - np.eye(40))[None]
    alike = table(cycles, [0.8, 0.85, 0.9], np.zeros((40, 2)), np.zeros((3, 2)), switch)
    accuracy = Targets((0.8, 0.9), (1.0, 1.0), stay=0.8).draw(500, np.random.default_rng(0))[0]
    scheduler = ForecastSched(StepCosts(alike))
    assert {scheduler.decide(asked, 1e9)[1] for asked in accuracy.tolist()} == {0}


def test_many_subgraphs_are_asked_about_in_turn():
    rng = np.random.default_rng(3)
    cycles = rng.integers(900, 1000, (4, 30))
    cycles[:, 23] = 500
    cached, nets = rng.integers(0, 9, (30, 6)), rng.integers(0, 9, (4, 6))
    free = table(cycles, [0.1, 0.2, 0.3, 0.4], cached, nets, np.zeros((1, 30, 30)))
    asked = []

    class Counting(StrictLatency):
        def row(self, column, accuracy, slack_s):
            asked.append(column)
            return super().row(column, accuracy, slack_s)

    scheduler = ForecastCache(free, Counting(Decisions(free.latency_s, free.accuracy)))
    columns = [scheduler.decide(0.0, 2000.0)[1] for _ in range(40)]
    assert columns[-1] == 23 and set(asked) == set(range(30))
    assert len(asked) <= 40 * (LOOKS + 1)


def test_strict_latency_is_kept_when_it_switches():
    rule = StrictLatency(Decisions(SMALL.latency_s, SMALL.accuracy))
    scheduler = ForecastCache(SMALL, rule, accuracy_first=True)
    # In 250 s graph2 makes the large SubNet fast enough, but its switch fits beside the middle one's 200 s only in 280.
    assert {scheduler.decide(0.0, 250)[1] for _ in range(40)} == {0}
    assert scheduler.decide(0.0, 290) == (1, 2)
    assert scheduler.decide(0.0, 250) == (2, 2)


def test_a_horizon_that_never_ends_is_refused():
    with pytest.raises(ValueError, match="keep is 1"):
        ForecastSched(StepCosts(SMALL), keep=1)
