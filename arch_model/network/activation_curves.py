"""The functions that activations are, in real numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Activation

Reals = npt.NDArray[np.float64]


def _sigmoid(x: Reals) -> Reals:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), np.float64)


def _gelu(x: Reals) -> Reals:
    from scipy.special import erf

    return np.asarray(x * (1 + erf(x / np.sqrt(2))) / 2, np.float64)


CURVES: dict[Activation, Callable[[Reals], Reals]] = {
    Activation.NONE: lambda x: x,
    Activation.RELU: lambda x: np.maximum(x, 0),
    Activation.RELU6: lambda x: np.clip(x, 0, 6),
    Activation.HSWISH: lambda x: x * np.clip(x + 3, 0, 6) / 6,
    Activation.HSIGMOID: lambda x: np.clip(x + 3, 0, 6) / 6,
    Activation.SIGMOID: _sigmoid,
    Activation.SILU: lambda x: x * _sigmoid(x),
    Activation.TANH: np.tanh,
    Activation.GELU: _gelu,
}
"""By activation. A leaky ReLU has a slope of its own, and :attr:`Activation.CURVE` is whatever a network says."""


def activation_of(curve: Callable[[Reals], Reals]) -> Activation:
    """The activation that a function is, tried on numbers from -12 to 12; CURVE if it is none that has a name.

    GELU is also the one by a hyperbolic tangent, which is nowhere further from it than 0.0005.

    Parameters
    ----------
    curve : float64 (n,) to float64 (n,).

    Examples
    --------
    >>> activation_of(lambda x: x / (1 + np.exp(-x))), activation_of(np.cos)
    (<Activation.SILU: 'silu'>, <Activation.CURVE: 'curve'>)
    """
    x = np.linspace(-12, 12, 193)
    found = np.asarray(curve(x), np.float64)
    for name, known in CURVES.items():
        if found.shape == x.shape and np.all(np.abs(found - known(x)) <= (1e-3 if name is Activation.GELU else 1e-5)):
            return name
    negative = x < 0
    if found.shape == x.shape and np.allclose(found[~negative], x[~negative], atol=1e-5):
        slopes = found[negative] / x[negative]
        if np.ptp(slopes) <= 1e-5:
            return Activation.LEAKY_RELU
    return Activation.CURVE
