"""Greedy and exact answers of the knapsack, and their bounds, against every choice there is."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.pinning.knapsack import Knapsack, fill, greedy_choice, total
from mapper.pinning.options import Menu

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


def menu_of(tiles, slots):
    """A menu with these tiles (layers, entries)."""
    tiles = np.array(tiles)
    machine = TINY.replace(buffers={"pb_bytes": slots * TINY.tile_bytes_raw})
    assert machine.pb_tiles == slots
    return Menu(FASHION, machine, np.zeros((*tiles.shape, 2), np.int64), tiles, np.full(len(tiles), tiles.shape[1]))


def choices(menu):
    every = (np.array(choice) for choice in product(*(range(n) for n in menu.count)))
    return [choice for choice in every if menu.used(choice) <= menu.accelerator.pb_tiles]


@st.composite
def problems(draw):
    layers, entries = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    tiles = [[0, *draw(st.lists(st.integers(1, 9), min_size=entries - 1, max_size=entries - 1))] for _ in range(layers)]
    planes = draw(st.integers(1, 3))
    costs = draw(st.lists(st.integers(0, 60), min_size=planes * layers * entries, max_size=planes * layers * entries))
    return menu_of(tiles, draw(st.integers(0, 20))), np.array(costs, float).reshape(planes, layers, entries)


@settings(deadline=None, max_examples=60)
@given(problems())
def test_greedy_is_legal_and_its_bound_holds(problem):
    menu, planes = problem
    least = min(total(planes[0], choice) for choice in choices(menu))
    choice, bound = greedy_choice(menu, planes[0])
    assert menu.used(choice) <= menu.accelerator.pb_tiles
    assert bound <= least + 1e-9 and least <= total(planes[0], choice) <= planes[0][:, 0].sum()


@settings(deadline=None, max_examples=40)
@given(problems())
def test_exact_is_the_least_of_all(problem):
    """The largest of up to three planes."""
    menu, planes = problem
    least = min(max(total(plane, choice) for plane in planes) for choice in choices(menu))
    knapsack = Knapsack(menu, list(planes), [0] * len(planes), np.ones(1))
    choice, bound = knapsack.solve(True, 1e-9, 10)
    assert menu.used(choice) <= menu.accelerator.pb_tiles
    assert max(total(plane, choice) for plane in planes) == pytest.approx(least, abs=1e-4)
    assert bound == pytest.approx(least, abs=1e-4)
    choice, relaxed = knapsack.solve(False, 1e-9, 10)
    assert menu.used(choice) <= menu.accelerator.pb_tiles
    assert relaxed <= least + 1e-4


@settings(deadline=None, max_examples=40)
@given(problems(), st.data())
def test_choices_whose_cost_is_known_are_not_below_it(problem, data):
    """Some choices cost more than planes say: the least is that of all, each at its own cost."""
    menu, planes = problem
    every = choices(menu)
    costs = {tuple(c): max(total(plane, c) for plane in planes) for c in every}
    known = data.draw(st.lists(st.sampled_from(every), max_size=4, unique_by=tuple))
    for choice in known:
        costs[tuple(choice)] += data.draw(st.integers(0, 20))
    told = [(choice, costs[tuple(choice)]) for choice in known]
    least = min(costs.values())
    floor = data.draw(st.sampled_from([0.0, least]))
    choice, bound = Knapsack(menu, list(planes), [0] * len(planes), np.ones(1), told, floor).solve(True, 1e-9, 10)
    assert bound == pytest.approx(least, abs=1e-4) and costs[tuple(choice)] == pytest.approx(least, abs=1e-4)


def test_a_knapsack_by_hand():
    # 5 slots. Layer a saves 10 for 4 tiles (2.5 a tile), b 6 for 2 (3 a tile) or 7 for 3: b's 2 first, then a does not
    # fit: the relaxed problem takes 3 of its 4 tiles; b's third tile is what still fits.
    menu = menu_of([[0, 4, 4], [0, 2, 3]], slots=5)
    costs = np.array([[10.0, 0, 0], [10, 4, 3]])
    choice, bound = greedy_choice(menu, costs)
    assert (choice.tolist(), bound) == ([0, 2], 20 - 6 - 3 * 2.5)
    exact, least = Knapsack(menu, [costs], [0], np.ones(1)).solve(True, 1e-9, 10)
    assert exact[0] == 1 or exact[0] == 2
    assert (total(costs, exact), exact[1]) == (10, 0) and least == pytest.approx(10)
    assert fill(menu, costs, np.array([0, 0])).tolist() == [1, 0]
