"""Small networks as quantisers write them: onnxruntime's own tools, and the styles of others made by hand.

What each maker gives is a finished ONNX file; it needs onnx and onnxruntime alone. The tools that need torch are in
`bench/quantiser_tools.py`.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F = np.float32
Rng = np.random.Generator


class Net:
    """Nodes and initializers of a graph, appended one by one."""

    def __init__(self, opset: int, shape: tuple[int, ...], kind: int = TensorProto.FLOAT) -> None:
        self.nodes, self.constants, self.opset = [], [], opset
        self.image = helper.make_tensor_value_info("x", kind, shape)

    def node(self, op: str, *inputs: object, domain: str = "", **attributes: object) -> str:
        """A node; arrays among its inputs become initializers. Its result's name."""
        names = []
        for value in inputs:
            if not isinstance(value, str):
                self.constants.append(numpy_helper.from_array(np.asarray(value), f"k{len(self.constants)}"))
                value = self.constants[-1].name
            names.append(value)
        out = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [out], out, domain=domain, **attributes))
        return out

    def save(self, path: Path, out: str, kind: int = TensorProto.FLOAT) -> None:
        ends = [helper.make_tensor_value_info(out, kind, None)]
        graph = helper.make_graph(self.nodes, "net", [self.image], ends, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10 if self.opset > 20 else 8), path)


# ---- float networks, and onnxruntime's static quantisation of them ----


def float_network(rng: Rng, path: Path, opset: int = 17) -> None:
    """One to three convolutions, perhaps a residual block, a depthwise layer, a pool and a linear layer."""
    c, size = int(rng.integers(1, 5)), int(rng.integers(4, 9))
    net = Net(opset, (1, c, size, size))
    x = "x"

    def conv(x: str, c: int, k: int, r: int, stride: int = 1, groups: int = 1, relu: str = "") -> str:
        w = rng.normal(0, 1 / np.sqrt(c // groups * r * r), (k, c // groups, r, r)).astype(F)
        bias = [rng.normal(0, 0.2, k).astype(F)] if rng.random() < 0.8 else []
        y = net.node("Conv", x, w, *bias, pads=[r // 2] * 4, strides=[stride] * 2, group=groups)
        if relu == "Clip":
            return net.node("Clip", y, F(0), F(6))
        return net.node("Relu", y) if relu else y

    def activation() -> str:
        return str(rng.choice(["", "Relu", "Relu", "Clip"]))

    for _ in range(int(rng.integers(1, 3))):
        k = int(rng.integers(2, 7))
        x, c = conv(x, c, k, int(rng.choice([1, 3])), int(rng.choice([1, 1, 2])), relu=activation()), k
    if rng.random() < 0.4:
        y = conv(conv(x, c, c, 3, relu="Relu"), c, c, 1)
        x = net.node("Add", y, x)
        x = net.node("Relu", x) if rng.random() < 0.6 else x
    if rng.random() < 0.3:
        x = conv(x, c, c, 3, groups=c, relu=activation())
    if rng.random() < 0.5:
        x = net.node("Flatten", net.node("GlobalAveragePool", x))
        w, bias = rng.normal(0, 0.5, (4, c)).astype(F), rng.normal(0, 0.1, 4).astype(F)
        x = net.node("Gemm", x, w, bias, transB=1)
    net.save(path, x)


def network_of_functions(rng: Rng, path: Path, opset: int = 17) -> None:
    """Convolutions with activations of many kinds between them, squeeze-excite, windowed pools and sums."""
    c, size = int(rng.integers(2, 5)), int(rng.integers(6, 9))
    net = Net(opset, (1, c, size, size))
    x, before = "x", ""

    def conv(x: str, c: int, k: int, r: int = 1, groups: int = 1) -> str:
        w = rng.normal(0, 1.5 / np.sqrt(c // groups * r * r), (k, c // groups, r, r)).astype(F)
        return net.node("Conv", x, w, rng.normal(0, 0.2, k).astype(F), pads=[r // 2] * 4, group=groups)

    def activation(x: str) -> str:
        kind = str(rng.choice(["HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "LeakyRelu", "silu", "Elu"]))
        if kind == "silu":
            return net.node("Mul", x, net.node("Sigmoid", x))
        return net.node(kind, x, **({"alpha": 1 / 6} if kind == "HardSigmoid" else {}))

    for _ in range(int(rng.integers(2, 5))):
        before, kind = x, str(rng.choice(["conv", "depthwise", "excite", "pool", "sum"]))
        if kind == "conv" or before == "x":
            k = int(rng.integers(2, 6))
            x, c = activation(conv(x, c, k, int(rng.choice([1, 3])))), k
        elif kind == "depthwise":
            x = activation(conv(x, c, c, 3, c))
        elif kind == "excite":
            factors = conv(net.node("Relu", conv(net.node("GlobalAveragePool", x), c, 3)), 3, c)
            x = net.node("Mul", x, net.node("HardSigmoid", factors, alpha=1 / 6))
        elif kind == "pool":
            x = net.node(str(rng.choice(["MaxPool", "AveragePool"])), x, kernel_shape=[2, 2], strides=[1, 1])
        else:
            x = net.node("Add", activation(x), x)
    net.save(path, x)


def onnxruntime_static(
    rng: Rng, folder: Path, network: Callable[[Rng, Path, int], None] = float_network
) -> tuple[Path, str]:
    """`quantize_static` of a network with one combination of its options, and which."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    opset = int(rng.choice([13, 17, 21]))
    network(rng, source := folder / "float.onnx", opset if network is float_network else max(opset, 17))
    shape = [dim.dim_value for dim in onnx.load(source).graph.input[0].type.tensor_type.shape.dim]

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter([{"x": rng.normal(0, 1, shape).astype(F)} for _ in range(3)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.images, None)

    form = QuantFormat.QDQ if rng.random() < 0.6 else QuantFormat.QOperator
    pairs = [
        (QuantType.QUInt8, QuantType.QInt8),
        (QuantType.QInt8, QuantType.QInt8),
        (QuantType.QUInt8, QuantType.QUInt8),
    ]
    activations, weights = pairs[int(rng.choice([0, 0, 1, 2]))]
    method = [CalibrationMethod.MinMax, CalibrationMethod.Entropy, CalibrationMethod.Percentile][
        int(rng.choice([0, 0, 0, 1, 2]))
    ]
    flag = {
        key: bool(rng.random() < 0.4)
        for key in ("ActivationSymmetric", "WeightSymmetric", "QDQKeepRemovableActivations")
    }
    logging.disable(logging.WARNING)
    path = folder / "int8.onnx"
    with contextlib.redirect_stdout(io.StringIO()):  # the calibration tells its progress there
        quantize_static(
            str(source),
            str(path),
            Images(),
            quant_format=form,
            activation_type=activations,
            weight_type=weights,
            per_channel=bool(rng.random() < 0.5),
            reduce_range=bool(rng.random() < 0.3),
            calibrate_method=method,
            extra_options=flag | {"ForceQuantizeNoInputCheck": True},
        )
    return path, f"onnxruntime {form.name} {activations.name[1:]}{weights.name[1:]}".replace("Int", "")


# ---- the styles of other tools, by hand ----


@dataclass(frozen=True)
class Style:
    """How a tool writes a quantised network; every field is drawn for each network among what it may be."""

    name: str
    activation: tuple[type, ...] = (np.uint8, np.int8)
    symmetric: float = 0.3
    """How often zero points of activations are 0 (int8) or 128 (uint8)."""
    floor: float = 0.0
    """How often a result after a ReLU has the least zero point of its type."""
    scales: tuple[str, ...] = ("any",)
    per_channel: tuple[bool, ...] = (False, True)
    weights: tuple[type, ...] = (np.int8,)
    weight_zero: float = 0.0
    bias: tuple[str, ...] = ("int32",)
    zero_point: tuple[bool, ...] = (True,)
    """Whether nodes have a zero point; without, `output_dtype` says the type."""
    opsets: tuple[int, ...] = (13, 17, 21)
    relu: tuple[str, ...] = ("", "Relu", "Clip")
    native: bool = False
    """QLinear operators instead of QuantizeLinear and DequantizeLinear."""


STYLES = (
    Style("TensorRT", (np.int8,), 1.0, 0, ("any", "decimal"), (True, False), bias=("float", "none")),
    Style("TFLite", (np.int8,), 0.1, 0.9, ("any",), (True,), bias=("int32",), relu=("", "Relu")),
    Style("Vitis power of two", (np.int8, np.uint8), 0.9, 0.2, ("power",), (False,), bias=("int8", "int32", "none")),
    Style("uint8 decimal", (np.uint8,), 0.2, 0.7, ("decimal", "few"), bias=("int32", "none")),
    Style(
        "few bits",
        (np.uint8, np.int8),
        0.5,
        0.5,
        ("power", "few"),
        bias=("int32", "int32 own", "float", "int16", "none"),
    ),
    Style("uint8 weights", (np.uint8,), 0.2, 0.5, ("any", "power"), weights=(np.uint8,), weight_zero=0.7),
    Style("weights about 1", (np.uint8, np.int8), 0.2, 0.5, ("few", "any"), weight_zero=0.5, bias=("int32", "int8")),
    Style("own bias scales", (np.uint8,), 0.3, 0.5, ("any", "power"), bias=("int32 own", "int8", "int16", "float")),
    Style("no zero points", (np.int8, np.uint8), 1.0, 1.0, ("power", "any"), zero_point=(False,), opsets=(21, 23)),
    Style(
        "QLinear",
        (np.uint8, np.int8),
        0.3,
        0.5,
        ("any", "few", "power"),
        bias=("int32", "none"),
        native=True,
        relu=("",),
    ),
)


@dataclass
class Tensor:
    """A quantised tensor in the making: its int8 or uint8 name, scale, zero point, shape."""

    name: str
    scale: np.float32
    zero: np.ndarray
    c: int
    size: int


class Writer:
    """Writes one network in one style."""

    def __init__(self, rng: Rng, style: Style) -> None:
        self.rng, self.style = rng, style
        self.kind = style.activation[int(rng.integers(len(style.activation)))]
        self.scales = str(rng.choice(style.scales))
        self.with_zero = bool(rng.choice(style.zero_point))
        self.weights = style.weights[int(rng.integers(len(style.weights)))]
        self.per_channel = bool(rng.choice(style.per_channel))
        self.opset = int(rng.choice(style.opsets))
        c, size = int(rng.integers(1, 5)), int(rng.integers(4, 9))
        self.image_is_int8 = style.native and rng.random() < 0.5
        kinds = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}
        self.net = Net(self.opset, (1, c, size, size), kinds[self.kind] if self.image_is_int8 else TensorProto.FLOAT)
        scale, zero = self.scale(0.02), self.zero(False)
        name = "x" if self.image_is_int8 else self.quantize("x", scale, zero)
        self.last = Tensor(name, scale, zero, c, size)

    def scale(self, about: float, shape: tuple[int, ...] = ()) -> np.ndarray:
        rng = self.rng
        value = about * 2.0 ** rng.uniform(-1, 1, shape)
        if self.scales == "power":
            value = 2.0 ** np.round(np.log2(value))
        elif self.scales == "few":
            power = 2.0 ** (np.floor(np.log2(value)) - 2)
            value = np.round(value / power) * power
        elif self.scales == "decimal":
            power = 10.0 ** np.floor(np.log10(value))
            value = np.round(value / power) * power
        return F(value) if shape else np.asarray(value, F)[()]

    def zero(self, after_relu: bool) -> np.ndarray:
        info = np.iinfo(self.kind)
        if not self.with_zero:
            return np.array(0, self.kind)
        if after_relu and self.rng.random() < self.style.floor:
            return np.array(info.min, self.kind)
        if self.rng.random() < self.style.symmetric:
            return np.array((info.min + info.max + 1) // 2, self.kind)
        return np.array(self.rng.integers(info.min + 30, info.max - 30), self.kind)

    def quantize(self, real: str, scale: np.float32, zero: np.ndarray) -> str:
        if self.with_zero:
            return self.net.node("QuantizeLinear", real, scale, zero)
        kind = TensorProto.INT8 if self.kind is np.int8 else TensorProto.UINT8
        return self.net.node("QuantizeLinear", real, scale, output_dtype=kind)

    def dequantize(self, name: object, scale: np.ndarray, zero: np.ndarray, **attributes: int) -> str:
        return self.net.node("DequantizeLinear", name, scale, *([zero] if self.with_zero else []), **attributes)

    # ---- layers ----

    def weighted(self, k: int, r: int, stride: int, groups: int, x: Tensor, relu: str, linear: bool = False) -> Tensor:
        rng, style, c = self.rng, self.style, x.c
        shape = (k, c // groups, r, r) if not linear else ((k, c) if rng.random() < 0.5 else (c, k))
        turned = linear and shape == (k, c)
        axis = 0 if not linear or turned else 1
        w, w_zero = self.weight_steps(shape, axis, k)
        fan = c // groups * r * r
        about = 60 / (37 * 74 * np.sqrt(fan))  # for results of about 60 steps
        out_scale = self.scale(0.03)
        ratio = about * float(out_scale) / float(x.scale)
        w_scale = self.scale(ratio, (k,) if self.per_channel else ())
        unit = F(x.scale) * F(w_scale)
        out_size = x.size if linear else (x.size + 2 * (r // 2) - r) // stride + 1
        zero = self.zero(bool(relu))
        if style.native:
            y = self.native(linear, turned, x, w, w_scale, w_zero, out_scale, zero, (r, stride, groups), k)
            return Tensor(y, out_scale, zero, k, 1 if linear else out_size)
        real = self.dequantize(x.name, x.scale, x.zero)
        axes = {"axis": axis - (len(shape) if rng.random() < 0.2 else 0)} if self.per_channel else {}
        weights = self.dequantize(w, w_scale, w_zero, **axes)
        bias = self.bias(unit, k, 37 * 74 * np.sqrt(fan))
        if linear:
            rest = [] if bias is None else [bias]
            y = self.net.node("Gemm", real, weights, *rest, **({"transB": 1} if turned else {}))
        else:
            form = {"kernel_shape": [r, r]} if rng.random() < 0.5 else {}
            if r == 3 and stride == 1 and rng.random() < 0.3:
                form["auto_pad"] = "SAME_UPPER"
            else:
                form["pads"] = [r // 2] * 4
            rest = [] if bias is None else [bias]
            y = self.net.node("Conv", real, weights, *rest, strides=[stride] * 2, group=groups, **form)
        if relu == "Clip":
            y = self.net.node("Clip", y, F(0), F(rng.choice([1.0, 6.0])))
        elif relu:
            y = self.net.node("Relu", y)
        return Tensor(self.quantize(y, out_scale, zero), out_scale, zero, k, 1 if linear else out_size)

    def weight_steps(self, shape: tuple[int, ...], axis: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        size = k if self.per_channel else ()
        off = self.rng.integers(-3, 4, size) if self.rng.random() < self.style.weight_zero else np.zeros(size, int)
        if not self.with_zero:
            off = np.zeros(size, int)
        middle = off + (128 if self.weights is np.uint8 and self.with_zero else 0)
        along = [-1 if place == axis else 1 for place in range(len(shape))]
        low = 0 if self.weights is np.uint8 and not self.with_zero else -60
        steps = self.rng.integers(low, 61, shape) + (np.reshape(middle, along) if self.per_channel else middle)
        return steps.astype(self.weights), np.asarray(middle).astype(self.weights)

    def bias(self, unit: np.ndarray, k: int, sigma: float) -> object:
        """A bias in one of the forms of the style: a name, an array or None."""
        rng, form = self.rng, str(self.rng.choice(self.style.bias))
        if form == "none":
            return None
        whole = rng.integers(-int(sigma) - 1, int(sigma) + 1, k)
        axis = {"axis": 0} if np.ndim(unit) else {}
        zero = np.zeros(np.shape(unit), np.int32)
        if form == "float":
            exact = rng.random() < 0.5
            return F(whole * np.float64(unit)) if exact else F(whole * np.float64(unit) * 1.01 + 1e-4)
        if form == "int32":
            named = [zero] if rng.random() < 0.7 else []
            return self.net.node("DequantizeLinear", whole.astype(np.int32), F(unit), *named, **axis)
        kind = {"int8": np.int8, "int16": np.int16, "int32 own": np.int32}[form]
        factor = {np.int8: max(sigma / 60, 1), np.int16: 0.5, np.int32: 0.25}[kind]
        factor = 2.0 ** np.round(np.log2(factor)) if self.scales in ("power", "few") or rng.random() < 0.3 else factor
        if kind is np.int16 and self.opset < 21:
            kind = np.int32
        steps = np.clip(
            np.round(whole / factor), -127 if kind is np.int8 else -(2**14), 127 if kind is np.int8 else 2**14
        )
        named = [zero.astype(kind)] if rng.random() < 0.7 else []
        return self.net.node("DequantizeLinear", steps.astype(kind), F(unit) * F(factor), *named, **axis)

    def native(self, linear, turned, x, w, w_scale, w_zero, out_scale, zero, window, k) -> str:
        form = str(self.rng.choice(self.style.bias))
        bias = [self.rng.integers(-2000, 2000, k).astype(np.int32)] if form != "none" else []
        r, stride, groups = window
        operands = [x.name, x.scale, x.zero, w, w_scale, w_zero]
        if not linear:
            attributes = {"pads": [r // 2] * 4, "strides": [stride] * 2, "group": groups}
            return self.net.node("QLinearConv", *operands, out_scale, zero, *bias, **attributes)
        middle = bias or [""]
        return self.net.node("QGemm", *operands, *middle, out_scale, zero, domain="com.microsoft", transB=int(turned))

    def add(self, a: Tensor, b: Tensor, relu: bool) -> Tensor:
        scale, zero = self.scale(float(a.scale + b.scale) / 1.5), self.zero(relu)
        if self.style.native:
            operands = [a.name, a.scale, a.zero, b.name, b.scale, b.zero]
            name = self.net.node("QLinearAdd", *operands, scale, zero, domain="com.microsoft")
        else:
            y = self.net.node("Add", self.dequantize(a.name, a.scale, a.zero), self.dequantize(b.name, b.scale, b.zero))
            name = self.quantize(self.net.node("Relu", y) if relu else y, scale, zero)
        return Tensor(name, scale, zero, a.c, a.size)

    def pool(self, x: Tensor) -> Tensor:
        scale, zero = self.scale(float(x.scale) / 2), self.zero(False)
        if self.style.native:
            operands = [x.name, x.scale, x.zero, scale, zero]
            name = self.net.node("QLinearGlobalAveragePool", *operands, domain="com.microsoft", channels_last=0)
        else:
            real = self.dequantize(x.name, x.scale, x.zero)
            name = self.quantize(self.net.node("GlobalAveragePool", real), scale, zero)
        return Tensor(name, scale, zero, x.c, 1)

    def flatten(self, x: Tensor) -> Tensor:
        if self.style.native or self.rng.random() < 0.3:
            return Tensor(self.net.node("Flatten", x.name), x.scale, x.zero, x.c * x.size**2, 1)
        y = self.net.node("Flatten", self.dequantize(x.name, x.scale, x.zero))
        return Tensor(self.quantize(y, x.scale, x.zero), x.scale, x.zero, x.c * x.size**2, 1)


def by_hand(style: Style) -> Callable[[Rng, Path], tuple[Path, str]]:
    """A maker of networks in that style."""

    def make(rng: Rng, folder: Path) -> tuple[Path, str]:
        writer = Writer(rng, style)
        x = writer.last
        for _ in range(int(rng.choice([1, 1, 2]))):
            relu = str(rng.choice(style.relu))
            x = writer.weighted(
                int(rng.integers(2, 7)), int(rng.choice([1, 3])), int(rng.choice([1, 1, 2])), 1, x, relu
            )
        if rng.random() < 0.35:
            y = writer.weighted(x.c, 3, 1, 1, x, str(rng.choice(style.relu)))
            x = writer.add(y, x, bool(rng.random() < 0.5)) if rng.random() < 0.5 else writer.add(x, y, False)
        if rng.random() < 0.2:
            x = writer.weighted(x.c, 3, 1, x.c, x, str(rng.choice(style.relu)))
        if rng.random() < 0.3:
            x = writer.pool(x)
        if rng.random() < 0.3:
            x = writer.weighted(3, 1, 1, 1, writer.flatten(x), "", linear=True)
        net, path = writer.net, folder / "int8.onnx"
        if rng.random() < 0.6:
            out = net.node("DequantizeLinear", x.name, x.scale, *([x.zero] if writer.with_zero else []))
            net.save(path, out)
        else:
            net.save(path, x.name, TensorProto.INT8 if writer.kind is np.int8 else TensorProto.UINT8)
        return path, style.name

    return make


def onnxruntime_functions(rng: Rng, folder: Path) -> tuple[Path, str]:
    """`quantize_static` of :func:`network_of_functions`."""
    path, options = onnxruntime_static(rng, folder, network_of_functions)
    return path, f"{options}, functions"


MAKERS: dict[str, Callable[[Rng, Path], tuple[Path, str]]] = {
    "onnxruntime": onnxruntime_static,
    "onnxruntime functions": onnxruntime_functions,
    **{style.name: by_hand(style) for style in STYLES},
}
"""Makers by name: each writes a file into a folder and says what of its options belongs into the table."""
