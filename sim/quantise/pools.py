"""Means over the image, and pools."""

from __future__ import annotations

from dataclasses import replace

from arch_model.network.layer import Kind
from sim.quantise.reader import Made, Reader, Value, argument, image_like, one_number
from sim.quantise.trace import Node


def mean(reader: Reader, node: Node) -> Value:
    """A mean over rows and columns, at once or one after the other."""
    value, axes = reader.value(node), node.args[1]
    rank = len(reader.shapes[node.args[0].number])
    left = [1, 2] if rank == 4 else [axis for axis in (1, 2) if axis not in value.averaged]
    given = {dict(zip((2, 3), left, strict=False)).get(int(axis) % rank) for axis in axes or ()}
    if not given or None in given:
        raise reader.no(node, "it is no mean over rows and columns; give axes 2 and 3")
    averaged = value.averaged | {axis for axis in given if axis is not None}
    if len(averaged) < 2:
        return replace(value, averaged=averaged)
    return global_pool(reader, node, replace(value, averaged=frozenset()), node.shape[1:])


def global_pool(reader: Reader, node: Node, value: Value, shape: tuple[int, ...]) -> Value:
    """The mean of each channel over the image.

    Parameters
    ----------
    reader : of the trace.
    node : the operator.
    value : what it reads.
    shape : that its result has in PyTorch.
    """
    c, h, w = image_like(reader, node, value)
    if (h, w) == (1, 1):
        return replace(value, shape=shape)
    made = reader.add(Made(Kind.POOL, (c, c, 1, 1, h, w, 1, 0, 1), (reader.read(node, value),), node.module))
    return replace(made, shape=shape)


def adaptive(reader: Reader, node: Node) -> Value:
    value = reader.value(node)
    c, h, w = image_like(reader, node, value)
    rows, columns = node.shape[2:]
    if (rows, columns) == (h, w):
        return value
    if (rows, columns) == (1, 1):
        return global_pool(reader, node, value, node.shape[1:])
    if h % rows or w % columns or h // rows != w // columns:
        raise reader.no(node, f"it makes {rows} x {columns} of {h} x {w} by windows that differ; give a divisor")
    size = h // rows
    sizes = (c, c, size, size, h, w, size, 0, 1)
    return reader.add(Made(Kind.AVGPOOL, sizes, (reader.read(node, value),), node.module))


def pool(reader: Reader, node: Node) -> Value:
    """max_pool2d_with_indices, avg_pool2d."""
    value, average = reader.value(node), node.op == "avg_pool2d"
    c, h, w = image_like(reader, node, value)
    kernel = node.args[1]
    r, s = (int(one) for one in (kernel if len(kernel) == 2 else [kernel[0]] * 2))
    steps = argument(node, 2, []) or [r, s]
    stride = one_number(node, reader, steps if len(steps) == 2 else steps * 2, "stride")
    padding = one_number(node, reader, (argument(node, 3, [0, 0]) * 2)[:2], "padding")
    if average:
        up, counts, divisor = (bool(argument(node, 4, False)), argument(node, 5, True), argument(node, 6, None))
        overhangs = up and ((h + 2 * padding - r) % stride or (w + 2 * padding - s) % stride)
        if divisor is not None or (counts and padding):
            raise reader.no(node, "it divides by more than the pixels that are there; count_include_pad=False")
        if (r, s, stride, padding) == (1, 1, 1, 0):
            return value
        if (r, s, padding) == (h, w, 0):
            return global_pool(reader, node, value, node.shape[1:])
        sizes = (c, c, r, s, h, w, stride, padding, 1)
        made = Made(Kind.AVGPOOL, sizes, (reader.read(node, value),), node.module, bool(overhangs))
        return reader.add(made)
    dilation = one_number(node, reader, (argument(node, 4, [1, 1]) * 2)[:2], "dilation")
    if dilation != 1:
        raise reader.no(node, f"its dilation is {dilation}; give 1")
    sizes = (c, c, r, s, h, w, stride, padding, 1)
    up = bool(argument(node, 5, False))
    return reader.add(Made(Kind.MAXPOOL, sizes, (reader.read(node, value),), node.module, up))
