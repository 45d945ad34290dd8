"""The walk over an ONNX graph: what is known of each tensor, and the operators made so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from arch_model.errors import FastSwitchError
from arch_model.files.wanted import one_line
from arch_model.network.layer import INPUT
from mapper.importers.network import NetworkError, TensorQuant, unique_names
from mapper.importers.onnx.finish import lookup
from mapper.importers.onnx.host import Host
from mapper.importers.onnx.inner import made_for
from mapper.importers.onnx.model import Array, Model, Node, Unsupported
from mapper.importers.onnx.ops import Curve, Dequantized, Operator, Value, as_scalar, curve_of, same_quant, vector
from mapper.importers.onnx.quantised import element_type, quantized, scales_along, steps_of
from mapper.importers.onnx.shapes import Shapes
from mapper.importers.onnx.table import RANDOM, check_node

_QDQ = ("QuantizeLinear", "DequantizeLinear")
_EITHER = (
    *("MaxPool", "Pad", "Identity", "Dropout", "Cast", "Shape", "Flatten", "Reshape", "Squeeze", "Unsqueeze"),
    *("Split", "Slice", "Transpose", "ChannelShuffle"),
)
"""Operators that mean the same for an int8 tensor and for the real one."""

Handler = Callable[["Walk", Node], None]

SKIP_HINT = "; --skip-unsupported goes on without it"
"""What the refusal of an operator ends with."""


class Walk:
    """One pass over the nodes, in order of execution.

    A handler reads operands with :meth:`value` and :meth:`constant`, appends layers with :meth:`add` or gives the
    node's output another meaning in :attr:`values`, and raises Unsupported, before it changes anything, if it cannot.

    Parameters
    ----------
    model : the graph.
    handlers : what each operator (by ONNX's name) makes.
    skip : leave out what has no layer instead of refusing it.
    """

    def __init__(self, model: Model, handlers: Mapping[str, Handler], skip: bool) -> None:
        self.model, self.handlers, self.skip = model, handlers, skip
        self.constants: dict[str, Array] = dict(model.constants)
        self.dequantized: dict[str, Dequantized] = {}
        self.image_type = element_type(model.image_type)
        stored = self.image_type != np.float32
        flat, line = model.image_rank == 2, model.image_rank == 3
        image = Value(INPUT, model.image_shape, flat=flat, line=line, stored=stored)
        self.values: dict[str, Value] = {model.image: image}
        self.host = Host(model)
        self.model_macs = 0
        self.shapes = Shapes(model)
        self.image_quant: TensorQuant | None = None
        self.operators: list[Operator] = []
        self.skipped: list[str] = []
        self.notes = list(model.notes)
        self.names: set[str] = {INPUT}
        self._lookups: dict[int, tuple[Curve, Operator]] = {}
        self.readers = {name: node for node in model.nodes for name in node.inputs}

    # ---- the walk ----

    def visit(self, node: Node) -> None:
        """Read a node: layers, or a meaning, for what it makes.

        Raises
        ------
        NetworkError
            It has no layer and is not to be left out.
        """
        try:
            return self._read(node)
        except NetworkError:
            raise
        except (Unsupported, FastSwitchError) as error:
            why = str(error)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # the checker knows no operand's shape
            why = f"its operands or attributes do not fit each other ({one_line(error)})"
        with suppress(Unsupported):
            if self.host.before(self, node, whatever=True) or self.host.behind(self, node):
                return None
        if not self.skip:
            raise NetworkError(f"{self.model.path}: {node.label}: {why}{SKIP_HINT}")
        self._leave_out(node, why)

    def _read(self, node: Node) -> None:
        if node.op in RANDOM:
            raise Unsupported("what it makes is random; give a constant")
        if node.op not in _QDQ and all(
            not name or name in self.constants or name in self.dequantized for name in node.inputs
        ):
            self.shapes.infer(node, self.constants)
            return self._constant(node)
        if self.host.reads_results(node):
            raise Unsupported("it reads what the host computes, which does not compute this operator")
        self._one_image(node)
        if self.host.before(self, node):
            return None
        check_node(node, self.model.uses)
        self.shapes.infer(node, self.constants)
        if node.op in _QDQ:
            self._quantization(node)
        else:
            handler = self.handlers.get(node.op)
            if handler is None:
                raise Unsupported("there is no layer for this operator")
            if node.op not in _EITHER and not node.op.startswith("Q"):
                self._must_be_real(node)
            handler(self, node)
        self._compare_shapes(node)

    def _one_image(self, node: Node) -> None:
        """Of a file for several images at a time, what a Reshape makes of one."""
        shape = self.constants.get(node.input(1)) if node.op == "Reshape" else None
        if shape is not None and self.model.batch > 1 and shape.size and shape.flat[0] == self.model.batch:
            self.constants[node.input(1)] = np.concatenate([[1], shape.reshape(-1)[1:]]).astype(shape.dtype)

    def type_of(self, value: Value) -> np.dtype[Any]:
        """NumPy's type of a tensor in the file."""
        if not value.stored:
            return np.dtype(np.float32)
        return self.image_type if value.quant is None else np.dtype(np.uint8 if value.quant.offset else np.int8)

    def _must_be_real(self, node: Node) -> None:
        for name in node.inputs:
            if name in self.values and self.values[name].stored:
                raise Unsupported(f'its operand "{name}" is int8; put a DequantizeLinear before it')

    def _leave_out(self, node: Node, why: str) -> None:
        """What it makes is its input if the shape is the same, else comes from outside; the shape is ONNX's."""
        self.skipped.append(f"{node.label}: {why}")
        with suppress(Unsupported):
            self.shapes.infer(node, self.constants)
        known = next((self.values[name] for name in node.inputs if name in self.values), None)
        for name in node.outputs:
            dims = self.shapes.dims(name)
            if dims is None or len(dims) not in (2, 4) or dims[0] != 1 or None in dims:
                continue
            if known is not None and known.dims == dims:
                self.values[name] = Value(known.layer, known.shape, flat=known.flat, left_out=True)
                continue
            sizes = [int(size) for size in dims[1:] if size is not None]
            shape = (sizes[0], 1, 1) if len(sizes) == 1 else (sizes[0], sizes[1], sizes[2])
            self.values[name] = Value(INPUT, shape, flat=len(sizes) == 1, left_out=True)

    def _compare_shapes(self, node: Node) -> None:
        """NetworkError if the walk made another shape than ONNX infers, or than the file states."""
        for name in node.outputs:
            value = self.values.get(name)
            if value is None:
                continue
            if self.shapes.dims(name) is None:
                self.shapes.state(name, value.dims, self.type_of(value))
            for dims, whose in ((self.shapes.dims(name), "ONNX infers"), (self.shapes.stated(name), "the file states")):
                if dims is None or (
                    len(dims) == len(value.dims)
                    and all(size in (None, own) for size, own in zip(dims, value.dims, strict=True))
                ):
                    continue
                theirs = ", ".join("?" if size is None else str(size) for size in dims)
                raise NetworkError(
                    f'{self.model.path}: {node.label}: "{name}" is {value.dims} by its operands and attributes, '
                    f"but ({theirs}) is what {whose}; export the model anew"
                )

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
        turned = weights.steps.transpose(order), weights.scale, axis, weights.stored.transpose(order)
        self.dequantized[node.outputs[0]] = Dequantized(*turned)

    # ---- tensors ----

    def value(self, name: str, padded: bool = False, curve: bool = False) -> Value:
        """A tensor as its next reader sees it.

        Parameters
        ----------
        name : the tensor's.
        padded : the reader takes padding in.
        curve : the reader takes a function of an int8 tensor that has no layer yet.

        Raises
        ------
        Unsupported
            There is no such tensor, or it is padded and the reader takes no padding in.
        """
        if name not in self.values:
            constant = name in self.constants or name in self.dequantized
            what = "is a constant" if constant else "comes from an operator that was left out"
            raise Unsupported(f'its operand "{name}" {what}')
        value = self.values[name]
        if any(value.pad) and not padded:
            raise Unsupported("it follows a Pad; only a convolution takes padding in")
        if value.curve is not None and not curve:
            return self._looked_up(value, value.curve)
        return replace(value, alone=value.alone and self.model.uses[name] == 1)

    def _looked_up(self, value: Value, curve: Curve) -> Value:
        """A function of an int8 tensor as a tensor with a layer of its own, made when it is first read."""
        assert curve.base.quant is not None
        quant, rounded = value.quant, curve
        if quant is None:
            quant = made_for((float(curve.real.min()), float(curve.real.max())), curve.base.quant.offset)
            rounded = curve.quantized(quant)
        if id(curve) not in self._lookups:
            (name,) = unique_names([curve.name or f"{curve.base.layer}_rescaled"], self.names)
            made = lookup(name, curve.base.layer, value.shape, curve.base.quant, rounded)
            made.after, made.node, made.inner = quant, self.model.nodes[0], value.quant is None
            self.names.add(name)
            self.operators.append(made)
            self._lookups[id(curve)] = curve, made
        _, operator = self._lookups[id(curve)]
        found = replace(value, layer=operator.layer.name, operator=operator, quant=operator.after)
        return replace(found, alone=False, curve=None)

    def layer_of(self, value: Value) -> str:
        """The layer that makes a tensor; "" for a function of an int8 tensor that nobody reads."""
        if value.curve is None:
            return value.layer
        return self._lookups[id(value.curve)][1].layer.name if id(value.curve) in self._lookups else ""

    def only_bounds(self, node: Node) -> bool:
        """Whether a Relu or Clip of an int8 tensor only narrows the bounds of the layer that makes it."""
        value = self.values.get(node.input(0))
        if node.op not in ("Relu", "Clip") or value is None or value.curve is not None or value.operator is None:
            return False
        if not value.alone or self.model.uses[node.input(0)] != 1:
            return False
        reader = self.model.reader(node.outputs[0])
        if reader is None or reader.op != "QuantizeLinear":
            return True
        return value.quant is not None and same_quant(self.quant(reader, 1, 2), value.quant)

    def constant(self, name: str, thing: str) -> Array:
        """A constant's numbers.

        Parameters
        ----------
        name : the constant's.
        thing : what errors call it; "min" and "max" may be infinite.

        Raises
        ------
        Unsupported
            It is no constant, or has a NaN or an infinity.
        """
        if name in self.dequantized:
            array: Array = self.dequantized[name].real
        elif name in self.constants:
            array = self.constants[name]
        else:
            raise Unsupported(f'its {thing} "{name}" is not a constant')
        if array.dtype.kind == "f":
            bad = np.isnan(array) if thing in ("min", "max") else ~np.isfinite(array)
            if np.any(bad):
                found = array[bad][0] if array.ndim else array
                raise Unsupported(f'its {thing} "{name}" has a {found} among its values; give finite numbers')
        return array

    def quant(self, node: Node, scale: int, zero: int) -> TensorQuant:
        """The int8 meaning that two inputs of a node, scale and zero point, give.

        Parameters
        ----------
        node : a node that quantises.
        scale, zero : which of its inputs they are.

        Raises
        ------
        Unsupported
            The zero point is not int8 or uint8, or not of the tensor's type.
        """
        factor = as_scalar(vector(self.constant(node.input(scale), "scale"), "scale"), "scale")
        kind = self._stored_type(node)
        zeros = self.constant(node.input(zero), "zero point") if node.input(zero) else np.zeros(1, kind)
        if zeros.dtype not in (np.uint8, np.int8):
            raise Unsupported(f"its zero point is of type {zeros.dtype}; give int8 or uint8")
        if node.op in _QDQ and zeros.dtype != kind:
            raise Unsupported(f"its zero point is {zeros.dtype} and its tensor {kind}; give one type")
        offset = 128 if zeros.dtype == np.uint8 else 0
        return TensorQuant(np.float32(factor), int(as_scalar(zeros, "zero point")) - offset, offset)

    def _stored_type(self, node: Node) -> np.dtype[Any]:
        """The type that a QuantizeLinear makes, by ``output_dtype`` and zero point, or that a DequantizeLinear reads.

        Of another operator the zero point says it, and without one ONNX says uint8.
        """
        import onnx

        wanted = node.whole("output_dtype", 0)
        name = onnx.TensorProto.DataType.Name(wanted) if wanted in onnx.TensorProto.DataType.values() else str(wanted)
        if node.op == "QuantizeLinear":
            if wanted not in (0, onnx.TensorProto.INT8, onnx.TensorProto.UINT8):
                raise Unsupported(f"output_dtype is {name}; give INT8 or UINT8")
            if not wanted and node.input(2):
                return self.constant(node.input(2), "zero point").dtype
            return np.dtype(np.int8 if wanted == onnx.TensorProto.INT8 else np.uint8)
        if node.op == "DequantizeLinear":
            if wanted not in (0, onnx.TensorProto.FLOAT):
                raise Unsupported(f"output_dtype is {name}; give FLOAT")
            value = self.values.get(node.input(0))
            if node.input(0) in self.constants:
                return self.constants[node.input(0)].dtype
            if value is not None and value.quant is not None:
                return np.dtype(np.uint8 if value.quant.offset else np.int8)
            if value is not None and value.operator is None and not value.left_out:
                return self.image_type
        return self.constant(node.input(2), "zero point").dtype if node.input(2) else np.dtype(np.uint8)

    def fusable(self, name: str) -> Operator:
        """The operator that a node goes into.

        Raises
        ------
        Unsupported
            The tensor has none, or somebody else has read its result.
        """
        value = self.value(name)
        if value.operator is None:
            raise Unsupported("no layer comes before it that could take it in")
        if not value.alone:
            raise Unsupported(f"another node reads the result of layer {value.operator.layer.name} before it")
        return value.operator

    def alias(self, node: Node, **changes: Any) -> None:
        """The node's output is its first input.

        Parameters
        ----------
        node : with one input that counts.
        changes : fields of the :class:`Value` that differ.
        """
        self.values[node.outputs[0]] = replace(self.value(node.input(0), curve=True), **changes)

    def append(self, operator: Operator) -> Operator:
        """Append an operator, whose layer gets a name of its own."""
        (name,) = unique_names([operator.layer.name], self.names)
        self.names.add(name)
        operator.layer = replace(operator.layer, name=name)
        self.operators.append(operator)
        return operator

    def add(self, node: Node, operator: Operator, *, flat: bool = False, like: Value | None = None) -> None:
        """Append an operator; the node's output is its result.

        Parameters
        ----------
        node : in the graph.
        operator : of the result.
        flat : ONNX sees the result as (1, C * H * W).
        like : the value as which ONNX sees the result.
        """
        layer = self.append(operator).layer
        seen = Value(layer.name, (layer.K, layer.P, layer.Q), operator, flat)
        if like is not None:
            seen = replace(seen, flat=like.flat, line=like.line, turned=like.turned)
        self.values[node.outputs[0]] = replace(seen, quant=operator.out, stored=operator.out is not None)

    # ---- quantisation ----

    def _quantization(self, node: Node) -> None:
        name = node.input(0)
        if name in self.constants or name in self.dequantized:
            return self._quantized_constant(node)
        value, quant = self.value(name, curve=True), self.quant(node, 1, 2)
        if node.op == "DequantizeLinear":
            self.values[node.outputs[0]] = replace(self.stored(value, quant), stored=False)
            return
        if value.stored:
            raise Unsupported("its operand is int8 already; put a DequantizeLinear before it")
        if value.curve is not None or (value.quant is not None and not same_quant(value.quant, quant)):
            if value.quant is None or not same_quant(value.quant, quant):
                value = replace(value, curve=curve_of(value).quantized(quant))
        elif value.quant is None and value.operator is not None:
            if value.operator.out is not None and not same_quant(value.operator.out, quant):
                raise Unsupported(f"layer {value.operator.layer.name} already has another scale; give one")
            value.operator.out = quant
        elif value.quant is None and not value.left_out:
            self._image(quant)
        self.values[node.outputs[0]] = replace(value, quant=quant, stored=True)

    def _image(self, quant: TensorQuant) -> None:
        if self.image_quant is not None and not same_quant(self.image_quant, quant):
            raise Unsupported("the image already has another scale; give one")
        self.image_quant = quant

    def _quantized_constant(self, node: Node) -> None:
        """Weights: the steps (zero point taken off) of a QuantizeLinear, the real numbers of a DequantizeLinear."""
        name, out = node.input(0), node.outputs[0]
        axis, kind = node.whole("axis", 1), self._stored_type(node)
        scale = vector(self.constant(node.input(1), "scale"), "scale")
        zero = self.constant(node.input(2), "zero point") if node.input(2) else np.zeros(1, kind)
        if zero.dtype != kind:
            raise Unsupported(f"its zero point is {zero.dtype} and its tensor {kind}; give one type")
        shape = self.constant(name, "operand").shape
        along = scales_along(shape, axis, scale, zero)
        if node.op == "QuantizeLinear":
            real = np.asarray(self.constant(name, "operand"), np.float32)
            self.constants[out] = quantized(real, scale, zero, along)
            return
        array = self.constants.get(name)
        if array is None or array.dtype not in (np.int8, np.uint8, np.int16, np.uint16, np.int32):
            raise Unsupported(f"it makes real numbers of type {getattr(array, 'dtype', 'float32')}; give int8 or uint8")
        self.dequantized[out] = Dequantized(steps_of(array, zero, axis), scale, axis % max(array.ndim, 1), array)

    def stored(self, x: Value, quant: TensorQuant) -> Value:
        """An int8 operand, whose scale and zero point a node states again.

        Parameters
        ----------
        x : the operand.
        quant : the meaning that the node states.

        Raises
        ------
        Unsupported
            It is another one than the tensor has.
        """
        if x.quant is None and x.operator is None:
            if not x.left_out:
                if self.image_type != (np.uint8 if quant.offset else np.int8):
                    raise Unsupported(f"its zero point is not of the image's type, {self.image_type}; give one type")
                self._image(quant)
            return replace(x, quant=quant, stored=True)
        if x.quant is None or not x.stored or not same_quant(x.quant, quant):
            raise Unsupported("its scale or zero point is not that of the tensor; give the same")
        return x
