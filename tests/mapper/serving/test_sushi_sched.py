"""SushiSched on a table small enough to decide by eye."""

import numpy as np
import pytest

from mapper.serving.latency_table import SushiAbs
from mapper.serving.sushi_sched import Policy, Query, SushiSched, choose_subgraph, choose_subnet

TABLE = SushiAbs(
    subnets=("small", "middle", "large"),
    subgraphs=("none", "for small", "for large"),
    vectors=np.array([[0, 0], [2, 2], [8, 8]]),
    cycles=np.array([[100, 60, 90], [200, 180, 170], [400, 380, 200]]),
    accuracy=np.array([0.80, 0.85, 0.90]),
    clock_hz=1.0,
)
VECTORS = np.array([[2, 2], [4, 4], [8, 8]])


@pytest.mark.parametrize(
    ("policy", "column", "query", "row"),
    [
        (Policy.STRICT_ACCURACY, 0, Query(0.79, 1), 0),  # the fastest of all
        (Policy.STRICT_ACCURACY, 0, Query(0.81, 1), 1),  # the fastest of two
        (Policy.STRICT_ACCURACY, 0, Query(0.90, 1), 2),
        (Policy.STRICT_ACCURACY, 0, Query(0.95, 1), 2),  # nobody: the most accurate
        (Policy.STRICT_LATENCY, 0, Query(0, 250), 1),  # the most accurate of two
        (Policy.STRICT_LATENCY, 2, Query(0, 250), 2),  # the cached SubGraph makes the large one fast enough
        (Policy.STRICT_LATENCY, 0, Query(0, 50), 0),  # nobody: the fastest
    ],
)
def test_a_policy_keeps_its_target(policy, column, query, row):
    assert choose_subnet(TABLE, column, query, policy) == row


def test_equal_latency_goes_to_the_more_accurate():
    table = SushiAbs(TABLE.subnets, TABLE.subgraphs, TABLE.vectors, np.full((3, 3), 7), TABLE.accuracy, 1.0)
    assert choose_subnet(table, 0, Query(0.0, 100), Policy.STRICT_ACCURACY) == 2


def test_the_nearest_candidate_to_the_average():
    assert choose_subgraph(TABLE, np.array([[2, 2], [4, 4]])) == 1  # mean (3, 3)
    assert choose_subgraph(TABLE, np.array([[8, 8], [4, 4]])) == 2  # mean (6, 6): 2.8 from (8, 8), 5.7 from (2, 2)


def test_every_window_queries_the_cache_changes():
    scheduler = SushiSched(TABLE, VECTORS, Policy.STRICT_ACCURACY, window=2)
    asked = [0.9, 0.9, 0.8, 0.8, 0.8]
    served = [scheduler.serve(Query(accuracy, 1e9)) for accuracy in asked]
    # Two large ones with nothing cached, then their SubGraph, then that of the two small ones.
    assert served == [(2, 0), (2, 0), (0, 2), (0, 2), (0, 1)]


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="window is 0"):
        SushiSched(TABLE, VECTORS, Policy.STRICT_ACCURACY, window=0)
