"""The component table against ISAAC's published totals."""

from dataclasses import replace

import pytest

from arch_model.analog import Isaac
from arch_model.errors import FastSwitchError


def test_tile_and_chip_come_out_of_the_components_within_2_per_cent():
    tile = Isaac()
    assert tile.tile_mw == pytest.approx(330, rel=0.02)
    assert tile.tile_mm2 == pytest.approx(0.372, rel=0.02)
    assert tile.imas * sum(c.mw for c in tile.ima()) == pytest.approx(289, rel=0.02)
    assert tile.imas * sum(c.mm2 for c in tile.ima()) == pytest.approx(0.157, rel=0.02)
    assert tile.chip_w == pytest.approx(65.8, rel=0.02)
    assert tile.chip_mm2 == pytest.approx(85.4, rel=0.02)


def test_an_ima_s_eight_adcs_as_published():
    adc = Isaac().ima()[0]
    assert adc.mw == pytest.approx(16, rel=0.01)
    assert adc.mm2 == pytest.approx(9600e-6)


def test_fewer_adc_bits_by_hand():
    eight, five = Isaac(), Isaac(adc_bits=5)
    saved_mw = 96 * (1.67 - 0.99) * 1.2
    assert eight.tile_mw - five.tile_mw == pytest.approx(saved_mw)
    assert eight.tile_mm2 - five.tile_mm2 == pytest.approx(96 * (1200 - 477) * 1e-6)


def test_a_read_takes_an_even_part_of_the_tile():
    tile = Isaac()
    without_adcs = tile.tile_mw - 12 * tile.ima()[0].mw  # 137.8 mW for 96 arrays and 100 ns: 143.6 pJ
    assert sum(tile.read_pj().values()) == pytest.approx(without_adcs * 100 / 96)


def test_the_frame_is_the_tile():
    frame = Isaac().to_frame()
    assert frame["mw"].sum() == pytest.approx(Isaac().tile_mw)
    assert frame.set_index("component").loc["router", "mm2"] == pytest.approx(0.151 / 4)


def test_an_adc_that_the_table_lacks_is_refused():
    with pytest.raises(FastSwitchError, match="adc_bits is 12; the component table has 4, 5, 6, 7, 8"):
        Isaac(adc_bits=12)
    assert replace(Isaac(), adc_pj={12: 9.0}, adc_um2={12: 1e4}, adc_bits=12).conversion_pj == 9.0
