"""Functions of one int8 tensor: whatever a graph makes of it value by value is a table of 256 entries.

Activations, requantisation to another scale, products of a tensor with a function of itself (``x * sigmoid(x)``), and
chains of all these have one operand of 256 values, so each is worked out for all of them, with every rounding to int8
that the file has on the way. The machine applies such a table behind a convolution; :mod:`mapper.importers.onnx.finish`
decides behind which.

ONNX's own reference evaluates the operators. Other implementations may round in other places, so a value carries a
bound on that (``doubt``), and an entry that two implementations could round to different steps is counted (``unsure``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mapper.importers.network import TensorQuant
from mapper.importers.onnx.model import Node, Unsupported
from mapper.importers.onnx.ops import Curve, Value, as_scalar, curve_of, same_quant
from mapper.importers.onnx.walk import Handler, Walk

_SAME = ("Abs", "Clip", "Identity", "Max", "Min", "Neg", "Relu")
"""Operators that round nowhere."""
_ROUNDED = ("Add", "Div", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul", "PRelu", "Sub")
"""Those of a few float32 operations, which others may do in another order, fuse, or replace by integers."""
_CURVED = (
    *("Celu", "Elu", "Erf", "Exp", "Gelu", "Log", "Mish", "Pow", "Reciprocal", "Selu", "Sigmoid", "Softplus"),
    *("Softsign", "Sqrt", "Tanh"),
)
"""Those that implementations approximate."""
FUNCTIONS = (*_SAME, *_ROUNDED, *_CURVED)
"""Operators that are a table if all their operands are constants and functions of one int8 tensor."""

STORED = {"QLinearAdd": "Add", "QLinearMul": "Mul", "QLinearSigmoid": "Sigmoid", "QLinearLeakyRelu": "LeakyRelu"}
"""onnxruntime's operators from int8 to int8, and what they compute."""

_FEW, _MANY = 2.0**-20, 2.0**-16
"""How far implementations of these may be apart, relatively (of values below 1 absolutely)."""


def or_function(handler: Handler) -> Handler:
    """A handler that makes a table where it can, and else does what ``handler`` does."""

    def handle(walk: Walk, node: Node) -> None:
        if is_function(walk, node) and not walk.only_bounds(node):
            return function(walk, node)
        return handler(walk, node)

    return handle


def no_layer(walk: Walk, node: Node) -> None:
    """Refuse a function of something else than an int8 tensor."""
    raise Unsupported("there is no layer for this operator")


def is_function(walk: Walk, node: Node) -> bool:
    """Whether a node makes a table: of one int8 tensor, functions of it and constants of one value."""
    names = _operands(node)
    values = [walk.values[name] for name in names if name in walk.values]
    if not values or any(name not in walk.values and not _is_scalar(walk, name) for name in names):
        return False
    if node.op not in FUNCTIONS and node.op not in STORED:
        return False
    if any(value.stored != (node.op in STORED) or any(value.pad) for value in values):
        return False
    if any(value.curve is None and value.quant is None for value in values):
        return False
    bases = [curve_of(value).base for value in values]
    first = bases[0]
    return all(
        base.layer == first.layer and same_quant(_meaning(base), _meaning(first)) and value.dims == values[0].dims
        for base, value in zip(bases, values, strict=True)
    )


def function(walk: Walk, node: Node) -> None:
    """Make the table of a node for which :func:`is_function` holds."""
    names = _operands(node)
    values = {name: walk.values[name] for name in names if name in walk.values}
    if node.op in STORED:
        for place, name in enumerate(names):
            walk.stored(values[name], walk.quant(node, 3 * place + 1, 3 * place + 2))
    curves = {name: curve_of(value) for name, value in values.items()}
    real = _evaluated(walk, node, {name: curve.real.astype(np.float32) for name, curve in curves.items()})
    steepest = max(1.0, _steepness(real, [curve.real for curve in curves.values()]))
    doubt = sum(curve.doubt for curve in curves.values()) * steepest
    if node.op not in _SAME:
        doubt += _MANY if STORED.get(node.op, node.op) in _CURVED else _FEW
    (base, *_), (value, *_) = ([one.base for one in curves.values()], values.values())
    made = Curve(base, real, None, doubt, max(curve.unsure for curve in curves.values()), False, node.name)
    quant = None
    if node.op in STORED:
        quant = walk.quant(node, 3 * len(names), 3 * len(names) + 1)
        made = made.quantized(quant)
    walk.values[node.outputs[0]] = replace(value, curve=made, quant=quant, stored=quant is not None)


def _meaning(base: Value) -> TensorQuant:
    assert base.quant is not None
    return base.quant


def _operands(node: Node) -> tuple[str, ...]:
    if node.op in STORED:
        return tuple(node.inputs[: 4 if node.op in ("QLinearAdd", "QLinearMul") else 1 : 3])
    return tuple(dict.fromkeys(name for name in node.inputs if name))


def _is_scalar(walk: Walk, name: str) -> bool:
    if name in walk.dequantized:
        return walk.dequantized[name].real.size == 1
    return name in walk.constants and walk.constants[name].size == 1


def _evaluated(walk: Walk, node: Node, tensors: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
    """The 256 values, by ONNX's reference. Unsupported for one that is not finite."""
    from onnx import helper

    proto = node.proto
    if node.op in STORED:
        attributes = {key: value for key, value in node.attributes.items() if key == "alpha"}
        proto = helper.make_node(STORED[node.op], list(_operands(node)), ["y"], **attributes)
    given = dict(tensors)
    for name in _operands(node):
        if name not in given:
            given[name] = np.asarray(as_scalar(walk.constant(name, "operand"), "operand"))
    with np.errstate(all="ignore"):
        (real, *_) = walk.model.evaluate(replace(node, proto=proto), given)
    if real.shape != (256,) or not np.all(np.isfinite(real)):
        raise Unsupported("it makes no finite numbers of some values of its operand; bound them before")
    return real.astype(np.float64)


def _steepness(real: npt.NDArray[np.float64], operands: list[npt.NDArray[np.float64]]) -> float:
    """How much faster than its operands a function changes at most."""
    most = 0.0
    for operand in operands:
        apart = np.abs(np.diff(operand))
        rises = np.abs(np.diff(real))[apart > 0] / apart[apart > 0]
        most = max(most, float(rises.max()) if rises.size else 0.0)
    return most
