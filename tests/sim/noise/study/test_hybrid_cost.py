"""All analog, hybrid and all digital beside each other."""

import pytest

from arch_model.analog import Crossbar, Encoding
from arch_model.cost.area import asic_area
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.hybrid.digital_half import DigitalHalf
from sim.noise.study.hybrid_cost import ISAAC, PUBLISHED, Figures, all_analog, all_digital, analog_half, changes, hybrid

FASHION = get_space("fashion")
SMALL = FASHION.subnet("fashion-d111-w222")
TINY = Accelerator.load("tiny")
SIX = Crossbar(encoding=Encoding.DIFFERENTIAL, conversion="slice", weight_bits=6, adc_bits=6)


def half(step):
    return DigitalHalf(FASHION, {layer.name: tuple(range(0, layer.C, step)) for layer in FASHION.layers if step})


def test_figures_by_hand():
    one = Figures(time_s=2e-3, energy_j=4e-3, dram_j=1e-3, area_mm2=5.0, operations=10**7)
    assert one.power_w == pytest.approx(2.0)
    assert one.area_efficiency == pytest.approx(1.0)  # 5 GOPS on 5 mm2
    assert one.power_efficiency == pytest.approx(2.5)
    twice = Figures(1e-3, 1e-3, 0.0, 10.0, 10**7)
    assert changes(twice, one) == pytest.approx(
        {"time": -50, "energy": -75, "area": 100, "power": -50, "area_efficiency": 0, "power_efficiency": 300}
    )
    assert set(changes(one, one)) == set(PUBLISHED)


def test_isaac_s_sixteen_bits_take_twice_the_time_and_more_than_twice_the_area():
    eight, sixteen = all_analog(SMALL, ISAAC), all_analog(SMALL, ISAAC, words=2)
    assert eight.time_s == pytest.approx(28 * 28 * 8 * 100e-9)  # the stem's pixels
    assert sixteen.time_s == pytest.approx(2 * eight.time_s)
    assert sixteen.energy_j / eight.energy_j == pytest.approx(3.0, abs=1.0)
    assert 1 < sixteen.area_mm2 / eight.area_mm2 <= 2


def test_a_hybrid_s_halves_work_at_once():
    third = half(3)
    analog, digital = analog_half(SMALL, SIX, third), third.price(SMALL, TINY)
    both = hybrid(SMALL, third, SIX, TINY, None)
    seconds = sum(row["latency_s"] for row in digital)
    assert both.time_s == max(analog.interval_s, seconds)
    assert both.energy_j == pytest.approx(analog.energy_j + sum(row["energy_j"] for row in digital))
    assert both.area_mm2 == pytest.approx(analog.area_mm2 + asic_area(TINY).total_mm2)
    assert both.dram_j == pytest.approx(sum(row["dram_bytes"] for row in digital) * 162.5e-12)


def test_the_ends_are_all_analog_and_all_digital():
    none, everything = hybrid(SMALL, half(0), SIX, TINY, None), hybrid(SMALL, half(1), SIX, TINY, None)
    assert (none.time_s, none.energy_j) == (all_analog(SMALL, SIX).time_s, all_analog(SMALL, SIX).energy_j)
    whole = all_digital(SMALL, TINY, None)  # also adds and pools
    assert everything.time_s == pytest.approx(whole.time_s, rel=0.05)
    assert everything.energy_j <= whole.energy_j


def test_fewer_bits_and_fewer_analog_channels_cost_the_analog_half_less():
    joules = [analog_half(SMALL, SIX, part).energy_j for part in (None, half(3), half(2), half(1))]
    assert joules == sorted(joules, reverse=True)
    assert joules[-1] == 0
