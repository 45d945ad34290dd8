"""Which points have their layers in the page, and what of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arch_model import Accelerator
from reports.explore.layers import COSTS, WHAT, layer_data, roofs, spread_points


def test_roofs_of_the_board():
    # 16 x 9 DPEs of nine multipliers; six AXI ports of 16 bytes, a beat a cycle, one of them for activations
    assert roofs(Accelerator.load("zcu104")) == {
        "macs_per_cycle": 1296,
        "port_bytes_per_cycle": 16,
        "bytes_per_cycle": 96,
        "clock_hz": 100e6,
    }
    assert roofs(Accelerator.load("tiny"))["bytes_per_cycle"] == 3 * 4 / 2  # a beat every second cycle


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 3), st.integers(3, 12))
def test_points_are_of_the_front_and_hold_the_best_of_each_objective(seed, count, objectives, most):
    values = np.random.default_rng(seed).uniform(1, 10, (count, objectives))
    front = [3 * n + 7 for n in range(count)]
    found = spread_points(front, values, most)
    assert len(found) == len(set(found)) == min(count, most)
    assert set(found) <= set(front)
    assert {front[int(best)] for best in values.argmin(axis=0)} <= set(found)


def test_points_that_are_alike_are_taken_last():
    values = np.array([[1.0, 4.0], [1.0, 4.0], [1.01, 3.99], [2.0, 2.0], [4.0, 1.0]])
    assert spread_points([0, 1, 2, 3, 4], values, 3) == [0, 3, 4]


def test_layers_are_those_of_the_study(study):
    point = int(study.points.index[study.points["legal"]][0])
    asked = {point: (study.subnets[1],)}
    said = []
    data = layer_data(study, [point], asked, lambda *what: said.append(what))
    table = study.layers(point, study.subnets[1])
    assert list(data["what"]) == list(data["costs"][point]) == [study.subnets[1]]
    assert set(data["what"][study.subnets[1]]) == set(WHAT)
    costs = data["costs"][point][study.subnets[1]]
    assert set(costs) == set(COSTS)
    assert costs["cycles"] == table["cycles"].tolist()
    assert np.allclose(costs["energy_j"], table["energy_j"], rtol=1e-5)
    assert said == [("layers of the front", 0, 1)]


def test_no_layer_is_above_the_roofs(study):
    for point in study.points.index[study.points["legal"]]:
        roof = roofs(study.accelerator(int(point)))
        table = study.layers(int(point))
        ran = table[(table["macs"] > 0) & (table["cycles"] > 0)]
        assert len(ran)
        rate, density = ran["macs"] / ran["cycles"], ran["macs"] / ran["dram_bytes"]
        assert (rate <= roof["macs_per_cycle"]).all()
        assert (rate <= density * roof["bytes_per_cycle"]).all()
