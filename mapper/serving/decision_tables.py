"""Which SubNet a rule picks, looked up: the tables that make a decision a bisection instead of a search."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Decisions:
    """The rules of :func:`mapper.serving.sushi_sched.choose_subnet`, tabulated for every cached SubGraph.

    Ties go to the other target, then to the first row. A table is made when a rule is first asked: O(SubNets ×
    SubGraphs) entries, two sorts a column.

    Parameters
    ----------
    latency_s : seconds, (SubNets, SubGraphs).
    accuracy : fractions, (SubNets,).
    """

    def __init__(self, latency_s: Floats, accuracy: Floats) -> None:
        self.latency_s, self.accuracy = latency_s, accuracy
        self._order = np.argsort(accuracy, kind="stable")
        self._asked: list[float] = accuracy[self._order].tolist()
        self._best = bisect_left(self._asked, self._asked[-1])

    def strict_accuracy(self, column: int, accuracy: float) -> int:
        """Of the SubNets that are accurate enough the fastest; if there is none, of the most accurate the fastest.

        Parameters
        ----------
        column : the cached SubGraph.
        accuracy : that is asked for, a fraction.
        """
        index = bisect_left(self._asked, accuracy)
        return self._fastest[column][index if index < len(self._asked) else self._best]

    def strict_latency(self, column: int, latency_s: float) -> int:
        """Of the SubNets that are fast enough the most accurate; if there is none, the fastest.

        Parameters
        ----------
        column : the cached SubGraph.
        latency_s : that is asked for, seconds.
        """
        index = bisect_right(self._times[column], latency_s)
        return self._finest[column][index - 1 if index else 0]

    @cached_property
    def _ranks(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Rows by (latency, -accuracy) and by (-accuracy, latency), and each row's place there: all (SubGraphs,
        SubNets)."""
        latency = np.ascontiguousarray(self.latency_s.T)
        accuracy = np.broadcast_to(-self.accuracy, latency.shape)
        by_time = np.lexsort((accuracy, latency), axis=-1)
        by_accuracy = np.lexsort((latency, accuracy), axis=-1)
        return by_time, by_accuracy, np.argsort(by_time, axis=-1), np.argsort(by_accuracy, axis=-1)

    @cached_property
    def _fastest(self) -> list[list[int]]:
        """By column and place in the order of accuracy: the fastest row from there on."""
        by_time, _, place, _ = self._ranks
        first = np.minimum.accumulate(place[:, self._order][:, ::-1], axis=1)[:, ::-1]
        rows: list[list[int]] = np.take_along_axis(by_time, first, axis=1).tolist()
        return rows

    @cached_property
    def _finest(self) -> list[list[int]]:
        """By column and place in the order of latency: the most accurate row up to there."""
        by_time, by_accuracy, _, place = self._ranks
        first = np.minimum.accumulate(np.take_along_axis(place, by_time, axis=1), axis=1)
        rows: list[list[int]] = np.take_along_axis(by_accuracy, first, axis=1).tolist()
        return rows

    @cached_property
    def _times(self) -> list[list[float]]:
        times: list[list[float]] = np.sort(self.latency_s.T, axis=1).tolist()
        return times
