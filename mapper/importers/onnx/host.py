"""Which nodes of a graph the host may compute: those before the first product with weights, and behind the last.

Convolutions, matrix products and recurrences are *heavy*. A node that no heavy one reaches may be computed on the
image, before the machine; a node that reaches no heavy one, on the results. All others are in the middle, which the
machine runs whole or not at all: nothing goes from it to the host and back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from arch_model.network.layer import INPUT
from mapper.importers.host_steps import STEPS, TYPES, HostStep
from mapper.importers.network import Handed, NetworkError
from mapper.importers.onnx.model import Array, Model, Node, Unsupported
from mapper.importers.onnx.ops import Operator, Value
from mapper.importers.onnx.shapes import Shapes
from mapper.importers.onnx.table import check_node


class Known(Protocol):
    """What the walk over the graph knows (:class:`mapper.importers.onnx.walk.Walk`)."""

    model: Model
    values: dict[str, Value]
    constants: dict[str, Array]
    shapes: Shapes
    operators: list[Operator]

    def value(self, name: str, padded: bool = False) -> Value:
        """The tensor of that name, as its next reader sees it.

        Parameters
        ----------
        name : of the tensor.
        padded : whether the reader takes a padding in.
        """
        ...


HEAVY = frozenset(
    [
        "Attention",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "Einsum",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "Gemm",
        "GRU",
        "LSTM",
        "MatMul",
        "MatMulInteger",
        "MatMulNBits",
        "MultiHeadAttention",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
        "DynamicQuantizeLSTM",
        "If",
        "Loop",
        "Scan",
    ]
)
"""Operators with products of weights, or that may hide some."""


def before_heavy(nodes: Iterable[Node], constants: Iterable[str]) -> set[str]:
    """Tensors that are made of the image without a heavy operator. Constants and what is made of them are among them.

    Parameters
    ----------
    nodes : in order of execution.
    constants : by name.
    """
    behind: set[str] = set()
    fixed, light = set(constants), set[str]()
    for node in nodes:
        reached = any(name in behind for name in node.inputs) or (
            node.op in HEAVY and any(name not in fixed for name in node.inputs if name)
        )
        if all(name in fixed for name in node.inputs if name):
            fixed.update(node.outputs)
        (behind if reached else light).update(node.outputs)
    return light


def after_heavy(nodes: tuple[Node, ...]) -> set[str]:
    """Tensors from which no operator is reached that the host does not compute."""
    leads: set[str] = set()
    for node in reversed(nodes):
        if node.op not in (*STEPS, "Shape", "Constant", "Dropout") or any(name in leads for name in node.outputs):
            leads.update(node.inputs)
    return {name for node in nodes for name in node.outputs if name not in leads}


def host_step(node: Node, constants: Mapping[str, Array], uses: Mapping[str, int]) -> HostStep | None:
    """A node as the host computes it; None if it is not one of :data:`~mapper.importers.host_steps.STEPS`.

    Parameters
    ----------
    node : the node.
    constants : values by name.
    uses : how often each tensor is read.

    Raises
    ------
    Unsupported
        An attribute or an input is not honoured, or numbers are not finite.
    """
    if node.op not in STEPS or node.op == "SpaceToDepth" or node.domain not in ("", "ai.onnx"):
        return None
    check_node(node, uses)
    if node.op == "Cast" and node.attributes.get("to") not in TYPES:
        raise Unsupported("its type is none that NumPy has; give float32")
    held = {name: constants[name] for name in node.inputs if name in constants}
    numbers = [*held.values(), *(np.asarray(value) for value in node.attributes.values() if isinstance(value, float))]
    if any(array.dtype.kind == "f" and np.isnan(array).any() for array in numbers):
        raise Unsupported("it has a nan among its constants; give finite numbers")
    return HostStep(node.op, node.name, node.inputs, node.outputs, dict(node.attributes), held, node.opset)


_ON_IMAGE = frozenset(
    (
        *("Abs", "Add", "BatchNormalization", "Cast", "Concat", "Div", "Exp", "Gather", "Log", "Mul", "Neg", "Pow"),
        *("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Slice", "Split", "Sqrt", "Sub", "Transpose"),
    )
)
"""What is done to the image by the host, even where a layer could do it."""
_ON_RESULTS = frozenset(["ArgMax", "LogSoftmax", "Sigmoid", "Softmax", "Transpose"])
"""What is done to a result by the host, even where a layer could do it."""


class Host:
    """What the host computes of one model: collected while the walk goes over its nodes.

    ``prologue``, ``epilogue``: the steps, in order. ``image_dims``: sizes of the model's input.
    """

    def __init__(self, model: Model) -> None:
        self.prologue: list[HostStep] = []
        self.epilogue: list[HostStep] = []
        c, h, w = model.image_shape
        self.image_dims = {2: (1, c), 3: (1, c, w), 4: (1, c, h, w)}[model.image_rank]
        self._model = model
        weighted = any(node.op in HEAVY for node in model.nodes)  # else there is nothing to be before or behind
        self._light = before_heavy(model.nodes, model.constants) if weighted else set()
        self._last = after_heavy(model.nodes) if weighted else set()
        self._image = {model.image}  # tensors that the host makes of the image
        self._results: set[str] = set()  # those that it makes of the machine's
        self._reads: dict[str, None] = {}

    # ---- before the machine ----

    def before(self, walk: Known, node: Node, whatever: bool = False) -> bool:
        """Take a node that works on the image only; False if it is none, or better done by a layer.

        Parameters
        ----------
        walk : over the graph.
        node : the node.
        whatever : take it even if a layer would be better, for there is none.
        """
        given = [name for name in node.inputs if name and name not in walk.constants]
        if (
            not (whatever or node.op in _ON_IMAGE)
            or node.outputs[0] not in self._light
            or not self._image.issuperset(given)
        ):
            return False
        step = host_step(node, walk.constants, walk.model.uses)
        if step is None or (node.op == "BatchNormalization" and not _is_positive(node, walk.constants)):
            return False
        walk.shapes.infer(node, walk.constants)
        self.prologue.append(step)
        self._image.update(node.outputs)
        for name in node.outputs:
            dims, kind = walk.shapes.dims(name), walk.shapes.kind(name)
            if dims is None or len(dims) not in (2, 3, 4) or dims[0] != 1 or None in dims:
                continue  # no image of the machine's
            sizes = [int(size) for size in dims[1:] if size is not None]
            self._offer(walk, name, sizes, kind != _FLOAT)
        return True

    def _offer(self, walk: Known, name: str, sizes: Sequence[int], stored: bool) -> Value:
        """A tensor that the machine may read as its image."""
        shape = {1: (*sizes, 1, 1), 2: (sizes[0], 1, sizes[-1]), 3: tuple(sizes)}[len(sizes)]
        value = Value(_image_layer(name), (shape[0], shape[1], shape[2]), stored=stored)
        walk.values[name] = replace(value, flat=len(sizes) == 1, line=len(sizes) == 2)
        return walk.values[name]

    def rearranged(self, walk: Known, name: str, rows: tuple[int, int], columns: tuple[int, int], block: int) -> Value:
        """The image padded (or cut, if negative) and with each block of pixels as one with more channels.

        Parameters
        ----------
        walk : over the graph.
        name : the image, float32.
        rows, columns : of zeros before and after.
        block : rows and columns of a block.
        """
        padded, made = f"{name} padded", f"{name} in blocks of {block}"
        pads = np.array([0, 0, rows[0], columns[0], 0, 0, rows[1], columns[1]], np.int64)
        self.prologue.append(HostStep("Pad", padded, (name, "pads"), (padded,), {}, {"pads": pads}))
        self.prologue.append(HostStep("SpaceToDepth", made, (padded,), (made,), {"blocksize": block}))
        c, h, w = walk.values[name].shape
        sizes = c * block * block, (h + sum(rows)) // block, (w + sum(columns)) // block
        return self._offer(walk, made, sizes, False)

    def is_image(self, value: Value) -> bool:
        """Whether a value is the image, or what the host made of it."""
        return value.operator is None and not value.left_out and value.layer.startswith(INPUT)

    def fed(self, walk: Known) -> str:
        """The tensor that the machine reads as its image; its readers get to know it by that name.

        Raises
        ------
        NetworkError
            There are several.
        """
        images = {name for op in walk.operators for name in op.layer.inputs if name.startswith(_image_layer(""))}
        plain = any(INPUT in op.layer.inputs for op in walk.operators)
        if len(images) + plain > 1:
            names = ", ".join(name.removeprefix(_image_layer("")) for name in sorted(images))
            raise NetworkError(f"{walk.model.path}: layers read several images ({names}); give a network of one image")
        for operator in walk.operators:
            inputs = tuple(INPUT if name in images else name for name in operator.layer.inputs)
            operator.layer = replace(operator.layer, inputs=inputs)
        if not images:
            self.prologue = []
            return ""
        (layer,) = images
        image = layer.removeprefix(_image_layer(""))
        kept, wanted = [], {image}
        for step in reversed(self.prologue):
            if wanted.intersection(step.outputs):
                kept.append(step)
                wanted.update(step.inputs)
        self.prologue = kept[::-1]
        return image

    # ---- behind it ----

    def reads_results(self, node: Node) -> bool:
        """Whether a node reads what the host made of the machine's results, or is better done there."""
        wanted = node.op in _ON_RESULTS and node.outputs[0] in self._last
        return wanted or any(name in self._results for name in node.inputs)

    def behind(self, walk: Known, node: Node) -> bool:
        """Take a node that no layer stands for and that leads to results only; False if it is none.

        Parameters
        ----------
        walk : over the graph.
        node : the node.
        """
        if node.outputs[0] not in self._last:
            return False
        if node.op == "Shape" and node.input(0) in self._results:
            return self._shape(walk, node)
        given = [name for name in node.inputs if name and name not in walk.constants and name not in self._results]
        try:
            step = None if node.op in _FOLDED else host_step(node, walk.constants, walk.model.uses)
            if step is None or any(name not in walk.values or not self._readable(walk.values[name]) for name in given):
                return False
            walk.shapes.infer(node, walk.constants)
        except Unsupported:
            return False
        self._reads |= dict.fromkeys(given)
        self._results.update(name for name in node.outputs if name)
        self.epilogue.append(step)
        return True

    def _readable(self, value: Value) -> bool:
        return value.operator is not None and not any(value.pad) and not value.left_out and not value.stored

    def _shape(self, walk: Known, node: Node) -> bool:
        dims = walk.shapes.dims(node.input(0))
        if dims is None or None in dims:
            return False
        sizes: list[Any] = list(dims)
        chosen = sizes[node.whole("start", 0) :][: node.attributes.get("end")]
        walk.constants[node.outputs[0]] = np.array(chosen, np.int64)
        return True

    def handed(self, walk: Known) -> dict[str, Handed]:
        """The machine's tensors that the host reads, or that are results."""
        names = dict.fromkeys([*self._reads, *(name for name in walk.model.outputs if name in walk.values)])
        read = {name: walk.value(name, padded=True) for name in names}
        return {
            name: Handed(value.layer, value.dims, value.turned, value.stored)
            for name, value in read.items()
            if value.operator is not None
        }


_FOLDED = ("BatchNormalization", "Clip", "Pad", "Relu")
"""What a layer takes in or refuses for what it says."""


def _is_positive(node: Node, constants: Mapping[str, Array]) -> bool:
    variance = constants.get(node.input(4))
    return variance is not None and bool(np.all(variance + float(node.attributes.get("epsilon", 1e-5)) > 0))


_FLOAT = 1
"""Of onnx.TensorProto.DataType."""


def _image_layer(name: str) -> str:
    """What the readers of a tensor that the host made of the image have among their inputs, before it is the image."""
    return f"{INPUT}\n{name}"
