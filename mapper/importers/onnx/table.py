"""Which attributes and inputs of each ONNX operator are understood; all others are refused by name.

One row an operator, for every version of it from operator set 7 on: an attribute or input that a later version adds is
refused until its row says that it is read. Constants are another matter: a node whose inputs are all constant is
evaluated by ONNX's own reference, with everything that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mapper.importers.onnx.model import Node, Unsupported

RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
"""What must not be evaluated once, like a constant."""


@dataclass(frozen=True)
class Row:
    """What is understood of an operator.

    Attributes
    ----------
    reads : attributes and (in order) inputs whose every value is honoured, or refused with its reason where the
        operator is read.
    inputs : ONNX's names of its inputs.
    idle : attributes that do not change the first output in inference.
    only : attributes with the one value that is taken; one that no row names must have the default of ONNX.
    outputs : how many results there may be.
    unread : further results may be there if nothing reads them.
    many : any number of inputs, or of results.
    """

    reads: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("X",)
    idle: tuple[str, ...] = ()
    only: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    unread: bool = False
    many: bool = False


_WINDOW = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")
_POOL = (*_WINDOW, "ceil_mode")
_OUT = ("y_scale", "y_zero_point")
_X = ("x", "x_scale", "x_zero_point")
_AB = ("a", "a_scale", "a_zero_point", "b", "b_scale", "b_zero_point")
_BLOCK = {"block_size": 0, "precision": 0, "saturate": 1}

_REDUCE = {"noop_with_empty_axes": 0}
TABLE: dict[str, Row] = {
    "Abs": Row(),
    "Add": Row((), ("A", "B")),
    "ArgMax": Row(("axis", "keepdims"), ("data",), (), {"select_last_index": 0}),
    "ArgMin": Row(("axis", "keepdims"), ("data",), (), {"select_last_index": 0}),
    "AveragePool": Row((*_POOL, "count_include_pad")),
    "BatchNormalization": Row(
        ("epsilon",), ("X", "scale", "B", "mean", "var"), ("momentum",), {"training_mode": 0, "spatial": 1}
    ),
    "Cast": Row(("to",), ("input",), (), {"saturate": 1}),
    "Celu": Row(("alpha",)),
    "Clip": Row(("min", "max"), ("input", "min", "max")),
    "Concat": Row(("axis",), many=True),
    "Conv": Row((*_WINDOW, "group"), ("X", "W", "B")),
    "DequantizeLinear": Row(("axis", "output_dtype"), ("x", "x_scale", "x_zero_point"), (), _BLOCK),
    "Div": Row((), ("A", "B")),
    "Dropout": Row((), ("data", "ratio", "training_mode"), ("ratio", "seed"), {}, 2, True),
    "Elu": Row(("alpha",)),
    "Equal": Row((), ("A", "B")),
    "Erf": Row(),
    "Exp": Row(),
    "Flatten": Row(("axis",)),
    "Gemm": Row(("alpha", "beta", "transA", "transB"), ("A", "B", "C")),
    "Gather": Row(("axis",), ("data", "indices")),
    "GlobalAveragePool": Row(),
    "GlobalMaxPool": Row(),
    "Greater": Row((), ("A", "B")),
    "HardSigmoid": Row(("alpha", "beta")),
    "HardSwish": Row(),
    "Identity": Row(),
    "LRN": Row(("alpha", "beta", "bias", "size")),
    "LayerNormalization": Row(("axis", "epsilon"), ("X", "Scale", "B"), ("stash_type",), {}, 3, True),
    "LeakyRelu": Row(("alpha",)),
    "Less": Row((), ("A", "B")),
    "Log": Row(),
    "LogSoftmax": Row(("axis",)),
    "MatMul": Row((), ("A", "B")),
    "Max": Row(many=True),
    "MaxPool": Row(_POOL, ("X",), ("storage_order",), {}, 2, True),
    "Min": Row(many=True),
    "Mish": Row(),
    "Mul": Row((), ("A", "B")),
    "Neg": Row(),
    "Not": Row(),
    "PRelu": Row((), ("X", "slope")),
    "Pad": Row(("mode", "pads", "value"), ("data", "pads", "constant_value")),
    "Pow": Row((), ("X", "Y")),
    "QGemm": Row(("alpha", "transA", "transB"), (*_AB, "C", *_OUT)),
    "QLinearAdd": Row((), (*_AB, "C_scale", "C_zero_point")),
    "QLinearAveragePool": Row((*_POOL, "count_include_pad"), (*_X, *_OUT), (), {"channels_last": 0}),
    "QLinearConv": Row(
        (*_WINDOW, "group"), (*_X, "w", "w_scale", "w_zero_point", *_OUT, "B"), (), {"channels_last": 0}
    ),
    "QLinearGlobalAveragePool": Row((), (*_X, *_OUT), (), {"channels_last": 0}),
    "QLinearMatMul": Row((), (*_AB, *_OUT)),
    "QLinearMul": Row((), (*_AB, "C_scale", "C_zero_point")),
    "QuantizeLinear": Row(("axis", "output_dtype"), ("x", *_OUT), (), _BLOCK),
    "Reciprocal": Row(),
    "ReduceMax": Row(("axes", "keepdims"), ("data", "axes"), (), _REDUCE),
    "ReduceMean": Row(("axes", "keepdims"), ("data", "axes"), (), _REDUCE),
    "ReduceMin": Row(("axes", "keepdims"), ("data", "axes"), (), _REDUCE),
    "ReduceSum": Row(("axes", "keepdims"), ("data", "axes"), (), _REDUCE),
    "Relu": Row(),
    "Reshape": Row(("allowzero",), ("data", "shape")),
    "Resize": Row(
        ("coordinate_transformation_mode", "mode", "nearest_mode", "axes"),
        ("X", "roi", "scales", "sizes"),
        ("cubic_coeff_a", "exclude_outside", "extrapolation_value"),
    ),
    "Shape": Row(("start", "end")),
    "Sigmoid": Row(),
    "Slice": Row(("starts", "ends", "axes"), ("data", "starts", "ends", "axes", "steps")),
    "Softmax": Row(("axis",)),
    "Softplus": Row(),
    "Softsign": Row(),
    "Split": Row(("axis", "split", "num_outputs"), ("input", "split"), many=True),
    "Sqrt": Row(),
    "Squeeze": Row(("axes",), ("data", "axes")),
    "Sub": Row((), ("A", "B")),
    "Sum": Row(many=True),
    "Tanh": Row(),
    "Transpose": Row(("perm",)),
    "Unsqueeze": Row(("axes",), ("data", "axes")),
    "Where": Row((), ("condition", "X", "Y")),
}


def check_node(node: Node, uses: Mapping[str, int]) -> None:
    """Check that an operator's row has every attribute, input and result of a node.

    An operator without a row has no layer anyway.

    Parameters
    ----------
    node : of the graph.
    uses : how often each tensor is read.

    Raises
    ------
    Unsupported
        One is not in the row; the text names it.
    """
    row = TABLE.get(node.op)
    if row is None:
        return
    for key, value in node.attributes.items():
        if key in row.reads or key in row.idle:
            continue
        if key in row.only:
            if value != row.only[key]:
                raise Unsupported(f"its {key} is {_shown(value)}; give {_shown(row.only[key])}")
        elif not _is_default(node, key, value):
            raise Unsupported(f"its attribute {key} ({_shown(value)}) is not understood; export it without")
    for place, name in enumerate(node.inputs):
        if name and place >= len(row.inputs) and not row.many:
            raise Unsupported(f'its input {place + 1}, "{name}", is not understood; it takes {", ".join(row.inputs)}')
    for place, name in enumerate(node.outputs[1:], 1):
        if not name or row.many or (row.unread and place < row.outputs and not uses.get(name)):
            continue
        if node.op == "BatchNormalization":
            raise Unsupported(f'its result "{name}" is of training; export it for inference')
        raise Unsupported(f'its second result "{name}" is read; only the first is understood')


def _is_default(node: Node, key: str, value: Any) -> bool:
    """Whether an attribute has the value that it has when it is left out, by ONNX's own description."""
    import onnx

    try:
        attribute = onnx.defs.get_schema(node.op, node.opset, node.domain).attributes[key]
    except (onnx.defs.SchemaError, KeyError):
        return False
    default = attribute.default_value
    return bool(default.name) and onnx.helper.get_attribute_value(default) == value


def _shown(value: Any) -> str:
    """An attribute's value in at most 60 characters."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
