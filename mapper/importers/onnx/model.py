"""An ONNX file, read and checked: its nodes, constants and the one image that it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy.typing as npt

from arch_model.files.shown import plain
from arch_model.files.wanted import Wanted, one_line
from mapper.importers.network import NetworkError
from mapper.importers.onnx.constants import ConstantFolder, NotWorkedOut
from mapper.importers.onnx.file import read_onnx

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]
"""C, H, W of one image's tensor; a vector of F features is (F, 1, 1)."""

_DOMAINS = ("", "ai.onnx", "com.microsoft")
"""Whose operators go by their bare names: ONNX's, and those of onnxruntime."""

OLDEST_OPSET = 7
"""Before it operators broadcast by attributes, and batch norm trains unless told not to."""

_WHAT = "an ONNX model (a .onnx file)"


class Unsupported(Exception):
    """Why a node has no layer; the importer adds which node."""


@dataclass(frozen=True)
class Node:
    """One node.

    Attributes
    ----------
    op, domain, opset : the operator, its domain, and the version of that.
    name : of the node.
    inputs, outputs : tensors by name; "" for one left out.
    attributes : as Python values.
    proto : the ``onnx.NodeProto``; None of several nodes in one.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    domain: str
    opset: int
    proto: Any = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        return f'node "{self.name}" ({self.op})'

    def input(self, index: int) -> str:
        """The name of an input, "" if there is none."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def whole(self, key: str, default: int) -> int:
        """An attribute as a whole number.

        Parameters
        ----------
        key : its name.
        default : if the node does not have it.
        """
        return int(self.attributes.get(key, default))

    def text(self, key: str, default: str) -> str:
        """An attribute as a text.

        Parameters
        ----------
        key : its name.
        default : if the node does not have it.
        """
        value = self.attributes.get(key, default)
        return value.decode() if isinstance(value, bytes) else str(value)


@dataclass(frozen=True)
class Model:
    """A model's graph.

    Attributes
    ----------
    path : of the file.
    nodes : in order of execution.
    constants : initializers by name.
    uses : how often each tensor is read.
    image, image_shape, image_rank, image_type : the image's name, sizes (C, H, W), dimensions in ONNX, and type of
        ``onnx.TensorProto``.
    batch_name : names a batch of no fixed size; "" if it is 1.
    batch : how many images the file takes at a time, of which each is run by itself.
    outputs : names of the results.
    notes : what the file says and the layers do not.
    absent : the weights whose numbers are not there.
    proto : the ``onnx.ModelProto``.
    """

    path: str
    nodes: tuple[Node, ...]
    constants: dict[str, Array]
    uses: Counter[str]
    image: str
    image_shape: Shape
    image_rank: int
    image_type: int
    batch_name: str
    batch: int
    outputs: tuple[str, ...]
    notes: tuple[str, ...]
    absent: tuple[str, ...]
    proto: Any = field(repr=False)

    @cached_property
    def makers(self) -> dict[str, Node]:
        """The node that makes each tensor."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def _readers(self) -> dict[str, Node]:
        return {name: node for node in self.nodes for name in node.inputs if name}

    def reader(self, name: str) -> Node | None:
        """The node that alone reads a tensor, which is no result of the graph; else None."""
        return self._readers.get(name) if self.uses[name] == 1 and name not in self.outputs else None

    def evaluate(self, node: Node, inputs: Mapping[str, Array]) -> list[Array]:
        """The outputs of a node whose inputs are all constant, by ONNX's own reference.

        Parameters
        ----------
        node : the node.
        inputs : values by name.

        Raises
        ------
        Unsupported
            The reference does not work it out, or not within a budget.
        """
        try:
            return self._folder.evaluate(node.proto, inputs)
        except NotWorkedOut as error:
            raise Unsupported(str(error)) from None

    @cached_property
    def _folder(self) -> ConstantFolder:
        return ConstantFolder(self.proto.opset_import)


def load_model(path: str | Path, shape: Sequence[int] | None = None) -> Model:
    """Read and check a model.

    Parameters
    ----------
    path : the file.
    shape : the image's sizes without the batch, for those that the file leaves open.

    Raises
    ------
    NetworkError
        It is missing, damaged or of no fixed shape.
    """
    proto, absent = read_onnx(path, Wanted(str(path), _WHAT, NetworkError))
    import onnx
    from onnx.inliner import inline_local_functions

    _put_in_order(proto.graph)
    for value in proto.graph.output:  # onnxruntime needs neither type nor shape of a result, and its tools omit them
        if not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.elem_type = value.type.tensor_type.elem_type or onnx.TensorProto.FLOAT
            value.type.tensor_type.shape.SetInParent()
    domains = ["" if entry.domain == "ai.onnx" else entry.domain for entry in proto.opset_import]
    if twice := [domain for domain, count in Counter(domains).items() if count > 1]:
        raise NetworkError(f"{path}: it names operator sets of {plain(twice[0]) or 'ONNX'} more than once; give one")
    try:
        onnx.checker.check_model(proto)
        if proto.functions:
            _state_defaults(path, proto)
            proto = inline_local_functions(proto)
    except NetworkError:
        raise
    except Exception as error:  # ValidationError, and whatever the C++ side raises for a file that is half there
        raise NetworkError(f"{path}: not a valid ONNX model ({one_line(error)}); export it anew") from None
    opsets = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in proto.opset_import}
    if opsets.get("", OLDEST_OPSET) < OLDEST_OPSET or not opsets:
        found = f"operator set {opsets['']} of ONNX" if opsets else "no operator set"
        raise NetworkError(f"{path}: it names {found}; export it anew with {OLDEST_OPSET} or later")
    graph = proto.graph
    nodes = tuple(
        Node(
            node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}",
            node.name or node.output[0],
            tuple(node.input),
            tuple(node.output),
            {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute},
            domain := "" if node.domain == "ai.onnx" else node.domain,
            opsets.get(domain, 1),
            node,
        )
        for node in graph.node
    )
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    uses = Counter(name for node in nodes for name in node.inputs)
    uses.update(value.name for value in graph.output)
    image, sizes, notes = _image(path, [value for value in graph.input if value.name not in constants], shape)
    if shape is not None:  # what the file states of sizes that it leaves open
        del graph.value_info[:]
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")
            value.type.tensor_type.shape.SetInParent()
    rows, columns = (sizes[-2] if len(sizes) == 4 else 1), (sizes[-1] if len(sizes) > 2 else 1)
    whole = (sizes[1], rows, columns)
    tensor = image.type.tensor_type
    if absent:
        notes += (
            f"the weights of {len(absent)} tensors, such as {plain(absent[0])}, are not here: the layers have their "
            "shapes and no numbers",
        )
    facts = (image.name, whole, len(sizes), tensor.elem_type, tensor.shape.dim[0].dim_param, sizes[0])
    outputs = tuple(value.name for value in graph.output)
    return Model(str(path), nodes, constants, uses, *facts, outputs, notes, absent, proto)


def with_results(path: str | Path, names: Iterable[str]) -> bytes:
    """A model as the bytes of an ONNX file, with more of its tensors as results.

    Parameters
    ----------
    path : the ONNX file.
    names : of tensors; those that are results already stay so.

    Raises
    ------
    NetworkError
        As :func:`load_model`.
    """
    import onnx

    proto, _ = read_onnx(path, Wanted(str(path), _WHAT, NetworkError))
    own = {value.name for value in proto.graph.output}
    more = [name for name in dict.fromkeys(names) if name not in own]
    proto.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in more)
    data: bytes = proto.SerializeToString()
    return data


def _state_defaults(path: str | Path, proto: Any) -> None:
    """Give each call of a function the attributes that it leaves to their defaults, which the inliner does not know.

    Raises NetworkError for a function that is called like an operator: onnxruntime takes its own operator.
    """
    defaults = {(one.domain, one.name): list(one.attribute_proto) for one in proto.functions}
    for domain, name in defaults:
        if domain in _DOMAINS:
            raise NetworkError(
                f"{path}: function {plain(name)} is in the domain of ONNX's or onnxruntime's operators; give it another"
            )
    callers: list[tuple[Any, set[str]]] = [(proto.graph.node, set())]
    callers += [(one.node, {default.name for default in one.attribute_proto}) for one in proto.functions]
    while callers:
        nodes, always = callers.pop()
        for node in nodes:
            callers += [(inner.node, always) for a in node.attribute for inner in (a.g, *a.graphs) if inner.node]
            given = {attribute.name: attribute.ref_attr_name for attribute in node.attribute}
            for default in defaults.get((node.domain, node.op_type), ()):
                if default.name not in given:
                    node.attribute.append(default)
                elif given[default.name] and given[default.name] not in always:
                    what = f"attribute {plain(default.name)} of function {plain(node.op_type)}"
                    raise NetworkError(f"{path}: {what} may be absent in another function; give a value in each call")


def _put_in_order(graph: Any) -> None:
    """Each node after those whose results it reads, as ONNX wants it; onnxruntime does not insist, nor do some tools.

    Nodes that are in order stay where they are; so do those of a circle, for the checker to refuse.
    """
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    before = [{makers[name] for name in _reads(node) if name in makers} for node in graph.node]
    if all(place > other for place, others in enumerate(before) for other in others):
        return
    readers: dict[int, list[int]] = {}
    for place, others in enumerate(before):
        for other in others:
            readers.setdefault(other, []).append(place)
    waits = [len(others) for others in before]
    ready = [place for place, count in enumerate(waits) if not count]
    order = []
    while ready:  # a heap: of the nodes that could come next, the one that stands first in the file
        order.append(heappop(ready))
        for reader in readers.get(order[-1], ()):
            waits[reader] -= 1
            if not waits[reader]:
                heappush(ready, reader)
    if len(order) == len(graph.node):
        nodes = [graph.node[place] for place in order]
        kept = type(graph)()
        kept.node.extend(nodes)
        del graph.node[:]
        graph.node.extend(kept.node)


def _reads(node: Any) -> Iterator[str]:
    """What a node reads, its subgraphs included (whose own tensors are in no list of makers)."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for part in inner.node:
                yield from _reads(part)


def _image(path: str | Path, inputs: list[Any], wanted: Sequence[int] | None) -> tuple[Any, list[int], tuple[str, ...]]:
    """The one input, its sizes (with the batch), and a note if the batch is not one image."""
    import onnx

    if len(inputs) != 1:
        names = ", ".join(f'"{value.name}"' for value in inputs)
        raise NetworkError(f"{path}: it has {len(inputs)} inputs ({names}); give a model of one image")
    (value,) = inputs
    tensor = value.type.tensor_type
    allowed = (onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8, onnx.TensorProto.INT8)
    if tensor.elem_type not in allowed:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
        raise NetworkError(f'{path}: input "{value.name}" is of type {kind}; give FLOAT, UINT8 or INT8')
    shown = [dim.dim_param or (dim.dim_value if dim.HasField("dim_value") else "?") for dim in tensor.shape.dim]
    text = f'{path}: input "{value.name}" has shape ({", ".join(map(str, shown))})'
    if len(shown) not in (2, 3, 4):
        raise NetworkError(f"{text}; give (1, C, H, W), (1, C, W) or (1, features)")
    if wanted is not None:
        fits = len(wanted) == len(shown) - 1 and all(
            not isinstance(have, int) or have in (size, 0, -1) for have, size in zip(shown[1:], wanted, strict=False)
        )
        if not fits or min(wanted) < 1:
            raise NetworkError(f"{text}; the shape {'x'.join(map(str, wanted))} is not one of its images")
        shown[1:] = [int(size) for size in wanted]
    for size in shown[1:]:
        if not isinstance(size, int) or size < 1:
            raise NetworkError(
                f"{text}: {size} is not a fixed size; give all but the first by --shape, or export it with numbers"
            )
    batch, sizes = shown[0], [int(size) for size in shown[1:]]
    images = batch if isinstance(batch, int) and batch > 0 else 1
    notes: tuple[str, ...] = ()
    if not isinstance(batch, int) or batch < 1:
        notes = (f'input "{value.name}": batch {batch} is taken as 1 image',)
    elif batch > 1:
        notes = (
            f'input "{value.name}": of its {batch} images, which run one after another, the layers are those of one',
        )
    return value, [images, *sizes], notes
