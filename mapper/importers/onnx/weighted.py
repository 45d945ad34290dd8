"""ONNX nodes that make a layer with weights, or go into one: convolutions, matrix products, batch norm, bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Kind, Layer
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.channels import per_channel, scaled
from mapper.importers.onnx.legal import FARTHEST
from mapper.importers.onnx.model import Node, Unsupported
from mapper.importers.onnx.ops import Operator, Value, check_kernel, vector, whole_pads
from mapper.importers.onnx.quantised import steps_of
from mapper.importers.onnx.walk import Walk
from mapper.importers.onnx.windows import dilations_of, outputs, strides_of, window_of
from mapper.workload.fusion import LARGEST_KERNEL

_SAME_SCALE = 2.0**-20
"""Two scales that are nearer than this, relatively, are one that was rounded differently."""


def conv(walk: Walk, node: Node) -> None:
    """Conv and QLinearConv, of one or two dimensions."""
    quantized = node.op == "QLinearConv"
    x = walk.value(node.input(0), padded=True)
    if x.flat or x.turned:
        raise Unsupported("its input is a matrix or has its channels last; give (1, C, H, W)")
    if quantized:
        x, steps, scale, out = _q_operands(walk, node, x, 3, 6)
        shape, bias = steps.shape, node.input(8)
    else:
        shape, bias = walk.constant(node.input(1), "weights").shape, node.input(2)
    groups = node.whole("group", 1)
    if groups < 1 or len(shape) != len(x.dims) or shape[1] * groups != x.shape[0] or shape[0] % groups:
        raise Unsupported(f"its weights are {shape} for {x.shape[0]} channels in {groups} groups")
    k, kernel = shape[0], shape[2:]
    check_kernel(node, kernel)
    strides, dilations = _each_way(strides_of(node, len(kernel))), _each_way(dilations_of(node, len(kernel)))
    r, s = kernel = (1, *kernel) if x.line else kernel
    spans = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilations, strict=True)]
    pads = whole_pads(node, x.shape[1:], spans, strides, x.line)
    together = (pads[0] + x.pad[0], pads[1] + x.pad[1], pads[2] + x.pad[2], pads[3] + x.pad[3])
    if not quantized and not x.quant and walk.host.is_image(x) and not x.line and _is_large(kernel, strides, groups):
        return _in_blocks(walk, node, together, strides, (k, x.shape[0], r, s))
    window = window_of(x.shape[1:], kernel, together, strides, dilations)
    (r, s), (c, h, w) = window.sizes, x.shape
    layer = Layer(
        node.name, Kind.CONV, k, c, r, s, h, w, window.stride, window.padding, groups, (x.layer,), bias=bool(bias)
    )
    walk.model_macs += prod(shape) * layer.P * layer.Q
    if window.sizes != kernel:
        walk.notes.append(f"layer {node.name}: its kernel of {' x '.join(map(str, kernel))} is in one of {r} x {s}")
    operator = Operator(layer, (x.quant,), node=node)
    if quantized:
        steps = steps.reshape(k, -1, *kernel)
        operator.steps, operator.step_scale, operator.out = _steps(steps), _each(scale, k), out
        operator.step_bias = _int_bias(walk, bias, k, broadcast=False)
    else:
        _numbers(walk, operator, x, 0, (k, shape[1], *kernel))
    for column in ("steps", "weights"):
        array = getattr(operator, column)
        setattr(operator, column, None if array is None else window.embedded(array))
    walk.add(node, operator, like=replace(x, turned=False))


def _each_way(given: tuple[int, ...]) -> tuple[int, int]:
    return (1, given[0]) if len(given) == 1 else (given[0], given[1])


def _is_large(kernel: Sequence[int], strides: Sequence[int], groups: int) -> bool:
    return groups == 1 and strides[0] == strides[1] > 1 and (strides[0] > 2 or max(kernel) > LARGEST_KERNEL)


def _in_blocks(
    walk: Walk, node: Node, pads: tuple[int, ...], strides: tuple[int, int], shape: tuple[int, int, int, int]
) -> None:
    """A convolution of the image whose stride or kernel is too large: of blocks of pixels, which the host makes."""
    stride, (k, c, r, s) = strides[0], shape
    x = walk.values[node.input(0)]
    _, h, w = x.shape
    sides, blocks = [], []
    for size, taps, before, after in zip((h, w), (r, s), pads[:2], pads[2:], strict=True):
        count, of_kernel = outputs(size, taps, before, after, stride), -(-taps // stride)
        blocks.append(of_kernel)
        sides.append((before, (count + of_kernel - 1) * stride - size - before))
    image = walk.host.rearranged(walk, node.input(0), sides[0], sides[1], stride)
    rows, columns = blocks
    (depth, height, width), bias = image.shape, bool(node.input(2))
    layer = Layer(node.name, Kind.CONV, k, depth, rows, columns, height, width, inputs=(image.layer,), bias=bias)
    operator = Operator(layer, (None,), node=node)
    _numbers(walk, operator, x, 0, shape)
    if operator.weights is None:
        raise Unsupported("its image is real and its weights are int8; give a QuantizeLinear of the image")
    whole = np.zeros((k, c, rows * stride, columns * stride), np.float64)
    whole[:, :, :r, :s] = operator.weights
    parts = whole.reshape(k, c, rows, stride, columns, stride).transpose(0, 3, 5, 1, 2, 4)
    operator.weights = parts.reshape(k, depth, rows, columns)
    walk.model_macs += prod(shape) * layer.P * layer.Q
    walk.notes.append(
        f"layer {node.name}: its kernel of {r} x {s} at stride {stride} is one of {rows} x {columns} blocks of pixels"
    )
    walk.add(node, operator)


def linear(walk: Walk, node: Node) -> None:
    """Gemm, MatMul, QGemm, QLinearMatMul: weights (F, K), or (K, F) with transB. Of pixels with their channels last it
    is a pointwise convolution."""
    quantized = node.op in ("QGemm", "QLinearMatMul")
    if node.input(0) in walk.constants or (node.input(0) in walk.values and node.input(1) in walk.values):
        raise Unsupported("it multiplies two tensors that are no weights; the machine multiplies by weights")
    x = walk.value(node.input(0))
    if node.whole("transA", 0) or not (x.flat or x.turned):
        raise Unsupported("its first operand is not one row of features; give (1, features)")
    for key in ("alpha", "beta"):
        if float(node.attributes.get(key, 1.0)) != 1.0:
            raise Unsupported(f"{key} is {node.attributes[key]}; give 1")
    out: TensorQuant | None = None
    bias, turned = "", bool(node.whole("transB", 0))
    if quantized:
        result = 7 if node.op == "QGemm" else 6
        x, steps, scale, out = _q_operands(walk, node, x, 3, result)
        shape, bias = steps.shape, node.input(6) if node.op == "QGemm" else ""
    else:
        shape, bias = walk.constant(node.input(1), "weights").shape, node.input(2)
    features = x.shape[0] if x.turned else prod(x.shape)
    if len(shape) != 2 or shape[1 if turned else 0] != features:
        raise Unsupported(f"its weights are {shape} for {features} features")
    k, (c, h, w) = shape[0 if turned else 1], x.shape
    r, s = (1, 1) if x.turned else (h, w)
    whole = (k, c, r, s)
    kind = Kind.LINEAR if (h, w) == (1, 1) else Kind.CONV
    layer = Layer(node.name, kind, k, c, r, s, h, w, inputs=(x.layer,), bias=bool(bias))
    walk.model_macs += layer.macs
    operator = Operator(layer, (x.quant,), node=node)
    if quantized:
        operator.steps = _steps(steps if turned else steps.T).reshape(whole)
        operator.step_scale, operator.out = _each(scale, k), out
        operator.step_bias = _int_bias(walk, bias, k, broadcast=True)
    else:
        _numbers(walk, operator, x, 0 if turned else 1, whole)
    walk.add(node, operator, like=replace(x, flat=not x.turned))


def _q_operands(
    walk: Walk, node: Node, x: Value, weights: int, result: int
) -> tuple[Value, npt.NDArray[np.int64], npt.NDArray[np.float32], TensorQuant | None]:
    """The operand with its int8 meaning, the weights' steps and scale, the result's meaning (None: real)."""
    x = walk.stored(x, walk.quant(node, 1, 2))
    array, zero = (
        walk.constant(node.input(weights), "weights"),
        walk.constant(node.input(weights + 2), "zero point"),
    )
    if array.dtype not in (np.int8, np.uint8) or array.dtype != zero.dtype:
        raise Unsupported(f"its weights are {array.dtype} about a zero point of {zero.dtype}; give one 8-bit type")
    axis = 0 if node.op == "QLinearConv" else 1 - node.whole("transB", 0)
    scale = vector(walk.constant(node.input(weights + 1), "scale"), "scale")
    if zero.size > 1 and zero.size != array.shape[axis % max(array.ndim, 1)]:
        raise Unsupported(f"its weights {array.shape} have {zero.size} zero points; give 1 or one a channel")
    out = walk.quant(node, result, result + 1) if node.input(result) else None
    return x, steps_of(array, zero, axis), scale, out


def _int_bias(walk: Walk, name: str, k: int, *, broadcast: bool) -> npt.NDArray[np.int64] | None:
    """The bias of an integer operator, at the product of the scales of operand and weights by definition."""
    if not name:
        return None
    bias = np.asarray(walk.constant(name, "bias"))
    if bias.dtype != np.int32:
        raise Unsupported(f"its bias is of type {bias.dtype}; give int32")
    return _along(bias, k, broadcast).astype(np.int64)


def _along(bias: npt.NDArray[Any], k: int, broadcast: bool = True) -> npt.NDArray[Any]:
    """A bias as (K,); with ``broadcast`` one that ONNX would broadcast to (1, K)."""
    try:
        return np.broadcast_to(bias, (1, k))[0] if broadcast or bias.shape == (k,) else bias.reshape(0, -1)
    except ValueError:
        raise Unsupported(f"its bias is {bias.shape} for {k} channels; give ({k},)") from None


def _numbers(walk: Walk, operator: Operator, x: Value, axis: int, shape: tuple[int, ...]) -> None:
    """Weights and bias of a node that ONNX computes in real numbers; ``axis`` of its weights is K."""
    assert operator.node is not None
    weights, bias, k = operator.node.input(1), operator.node.input(2), operator.layer.K
    if weights in walk.dequantized:
        found = walk.dequantized[weights]
        turned = found.steps if axis == 0 else found.steps.T
        operator.steps, operator.step_scale = _steps(turned).reshape(shape), found.scale_along(axis)
    else:
        array = _float32(walk.constant(weights, "weights"), "weights").astype(np.float64)
        operator.weights = (array if axis == 0 else array.T).reshape(shape)
    operator.real_bias = np.zeros(k, np.float32)
    if bias:
        real = _float32(walk.constant(bias, "bias"), "bias")
        operator.real_bias = _along(real, k, operator.node.op != "Conv").astype(np.float32)
        operator.bias = operator.real_bias.astype(np.float64)
    if operator.step_scale is None or x.quant is None:
        return
    if operator.bias is None:
        operator.fused_bias, operator.plain_bias = np.zeros(k, np.int64), True
        return
    unit = np.float64(x.quant.scale) * operator.step_scale  # a product of two float32 is exact in float64
    made = walk.dequantized.get(bias)
    if made is not None and made.stored.dtype == np.int32:
        operator.fused_bias = _along(made.stored.astype(np.int64), k)
        product = np.asarray(x.quant.scale * operator.step_scale, np.float32)
        operator.plain_bias = np.array_equal(made.stored, made.steps) and bool(np.all(made.scale == product))
        if np.all(np.abs(np.float64(made.scale) / unit - 1) < _SAME_SCALE):  # rounded another way, but that product
            operator.step_bias = _along(made.steps, k)
            return
    operator.step_bias = np.rint(operator.bias / unit).astype(np.int64)
    rest = np.count_nonzero(operator.step_bias * unit != operator.bias)
    if rest:
        walk.notes.append(f"layer {operator.layer.name}: its bias is rounded to whole steps in {rest} of {k} channels")


def batch_norm(walk: Walk, node: Node) -> None:
    """BatchNormalization, into the convolution before it, or as a layer of its own."""
    value = walk.value(node.input(0))
    gain, shift, mean, variance = (
        np.asarray(walk.constant(node.input(i), "parameter"), np.float64) for i in range(1, 5)
    )
    channels = value.shape[0]
    sizes = {array.shape for array in (gain, shift, mean, variance)}
    if sizes != {(channels,)}:
        shown = " and ".join(map(str, sorted(sizes)))
        raise Unsupported(f"its parameters are {shown} for {channels} channels; give one each for a channel")
    below = variance + float(node.attributes.get("epsilon", 1e-5))
    if not np.all(below > 0):
        raise Unsupported(f"its variance and epsilon add up to {below.min():g}; give a positive sum")
    factor = gain / np.sqrt(below)
    scaled(walk, node, node.input(0), factor, shift - mean * factor, "batch_norm")


def add_constant(walk: Walk, node: Node, name: str) -> None:
    """Add a constant, one value a channel: a bias of the layer before.

    Parameters
    ----------
    walk, node : as of a handler, see :class:`~mapper.importers.onnx.walk.Walk`.
    name : which input of the node is the constant.
    """
    other = node.inputs[1] if node.inputs[0] == name else node.inputs[0]
    shift = per_channel(walk, name, walk.value(other))
    scaled(walk, node, other, np.ones_like(shift), shift)


def times_constant(walk: Walk, node: Node, name: str) -> None:
    """Mul, Div, Sub by one value a channel.

    Parameters
    ----------
    walk, node : as of a handler, see :class:`~mapper.importers.onnx.walk.Walk`.
    name : which input of the node is the constant.

    Raises
    ------
    Unsupported
        It divides by 0, or by what is no constant.
    """
    other = node.inputs[1] if node.inputs[0] == name else node.inputs[0]
    value = walk.value(other)
    number = per_channel(walk, name, value)
    first = node.inputs[0] == name
    if node.op == "Div" and (first or np.any(number == 0)):
        raise Unsupported("it divides by what is no constant, or is 0; give a constant divisor")
    factor, shift = {
        "Mul": (number, 0 * number),
        "Div": (1 / np.where(number == 0, 1, number), 0 * number),
        "Sub": (-np.ones_like(number), number) if first else (np.ones_like(number), -number),
    }[node.op]
    scaled(walk, node, other, factor, shift)


def gain_of_average(walk: Walk, node: Node, name: str) -> bool:
    """Take a constant factor into the quantised average before it; False if it is none.

    Parameters
    ----------
    walk, node : as of a handler, see :class:`~mapper.importers.onnx.walk.Walk`.
    name : which input of the node is the constant.
    """
    other = node.inputs[1] if node.inputs[0] == name else node.inputs[0]
    value = walk.value(other)
    operator = value.operator if value.alone else None
    array = np.asarray(walk.constant(name, "operand"))
    if operator is None or operator.layer.kind not in (Kind.POOL, Kind.AVGPOOL) or None in operator.sources:
        return False
    if not operator.is_linear or array.size != 1 or array.dtype != np.float32 or not np.all(array > 0):
        return False
    operator.gain = np.float32(operator.gain * array.flat[0])
    walk.alias(replace(node, inputs=(other,)))
    return True


def _float32(array: npt.NDArray[Any], thing: str) -> npt.NDArray[np.float32]:
    if array.dtype != np.float32:
        raise Unsupported(f"its {thing} is of type {array.dtype}; give float32, as its image is")
    return array


def _steps(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int8] | npt.NDArray[np.int16]:
    """Weights about their zero point; those of 8 bits that leave int8 are split in the end."""
    least, most = (int(steps.min()), int(steps.max())) if steps.size else (0, 0)
    if max(-least, most) > FARTHEST:
        raise Unsupported(f"its weights reach from {least} to {most} about their zero point; give weights of 8 bits")
    return steps.astype(np.int8) if least >= -128 and most <= 127 else steps.astype(np.int16)


def _each(scale: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float32]:
    if scale.size not in (1, k):
        raise Unsupported(f"its weights have {scale.size} scales; give 1 or {k}")
    return np.broadcast_to(scale, (k,)).astype(np.float32)
