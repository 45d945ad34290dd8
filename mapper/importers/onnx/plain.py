"""ONNX nodes without weights: additions, pools, activations, and those that leave no layer."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite, isnan, prod
from typing import Any

import numpy as np

from arch_model.network.activation_curves import activation_of
from arch_model.network.layer import Kind, Layer
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.channels import own_value, scaled
from mapper.importers.onnx.model import Node, Unsupported
from mapper.importers.onnx.ops import Operator, Value, as_scalar
from mapper.importers.onnx.pointwise import curve_of
from mapper.importers.onnx.quantised import element_type
from mapper.importers.onnx.walk import Walk
from mapper.importers.onnx.weighted import add_constant, gain_of_average, times_constant
from mapper.workload.fusion import LARGEST_KERNEL


def bound(walk: Walk, node: Node) -> None:
    """Relu and Clip."""
    lo, hi = (0.0, inf) if node.op == "Relu" else _clip_bounds(walk, node)
    value = walk.value(node.input(0))
    if value.quant is None:
        value, operator = own_value(walk, node, node.input(0), lambda one: one.layer.activation.is_clamp)
        operator.clip(lo, hi)
        walk.values[node.outputs[0]] = value
        return None
    low = int(value.quant.quantize(lo)) if lo > -inf else -128
    high = int(value.quant.quantize(hi)) if hi < inf else 127
    if (low, high) != (-128, 127):  # else the type itself bounds
        operator = walk.fusable(node.input(0))
        operator.low, operator.high = max(operator.low, low), min(operator.high, high)
        reader = walk.model.reader(node.outputs[0])
        if not _on_steps(value.quant, lo, hi) and (reader is None or reader.op != "QuantizeLinear"):
            operator.no_integers = f"{node.label} bounds its int8 result between two steps, and nothing rounds it after"
    walk.alias(node)


def _on_steps(quant: TensorQuant, lo: float, hi: float) -> bool:
    """Whether clipping a dequantised tensor to these bounds leaves nothing but steps of its scale."""
    least, most = (float(real) for real in quant.dequantize(np.array([-128, 127], np.int8)))
    lower, upper = quant.dequantize(quant.quantize([lo if lo > -inf else least, hi if hi < inf else most]))
    return (lo <= least or lower == np.float32(lo)) and (hi >= most or upper == np.float32(hi))


def _clip_bounds(walk: Walk, node: Node) -> tuple[float, float]:
    bounds = []
    for place, key, default in ((1, "min", -inf), (2, "max", inf)):
        given = node.attributes.get(key, default)
        if node.input(place):
            given = as_scalar(walk.constant(node.input(place), key), key)
        bounds.append(float(given))
    lo, hi = bounds
    if isnan(lo) or isnan(hi):
        raise Unsupported(f"its bounds are {lo:g} and {hi:g}; give numbers")
    return (lo if lo > np.finfo(np.float32).min else -inf), (hi if hi < np.finfo(np.float32).max else inf)


def bend(walk: Walk, node: Node) -> None:
    """Functions of one value: HardSwish, Sigmoid, LeakyRelu, ..., and a group of operators that is one."""
    if node.op == "Curve":
        curve, activation = node.attributes["curve"], node.attributes["activation"]
    else:
        for name in node.inputs[1:]:
            as_scalar(walk.constant(name, "operand"), "its operand")
        for key, number in node.attributes.items():
            if isinstance(number, float) and not isfinite(number):
                raise Unsupported(f"its {key} is {number:g}; give a finite number")
        curve = curve_of([node], walk.constants, node.input(0))
        activation = activation_of(curve)

    def takes_table(operator: Operator) -> bool:
        unbounded = (operator.lo, operator.hi) == (-inf, inf)
        return operator.layer.kind.has_weights and operator.layer.activation.is_clamp and unbounded

    value, operator = own_value(walk, node, node.input(0), takes_table)
    operator.bend(activation, curve)
    operator.out = None  # what was there before is not kept
    walk.values[node.outputs[0]] = replace(value, quant=None, stored=False)


def turn(walk: Walk, node: Node) -> None:
    """Transpose of channels behind rows and columns, and back."""
    value = walk.value(node.input(0))
    rank = len(value.dims)
    order = [int(axis) for axis in node.attributes.get("perm", range(rank)[::-1])]
    if order == list(range(rank)):
        return walk.alias(node)
    last = [0, *range(2, rank), 1]
    back = [0, rank - 1, *range(1, rank - 1)]
    if value.flat or order != (back if value.turned else last):
        raise Unsupported(f"it turns axes as {order}; the machine knows its channels first or last: give {last}")
    walk.alias(node, turned=not value.turned)


def pad(walk: Walk, node: Node) -> None:
    value = walk.value(node.input(0))
    pads = node.attributes.get("pads")
    amounts = [int(p) for p in (walk.constant(node.input(1), "pads") if pads is None else pads)]
    fill = node.attributes.get("value", 0.0)
    if node.input(2):
        fill = as_scalar(walk.constant(node.input(2), "value"), "value")
    inner = len(amounts) == 8 and amounts[0] == amounts[1] == amounts[4] == amounts[5] == 0 and min(amounts) >= 0
    if value.stored and value.quant is None:
        raise Unsupported("it pads an int8 tensor whose zero point is not known there; give it to the convolution")
    zero = value.quant.zero_point + value.quant.offset if value.quant is not None and value.stored else 0
    if not inner or value.flat or fill != zero or node.text("mode", "constant") != "constant" or node.input(3):
        raise Unsupported("it does not pad rows and columns with zeros; give pads 0, 0, t, l, 0, 0, b, r")
    walk.alias(node, pad=(amounts[2], amounts[3], amounts[6], amounts[7]))


def add(walk: Walk, node: Node) -> None:
    """Add, of two tensors or with a constant."""
    constant = [name for name in node.inputs[:2] if name in walk.constants or name in walk.dequantized]
    if constant:
        return add_constant(walk, node, constant[0])
    _two(walk, node, walk.value(node.input(0)), walk.value(node.input(1)), None)


def total(walk: Walk, node: Node) -> None:
    """Sum: one addition after another."""
    if len(node.inputs) == 1:
        return walk.alias(node)
    sum_of = node.inputs[0]
    for place, name in enumerate(node.inputs[1:], 2):
        end = node.outputs[0] if place == len(node.inputs) else f"{node.outputs[0]}\n{place}"
        add(walk, replace(node, inputs=(sum_of, name), outputs=(end,)))
        walk.model.uses[end] += place < len(node.inputs)
        sum_of = end


def subtract(walk: Walk, node: Node) -> None:
    """Sub and Div: by constants, or a tensor less another one."""
    constant = [name for name in node.inputs[:2] if name in walk.constants or name in walk.dequantized]
    if constant:
        return times_constant(walk, node, constant[0])
    if node.op == "Div":
        raise Unsupported("it divides by a tensor; the machine multiplies: give the reciprocal by a table")
    second = walk.value(node.input(1))
    minus, name = -np.ones(second.shape[0]), f"{node.outputs[0]}\nminus"
    scaled(walk, replace(node, name=f"{node.name}_minus", outputs=(name,)), node.input(1), minus, 0 * minus)
    _two(walk, node, walk.value(node.input(0)), walk.values[name], None)


def q_add(walk: Walk, node: Node) -> None:
    a = walk.stored(walk.value(node.input(0)), walk.quant(node, 1, 2))
    b = walk.stored(walk.value(node.input(3)), walk.quant(node, 4, 5))
    _two(walk, node, a, b, walk.quant(node, 6, 7))


def _two(walk: Walk, node: Node, a: Value, b: Value, out: TensorQuant | None) -> None:
    """An addition; its first operand is the layer that was made last."""
    if (a.shape, a.dims) != (b.shape, b.dims):
        raise Unsupported(f"its operands are {a.dims} and {b.dims}; give two of the same shape")
    order = {op.layer.name: place for place, op in enumerate(walk.operators)}
    swapped = order.get(b.layer, -1) > order.get(a.layer, -1)
    first, second = (b, a) if swapped else (a, b)
    c, h, w = a.shape
    layer = Layer(node.name, Kind.ADD, c, c, H=h, W=w, inputs=(first.layer, second.layer))
    walk.add(node, Operator(layer, (first.quant, second.quant), out=out, swapped=swapped, node=node), like=a)


def mul(walk: Walk, node: Node) -> None:
    """Mul, of two tensors or with a constant."""
    constant = [name for name in node.inputs[:2] if name in walk.constants or name in walk.dequantized]
    if constant and gain_of_average(walk, node, constant[0]):
        return None
    if constant:
        return times_constant(walk, node, constant[0])
    _product(walk, node, walk.value(node.input(0)), walk.value(node.input(1)), None)


def q_mul(walk: Walk, node: Node) -> None:
    a = walk.stored(walk.value(node.input(0)), walk.quant(node, 1, 2))
    b = walk.stored(walk.value(node.input(3)), walk.quant(node, 4, 5))
    _product(walk, node, a, b, walk.quant(node, 6, 7))


def _product(walk: Walk, node: Node, a: Value, b: Value, out: TensorQuant | None) -> None:
    """A tensor times one value a channel (SCALE), or times a tensor of its shape (MUL)."""
    tensor, factors = (b, a) if a.shape[1:] == (1, 1) != b.shape[1:] else (a, b)
    kind = Kind.SCALE if factors.shape[1:] == (1, 1) else Kind.MUL
    if factors.shape != (tensor.shape if kind is Kind.MUL else (tensor.shape[0], 1, 1)) or tensor.flat != factors.flat:
        what = "give two tensors of one shape, or one and a value for each of its channels"
        raise Unsupported(f"its operands are {a.dims} and {b.dims}; {what}")
    c, h, w = tensor.shape
    layer = Layer(node.name, kind, c, c, H=h, W=w, inputs=(tensor.layer, factors.layer))
    walk.add(node, Operator(layer, (tensor.quant, factors.quant), out=out, node=node), like=tensor)


def global_pool(walk: Walk, node: Node) -> None:
    x = walk.value(node.input(0))
    out: TensorQuant | None = None
    flat = False
    if node.op == "QLinearGlobalAveragePool":
        if node.whole("channels_last", 0):
            raise Unsupported("channels_last is 1; give channels first")
        x, out = walk.stored(x, walk.quant(node, 1, 2)), walk.quant(node, 3, 4)
    elif node.op == "ReduceMean":
        given = walk.constant(node.input(1), "axes") if node.input(1) else node.attributes.get("axes", ())
        if sorted(int(axis) % 4 for axis in given) != ([1, 2] if x.turned else [2, 3]) or len(x.dims) != 4:
            raise Unsupported("its axes are not those of rows and columns; give 2, 3")
        flat = not node.whole("keepdims", 1)
    if x.flat:
        raise Unsupported("its input is a matrix; give (1, C, H, W)")
    c, h, w = x.shape
    layer = Layer(node.name, Kind.POOL, c, c, H=h, W=w, inputs=(x.layer,))
    walk.add(node, Operator(layer, (x.quant,), out=out, node=node), like=replace(x, flat=flat))


def same(walk: Walk, node: Node) -> None:
    """Identity, and Dropout of inference."""
    if node.op == "Dropout" and node.input(2) and as_scalar(walk.constant(node.input(2), "training_mode"), "mode"):
        raise Unsupported("training_mode is 1; export it for inference")
    walk.alias(node)


def cast(walk: Walk, node: Node) -> None:
    """A Cast to the type that the tensor has."""
    value = walk.value(node.input(0), curve=True)
    kind, own = element_type(node.whole("to", 0)), walk.type_of(value)
    if kind != own:
        raise Unsupported(f"it makes {kind} of {own}; give the type that it has")
    walk.alias(node)


def shape(walk: Walk, node: Node) -> None:
    value = walk.value(node.input(0))
    sizes = list(value.dims)
    walk.constants[node.outputs[0]] = np.array(sizes[node.whole("start", 0) :][: node.attributes.get("end")], np.int64)


def reshape(walk: Walk, node: Node) -> None:
    """Flatten, Reshape, Squeeze, Unsqueeze: between (1, C, H, W), (1, C, W) and (1, C * H * W), nothing else."""
    value = walk.value(node.input(0))
    before = list(value.dims)
    after = _new_sizes(walk, node, before)
    c, h, w = value.shape
    first = not value.turned or (h, w) == (1, 1)
    if after == before:
        walk.alias(node)
    elif after == [1, prod(value.shape)] and max(h, w) > LARGEST_KERNEL and walk.host.is_image(value):
        raise Unsupported(f"it flattens an image of {h} x {w}; give one of at most {LARGEST_KERNEL} rows and columns")
    elif after == [1, prod(value.shape)] and first:
        walk.alias(node, flat=True, line=False, turned=False)
    elif after == [1, c, h, w] and first:
        walk.alias(node, flat=False, line=False, turned=False)
    elif after == [1, h, w, c] and (h, w) == (1, 1):
        walk.alias(node, flat=False, line=False, turned=True)
    elif after == [1, c, w] and h == 1 and first:
        walk.alias(node, flat=False, line=True, turned=False)
    else:
        raise Unsupported(f"it makes {tuple(after)} of {tuple(before)}; give (1, features) or the same")


def _new_sizes(walk: Walk, node: Node, before: list[int]) -> list[int]:
    if node.op == "Flatten":
        axis = node.whole("axis", 1) % len(before)
        return [prod(before[:axis]), prod(before[axis:])]
    if node.op == "Reshape":
        wanted = [int(size) for size in walk.constant(node.input(1), "shape")]
        if node.whole("allowzero", 0) and 0 in wanted:
            raise Unsupported("allowzero is 1 and its shape has a 0; give a tensor that is not empty")
        sizes = [before[i] if size == 0 and i < len(before) else size for i, size in enumerate(wanted)]
        rest = prod(size for size in sizes if size != -1)
        return [prod(before) // max(rest, 1) if size == -1 else size for size in sizes]
    given: Any = walk.constant(node.input(1), "axes") if node.input(1) else node.attributes.get("axes")
    if node.op == "Unsqueeze":
        rank = len(before) + len(given)
        places = {int(axis) % rank for axis in given}
        left = iter(before)
        return [1 if place in places else next(left) for place in range(rank)]
    gone = range(1, len(before)) if given is None else [int(axis) % len(before) for axis in given]
    return [size for place, size in enumerate(before) if place not in gone or size != 1]
