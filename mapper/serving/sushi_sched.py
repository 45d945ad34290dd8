"""SushiSched: which SubNet serves a query, and which SubGraph is cached next.

The rules are SUSHI's (MLSys 2023): a policy picks each query's SubNet for the SubGraph now cached, and every Q queries
the candidate nearest to the average of the SubNets served since becomes the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from mapper.serving.latency_table import SushiAbs


class Policy(StrEnum):
    """What of a query's two targets is kept strictly."""

    STRICT_ACCURACY = "strict-accuracy"
    STRICT_LATENCY = "strict-latency"


@dataclass(frozen=True)
class Query:
    """What a query asks for.

    Attributes
    ----------
    min_accuracy : a fraction.
    max_latency_s : seconds.
    """

    min_accuracy: float
    max_latency_s: float


def choose_subnet(table: SushiAbs, column: int, query: Query, policy: Policy) -> int:
    """The row of the SubNet that serves a query.

    STRICT_ACCURACY: of those accurate enough the fastest. STRICT_LATENCY: of those fast enough the most accurate. If
    none is, the nearest miss: the most accurate, or the fastest. Ties go to the other target, then to the first row.

    Parameters
    ----------
    table : latencies and accuracies.
    column : the SubGraph that is cached.
    query : what is asked for.
    policy : which target is strict.
    """
    latency, accuracy = table.latency_s[:, column], table.accuracy
    if policy is Policy.STRICT_ACCURACY:
        legal, first, second = accuracy >= query.min_accuracy, latency, -accuracy
        if not legal.any():
            first, second = -accuracy, latency
    else:
        legal, first, second = latency <= query.max_latency_s, -accuracy, latency
        if not legal.any():
            first, second = latency, -accuracy
    rows = np.flatnonzero(legal) if legal.any() else np.arange(len(accuracy))
    return int(rows[np.lexsort((second[rows], first[rows]))[0]])


def choose_subgraph(table: SushiAbs, served: npt.NDArray[np.int64]) -> int:
    """The column of the candidate nearest (Euclid) to the mean of what was served.

    Parameters
    ----------
    table : the candidates' vectors.
    served : vectors of the SubNets, (queries, 2 × layers).
    """
    distance = np.linalg.norm(table.vectors - served.mean(axis=0), axis=1)
    return int(np.argmin(distance))


class SushiSched:
    """The scheduler of SUSHI: :meth:`serve` takes queries one after another and says what each runs on.

    The PB begins empty.

    Parameters
    ----------
    table : latencies, accuracies and the candidates' vectors.
    subnet_vectors : int64 (SubNets, 2 × layers), rows as in the table.
    policy : which target is strict.
    window : Q, queries between two choices of a SubGraph, at least 1.

    Raises
    ------
    ValueError
        ``window`` is less.
    """

    def __init__(self, table: SushiAbs, subnet_vectors: npt.NDArray[np.int64], policy: Policy, window: int = 4) -> None:
        if window < 1:
            raise ValueError(f"window is {window}; give at least 1 query")
        self.table, self.policy, self.window = table, policy, window
        self._vectors = subnet_vectors
        self._served: list[int] = []
        self.column = 0

    def serve(self, query: Query) -> tuple[int, int]:
        """(row of the SubNet, column of the SubGraph to cache from this query on)."""
        if len(self._served) == self.window:
            self.column = choose_subgraph(self.table, self._vectors[self._served])
            self._served.clear()
        row = choose_subnet(self.table, self.column, query, self.policy)
        self._served.append(row)
        return row, self.column
