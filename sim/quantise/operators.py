"""Operators with weights, those that do the same to each value, and those that leave no layer."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from arch_model.network.layer import Kind
from sim.quantise.curves import composed, identity
from sim.quantise.layers import BatchNorm, Float
from sim.quantise.reader import IMAGE, Made, Reader, Value, argument, image_like, one_number
from sim.quantise.trace import Constant, Node, Ref


def convolution(reader: Reader, node: Node) -> Value:
    value = reader.value(node)
    c, h, w = image_like(reader, node, value)
    weights = reader.numbers(node, 1, "weights")
    stride, padding = (one_number(node, reader, node.args[n], what) for n, what in ((3, "stride"), (4, "padding")))
    dilation, transposed, groups = node.args[5], bool(node.args[6]), int(node.args[8])
    if weights is None or weights.ndim != 4 or transposed or one_number(node, reader, dilation, "dilation") != 1:
        raise reader.no(node, "it is transposed, dilated or not of two dimensions; give a plain Conv2d")
    k, _, r, s = weights.shape
    if groups not in (1, c) or (groups == c > 1 and k != c):
        raise reader.no(node, f"it has {groups} groups of {c} channels; give 1, or a filter for each channel")
    kind = Kind.LINEAR if (h, w, r, s, padding + value.pad) == (1, 1, 1, 1, 0) and groups == 1 else Kind.CONV
    stride = 1 if kind is Kind.LINEAR else stride
    groups = groups if c > 1 else 1
    return _weighted(reader, node, value, kind, (k, c, r, s, h, w, stride, padding + value.pad, groups), weights, 2)


def _weighted(
    reader: Reader,
    node: Node,
    value: Value,
    kind: Kind,
    sizes: tuple[int, ...],
    weights: Float,
    bias: int | None,
    operand: int = 1,
) -> Value:
    found = node.args[operand]
    origin = found.origin if isinstance(found, Constant) else ""
    layer = Made(kind, sizes, (reader.read(node, value, padded=True),), node.module, weights=weights, origin=origin)
    layer.bias = None if bias is None else reader.numbers(node, bias, "biases")
    return reader.add(layer)


def matrix(reader: Reader, node: Node, first: int) -> Value:
    """A linear layer; of a flattened (C, H, W) a convolution as large as the image.

    Parameters
    ----------
    reader : of the trace.
    node : the operator.
    first : place of the features among its operands; the weights follow.
    """
    value = reader.value(node, first)
    weights = reader.numbers(node, first + 1, "weights")
    if weights is None or weights.ndim != 2 or len(value.shape) not in (1, 3) or value.pad:
        raise reader.no(node, "its operands are no matrix of features and one of weights; give a Linear layer")
    features, k = weights.shape
    c, h, w = value.shape if len(value.shape) == 3 else (value.shape[0], 1, 1)
    if node.shape[1:] != (k,) or c * h * w != features:
        raise reader.no(node, f"its weights are {weights.shape} for {c * h * w} features")
    kind = Kind.LINEAR if (h, w) == (1, 1) else Kind.CONV
    shaped = np.ascontiguousarray(weights.T).reshape(k, c, h, w)
    bias = 0 if first else None
    return _weighted(reader, node, value, kind, (k, c, h, w, h, w, 1, 0, 1), shaped, bias, first + 1)


def batch_norm(reader: Reader, node: Node) -> Value:
    value = reader.value(node)
    if node.op == "native_batch_norm" and node.args[5]:
        raise reader.no(node, "it normalises by the images at hand; give the module in eval mode")
    layer = reader.made[value.layer] if value.layer != IMAGE else None
    bare = layer is not None and layer.kind.has_weights and layer.norm is None and layer.function is None
    if layer is None or not bare or value.function is not identity:
        raise reader.no(
            node, "it does not follow a convolution at once; put it there, where it folds into the integers"
        )
    epsilon = float(node.args[7] if node.op == "native_batch_norm" else node.args[6])
    gamma, beta, mean, var = (reader.numbers(node, place, "parameters") for place in range(1, 5))
    k = layer.sizes[0]
    if mean is None or var is None:
        raise reader.no(node, "it keeps no statistics (track_running_stats=False); give one that does")
    ones, zeros = np.ones(k, np.float32), np.zeros(k, np.float32)
    norm = BatchNorm(ones if gamma is None else gamma, zeros if beta is None else beta, mean, var, epsilon)
    if any(len(part) != k for part in (norm.gamma, norm.beta, norm.mean, norm.var)):
        raise reader.no(node, f"its parameters are not one for each of {k} channels")
    layer.norm = norm
    return value


def pointwise(reader: Reader, node: Node) -> Value:
    """Something that is done to each value: what it makes of the points of the curve says what."""
    values = [reader.values[one.number] for one in node.args if isinstance(one, Ref)]
    first = values[0]
    for one in node.args:
        if isinstance(one, Constant) and one.tensor.numel() != 1:
            raise reader.no(node, "it has a constant of its own for each channel; fold it into a layer's weights")
    if any(one.averaged or one.pad for one in values):
        raise reader.no(node, "it follows a mean over rows or columns alone, or a padding")
    if len(values) == 2 and (values[1].layer != first.layer or values[1].shape != first.shape):
        return _two(reader, node, first, values[1])
    return replace(first, function=composed(node, [one.function for one in values]))


def _two(reader: Reader, node: Node, a: Value, b: Value) -> Value:
    """The sum or the product of two tensors; of a sum the first operand is the layer that was made last."""
    if node.op not in ("add", "mul") or float(node.kwargs.get("alpha", 1)) != 1:
        raise reader.no(node, "no layer does this to two tensors; add or multiply them")
    if node.op == "add" or a.shape == b.shape:
        kind = Kind.ADD if node.op == "add" else Kind.MUL
        first, second = (a, b) if a.layer >= b.layer else (b, a)
        if a.shape != b.shape:
            raise reader.no(node, f"its operands are {a.shape} and {b.shape}; give two of one shape")
    else:
        kind = Kind.SCALE
        first, second = (b, a) if a.shape[1:] == (1, 1) else (a, b)
        if len(first.shape) != 3 or second.shape != (first.shape[0], 1, 1):
            raise reader.no(node, f"its operands are {a.shape} and {b.shape}; give one value a channel")
    c, h, w = first.shape if len(first.shape) == 3 else (first.shape[0], 1, 1)
    inputs = tuple(reader.read(node, one) for one in (first, second))
    if len(set(inputs)) == 1:
        raise reader.no(node, "it reads one tensor twice")
    return reader.add(Made(kind, (c, c, 1, 1, h, w, 1, 0, 1), inputs, node.module))


def reshape(reader: Reader, node: Node) -> Value:
    """Nothing but (N, C, H, W) as (N, features), axes of size 1 left out or put in, and copies."""
    value = reader.value(node)
    if value.averaged or value.pad:
        raise reader.no(node, "it follows a mean over rows or columns alone, or a padding")
    after = node.shape[1:]
    whole = value.shape
    flat = len(after) == 1 and after[0] == prod(whole)
    if after == whole or (flat and len(whole) == 1):
        return value
    if flat:
        return value if whole[1:] != (1, 1) else replace(value, shape=after)
    if len(whole) == 1 and after == (whole[0], 1, 1):
        return replace(value, shape=after)
    raise reader.no(node, f"it makes {node.shape} of (N, {', '.join(map(str, whole))}); only flattening is understood")


def pad(reader: Reader, node: Node) -> Value:
    value, sides = reader.value(node), [int(one) for one in node.args[1]]
    fill = float(argument(node, 2, 0) or 0)
    if len(sides) != 4 or len(set(sides)) != 1 or fill or sides[0] < 0:
        raise reader.no(
            node, f"it pads by {', '.join(map(str, sides))} with {fill:g}; give zeros, as many on each side"
        )
    return replace(value, pad=value.pad + sides[0])
