"""Cells of a grid and the values of their knobs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from sim.explore.knobs import Knob
from sim.explore.question import Question


def test_the_last_knob_changes_fastest() -> None:
    knobs = (Knob("KP", (8, 16), ""), Knob("PB", (0, 5, 9), "B"))
    asked = Question("fashion", (), Accelerator.load("tiny"), knobs, ("latency",))
    assert asked.size == 6
    assert [tuple(asked.values(cell).values()) for cell in range(6)] == [
        (8, 0), (8, 5), (8, 9), (16, 0), (16, 5), (16, 9),
    ]  # fmt: skip


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.data())
def test_places_and_cells_are_inverse(sizes: list[int], data: st.DataObject) -> None:
    knobs = tuple(Knob(f"K{i}", tuple(range(size)), "") for i, size in enumerate(sizes))
    asked = Question("fashion", (), Accelerator.load("tiny"), knobs, ("latency",))
    cell = data.draw(st.integers(0, asked.size - 1))
    places = asked.places(np.array([cell]))[0].tolist()
    assert asked.cell(places) == cell
    assert list(asked.values(cell).values()) == places
