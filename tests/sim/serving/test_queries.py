"""Streams are drawn from their seed alone and ask for what the SubNets offer."""

import numpy as np

from mapper.serving.latency_table import SushiAbs
from sim.serving.queries import draw_queries

TABLE = SushiAbs(
    ("a", "b"), ("none",), np.zeros((1, 2), np.int64), np.array([[100], [300]]), np.array([0.8, 0.9]), 100.0
)


def test_the_same_seed_is_the_same_stream():
    stream = draw_queries(TABLE, 10, 50, seed=3)
    assert stream == draw_queries(TABLE, 10, 50, seed=3)
    assert stream != draw_queries(TABLE, 10, 50, seed=4)
    assert stream[:20] == draw_queries(TABLE, 10, 20, seed=3)


def test_targets_lie_in_what_the_table_offers_and_neighbours_are_alike():
    stream = draw_queries(TABLE, 10, 400, seed=0)
    accuracy = np.array([q.targets.min_accuracy for q in stream])
    latency = np.array([q.targets.max_latency_s for q in stream])
    assert accuracy.min() >= 0.8 and accuracy.max() <= 0.9
    assert latency.min() >= 1.0 and latency.max() <= 3.0
    assert {q.image for q in stream} == set(range(10))
    steps = np.abs(np.diff(accuracy))
    shuffled = np.abs(np.diff(np.random.default_rng(1).permutation(accuracy)))
    assert np.median(steps) < 0.5 * np.median(shuffled)
