"""Nodes that mean one thing together: two means that are one, a shuffle of channels, a function of one number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mapper.importers.onnx_host import before_heavy
from mapper.importers.onnx_model import Array, Model, Node
from mapper.importers.onnx_pointwise import DOMAIN, with_curves

_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QGemm", "QLinearMatMul", "DynamicQuantizeLinear")


def with_patterns(model: Model) -> Model:
    """The model with one node in place of each group that is known.

    What a quantised file computes value by value stays as it is: it has its scales in between.
    """
    constants = model.constants | _constants(model)
    nodes = _one_mean(model.nodes, constants, model)
    nodes = _shuffles(nodes, constants, model)
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
