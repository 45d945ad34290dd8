"""Arrays, conversions, time and energy of layers, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.analog import Crossbar, Isaac, Load, analog_cost, layer_load
from arch_model.errors import FastSwitchError
from arch_model.network.layer import Kind, Layer

CONV = Layer("a", Kind.CONV, K=40, C=32, R=3, S=3, H=10, W=10, stride=2, padding=1)  # 25 pixels, 288 rows
ISAAC = Crossbar(encoding="offset", conversion="slice", adc_bits=8)  # 4 cells a weight: 32 outputs an array


def test_a_layer_as_isaac_runs_it():
    # 288 rows are 3 blocks, 40 outputs are 2 arrays beside each other; 25 pixels x 8 input bits.
    assert layer_load(CONV, 32, ISAAC) == Load("a", 6, 200, 200 * 3 * 40 * 4)


def test_sixteen_bits_take_twice_the_cells_and_the_steps():
    # 8 cells a weight: 16 outputs an array, 3 arrays; 16 input bits; 8 conversions an output.
    assert layer_load(CONV, 32, ISAAC, words=2) == Load("a", 9, 400, 400 * 3 * 40 * 8)


@pytest.mark.parametrize(
    ("encoding", "conversion", "weight_bits", "arrays", "conversions"),
    [
        ("differential", "slice", 8, 9, 200 * 3 * 40 * 4),  # 8 cells: 16 outputs; one conversion a pair
        ("sign-magnitude", "slice", 8, 9, 200 * 3 * 40 * 8),  # each column converted
        ("differential", "word", 8, 9, 25 * 3 * 40),
        ("differential", "slice", 6, 6, 200 * 3 * 40 * 3),  # 5 bits of magnitude: 3 slices, 6 cells: 21 outputs
    ],
)
def test_other_encodings_by_hand(encoding, conversion, weight_bits, arrays, conversions):
    crossbar = Crossbar(encoding=encoding, conversion=conversion, weight_bits=weight_bits)
    assert layer_load(CONV, 32, crossbar) == Load("a", arrays, 200, conversions)


def test_fewer_analog_channels_take_fewer_blocks():
    assert layer_load(CONV, 14, ISAAC).arrays == 2  # 126 rows: one block
    assert layer_load(CONV, 0, ISAAC) == Load("a", 0, 200, 0)
    with pytest.raises(FastSwitchError, match=r"layer a: 33 channels are analog; give 0\.\.32"):
        layer_load(CONV, 33, ISAAC)


def test_copies_keep_the_slowest_layer_up():
    loads = [Load("first", 1, 800, 10), Load("last", 4, 100, 20)]
    one = analog_cost(loads, ISAAC, Isaac())
    assert (one.arrays, one.interval_s, one.latency_s) == (5, pytest.approx(80e-6), pytest.approx(90e-6))
    more = analog_cost(loads, ISAAC, Isaac(), arrays=12)  # 8 copies of the first: 100 reads each
    assert (more.copies, more.arrays) == ({"first": 8, "last": 1}, 12)
    assert more.interval_s == pytest.approx(10e-6)
    assert more.energy_j == pytest.approx(one.energy_j)  # the same reads, elsewhere
    assert more.area_mm2 == pytest.approx(12 / 96 * Isaac().tile_mm2)
    with pytest.raises(FastSwitchError, match="arrays is 4; the layers need at least 5"):
        analog_cost(loads, ISAAC, Isaac(), arrays=4)


def test_energy_by_hand():
    cost = analog_cost([Load("a", 2, 50, 1000)], Crossbar(adc_bits=6, conversion="slice"), Isaac())
    assert cost.joules["adc"] == pytest.approx(1000 * 1.20e-12)
    assert cost.joules["array"] == pytest.approx(2 * 50 * 2.4e-3 / 8 * 100e-9)
    assert cost.joules["router"] == pytest.approx(2 * 50 * 10.5e-3 / 96 * 100e-9)


def test_nothing_analog_costs_nothing():
    cost = analog_cost([layer_load(CONV, 0, ISAAC)], ISAAC, Isaac())
    assert (cost.arrays, cost.energy_j, cost.interval_s, cost.area_mm2) == (0, 0, 0, 0)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 900)), min_size=1, max_size=5),
    st.integers(0, 40),
)
def test_no_other_copies_are_faster(layers, spare):
    loads = [Load(str(i), arrays, reads, 0) for i, (arrays, reads) in enumerate(layers)]
    budget = sum(load.arrays for load in loads) + spare
    cost = analog_cost(loads, ISAAC, Isaac(), budget)
    assert cost.arrays <= budget
    slowest = round(cost.interval_s / 100e-9)
    assert slowest == max(-(-load.reads // cost.copies[load.name]) for load in loads)
    if slowest > 1:  # one read less would need more arrays than there are
        assert sum(load.arrays * -(-load.reads // (slowest - 1)) for load in loads) > budget
