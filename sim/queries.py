"""Streams of queries: each an image and what it asks for, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mapper.sushi_abs import SushiAbs
from mapper.sushi_sched import Query

STAY = 0.85
"""Probability that a query's wishes are near those of the one before: the temporal locality of a stream."""


@dataclass(frozen=True)
class ImageQuery:
    """One query: which image of the test set, and its targets."""

    image: int
    targets: Query


def draw_queries(table: SushiAbs, images: int, count: int, seed: int) -> list[ImageQuery]:
    """``count`` queries over ``images`` images, reproducible from ``seed``.

    Targets span what the SubNets of ``table`` offer with an empty PB. They walk: with probability :data:`STAY` a query's
    wishes differ from the last one's by a few per cent of that span, else they are drawn anew.
    """
    rng = np.random.default_rng(seed)
    latency = table.latency_s[:, 0]
    level, wishes = np.zeros(2), []
    for i in range(count):
        step = rng.normal(0.0, 0.08, 2)
        level = np.clip(level + step, 0.0, 1.0) if i and rng.random() < STAY else rng.random(2)
        accuracy = table.accuracy.min() + level[0] * (table.accuracy.max() - table.accuracy.min())
        slack = latency.min() + level[1] * (latency.max() - latency.min())
        image = int(rng.integers(images))
        wishes.append(ImageQuery(image, Query(float(accuracy), float(slack))))
    return wishes
