"""Serving tables for tests: one small enough to decide by hand, and random ones."""

import numpy as np

from mapper.cost.switch_cost import Switches
from mapper.serving.latency_table import SushiAbs
from mapper.serving.serving_table import ServingTable


def table(cycles, accuracy, cached, vectors, extra, more=None, clock_hz=1.0):
    """A table whose bytes are its cycles and whose joules are a thousandth of them."""
    cycles = np.array(cycles, np.int64)
    extra = np.array(extra, np.int64)
    return ServingTable(
        SushiAbs(
            tuple(f"net{i}" for i in range(len(cycles))),
            ("none", *(f"graph{i}" for i in range(1, cycles.shape[1]))),
            np.array(cached, np.int64),
            cycles,
            np.array(accuracy, float),
            clock_hz,
        ),
        np.array(vectors, np.int64),
        cycles,
        cycles[:, :1] - cycles,
        cycles / 1000,
        Switches(extra, extra if more is None else np.array(more, np.int64)),
        0.001,
    )


SMALL = table(
    cycles=[[100, 60, 90], [200, 180, 170], [400, 380, 200]],
    accuracy=[0.80, 0.85, 0.90],
    cached=[[0, 0], [2, 2], [8, 8]],
    vectors=[[2, 2], [4, 4], [8, 8]],
    extra=[[[0, 30, 80], [0, 0, 80], [0, 30, 0]]],
)
"""Cycles are seconds. A switch takes 30 to graph1 and 80 to graph2, nothing to none, whichever SubNet runs."""


def random_table(seed, subnets=5, subgraphs=4, of_subnet=True):
    """Latencies 50 .. 149, switches 0 .. 59, some accuracies alike."""
    rng = np.random.default_rng(seed)
    extra = rng.integers(0, 60, (subnets if of_subnet else 1, subgraphs, subgraphs))
    extra[:, np.arange(subgraphs), np.arange(subgraphs)] = 0
    return table(
        rng.integers(50, 150, (subnets, subgraphs)),
        rng.integers(0, 4, subnets) / 10,
        np.vstack([np.zeros((1, 6)), rng.integers(0, 9, (subgraphs - 1, 6))]),
        rng.integers(0, 9, (subnets, 6)),
        extra,
    )
