import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.network.quant import rounding_shift
from mapper.importers.float32 import added, fit_add, fit_multiplier, requantized

F = np.float32


def test_double_rounding_by_hand():
    """3242 * s = 17.49999937..., which float32 (last place 2**-19 there) puts on the tie 17.5: onnxruntime gives 18."""
    scale = F(0.005397902335971594)
    assert 17.499999 < 3242 * float(scale) < 17.5
    assert F(3242) * scale == F(17.5)
    assert requantized(np.array([3242]), scale).tolist() == [18]
    exact = int(float(scale) * 2**33)  # 24 bits of mantissa in the 26 of the multiplier
    assert exact / 2**33 == float(scale)
    assert rounding_shift([3242 * exact], [33]).tolist() == [17]
    m, shift, wrong = fit_multiplier(np.array([scale]), np.array([0]), np.array([4000]), range(1, 128))
    assert rounding_shift([3242 * m[0]], [shift[0]]).tolist() == [18]  # a neighbour of the exact multiplier
    assert (m[0] * 2 ** (33 - shift[0]) != exact, wrong.tolist()) == (True, [0])


def test_large_sums_round_before_the_product():
    """2**24 + 1 is no float32: onnxruntime multiplies 2**24."""
    assert requantized(np.array([2**24 + 1]), F(1.0)).tolist() == [2**24]


def brute_wrong(scale, m, shift, smallest, greatest, lo, hi):
    """Sums whose clamped outputs differ, by trying all."""
    sums = np.arange(smallest, greatest + 1)
    ours = np.clip(rounding_shift(sums * m, shift), lo, hi)
    theirs = np.clip(requantized(sums, scale), lo, hi)
    assert np.abs(ours - theirs).max(initial=0) <= 1
    return int(np.count_nonzero(ours != theirs))


@settings(max_examples=60, deadline=None)
@given(
    scale=st.floats(2.0**-13, 2.0, width=32),
    smallest=st.integers(-60_000, 0),
    greatest=st.integers(0, 60_000),
    zero=st.integers(-128, 127),
    bits=st.sampled_from([24, 26]),
)
def test_wrong_counts_what_differs(scale, smallest, greatest, zero, bits):
    """Each wrong step is one sum (below 2**24), and there are no others."""
    ends = np.array([smallest]), np.array([greatest])
    m, shift, wrong = fit_multiplier(np.array([scale], F), *ends, range(-127 - zero, 128 - zero), bits)
    assert 0 <= m[0] < 1 << bits
    assert wrong[0] == brute_wrong(F(scale), m[0], shift[0], smallest, greatest, -128 - zero, 127 - zero)


@settings(max_examples=40, deadline=None)
@given(mantissa=st.integers(1, 255), exponent=st.integers(-30, -6), bits=st.sampled_from([24, 26]))
def test_scales_of_few_bits_are_always_right(mantissa, exponent, bits):
    """Sums below 2**16 times 8 bits: every product is a float32."""
    scale = np.array([mantissa * 2.0**exponent], F)
    ends = np.array([-(2**16)]), np.array([2**16])
    assert fit_multiplier(scale, *ends, range(-255, 256), bits)[2].tolist() == [0]


def test_neighbours_help():
    """Of 2,000 random scales the search leaves fewer channels wrong than the exact float32 would."""
    rng = np.random.default_rng(5)
    scale = np.exp(rng.uniform(np.log(3e-4), np.log(1e-2), 2000)).astype(F)
    ends = np.full(2000, -300_000), np.full(2000, 300_000)
    m, shift, wrong = fit_multiplier(scale, *ends, range(-127, 128))
    changed = np.flatnonzero(m.astype(np.float64) / 2.0**shift != scale)
    assert len(changed) > 100
    for i in changed[:20]:
        exact = np.int64(float(scale[i]) * 2.0 ** shift[i])
        assert exact / 2.0 ** shift[i] == scale[i]
        before = brute_wrong(scale[i], exact, shift[i], -300_000, 300_000, -128, 127)
        assert wrong[i] == brute_wrong(scale[i], m[i], shift[i], -300_000, 300_000, -128, 127) < before
    assert np.mean(wrong == 0) > 0.9


def test_sums_beyond_int32_are_not_claimed():
    ends = np.array([-(2**33)]), np.array([2**33])
    assert fit_multiplier(np.array([2.0**-26], F), *ends, range(-127, 128))[2][0] > 0


def test_scale_out_of_range():
    with pytest.raises(ValueError, match="below 2"):
        fit_multiplier(np.array([2.0**26], F), np.array([0]), np.array([1]), range(-127, 128))


def test_add_by_hand():
    """0.75 (a - 2) + 0.5 (b + 1) - 4 for a = 10, b = 3: 6 + 2 - 4; a = 11: 4.75, to 5; all exact in float32."""
    scales, zeros = (F(0.75), F(0.5), F(1.0)), (2, -1, -4)
    assert added(np.array([10, 11]), np.array([3, 3]), scales, zeros).tolist() == [4, 5]
    m_a, m_b, shift, wrong = fit_add(scales, zeros, 0, -128, 127)
    assert (m_a / 2**shift, m_b / 2**shift, wrong) == (0.75, 0.5, 0)


def test_ties_of_an_addition_with_an_odd_zero_point():
    """(1 - 0) / 2 + 0 + 1 = 1.5: onnxruntime rounds it to 2, the machine 0.5 to 0 and then adds 1."""
    scales, zeros = (F(0.5), F(1.0), F(1.0)), (0, 0, 1)
    assert added(np.array([1]), np.array([0]), scales, zeros).tolist() == [2]
    assert fit_add(scales, zeros, 0, -128, 127)[3] > 10_000
    assert fit_add(scales, (0, 0, 2), 0, -128, 127)[3] == 0


@pytest.mark.parametrize("seed", range(6))
def test_add_counts_its_wrong_pairs(seed):
    rng = np.random.default_rng(seed)
    scales = tuple(np.exp(rng.normal(-4, 0.6, 3)).astype(F))
    zeros, offset = tuple(int(z) for z in rng.integers(-128, 128, 3)), int(rng.choice([0, 128]))
    m_a, m_b, shift, wrong = fit_add(scales, zeros, offset, -128, 127)
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij")
    ours = np.clip(rounding_shift((a - zeros[0]) * m_a + (b - zeros[1]) * m_b, shift) + zeros[2], -128, 127)
    theirs = added(a + offset, b + offset, scales, tuple(z + offset for z in zeros)) - offset
    assert np.count_nonzero(ours != np.clip(theirs, -128, 127)) == wrong <= 2
