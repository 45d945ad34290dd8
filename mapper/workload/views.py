"""Concatenations and slices: which tensors lie inside which others, and channels fitted to the words of a machine.

A tensor in DRAM is one image after another for each group of CP channels (``docs/reference/hardware.md``, "Tensors in
DRAM"). So tensors that are written one behind the other *are* their concatenation along the channels, and a tensor that
is read from a later group on is a slice of it. Nothing is moved, and no command is needed, as long as each begins with
a group of its own.

Channels are seldom multiples of CP. :func:`fitted_layers` makes room: inputs of a concatenation begin at the next
group, a slice begins at the group that holds its first channel, and layers that read such a tensor have more channels
than the network's, with weights of zero for those between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.network.concat import concat_starts
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.weights import ConvQuant, OpQuant
from mapper.workload.table_room import larger_layers

Positions = npt.NDArray[np.int64]
"""(channels,), where each channel of a network's tensor is among those of the fitted one."""


class NeedsCopy(MappingError):
    """An input of a concatenation that cannot be written where the concatenation wants it; a copy of it can.

    Attributes ``concat`` and ``place`` say which input of which layer.

    Parameters
    ----------
    layer : the concatenation.
    place : number of the input.
    why : it cannot, for the line.
    """

    def __init__(self, layer: Layer, place: int, why: str) -> None:
        super().__init__(f"layer {layer.name}: its input {layer.inputs[place]} {why}; give a copy of it")
        self.concat, self.place = layer.name, place


class ChannelsClash(MappingError):
    """Two operands of a layer whose channels lie in different ways.

    Attribute ``layer`` names the layer.

    Parameters
    ----------
    layer : the addition or product.
    name : of the operand that is not as its first.
    """

    def __init__(self, layer: Layer, name: str) -> None:
        super().__init__(
            f"layer {layer.name}: the channels of its inputs {layer.inputs[0]} and {name} lie in different ways; give "
            "one of them through a convolution of its own"
        )
        self.layer = layer.name


def has_views(layers: Sequence[Layer]) -> bool:
    """Whether some layer is a concatenation or a slice."""
    return any(layer.kind.is_view for layer in layers)


def homes(layers: Sequence[Layer]) -> dict[str, tuple[str, int]]:
    """For each view, and each tensor inside one: the tensor that has a place of its own, and the first channel there.

    Parameters
    ----------
    layers : of a SubNet, in order. A concatenation that is in no larger one has a place of its own.

    Raises
    ------
    NeedsCopy
        A concatenation has the image or a slice as an input, or a tensor that already lies elsewhere.

    Examples
    --------
    >>> conv = [Layer(name, Kind.CONV, 9, 3, inputs=("input",)) for name in "ab"]
    >>> homes([*conv, Layer("c", Kind.CONCAT, 18, 18, inputs=("a", "b")), Layer("s", Kind.SLICE, 9, 18,
    ...     inputs=("c",), first=9)])
    {'c': ('c', 0), 'a': ('c', 0), 'b': ('c', 9), 's': ('c', 9)}
    """
    by_name = {layer.name: layer for layer in layers}
    found: dict[str, tuple[str, int]] = {}
    for layer in sorted((one for one in layers if one.kind is Kind.CONCAT), key=lambda one: -one.K):
        starts = concat_starts([_channels(by_name, layer, name) for name in layer.inputs], layer.align)
        if layer.name not in found and layer.inputs[0] in found:
            if not all(name in found for name in layer.inputs):
                raise NeedsCopy(layer, 0, f"is in {found[layer.inputs[0]][0]} already")
            found[layer.name] = found[layer.inputs[0]]  # the middle of a larger one
        root, base = found.setdefault(layer.name, (layer.name, 0))
        for place, (name, start) in enumerate(zip(layer.inputs, starts, strict=False)):
            if name == INPUT or by_name[name].kind is Kind.SLICE:
                raise NeedsCopy(layer, place, "is no result of a layer")
            if found.setdefault(name, (root, base + start)) != (root, base + start):
                raise NeedsCopy(layer, place, f"is in {found[name][0]} already")
    for layer in layers:
        if layer.kind is Kind.SLICE:
            root, base = found.get(layer.inputs[0], (layer.inputs[0], 0))
            found[layer.name] = root, base + layer.first
    return found


def _channels(by_name: Mapping[str, Layer], reader: Layer, name: str) -> int:
    if name == INPUT:
        raise NeedsCopy(reader, reader.inputs.index(name), "is the image")
    return by_name[name].K


def shown_tensors(layers: Sequence[Layer]) -> dict[str, set[str]]:
    """For each concatenation and slice the tensors that it shows, which layers make.

    Parameters
    ----------
    layers : of a SubNet, in order.

    Examples
    --------
    >>> conv = [Layer(name, Kind.CONV, 9, 3, inputs=("input",)) for name in "ab"]
    >>> sorted(shown_tensors([*conv, Layer("c", Kind.CONCAT, 18, 18, inputs=("a", "b"))])["c"])
    ['a', 'b']
    """
    shown: dict[str, set[str]] = {}
    for layer in layers:
        if layer.kind.is_view:
            shown[layer.name] = {one for name in layer.inputs for one in shown.get(name, {name})}
    return shown


@dataclass(frozen=True)
class FittedLayers:
    """A SubNet's layers with channels that fit the words of a machine's memory.

    Attributes
    ----------
    layers : under the names that they had.
    positions : of each tensor's channels among those that it has now.
    """

    layers: tuple[Layer, ...]
    positions: Mapping[str, Positions]


def fitted_layers(layers: Sequence[Layer], cp: int, kp: int | None = None) -> FittedLayers:
    """The layers with a group of channels for each input of a concatenation, and room for their activation tables.

    Layers of networks that need neither stay as they are.

    Parameters
    ----------
    layers : of a SubNet.
    cp : channels of a group.
    kp : filters worked on at once. None: activation tables are not looked at.

    Raises
    ------
    MappingError
        An addition or a product of two tensors whose channels lie in different ways.

    Examples
    --------
    >>> conv = [Layer(name, Kind.CONV, 4, 3, inputs=("input",)) for name in "ab"]
    >>> last = Layer("d", Kind.CONV, 5, 8, inputs=("c",))
    >>> fitted = fitted_layers([*conv, Layer("c", Kind.CONCAT, 8, 8, inputs=("a", "b")), last], 9)
    >>> fitted.layers[-1].C, fitted.positions["c"].tolist()
    (13, [0, 1, 2, 3, 9, 10, 11, 12])
    """
    larger: dict[str, int] = {}
    if kp is not None:
        with suppress(MappingError):  # of a layer that no machine has, which is said where it is mapped
            larger = larger_layers(layers, kp, cp)
    if not has_views(layers) and not larger:
        return FittedLayers(tuple(layers), {layer.name: np.arange(layer.K) for layer in layers})
    fit = _Fit(layers, cp)
    fit.forced = {layer.name: (np.arange(layer.K), larger[layer.name]) for layer in layers if layer.name in larger}
    while fit.forced_more():
        pass
    return FittedLayers(tuple(map(fit.layer, layers)), {name: where for name, (where, _) in fit.found.items()})


class _Fit:
    def __init__(self, layers: Sequence[Layer], cp: int) -> None:
        self.layers, self.cp = layers, cp
        self.by_name = {layer.name: layer for layer in layers}
        self.forced: dict[str, tuple[Positions, int]] = {}  # of dense layers, whose filters can lie anyhow
        self.found: dict[str, tuple[Positions, int]] = {}  # of each tensor: positions, and channels in all

    def forced_more(self) -> bool:
        """Work out where all channels lie; True if filters of a layer had to be moved for that, to begin anew."""
        self.found = {}
        for layer in self.layers:
            made = [self.of(layer, name) for name in layer.inputs]
            where, size = self.forced.get(layer.name, (np.arange(layer.K), layer.K))
            if layer.kind is Kind.CONCAT:
                starts = concat_starts([size for _, size in made], self.cp)
                where = np.concatenate([own + start for (own, _), start in zip(made, starts, strict=False)])
                size = starts[-1]
            elif layer.kind is Kind.SLICE:
                taken = made[0][0][layer.first : layer.first + layer.K]
                low = int(taken[0]) // self.cp * self.cp
                where, size = taken - low, int(taken[-1]) + 1 - low
            elif not (layer.kind.has_weights and layer.groups == 1):
                where, size = made[0]
                for name, (other, others) in zip(layer.inputs[1:], made[1:], strict=True):
                    if size == others and np.array_equal(where, other):
                        continue
                    if not (self._force(name, where, size) or self._force(layer.inputs[0], other, others)):
                        raise ChannelsClash(layer, name)
                    return True
            self.found[layer.name] = where, size
        return False

    def of(self, reader: Layer, name: str) -> tuple[Positions, int]:
        if name == INPUT:
            channels = reader.C
            return np.arange(channels), channels
        return self.found[name]

    def _force(self, name: str, where: Positions, size: int) -> bool:
        """Have a tensor's channels at those places; False if none of the layers that make it can do that."""
        layer = self.by_name.get(name)
        if layer is None or layer.kind.is_view:
            return False
        if layer.kind.has_weights and layer.groups == 1:
            if name in self.forced:
                return False
            self.forced[name] = where, size
            return True
        return all([self._force(source, where, size) for source in layer.inputs])

    def layer(self, layer: Layer) -> Layer:
        """A layer with the channels that its tensors have now."""
        _, k = self.found[layer.name]
        c = self.of(layer, layer.inputs[0])[1]
        if layer.kind is Kind.CONCAT:
            return replace(layer, K=k, C=k, align=self.cp)
        if layer.kind is Kind.SLICE:
            (source, _), (own, _) = self.of(layer, layer.inputs[0]), self.found[layer.name]
            return replace(layer, K=k, C=c, first=int(source[layer.first] - own[0]))
        groups = k if layer.groups > 1 and layer.groups == layer.K else layer.groups
        return replace(layer, K=k, C=c, groups=groups)


def fitted_weights(
    layer: Layer, weights: npt.NDArray[np.generic], rows: Positions, columns: Positions
) -> npt.NDArray[np.generic]:
    """A fitted layer's weights: (K, C / groups, R, S) with zeros for the channels that the network does not have.

    Parameters
    ----------
    layer : as it is fitted.
    weights : the network's.
    rows, columns : positions of its filters and of its input's channels.
    """
    made = np.zeros((layer.K, layer.C // layer.groups, layer.R, layer.S), weights.dtype)
    if layer.groups > 1:
        made[rows] = weights
    else:
        made[np.ix_(rows, columns)] = weights
    return made


def fitted_numbers(
    fit: FittedLayers, weights: Mapping[str, npt.NDArray[np.int8]], quant: Mapping[str, OpQuant]
) -> tuple[dict[str, npt.NDArray[np.int8]], dict[str, OpQuant]]:
    """Weights and integers of a network for its fitted layers.

    Parameters
    ----------
    fit : of the network's layers.
    weights : int8 (K, C / groups, R, S) by layer, as the network has them.
    quant : integers by layer.

    Returns
    -------
    Both, by the same names, with zeros for channels that the network does not have.
    """
    weights, quant, by_name = dict(weights), dict(quant), {layer.name: layer for layer in fit.layers}
    for layer in fit.layers:
        source = layer.inputs[0]
        rows = fit.positions[layer.name]
        columns = np.arange(layer.C) if source not in by_name else fit.positions[source]
        if layer.name in weights:
            weights[layer.name] = fitted_weights(layer, weights[layer.name], rows, columns).astype(np.int8)
        q = quant.get(layer.name)
        if isinstance(q, ConvQuant):
            bias, multiplier, shift = np.zeros((3, layer.K), np.int32)
            bias[rows], multiplier[rows], shift[rows] = q.bias, q.multiplier, q.shift
            quant[layer.name] = replace(q, bias=bias, multiplier=multiplier, shift=shift)
    return weights, quant
