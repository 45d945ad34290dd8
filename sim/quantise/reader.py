"""The layers that are read so far of a trace, and what is known of the result of each of its operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arch_model.network.layer import INPUT, Activation, Kind, Layer
from sim.quantise.curves import Function, activation_named, identity, same_function
from sim.quantise.errors import ModelError, need_torch
from sim.quantise.layers import BatchNorm, Float, FloatLayer, FloatNet
from sim.quantise.trace import Node, Ref, Trace

IMAGE = -1
"""The number of the image among the layers."""


@dataclass(eq=False)
class Made:
    """A layer as far as it is known: its activation may still come.

    Attributes
    ----------
    kind : what it computes.
    inputs : numbers of the layers that it reads.
    module : the module of the model that it comes from.
    ceil_mode : as in :class:`~arch_model.network.layer.Layer`.
    weights, bias : real numbers, as trained.
    norm : the batch normalisation behind it.
    origin : the parameter that the weights are made of.
    """

    kind: Kind
    sizes: tuple[int, ...]
    """K, C, R, S, H, W, stride, padding, groups."""
    inputs: tuple[int, ...]
    module: str
    ceil_mode: bool = False
    weights: Float | None = None
    bias: Float | None = None
    norm: BatchNorm | None = None
    origin: str = ""
    function: Function | None = None
    """Its activation. None: nobody has read its result yet."""


@dataclass(frozen=True, eq=False)
class Value:
    """What a node makes of a layer's result.

    Attributes
    ----------
    layer : the layer's number, :data:`IMAGE` for the image.
    function : what became of each value.
    shape : without the axis of images.
    averaged : of (1: rows, 2: columns) those over which a mean was taken already.
    pad : zeros on each side that the next convolution takes in.
    """

    layer: int
    function: Function
    shape: tuple[int, ...]
    averaged: frozenset[int] = frozenset()
    pad: int = 0


class Reader:
    """The layers of a trace as they are read, operator by operator.

    A *handler* reads one operator: ``handler(reader, node)`` gives what is known of its result, and raises what
    :meth:`no` makes where no layer stands for the operator.

    Parameters
    ----------
    trace : of the module.
    """

    def __init__(self, trace: Trace) -> None:
        self.torch = need_torch()
        self.made: list[Made] = []
        self.values: dict[int, Value] = {IMAGE: Value(IMAGE, identity, tuple(trace.images.shape[1:]))}
        self.shapes = {IMAGE: tuple(trace.images.shape)} | {n: node.shape for n, node in enumerate(trace.nodes)}

    # ---- operands ----

    def value(self, node: Node, place: int = 0) -> Value:
        """An operand that depends on the image.

        Parameters
        ----------
        node : the operator.
        place : of the operand.
        """
        operand = node.args[place]
        if not isinstance(operand, Ref):
            raise self.no(node, "an operand that should depend on the image does not")
        return self.values[operand.number]

    def constant(self, node: Node, place: int, what: str) -> Any:
        """An operand that does not depend on the image; None if it is left out.

        Parameters
        ----------
        node : the operator.
        place : of the operand.
        what : it is, for the error.
        """
        operand = node.args[place] if place < len(node.args) else None
        if isinstance(operand, Ref):
            raise self.no(node, f"its {what} depends on the image; give a constant")
        return None if operand is None else operand.tensor

    def numbers(self, node: Node, place: int, what: str) -> Float | None:
        """A constant operand as float32; None if it is left out.

        Parameters
        ----------
        node : the operator.
        place : of the operand.
        what : it is, for the error.
        """
        tensor = self.constant(node, place, what)
        if tensor is None:
            return None
        array: Float = np.array(tensor.detach().numpy(), np.float32)
        if not np.isfinite(array).all():
            raise self.no(node, f"its {what} have a NaN or an infinity; give finite numbers")
        return array

    def no(self, node: Node, why: str) -> ModelError:
        """The error of an operator that cannot be read, for the caller to raise.

        Parameters
        ----------
        node : the operator.
        why : it cannot, and what to give instead.
        """
        return ModelError(f"operator {node.label}: {why}")

    def read(self, node: Node, value: Value, padded: bool = False) -> int:
        """The number of the layer that a node reads, with what became of its result as its activation.

        Parameters
        ----------
        node : the operator.
        value : what it reads.
        padded : whether it takes a padding in.
        """
        if value.averaged:
            raise self.no(node, "it reads a mean over rows or columns alone; take it over both")
        if value.pad and not padded:
            raise self.no(node, "it reads a padded tensor; only a convolution takes padding in")
        if value.layer == IMAGE:
            if value.function is not identity:
                raise self.no(node, "the image is changed before the first layer; give images as that layer reads them")
            return IMAGE
        layer = self.made[value.layer]
        if layer.function is None:
            layer.function = value.function
        elif not same_function(layer.function, value.function):
            whose = f"the result of module {layer.module}" if layer.module else "a result"
            raise self.no(node, f"{whose} is read before and after an activation; a layer has one result")
        return value.layer

    def add(self, layer: Made) -> Value:
        self.made.append(layer)
        shaped = layer_of(layer, "layer", ())
        return Value(len(self.made) - 1, identity, (shaped.K, shaped.P, shaped.Q))

    # ---- the end ----

    def network(self, result: int, name: str) -> FloatNet:
        """The layers that a result is made of.

        Parameters
        ----------
        result : number of the operator that makes it.
        name : of the SubNet.

        Raises
        ------
        ModelError
            The result is the image itself.
        """
        value = self.values[result]
        node = Node("output", None, (Ref(result),), {}, (), "")
        last = self.read(node, value)
        if last == IMAGE:
            raise ModelError("it gives the image itself; give a network")
        needed, waiting = set(), [last]
        while waiting:
            number = waiting.pop()
            if number not in needed and number != IMAGE:
                needed.add(number)
                waiting += self.made[number].inputs
        names = _names(self.made, needed)
        layers: list[FloatLayer] = []
        read = {IMAGE: INPUT}
        for number in sorted(needed):
            made = self.made[number]
            layers += finished(made, names[number], tuple(read[one] for one in made.inputs))
            read[number] = layers[-1].layer.name
        return FloatNet(name, tuple(layers))


def finished(made: Made, name: str, inputs: tuple[str, ...]) -> list[FloatLayer]:
    """A layer; and, where it has no weights but an activation that no clamp makes, one that copies it through a table.

    That one is depthwise, of 1 x 1, and its weights are ones: only layers with weights have tables.

    Parameters
    ----------
    made : the layer's kind, numbers and shape.
    name : the layer's.
    inputs : names of the layers that it reads.
    """
    function = None if made.function in (None, identity) else made.function
    activation = Activation.NONE if function is None else activation_named(function)
    if activation is Activation.NONE:
        function = None
    layer = replace(layer_of(made, name, inputs), activation=activation)
    numbers = (made.weights, made.bias, made.norm, made.origin)
    if activation.is_clamp or made.kind.has_weights:
        return [FloatLayer(layer, *numbers, function)]
    k, rows, columns = layer.K, layer.P, layer.Q
    copy = Layer(f"{name}_table", Kind.CONV, k, k, H=rows, W=columns, groups=k, inputs=(name,), activation=activation)
    ones = np.ones((k, 1, 1, 1), np.float32)
    return [FloatLayer(replace(layer, activation=Activation.NONE), *numbers), FloatLayer(copy, ones, function=function)]


def layer_of(made: Made, name: str, inputs: tuple[str, ...]) -> Layer:
    """A layer as it is known in the end.

    Parameters
    ----------
    made : what was read.
    name : of the layer.
    inputs : names of the layers that it reads.
    """
    k, c, r, s, h, w, stride, padding, groups = made.sizes
    facts: dict[str, Any] = {}
    if made.kind.has_weights:
        facts = {"bias": made.bias is not None, "batch_norm": made.norm is not None}
    return Layer(name, made.kind, k, c, r, s, h, w, stride, padding, groups, inputs, made.ceil_mode, **facts)


def _names(made: Sequence[Made], needed: set[int]) -> dict[int, str]:
    """A name for each layer: of those with weights the path of the parameter; of others that of the module, or, in the
    outermost module, the layer that they follow."""
    names: dict[int, str] = {}
    taken: set[str] = {INPUT}
    for number, layer in enumerate(made):
        if number not in needed:
            continue
        if layer.kind.has_weights:
            name = layer.origin.removesuffix(".weight") or layer.module or f"layer{number}"
            if name in taken:
                raise ModelError(f"module {name} runs twice; give each run a module of its own")
        else:
            first = layer.inputs[0]
            base = f"{layer.module or (INPUT if first == IMAGE else names[first])}_{layer.kind}"
            name, count = base, 1
            while name in taken:
                count += 1
                name = f"{base}{count}"
        taken.add(name)
        names[number] = name
    return names


# ---- for operators ----


def one_number(node: Node, reader: Reader, value: Any, what: str) -> int:
    """One number for rows and columns.

    Parameters
    ----------
    node : the operator.
    reader : of the trace.
    value : one number or two.
    what : it is, for the error.
    """
    numbers = [int(one) for one in value] if isinstance(value, list | tuple) else [int(value)] * 2
    if len(set(numbers)) != 1:
        raise reader.no(node, f"its {what} is {', '.join(map(str, numbers))}; give one for rows and columns")
    return numbers[0]


def argument(node: Node, place: int, default: Any) -> Any:
    """An operand by its place, or another value if it is left out.

    Parameters
    ----------
    node : the operator.
    place : of the operand.
    default : the other value.
    """
    return node.args[place] if place < len(node.args) else default


def image_like(reader: Reader, node: Node, value: Value) -> tuple[int, int, int]:
    """The (C, H, W) of a tensor.

    Parameters
    ----------
    reader : of the trace.
    node : the operator that reads it.
    value : the tensor.
    """
    if len(value.shape) != 3:
        raise reader.no(node, f"its operand has shape (N, {', '.join(map(str, value.shape))}); give (N, C, H, W)")
    c, h, w = value.shape
    return c, h, w
