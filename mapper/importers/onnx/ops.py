"""What the walk over an ONNX graph builds: operators in the making, and the tensors between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Activation, Layer
from mapper.importers.network import FloatLayer, Function, TensorQuant
from mapper.importers.onnx.model import Array, Node, Shape, Unsupported

EVERY = np.arange(-128, 128).astype(np.int8)
"""The values of an int8 tensor, in the order of a table's entries."""


@dataclass
class Operator:
    """A layer and its numbers, which later nodes (bias, batch norm, activation, quantisation) still change.

    Some attributes are for :mod:`mapper.importers.onnx.proof` alone: ``node``, ``real_bias``, ``fused_bias`` and
    ``plain_bias``.

    Attributes
    ----------
    layer : what the network gets.
    sources : the operands' int8 meaning, None for real ones.
    weights, bias : real numbers, (K, C / groups, R, S) and (K,).
    steps : int8 weights, the zero point taken off; int16 where that leaves int8, until :mod:`.legal` splits them.
    step_scale : of the weights, (K,).
    step_bias : int32 at the product of the scales of operand and weights, (K,).
    out : meaning of the int8 result, before ``curve``.
    lo, hi : bounds on the real result.
    low, high : bounds on the int8 result.
    swapped : ONNX has the operands the other way round.
    no_integers : why it cannot have any; "" if it can.
    node : the operator in the graph.
    real_bias : (K,), the bias of a node that ONNX computes in real numbers.
    fused_bias : (K,), what onnxruntime's integer operator would add there; None if it is no int32 constant.
    plain_bias : there is no bias, or its scale is just that of the product.
    function : the activation of a real result, if it is none that bounds make.
    curve : the function of its int8 result that the machine applies behind it.
    after : what the result of ``curve`` means.
    lookup : the layer only applies its curve, or copies.
    inner : the file leaves its result real, and :mod:`mapper.importers.onnx.inner` gave it its scale.
    only_maxima : the scale was given and nothing but maximum pools reads it, for which it is exact.
    gain : factor of an average's result.
    """

    layer: Layer
    sources: tuple[TensorQuant | None, ...]
    weights: npt.NDArray[np.float64] | None = None
    bias: npt.NDArray[np.float64] | None = None
    steps: npt.NDArray[np.int8] | npt.NDArray[np.int16] | None = None
    step_scale: npt.NDArray[np.float32] | None = None
    step_bias: npt.NDArray[np.int64] | None = None
    out: TensorQuant | None = None
    lo: float = -inf
    hi: float = inf
    low: int = -128
    high: int = 127
    swapped: bool = False
    no_integers: str = ""
    node: Node | None = None
    real_bias: npt.NDArray[np.float32] | None = None
    fused_bias: npt.NDArray[np.int64] | None = None
    plain_bias: bool = False
    function: Function | None = None
    curve: Curve | None = None
    after: TensorQuant | None = None
    lookup: bool = False
    inner: bool = False
    only_maxima: bool = False
    gain: np.float32 = field(default=np.float32(1))

    @property
    def meaning(self) -> TensorQuant | None:
        """What the layer's int8 result means."""
        return self.out if self.after is None else self.after

    def clip(self, lo: float, hi: float) -> None:
        """Bound the real result; ReLU and ReLU6 go into the layer as its activation.

        Parameters
        ----------
        lo, hi : least and greatest real result; infinite for no bound.

        Raises
        ------
        Unsupported
            The layer has an activation that needs a table.
        """
        if not self.layer.activation.is_clamp:
            raise Unsupported(f"it follows the {self.layer.activation} of layer {self.layer.name}; give one activation")
        self.lo, self.hi = min(max(self.lo, lo), hi), min(max(self.hi, lo), hi)
        names = {(0.0, inf): Activation.RELU, (0.0, 6.0): Activation.RELU6}
        self.layer = replace(self.layer, activation=names.get((self.lo, self.hi), Activation.NONE))

    def bend(self, activation: Activation, function: Function) -> None:
        """Apply an activation that needs a table.

        Parameters
        ----------
        activation : its kind.
        function : what it makes of an array of real numbers.

        Raises
        ------
        Unsupported
            The layer has an activation or bounds.
        """
        if (self.lo, self.hi) != (-inf, inf) or not self.layer.activation.is_clamp:
            raise Unsupported(f"it follows another activation of layer {self.layer.name}; give one")
        self.layer, self.function = replace(self.layer, activation=activation), function
        self.no_integers = f"its {activation} needs a table"

    @property
    def is_linear(self) -> bool:
        """Whether nothing has bounded or bent the result yet."""
        return (self.lo, self.hi) == (-inf, inf) and self.layer.activation is Activation.NONE and self.out is None

    def floats(self) -> FloatLayer:
        """Its float32 numbers."""
        if self.weights is None:
            return FloatLayer(None, None, self.lo, self.hi, self.function)
        bias = np.zeros(self.layer.K) if self.bias is None else self.bias
        return FloatLayer(self.weights.astype(np.float32), bias.astype(np.float32), self.lo, self.hi, self.function)


@dataclass(frozen=True)
class Value:
    """A tensor: the layer that makes it, its shape and meaning.

    Attributes
    ----------
    layer : its name; of a function of an int8 tensor without a layer yet (``curve``) that of the tensor.
    shape : (C, H, W) on the machine.
    operator : None for the image and, with ``left_out``, for what a node without a layer made.
    flat : ONNX sees (1, C * H * W).
    quant : its int8 meaning.
    stored : it is the int8 tensor itself, else the real one.
    alone : nobody else has read the operator's result on the way here.
    left_out : a node without a layer made it.
    pad : top, left, bottom, right, from a Pad node that a convolution must take in.
    curve : it is a function of an int8 tensor for which no layer has been made yet.
    line : ONNX sees (1, C, W), and H is 1.
    turned : ONNX sees the channels last.
    """

    layer: str
    shape: Shape
    operator: Operator | None = None
    flat: bool = False
    quant: TensorQuant | None = None
    stored: bool = False
    alone: bool = True
    left_out: bool = False
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    curve: Curve | None = None
    line: bool = False
    turned: bool = False

    @property
    def dims(self) -> tuple[int, ...]:
        """ONNX's sizes of it, padding included."""
        c, h, w = self.shape
        top, left, bottom, right = self.pad
        if self.flat:
            return 1, c * h * w
        sides = (w + left + right,) if self.line else (h + top + bottom, w + left + right)
        return (1, *sides, c) if self.turned else (1, c, *sides)


@dataclass(frozen=True, eq=False)
class Curve:
    """A function of an int8 tensor: what a graph makes of it value by value, see :mod:`mapper.importers.onnx.curves`.

    Attributes
    ----------
    base : the int8 tensor, with its meaning.
    real : float64 (256,), what the function makes of each of its values, from -128 on.
    steps : int8 (256,), the same quantised; None for a function whose result is not int8.
    doubt : how far another implementation's ``real`` may be, relatively (of values below 1 absolutely).
    unsure : entries that another implementation could round to another step.
    direct : it only changes the scale: nothing comes between its DequantizeLinear and the next QuantizeLinear.
    name : of the last node that is no QuantizeLinear or DequantizeLinear.
    """

    base: Value
    real: npt.NDArray[np.float64]
    steps: npt.NDArray[np.int8] | None = None
    doubt: float = 0.0
    unsure: int = 0
    direct: bool = False
    name: str = ""

    def quantized(self, quant: TensorQuant) -> Curve:
        """What a QuantizeLinear makes of it, and a DequantizeLinear of that again.

        >>> half = curve_of(Value("a", (1, 1, 1), quant=TensorQuant(np.float32(0.5), 0)))
        >>> half.quantized(TensorQuant(np.float32(1), 0)).steps[126:132].tolist()      # of -1.0, -0.5 .. 1.5
        [-1, 0, 0, 0, 1, 2]
        """
        steps = quant.quantize(self.real)
        far = self.doubt * np.maximum(np.abs(self.real), 1.0)
        ends = [np.rint((self.real + side) / np.float64(quant.scale)) + quant.zero_point for side in (-far, far)]
        apart = np.count_nonzero(np.clip(ends[0], -128, 127) != np.clip(ends[1], -128, 127)) if self.doubt else 0
        direct = self.steps is not None or self.direct
        real = quant.dequantize(steps).astype(np.float64)
        return Curve(self.base, real, steps, 0.0, self.unsure + int(apart), direct, self.name)


def curve_of(value: Value) -> Curve:
    """A value as a function of an int8 tensor, perhaps of itself.

    Raises
    ------
    Unsupported
        It is none.
    """
    if value.curve is not None:
        return value.curve
    if value.quant is None:
        raise Unsupported("its operand is not int8 and no function of an int8 tensor")
    return Curve(value, value.quant.dequantize(EVERY).astype(np.float64), EVERY)


@dataclass
class Dequantized:
    """A constant behind a DequantizeLinear.

    Attributes
    ----------
    steps : with the zero point taken off.
    scale : (1,) or one for each index of ``axis``.
    axis : along which the scales run.
    stored : what the file has, zero point and all.
    """

    steps: npt.NDArray[np.int64]
    scale: npt.NDArray[np.float32]
    axis: int
    stored: Array
    real: npt.NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        shape = [1] * self.steps.ndim
        if self.scale.size > 1:
            shape[self.axis] = self.scale.size
        self.real = self.steps.astype(np.float32) * self.scale.reshape(shape if shape else ())

    def scale_along(self, axis: int) -> npt.NDArray[np.float32]:
        """One scale for each index of an axis.

        Raises
        ------
        Unsupported
            The scales run along another axis.
        """
        if self.scale.size > 1 and self.axis != axis:
            raise Unsupported(f"its weights have scales along axis {self.axis}; give one for each output channel")
        return np.broadcast_to(self.scale.reshape(-1), (self.steps.shape[axis],)).astype(np.float32)


def whole_pads(
    node: Node, sizes: tuple[int, int], spans: Sequence[int], strides: Sequence[int], line: bool = False
) -> tuple[int, int, int, int]:
    """Top, left, bottom, right padding of a node with ``auto_pad`` or ``pads``.

    Parameters
    ----------
    node : a convolution or a pool.
    sizes : H and W of its operand.
    spans : rows and columns of a window, dilation included.
    strides : of rows and columns.
    line : the node has left and right padding alone.

    Raises
    ------
    Unsupported
        ``pads`` and ``auto_pad`` are both given, or one of them is unknown.
    """
    mode = node.text("auto_pad", "NOTSET")
    pads = [int(p) for p in node.attributes.get("pads", (0,) * (2 if line else 4))]
    if line and len(pads) == 2:
        pads = [0, pads[0], 0, pads[1]]
    if len(pads) != 4:
        raise Unsupported(f"it has {len(pads)} pads; give top, left, bottom, right")
    if mode in ("NOTSET", ""):
        return pads[0], pads[1], pads[2], pads[3]
    if any(pads):
        raise Unsupported(f"it has auto_pad {mode} and pads; give one of them")
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise Unsupported(f"auto_pad is {mode}; give NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    totals = [
        max((-(-n // stride) - 1) * stride + span - n, 0) for n, span, stride in zip(sizes, spans, strides, strict=True)
    ]
    small, great = [total // 2 for total in totals], [total - total // 2 for total in totals]
    before, after = (small, great) if mode == "SAME_UPPER" else (great, small)
    return before[0], before[1], after[0], after[1]


def check_kernel(node: Node, sizes: tuple[int, ...]) -> None:
    """Check ``kernel_shape`` against the weights.

    Parameters
    ----------
    node : a convolution.
    sizes : of a kernel, as its weights have them.

    Raises
    ------
    Unsupported
        It is stated and is something else.
    """
    kernel = node.attributes.get("kernel_shape")
    if kernel is not None and tuple(int(size) for size in kernel) != sizes:
        stated, found = (" x ".join(map(str, pair)) for pair in (kernel, sizes))
        raise Unsupported(f"kernel_shape is {stated} and its weights are {found}; give the same")


def same_quant(a: TensorQuant, b: TensorQuant) -> bool:
    """Whether two tensors mean the same: scale, zero point and type.

    Parameters
    ----------
    a, b : meanings.
    """
    return (a.scale, a.zero_point, a.offset) == (b.scale, b.zero_point, b.offset)


def as_scalar(array: Any, thing: str) -> Any:
    """The one element of an array.

    Parameters
    ----------
    array : a number, or an array of any shape.
    thing : what errors call it.

    Raises
    ------
    Unsupported
        It has several elements, or none.
    """
    flat = np.asarray(array).reshape(-1)
    if flat.size != 1:
        raise Unsupported(f"{thing} has {flat.size} values; give one for the whole tensor")
    return flat[0]


def vector(array: Any, thing: str) -> npt.NDArray[np.float32]:
    """A scale, or the scales of the channels, float32 (1 or n,).

    ONNX computes what a scale makes in the scale's type, and rounds there, so float16 is refused.

    Parameters
    ----------
    array : as the file has it.
    thing : what errors call it.

    Raises
    ------
    Unsupported
        It is of another type, there is one for each block, or one is not positive.
    """
    if np.asarray(array).dtype != np.float32:
        raise Unsupported(f"its {thing} is of type {np.asarray(array).dtype}; give float32")
    if np.ndim(array) > 1 and np.size(array) != 1:
        raise Unsupported(f"its {thing} has shape {np.shape(array)}; give one, or one a channel")
    flat = np.asarray(array, np.float32).reshape(-1)
    if not np.all(flat > 0):
        raise Unsupported(f"its {thing} is {flat.min():g}; give a positive one")
    return flat
