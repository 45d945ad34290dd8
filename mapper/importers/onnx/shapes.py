"""The shapes of a graph's tensors by ONNX's own inference, node by node, apart from what the walk makes of them.

Node by node, because onnxruntime's operators have no inference: after one of them the walk says what it made, and
inference goes on from there; and what the walk knows of constants (a shape that is computed) helps it along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from arch_model.files.wanted import one_line
from mapper.importers.onnx.model import Array, Model, Node, Unsupported

_SMALL = 64
"""Elements of a constant that may be a shape, axes or sizes; greater ones only have a shape themselves."""


class Shapes:
    """Types and shapes of tensors, from the image on. Sizes that are not known are None."""

    def __init__(self, model: Model) -> None:
        import onnx

        self._onnx, self._opsets = onnx, list(model.proto.opset_import)
        self._types: dict[str, Any] = {}
        c, h, w = model.image_shape
        dims = {2: [1, c], 3: [1, c, w], 4: [1, c, h, w]}[model.image_rank]
        self._types[model.image] = onnx.helper.make_tensor_type_proto(model.image_type, dims)
        self._stated = {
            value.name: value.type
            for value in (*model.proto.graph.value_info, *model.proto.graph.output)
            if value.type.HasField("tensor_type") and value.type.tensor_type.shape.dim
        }
        self._batch, self._images = model.batch_name, model.batch

    def infer(self, node: Node, constants: Mapping[str, Array]) -> None:
        """Infer the shapes of a node's results from what is known.

        Parameters
        ----------
        node : the node.
        constants : values by name.

        Raises
        ------
        Unsupported
            Its operands do not fit each other.
        """
        if node.proto is None:  # several nodes in one, which keep the shape
            if node.inputs[0] in self._types:
                self._types[node.outputs[0]] = self._types[node.inputs[0]]
            return
        for name in node.inputs:
            if name in constants and name not in self._types:
                self._types[name] = self._constant(constants[name])
        found: Mapping[str, Any] = {}
        types = {name: self._types[name] for name in node.inputs if name in self._types}
        if all(name in types for name in node.inputs if name):
            found = self._inferred(node, types, constants)
        for name in node.outputs:
            if name in found and found[name].tensor_type.HasField("shape"):
                self._types[name] = found[name]
            elif name in self._stated:
                self._types[name] = self._stated[name]

    def _inferred(self, node: Node, types: Mapping[str, Any], constants: Mapping[str, Array]) -> Mapping[str, Any]:
        onnx = self._onnx
        try:
            schema = onnx.defs.get_schema(node.op, node.opset, node.domain)
        except onnx.defs.SchemaError:
            return {}
        small = {name: constants[name] for name in node.inputs if name in constants and constants[name].size <= _SMALL}
        data = {name: onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in small.items()}
        try:
            made = onnx.shape_inference.infer_node_outputs(
                schema, node.proto, dict(types), data, opset_imports=self._opsets
            )
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            raise Unsupported(f"its operands or attributes do not fit each other ({one_line(error)})") from None
        return dict(made)

    def _constant(self, array: Array) -> Any:
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        return self._onnx.helper.make_tensor_type_proto(kind, array.shape)

    def state(self, name: str, dims: tuple[int, ...], kind: np.dtype[Any]) -> None:
        """Note shape and type of a result of an operator that has no inference.

        Parameters
        ----------
        name : of the result.
        dims : its sizes.
        kind : its type.
        """
        number = self._onnx.helper.np_dtype_to_tensor_dtype(kind)
        self._types[name] = self._onnx.helper.make_tensor_type_proto(number, dims)

    def kind(self, name: str) -> int:
        """The type of a tensor's numbers, of onnx.TensorProto; 0 if it is not known."""
        return int(self._types[name].tensor_type.elem_type) if name in self._types else 0

    def dims(self, name: str) -> tuple[int | None, ...] | None:
        """The sizes of a tensor as inferred, or None if not even their number is known."""
        return None if name not in self._types else self._sizes(self._types[name])

    def stated(self, name: str) -> tuple[int | None, ...] | None:
        """The sizes that the file states."""
        return None if name not in self._stated else self._sizes(self._stated[name])

    def _sizes(self, kind: Any) -> tuple[int | None, ...] | None:
        """The batch's size by name is 1 image."""
        if not kind.tensor_type.HasField("shape"):
            return None
        found = [
            1 if self._batch and dim.dim_param == self._batch else dim.dim_value if dim.HasField("dim_value") else None
            for dim in kind.tensor_type.shape.dim
        ]
        if self._images > 1 and found and found[0] is not None and found[0] % self._images == 0:
            found[0] //= self._images  # of several images each is one after another
        return tuple(found)
