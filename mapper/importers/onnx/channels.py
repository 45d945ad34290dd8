"""ONNX nodes that rearrange channels: Concat, Split, Slice, a shuffle; and layers that copy a tensor.

A concatenation or a slice of channels is an address (:mod:`mapper.workload.views`). What is not, a tensor that has to
lie in two places or channels in another order, is copied by a 1 x 1 convolution, whose multiply-accumulates are
counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Kind, Layer
from mapper.importers.onnx.copies import copy_of, numbered
from mapper.importers.onnx.model import Node, Unsupported
from mapper.importers.onnx.ops import Operator, Value
from mapper.importers.onnx.walk import Walk


def concat(walk: Walk, node: Node) -> None:
    """Concat along the channels."""
    given = [walk.value(name) for name in node.inputs]
    rank = len(given[0].dims)
    axis = node.whole("axis", 1) % rank
    if axis != 1 or len({(value.shape[1:], value.flat) for value in given}) > 1:
        raise Unsupported(f"it joins along axis {axis}; the machine joins channels: give axis 1 and equal sizes")
    if given[0].flat and any(value.shape[1:] != (1, 1) for value in given):
        raise Unsupported("it joins flattened images; join them before they are flattened")
    total = sum(value.shape[0] for value in given)
    _, h, w = given[0].shape
    if len(given) == 1:
        return walk.alias(node)
    layer = Layer(node.name, Kind.CONCAT, total, total, H=h, W=w, inputs=tuple(value.layer for value in given))
    walk.add(node, Operator(layer, tuple(value.quant for value in given), node=node), like=given[0])


def split(walk: Walk, node: Node) -> None:
    """Split along the channels."""
    x = walk.value(node.input(0))
    if node.whole("axis", 0) % len(x.dims) != 1 or (x.flat and x.shape[1:] != (1, 1)):
        raise Unsupported("it does not split channels; give axis 1")
    sizes = node.attributes.get("split")
    if node.input(1):
        sizes = walk.constant(node.input(1), "sizes").tolist()
    parts = len(node.outputs)
    if sizes is None:
        each = -(-x.shape[0] // parts)
        sizes = [min(each, x.shape[0] - each * part) for part in range(parts)]
    starts = np.cumsum([0, *sizes]).tolist()
    for name, first, count in zip(node.outputs, starts, sizes, strict=False):
        if walk.model.uses[name]:
            _slice(walk, node, x, int(first), int(count), name)


def cut(walk: Walk, node: Node) -> None:
    """Slice of channels, or of all of something."""
    x = walk.value(node.input(0))
    dims, bounds = x.dims, []
    for place, key in ((1, "starts"), (2, "ends"), (3, "axes"), (4, "steps")):
        given = walk.constant(node.input(place), key).tolist() if node.input(place) else node.attributes.get(key)
        bounds.append(None if given is None else [int(one) for one in given])
    starts, ends, axes, jumps = bounds
    if starts is None or ends is None:
        raise Unsupported("it has no starts or ends; give both")
    first, count = 0, x.shape[0]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = number if axes is None else axes[number] % len(dims)
        chosen = range(dims[axis])[start : end : 1 if jumps is None else jumps[number]]
        if len(chosen) == dims[axis] and chosen.step == 1:
            continue
        if axis != 1 or chosen.step != 1 or not chosen or (x.flat and x.shape[1:] != (1, 1)):
            raise Unsupported("it takes rows or columns; the machine takes consecutive channels: give axis 1")
        first, count = chosen.start, len(chosen)
    if count == x.shape[0]:
        return walk.alias(node)
    _slice(walk, node, x, first, count, node.outputs[0])


def _slice(walk: Walk, node: Node, x: Value, first: int, count: int, name: str) -> None:
    c, h, w = x.shape
    layer = Layer(name, Kind.SLICE, count, c, H=h, W=w, inputs=(x.layer,), first=first)
    operator = Operator(layer, (x.quant,), out=x.quant, node=node)
    walk.add(replace(node, outputs=(name,)), operator, like=x)
    walk.values[name] = replace(walk.values[name], stored=x.stored)


def shuffle(walk: Walk, node: Node) -> None:
    """The channels in another order: a 1 x 1 convolution that copies each to its place."""
    x, groups = walk.value(node.input(0)), int(node.attributes["groups"])
    c, h, w = x.shape
    order = np.arange(c).reshape(groups, c // groups).T.reshape(-1)
    matrix = np.zeros((c, c, 1, 1), np.float64)
    matrix[np.arange(c), order] = 1
    layer = Layer(node.name, Kind.CONV, c, c, H=h, W=w, inputs=(x.layer,))
    walk.notes.append(f"layer {node.name}: it copies its channels to other places, as a 1 x 1 convolution")
    walk.add(node, numbered(Operator(layer, (x.quant,), out=x.quant, node=node), matrix), like=x)
    walk.values[node.outputs[0]] = replace(walk.values[node.outputs[0]], stored=x.stored)


def resize(walk: Walk, node: Node) -> None:
    """Resize to the same size; nothing else."""
    x = walk.value(node.input(0))
    dims = walk.shapes.dims(node.outputs[0])
    if dims != x.dims:
        raise Unsupported(
            f"it makes {dims} of {x.dims}: a STORE writes neighbouring pixels next to each other, so the machine "
            "cannot enlarge a tensor; end the network before it, or give one that does not enlarge"
        )
    walk.alias(node)


def own_value(
    walk: Walk, node: Node, name: str, fits: Callable[[Operator], bool] = lambda operator: True, *, real: bool = False
) -> tuple[Value, Operator]:
    """A tensor whose operator a node may go into, and that operator: the one that made it, or that of a copy.

    Parameters
    ----------
    walk, node : as of a handler (:class:`~mapper.importers.onnx.walk.Walk`).
    name : of the tensor.
    fits : whether the operator that made it could take the node in.
    real : the node changes numbers, which no int8 tensor allows.

    Raises
    ------
    Unsupported
        The node would change an int8 tensor.
    """
    value = walk.value(name)
    operator = value.operator
    if operator is not None and value.alone and not operator.layer.kind.is_view and fits(operator):
        return value, operator
    if value.quant is not None and real:
        raise Unsupported("it changes an int8 tensor; put it between float layers, or a QuantizeLinear behind it")
    copy = walk.append(copy_of(f"{node.name}_copy", value, node))
    return replace(value, layer=copy.layer.name, operator=copy, quant=None, stored=False, alone=True), copy


def scaled(
    walk: Walk,
    node: Node,
    name: str,
    factor: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
    mark: str = "bias",
) -> Operator:
    """``factor * x + shift`` in the layer before, or in a layer of its own.

    Parameters
    ----------
    walk, node : as of a handler (:class:`~mapper.importers.onnx.walk.Walk`).
    name : of the tensor.
    factor, shift : real numbers, (K,).
    mark : the field of the layer that says so.

    Raises
    ------
    Unsupported
        The layer before has quantised weights, or the node would change an int8 tensor.
    """

    def linear(operator: Operator) -> bool:
        return operator.weights is not None and operator.is_linear

    made = walk.value(name).operator
    if made is not None and made.steps is not None:
        raise Unsupported(f"layer {made.layer.name} cannot take it in; put it right after a convolution's floats")
    value, operator = own_value(walk, node, name, linear, real=True)
    assert operator.weights is not None
    before = np.zeros(operator.layer.K) if operator.bias is None else operator.bias
    if np.any(factor != 1):
        operator.weights = operator.weights * factor[:, None, None, None]
    operator.bias = before * factor + shift
    changed = {"bias": operator.layer.bias, "batch_norm": operator.layer.batch_norm, mark: True}
    operator.layer = replace(operator.layer, bias=changed["bias"], batch_norm=changed["batch_norm"])
    walk.values[node.outputs[0]] = value
    return operator


def per_channel(walk: Walk, name: str, value: Value) -> npt.NDArray[np.float64]:
    """A constant operand as one number a channel, (C,).

    Parameters
    ----------
    walk : over the graph.
    name : of the constant.
    value : the tensor whose channels they are.

    Raises
    ------
    Unsupported
        It has more numbers.
    """
    array = np.asarray(walk.constant(name, "operand"), np.float64)
    c, rank = value.shape[0], len(value.dims)
    aligned = (1,) * (rank - array.ndim) + array.shape  # as ONNX broadcasts: from the last axis on
    axis = rank - 1 if value.turned else 1
    apart = value.flat and value.shape[1:] != (1, 1) and array.size > 1
    if len(aligned) != rank or aligned[axis] not in (1, c) or array.size != aligned[axis] or apart:
        wanted = f"(1, {c}, 1, 1)" if rank == 4 else f"({c},)"
        raise Unsupported(f"its constant of shape {array.shape} is not one value a channel; give {wanted}")
    return np.broadcast_to(array.reshape(-1), (c,)).astype(np.float64)
