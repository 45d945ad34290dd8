"""Our scheduler: SubNet and SubGraph chosen together, the switch paid for, what follows forecast from what has been."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mapper.policies import SubNetRule
from mapper.serving_table import ServingTable
from mapper.step_costs import StepCosts

Floats = npt.NDArray[np.float64]

STATES = 4_000_000
"""Levels × SubGraphs² up to which the forecast is a Markov chain; beyond it a running mean."""


class ForecastSched:
    """STRICT_ACCURACY that minimises the seconds of this query, its switch included, plus those expected later.

    The forecast learns, query by query, how levels of accuracy follow one another (a Markov chain; at first that a
    query is like the one before), and what each SubGraph is worth then: W(level, B) = Σ P(level → l) min over C of
    (step(l, B, C) + ``keep`` W(l, C)), improved by one sweep each ``every`` queries. 1 / (1 - ``keep``) queries is
    how far it looks.
    """

    def __init__(self, costs: StepCosts, keep: float = 0.97, every: int = 8, prior: float = 1.0) -> None:
        if not 0 <= keep < 1:
            raise ValueError(f"keep is {keep}; give a number from 0 to below 1")
        self.costs, self.keep, self.every = costs, keep, every
        levels, columns = costs.best.shape
        self.column, self._last, self._seen = 0, -1, 0
        self.chain = levels * columns**2 <= STATES and not costs.whole
        if self.chain:
            self._counts = prior * (np.eye(levels) + 1 / levels) / 2
            self._worth = costs.best / (1 - keep)
            for _ in range(16):
                self._sweep()
        else:
            self._mean = costs.best.mean(axis=0)

    def _sweep(self) -> None:
        chances = self._counts / self._counts.sum(axis=1, keepdims=True)
        then = (self.costs.steps + self.keep * self._worth[:, None, :]).min(axis=2)
        self._worth = chances @ then

    def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
        """See :class:`mapper.policies.Scheduler`."""
        costs, before = self.costs, self.column
        level = costs.level(accuracy)
        if self.chain:
            if self._last >= 0:
                self._counts[self._last, level] += 1
            self._last, self._seen = level, self._seen + 1
            if self._seen % self.every == 0:
                self._sweep()
            total = costs.steps[level, before] + self.keep * self._worth[level]
        else:
            self._mean += (costs.best[level] - self._mean) * (1 - self.keep)
            total = costs.extra[before] + self._mean * (self.keep / (1 - self.keep))
        after = int(total.argmin())
        self.column = after
        return costs.row(level, before, after), after


class ForecastCache:
    """Any SubNet rule, with the SubGraph that a running mean of recent queries says will cost it least.

    ``by_column``: whether the rule's choice depends on what is cached. ``accuracy_first``: a SubGraph that lets the
    rule serve more accurately is worth any latency; else only seconds count. A query that a switch would make late
    does not switch.
    """

    def __init__(
        self,
        table: ServingTable,
        rule: SubNetRule,
        by_column: bool = True,
        accuracy_first: bool = False,
        keep: float = 0.97,
    ) -> None:
        self._rule, self._by_column, self._keep = rule, by_column, keep
        self._extra, self._latency = table.switch_s, table.latency_s
        steps = np.diff(np.unique(table.accuracy))
        dear = float(np.ptp(self._latency) / steps.min()) if accuracy_first and len(steps) else 0.0
        self._cost: Floats = self._latency + dear * (1 - table.accuracy[:, None])
        self._columns = np.arange(table.shape[1])
        self._late = accuracy_first
        self._mean: Floats = self._cost.mean(axis=0)
        self.column = 0

    def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
        """See :class:`mapper.policies.Scheduler`."""
        before, rule = self.column, self._rule.row
        row = rule(before, accuracy, slack_s)
        if self._by_column:
            rows = np.array([rule(c, accuracy, slack_s) for c in self._columns.tolist()])
            costs = self._cost[rows, self._columns]
        else:
            costs = self._cost[row]
        self._mean += (costs - self._mean) * (1 - self._keep)
        extra = self._extra[row if len(self._extra) > 1 else 0, before]
        after = int((extra + self._mean / (1 - self._keep)).argmin())
        if self._late and self._latency[row, before] <= slack_s < self._latency[row, before] + extra[after]:
            after = before
        self.column = after
        return row, after
