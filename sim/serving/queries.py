"""Streams of queries: each an image and what it asks for, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mapper.serving.latency_table import SushiAbs
from mapper.serving.sushi_sched import Query

STAY = 0.8
"""Probability that a query's wishes are near those of the one before: the temporal locality of a stream."""

STEP = 0.12
"""How far near wishes lie apart (standard deviation), as a part of what the SubNets offer."""


@dataclass(frozen=True)
class ImageQuery:
    """One query: which image of the test set, and its targets.

    Attributes
    ----------
    image : number of the test image.
    targets : what is asked for.
    """

    image: int
    targets: Query


def draw_queries(table: SushiAbs, images: int, count: int, seed: int) -> list[ImageQuery]:
    """Queries with images.

    Targets span what the SubNets of the table offer with an empty PB. They walk: with probability :data:`STAY` a
    query's wishes are :data:`STEP` from the last one's, turning back at the ends of the span; else they are drawn anew.

    Parameters
    ----------
    table : latencies and accuracies.
    images : how many test images there are.
    count : of queries.
    seed : of the draws.
    """
    rng = np.random.default_rng(seed)
    latency = table.latency_s[:, 0]
    level, wishes = np.zeros(2), []
    for i in range(count):
        step = rng.normal(0.0, STEP, 2)
        level = 1.0 - np.abs(1.0 - np.abs(level + step)) if i and rng.random() < STAY else rng.random(2)
        accuracy = table.accuracy.min() + level[0] * (table.accuracy.max() - table.accuracy.min())
        slack = latency.min() + level[1] * (latency.max() - latency.min())
        image = int(rng.integers(images))
        wishes.append(ImageQuery(image, Query(float(accuracy), float(slack))))
    return wishes
