"""The ADC: a range, a step, clipping; and how a range is calibrated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from arch_model.analog import Crossbar

Real = TypeVar("Real", npt.NDArray[np.float32], npt.NDArray[np.float64])


@dataclass(frozen=True)
class Adc:
    """An ADC's values: ``origin + step * n``, in units of one level times one step of a DAC.

    A signed ADC has the origin 0 and as many codes on either side.

    Attributes
    ----------
    origin : the value of code 0.
    step : from one code to the next.
    least, most : codes, n.

    Examples
    --------
    >>> Adc(origin=0.0, step=1.5, least=-2, most=2).convert(np.array([-9.0, 0.1, 2.3])).tolist()
    [-3.0, 0.0, 3.0]
    """

    origin: float
    step: float
    least: int
    most: int

    @property
    def low(self) -> float:
        """The least value that is not clipped."""
        return self.origin + self.step * self.least

    @property
    def high(self) -> float:
        """The greatest value that is not clipped."""
        return self.origin + self.step * self.most

    def to_codes(self, x: Real) -> Real:
        """The nearest codes, half to even; in place."""
        if self.origin:
            x -= self.origin
        if self.step != 1.0:
            x *= 1.0 / self.step
        np.rint(x, out=x)
        return np.clip(x, self.least, self.most, out=x)

    def convert(self, x: Real) -> Real:
        """The values of the nearest codes; in place."""
        self.to_codes(x)
        x *= self.step
        x += self.origin
        return x


def calibrate(values: npt.NDArray[np.floating], bits: int, percentile: float, signed: bool) -> Adc:
    """The ADC whose range holds a share of values.

    The step is not finer than 1, the least difference of noiseless values; bits to spare widen the range.

    Parameters
    ----------
    values : samples of what it converts.
    bits : of a code.
    percentile : per cent of the values, on either side; of the magnitudes if signed.
    signed : whether codes are.

    Examples
    --------
    >>> calibrate(np.arange(101.0), bits=4, percentile=100, signed=False)
    Adc(origin=0.0, step=6.666666666666667, least=0, most=15)
    >>> calibrate(np.array([-9.0, 5.0]), bits=8, percentile=100, signed=True)
    Adc(origin=0.0, step=1.0, least=-127, most=127)
    """
    if signed:
        half = (1 << (bits - 1)) - 1
        span = float(np.percentile(np.abs(values), percentile))
        return Adc(0.0, max(1.0, span / half), -half, half)
    codes = (1 << bits) - 1
    low, high = (float(v) for v in np.percentile(values, [100 - percentile, percentile]))
    if high - low > codes:
        return Adc(low, (high - low) / codes, 0, codes)
    spare = codes - math.ceil(high - low)
    return Adc(float(max(0, math.floor(low) - spare // 2)), 1.0, 0, codes)


def adc_of(layer: str, crossbar: Crossbar, values: npt.NDArray[np.floating]) -> Adc | None:
    """The ADC of a layer (and cell slice); None if conversion is ideal.

    Parameters
    ----------
    layer : its name.
    crossbar : gives bits and percentile.
    values : samples of what it converts.
    """
    bits = crossbar.adc_bits_for(layer)
    if bits is None:
        return None
    return calibrate(values, bits, crossbar.percentile_for(layer), crossbar.encoding.is_signed)
