"""ONNX nodes that make a layer with weights, or go into one: convolutions, matrix products, batch norm, bias."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Kind, Layer
from mapper.importers.network import TensorQuant
from mapper.importers.onnx_model import Node, Unsupported
from mapper.importers.onnx_ops import Operator, Value, check_kernel, one_padding, one_stride, vector, whole_pads
from mapper.importers.onnx_walk import Walk, steps_of

_SAME_SCALE = 2.0**-20
"""Two scales that are nearer than this, relatively, are one that was rounded differently."""


def conv(walk: Walk, node: Node) -> None:
    quantized = node.op == "QLinearConv"
    x = walk.value(node.input(0), padded=True)
    if x.flat:
        raise Unsupported("its input is a matrix; give (1, C, H, W)")
    if quantized:
        x, steps, scale, out = _q_operands(walk, node, x, 3, 6)
        shape, bias = steps.shape, node.input(8)
    else:
        shape, bias = walk.constant(node.input(1), "weights").shape, node.input(2)
    stride, groups = one_stride(node), node.whole("group", 1)
    if groups < 1 or len(shape) != 4 or shape[1] * groups != x.shape[0] or shape[0] % groups:
        raise Unsupported(f"its weights are {shape} for {x.shape[0]} channels in {groups} groups")
    (k, _, r, s), (c, h, w) = shape, x.shape
    check_kernel(node, (r, s))
    pads = whole_pads(node, (h, w), (r, s), stride)
    together = (pads[0] + x.pad[0], pads[1] + x.pad[1], pads[2] + x.pad[2], pads[3] + x.pad[3])
    padding = one_padding(together, (h, w), (r, s), stride)
    layer = Layer(node.name, Kind.CONV, k, c, r, s, h, w, stride, padding, groups, (x.layer,), bias=bool(bias))
    operator = Operator(layer, (x.quant,), node=node)
    if quantized:
        operator.steps, operator.step_scale, operator.out = _int8(steps), _each(scale, k), out
        operator.step_bias = _int_bias(walk, bias, k, broadcast=False)
    else:
        _numbers(walk, operator, x, 0, shape)
    walk.add(node, operator)


def linear(walk: Walk, node: Node) -> None:
    """Gemm, MatMul, QGemm, QLinearMatMul: weights (F, K), or (K, F) with transB."""
    quantized = node.op in ("QGemm", "QLinearMatMul")
    x = walk.value(node.input(0))
    if node.whole("transA", 0) or not x.flat:
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
    features = prod(x.shape)
    if len(shape) != 2 or shape[1 if turned else 0] != features:
        raise Unsupported(f"its weights are {shape} for {features} features")
    k, (c, h, w) = shape[0 if turned else 1], x.shape
    whole = (k, c, h, w)
    kind = Kind.LINEAR if (h, w) == (1, 1) else Kind.CONV
    layer = Layer(node.name, kind, k, c, h, w, h, w, inputs=(x.layer,), bias=bool(bias))
    operator = Operator(layer, (x.quant,), node=node)
    if quantized:
        operator.steps = _int8(steps if turned else steps.T).reshape(whole)
        operator.step_scale, operator.out = _each(scale, k), out
        operator.step_bias = _int_bias(walk, bias, k, broadcast=True)
    else:
        _numbers(walk, operator, x, 0 if turned else 1, whole)
    walk.add(node, operator, flat=True)


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
        operator.steps, operator.step_scale = _int8(turned).reshape(shape), found.scale_along(axis)
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
    operator = walk.fusable(node.input(0))
    if operator.weights is None or not operator.is_linear:
        raise Unsupported(f"layer {operator.layer.name} cannot take it in; put it right after a convolution's floats")
    gain, shift, mean, variance = (
        np.asarray(walk.constant(node.input(i), "parameter"), np.float64) for i in range(1, 5)
    )
    sizes = {array.shape for array in (gain, shift, mean, variance)}
    if sizes != {(operator.layer.K,)}:
        shown = " and ".join(map(str, sorted(sizes)))
        raise Unsupported(f"its parameters are {shown} for {operator.layer.K} channels; give one each for a channel")
    below = variance + float(node.attributes.get("epsilon", 1e-5))
    if not np.all(below > 0):
        raise Unsupported(f"its variance and epsilon add up to {below.min():g}; give a positive sum")
    factor = gain / np.sqrt(below)
    before = np.zeros(operator.layer.K) if operator.bias is None else operator.bias
    operator.weights = operator.weights * factor[:, None, None, None]
    operator.bias = (before - mean) * factor + shift
    operator.layer = replace(operator.layer, batch_norm=True)
    walk.alias(node)


def add_constant(walk: Walk, node: Node, name: str) -> None:
    """A bias."""
    other = node.inputs[1] if node.inputs[0] == name else node.inputs[0]
    operator = walk.fusable(other)
    array = np.asarray(walk.constant(name, "operand"), np.float64)
    k, rank = operator.layer.K, len(walk.values[other].dims)
    aligned = (1,) * (rank - array.ndim) + array.shape  # as ONNX broadcasts: from the last axis on
    if operator.weights is None or not operator.is_linear:
        raise Unsupported("it adds a constant to what is not a float layer's own result; give two tensors")
    if len(aligned) != rank or aligned[1] not in (1, k) or array.size != aligned[1]:
        wanted = f"(1, {k}, 1, 1)" if rank == 4 else f"({k},)"
        raise Unsupported(f"it adds a constant of shape {array.shape} that is not one value a channel; give {wanted}")
    before = np.zeros(k) if operator.bias is None else operator.bias
    operator.bias = before + array.reshape(-1)
    operator.layer = replace(operator.layer, bias=True)
    walk.values[node.outputs[0]] = walk.value(other)


def _float32(array: npt.NDArray[Any], thing: str) -> npt.NDArray[np.float32]:
    if array.dtype != np.float32:
        raise Unsupported(f"its {thing} is of type {array.dtype}; give float32, as its image is")
    return array


def _int8(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    if steps.size and (steps.min() < -128 or steps.max() > 127):
        least, most = int(steps.min()), int(steps.max())
        raise Unsupported(f"its weights reach from {least} to {most} about their zero point; give -128 to 127")
    return steps.astype(np.int8)


def _each(scale: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float32]:
    if scale.size not in (1, k):
        raise Unsupported(f"its weights have {scale.size} scales; give 1 or {k}")
    return np.broadcast_to(scale, (k,)).astype(np.float32)
