"""Nodes whose inputs are all constant, worked out by ONNX's own reference within a budget.

What a node makes is as large as its *values* say (Expand, Tile, Range): the size is worked out first, and operators
that compute for long, or hold graphs, are not evaluated at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.files.shown import shown
from arch_model.files.wanted import one_line

Array = npt.NDArray[Any]

ELEMENTS = 2**28
"""Of a constant that a node makes, and of all of them together: as many as a file of the greatest size has float32."""

_ELEMENTWISE = (
    "Abs Add And BitShift Cast CastLike Ceil Celu Clip Cos DequantizeLinear Div Elu Equal Erf Exp Floor Gelu Greater "
    "GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mod Mul "
    "Neg Not Or PRelu Pow QuantizeLinear Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum "
    "Tanh Where Xor"
)
ELEMENTWISE = frozenset(_ELEMENTWISE.split())
"""As large as its inputs, broadcast."""
_NO_LARGER = (
    "ArgMax ArgMin BatchNormalization Compress Constant CumSum Flatten LogSoftmax Mish ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reshape Shape Size Slice "
    "Softmax SpaceToDepth DepthToSpace Split Squeeze TopK Transpose Unsqueeze Trilu NonZero"
)
NO_LARGER = frozenset(_NO_LARGER.split())
"""At most as large as its inputs together, or than what the file holds."""


class NotWorkedOut(ValueError):
    """A constant that is too large or of an operator that is not evaluated; says why."""


class ConstantFolder:
    """Evaluates nodes of one model; all that they make counts against one budget.

    Parameters
    ----------
    opsets : the model's ``opset_import``
    """

    def __init__(self, opsets: Any) -> None:
        self._opsets, self._left = opsets, ELEMENTS

    def evaluate(self, proto: Any, inputs: Mapping[str, Array]) -> list[Array]:
        """The outputs of a node.

        Parameters
        ----------
        proto : an ``onnx.NodeProto``.
        inputs : values by name.

        Raises
        ------
        NotWorkedOut
            The budget is over, or ONNX's reference does not work it out.
        """
        import onnx
        from onnx.reference import ReferenceEvaluator

        size = elements(proto, [inputs[name] for name in proto.input if name])
        if size > self._left:
            raise NotWorkedOut(f"its constant has {shown(size)} elements; {ELEMENTS} in all are worked out")
        self._left -= size

        def info(name: str, array: Array) -> Any:
            kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            return onnx.helper.make_tensor_value_info(name, kind, list(array.shape))

        try:
            ends = [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output]
            graph = onnx.helper.make_graph([proto], "constant", [info(*pair) for pair in inputs.items()], ends)
            model = onnx.helper.make_model(graph, opset_imports=self._opsets)
            return [np.asarray(array) for array in ReferenceEvaluator(model).run(None, dict(inputs))]
        except Exception as error:  # the evaluator raises whatever NumPy does
            raise NotWorkedOut(f"its constant inputs cannot be evaluated ({one_line(error)})") from None


def elements(proto: Any, inputs: Sequence[Array]) -> int:
    """How many elements a node's largest output has at most.

    Parameters
    ----------
    proto : an ``onnx.NodeProto``.
    inputs : its values, in order.

    Raises
    ------
    NotWorkedOut
        That cannot be told.

    Examples
    --------
    >>> import onnx
    >>> elements(onnx.helper.make_node("Tile", ["a", "b"], ["c"]), [np.zeros(3), np.array([1000])])
    3000
    """
    kind, total = proto.op_type, sum(array.size for array in inputs)
    try:
        if kind in ELEMENTWISE:
            return math.prod(np.broadcast_shapes(*(array.shape for array in inputs if array.size != 1)))
        if kind in NO_LARGER:
            return total
        values = [[int(value) for value in array.ravel()[:64].tolist()] for array in inputs[1:2]]
        if kind == "ConstantOfShape":
            return math.prod(int(side) for side in inputs[0].ravel()[:64].tolist())
        if kind == "Expand":
            return math.prod(max(a, b) for a, b in _aligned(inputs[0].shape, values[0]))
        if kind == "Tile":
            return math.prod([*inputs[0].shape, *values[0]])
        if kind == "Range":
            start, limit, delta = (float(array) for array in inputs)
            return max(0, math.ceil((limit - start) / delta))
        if kind == "Concat":
            return total
        if kind in ("Gather", "GatherElements", "GatherND"):
            return int(inputs[1].size * (inputs[0].size // max(1, min(inputs[0].shape))))
        if kind == "MatMul" and all(array.ndim == 2 for array in inputs):
            (rows, depth), columns = inputs[0].shape, inputs[1].shape[1]
            return rows * columns if rows * columns * depth <= 2**28 else ELEMENTS + 1
        if kind == "Pad":
            pads = [int(n) for n in (inputs[1].ravel()[:64].tolist() if len(inputs) > 1 else _attribute(proto, "pads"))]
            rank = inputs[0].ndim
            sides = zip(inputs[0].shape, pads[:rank], pads[rank:], strict=True)
            return math.prod(side + max(0, one) + max(0, other) for side, one, other in sides)
    except (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise NotWorkedOut(f"its constant inputs do not fit ({one_line(error)})") from None
    raise NotWorkedOut(f"a constant made by {kind} is not worked out; fold it when the model is exported")


def _aligned(shape: Sequence[int], other: Sequence[int]) -> list[tuple[int, int]]:
    rank = max(len(shape), len(other))
    return list(zip([1] * (rank - len(shape)) + [*shape], [1] * (rank - len(other)) + [*other], strict=True))


def _attribute(proto: Any, name: str) -> list[int]:
    return next((list(attribute.ints) for attribute in proto.attribute if attribute.name == name), [])
