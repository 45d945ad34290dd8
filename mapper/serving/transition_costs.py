"""Seconds of a query by the accuracy it asks for and the SubGraph before and after it: the best of all SubNets."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from mapper.serving.serving_table import ServingTable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST = 30_000_000
"""Entries (levels × SubGraphs²) beyond which a switch is taken to cost each SubNet what it costs the worst."""


class StepCosts:
    """The least seconds of a query of each level of accuracy, over the SubNets that are accurate enough.

    ``levels`` are the different accuracies, ascending. :meth:`after` gives the seconds for every SubGraph that may be
    left in the PB, and :meth:`row` the SubNet that takes them.
    """

    def __init__(self, table: ServingTable) -> None:
        self.levels: Floats = np.unique(table.accuracy)
        self._levels: list[float] = self.levels.tolist()
        self._order = np.argsort(-table.accuracy, kind="stable")
        self._latency, self._extra = table.latency_s, table.switch_s
        n, g = table.shape
        last = [int((table.accuracy >= level).sum()) for level in self.levels]
        sorted_ = self._latency[self._order]  # from the most accurate on
        least = np.minimum.accumulate(sorted_, axis=0)
        fresh = np.vstack([np.ones((1, g), np.bool_), sorted_[1:] < least[:-1]])
        place = np.maximum.accumulate(np.where(fresh, np.arange(n)[:, None], 0), axis=0)
        ends = np.array(last) - 1
        self.best: Floats = least[ends]
        self._best_row: Ints = self._order[place[ends]]
        self.whole = len(last) * g * g > MOST
        if self.whole:
            self.extra: Floats = self._extra.max(axis=0)
            return
        self.steps = np.empty((len(last), g, g))
        self._rows = np.empty((len(last), g, g), np.int64)
        best, row, done = np.full((g, g), np.inf), np.zeros((g, g), np.int64), 0
        for level in reversed(range(len(last))):
            for n in self._order[done : last[level]].tolist():
                cost = self._latency[n][:, None] + self._extra[n if len(self._extra) > 1 else 0]
                better = cost < best
                best, row = np.where(better, cost, best), np.where(better, n, row)
            done = last[level]
            self.steps[level], self._rows[level] = best, row

    def level(self, accuracy: float) -> int:
        """The level that a query gets: the least that is enough, or the highest."""
        return min(bisect_left(self._levels, accuracy), len(self._levels) - 1)

    def after(self, level: int, before: int) -> Floats:
        """Seconds of a query by what it leaves in the PB, (SubGraphs,).

        Parameters
        ----------
        level : of accuracy that it asks for.
        before : the SubGraph that it finds in the PB.
        """
        if self.whole:
            return np.asarray(self.best[level, before] + self.extra[before])
        return np.asarray(self.steps[level, before])

    def all(self, level: int) -> Floats:
        """Seconds (SubGraphs before, SubGraphs after)."""
        if self.whole:
            return np.asarray(self.best[level][:, None] + self.extra)
        return np.asarray(self.steps[level])

    def row(self, level: int, before: int, after: int) -> int:
        """The SubNet that serves the query in that time.

        Parameters
        ----------
        level : of accuracy that it asks for.
        before, after : the SubGraphs that it finds and leaves in the PB.
        """
        return int(self._best_row[level, before] if self.whole else self._rows[level, before, after])
