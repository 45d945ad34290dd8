"""Random cells, and Optuna's samplers asked and answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from sim.explore.knobs import Knob
from sim.explore.question import Question
from sim.explore.samplers import OPTUNA, Answer, Search, random_cells

KNOBS = (Knob("A", tuple(range(12)), ""), Knob("B", tuple(range(12)), ""), Knob("C", (0, 10, 20), ""))
ASKED = Question("fashion", (), Accelerator.load("tiny"), KNOBS, ("latency", "area"))


def answers(cells: list[int]) -> Mapping[int, Answer]:
    """Two goals that pull apart; nothing is legal where A is B."""
    found: dict[int, Answer] = {}
    for cell in cells:
        a, b, c = ASKED.places(np.array([cell]))[0].tolist()
        found[cell] = None if a == b else (a + c + 1.0, 12.0 - b + c)
    return found


@given(st.integers(1, 10**12), st.integers(0, 5), st.integers(1, 60))
def test_random_cells_are_different_and_fewer_are_the_first_of_more(size: int, seed: int, count: int) -> None:
    size = size if size < 1000 or size > 10**7 else 10**7
    cells = random_cells(size, count, seed)
    assert len(set(cells.tolist())) == len(cells) == min(count, size) and 0 <= cells.min() <= cells.max() < size
    assert random_cells(size, max(1, count // 2), seed).tolist() == cells[: max(1, count // 2)].tolist()


@pytest.mark.parametrize("sampler", OPTUNA)
def test_batches_are_new_cells_and_the_same_for_the_same_seed(sampler: str) -> None:
    batches = list(Search(ASKED, sampler, 3).batches(110, answers))
    cells = [cell for batch in batches for cell in batch]
    assert len(cells) == len(set(cells)) == 110
    assert list(Search(ASKED, sampler, 3).batches(110, answers)) == batches
    assert [cell for batch in Search(ASKED, sampler, 3).batches(60, answers) for cell in batch] == cells[:60]
    assert [cell for batch in Search(ASKED, sampler, 4).batches(110, answers) for cell in batch] != cells


def test_a_search_finds_more_of_what_is_good_than_chance_does() -> None:
    def best(cells: list[int]) -> int:
        rows = ASKED.places(np.array(cells))
        return int(((rows[:, 0] <= 2) & (rows[:, 1] >= 9) & (rows[:, 2] == 0)).sum())  # 9 of 432 cells

    for seed in range(3):
        cells = [cell for batch in Search(ASKED, "nsga2", seed).batches(150, answers) for cell in batch]
        assert best(cells) >= best(random_cells(ASKED.size, 150, seed).tolist())
        assert best(cells) >= 6


def test_a_grid_that_is_used_up_ends_the_search() -> None:
    few = Question("fashion", (), ASKED.base, (Knob("A", (0, 1, 2), ""), Knob("B", (0,), "")), ASKED.objectives)
    batches = Search(few, "nsga2", 0).batches(50, lambda cells: {cell: (1.0, float(cell)) for cell in cells})
    assert sorted(cell for batch in batches for cell in batch) == [0, 1, 2]


def test_trials_are_kept_for_optunas_own_tools_and_each_once(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    for count in (20, 60):
        search = Search(ASKED, "nsga2", 0)
        cells = [cell for batch in search.batches(count, answers) for cell in batch]
        search.keep(tmp_path, lambda done, total: told.append((done, total)))
    kept = optuna.load_study(study_name="fastswitch", storage=f"sqlite:///{tmp_path / 'study.sqlite'}")
    assert told[0] == (1, 20) and told[-1] == (60, 60) and len(told) == 60
    assert kept.metric_names == ["latency", "area"]
    for trial, cell in zip(kept.trials, cells, strict=True):
        assert trial.params == ASKED.values(cell)
        answer = answers([cell])[cell]
        assert trial.values == (None if answer is None else list(answer))
