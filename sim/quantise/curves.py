"""What a module does to each value of a tensor, as one function: the operators that it runs, one after the other.

An activation can be written in many ways: hard swish is one operator, or an addition, a clip, a product and a
division. What it is called is told by what it makes of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from arch_model.network.activation_curves import activation_of
from arch_model.network.layer import Activation
from sim.quantise.errors import need_torch
from sim.quantise.trace import Constant, Node, Ref, Tensor

Function = Callable[[Tensor], Tensor]
"""Of a tensor, value by value."""

Reals = npt.NDArray[np.float64]

_POINTWISE = (
    "relu hardtanh clamp clamp_min clamp_max hardswish hardsigmoid sigmoid tanh silu gelu leaky_relu elu softplus mish "
    "add sub rsub mul div neg abs exp log sqrt rsqrt pow square erf sin cos reciprocal log_sigmoid_forward"
)
POINTWISE = frozenset(_POINTWISE.split())
"""Operators (of torch) that do the same to each value."""

_POINTS = np.linspace(-12, 12, 4801)


def identity(x: Tensor) -> Tensor:
    """The function that changes nothing."""
    return x


def composed(node: Node, functions: Sequence[Function]) -> Function:
    """What an operator makes of the value that all of its operands are functions of.

    Parameters
    ----------
    node : an operator that works value by value.
    functions : of its operands that are tensors, in order.
    """

    def function(x: Tensor) -> Tensor:
        left = iter(functions)
        args = tuple(
            next(left)(x) if isinstance(one, Ref) else one.tensor.reshape(()) if isinstance(one, Constant) else one
            for one in node.args
        )
        if node.call._schema.is_mutable:
            args = (args[0].clone(), *args[1:])
        made = node.call(*args, **node.kwargs)
        return made[0] if isinstance(made, tuple | list) else made

    return function


def on_reals(function: Function) -> Callable[[Reals], Reals]:
    """The function of float64 numbers."""
    torch = need_torch()

    def made(x: Reals) -> Reals:
        with torch.no_grad():
            return np.asarray(function(torch.from_numpy(np.ascontiguousarray(x, np.float64))).numpy(), np.float64)

    return made


def activation_named(function: Function) -> Activation:
    """What a function is called; CURVE if it has no name."""
    return Activation.NONE if function is identity else activation_of(on_reals(function))


def same_function(a: Function, b: Function) -> bool:
    """Whether two functions make the same of 4,801 numbers from -12 to 12.

    Parameters
    ----------
    a, b : functions of tensors, value by value.
    """
    return a is b or np.array_equal(on_reals(a)(_POINTS), on_reals(b)(_POINTS), equal_nan=True)
