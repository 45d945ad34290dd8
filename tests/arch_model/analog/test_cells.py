"""Cells hold what was written: their places give the weight back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.analog import (
    Crossbar,
    Encoding,
    offset_of,
    outputs_per_array,
    place_values,
    quantise,
    row_blocks,
    to_levels,
)
from arch_model.errors import FastSwitchError


@given(st.sampled_from(Encoding), st.integers(1, 8), st.integers(2, 8))
def test_levels_give_every_weight_back(encoding, cell_bits, weight_bits):
    crossbar = Crossbar(encoding=encoding, cell_bits=cell_bits, weight_bits=weight_bits)
    weights = np.arange(-127, 128)
    quantised = quantise(weights, crossbar)
    levels = to_levels(quantised, crossbar)
    assert levels.shape == (encoding.columns, crossbar.cell_slices, 255)
    assert levels.min() >= 0 and levels.max() <= crossbar.levels
    columns = np.tensordot(place_values(crossbar), levels, (0, 1))
    back = columns[0] - (columns[1] if encoding.columns == 2 else 0) - offset_of(crossbar)
    assert (back == quantised).all()
    most = (1 << (weight_bits - 1)) - 1
    inside = np.abs(weights / crossbar.weight_step) <= most
    assert np.abs(back - weights / crossbar.weight_step)[inside].max() <= 0.5


def test_the_least_int8_weight():
    for encoding in Encoding:
        assert (to_levels(np.array([-128]), Crossbar(encoding=encoding, cell_bits=2)) <= 3).all()
    with pytest.raises(FastSwitchError, match="a weight of 128 does not fit 7 cells of 1 bits"):
        to_levels(np.array([-128]), Crossbar(encoding="differential", cell_bits=1))


def test_six_bits_by_hand():
    crossbar = Crossbar(weight_bits=6)  # steps of 4, half to even, at most 31
    assert quantise([0, 1, 2, 3, 6, 10, 127, -127, -2], crossbar).tolist() == [0, 0, 0, 1, 2, 2, 31, -31, 0]


def test_blocks_and_columns_by_hand():
    assert row_blocks(130, Crossbar(rows=64)) == [slice(0, 64), slice(64, 128), slice(128, 130)]
    assert row_blocks(1, Crossbar(rows=64)) == [slice(0, 1)]
    assert outputs_per_array(Crossbar(cols=128)) == 16  # 8 cells a weight
    assert outputs_per_array(Crossbar(cols=15)) == 1
