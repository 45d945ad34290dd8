"""Layers that copy a tensor: convolutions whose weights are 0 and 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Kind, Layer
from mapper.importers.onnx.model import Node
from mapper.importers.onnx.ops import Operator, Value


def numbered(operator: Operator, weights: npt.NDArray[np.float64]) -> Operator:
    """An operator with weights of 0 and 1: int8 ones if its operand is int8.

    Parameters
    ----------
    operator : to give the weights.
    weights : 0 and 1, (K, C / groups, R, S).
    """
    k = operator.layer.K
    if operator.sources[0] is None:
        operator.weights = weights
    else:
        operator.steps, operator.step_scale = weights.astype(np.int8), np.ones(k, np.float32)
        operator.step_bias = np.zeros(k, np.int64)
    return operator


def copy_of(name: str, x: Value, node: Node | None) -> Operator:
    """A depthwise 1 x 1 layer that copies a tensor, to have what only a copy can have: an activation, a place.

    Parameters
    ----------
    name : of the layer.
    x : the tensor.
    node : the node that it stands for, if there is one.
    """
    c, h, w = x.shape
    groups = c if c > 1 else 1
    layer = Layer(name, Kind.CONV, c, c, H=h, W=w, groups=groups, inputs=(x.layer,))
    return numbered(Operator(layer, (x.quant,), node=node), np.ones((c, 1, 1, 1), np.float64))
