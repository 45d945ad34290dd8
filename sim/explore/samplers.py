"""Which points are priced: all of a grid, random ones, or those that an Optuna sampler asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.explore.knobs import ExploreError
from sim.explore.question import Question
from sim.explore.study import SQLITE

Ints = npt.NDArray[np.int64]

SAMPLERS = ("grid", "random", "nsga2", "nsga3", "tpe", "qmc")
OPTUNA = SAMPLERS[2:]

BATCH = 50
"""Trials that are asked for together, and the population of NSGA-II and NSGA-III."""

BAD = 1e30
"""What an illegal point is said to cost; its constraint tells the sampler more."""

_PERMUTED = 1 << 22
_DRAWN = 4096


def random_cells(size: int, count: int, seed: int) -> Ints:
    """Different cells of a grid, int64; fewer of the same seed are the first of them.

    Parameters
    ----------
    size : cells of the grid.
    count : to draw.
    seed : of the draws.

    Examples
    --------
    >>> random_cells(1000, 5, seed=1).tolist()[:3] == random_cells(1000, 3, seed=1).tolist()
    True
    """
    rng = np.random.default_rng(seed)
    if size <= _PERMUTED:
        return rng.permutation(size)[:count].astype(np.int64)
    cells = np.empty(0, np.int64)
    while len(cells) < count:
        cells = np.concatenate([cells, rng.integers(size, size=_DRAWN)])
        _, first = np.unique(cells, return_index=True)
        cells = cells[np.sort(first)]
    return cells[:count]


Answer = Sequence[float] | None
"""A point's objectives, less is better; None if it is not legal."""


def require_optuna() -> Any:
    """The module optuna, quiet.

    Raises
    ------
    ExploreError
        It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ExploreError("this sampler needs Optuna: pip install 'fastswitch[explore]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    samplers = optuna.samplers
    if name == "nsga2":
        return samplers.NSGAIISampler(population_size=BATCH, seed=seed)
    if name == "nsga3":
        return samplers.NSGAIIISampler(population_size=BATCH, seed=seed)
    if name == "tpe":
        return samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=BATCH)
    return samplers.QMCSampler(seed=seed, scramble=True)


class Search:
    """An Optuna sampler asked for batches of points.

    A trial's parameters are which value each knob has. The same seed and the same answers make the same points, however
    many workers there are; a search that goes on is asked from the first batch on, and answered from what is there.

    Parameters
    ----------
    question : what is asked.
    sampler : its name.
    seed : of the sampler.
    """

    def __init__(self, question: Question, sampler: str, seed: int) -> None:
        import warnings

        self.question, self.optuna = question, require_optuna()
        warnings.filterwarnings("ignore", category=self.optuna.exceptions.ExperimentalWarning)
        self.study = self.optuna.create_study(
            directions=["minimize"] * len(question.objectives), sampler=_sampler(self.optuna, sampler, seed)
        )
        integer = self.optuna.distributions.IntDistribution
        self.space = {knob.name: integer(0, len(knob.values) - 1) for knob in question.knobs}

    def batches(self, count: int, answer: Callable[[list[int]], Mapping[int, Answer]]) -> Iterator[list[int]]:
        """Batches of new cells.

        Ends earlier when the grid has no more, or the sampler has nothing new for twenty batches.

        Parameters
        ----------
        count : of cells in all.
        answer : gives the objectives of cells.
        """
        given: dict[int, None] = {}
        known: dict[int, Answer] = {}
        idle = 0
        most = min(count, self.question.size)
        while len(given) < most and idle < 20:
            trials = [self.study.ask(self.space) for _ in range(BATCH)]
            cells = [self._cell(trial) for trial in trials]
            new = [cell for cell in dict.fromkeys(cells) if cell not in given][: most - len(given)]
            given |= dict.fromkeys(new)
            idle = 0 if new else idle + 1
            if new:
                yield new
                known |= answer(new)
            for trial, cell in zip(trials, cells, strict=True):
                if cell not in known:  # one more than were asked for
                    break
                values = known[cell]
                trial.set_constraint("illegal", 1.0 if values is None else -1.0)
                self.study.tell(trial, [BAD] * len(self.question.objectives) if values is None else list(values))

    def keep(self, folder: Path, on_count: Callable[[int, int], None]) -> None:
        """Put the points, as trials in their order, into the folder's database for Optuna's own tools.

        Those that are there stay. Knobs are in base units there; an illegal point is a failed trial. A point takes some
        tens of milliseconds, so this comes last.

        Parameters
        ----------
        folder : of the study.
        on_count : called with how many are there and how many there will be.

        Raises
        ------
        ExploreError
            The database cannot be written or holds something else.
        """
        optuna = self.optuna
        first: dict[int, Any] = {}
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state.is_finished():
                first.setdefault(self._cell(trial), trial)
        try:
            kept = optuna.create_study(
                storage=f"sqlite:///{folder / SQLITE}",
                study_name="fastswitch",
                directions=self.study.directions,
                load_if_exists=True,
            )
            kept.set_metric_names(list(self.question.objectives))
            there = len(kept.get_trials(deepcopy=False))
            for number, trial in enumerate(first.values()):
                if number >= there:
                    kept.add_trial(self._trial(trial, number))
                    on_count(number + 1, len(first))
        except Exception as error:  # SQLAlchemy's errors are many and its own
            cause = getattr(error, "orig", None) or error
            raise ExploreError(f"cannot write {folder / SQLITE}: {cause}; finished points are kept") from None

    def _cell(self, trial: Any) -> int:
        return self.question.cell([trial.params[knob.name] for knob in self.question.knobs])

    def _trial(self, trial: Any, number: int) -> Any:
        optuna, state = self.optuna, self.optuna.trial.TrialState
        params, space = {}, {}
        for knob in self.question.knobs:
            params[knob.name] = knob.values[trial.params[knob.name]]
            space[knob.name] = optuna.distributions.CategoricalDistribution(knob.values)
        legal = next(iter(trial.values)) < BAD
        return optuna.trial.create_trial(
            state=state.COMPLETE if legal else state.FAIL,
            params=params,
            distributions=space,
            values=trial.values if legal else None,
            user_attrs={"point": number},
        )
