"""Who decides: rules for the SubNet of a query, rules for the SubGraph to cache, and the two together.

Each is a small class; one of a user's own needs only the methods of :class:`SubNetRule`, :class:`CacheRule` or
:class:`Scheduler`.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mapper.serving.decision_tables import Decisions
from mapper.serving.serving_table import ServingTable

Ints = npt.NDArray[np.int64]


class SubNetRule(Protocol):
    """Picks the SubNet of a query."""

    def row(self, column: int, accuracy: float, slack_s: float) -> int:
        """The SubNet for a query.

        Parameters
        ----------
        column : the SubGraph that is cached.
        accuracy : that the query asks for, a fraction.
        slack_s : seconds until its deadline.
        """


class CacheRule(Protocol):
    """Picks the SubGraph to cache."""

    def column(self) -> int:
        """The SubGraph to hold from the next query on; asked once before each query."""

    def served(self, row: int) -> None:
        """Called with the SubNet that has served a query."""


class Scheduler(Protocol):
    """What picks the SubNet of a query and the SubGraph that is cached after it."""

    def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
        """The SubNet of the next query, and the SubGraph that its Program leaves in the PB; the PB begins empty, column
        0.

        Parameters
        ----------
        accuracy : that the query asks for, a fraction.
        slack_s : seconds until its deadline.

        Returns
        -------
        row, column
        """


class Separate:
    """A SubNet rule and a cache rule, each for itself: the SubNet is chosen for the SubGraph that will be cached.

    Parameters
    ----------
    subnet : chooses the SubNet.
    cache : chooses the SubGraph.
    """

    def __init__(self, subnet: SubNetRule, cache: CacheRule) -> None:
        self._row, self._column, self._served = subnet.row, cache.column, cache.served

    def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
        column = self._column()
        row = self._row(column, accuracy, slack_s)
        self._served(row)
        return row, column


# ---- SubNets ----


class StrictAccuracy:
    """SUSHI's STRICT_ACCURACY: of the SubNets accurate enough the fastest."""

    def __init__(self, decisions: Decisions) -> None:
        self._choose = decisions.strict_accuracy

    def row(self, column: int, accuracy: float, slack_s: float) -> int:
        return self._choose(column, accuracy)


class StrictLatency:
    """SUSHI's STRICT_LATENCY: of the SubNets fast enough for the time that is left the most accurate."""

    def __init__(self, decisions: Decisions) -> None:
        self._choose = decisions.strict_latency

    def row(self, column: int, accuracy: float, slack_s: float) -> int:
        return self._choose(column, slack_s)


class SlackFit:
    """After SuperServe's SlackFit (NSDI 2025), for a machine that takes one query at a time.

    Latencies are divided into buckets of equal width. A query takes the highest bucket that ends within the time that
    is left, and the most accurate SubNet of it; the fastest SubNet if no bucket does. (SlackFit also chooses the size
    of a batch, of which there is none here.)

    Parameters
    ----------
    decisions : latencies and accuracies.
    buckets : how many, at least 1.

    Raises
    ------
    ValueError
        ``buckets`` is less.
    """

    def __init__(self, decisions: Decisions, buckets: int = 8) -> None:
        if buckets < 1:
            raise ValueError(f"buckets is {buckets}; give at least 1")
        latency = decisions.latency_s
        self._edges: list[float] = np.linspace(latency.min(), latency.max(), buckets + 1)[1:].tolist()
        self._rows: list[list[int]] = []
        for column, times in enumerate(latency.T):
            fastest = decisions.strict_latency(column, 0.0)
            rows, low = [fastest], 0.0
            for edge in self._edges:
                inside = np.flatnonzero((times > low) & (times <= edge))
                best = inside[np.lexsort((times[inside], -decisions.accuracy[inside]))[:1]]
                rows.append(int(best[0]) if len(best) else rows[-1])
                low = edge
            self._rows.append(rows)

    def row(self, column: int, accuracy: float, slack_s: float) -> int:
        return self._rows[column][bisect_right(self._edges, slack_s)]


class StaticSubNet:
    """The same SubNet for every query."""

    def __init__(self, row: int) -> None:
        self._row = row

    def row(self, column: int, accuracy: float, slack_s: float) -> int:
        return self._row


class RandomSubNet:
    """Any SubNet, drawn.

    Parameters
    ----------
    rows : SubNets of the table.
    seed : of the draws.
    """

    BLOCK = 4096

    def __init__(self, rows: int, seed: int) -> None:
        self._rows, self._rng = rows, np.random.default_rng(seed)
        self._drawn: list[int] = []

    def row(self, column: int, accuracy: float, slack_s: float) -> int:
        if not self._drawn:
            self._drawn = self._rng.integers(self._rows, size=self.BLOCK).tolist()
        return self._drawn.pop()


# ---- SubGraphs ----


class StaticCache:
    """Caches one SubGraph from the first query on; column 0 is the empty one."""

    def __init__(self, column: int) -> None:
        self._column = column

    def column(self) -> int:
        return self._column

    def served(self, row: int) -> None:
        pass


class SushiCache:
    """SUSHI's rule: every few queries the SubGraph nearest (Euclid) to the mean of the SubNets served since.

    |g - mean|² is |g|² - 2 g·mean and what is the same for all, so sums of tabulated products decide, in integers.

    Parameters
    ----------
    table : the SubNets' and SubGraphs' vectors.
    window : queries between two choices, at least 1.

    Raises
    ------
    ValueError
        ``window`` is less.
    """

    def __init__(self, table: ServingTable, window: int) -> None:
        if window < 1:
            raise ValueError(f"window is {window}; give at least 1 query")
        vectors = table.sushi.vectors
        self._twice: Ints = 2 * table.vectors @ vectors.T
        self._squares: Ints = window * (vectors**2).sum(axis=1)
        self._window, self._count, self._now = window, 0, 0
        self._sum: Ints = self._squares.copy()

    def column(self) -> int:
        if self._count == self._window:
            self._now, self._count = int(self._sum.argmin()), 0
            self._sum = self._squares.copy()
        return self._now

    def served(self, row: int) -> None:
        self._count += 1
        self._sum -= self._twice[row]
