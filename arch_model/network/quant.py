"""Integer arithmetic that the reference, the weights and the RTL share, to the bit.

One rounding everywhere: an exact right shift that rounds half to even, the rounding of ONNX
QuantizeLinear / QLinearConv (https://onnx.ai/onnx/operators/onnx__QLinearConv.html), carried out on
integers so that hardware and NumPy agree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MULTIPLIER_BITS = 26
"""Width of a per-channel multiplier: with the 6 bits of its shift it fills one int32 word of the ZSB."""

PAIR_BITS = 24
"""Width of the two multipliers of a residual add and of the one of a pooling."""

SHIFT_MAX = 63

IntArray = npt.NDArray[np.int64]


def rounding_shift(value: npt.ArrayLike, shift: npt.ArrayLike) -> IntArray:
    """Shift right and round half to even, exactly.

    Parameters
    ----------
    value : integers, read as int64.
    shift : bits, 0 to 63; broadcasts against ``value``.

    Returns
    -------
    int64 array
        Of the broadcast shape.

    Examples
    --------
    >>> rounding_shift([5, 6, 7, -5, -6, -7], 2).tolist()   # 1.25 1.5 1.75
    [1, 2, 2, -1, -2, -2]
    >>> rounding_shift([2, 6], 2).tolist()                  # the ties 0.5 and 1.5 go to even
    [0, 2]
    """
    v = np.asarray(value, dtype=np.int64)
    s = np.asarray(shift, dtype=np.int64)
    floor = v >> s
    remainder = v - (floor << s)
    half = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)
    up = (remainder > half) | ((remainder == half) & (floor & 1 == 1))
    rounded: IntArray = floor + (up & (s > 0))
    return rounded


def requantize(
    acc: npt.ArrayLike,
    bias: npt.ArrayLike,
    multiplier: npt.ArrayLike,
    shift: npt.ArrayLike,
    zero_point: int,
    lo: int = -128,
    hi: int = 127,
) -> npt.NDArray[np.int8]:
    """Turn int32 accumulators into int8: ``clamp(round((acc + bias) * multiplier / 2**shift) + zero_point)``.

    Parameters
    ----------
    acc : accumulators, int32 of any shape (..., K).
    bias : int32, (K,).
    multiplier : (K,), unsigned and below 2**26.
    shift : (K,), 0 to 63.
    zero_point : the output's, -128 to 127.
    lo, hi : bounds of the result; ReLU is ``lo = zero_point``.

    Returns
    -------
    int8 array
        (..., K).

    Examples
    --------
    >>> requantize([[100, -100]], [0, 50], [1 << 25, 1 << 25], [26, 26], 3).tolist()
    [[53, -22]]
    """
    total = np.asarray(acc, dtype=np.int64) + np.asarray(bias, dtype=np.int64)
    y = rounding_shift(total * np.asarray(multiplier, dtype=np.int64), shift) + zero_point
    return np.clip(y, lo, hi).astype(np.int8)


def encode_multiplier(scale: npt.ArrayLike, bits: int = MULTIPLIER_BITS) -> tuple[IntArray, IntArray]:
    """The (multiplier, shift) pairs nearest to real scales: ``multiplier / 2**shift``.

    A scale of 0, or one too small for a shift of 63, gets a smaller multiplier, 0 at the end.

    Parameters
    ----------
    scale : real numbers of any shape, from 0 to below 2**(bits - 1).
    bits : of the multiplier, which is in [2**(bits - 1), 2**bits).

    Returns
    -------
    multipliers, shifts
        Int64 arrays of the shape of ``scale``.

    Raises
    ------
    ValueError
        A scale is negative, not finite, or 2**(bits - 1) or more.

    Examples
    --------
    >>> m, s = encode_multiplier([0.5, 0.3])
    >>> (m / 2.0**s).round(7).tolist()
    [0.5, 0.3]
    """
    x = np.asarray(scale, dtype=np.float64)
    if np.any(x < 0) or np.any(x >= 2.0 ** (bits - 1)) or not np.all(np.isfinite(x)):
        raise ValueError(f"scale must be finite, at least 0 and below 2**{bits - 1}; got {x.min()}..{x.max()}")
    _, exponent = np.frexp(x)  # x = f * 2**exponent, f in [0.5, 1)
    shift = np.minimum(bits - exponent, SHIFT_MAX)
    m = np.rint(np.ldexp(x, shift)).astype(np.int64)
    overflow = m == 1 << bits  # rounded up to the next power of two
    return np.where(overflow, m >> 1, m), np.where(overflow, shift - 1, shift).astype(np.int64)


def encode_pair(scale_a: float, scale_b: float, bits: int = PAIR_BITS) -> tuple[int, int, int]:
    """Two multipliers with one shift: ``m / 2**shift`` is nearest to each scale.

    Parameters
    ----------
    scale_a, scale_b : real numbers of at least 0; ``scale_b = 0`` gives the single multiplier of a pooling.
    bits : of the larger multiplier.

    Returns
    -------
    m_a, m_b, shift
        Integers.

    Examples
    --------
    >>> encode_pair(1.0, 0.5)
    (8388608, 4194304, 23)
    """
    _, shift = encode_multiplier(max(scale_a, scale_b), bits)
    s = int(shift)
    top = (1 << bits) - 1
    return min(round(scale_a * 2**s), top), min(round(scale_b * 2**s), top), s
