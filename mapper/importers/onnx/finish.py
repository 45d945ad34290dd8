"""Tables of functions go behind the convolutions that make their operands, where nobody else reads those.

The walk makes a *lookup* of every table that something reads: a depthwise 1 x 1 layer whose weights are ones, which
copies its input through the table. Where a convolution makes that input and nothing else reads it, the convolution
applies the table itself and the lookup goes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from arch_model.network.layer import Activation, Kind, Layer
from arch_model.network.weights import ConvQuant
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.ops import Curve, Operator

_ONE = 25
"""Bits of a multiplier that is 1."""


def lookup(name: str, source: str, shape: tuple[int, int, int], quant: TensorQuant, curve: Curve | None) -> Operator:
    """A layer that copies an int8 tensor, through the table of a curve if one is given.

    Parameters
    ----------
    name : the layer's.
    source : the layer whose tensor it reads.
    shape : (C, H, W) of the tensor.
    quant : what the tensor means.
    curve : the function to apply; None: a copy.
    """
    c, h, w = shape
    activation = Activation.NONE if curve is None else Activation.CURVE
    layer = Layer(name, Kind.CONV, c, c, H=h, W=w, groups=c, inputs=(source,), activation=activation)
    ones = np.ones((c, 1, 1, 1), np.int8)
    scale = np.ones(c, np.float32)
    return Operator(layer, (quant,), steps=ones, step_scale=scale, out=quant, curve=curve, lookup=True)


def copied(channels: int) -> ConvQuant:
    """The integers of a lookup: each output is its input."""
    none = np.zeros(channels, np.int32)
    one, shift = np.full(channels, 1 << _ONE, np.int32), np.full(channels, _ONE, np.int32)
    return ConvQuant(none, one, shift, 0, 0, -128, 127)


def finish(operators: list[Operator], results: set[str]) -> tuple[list[Operator], dict[str, str]]:
    """Operators in an order that runs, and the new names of layers that went into another.

    Parameters
    ----------
    operators : in topological order; they are changed.
    results : layers whose int8 tensor the graph gives as it is.
    """
    renamed = _tables_behind_convolutions(operators, results)
    kept = [operator for operator in operators if operator.layer.name not in renamed]
    results = {renamed.get(name, name) for name in results}
    return _without_unread_lookups(kept, results), renamed


def _readers(operators: list[Operator], results: set[str]) -> Counter[str]:
    return Counter([*(name for operator in operators for name in operator.layer.inputs), *results])


def _tables_behind_convolutions(operators: list[Operator], results: set[str]) -> dict[str, str]:
    readers, by_name = _readers(operators, results), {operator.layer.name: operator for operator in operators}
    renamed: dict[str, str] = {}
    for operator in operators:
        inputs = tuple(renamed.get(name, name) for name in operator.layer.inputs)
        operator.layer = replace(operator.layer, inputs=inputs)
        before = by_name.get(inputs[0]) if inputs else None
        if not operator.lookup or operator.curve is None or before is None or not before.layer.kind.has_weights:
            continue
        if readers[inputs[0]] != 1 or before.no_integers or before.meaning is None:
            continue
        assert operator.curve.steps is not None
        table, unsure = operator.curve.steps, operator.curve.unsure
        if before.curve is not None and before.curve.steps is not None:  # a table of a table
            table = table[before.curve.steps.astype(np.int64) + 128]
            unsure += before.curve.unsure
        before.curve = replace(operator.curve, steps=table, unsure=unsure)
        before.after, before.inner = operator.after, before.inner or operator.inner
        before.layer = replace(before.layer, activation=Activation.CURVE)
        readers[inputs[0]] = readers[operator.layer.name]
        renamed[operator.layer.name] = inputs[0]
    return renamed


def _without_unread_lookups(operators: list[Operator], results: set[str]) -> list[Operator]:
    readers = _readers(operators, results)
    return [operator for operator in operators if not operator.lookup or readers[operator.layer.name]]
