"""The walk over an ONNX graph: what is known of each tensor, and the operators made so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.layer import INPUT
from arch_model.supernet import SubNet
from arch_model.weights import OpQuant
from mapper.importers.network import FloatLayer, Network, NetworkError, TensorQuant, unique_names
from mapper.importers.onnx_integers import NoIntegers, integers
from mapper.importers.onnx_model import Array, Model, Node, Unsupported, one_line
from mapper.importers.onnx_ops import Dequantized, Operator, Value, as_scalar, same_quant

_EITHER = ("MaxPool", "Pad", "Identity", "Dropout", "Shape", "Flatten", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that mean the same for an int8 tensor and for the real one."""

Handler = Callable[["Walk", Node], None]


class Walk:
    """One pass over the nodes, in order of execution; ``handlers`` says what each operator (by ONNX's name) makes.

    A handler reads operands with :meth:`value` and :meth:`constant`, appends layers with :meth:`add` or gives the
    node's output another meaning in :attr:`values`, and raises Unsupported, before it changes anything, if it cannot.
    """

    def __init__(self, model: Model, handlers: Mapping[str, Handler], skip: bool) -> None:
        self.model, self.handlers, self.skip = model, handlers, skip
        self.constants: dict[str, Array] = dict(model.constants)
        self.dequantized: dict[str, Dequantized] = {}
        image = Value(INPUT, model.image_shape, flat=model.image_rank == 2)
        self.values: dict[str, Value] = {model.image: image}
        self.image_quant: TensorQuant | None = None
        self.operators: list[Operator] = []
        self.skipped: list[str] = []
        self.notes = list(model.notes)
        self.names: set[str] = {INPUT}
        self.readers = {name: node for node in model.nodes for name in node.inputs}

    # ---- the walk ----

    def visit(self, node: Node) -> None:
        try:
            if node.op in ("DequantizeLinear", "QuantizeLinear"):
                return self._quantization(node)
            if all(not name or name in self.constants or name in self.dequantized for name in node.inputs):
                return self._constant(node)
            handler = self.handlers.get(node.op)
            if handler is None:
                raise Unsupported("there is no layer for this operator")
            if node.op not in _EITHER and not node.op.startswith("Q"):
                self._must_be_real(node)
            handler(self, node)
        except (Unsupported, FastSwitchError) as error:
            why = str(error)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # the checker knows no operand's shape
            why = f"its operands or attributes do not fit each other ({one_line(error)})"
        else:
            return
        if not self.skip:
            raise NetworkError(f"{self.model.path}: {node.label}: {why}; --skip-unsupported goes on without it")
        self._leave_out(node, why)

    def _must_be_real(self, node: Node) -> None:
        for name in node.inputs:
            if name in self.values and self.values[name].stored:
                raise Unsupported(f'its operand "{name}" is int8; put a DequantizeLinear before it')

    def _leave_out(self, node: Node, why: str) -> None:
        self.skipped.append(f"{node.label}: {why}")
        known = next((self.values[name] for name in node.inputs if name in self.values), None)
        shapes = self.model.inferred_shapes()
        for name in node.outputs:
            if name not in shapes:
                continue
            shape, flat = shapes[name]
            if known is not None and prod(known.shape) == prod(shape):
                self.values[name] = Value(known.layer, known.shape, flat=flat, left_out=True)
            else:
                self.values[name] = Value(INPUT, shape, flat=flat, left_out=True)

    def _constant(self, node: Node) -> None:
        if any(name in self.dequantized for name in node.inputs):
            return self._reshaped_weights(node)
        inputs = {name: self.constants[name] for name in node.inputs if name}
        for name, array in zip(node.outputs, self.model.evaluate(node, inputs), strict=True):
            self.constants[name] = array

    def _reshaped_weights(self, node: Node) -> None:
        """A transposed or reshaped int8 constant."""
        weights = self.dequantized.get(node.input(0))
        if weights is None or node.op not in ("Transpose", "Identity"):
            raise Unsupported("it changes int8 weights; give them as they are used")
        axes = list(range(weights.steps.ndim))
        order = [int(i) for i in node.attributes.get("perm", axes[::-1])] if node.op == "Transpose" else axes
        axis = order.index(weights.axis) if weights.scale.size > 1 else 0
        self.dequantized[node.outputs[0]] = Dequantized(weights.steps.transpose(order), weights.scale, axis)

    # ---- tensors ----

    def value(self, name: str, padded: bool = False) -> Value:
        """The tensor of that name, as its next reader sees it."""
        if name not in self.values:
            constant = name in self.constants or name in self.dequantized
            what = "is a constant" if constant else "comes from an operator that was left out"
            raise Unsupported(f'its operand "{name}" {what}')
        value = self.values[name]
        if any(value.pad) and not padded:
            raise Unsupported("it follows a Pad; only a convolution takes padding in")
        return replace(value, alone=value.alone and self.model.uses[name] == 1)

    def constant(self, name: str, thing: str) -> Array:
        if name in self.dequantized:
            return self.dequantized[name].real
        if name not in self.constants:
            raise Unsupported(f'its {thing} "{name}" is not a constant')
        return self.constants[name]

    def quant(self, node: Node, scale: int, zero: int) -> TensorQuant:
        """The int8 meaning that two inputs of a node, scale and zero point, give."""
        factor = as_scalar(self.constant(node.input(scale), "scale"), "scale")
        zeros = self.constant(node.input(zero), "zero point") if node.input(zero) else np.zeros(1, np.uint8)
        if zeros.dtype not in (np.uint8, np.int8):
            raise Unsupported(f"its zero point is of type {zeros.dtype}; give int8 or uint8")
        if not factor > 0:
            raise Unsupported(f"its scale is {factor}; give a positive one")
        offset = 128 if zeros.dtype == np.uint8 else 0
        return TensorQuant(np.float32(factor), int(as_scalar(zeros, "zero point")) - offset, offset)

    def fusable(self, name: str) -> Operator:
        """The operator that a node goes into, for which nobody else may have read its result."""
        value = self.value(name)
        if value.operator is None:
            raise Unsupported("no layer comes before it that could take it in")
        if not value.alone:
            raise Unsupported(f"another node reads the result of layer {value.operator.layer.name} before it")
        return value.operator

    def alias(self, node: Node, **changes: Any) -> None:
        """The node's output is its first input."""
        self.values[node.outputs[0]] = replace(self.value(node.input(0)), **changes)

    def add(self, node: Node, operator: Operator, *, flat: bool = False) -> None:
        """Append an operator; the node's output is its result."""
        (name,) = unique_names([operator.layer.name], self.names)
        self.names.add(name)
        operator.layer = layer = replace(operator.layer, name=name)
        self.operators.append(operator)
        made = Value(name, (layer.K, layer.P, layer.Q), operator, flat, operator.out, operator.out is not None)
        self.values[node.outputs[0]] = made

    # ---- quantisation ----

    def _quantization(self, node: Node) -> None:
        name = node.input(0)
        if name in self.constants or name in self.dequantized:
            return self._quantized_constant(node)
        value, quant = self.value(name), self.quant(node, 1, 2)
        if node.op == "DequantizeLinear":
            self.values[node.outputs[0]] = replace(self.stored(value, quant), stored=False)
            return
        if value.quant is not None:
            if value.stored or not same_quant(value.quant, quant):
                raise Unsupported("it changes the scale of an int8 tensor; give the scale of its input")
        elif value.operator is not None:
            if value.operator.out is not None and not same_quant(value.operator.out, quant):
                raise Unsupported(f"layer {value.operator.layer.name} already has another scale; give one")
            value.operator.out = quant
        elif not value.left_out:
            self._image(quant)
        self.values[node.outputs[0]] = replace(value, quant=quant, stored=True)

    def _image(self, quant: TensorQuant) -> None:
        if self.image_quant is not None and not same_quant(self.image_quant, quant):
            raise Unsupported("the image already has another scale; give one")
        self.image_quant = quant

    def _quantized_constant(self, node: Node) -> None:
        """Weights: the steps (zero point taken off) of a QuantizeLinear, the real numbers of a DequantizeLinear."""
        name, out = node.input(0), node.outputs[0]
        axis = node.whole("axis", 1)
        scale = np.asarray(self.constant(node.input(1), "scale"), np.float32).reshape(-1)
        zero = self.constant(node.input(2), "zero point") if node.input(2) else np.zeros(1, np.uint8)
        shape = self.constant(name, "operand").shape
        if scale.size != 1 and (not shape or scale.size != shape[axis % len(shape)]):
            raise Unsupported(
                f"its operand has shape {shape} and {scale.size} scales along axis {axis}; give one for each"
            )
        along = [-1 if place == axis % len(shape) and scale.size > 1 else 1 for place in range(len(shape))]
        if node.op == "QuantizeLinear":
            real = np.asarray(self.constant(name, "operand"), np.float32)
            stored = np.rint(real / scale.reshape(along)) + zero.astype(np.float32).reshape(
                along if zero.size > 1 else ()
            )
            info = np.iinfo(zero.dtype)
            self.constants[out] = np.clip(stored, info.min, info.max).astype(zero.dtype)
            return
        array = self.constants.get(name)
        if array is None or array.dtype not in (np.int8, np.uint8, np.int32):
            raise Unsupported(f"it makes real numbers of type {getattr(array, 'dtype', 'float32')}; give int8 or uint8")
        self.dequantized[out] = Dequantized(steps_of(array, zero, axis), scale, axis % max(array.ndim, 1))

    def stored(self, x: Value, quant: TensorQuant) -> Value:
        """An int8 operand, whose scale and zero point a node states again."""
        if x.quant is None and x.operator is None:
            if not x.left_out:
                self._image(quant)
            return replace(x, quant=quant, stored=True)
        if x.quant is None or not x.stored or not same_quant(x.quant, quant):
            raise Unsupported("its scale or zero point is not that of the tensor; give the same")
        return x

    # ---- the end ----

    def network(self, stem: str) -> Network:
        weights: dict[str, npt.NDArray[np.int8]] = {}
        floats: dict[str, FloatLayer] = {}
        quant: dict[str, OpQuant] = {}
        tensors: dict[str, TensorQuant] = {}
        wrong: dict[str, int] = {}
        if self.image_quant is not None:
            tensors[INPUT] = self.image_quant
        if not self.operators:
            raise NetworkError(f"{self.model.path}: no node has a layer; give a network with at least one")
        is_int8 = self.image_quant is not None or any(op.steps is not None or op.out for op in self.operators)
        for operator in self.operators:
            name = operator.layer.name
            if operator.steps is not None:
                weights[name] = operator.steps
            if operator.out is not None:
                tensors[name] = operator.out
            if not is_int8:
                floats[name] = operator.floats()
                continue
            try:
                quant[name], differs = integers(operator)
            except NoIntegers as why:
                self.notes.append(f"layer {name} has no integers: {why}")
                continue
            if differs:
                wrong[name] = differs
        if any(op.real_operands and op.steps is not None and op.out and not op.out.offset for op in self.operators):
            option = "session.qdqisint8allowed = 1"
            self.notes.append(f"int8 activations in QDQ: onnxruntime on x86-64 computes in integers only with {option}")
        layers = tuple(operator.layer for operator in self.operators)
        return Network(
            SubNet(stem, stem, layers),
            weights,
            quant,
            tensors,
            floats,
            tuple(self.skipped),
            tuple(self.notes),
            wrong,
        )


def steps_of(array: Array, zero: Array, axis: int) -> npt.NDArray[np.int64]:
    """Stored weights without their zero point, which may run along ``axis``."""
    zeros = np.asarray(zero, np.int64).reshape(-1)
    if zeros.size > 1:
        zeros = zeros.reshape([-1 if place == axis % array.ndim else 1 for place in range(array.ndim)])
    return np.asarray(array.astype(np.int64) - zeros.reshape(zeros.shape if zeros.size > 1 else ()))
