"""The rounding of channels, against MobileNetV2's rule written out."""

from __future__ import annotations

from fractions import Fraction

import pytest

from arch_model.spaces.channels import divisible


@pytest.mark.parametrize("eighths", range(1, 400))
def test_the_least_multiple_of_8_that_is_near_enough(eighths: int) -> None:
    value = Fraction(eighths, 8)
    got = divisible(float(value))
    assert got % 8 == 0 and got >= 8
    near = [m for m in range(8, 64, 8) if abs(m - value) <= 4 or (m == 8 and value < 8)]
    want = max(near)  # of two as near, the greater
    if want < Fraction(9, 10) * value:
        want += 8
    assert got == want
