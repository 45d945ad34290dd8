"""Rules for SubNets and SubGraphs on a table small enough to decide by eye."""

import numpy as np
import pytest

from mapper.serving.decision_tables import Decisions
from mapper.serving.policies import (
    RandomSubNet,
    Separate,
    SlackFit,
    StaticCache,
    StaticSubNet,
    StrictAccuracy,
    StrictLatency,
    SushiCache,
)
from mapper.serving.sushi_sched import Policy, Query, SushiSched
from tests.mapper.serving_tables import SMALL, random_table

DECISIONS = Decisions(SMALL.latency_s, SMALL.accuracy)


def test_slackfit_takes_the_highest_bucket_that_ends_in_time():
    # Latencies 60 .. 400 in four buckets of 85: they end at 145, 230, 315, 400.
    rule = SlackFit(DECISIONS, buckets=4)
    assert [rule.row(0, 0.0, slack) for slack in (50, 144, 145, 229, 230, 314, 315, 399, 400, 1e9)] == [
        *(0, 0, 0, 0),
        *(1, 1),
        *(1, 1),  # the third bucket is empty: what the second has
        *(2, 2),
    ]
    assert rule.row(2, 0.0, 230) == 2  # with graph2 the large one takes 200


def test_a_random_rule_is_its_seed():
    drawn = [[rule.row(0, 0, 0) for _ in range(100)] for rule in (RandomSubNet(3, 1), RandomSubNet(3, 1))]
    assert drawn[0] == drawn[1] and set(drawn[0]) == {0, 1, 2}


def test_static_rules_never_change():
    scheduler = Separate(StaticSubNet(1), StaticCache(2))
    assert [scheduler.decide(a, 1.0) for a in (0.0, 0.9)] == [(1, 2), (1, 2)]


@pytest.mark.parametrize("window", [1, 2, 3, 8])
@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("seed", range(5))
def test_separate_rules_are_sushi(seed, policy, window):
    """The tabulated rules against SushiSched, which computes each average and distance."""
    table = random_table(seed, subnets=6, subgraphs=5)
    decisions = Decisions(table.latency_s, table.accuracy)
    rule = StrictAccuracy(decisions) if policy is Policy.STRICT_ACCURACY else StrictLatency(decisions)
    ours = Separate(rule, SushiCache(table, window))
    plain = SushiSched(table.sushi, table.vectors, policy, window)
    rng = np.random.default_rng(seed)
    for accuracy, latency in zip(rng.random(60) / 2, 150 * rng.random(60), strict=True):
        assert ours.decide(accuracy, latency) == plain.serve(Query(accuracy, latency))


@pytest.mark.parametrize("make", [lambda: SushiCache(SMALL, 0), lambda: SlackFit(DECISIONS, 0)])
def test_nothing_is_refused(make):
    with pytest.raises(ValueError, match="is 0; give at least 1"):
        make()
