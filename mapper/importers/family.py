"""Several imported networks as the SubNets of one SuperNet, with the weights that they have in common.

Networks that were exported from one elastic network hold slices of the same weight tensors: the leading filters, the
leading channels and, of depthwise layers, the middle of the kernel. :func:`join_networks` finds them by comparing the
numbers themselves, not the names. A layer whose numbers no other network has is a layer of the SuperNet that one SubNet
alone uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import INPUT, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weight_slices import weight_slice
from arch_model.network.weights import QuantizedSubNet, SuperNetWeights
from mapper.importers.network import Network, NetworkError, unique_names

Numbers = npt.NDArray[Any]
_T = TypeVar("_T")

SAME = 1e-5
"""Filters of float models are the same up to a factor, which batch normalisation leaves, within so much, relatively."""

IMAGES = 16
"""Images that are drawn where a network has none of its own."""

PROPORTIONAL = 4
"""Numbers of a filter from which on a factor is looked for; shorter ones have to be equal."""


@dataclass(frozen=True, eq=False)
class Family:
    """Networks as SubNets of one SuperNet.

    Attributes
    ----------
    supernet : every layer with weights, shared ones once, at their greatest sizes.
    networks : the networks by the names of their SubNets, their layers named as in the SuperNet.
    weights : int8 (K, C / groups, R, S) of each layer of the SuperNet; None if some layer has none.
    """

    supernet: SuperNet
    networks: Mapping[str, Network]
    weights: Mapping[str, npt.NDArray[np.int8]] | None = field(repr=False)

    @property
    def runnable(self) -> bool:
        """Whether every network has the integers of all its layers."""
        return self.weights is not None and all(network.runnable for network in self.networks.values())

    def to_weights(self, seed: int = 0) -> SuperNetWeights:
        """The networks' integers, as those of a SuperNet's SubNets.

        Images are drawn from ``seed``, uint8 (:data:`IMAGES`, C, H, W); there are no labels, and accuracies are not
        known, which is written as not a number.

        Raises
        ------
        NetworkError
            Some layer has no integers.
        """
        for name, network in self.networks.items():
            if not network.runnable or self.weights is None:
                raise NetworkError(
                    f"network {name} has no int8 integers of every layer; give a quantised model, or no weights to "
                    "have them drawn"
                )
        assert self.weights is not None
        rng, unknown = np.random.default_rng((seed, 2)), float("nan")
        readers = [next(x for x in net.subnet.layers if INPUT in x.inputs) for net in self.networks.values()]
        channels, size = max(x.C for x in readers), max(max(x.H, x.W) for x in readers)
        if len({(x.C, x.H, x.W) for x in readers}) == 1:
            shape: tuple[int, ...] = (IMAGES, readers[0].C, readers[0].H, readers[0].W)
        else:
            shape = IMAGES, channels, size, size
        return SuperNetWeights(
            layers=self.weights,
            subnets={
                name: QuantizedSubNet(name, (), (), network.subnet.macs, unknown, unknown, unknown, network.quant)
                for name, network in self.networks.items()
            },
            images=rng.integers(0, 256, shape, dtype=np.uint8),
            labels=np.zeros(0, np.uint8),
            metadata={"made": "imported", "seed": seed},
        )

    @cached_property
    def users(self) -> dict[str, tuple[str, ...]]:
        """Of each layer of the SuperNet the SubNets that use it."""
        layers: dict[str, list[str]] = {layer.name: [] for layer in self.supernet.layers}
        for name, network in self.networks.items():
            for layer in network.subnet.weight_layers:
                layers[layer.name].append(name)
        return {layer: tuple(names) for layer, names in layers.items()}

    @property
    def shared(self) -> tuple[str, ...]:
        """Layers whose weights several SubNets use."""
        return tuple(layer for layer, names in self.users.items() if len(names) > 1)

    @property
    def separate(self) -> tuple[str, ...]:
        """Layers whose weights one SubNet alone uses."""
        return tuple(layer for layer, names in self.users.items() if len(names) == 1)


def join_networks(networks: Sequence[Network], name: str | None = None) -> Family:
    """Make networks the SubNets of one SuperNet.

    Two layers share their weights if the numbers that both have are equal, where those of a smaller layer are the
    leading filters and channels of the greater one (of depthwise layers the middle of its kernel). Of float models, in
    which batch normalisation is folded into the weights, each filter may have a factor of its own, which a layer's
    requantisation takes. Models without numbers share nothing.

    Parameters
    ----------
    networks : at least one; SubNets are called as the networks are, a second one of a name "NAME_2".
    name : of the SuperNet. None: the networks' names, joined by "+".

    Returns
    -------
    Family

    Raises
    ------
    NetworkError
        There is no network, or one of which operators were left out.
    SpaceError
        A layer has groups and is not depthwise.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> def network(name, weights):
    ...     layer = Layer("conv", Kind.CONV, K=len(weights), C=2, inputs=(INPUT,))
    ...     return Network(SubNet(name, name, (layer,)), {"conv": weights})
    >>> numbers = np.arange(8, dtype=np.int8).reshape(4, 2, 1, 1)
    >>> family = join_networks([network("large", numbers), network("small", numbers[:3])])
    >>> family.supernet.name, family.shared, family.supernet.weight_bytes
    ('large+small', ('conv',), 8)
    >>> join_networks([network("large", numbers), network("other", numbers[:3] + 1)]).separate
    ('conv', 'other.conv')
    """
    if not networks:
        raise NetworkError("there are no networks; give at least one")
    for network in networks:
        if network.skipped:
            raise NetworkError(f"network {network.subnet.name}: {network.skipped[0]}; give a network that is whole")
    names = unique_names((network.subnet.name for network in networks), set())
    space = name or "+".join(names)
    common: list[_Common] = []
    renamed: dict[str, Network] = {}
    for place in sorted(range(len(networks)), key=lambda at: -networks[at].subnet.weight_bytes):
        renamed[names[place]] = _renamed(networks[place], names[place], space, common)
    joined = {one: renamed[one] for one in names}
    supernet = fixed_supernet([network.subnet for network in joined.values()], [one.layer for one in common], space)
    return Family(supernet, joined, _integers(common))


@dataclass
class _Common:
    """A layer of the SuperNet so far: its greatest sizes; its numbers, zero where none is known; where one is."""

    layer: Layer
    numbers: Numbers | None
    known: npt.NDArray[np.bool_] | None

    def takes(self, layer: Layer, numbers: Numbers | None) -> bool:
        """Whether a layer has the same numbers; if so, this becomes large enough for both."""
        mine, known = self.numbers, self.known
        if mine is None or known is None or numbers is None or mine.dtype != numbers.dtype:
            return False
        if not _alike(self.layer, layer):
            return False
        shape = tuple(min(pair) for pair in zip(mine.shape, numbers.shape, strict=True))
        parts = [_leading(array, shape) for array in (mine, numbers, known)]
        if _factors(*(part[:1] for part in parts)) is None:  # which tells most others at once
            return False
        factors = _factors(*parts)
        if factors is None:
            return False
        self._grow(layer, numbers, np.concatenate([factors, np.ones(len(numbers) - len(factors))]))
        return True

    def _grow(self, layer: Layer, numbers: Numbers, factors: Numbers) -> None:
        """Take in what a layer has more; its filters are ``factors`` times as large as these."""
        whole = _greater(self.layer, layer)
        shape = whole.K, whole.C // whole.groups, whole.R, whole.S
        made, known = np.zeros(shape, numbers.dtype), np.zeros(shape, np.bool_)
        made[weight_slice(layer, whole)] = numbers / factors[:, None, None, None]  # by 1 if they are whole numbers
        known[weight_slice(layer, whole)] = True
        there = np.zeros(shape, np.bool_)
        there[weight_slice(self.layer, whole)] = self.known
        own = np.zeros(shape, numbers.dtype)
        own[weight_slice(self.layer, whole)] = self.numbers
        self.layer, self.numbers, self.known = whole, np.where(there, own, made), known | there


def _alike(one: Layer, other: Layer) -> bool:
    """Whether layers can be slices of one: of one kind, and with one kernel if they are dense."""
    depthwise = one.groups > 1
    if (one.kind, depthwise) != (other.kind, other.groups > 1):
        return False
    if one.groups not in (1, one.C) or other.groups not in (1, other.C):
        return False
    if (one.R, one.S) == (other.R, other.S):
        return True
    nested = (one.R - other.R) % 2 == (one.S - other.S) % 2 == 0 and (one.R - other.R) * (one.S - other.S) >= 0
    return depthwise and nested and 1 not in (one.R, one.S, other.R, other.S)


def _leading(array: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The leading filters and channels, and the middle of the kernel."""
    k, depth, r, s = shape
    top, left = (array.shape[2] - r) // 2, (array.shape[3] - s) // 2
    return array[:k, :depth, top : top + r, left : left + s]


def _greater(one: Layer, other: Layer) -> Layer:
    """A layer of the greatest sizes of two."""
    sizes = {axis: max(getattr(one, axis), getattr(other, axis)) for axis in ("K", "C", "R", "S", "H", "W")}
    return replace(
        one, **sizes, groups=sizes["C"] if one.groups > 1 else 1, padding=max(one.padding, other.padding), inputs=()
    )


def _factors(mine: Numbers, theirs: Numbers, both: Numbers) -> Numbers | None:
    """What each filter of ``mine`` is multiplied with to be that of ``theirs``; None if they are others."""
    filters = len(mine)
    if mine.dtype.kind != "f":
        return np.ones(filters) if np.array_equal(mine[both], theirs[both]) else None
    a = np.where(both, mine, 0).reshape(filters, -1).astype(np.float64)
    b = np.where(both, theirs, 0).reshape(filters, -1).astype(np.float64)
    own, length = (a * a).sum(1), both.reshape(filters, -1).sum(1)
    found = np.where((own > 0) & (length >= PROPORTIONAL), (a * b).sum(1) / np.where(own > 0, own, 1), 1.0)
    apart, size = np.linalg.norm(b - found[:, None] * a, axis=1), np.linalg.norm(b, axis=1)
    same = (found > 0) & (apart <= SAME * np.maximum(size, np.sqrt(own) * found))
    return found if bool(same.all()) else None


def _renamed(network: Network, name: str, space: str, common: list[_Common]) -> Network:
    """A network with its layers named as in the SuperNet, to which it adds the weights that are not there."""
    to: dict[str, str] = {}
    free = list(common)
    for layer in network.subnet.weight_layers:
        numbers = _numbers(network, layer)
        order = sorted(free, key=lambda one: one.layer.name != layer.name)  # one of the same name is the likeliest
        found = next((one for one in order if one.takes(layer, numbers)), None)
        if found is None:
            taken = {one.layer.name for one in common}
            own = layer.name if layer.name not in taken else f"{name}.{layer.name}"
            (own,) = unique_names([own], taken)
            found = _Common(replace(layer, name=own, inputs=()), numbers, _all(numbers))
            common.append(found)
        else:
            free.remove(found)
        to[layer.name] = found.layer.name
    others = [layer.name for layer in network.subnet.layers if layer.name not in to]
    to |= dict(zip(others, unique_names(others, {INPUT, *to.values()}), strict=True))
    layers = tuple(
        replace(layer, name=to[layer.name], inputs=tuple(to.get(source, source) for source in layer.inputs))
        for layer in network.subnet.layers
    )
    return replace(
        network,
        subnet=SubNet(name, space, layers, network.subnet.config),
        weights=_keys(network.weights, to),
        quant=_keys(network.quant, to),
        tensors=_keys(network.tensors, to),
        floats=_keys(network.floats, to),
        wrong_steps=_keys(network.wrong_steps, to),
        handed={out: replace(one, layer=to.get(one.layer, one.layer)) for out, one in network.handed.items()},
        unproven={graph: _keys(layers, to) for graph, layers in network.unproven.items()},
    )


def _numbers(network: Network, layer: Layer) -> Numbers | None:
    if layer.name in network.weights:
        return network.weights[layer.name]
    found = network.floats.get(layer.name)
    return None if found is None else found.weights


def _all(numbers: Numbers | None) -> npt.NDArray[np.bool_] | None:
    return None if numbers is None else np.ones(numbers.shape, np.bool_)


def _keys(table: Mapping[str, _T], to: Mapping[str, str]) -> dict[str, _T]:
    return {to.get(name, name): value for name, value in table.items()}


def _integers(common: Sequence[_Common]) -> dict[str, npt.NDArray[np.int8]] | None:
    found = {one.layer.name: one.numbers for one in common if one.numbers is not None and one.numbers.dtype == np.int8}
    return found if len(found) == len(common) else None
