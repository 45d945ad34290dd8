"""The last step from a graph to layers that the machine has: groups, additions, concatenations.

- A convolution in groups is one convolution for each few groups, of a slice of the channels, and a concatenation.
  :data:`FILTERS` says how few: so many filters at least, for fewer would leave multipliers without work. Groups that
  run together have zeros for the weights that they do not share.
- Weights whose distances from their zero point leave int8 are sums of int8 weights, of as many copies of the input.
- An addition is done where a convolution's results are stored; one that follows none gets a copy to follow.
- A tensor that would have to be in two places is copied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Kind, Layer
from mapper.importers.network import TensorQuant, unique_names
from mapper.importers.onnx.copies import copy_of
from mapper.importers.onnx.finish import lookup
from mapper.importers.onnx.ops import Operator, Value, curve_of, same_quant
from mapper.workload.views import ChannelsClash, NeedsCopy, fitted_layers, homes

FILTERS = 16
"""Of a convolution of some groups, at least."""

FARTHEST = 255
"""Of a weight of 8 bits from its zero point."""


def legal(operators: list[Operator], results: Iterable[str], names: set[str], notes: list[str]) -> list[Operator]:
    """Operators that the machine has, in order.

    Parameters
    ----------
    operators : in topological order; they are changed.
    results : layers whose tensors are read outside.
    names : taken by layers; those of new ones are added.
    notes : gets a sentence for each thing that is not as the file has it.
    """
    made = [part for operator in operators for part in _in_groups(operator, names, notes)]
    made = _in_int8(made, names, notes)
    return _alike(_placed(_added(made, set(results), names), names, notes), names, notes)


def _name(wanted: str, names: set[str]) -> str:
    (name,) = unique_names([wanted], names)
    names.add(name)
    return name


# ---- groups ----


def _in_groups(operator: Operator, names: set[str], notes: list[str]) -> list[Operator]:
    layer = operator.layer
    if layer.groups == 1 or layer.groups == layer.C == layer.K:
        return [operator]
    depth, filters = layer.C // layer.groups, layer.K // layer.groups
    each = min(layer.groups, -(-FILTERS // filters))
    while layer.groups % each:
        each += 1
    parts = layer.groups // each
    what = f"{parts} convolutions of {each} each" if parts > 1 else "one of all channels"
    notes.append(f"layer {layer.name}: its {layer.groups} groups run as {what}, with zeros between groups")
    if parts == 1:
        return [_part(operator, range(layer.groups), layer.name, layer.inputs[0])]
    made, ends = [], []
    for part in range(parts):
        own = range(part * each, (part + 1) * each)
        source = _name(f"{layer.name}_in{part}", names)
        some = Layer(source, Kind.SLICE, each * depth, layer.C, H=layer.H, W=layer.W, inputs=layer.inputs,
                     first=own.start * depth)  # fmt: skip
        end = _name(f"{layer.name}_part{part}", names)
        made += [Operator(some, operator.sources, out=operator.sources[0], node=operator.node)]
        made += [_part(operator, own, end, source)]
        ends.append(end)
    joined = Layer(layer.name, Kind.CONCAT, layer.K, layer.K, H=layer.P, W=layer.Q, inputs=tuple(ends))
    return [*made, Operator(joined, (operator.meaning,) * parts, out=operator.meaning, node=operator.node)]


def _part(operator: Operator, groups: range, name: str, source: str) -> Operator:
    """The convolution of some of an operator's groups."""
    layer = operator.layer
    depth, filters = layer.C // layer.groups, layer.K // layer.groups
    rows = slice(groups.start * filters, groups.stop * filters)

    def dense(weights: npt.NDArray[np.generic] | None) -> npt.NDArray[np.generic] | None:
        if weights is None:
            return None
        made = np.zeros((len(groups) * filters, len(groups) * depth, layer.R, layer.S), weights.dtype)
        for place, group in enumerate(groups):
            own = slice(place * filters, (place + 1) * filters)
            made[own, place * depth : (place + 1) * depth] = weights[group * filters : (group + 1) * filters]
        return made

    changed: dict[str, object] = {"weights": dense(operator.weights), "steps": dense(operator.steps)}
    for column in ("bias", "step_scale", "step_bias", "real_bias", "fused_bias"):
        array = getattr(operator, column)
        changed[column] = None if array is None else array[rows]
    shape = replace(layer, name=name, K=len(groups) * filters, C=len(groups) * depth, groups=1, inputs=(source,))
    return replace(operator, layer=shape, **changed)  # type: ignore[arg-type]


# ---- weights beyond int8 ----


def _in_int8(operators: list[Operator], names: set[str], notes: list[str]) -> list[Operator]:
    """Operators whose weights are int8: ``w = w1 + w2`` over the input and the input once more, which is exact."""
    doubled: dict[tuple[str, int], str] = {}
    made: list[Operator] = []
    for operator in operators:
        steps, layer = operator.steps, operator.layer
        if steps is None or steps.dtype == np.int8:
            made.append(operator)
            continue
        parts = max(2, -(-int(steps.max()) // 127), -(int(steps.min()) // 128))
        dense = f", its {layer.groups} groups with zeros between them" if layer.groups > 1 else ""
        if dense:
            operator = _part(operator, range(layer.groups), layer.name, layer.inputs[0])
            steps, layer = operator.steps, operator.layer
            assert steps is not None
        source, meaning = layer.inputs[0], operator.sources[0]
        if (source, parts) not in doubled:
            name = doubled[source, parts] = _name(f"{layer.name}_in", names)
            several = Layer(name, Kind.CONCAT, parts * layer.C, parts * layer.C, H=layer.H, W=layer.W,
                            inputs=(source,) * parts)  # fmt: skip
            made.append(Operator(several, (meaning,) * parts, out=meaning, node=operator.node))
        rest, split = steps.astype(np.int64), []
        for _ in range(parts):
            split.append(np.clip(rest, -128, 127))
            rest = rest - split[-1]
        operator.steps = np.concatenate(split, axis=1).astype(np.int8)
        operator.layer = replace(layer, C=parts * layer.C, inputs=(doubled[source, parts],))
        notes.append(
            f"layer {layer.name}: its weights reach from {int(steps.min())} to {int(steps.max())} about their zero "
            f"point; they run as {parts} of int8 on copies of the input{dense}"
        )
        made.append(operator)
    return made


# ---- additions ----


def _added(operators: list[Operator], results: set[str], names: set[str]) -> list[Operator]:
    readers = Counter([*(name for operator in operators for name in operator.layer.inputs), *results])
    by_name = {operator.layer.name: operator for operator in operators}

    def follows(name: str) -> bool:
        return name in by_name and by_name[name].layer.kind.has_weights and readers[name] == 1

    made: list[Operator] = []
    for operator in operators:
        layer = operator.layer
        if layer.kind is Kind.ADD and not follows(layer.inputs[0]):
            if follows(layer.inputs[1]):
                operator.layer = replace(layer, inputs=layer.inputs[::-1])
                operator.sources, operator.swapped = operator.sources[::-1], not operator.swapped
            else:
                copy = _copy(operator, 0, operator.sources[0], operator.sources[0], by_name, names)
                made.append(copy)
                operator.layer = replace(layer, inputs=(copy.layer.name, layer.inputs[1]))
        made.append(operator)
    return made


def _copy(
    operator: Operator,
    place: int,
    source: TensorQuant | None,
    out: TensorQuant | None,
    by_name: dict[str, Operator],
    names: set[str],
) -> Operator:
    """A copy of one of a layer's inputs, in its scale or another."""
    layer = operator.layer
    name = layer.inputs[place]
    channels = layer.C
    if name in by_name:
        channels = by_name[name].layer.K
    elif layer.kind is Kind.CONCAT:  # the image: what the others do not have
        channels -= sum(by_name[other].layer.K for other in layer.inputs if other in by_name)
        channels //= sum(other not in by_name for other in layer.inputs)
    value = Value(name, (channels, layer.H, layer.W), quant=source)
    own = _name(f"{layer.name}_copy", names)
    if source is None:
        copy = copy_of(own, value, operator.node)
    elif out is None or same_quant(source, out):
        copy = lookup(own, name, value.shape, source, None)
    else:
        copy = lookup(own, name, value.shape, source, curve_of(value).quantized(out))
        copy.after = out
    copy.node = operator.node
    by_name[copy.layer.name] = copy
    return copy


# ---- places ----


def _placed(operators: list[Operator], names: set[str], notes: list[str]) -> list[Operator]:
    """Each input of a concatenation in one place and, if int8, in the scale of the whole."""
    by_name = {operator.layer.name: operator for operator in operators}
    copies: dict[tuple[str, int], Operator] = {}
    for operator in operators:
        if operator.layer.kind is not Kind.CONCAT:
            continue
        for place, source in enumerate(operator.sources):
            if source is not None and operator.out is not None and not same_quant(source, operator.out):
                copy = _copy(operator, place, source, operator.out, by_name, names)
                copies[operator.layer.name, place] = copy
                _reads(operator, place, copy)
    while True:
        try:
            homes([operator.layer for operator in by_name.values()])
            break
        except NeedsCopy as clash:
            operator = by_name[clash.concat]
            meaning = operator.sources[clash.place]
            copy = _copy(operator, clash.place, meaning, meaning, by_name, names)
            copies[clash.concat, clash.place] = copy
            notes.append(
                f"layer {clash.concat}: its input {operator.layer.inputs[clash.place]} is copied, to lie in it"
            )
            _reads(operator, clash.place, copy)
    made: list[Operator] = []
    for operator in operators:
        made += [copy for (name, _), copy in copies.items() if name == operator.layer.name]
        made.append(operator)
    return made


def _reads(operator: Operator, place: int, copy: Operator) -> None:
    inputs, sources = list(operator.layer.inputs), list(operator.sources)
    inputs[place], sources[place] = copy.layer.name, copy.meaning
    operator.layer, operator.sources = replace(operator.layer, inputs=tuple(inputs)), tuple(sources)


# ---- operands whose channels lie alike ----

_WORDS = 1009
"""Channels of a word of a machine that no concatenation fits: two operands that lie alike there do so everywhere."""


def _alike(operators: list[Operator], names: set[str], notes: list[str]) -> list[Operator]:
    """Additions and products of tensors that lie alike; where they do not, one is copied by a dense convolution."""
    made = list(operators)
    while True:
        try:
            fitted_layers([operator.layer for operator in made], _WORDS)
            return made
        except ChannelsClash as clash:
            place = next(i for i, operator in enumerate(made) if operator.layer.name == clash.layer)
            operator = made[place]
            source = operator.layer.inputs[0]
            by_name = {one.layer.name: one for one in made}
            copy = by_name.get(source)
            notes.append(
                f"layer {clash.layer}: its input {source} is copied by a 1 x 1 convolution, to lie as the other"
            )
            if copy is None or not _is_copy(copy):
                copy = _copy(operator, 0, operator.sources[0], operator.sources[0], by_name, names)
                _reads(operator, 0, copy)
                made.insert(place, copy)
            eye = np.eye(copy.layer.C)[:, :, None, None]
            copy.layer = replace(copy.layer, groups=1)
            if copy.weights is not None:
                copy.weights = copy.weights.reshape(-1, 1, 1, 1) * eye
            else:
                copy.steps = eye.astype(np.int8)


def _is_copy(operator: Operator) -> bool:
    """Whether it is a copy of a tensor that is not dense yet."""
    layer = operator.layer
    return layer.kind is Kind.CONV and layer.groups == layer.C > 1 and layer.R == layer.S == 1 and layer.stride == 1
