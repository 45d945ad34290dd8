"""Ranges, steps and clipping by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.noise.engine.adc import Adc, calibrate


def test_a_signed_converter_by_hand():
    adc = calibrate(np.array([-30.0, 10.0, 60.0]), bits=3, percentile=100, signed=True)
    assert adc == Adc(0.0, 20.0, -3, 3)  # 60 / 3
    assert adc.convert(np.array([-100.0, -31.0, -9.0, 0.0, 10.0, 30.0, 59.0])).tolist() == [-60, -40, 0, 0, 0, 40, 60]
    assert (adc.low, adc.high) == (-60, 60)


def test_an_unsigned_converter_by_hand():
    adc = calibrate(np.array([100.0, 170.0]), bits=3, percentile=100, signed=False)
    assert adc == Adc(100.0, 10.0, 0, 7)
    assert adc.convert(np.array([0.0, 104.0, 106.0, 500.0])).tolist() == [100, 100, 110, 170]


def test_the_percentile_clips():
    values = np.arange(1001.0)
    assert calibrate(values, bits=4, percentile=99, signed=False).high == pytest.approx(990)
    assert calibrate(values, bits=4, percentile=99, signed=False).low == pytest.approx(10)
    assert calibrate(-values, bits=4, percentile=90, signed=True).high == pytest.approx(900)


@given(st.integers(0, 2**32), st.integers(1, 12), st.booleans())
def test_integers_within_reach_are_exact(seed, bits, signed):
    rng = np.random.default_rng(seed)
    bits += signed
    most = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    values = rng.integers(-most if signed else 0, most + 1, 50).astype(float)
    adc = calibrate(values, bits, 100, signed)
    assert (adc.convert(values.copy()) == values).all()


def test_nothing_but_zeros_has_a_range():
    for signed in (False, True):
        adc = calibrate(np.zeros(5), 4, 99.9, signed)
        assert adc.step == 1
        assert adc.convert(np.zeros(2)).tolist() == [0, 0]
