"""Our scheduler: SubNet and SubGraph chosen together, the switch paid for, what follows forecast from what has been."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mapper.serving.policies import SubNetRule
from mapper.serving.serving_table import ServingTable
from mapper.serving.transition_costs import StepCosts

Floats = npt.NDArray[np.float64]

WORK = 12_000
"""Steps (level, SubGraph before, SubGraph after) that the forecast looks at again in one go: some tens of
microseconds."""


class ForecastSched:
    """STRICT_ACCURACY that minimises the seconds of this query, its switch included, plus those expected later.

    The forecast learns, query by query, how levels of accuracy follow one another (a Markov chain; at first that a
    query is like the one before), and what each SubGraph is worth then: W(level, B) = Σ P(level → l) min over C of
    (step(l, B, C) + ``keep`` W(l, C)), by value iteration, :data:`WORK` steps at a time. If the steps are too many for
    a table (``StepCosts.whole``), a running mean of each SubGraph's latency takes the chain's place.

    Parameters
    ----------
    costs : seconds of each query.
    keep : discount from query to query, from 0 to below 1; 1 / (1 - ``keep``) queries is how far it looks.
    every : queries after which value iteration goes on.
    prior : weight of the chain's beginning, in queries.

    Raises
    ------
    ValueError
        ``keep`` is out of range.
    """

    def __init__(self, costs: StepCosts, keep: float = 0.97, every: int = 3, prior: float = 1.0) -> None:
        if not 0 <= keep < 1:
            raise ValueError(f"keep is {keep}; give a number from 0 to below 1")
        self.costs, self.keep, self.every = costs, keep, every
        levels, columns = costs.best.shape
        self.column, self._last, self._seen = 0, -1, 0
        if costs.whole:
            self._mean = costs.best.mean(axis=0)
            return
        self._counts = prior * (np.eye(levels) + 1 / levels) / 2
        self._steps: Floats = costs.steps.reshape(levels * columns, columns)
        self._then: Floats = costs.best / (1 - keep)  # by the next query's level and what it finds
        self._better: Floats = self._then.copy()  # of the sweep that is under way
        self._worth: Floats = self._then.copy()
        self._next, self._stride = 0, max(1, WORK // columns)
        for _ in range(16 * -(-len(self._steps) // self._stride)):
            self._improve()

    def _improve(self) -> None:
        """Value iteration for the next rows (level, SubGraph before).

        SubGraphs are compared within a level, so all of its worths come from the same sweep, at once.
        """
        columns = self.costs.best.shape[1]
        first, past = self._next, min(self._next + self._stride, len(self._steps))
        low, high = -(-first // columns), (past - 1) // columns + 1  # levels that begin here
        counts = self._counts[low:high]
        self._worth[low:high] = counts / counts.sum(axis=1, keepdims=True) @ self._then
        level = np.arange(first, past) // columns
        best = (self._steps[first:past] + self.keep * self._worth[level]).min(axis=1)
        self._better.reshape(-1)[first:past] = best
        self._next = past % len(self._steps)
        if not self._next:
            self._then, self._better = self._better, self._then

    def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
        """See :class:`mapper.serving.policies.Scheduler`."""
        costs, before = self.costs, self.column
        level = costs.level(accuracy)
        if not costs.whole:
            if self._last >= 0:
                self._counts[self._last, level] += 1
            self._last, self._seen = level, self._seen + 1
            if self._seen % self.every == 0:
                self._improve()
            total = costs.steps[level, before] + self.keep * self._worth[level]
        else:
            self._mean += (costs.best[level] - self._mean) * (1 - self.keep)
            total = costs.after(level, before) + self._mean * (self.keep / (1 - self.keep))
        after = int(total.argmin())
        self.column = after
        return costs.row(level, before, after), after


FEW, LOOKS = 16, 4
"""SubGraphs for which :class:`ForecastCache` asks its rule at each query: up to ``FEW`` all, of more ``LOOKS`` in
turn."""


class ForecastCache:
    """Any SubNet rule, with the SubGraph that a running mean of recent queries says will cost it least.

    A query that a switch would make late does not switch.

    Parameters
    ----------
    table : costs of each query.
    rule : chooses the SubNet.
    by_column : whether the rule's choice depends on what is cached; it is then asked for SubGraphs at each query, for
        all or in turn (:data:`FEW`).
    accuracy_first : a SubGraph that lets the rule serve more accurately is worth any latency; else only seconds count.
    keep : weight of the mean before a query, from 0 to below 1.
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
        columns = np.arange(table.shape[1])
        size = len(columns) if len(columns) <= FEW else LOOKS
        self._turns = [columns[at : at + size] for at in range(0, len(columns), size)]
        self._fade = keep ** len(self._turns)  # of what is asked about once in so many queries
        self._turn = 0
        self._late = accuracy_first
        self._mean: Floats = self._cost.mean(axis=0)
        self.column = 0

    def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
        """See :class:`mapper.serving.policies.Scheduler`."""
        before, rule = self.column, self._rule.row
        row = rule(before, accuracy, slack_s)
        if self._by_column:
            asked = self._turns[self._turn]
            self._turn = (self._turn + 1) % len(self._turns)
            rows = [rule(column, accuracy, slack_s) for column in asked.tolist()]
            self._mean[asked] += (self._cost[rows, asked] - self._mean[asked]) * (1 - self._fade)
        else:
            self._mean += (self._cost[row] - self._mean) * (1 - self._keep)
        extra = self._extra[row if len(self._extra) > 1 else 0, before]
        after = int((extra + self._mean / (1 - self._keep)).argmin())
        if self._late and self._latency[row, before] <= slack_s < self._latency[row, before] + extra[after]:
            after = before
        self.column = after
        return row, after
