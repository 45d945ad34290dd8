"""Normalisations over channels, as layers that the machine has: differences, squares, means, and a table.

LayerNormalization of the channels of each pixel is ``d / sqrt(mean(d * d) + epsilon)`` with ``d = x - mean(x)``. The
difference and the mean are 1 x 1 convolutions with fixed weights, the square and the last product are products of two
tensors, and the reciprocal root is the table behind the mean. LRN is the same with a mean over neighbouring channels.
These convolutions have multiply-accumulates that the model does not have; they are counted in the SubNet.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Activation, Kind, Layer
from mapper.importers.network import Function
from mapper.importers.onnx.channels import scaled
from mapper.importers.onnx.model import Node, Unsupported
from mapper.importers.onnx.ops import Operator, Value
from mapper.importers.onnx.walk import Walk

Matrix = npt.NDArray[np.float64]


def layer_norm(walk: Walk, node: Node) -> None:
    """LayerNormalization over the channels."""
    x = walk.value(node.input(0))
    rank, c = len(x.dims), x.shape[0]
    channels_last = x.turned or (x.flat and x.shape[1:] == (1, 1))
    if node.whole("axis", -1) % rank != rank - 1 or not channels_last:
        raise Unsupported("it normalises over more than the channels of a pixel; give (1, H, W, C) and axis -1")
    _real(x)
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    apart = _mixed(walk, node, x, "difference", np.eye(c) - np.full((c, c), 1 / c), None)
    square = _times(walk, node, apart, apart, "square")
    scale = _mixed(
        walk, node, square, "scale", np.full((c, c), 1 / c), lambda v: 1 / np.sqrt(np.maximum(v, 0) + epsilon)
    )
    made = _times(walk, node, apart, scale, "")
    gain = (
        np.ones(c) if not node.input(1) else np.asarray(walk.constant(node.input(1), "scale"), np.float64).reshape(-1)
    )
    shift = (
        np.zeros(c) if not node.input(2) else np.asarray(walk.constant(node.input(2), "bias"), np.float64).reshape(-1)
    )
    if gain.shape != (c,) or shift.shape != (c,):
        raise Unsupported(f"its scale has {gain.size} values for {c} channels; give one each")
    walk.notes.append(f"layer {node.name}: it is two 1 x 1 convolutions, two products and a table")
    name = f"{node.outputs[0]}\nnormalised"
    walk.values[name] = made
    walk.model.uses[name] = 1
    scaled(walk, replace(node, name=f"{node.name}_affine"), name, gain, shift)


def local_response(walk: Walk, node: Node) -> None:
    """LRN: each value divided by a power of the squares of its neighbours among the channels."""
    x = walk.value(node.input(0))
    if x.turned or x.flat:
        raise Unsupported("its input is a matrix or has its channels last; give (1, C, H, W)")
    _real(x)
    c, size = x.shape[0], node.whole("size", 1)
    alpha, beta, bias = (float(node.attributes.get(k, d)) for k, d in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    apart = np.arange(c)[None, :] - np.arange(c)[:, None]
    band = np.where((apart >= -before) & (apart <= after), alpha / size, 0.0).astype(np.float64)
    square = _times(walk, node, x, x, "square")
    scale = _mixed(walk, node, square, "scale", band, lambda v: (bias + v) ** -beta)
    walk.notes.append(f"layer {node.name}: it is a 1 x 1 convolution, two products and a table")
    walk.values[node.outputs[0]] = _times(walk, node, x, scale, "")


def _real(x: Value) -> None:
    if x.quant is not None:
        raise Unsupported(
            "it normalises an int8 tensor, for which there are no integers; fold it, or give real numbers"
        )


def _mixed(walk: Walk, node: Node, x: Value, what: str, matrix: Matrix, function: Function | None) -> Value:
    """A 1 x 1 convolution."""
    c, h, w = x.shape
    kind = Kind.LINEAR if (h, w) == (1, 1) else Kind.CONV
    layer = Layer(f"{node.name}_{what}", kind, c, c, H=h, W=w, inputs=(x.layer,))
    operator = Operator(layer, (None,), weights=matrix[:, :, None, None], node=node)
    if function is not None:
        operator.bend(Activation.CURVE, function)
    return _value(walk, operator, x)


def _times(walk: Walk, node: Node, a: Value, b: Value, what: str) -> Value:
    """A product of two tensors."""
    c, h, w = a.shape
    name = f"{node.name}_{what}" if what else node.name
    layer = Layer(name, Kind.MUL, c, c, H=h, W=w, inputs=(a.layer, b.layer))
    return _value(walk, Operator(layer, (None, None), node=node), a)


def _value(walk: Walk, operator: Operator, like: Value) -> Value:
    layer = walk.append(operator).layer
    return replace(like, layer=layer.name, operator=operator, quant=None, stored=False, alone=True)
