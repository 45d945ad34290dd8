"""ONNX pools over windows: those that the machine has, larger maxima of several, averages that count padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from arch_model.errors import LayerError
from arch_model.network.layer import Kind, Layer
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.copies import numbered
from mapper.importers.onnx.model import Node, Unsupported
from mapper.importers.onnx.ops import Operator, Value, whole_pads
from mapper.importers.onnx.walk import Walk
from mapper.importers.onnx.windows import Pads, dilations_of, strides_of, window_of
from mapper.workload.depthwise import WINDOW


def pool(walk: Walk, node: Node) -> None:
    """MaxPool, AveragePool, QLinearAveragePool."""
    x = walk.value(node.input(0), padded=True)
    out: TensorQuant | None = None
    if node.op == "QLinearAveragePool":
        if node.whole("channels_last", 0):
            raise Unsupported("channels_last is 1; give channels first")
        x, out = walk.stored(x, walk.quant(node, 1, 2)), walk.quant(node, 3, 4)
    if x.flat or x.turned:
        raise Unsupported("its input is a matrix or has its channels last; give (1, C, H, W)")
    given = tuple(int(size) for size in node.attributes["kernel_shape"])
    rank = 1 if x.line else 2
    if len(given) != rank:
        raise Unsupported(f"kernel is {', '.join(map(str, given))}; give one of {rank} dimensions")
    kernel, strides = _two(given), _two(strides_of(node, rank))
    if any(one != 1 for one in dilations_of(node, rank)):
        raise Unsupported("its dilations are not 1; give 1")
    average = node.op != "MaxPool"
    pads = whole_pads(node, x.shape[1:], kernel, strides, x.line)
    if any(x.pad):
        pads = _with_pad(x, pads, average)
    c, h, w = x.shape
    up = bool(node.whole("ceil_mode", 0))
    if not (average and node.whole("count_include_pad", 0)) and _sees_all((h, w), kernel, pads):
        kernel, strides, pads, up = (h, w), (1, 1), (0, 0, 0, 0), False
    if average and kernel == strides == (1, 1) and not any(pads) and out is None:
        return walk.alias(node)
    if average and kernel == (h, w) and not any(pads):
        layer = Layer(node.name, Kind.POOL, c, c, H=h, W=w, inputs=(x.layer,))
        return walk.add(node, Operator(layer, (x.quant,), out=out, node=node), like=x)
    if average and any(pads) and node.whole("count_include_pad", 0):
        return _counting_padding(walk, node, x, kernel, strides, pads, up)
    stride, padding, up = _window(x, kernel, strides, pads, up)
    if not average:
        return _maximum(walk, node, x, kernel, stride, padding, up)
    layer = Layer(node.name, Kind.AVGPOOL, c, c, *kernel, h, w, stride, padding, 1, (x.layer,), up)
    walk.add(node, Operator(layer, (x.quant,), out=out, node=node), like=x)


def global_maximum(walk: Walk, node: Node) -> None:
    """GlobalMaxPool, and ReduceMax over the image."""
    x = walk.value(node.input(0))
    flat = False
    if node.op == "ReduceMax":
        given = walk.constant(node.input(1), "axes") if node.input(1) else node.attributes.get("axes", ())
        if sorted(int(axis) % 4 for axis in given) != [2, 3] or x.turned or len(x.dims) != 4:
            raise Unsupported("its axes are not those of rows and columns; give 2, 3")
        flat = not node.whole("keepdims", 1)
    _maximum(walk, node, x, (x.shape[1], x.shape[2]), 1, 0, False)
    walk.values[node.outputs[0]] = replace(walk.values[node.outputs[0]], flat=flat)


def _sees_all(sizes: tuple[int, int], kernel: tuple[int, int], pads: Pads) -> bool:
    """Whether there is one window, with all pixels and some padding."""
    each = zip(sizes, kernel, pads[:2], pads[2:], strict=True)
    return any(pads) and all(size + before <= taps == size + before + after for size, taps, before, after in each)


def _two(given: tuple[int, ...]) -> tuple[int, int]:
    return (1, given[0]) if len(given) == 1 else (given[0], given[1])


def _with_pad(x: Value, pads: Pads, average: bool) -> Pads:
    """Padding with a Pad of zeros before it: of a maximum of what is never negative, zeros are as good as nothing."""
    if average or x.operator is None or x.operator.lo < 0 or x.quant is not None:
        raise Unsupported("it follows a Pad of zeros; only a convolution, or a maximum behind a Relu, takes that in")
    top, left, bottom, right = (own + more for own, more in zip(pads, x.pad, strict=True))
    return top, left, bottom, right


def _window(x: Value, kernel: tuple[int, int], strides: tuple[int, int], pads: Pads, up: bool) -> tuple[int, int, bool]:
    """Stride, padding and ``ceil_mode`` of a layer with these windows; Unsupported if no layer has them."""
    c, h, w = x.shape
    top, left, _, _ = pads
    counts = []
    for size, taps, before, after, stride in zip((h, w), kernel, pads[:2], pads[2:], strides, strict=True):
        span = size + before + after - taps
        count = -(-span // stride) + 1 if up else span // stride + 1
        if up and (count - 1) * stride >= size + before:
            count -= 1
        counts.append(count)
    wanted = {stride for count, stride in zip(counts, strides, strict=True) if count > 1} or {1}
    if len(wanted) == 1 and top == left and min(counts) >= 1:
        (stride,) = wanted
        for overhang in (False, True):
            try:
                layer = Layer("pool", Kind.MAXPOOL, c, c, *kernel, h, w, stride, top, ceil_mode=overhang)
            except LayerError:
                continue
            if tuple(counts) == (layer.P, layer.Q):
                return stride, top, overhang
    raise Unsupported(
        f"windows of {kernel[0]} x {kernel[1]} at strides {strides[0]}, {strides[1]} with padding "
        f"{', '.join(map(str, pads))} (top, left, bottom, right) are none of one stride and one padding; give those"
    )


def _maximum(walk: Walk, node: Node, x: Value, kernel: tuple[int, int], stride: int, padding: int, up: bool) -> None:
    """A maximum; of a large window as maxima of maxima: two of 3 x 3 see 5 x 5 pixels."""
    source, (c, h, w), meaning = x.layer, x.shape, x.quant
    left, padded = list(kernel), padding
    while True:
        r, s = (min(WINDOW, size) for size in left)
        last = (r, s) == tuple(left)
        own = min(padded, min(r, s) // 2) if not last else padded
        name = node.name if last else f"{node.name}_of_{r}x{s}"
        step = stride if last else 1
        layer = Layer(name, Kind.MAXPOOL, c, c, r, s, h, w, step, own, 1, (source,), up and last)
        operator = Operator(layer, (meaning,), out=meaning, node=node)
        if last:
            break
        layer = walk.append(operator).layer
        source, h, w = layer.name, layer.P, layer.Q
        left, padded = [size - own_size + 1 for size, own_size in zip(left, (r, s), strict=True)], padded - own
    walk.add(node, operator, like=x)
    walk.values[node.outputs[0]] = replace(walk.values[node.outputs[0]], stored=x.stored)


def _counting_padding(
    walk: Walk, node: Node, x: Value, kernel: tuple[int, int], strides: tuple[int, int], pads: Pads, up: bool
) -> None:
    """An average of which zeros outside the tensor are part: a depthwise convolution with equal weights."""
    if up:
        raise Unsupported("count_include_pad and ceil_mode are 1; give 0, the average of the pixels that are there")
    window = window_of(x.shape[1:], kernel, pads, strides, (1, 1))
    (c, h, w), (r, s) = x.shape, window.sizes
    layer = Layer(node.name, Kind.CONV, c, c, r, s, h, w, window.stride, window.padding, c, (x.layer,))
    ones = window.embedded(np.ones((c, 1, *kernel), np.float64)).astype(np.float64)
    operator = numbered(Operator(layer, (x.quant,), node=node), ones)
    taps = kernel[0] * kernel[1]
    if operator.weights is not None:
        operator.weights = operator.weights / taps
    elif operator.step_scale is not None:
        operator.step_scale = (operator.step_scale / np.float32(taps)).astype(np.float32)
    walk.add(node, operator, like=x)
