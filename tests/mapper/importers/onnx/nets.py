"""ONNX models for the tests: a small builder, a residual network, and onnxruntime to run them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
ONNX_TYPE = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8}
ONNX_TYPE |= {np.dtype(np.int8): TensorProto.INT8}


class Graph:
    """Nodes and initializers, appended one by one; names are given or counted."""

    def __init__(self, shape=(1, 3, 16, 16), dtype=np.float32, image="x"):
        self.nodes, self.constants = [], []
        self.image = helper.make_tensor_value_info(image, ONNX_TYPE[np.dtype(dtype)], shape)

    def constant(self, array, name=None) -> str:
        name = name or f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, *inputs, name=None, domain="", out=None, **attributes) -> str:
        name = name or f"{op.lower()}{len(self.nodes)}"
        out = out or f"{name}_out"
        operands = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(op, operands, [out], name=name, domain=domain, **attributes))
        return out

    def conv(self, x, weights, bias=None, name=None, **attributes) -> str:
        """``pads`` and ``strides`` may be one number."""
        if isinstance(attributes.get("pads"), int):
            attributes["pads"] = [attributes["pads"]] * 4
        if isinstance(attributes.get("strides"), int):
            attributes["strides"] = [attributes["strides"]] * 2
        numbers = [np.asarray(a, np.float32) for a in (weights, bias) if a is not None]
        return self.node("Conv", x, *numbers, name=name, **attributes)

    def model(self, *outputs, dtype=np.float32, opset=None) -> onnx.ModelProto:
        ends = [helper.make_tensor_value_info(name, ONNX_TYPE[np.dtype(dtype)], None) for name in outputs]
        graph = helper.make_graph(self.nodes, "test", [self.image], ends, self.constants)
        opsets = OPSETS if opset is None else [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def save(self, path: Path, *outputs, dtype=np.float32, opset=None) -> Path:
        """Write the model; ``dtype`` is that of its outputs."""
        onnx.save(self.model(*outputs, dtype=dtype, opset=opset), path)
        return path


def session(path: Path) -> onnxruntime.InferenceSession:
    """onnxruntime on one thread, fusing int8 QDQ too. Weights of 7 bits keep every CPU from saturating."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def residual_graph(rng, batch_norm=False) -> tuple[Graph, str]:
    """Stem, two residual blocks (one with a 1 x 1 shortcut of stride 2), a depthwise layer, pooling, linear layer."""
    graph = Graph((1, 3, 16, 16))

    def conv(name, x, k, c, r, stride=1, groups=1, relu=True):
        fan = c // groups * r * r
        weights, bias = rng.normal(0, 1 / np.sqrt(fan), (k, c // groups, r, r)), rng.normal(0, 0.1, k)
        y = graph.conv(x, weights, bias, name=name, pads=r // 2, strides=stride, group=groups)
        if batch_norm:
            y = normalise(graph, rng, y, k, f"{name}_bn")
        return graph.node("Relu", y, name=f"{name}_relu") if relu else y

    stem = conv("stem", "x", 8, 3, 3)
    a = conv("a2", conv("a1", stem, 12, 8, 3, stride=2), 12, 12, 3, relu=False)
    down = conv("down", stem, 12, 8, 1, stride=2, relu=False)
    block = graph.node("Relu", graph.node("Add", a, down, name="add_a"), name="add_a_relu")
    b = conv("b2", conv("b1", block, 12, 12, 3), 12, 12, 5, relu=False)
    block = graph.node("Relu", graph.node("Add", b, block, name="add_b"), name="add_b_relu")
    pooled = graph.node("GlobalAveragePool", block, name="pool")
    flat = graph.node("Flatten", pooled, name="flat")
    weights, bias = rng.normal(0, 0.3, (10, 12)), rng.normal(0, 0.1, 10)
    return graph, graph.node(
        "Gemm", flat, weights.astype(np.float32), bias.astype(np.float32), name="fc", transB=1, out="y"
    )


def normalise(graph, rng, x, k, name) -> str:
    """A batch norm with random parameters."""
    ranges = ((0.5, 1.5), (-0.2, 0.2), (-0.2, 0.2), (0.5, 1.5))
    parameters = [rng.uniform(*ends, k).astype(np.float32) for ends in ranges]
    return graph.node("BatchNormalization", x, *parameters, name=name)
