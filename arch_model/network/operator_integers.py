"""The integers of operators: what turns a layer's sums, or two tensors, into int8.

The arithmetic is that of :mod:`arch_model.network.quant`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.network.quant import MULTIPLIER_BITS


@dataclass(frozen=True, eq=False)
class ConvQuant:
    """Requantisation of a convolution (dense or depthwise) or linear layer with K output channels.

    ``y = clamp(round((acc + bias) * multiplier / 2**shift) + z_out, lo, hi)`` with ``acc = sum(w * (x - z_in))``:
    ``arch_model.network.quant.requantize``.

    Attributes
    ----------
    bias : int32 (K,), in steps of the sums.
    multiplier : int32 (K,), 0 or in [2**25, 2**26).
    shift : int32 (K,) in [0, 63].
    z_in, z_out : zero-points of the input and the output, int8; padding is ``z_in``.
    lo, hi : the least and the greatest result, int8; ReLU is ``lo = z_out``.
    table : for activations that no clamp makes, int8 (256,): the output is ``table[y + 128]``.
    """

    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int32]
    z_in: int
    z_out: int
    lo: int
    hi: int
    table: npt.NDArray[np.int8] | None = None


@dataclass(frozen=True)
class AddQuant:
    """Residual addition, a = the block's second convolution, b = its shortcut.

    ``y = clamp(round(((a - z_a) * m_a + (b - z_b) * m_b) / 2**shift) + z_out, lo, hi)``, m below 2**24.

    Attributes
    ----------
    m_a, m_b : multipliers below 2**24.
    shift : bits, 0 to 63, of both products' sum.
    z_a, z_b, z_out : zero-points, int8.
    lo, hi : the least and the greatest result, int8.
    """

    m_a: int
    m_b: int
    shift: int
    z_a: int
    z_b: int
    z_out: int
    lo: int
    hi: int


@dataclass(frozen=True)
class PoolQuant:
    """Average pooling: ``clamp(round(sum(x - z_in) * m / 2**shift) + z_out, lo, hi)``, m below 2**24.

    The sum runs over the pixels of a window, all of a channel if it is global; ``m`` holds the division by their
    number. For a window of which some taps are outside the tensor it is :meth:`divided_by`'s.

    Attributes
    ----------
    m : multiplier below 2**24.
    shift : bits, 0 to 63.
    z_in, z_out : zero-points of the input and the output, int8.
    lo, hi : the least and the greatest result, int8.
    """

    m: int
    shift: int
    z_in: int
    z_out: int
    lo: int
    hi: int

    def divided_by(self, inside: int, taps: int) -> tuple[int, int]:
        """Multiplier and shift for the sum over ``inside`` of a window's ``taps``: ``m * taps / inside``, nearest.

        The multiplier has at most 26 bits; where it would have more, both lose bits. (If there is no shift left to
        lose, any sum but 0 is clamped, whatever the multiplier.)

        Parameters
        ----------
        inside : taps of the window that are inside the tensor, 1 to ``taps``.
        taps : taps of a whole window, for which ``m`` and ``shift`` are.

        Examples
        --------
        >>> PoolQuant(300, 10, 0, 0, -128, 127).divided_by(4, 9)
        (675, 10)
        """
        for less in range(self.shift + 1):
            m = round(self.m * taps / (inside << less))
            if m < 1 << MULTIPLIER_BITS:
                return m, self.shift - less
        return (1 << MULTIPLIER_BITS) - 1, 0


@dataclass(frozen=True)
class MaxPoolQuant:
    """Maximum pooling: ``clamp(max(x), lo, hi)``; scale and zero-point stay those of the input.

    Attributes
    ----------
    lo, hi : the least and the greatest result, int8.
    """

    lo: int = -128
    hi: int = 127


@dataclass(frozen=True)
class ScaleQuant:
    """A tensor x times factors s, one a channel (SCALE) or one a value of x (MUL), with two roundings.

    ``f = clamp(round((s - z_s) * m_f / 2**shift_f), -128, 127)``, m_f below 2**26, then
    ``y = clamp(round(f * (x - z_x) / 2**shift) + z_out, lo, hi)``.

    Attributes
    ----------
    z_s, z_x, z_out : zero-points of the factors, of x and of the output, int8.
    m_f, shift_f : multiplier, below 2**26, and bits, 0 to 63, that make a factor's 8 bits.
    shift : bits, 0 to 63, of the product.
    lo, hi : the least and the greatest result, int8.
    """

    z_s: int
    m_f: int
    shift_f: int
    z_x: int
    shift: int
    z_out: int
    lo: int
    hi: int


OpQuant = ConvQuant | AddQuant | PoolQuant | MaxPoolQuant | ScaleQuant
