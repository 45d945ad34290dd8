"""The network that a walk over an ONNX graph ends with: layers, their numbers, and what is proven of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubNet
from arch_model.network.weights import OpQuant
from mapper.importers.host_steps import TYPES
from mapper.importers.network import GRAPHS, FloatLayer, Handed, Network, NetworkError, TensorQuant
from mapper.importers.onnx.finish import finish
from mapper.importers.onnx.inner import ends_of, give_scales
from mapper.importers.onnx.integers import NoIntegers, integers
from mapper.importers.onnx.legal import legal
from mapper.importers.onnx.ops import Operator
from mapper.importers.onnx.proof import arithmetic, may_saturate, reasons
from mapper.importers.onnx.walk import Walk


def network_of(walk: Walk, stem: str) -> Network:
    """The layers of a walk and their int8 or float32 numbers.

    Parameters
    ----------
    walk : that has visited every node.
    stem : the file's name without its suffix, which the network gets.

    Raises
    ------
    NetworkError
        There is no layer, or a result is padded.
    """
    weights: dict[str, npt.NDArray[np.int8]] = {}
    floats: dict[str, FloatLayer] = {}
    quant: dict[str, OpQuant] = {}
    tensors: dict[str, TensorQuant] = {}
    wrong: dict[str, int] = {}
    unproven: dict[str, dict[str, str]] = {graph: {} for graph in GRAPHS}
    if walk.image_quant is not None:
        tensors[INPUT] = walk.image_quant
    handed = walk.host.handed(walk)
    feeds = walk.host.fed(walk)
    if not walk.operators:
        raise NetworkError(f"{walk.model.path}: no node has a layer; give a network with at least one")
    for name in walk.model.outputs:
        if name in walk.values and any(walk.values[name].pad):
            raise NetworkError(f'{walk.model.path}: result "{name}" is padded; only a convolution takes padding in')
    is_int8 = walk.image_quant is not None or any(op.steps is not None or op.out for op in walk.operators)
    (handed, stored), rounded = _finish(walk, handed, is_int8), list[str]()
    results = {one.layer for one in handed.values()}
    if walk.model.absent:  # no numbers of any layer: each follows from those before it
        subnet = SubNet(stem, stem, tuple(operator.layer for operator in walk.operators))
        return Network(subnet, skipped=tuple(walk.skipped), notes=tuple(walk.notes), model_macs=walk.model_macs or None)
    for operator in walk.operators:
        name = operator.layer.name
        if operator.steps is not None:
            weights[name] = operator.steps.astype(np.int8, copy=False)  # in int8 since legal()
        if operator.meaning is not None:
            tensors[name] = operator.meaning
        if operator.layer.kind.is_view:
            continue
        if not is_int8:
            floats[name] = _floats(walk, operator)
            continue
        try:
            quant[name], differs = integers(operator)
        except NoIntegers as why:
            walk.notes.append(f"layer {name} has no integers: {why}")
            continue
        if differs:
            wrong[name] = differs
        for graph, reason in reasons(
            operator, quant[name], differs, arithmetic(walk.model, operator), name in results
        ).items():
            unproven[graph][name] = reason
        if operator.inner:
            rounded.append(name)
            walk.notes.append(_steps_of(name, tensors[name]))
    computing = [operator for operator in walk.operators if not operator.layer.kind.is_view]
    if len(quant) == len(computing) and not all(unproven.values()) and any(map(may_saturate, walk.operators)):
        walk.notes.append(
            "weights beyond 64: on x86-64 without VNNI onnxruntime saturates unless session.x64quantprecision is 1"
        )
    layers = tuple(operator.layer for operator in walk.operators)
    return Network(
        SubNet(stem, stem, layers),
        weights,
        quant,
        tensors,
        floats,
        tuple(walk.skipped),
        tuple(walk.notes),
        wrong,
        unproven,
        walk.model_macs or None,
        (walk.model.image, walk.host.image_dims),
        tuple(walk.host.prologue),
        tuple(walk.host.epilogue),
        feeds,
        handed,
        walk.model.outputs,
        stored,
        tuple(rounded),
        image_type=np.dtype(TYPES[walk.model.image_type]).name,
    )


def _finish(walk: Walk, handed: dict[str, Handed], is_int8: bool) -> tuple[dict[str, Handed], dict[str, str]]:
    """Scales for real results, tables behind convolutions, copies; what the host reads of all that.

    ``handed`` with the names that layers have then, and by layer the name of its int8 tensor in the file.
    """
    if is_int8:
        give_scales(walk.operators)
    stored: dict[str, str] = {}
    for name, value in walk.values.items():
        layer = walk.layer_of(value)
        if value.stored and layer and not any(value.pad) and layer != INPUT:
            stored.setdefault(layer, name)
    read = {one.layer for one in handed.values()}
    walk.operators, renamed = finish(walk.operators, read)
    for gone, kept in renamed.items():
        stored.pop(kept, None)
        if gone in stored:
            stored[kept] = stored.pop(gone)
    handed = {name: replace(one, layer=renamed.get(one.layer, one.layer)) for name, one in handed.items()}
    read = {one.layer for one in handed.values()}
    walk.operators = legal(walk.operators, read, walk.names, walk.notes)
    return handed, stored


def _steps_of(name: str, quant: TensorQuant) -> str:
    low, high = ends_of(quant)
    return (
        f"layer {name}: its result is real in the file; as int8 it has steps of {quant.scale:.3g} "
        f"from {low:.4g} to {high:.4g}"
    )


def _floats(walk: Walk, operator: Operator) -> FloatLayer:
    """An operator's float32 numbers; NetworkError if what was folded into them is beyond float32."""
    with np.errstate(over="ignore"):
        found = operator.floats()
    for thing, array in (("weights", found.weights), ("bias", found.bias)):
        if array is not None and not np.all(np.isfinite(array)):
            label = operator.node.label if operator.node else operator.layer.name
            raise NetworkError(f"{walk.model.path}: {label}: its {thing} with what is folded in exceed float32")
    return found
