"""Integers that reproduce a float32 requantisation, and the count of what no integers reproduce.

onnxruntime turns an int32 sum into int8 by ``rint(float32(sum) * scale)``, float32 all the way
(MlasRequantizeOutput); the machine computes ``round_half_even(sum * multiplier / 2**shift)`` exactly. The 24 bits of a
float32 fit in our multiplier, so only onnxruntime's own roundings differ: of the sum, beyond 2**24, and of the
product, to 24 bits, which puts a product within half a unit of its last place from a tie onto the tie.

Both functions never fall as the sum rises, so they are the same function if they step at the same sums: at most 255
steps a channel, each of which is compared. Where the exact multiplier fails, its neighbours are tried (26 bits leave
room), and the best is taken. What then remains are steps that come one sum too early or too late. A scale of few bits
(a power of two, a small integer times one) leaves none, since its products are exact in float32; an arbitrary one
below 1e-3 or so often leaves a few, each of them one sum among the thousands that give the same output, and the
float32 nearest to a decimal fraction (0.3: ties at every tenth sum) leaves many. A residual addition has two operands
of 256 values, so all 65,536 pairs are compared; there onnxruntime rounds with the zero point of the output added and
the machine before, so ties (of ratios such as 1/2) go the other way if that zero point is odd.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.quant import (
    MULTIPLIER_BITS,
    PAIR_BITS,
    IntArray,
    encode_multiplier,
    encode_pair,
    rounding_shift,
)

Float = npt.NDArray[np.float32]
_EVERY = np.arange(-128, 128, dtype=np.int64)
_NEIGHBOURS = (0, 1, -1, 2, -2, 3, -3, 4, -4)


def requantized(total: IntArray, scale: Float) -> IntArray:
    """What onnxruntime makes of int32 sums, before zero point and clamp.

    Parameters
    ----------
    total : the sums, int64.
    scale : float32; broadcasts against ``total``.

    Returns
    -------
    int64 array
        Of the broadcast shape.

    Examples
    --------
    >>> requantized(np.array([5, 7]), np.float32([0.5, 0.5])).tolist()   # ties to even
    [2, 4]
    """
    scaled: Float = total.astype(np.float32) * scale
    return np.asarray(np.rint(scaled), np.int64)


def fit_multiplier(
    scale: Float,
    smallest: IntArray,
    greatest: IntArray,
    steps: range,
    bits: int = MULTIPLIER_BITS,
    *,
    nudge: bool = True,
) -> tuple[IntArray, IntArray, IntArray]:
    """The multiplier and the shift with which each channel is requantised as onnxruntime does it, as far as that is
    possible.

    Parameters
    ----------
    scale : float32 (K,), positive and below 2**(bits - 1).
    smallest, greatest : the sums that a channel can reach, bias included, int64 (K,).
    steps : the outputs before the zero point, without the least, that the clamp lets differ.
    bits : of the multiplier.
    nudge : try neighbours of the nearest multiplier.

    Returns
    -------
    multiplier, shift, wrong
        (K,) each. ``wrong`` counts the steps that onnxruntime takes at another sum; with 0 the outputs are the same for
        every sum from smallest to greatest.

    Raises
    ------
    ValueError
        A scale is out of range.

    Examples
    --------
    >>> m, s, wrong = fit_multiplier(np.float32([0.618034]), np.array([-1000]), np.array([1000]), range(-127, 128))
    >>> bool(m[0] / 2.0 ** s[0] == np.float32(0.618034)), int(wrong[0])   # the float32, exactly
    (True, 0)
    """
    exact, shift = encode_multiplier(scale, bits)
    first = first_sums(lambda total: requantized(total, scale[:, None]), scale, smallest, greatest, steps)
    multiplier, wrong = exact.copy(), wrong_steps(first, exact, shift, smallest, greatest, steps)
    for step in _NEIGHBOURS[1:] if nudge else ():
        rows = np.flatnonzero(wrong)
        m = np.clip(exact[rows] + step, 0, (1 << bits) - 1)
        count = wrong_steps(first[rows], m, shift[rows], smallest[rows], greatest[rows], steps)
        better = count < wrong[rows]
        multiplier[rows[better]], wrong[rows[better]] = m[better], count[better]
    wraps = (smallest < -(1 << 31)) | (greatest >= 1 << 31)  # where onnxruntime's int32 would
    return multiplier, shift, np.where(wraps, np.maximum(wrong, 1), wrong)


def wrong_steps(
    first: IntArray, multiplier: IntArray, shift: IntArray, smallest: IntArray, greatest: IntArray, steps: range
) -> IntArray:
    """How many steps of a channel the machine takes at another sum than it should.

    Both functions never fall as the sum rises, so with 0 they are the same for every sum from ``smallest`` to
    ``greatest``.

    Parameters
    ----------
    first : the sums, (K, len(steps)), as :func:`first_sums` gives them.
    multiplier, shift : of the machine, (K,).
    smallest, greatest : the sums that a channel can reach, int64 (K,).
    steps : the outputs before the zero point that the clamp lets differ.

    Returns
    -------
    int64 array
        (K,).

    Examples
    --------
    >>> half = first_sums(lambda n: np.rint(n * 0.5).astype(np.int64), np.array([0.5]), np.array([-8]), np.array([8]),
    ...                   range(-3, 4))
    >>> wrong_steps(half, np.array([1]), np.array([1]), np.array([-8]), np.array([8]), range(-3, 4)).tolist()
    [0]
    >>> wrong_steps(half, np.array([3]), np.array([2]), np.array([-8]), np.array([8]), range(-3, 4)).tolist()   # 0.75
    [7]
    """
    level = np.arange(steps.start, steps.stop, dtype=np.int64)[None, :]
    m, s = multiplier[:, None], shift[:, None]
    reached, from_below = first <= greatest[:, None], first > smallest[:, None]
    late = reached & (rounding_shift(first * m, s) < level)
    early = from_below & (rounding_shift((first - 1) * m, s) >= level)
    return np.asarray(np.count_nonzero(late | early, axis=1), np.int64)


def first_sums(
    output: Callable[[IntArray], IntArray],
    scale: npt.NDArray[np.floating[Any]],
    smallest: IntArray,
    greatest: IntArray,
    steps: range,
) -> IntArray:
    """The least sum of a channel whose output is at least each of some steps.

    Parameters
    ----------
    output : maps sums (K, n) to outputs before the zero point; must not fall as the sum rises.
    scale : about its slope, (K,); only makes the search short.
    smallest, greatest : the sums that a channel can reach, int64 (K,).
    steps : the outputs.

    Returns
    -------
    int64 array
        (K, steps); ``greatest + 1`` where no sum reaches a step.
    """
    level = np.arange(steps.start, steps.stop, dtype=np.int64)[None, :]
    least, most = smallest[:, None], greatest[:, None]
    with np.errstate(divide="ignore"):
        guess = np.clip((level - 0.5) / scale[:, None].astype(np.float64), least, most + 1).astype(np.int64)
    reach = 4 + (np.abs(guess) >> 21)  # two float32 roundings move a step by a 2**-23 of it
    low, high = np.maximum(guess - reach, least - 1), np.minimum(guess + reach, most + 1)
    low = np.where((low >= least) & (output(low) >= level), least - 1, low)  # a guess that was too far off
    high = np.where((high <= most) & (output(high) < level), most + 1, high)
    while np.any(high - low > 1):  # output(low) < level <= output(high), where the ends count as such
        middle = (low + high) >> 1
        above = output(middle) >= level
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return high


def added(
    a: IntArray, b: IntArray, scales: tuple[np.float32, np.float32, np.float32], zeros: tuple[int, int, int]
) -> IntArray:
    """What onnxruntime's QLinearAdd makes of two tensors, before the clamp: its x86-64 kernel with AVX2.

    It is ``rint(fma(a, r_a, fma(b, r_b, fixed)))`` with float32 ratios r. Other machines round differently there.

    Parameters
    ----------
    a, b : integers as onnxruntime stores them.
    scales, zeros : of a, b and the output, in the type that onnxruntime computes in (uint8 or int8).

    Returns
    -------
    int64 array
    """
    ratio_a, ratio_b = np.float32(scales[0] / scales[2]), np.float32(scales[1] / scales[2])
    fixed = np.float32(np.float32(zeros[2]) - _fma(zeros[0], ratio_a, np.float32(ratio_b * np.float32(zeros[1]))))
    return np.asarray(np.rint(_fma(a, ratio_a, _fma(b, ratio_b, fixed))), np.int64)


def _fma(x: Any, ratio: np.float32, addend: Any) -> Any:
    """``x * ratio + addend``, rounded once to float32: x has 9 bits, so float64 holds the sum exactly enough."""
    total = np.asarray(x, np.float64) * np.float64(ratio) + np.asarray(addend, np.float64)
    return total.astype(np.float32)


def fit_add(
    scales: tuple[np.float32, np.float32, np.float32],
    zeros: tuple[int, int, int],
    offset: int,
    lo: int,
    hi: int,
    *,
    nudge: bool = True,
) -> tuple[int, int, int, int]:
    """The multipliers and the shift with which a residual addition is done as onnxruntime does it, as far as that is
    possible.

    Parameters
    ----------
    scales : of a, b and the output.
    zeros : of the same, as int8.
    offset : 0 or 128: what int8 lacks to the type that onnxruntime computes in.
    lo, hi : clamp the int8 output.
    nudge : try neighbours of the nearest multipliers.

    Returns
    -------
    m_a, m_b, shift, wrong
        ``wrong`` counts pairs of operands, of 65,536, that it gets wrong.

    Raises
    ------
    ValueError
        A ratio of scales is out of range.

    Examples
    --------
    >>> fit_add((np.float32(0.5), np.float32(0.25), np.float32(0.5)), (0, 3, -2), 0, -128, 127)   # 1 and 1/2
    (8388608, 4194304, 23, 0)
    """
    a, b = _EVERY[:, None], _EVERY[None, :]
    stored = (zeros[0] + offset, zeros[1] + offset, zeros[2] + offset)
    wanted = np.clip(added(a + offset, b + offset, scales, stored) - offset, lo, hi)
    ratio_a, ratio_b = np.float32(scales[0] / scales[2]), np.float32(scales[1] / scales[2])
    m_a, m_b, shift = encode_pair(float(ratio_a), float(ratio_b))

    def wrong(d_a: int, d_b: int) -> int:
        return wrong_pairs(wanted, (m_a + d_a, m_b + d_b, shift), zeros, lo, hi)

    best = (wrong(0, 0), 0, 0)
    for d_a, d_b in sorted(product(_NEIGHBOURS[:7], repeat=2), key=lambda d: abs(d[0]) + abs(d[1])):
        if best[0] == 0 or not nudge:
            break
        if 0 <= m_a + d_a < 1 << PAIR_BITS and 0 <= m_b + d_b < 1 << PAIR_BITS:
            best = min(best, (wrong(d_a, d_b), d_a, d_b), key=lambda found: found[0])
    return m_a + best[1], m_b + best[2], shift, best[0]


def wrong_pairs(wanted: IntArray, pair: tuple[int, int, int], zeros: tuple[int, int, int], lo: int, hi: int) -> int:
    """Of the 65,536 pairs of int8 operands, how many the machine adds to another result than wanted.

    Parameters
    ----------
    wanted : the results, (256, 256).
    pair : m_a, m_b and the shift.
    zeros : of a, b and the output, as int8.
    lo, hi : clamp the int8 output.
    """
    m_a, m_b, shift = pair
    total = (_EVERY[:, None] - zeros[0]) * m_a + (_EVERY[None, :] - zeros[1]) * m_b
    made = np.clip(rounding_shift(total, shift) + zeros[2], lo, hi)
    return int(np.count_nonzero(made != wanted))
