"""An ONNX file as a message, within a budget on all that it can claim, and tensors of the size that they say.

Weights that the file keeps beside itself may be absent: tools that need shapes alone publish models without them.

Functions are counted as they would be written out, as aliases of YAML are: thirty of them that each call the one before
twice are a billion nodes. Data beside the file is taken from the file's own folder alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from arch_model.files.shown import plain, shown
from arch_model.files.text import opened, read_bytes
from arch_model.files.wanted import Wanted, one_line

BYTES = 2**30
"""Of a file, and of the data beside it. The largest networks of images have half of that."""
NODES = 100_000
"""With all functions written out."""
DEPTH = 8
"""Graphs inside nodes of graphs."""


def read_onnx(path: str | Path, wanted: Wanted) -> tuple[Any, tuple[str, ...]]:
    """The ``onnx.ModelProto`` of a file, with the data that it keeps beside it, and the names of absent tensors.

    Absent is a real tensor whose data would be in a file of the model's folder that does not exist; it is all zeros.

    Parameters
    ----------
    path : path of the file
    wanted : what the errors say

    Raises
    ------
    FastSwitchError
        As ``wanted`` says: if the package onnx is not there; for a file that is no ONNX, is cut off, has more than
        :data:`BYTES`, :data:`NODES` or :data:`DEPTH`, functions that call themselves, tensors of unknown types or of
        another size than they claim, or data outside its folder.
    """
    try:
        import onnx
    except ImportError:
        raise wanted.error(
            f'{wanted.source}: reading ONNX needs the package onnx; pip install "fastswitch[onnx]"'
        ) from None
    data = read_bytes(path, wanted, BYTES)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # DecodeError of whichever protobuf is installed
        raise wanted.wrong(f"not ONNX, or cut off ({one_line(error)})") from None
    if not proto.graph.node:
        raise wanted.wrong("not ONNX, or cut off (it has no nodes)")
    try:
        _check_nodes(proto, wanted)
        tensors = list(_tensors(proto))
        _check_types(proto, wanted)
        for tensor in tensors:
            _check_tensor(tensor, wanted)
        absent = _load_outside(tensors, Path(path).parent, wanted)
    except (ValueError, TypeError, KeyError, UnicodeDecodeError, MemoryError) as error:  # what protobuf makes of bytes
        raise wanted.wrong(f"not ONNX, or damaged ({one_line(error)})") from None
    return proto, absent


def _check_nodes(proto: Any, wanted: Wanted) -> None:
    """Refuse too many nodes: those of graphs inside nodes, and of functions as often as they are called."""
    functions = {(function.domain, function.name): function for function in proto.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[Any]) -> int:
        """Of functions whose callees have their sizes already."""
        return sum(1 + sizes.get((node.domain, node.op_type), 0) for node in nodes)

    waiting, under_way = list(functions), set()
    while waiting:
        name = waiting[-1]
        if name in sizes:
            waiting.pop()
            continue
        nodes = [node for graph in _graphs(functions[name].node, wanted) for node in graph]
        called = {(node.domain, node.op_type) for node in nodes} & functions.keys()
        if missing := [other for other in called if other not in sizes]:
            if name in under_way:
                raise wanted.wrong(f"function {plain(name[1])} calls itself")
            under_way.add(name)
            waiting.extend(missing)
            continue
        sizes[name] = size(nodes)
        waiting.pop()
        under_way.discard(name)
        if sizes[name] > NODES:
            raise wanted.wrong(f"function {plain(name[1])} stands for {shown(sizes[name])} nodes, more than {NODES}")
    total = size(node for graph in _graphs(proto.graph.node, wanted) for node in graph)
    if total > NODES:
        raise wanted.wrong(f"{shown(total)} nodes, more than {NODES}")


def _graphs(nodes: Any, wanted: Wanted) -> Iterator[Any]:
    """The nodes of a graph, then those of graphs in its attributes, and so on."""
    level: list[Any] = [nodes]
    for _ in range(DEPTH):
        below = []
        for those in level:
            yield those
            for node in those:
                for attribute in node.attribute:
                    below += [attribute.g.node] if attribute.g.node else []
                    below += [graph.node for graph in attribute.graphs]
        level = below
    if level:
        raise wanted.wrong(f"graphs inside one another, more than {DEPTH} deep")


def _all_graphs(proto: Any) -> Iterator[Any]:
    """Every graph, wherever it is; their depth has been checked."""
    waiting = [proto.graph]
    nodes = [node for function in proto.functions for node in function.node]
    while waiting or nodes:
        if waiting:
            graph = waiting.pop()
            yield graph
            nodes.extend(graph.node)
        for node in nodes:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting.extend(attribute.graphs)
        nodes = []


def _tensors(proto: Any) -> Iterator[Any]:
    for graph in _all_graphs(proto):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        yield from _of_attributes(graph.node)
    for function in proto.functions:
        yield from _of_attributes(function.node)


def _of_attributes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            for one in (*sparse, *attribute.sparse_tensors):
                yield from (one.values, one.indices)


def _check_types(proto: Any, wanted: Wanted) -> None:
    """Refuse inputs and outputs of a type that ONNX has not."""
    import onnx

    known = set(onnx.TensorProto.DataType.values())
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        kind = value.type.tensor_type.elem_type
        if kind not in known:
            raise wanted.wrong(f"tensor {plain(value.name)} is of type {kind}, which ONNX has not")


def _check_tensor(tensor: Any, wanted: Wanted) -> None:
    """Refuse a tensor that claims another size than it has, before anyone allocates what it claims."""
    import onnx

    name, kind = plain(tensor.name) or "of an attribute", tensor.data_type
    if kind not in onnx.TensorProto.DataType.values() or kind == onnx.TensorProto.UNDEFINED:
        raise wanted.wrong(f"tensor {name} is of type {kind}, which ONNX has not")
    if any(side < 0 for side in tensor.dims):
        raise wanted.wrong(f"tensor {name} has the shape {shown(list(tensor.dims))}", right="sides of 0 or more")
    count = math.prod(tensor.dims)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        if count * _bits(kind) > 8 * BYTES:
            raise wanted.wrong(f"tensor {name} claims {shown(count)} values, more than {BYTES} bytes")
        return
    if tensor.HasField("raw_data"):
        there = 8 * len(tensor.raw_data) // _bits(kind)
        right = -(-count * _bits(kind) // 8) == len(tensor.raw_data)
    else:
        fields = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
        there = max(len(getattr(tensor, field)) for field in fields)
        right = count <= there * max(1, 32 // _bits(kind)) or kind in _OF_TWO
    if not right:
        raise wanted.wrong(f"tensor {name} claims {shown(count)} values ({shown(list(tensor.dims))}) and has {there}")


_OF_TWO = (14, 15)
"""Complex numbers, which no operator of ours takes."""


def _bits(kind: int) -> int:
    """Bits of a value; texts count as one byte at least."""
    import onnx

    if kind == onnx.TensorProto.STRING:
        return 8
    name = onnx.TensorProto.DataType.Name(kind)
    if "INT4" in name or "FLOAT4" in name:
        return 4
    if "INT2" in name:
        return 2
    return int(8 * onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize)


def _load_outside(tensors: Iterable[Any], folder: Path, wanted: Wanted) -> tuple[str, ...]:
    """Take the data that tensors keep in other files, all inside the model's folder; the names of those without."""
    import onnx

    home, left, absent = folder.resolve(), BYTES, []
    real = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE")
    for tensor in tensors:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        said = {entry.key: entry.value for entry in tensor.external_data}
        location, name = said.get("location", ""), plain(tensor.name)
        try:
            path = (home / location).resolve()
            inside = bool(location) and path.is_relative_to(home) and not Path(location).is_absolute()
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            raise wanted.wrong(
                f"tensor {name} keeps its data in {shown(location)}", right="a file in the model's folder"
            )
        need = -(-math.prod(tensor.dims) * _bits(tensor.data_type) // 8)
        offset, length = said.get("offset", "0"), said.get("length", str(need))
        if not (offset.isascii() and offset.isdecimal() and length == str(need) and len(offset) < 19):
            raise wanted.wrong(f"tensor {name} claims {need} bytes and has {shown(length)} at {shown(offset)}")
        left -= need
        if left < 0:
            raise wanted.cannot(f"has more than {BYTES} bytes beside it")
        beside = Wanted(f"{wanted.source}: data of tensor {name} in {plain(location)}", wanted.right, wanted.error)
        if not path.exists() and onnx.TensorProto.DataType.Name(tensor.data_type) in real:
            absent.append(tensor.name)
            tensor.raw_data = bytes(need)
        else:  # whole numbers may be shapes, scales' zero points, int8 weights: nothing stands for those
            tensor.raw_data = _piece(path, int(offset), need, beside)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    return tuple(absent)


def _piece(path: Path, offset: int, need: int, wanted: Wanted) -> bytes:
    with opened(path, wanted, 16 * BYTES) as file:
        file.seek(offset)
        data = file.read(need)
    if len(data) < need:
        raise wanted.wrong(f"it has {len(data)} bytes from {offset} on, not {need}")
    return data
