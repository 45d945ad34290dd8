"""What the host computes before and after the machine: operators of ONNX as named steps in NumPy.

A normalisation of the image, a change of its layout, a softmax over the classes: such operators stand before a
network's first convolution or behind its last, cost next to nothing, and are not what the machine is for. An imported
network keeps them as values (``Network.prologue``, ``Network.epilogue``). ``verify`` runs them, and so does the driver
of a board, which has a copy of this file (``rtl/driver/host_steps.py``): it needs NumPy and nothing else. Convolutions
and matrix products are never among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TYPES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"}
"""NumPy's types by their numbers in ONNX (TensorProto.DataType)."""


@dataclass(frozen=True, eq=False)
class HostStep:
    """One operator that the host computes.

    Attributes
    ----------
    op : the operator, by ONNX's name: a key of :data:`STEPS`.
    name : of the node in the file.
    inputs, outputs : names of tensors; "" for an input that is left out.
    attributes : of the node.
    constants : those of the inputs that the file has.
    opset : the version of the operator set.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Array] = field(default_factory=dict)
    opset: int = 17

    def apply(self, *arrays: Array | None) -> tuple[Array, ...]:
        """The results, given the inputs in order (None for one that is left out).

        >>> HostStep("Softmax", "probabilities", ("x",), ("y",)).apply(np.zeros((1, 4), np.float32))[0].tolist()
        [[0.25, 0.25, 0.25, 0.25]]
        """
        made = STEPS[self.op](self, *arrays)
        return made if isinstance(made, tuple) else (made,)

    def run(self, tensors: dict[str, Array]) -> None:
        """Read the inputs from ``tensors``, by name, and put the results there."""
        arrays = [None if not name else self.constants[name] if name in self.constants else tensors[name]
                  for name in self.inputs]  # fmt: skip
        tensors |= zip(self.outputs, self.apply(*arrays), strict=False)

    def __getitem__(self, key: str) -> Any:
        return self.attributes[key]

    def get(self, key: str, default: Any) -> Any:
        """An attribute, or another value if the node does not have it.

        Parameters
        ----------
        key : the attribute's name.
        default : the other value.
        """
        return self.attributes.get(key, default)

    @property
    def text(self) -> str:
        """Operator and node in a few words: ``Softmax "probabilities"``."""
        return f'{self.op} "{self.name}"'


def run_steps(steps: Sequence[HostStep], tensors: dict[str, Array]) -> dict[str, Array]:
    """Run steps in order.

    Parameters
    ----------
    steps : in order.
    tensors : by name; gets their results, too.

    Examples
    --------
    >>> halve = HostStep("Mul", "halve", ("x", "k"), ("y",), {}, {"k": np.float32(0.5)})
    >>> float(run_steps([halve], {"x": np.float32(3)})["y"])
    1.5
    """
    for step in steps:
        step.run(tensors)
    return tensors


def _axes(step: HostStep, given: Array | None, rank: int) -> tuple[int, ...] | None:
    axes = step.get("axes", None) if given is None else given.tolist()
    return None if axes is None else tuple(int(axis) % rank for axis in axes)


def _reduce(function: Callable[..., Any]) -> Callable[..., Array]:
    def apply(step: HostStep, x: Array, axes: Array | None = None) -> Array:
        found = np.asarray(function(x, axis=_axes(step, axes, x.ndim), keepdims=bool(step.get("keepdims", 1))))
        return found.astype(x.dtype)

    return apply


def _extreme(function: Callable[..., Any]) -> Callable[..., Array]:
    def apply(step: HostStep, x: Array) -> Array:
        axis = int(step.get("axis", 0))
        found = np.asarray(function(x, axis=axis), np.int64)
        return np.expand_dims(found, axis) if step.get("keepdims", 1) else found

    return apply


def softmax(step: HostStep, x: Array) -> Array:
    """Softmax and LogSoftmax; before operator set 13 over all axes from ``axis`` on.

    Parameters
    ----------
    step : with its axis.
    x : real numbers of any shape.
    """
    axis = int(step.get("axis", -1 if step.opset >= 13 else 1))
    flat = x if step.opset >= 13 else x.reshape(math.prod(x.shape[:axis]), -1)
    along = axis if step.opset >= 13 else 1
    shifted = flat - flat.max(axis=along, keepdims=True)
    total = np.exp(shifted)
    total = total.sum(axis=along, keepdims=True)
    made = shifted - np.log(total) if step.op == "LogSoftmax" else np.exp(shifted) / total
    return np.asarray(made.reshape(x.shape), x.dtype)


def _reshape(step: HostStep, x: Array, shape: Array) -> Array:
    keep = not step.get("allowzero", 0)
    return x.reshape([x.shape[i] if size == 0 and keep else int(size) for i, size in enumerate(shape.tolist())])


def _flatten(step: HostStep, x: Array) -> Array:
    axis = int(step.get("axis", 1))
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _squeeze(step: HostStep, x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, _axes(step, axes, x.ndim))


def _unsqueeze(step: HostStep, x: Array, axes: Array | None = None) -> Array:
    given = step["axes"] if axes is None else axes.tolist()
    return np.expand_dims(x, tuple(int(axis) for axis in given))


def _slice(step: HostStep, x: Array, *bounds: Array | None) -> Array:
    if not bounds:
        starts, ends, axes, jumps = step["starts"], step["ends"], step.get("axes", None), None
    else:
        starts, ends, axes, jumps = (None if part is None else part.tolist() for part in (*bounds, None, None)[:4])
    chosen = [slice(None)] * x.ndim
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis, jump = place if axes is None else int(axes[place]), 1 if jumps is None else int(jumps[place])
        last = None if jump < 0 and end < -x.shape[axis] else int(end)
        chosen[axis] = slice(int(start), last, jump)
    return x[tuple(chosen)]


def _split(step: HostStep, x: Array, sizes: Array | None = None) -> tuple[Array, ...]:
    axis, given = int(step.get("axis", 0)), step.get("split", None) if sizes is None else sizes.tolist()
    parts = len(step.outputs)
    each = -(-x.shape[axis] // parts)
    ends = np.cumsum(given)[:-1] if given is not None else [each * part for part in range(1, parts)]
    return tuple(np.split(x, ends, axis))


def _pad(step: HostStep, x: Array, pads: Array | None = None, value: Array | None = None) -> Array:
    amounts = [int(n) for n in (step["pads"] if pads is None else pads.tolist())]
    sides = list(zip(amounts[: x.ndim], amounts[x.ndim :], strict=True))
    x = x[tuple(slice(max(0, -a), size - max(0, -b)) for size, (a, b) in zip(x.shape, sides, strict=True))]
    sides = [(max(0, a), max(0, b)) for a, b in sides]
    mode = step.get("mode", b"constant")
    mode = mode.decode() if isinstance(mode, bytes) else mode
    if mode != "constant":
        made: Array = np.pad(x, sides, mode=mode)  # type: ignore[arg-type]
        return made
    fill = step.get("value", 0.0) if value is None else value.item()
    return np.pad(x, sides, constant_values=fill)


def _space_to_depth(step: HostStep, x: Array) -> Array:
    size, (n, c, h, w) = int(step["blocksize"]), x.shape
    parts = x.reshape(n, c, h // size, size, w // size, size).transpose(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * size * size, h // size, w // size)


def _cast(step: HostStep, x: Array) -> Array:
    return x.astype(TYPES[int(step["to"])])


def _clip(step: HostStep, x: Array, lo: Array | None = None, hi: Array | None = None) -> Array:
    low = step.get("min", None) if lo is None else lo
    high = step.get("max", None) if hi is None else hi
    made = x if low is None else np.maximum(x, low)
    return np.asarray(made if high is None else np.minimum(made, high), x.dtype)


def _gather(step: HostStep, x: Array, indices: Array) -> Array:
    return np.asarray(np.take(x, indices, axis=int(step.get("axis", 0))))


def _batch_norm(step: HostStep, x: Array, gain: Array, shift: Array, mean: Array, variance: Array) -> Array:
    each = (1, -1, *[1] * (x.ndim - 2))
    factor = gain / np.sqrt(variance + np.float32(step.get("epsilon", 1e-5)))
    return np.asarray(x * factor.reshape(each) + (shift - mean * factor).reshape(each), x.dtype)


def erf(x: Array) -> Array:
    """The error function, to a ten-millionth."""
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), np.asarray(x).dtype)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), x.dtype)


def _hard_sigmoid(step: HostStep, x: Array) -> Array:
    slope, middle = np.float32(step.get("alpha", 0.2)), np.float32(step.get("beta", 0.5))
    return np.asarray(np.clip(x * slope + middle, 0, 1), x.dtype)


def _elu(step: HostStep, x: Array) -> Array:
    alpha = float(step.get("alpha", 1.0))
    return np.asarray(np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x), x.dtype)


def _divide(_: HostStep, x: Array, y: Array) -> Array:
    return np.asarray(x / y if x.dtype.kind == "f" else x // y, np.result_type(x, y))


def _plain(function: Callable[..., Any]) -> Callable[..., Array]:
    """A step that is a function of NumPy, in the type of its first operand."""

    def apply(_: HostStep, *arrays: Array) -> Array:
        return np.asarray(function(*arrays), arrays[0].dtype)

    return apply


def _variadic(function: Callable[[Array, Array], Any]) -> Callable[..., Array]:
    def apply(_: HostStep, first: Array, *others: Array) -> Array:
        for other in others:
            first = function(first, other)
        return np.asarray(first)

    return apply


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Abs": _plain(np.abs),
    "Add": _plain(np.add),
    "Clip": _clip,
    "Div": _divide,
    "Elu": _elu,
    "Erf": lambda step, x: erf(x),
    "Exp": _plain(np.exp),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda step, x: np.asarray(x * np.clip(x / 6 + 0.5, 0, 1), x.dtype),
    "LeakyRelu": lambda step, x: np.asarray(np.where(x < 0, x * np.float32(step.get("alpha", 0.01)), x), x.dtype),
    "Log": _plain(np.log),
    "Max": _variadic(np.maximum),
    "Min": _variadic(np.minimum),
    "Mish": lambda step, x: np.asarray(x * np.tanh(np.log1p(np.exp(x))), x.dtype),
    "Mul": _plain(np.multiply),
    "Neg": _plain(np.negative),
    "PRelu": lambda step, x, slope: np.asarray(np.where(x < 0, x * slope, x), x.dtype),
    "Pow": _plain(np.power),
    "Reciprocal": _plain(np.reciprocal),
    "Relu": lambda step, x: np.maximum(x, 0),
    "Sigmoid": lambda step, x: sigmoid(x),
    "Softplus": lambda step, x: np.asarray(np.logaddexp(x, 0), x.dtype),
    "Softsign": lambda step, x: x / (1 + np.abs(x)),
    "Sqrt": _plain(np.sqrt),
    "Sub": _plain(np.subtract),
    "Tanh": _plain(np.tanh),
}
"""Operators that work value by value."""

STEPS: dict[str, Callable[..., Any]] = ELEMENTWISE | {
    "ArgMax": _extreme(np.argmax),
    "ArgMin": _extreme(np.argmin),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Concat": lambda step, *parts: np.concatenate(parts, int(step["axis"])),
    "Equal": lambda step, x, y: x == y,
    "Flatten": _flatten,
    "Gather": _gather,
    "Greater": lambda step, x, y: x > y,
    "Identity": lambda step, x: x,
    "Less": lambda step, x, y: x < y,
    "LogSoftmax": softmax,
    "Not": lambda step, x: ~x,
    "Pad": _pad,
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(np.min),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": softmax,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": lambda step, x: x.transpose(step.get("perm", None)),
    "Unsqueeze": _unsqueeze,
    "Where": lambda step, x, y, z: np.where(x, y, z),
}
"""What the host computes, by ONNX's name of the operator."""
