"""The shared integer arithmetic against hand cases and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arch_model.network.quant import (
    MULTIPLIER_BITS,
    PAIR_BITS,
    SHIFT_MAX,
    encode_multiplier,
    encode_pair,
    requantize,
    rounding_shift,
)

properties = settings(deadline=None, max_examples=300, print_blob=True)
int64s = st.integers(-(2**63), 2**63 - 1)
accumulators = st.integers(-(2**31), 2**31 - 1)
scales = st.floats(0, 2.0**10, allow_nan=False, allow_subnormal=False)


@pytest.mark.parametrize(
    ("value", "shift", "result"),
    [
        (7, 0, 7),
        (-7, 0, -7),
        (1, 1, 0),  # 0.5 to even
        (3, 1, 2),  # 1.5
        (5, 1, 2),  # 2.5
        (-1, 1, 0),  # -0.5
        (-3, 1, -2),  # -1.5
        (-5, 1, -2),  # -2.5
        (5, 2, 1),  # 1.25
        (7, 2, 2),  # 1.75
        (-7, 2, -2),  # -1.75
        (2**62, 63, 0),  # 0.5
        (2**62 + 1, 63, 1),
        (-(2**62), 63, 0),  # -0.5
        (-(2**62) - 1, 63, -1),
        (-(2**63), 63, -1),
        (2**63 - 1, 63, 1),
    ],
)
def test_rounding_shift_by_hand(value: int, shift: int, result: int) -> None:
    assert rounding_shift(value, shift).tolist() == result


@properties
@given(st.lists(st.tuples(int64s, st.integers(0, SHIFT_MAX)), min_size=1, max_size=20))
@example([(2**63 - 1, 0), (-(2**63), 0), (2**63 - 1, 1), (3 << 61, 62)])
def test_rounding_shift_is_exact_division_rounded_half_to_even(cases: list[tuple[int, int]]) -> None:
    values, shifts = zip(*cases, strict=True)
    expected = [round(Fraction(v, 2**s)) for v, s in cases]
    assert rounding_shift(values, shifts).tolist() == expected


@properties
@given(st.integers(-(2**40), 2**40), st.integers(1, 20))
def test_ties_go_to_even(value: int, shift: int) -> None:
    tie = (2 * value + 1) << (shift - 1)  # value + 1/2
    result = int(rounding_shift(tie, shift))
    assert result % 2 == 0 and result in (value, value + 1)


def test_requantize_by_hand() -> None:
    # (7 + 1) * 3 / 2**2 = 6, + 10; (-9 + 0) * 1 / 2 = -4.5 to -4, + 10; two channels
    assert requantize([[7, -9]], [1, 0], [3, 1], [2, 1], 10).tolist() == [[16, 6]]
    # the same without a zero-point: 6 stays, ReLU (lo = zero-point) cuts -4
    assert requantize([[7, -9]], [1, 0], [3, 1], [2, 1], 0, lo=0).tolist() == [[6, 0]]
    # clamped at both ends after the zero-point
    assert requantize([[1000, -1000]], [0, 0], [1, 1], [0, 0], 5).tolist() == [[127, -128]]
    assert requantize([[1000, -1000]], [0, 0], [1, 1], [0, 0], 5, -6, 6).tolist() == [[6, -6]]


@properties
@given(
    acc=accumulators,
    bias=accumulators,
    multiplier=st.integers(0, 2**MULTIPLIER_BITS - 1),
    shift=st.integers(0, SHIFT_MAX),
    zero_point=st.integers(-128, 127),
    bounds=st.tuples(st.integers(-128, 127), st.integers(-128, 127)).map(sorted),
)
@example(2**31 - 1, 2**31 - 1, 2**26 - 1, 0, 127, [-128, 127])
@example(-(2**31), -(2**31), 2**26 - 1, 0, -128, [-128, 127])
def test_requantize_is_exact(
    acc: int, bias: int, multiplier: int, shift: int, zero_point: int, bounds: list[int]
) -> None:
    lo, hi = bounds
    exact = round(Fraction((acc + bias) * multiplier, 2**shift)) + zero_point
    result = requantize([[acc]], [bias], [multiplier], [shift], zero_point, lo, hi)
    assert result.dtype == np.int8 and result.shape == (1, 1)
    assert int(result[0, 0]) == min(max(exact, lo), hi)


@pytest.mark.parametrize(
    ("scale", "multiplier", "shift"),
    [
        (1.0, 2**25, 25),
        (0.5, 2**25, 26),
        (0.75, 3 * 2**24, 26),
        (2.0**-38, 2**25, 63),
        (2.0**-39, 2**24, 63),  # the shift ends at 63: fewer bits remain
        (2.0**-70, 0, 63),
        (0.0, 0, 26),
        (1 - 2.0**-30, 2**25, 25),  # rounds up to 2**26 / 2**26
        (2.0**25 - 2.0**-20, 2**25, 0),
    ],
)
def test_encode_multiplier_by_hand(scale: float, multiplier: int, shift: int) -> None:
    m, s = encode_multiplier(scale)
    assert (int(m), int(s)) == (multiplier, shift)


@properties
@given(scales, st.sampled_from([MULTIPLIER_BITS, PAIR_BITS]))
def test_encode_multiplier_is_the_nearest_with_all_its_bits(scale: float, bits: int) -> None:
    m, s = (int(x) for x in encode_multiplier(scale, bits))
    assert 0 <= s <= SHIFT_MAX and 0 <= m < 2**bits
    # Nearest: at most half a step of 2**-s away.
    assert abs(Fraction(m, 2**s) - Fraction(scale)) <= Fraction(1, 2 ** (s + 1))
    assert m >= 2 ** (bits - 1) or s == SHIFT_MAX or scale == 0


@pytest.mark.parametrize("scale", [-0.1, 2.0**25, float("inf"), float("nan"), [0.5, -1.0]])
def test_encode_multiplier_refuses_what_it_cannot_hold(scale: object) -> None:
    with pytest.raises(ValueError, match=r"scale must be finite, at least 0 and below 2\*\*25"):
        encode_multiplier(scale)  # type: ignore[arg-type]


def test_encode_pair_by_hand() -> None:
    assert encode_pair(0.5, 1.0) == (2**22, 2**23, 23)
    assert encode_pair(0.75, 0.0) == (3 * 2**22, 0, 24)
    assert encode_pair(1 / 3, 1 / 7) == (
        11184811,
        4793490,
        25,
    )  # 2**25 / 3 = 11184810.7, 2**25 / 7 = 4793490.3


@properties
@given(scales.filter(lambda x: x > 2.0**-30), scales)
def test_encode_pair_is_nearest_for_both(a: float, b: float) -> None:
    m_a, m_b, s = encode_pair(a, b)
    assert 0 <= m_a < 2**PAIR_BITS and 0 <= m_b < 2**PAIR_BITS and 0 <= s <= SHIFT_MAX
    assert max(m_a, m_b) >= 2 ** (PAIR_BITS - 1)
    for m, scale in ((m_a, a), (m_b, b)):
        assert abs(Fraction(m, 2**s) - Fraction(scale)) <= Fraction(1, 2 ** (s + 1))
