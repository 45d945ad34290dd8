"""What a module does to each value of a tensor, told by what becomes of a row of points.

An activation can be written in many ways: hard swish is one operator, or an addition, a clip, a product and a
division. All of them make the same of every point of a row, so that is what is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Activation
from sim.quantise.trace import Constant, Node, Ref

POINTS = np.linspace(-12, 12, 4801)
"""Where curves are compared: 200 points for each unit, both sides of every bend."""

_POINTWISE = (
    "relu hardtanh clamp clamp_min clamp_max hardswish hardsigmoid sigmoid tanh silu gelu leaky_relu elu softplus mish "
    "add sub rsub mul div neg abs exp reciprocal"
)
POINTWISE = frozenset(_POINTWISE.split())
"""Operators (of torch) that do the same to each value."""

Curve = npt.NDArray[np.float64]


def _relu6(x: Curve) -> Curve:
    return np.clip(x, 0, 6)


FUNCTIONS: dict[Activation, Callable[[Curve], Curve]] = {
    Activation.NONE: lambda x: x,
    Activation.RELU: lambda x: np.maximum(x, 0),
    Activation.RELU6: _relu6,
    Activation.HSWISH: lambda x: x * _relu6(x + 3) / 6,
    Activation.HSIGMOID: lambda x: _relu6(x + 3) / 6,
}
"""The activations by their definitions, on float64."""

CURVES = f"give one of {', '.join(FUNCTIONS)}"

_NEAR = 1e-6


def curve_of(node: Node, curves: list[Any]) -> Any:
    """What an operator makes of curves.

    Parameters
    ----------
    node : the operator.
    curves : one for each operand that depends on the image.
    """
    left = iter(curves)
    args = tuple(
        next(left).clone() if isinstance(one, Ref) else one.tensor.reshape(()) if isinstance(one, Constant) else one
        for one in node.args
    )
    return node.call(*args, **node.kwargs)


def named_activation(curve: Any) -> Activation | None:
    """The activation whose curve it is; None if it is no known one."""
    made = curve.numpy()
    for activation, function in FUNCTIONS.items():
        if np.abs(made - function(POINTS)).max() <= _NEAR:
            return activation
    return None
