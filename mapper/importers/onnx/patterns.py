"""Nodes that mean one thing together: two means that are one, a shuffle of channels, a function of one number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mapper.importers.onnx.host import before_heavy
from mapper.importers.onnx.model import Array, Model, Node
from mapper.importers.onnx.pointwise import DOMAIN, with_curves

_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QGemm", "QLinearMatMul", "DynamicQuantizeLinear")


def with_patterns(model: Model) -> Model:
    """The model with one node in place of each group that is known.

    What a quantised file computes value by value stays as it is: it has its scales in between.
    """
    constants = model.constants | _constants(model)
    nodes = _one_mean(model.nodes, constants, model)
    nodes = _shuffles(nodes, constants, model)
    nodes = _norms(nodes, constants, model)
    if not any(node.op in _QUANTISED for node in nodes):
        keep = before_heavy(nodes, constants)
        nodes = with_curves(nodes, constants, model.outputs, keep)
    uses = Counter(name for node in nodes for name in node.inputs)
    uses.update(model.outputs)
    return replace(model, nodes=nodes, uses=uses)


def _constants(model: Model) -> dict[str, Array]:
    """What Constant nodes say."""
    import onnx

    found: dict[str, Array] = {}
    for node in model.nodes:
        if node.op == "Constant":
            given = node.attributes
            if "value" in given:
                found[node.outputs[0]] = onnx.numpy_helper.to_array(given["value"])
            elif "value_float" in given:
                found[node.outputs[0]] = np.array(given["value_float"], np.float32)
            elif "value_ints" in given:
                found[node.outputs[0]] = np.array(given["value_ints"], np.int64)
            elif "value_int" in given:
                found[node.outputs[0]] = np.array(given["value_int"], np.int64)
    return found


def _one_mean(nodes: tuple[Node, ...], constants: Mapping[str, Array], model: Model) -> tuple[Node, ...]:
    """The mean of rows of the mean of columns is the mean of the image."""
    makers = {node.outputs[0]: node for node in nodes}
    changed: dict[str, Node] = {}
    gone: set[str] = set()
    for node in nodes:
        first = makers.get(node.input(0))
        if (
            node.op != "ReduceMean"
            or first is None
            or first.op != "ReduceMean"
            or node.opset >= 18
            or first.opset >= 18
        ):
            continue
        keep = (first.whole("keepdims", 1), node.whole("keepdims", 1))
        axes = [*first.attributes.get("axes", ()), *node.attributes.get("axes", ())]
        one_each = len(axes) == 2 and {int(axis) % 4 for axis in axes} == {2, 3} and min(axes) >= -2
        if model.reader(first.outputs[0]) is None or not one_each or keep[0] != keep[1]:
            continue
        if keep == (0, 0) and int(axes[0]) % 4 != 3:  # the second counts axes of what is left
            continue
        attributes = {**node.attributes, "axes": [2, 3]}
        changed[node.outputs[0]] = _one_node(node, first.inputs, attributes)
        gone.add(first.outputs[0])
    return tuple(changed.get(node.outputs[0], node) for node in nodes if node.outputs[0] not in gone)


def _one_node(node: Node, inputs: tuple[str, ...], attributes: dict[str, Any]) -> Node:
    import onnx

    proto = onnx.helper.make_node(node.op, list(inputs), list(node.outputs), name=node.name, **attributes)
    return replace(node, inputs=inputs, attributes=attributes, proto=proto)


def _shuffles(nodes: tuple[Node, ...], constants: Mapping[str, Array], model: Model) -> tuple[Node, ...]:
    """(1, C, H, W) seen as (1, groups, C / groups, H, W), turned, and seen as (1, C, H, W) again."""
    changed: dict[str, Node] = {}
    gone: set[str] = set()
    for node in nodes:
        turned = model.reader(node.outputs[0]) if node.op == "Reshape" else None
        last = model.reader(turned.outputs[0]) if turned is not None else None
        if turned is None or last is None or turned.op != "Transpose" or last.op != "Reshape":
            continue
        shape = constants.get(node.input(1))
        if list(turned.attributes.get("perm", ())) != [0, 2, 1, 3, 4] or shape is None or shape.size != 5:
            continue
        groups = int(shape[1])
        attributes = {"groups": groups}
        changed[last.outputs[0]] = Node(
            "ChannelShuffle", last.name, node.inputs[:1], last.outputs, attributes, DOMAIN, 1, None
        )
        gone |= {node.outputs[0], turned.outputs[0]}
    return tuple(changed.get(node.outputs[0], node) for node in nodes if node.outputs[0] not in gone)


def _norms(nodes: tuple[Node, ...], constants: Mapping[str, Array], model: Model) -> tuple[Node, ...]:
    """A normalisation that is written out: ``d = x - mean(x)``, divided by the root of ``mean(d ** 2) + epsilon``."""
    makers = {node.outputs[0]: node for node in nodes}
    changed: dict[str, Node] = {}
    gone: set[str] = set()
    for node in nodes:
        found = _norm(node, constants, makers)
        if found is None or any(name in model.outputs for name in found[2]):
            continue
        source, epsilon, inner = found
        attributes = {"axis": -1, "epsilon": epsilon}
        changed[node.outputs[0]] = Node(
            "LayerNormalization", node.name, (source,), node.outputs, attributes, DOMAIN, 1, None
        )
        gone |= inner
    return tuple(changed.get(node.outputs[0], node) for node in nodes if node.outputs[0] not in gone)


def _norm(node: Node, constants: Mapping[str, Array], makers: Mapping[str, Node]) -> tuple[str, float, set[str]] | None:
    """Operand, epsilon and inner tensors of a normalisation that ends with a Div; None if it is none."""

    def maker(name: str, op: str) -> Node | None:
        made = makers.get(name)
        return made if made is not None and made.op == op else None

    def last_axis(mean: Node | None) -> bool:
        return mean is not None and [int(axis) for axis in mean.attributes.get("axes", ())] == [-1]

    less, root = maker(node.input(0), "Sub"), maker(node.input(1), "Sqrt")
    total = maker(root.input(0), "Add") if root is not None else None
    if node.op != "Div" or less is None or root is None or total is None:
        return None
    numbers = [name for name in total.inputs if name in constants and constants[name].size == 1]
    second = next((made for name in total.inputs if (made := maker(name, "ReduceMean")) is not None), None)
    first = maker(less.input(1), "ReduceMean")
    if second is None or first is None or len(numbers) != 1 or not last_axis(first) or not last_axis(second):
        return None
    power = makers.get(second.input(0))
    squared = power is not None and (
        (power.op == "Mul" and power.inputs == (less.outputs[0],) * 2)
        or (power.op == "Pow" and power.input(0) == less.outputs[0] and np.all(constants.get(power.input(1), 0) == 2))
    )
    if not squared or power is None or first.input(0) != less.input(0):
        return None
    inner = {one.outputs[0] for one in (less, root, total, second, first, power)}
    return less.input(0), float(constants[numbers[0]].item()), inner
