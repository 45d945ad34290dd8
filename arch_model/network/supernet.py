"""SuperNet, SubNet, SubGraph: a weight-shared network, one choice in it, a set of its weights."""

from __future__ import annotations

import difflib
import inspect
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError, SpaceError
from arch_model.files.shown import shown
from arch_model.files.wanted import one_line
from arch_model.network.choices import Choice
from arch_model.network.concat import concat_starts
from arch_model.network.layer import INPUT, Kind, Layer

if TYPE_CHECKING:
    import networkx

_T = TypeVar("_T")

Config = tuple[tuple[str, Any], ...]
"""A SubNet's choices as (keyword, value) pairs; ``dict(config)`` is what ``SuperNet.subnet`` takes."""


@dataclass(frozen=True)
class SubNet:
    """One choice of depth, width and kernel in a SuperNet.

    Parameters
    ----------
    name, supernet : of this SubNet, and of its SuperNet.
    layers : in an order of execution, each after its inputs. Layers with weights are named as in the SuperNet, of
        whose weights they use the leading K and C slices.
    config : the choices, as (keyword, value) pairs of the SuperNet's ``build``.

    Raises
    ------
    SpaceError
        The shape of a layer is not what its inputs make, an input is no earlier layer, or a name occurs twice.
    """

    name: str
    supernet: str
    layers: tuple[Layer, ...]
    config: Config = ()

    def __post_init__(self) -> None:
        made: dict[str, Layer] = {}
        net = f"SubNet {self.name}"
        for layer in self.layers:
            if layer.name in made or layer.name == INPUT:
                raise SpaceError(f"{net}: layer name {layer.name} is taken; give each its own")
            if not layer.inputs:
                raise SpaceError(f"{net}: layer {layer.name} has no inputs; name at least one")
            for source in layer.inputs:
                if source == INPUT:
                    continue
                if source not in made:
                    raise SpaceError(f"{net}: input {source} of layer {layer.name} is not an earlier layer")
                before = made[source]
                have, need = (before.K, before.P, before.Q), (layer.C, layer.H, layer.W)
                if layer.kind is Kind.CONCAT:
                    need = (before.K, layer.H, layer.W)
                if layer.kind is Kind.SCALE and source == layer.inputs[1]:
                    need = (layer.C, 1, 1)
                if have != need:
                    raise SpaceError(f"{net}: layer {layer.name} reads C, H, W = {need}, but {source} makes {have}")
            if layer.kind is Kind.CONCAT and INPUT not in layer.inputs:
                (*_, whole) = concat_starts([made[source].K for source in layer.inputs], layer.align)
                if whole != layer.K:
                    raise SpaceError(f"{net}: layer {layer.name} has {layer.K} channels, but its inputs have {whole}")
            made[layer.name] = layer

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def layer(self, name: str) -> Layer:
        """The layer of that name; :class:`SpaceError` if there is none."""
        return _lookup(self._by_name, name, f"SubNet {self.name}: layer")

    @property
    def weight_layers(self) -> tuple[Layer, ...]:
        """The layers that have weights, in order."""
        return tuple(layer for layer in self.layers if layer.kind.has_weights)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Bytes of int8 weights, the linear layer's included."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Parameters as trained: weights, biases, two a channel of each batch norm."""
        return sum(layer.parameters for layer in self.layers)

    def graph(self) -> networkx.DiGraph:
        """A ``networkx.DiGraph`` from the image to the logits: an edge for each input.

        Nodes are layer names and :data:`~arch_model.network.layer.INPUT`; each layer's has the attribute ``layer``.
        """
        import networkx as nx  # a fifth of a second: only those who ask for a graph wait for it

        graph = nx.DiGraph()
        graph.add_node(INPUT)
        for layer in self.layers:
            graph.add_node(layer.name, layer=layer)
            graph.add_edges_from((source, layer.name) for source in layer.inputs)
        return graph


@dataclass(frozen=True)
class SuperNet:
    """A weight-shared network, of which each choice is a SubNet.

    Parameters
    ----------
    name : of the SuperNet.
    layers : those with weights, at their greatest sizes, in a fixed order.
    build : ``build(**config)`` makes a SubNet from its choices.
    parse : ``parse(name)`` turns the name of a SubNet into its choices; SpaceError for a name that it does not know.
    names : the SubNets that have a name: all of a small space, the published ones of a large one.
    choices : the keywords of ``build`` and the values that :meth:`sample` draws them from.
    top1 : known accuracies, fractions, by the SubNet's name.

    Raises
    ------
    SpaceError
        A layer has no weights, or is grouped but not depthwise, or a name occurs twice.
    """

    name: str
    layers: tuple[Layer, ...]
    build: Callable[..., SubNet] = field(repr=False, compare=False)
    parse: Callable[[str], dict[str, Any]] = field(repr=False, compare=False)
    names: tuple[str, ...] = field(repr=False)
    choices: tuple[Choice, ...] = field(default=(), repr=False, compare=False)
    top1: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for layer in self.layers:
            if not layer.kind.has_weights or layer.groups not in (1, layer.C):
                has = f"layer {layer.name} is {layer.kind} with {layer.groups} groups"
                raise SpaceError(f"SuperNet {self.name}: {has}; give conv or linear layers, each dense or depthwise")
        if len(self._index) != len(self.layers):
            raise SpaceError(f"SuperNet {self.name}: a layer name occurs twice; give each its own")

    @cached_property
    def _index(self) -> dict[str, int]:
        return {layer.name: i for i, layer in enumerate(self.layers)}

    def index(self, name: str) -> int:
        """The position of a layer in ``layers``; :class:`SpaceError` if there is none of that name."""
        return _lookup(self._index, name, f"SuperNet {self.name}: layer")

    def layer(self, name: str) -> Layer:
        """The layer of that name at its greatest size; :class:`SpaceError` if there is none."""
        return self.layers[self.index(name)]

    def subnet(self, name: str | None = None, /, **config: Any) -> SubNet:
        """The SubNet of that name, or the one that the keywords describe.

        Parameters
        ----------
        name : of a SubNet, as :attr:`names` has it or as ``parse`` reads it.
        config : instead of a name, the choices by keyword.

        Raises
        ------
        SpaceError
            The space has no such name or choice, or both a name and choices were given.

        Examples
        --------
        >>> from arch_model.spaces import get_space
        >>> fashion = get_space("fashion")
        >>> fashion.subnet("fashion-d122-w234") == fashion.subnet(depth=(1, 2, 2), width=(2, 3, 4))
        True
        """
        if name is not None and config:
            raise SpaceError(f"SubNet {name}: give a name or choices ({', '.join(config)}), not both")
        if name is not None:
            return self._built(**self._called("parse", self.parse, name))
        try:
            inspect.signature(self.build).bind(**config)
        except TypeError as error:
            choices = ", ".join(inspect.signature(self.build).parameters)
            raise SpaceError(f"SuperNet {self.name}: {error}; give {choices}") from None
        return self._built(**config)

    def _built(self, **config: Any) -> SubNet:
        """What ``build`` makes, which is a SubNet of this SuperNet, or :class:`SpaceError`."""
        subnet = self._called("build", self.build, **config)
        if not isinstance(subnet, SubNet):
            raise SpaceError(f"SuperNet {self.name}: its function build gives {shown(subnet)}; let it give a SubNet")
        _same_supernet(f"SubNet {subnet.name}", subnet.supernet, self.name)
        return subnet

    def _called(self, what: str, function: Callable[..., _T], *words: Any, **config: Any) -> _T:
        """One of the SuperNet's functions, whose mistakes are those of whoever wrote it: one line that says which."""
        try:
            return function(*words, **config)
        except FastSwitchError:
            raise
        except Exception as error:
            fails = f"its function {what} fails with {type(error).__name__}"
            raise SpaceError(f"SuperNet {self.name}: {fails}: {one_line(error)}") from error

    @cached_property
    def top1_by_config(self) -> Mapping[Config, float]:
        """The known accuracies, by the SubNets' choices."""
        return {self.subnet(name).config: top1 for name, top1 in self.top1.items()}

    def subnet_names(self) -> tuple[str, ...]:
        """The SubNets that have a name of their own; ``subnet`` takes each."""
        return self.names

    def sample(self, count: int, seed: int) -> tuple[SubNet, ...]:
        """``count`` different SubNets, each choice drawn uniformly by itself; repeats are drawn again.

        Parameters
        ----------
        count : 1 to the number of SubNets that the choices make.
        seed : at least 0; the same seed draws the same SubNets.

        Returns
        -------
        tuple of SubNet
            In the order in which they were drawn.

        Raises
        ------
        SpaceError
            The count or the seed is out of range, or the SuperNet has no ``choices``.

        Examples
        --------
        >>> from arch_model.spaces import get_space
        >>> [net.name for net in get_space("fashion").sample(2, seed=1)]
        ['fashion-d122-w422', 'fashion-d221-w243']
        """
        if not self.choices:
            raise SpaceError(f"SuperNet {self.name} has no choices to sample from; name its SubNets")
        most = math.prod(choice.combinations for choice in self.choices)
        if not 1 <= count <= most:
            raise SpaceError(f"sample of SuperNet {self.name}: count is {count}; give 1..{most}")
        if seed < 0:
            raise SpaceError(f"sample of SuperNet {self.name}: seed is {seed}; give at least 0")
        rng = np.random.default_rng(seed)
        drawn: set[tuple[Any, ...]] = set()
        subnets: dict[str, SubNet] = {}
        while len(subnets) < count:
            values = tuple(choice.draw(rng) for choice in self.choices)
            if values not in drawn:
                drawn.add(values)
                keys = (choice.key for choice in self.choices)
                subnet = self._built(**dict(zip(keys, values, strict=True)))
                subnets.setdefault(subnet.name, subnet)  # choices for an absent block make no other SubNet
        return tuple(subnets.values())

    @property
    def weight_bytes(self) -> int:
        """Bytes of all int8 weights."""
        return sum(layer.weight_bytes for layer in self.layers)


@dataclass(frozen=True)
class SubGraph:
    """A set of a SuperNet's weights: of each layer a leading (K, C) slice, kernels whole. ``a & b`` is what both have.

    Parameters
    ----------
    supernet : the SuperNet's name.
    slices : (K, C) of each layer of the SuperNet. A slice with K or C of 0 is empty, and becomes (0, 0).

    Raises
    ------
    SpaceError
        A slice is not two whole numbers of at least 0.

    Examples
    --------
    >>> a, b = SubGraph("toy", ((4, 6), (8, 2))), SubGraph("toy", ((6, 3), (0, 5)))
    >>> (a & b).slices
    ((4, 3), (0, 0))
    """

    supernet: str
    slices: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        clean = []
        for i, pair in enumerate(self.slices):
            try:
                k, c = map(operator.index, pair)
            except (TypeError, ValueError):
                k = c = -1
            if k < 0 or c < 0:
                thing = f"SubGraph of {self.supernet}: slice {i}"
                raise SpaceError(f"{thing} is {pair}; give K and C, whole numbers of at least 0")
            clean.append((k, c) if k and c else (0, 0))
        object.__setattr__(self, "slices", tuple(clean))

    @classmethod
    def empty(cls, supernet: SuperNet) -> SubGraph:
        """No weights at all: what the PB holds before the first load."""
        return cls(supernet.name, ((0, 0),) * len(supernet.layers))

    @classmethod
    def full(cls, supernet: SuperNet) -> SubGraph:
        """Every weight of the SuperNet."""
        return cls(supernet.name, tuple((layer.K, layer.C) for layer in supernet.layers))

    @classmethod
    def of(cls, subnet: SubNet, supernet: SuperNet) -> SubGraph:
        """The weights that a SubNet uses.

        Parameters
        ----------
        subnet, supernet : one of that SuperNet, and the SuperNet, whose layers give the order of the slices.

        Raises
        ------
        SpaceError
            The SubNet is of another SuperNet or uses more than that has.
        """
        _same_supernet(f"SubNet {subnet.name}", subnet.supernet, supernet.name)
        slices = [(0, 0)] * len(supernet.layers)
        for layer in subnet.weight_layers:
            whole = supernet.layer(layer.name)
            for axis in ("K", "C", "R", "S"):
                value, most = getattr(layer, axis), getattr(whole, axis)
                if value > most:
                    has = f"layer {layer.name} has {axis} = {value}"
                    raise SpaceError(f"SubNet {subnet.name}: {has}; {supernet.name} has {most}")
            slices[supernet.index(layer.name)] = (layer.K, layer.C)
        return cls(supernet.name, tuple(slices))

    @classmethod
    def decode(cls, supernet: SuperNet, vector: npt.ArrayLike) -> SubGraph:
        """The SubGraph of a vector [K1, C1, K2, C2, ...]; the inverse of :meth:`encode`.

        Parameters
        ----------
        supernet : whose layers the vector describes.
        vector : whole numbers, (2 * layers,).

        Raises
        ------
        SpaceError
            The length is wrong, a number is not whole, or a slice is greater than its layer.
        """
        numbers = np.asarray(vector)
        length = 2 * len(supernet.layers)
        if numbers.shape != (length,):
            raise SpaceError(f"SubGraph vector has shape {numbers.shape}; {supernet.name} needs ({length},)")
        if not np.issubdtype(numbers.dtype, np.integer):
            raise SpaceError(f"SubGraph vector is of {numbers.dtype}; give whole numbers")
        pairs = numbers.reshape(-1, 2).tolist()
        made = cls(supernet.name, tuple((k, c) for k, c in pairs))
        made._check(supernet)
        return made

    def encode(self) -> npt.NDArray[np.int64]:
        """The vector [K1, C1, K2, C2, ...], int64, two numbers a SuperNet layer.

        >>> SubGraph("toy", ((4, 6), (8, 0))).encode().tolist()
        [4, 6, 0, 0]
        """
        return np.array(self.slices, dtype=np.int64).reshape(-1)

    def __and__(self, other: SubGraph) -> SubGraph:
        self._check_peer(other)
        pairs = zip(self.slices, other.slices, strict=True)
        return SubGraph(self.supernet, tuple((min(a[0], b[0]), min(a[1], b[1])) for a, b in pairs))

    def contains(self, other: SubGraph) -> bool:
        """Whether every weight of ``other`` is in this SubGraph."""
        self._check_peer(other)
        pairs = zip(self.slices, other.slices, strict=True)
        return all(a[0] >= b[0] and a[1] >= b[1] for a, b in pairs)

    def only(self, supernet: SuperNet, *kinds: Kind) -> SubGraph:
        """The slices in layers of those kinds; all others become empty.

        Parameters
        ----------
        supernet, kinds : the SubGraph's SuperNet; the kinds, such as ``Kind.CONV``.

        Raises
        ------
        SpaceError
            It is no SubGraph of that SuperNet.
        """
        self._check(supernet)
        pairs = zip(self.slices, supernet.layers, strict=True)
        return SubGraph(self.supernet, tuple(s if layer.kind in kinds else (0, 0) for s, layer in pairs))

    def bytes(self, supernet: SuperNet) -> int:
        """Int8 weights in it, K * C * R * S a layer, K * R * S if depthwise; SpaceError for another SuperNet's."""
        self._check(supernet)
        return sum(
            k * (c if layer.groups == 1 else 1) * layer.R * layer.S
            for (k, c), layer in zip(self.slices, supernet.layers, strict=True)
        )

    def _check_peer(self, other: SubGraph) -> None:
        _same_supernet("SubGraph", other.supernet, self.supernet)
        if len(self.slices) != len(other.slices):
            raise SpaceError(f"SubGraph has {len(other.slices)} slices; the other one has {len(self.slices)}")

    def _check(self, supernet: SuperNet) -> None:
        _same_supernet("SubGraph", self.supernet, supernet.name)
        have, need = len(self.slices), len(supernet.layers)
        if have != need:
            raise SpaceError(f"SubGraph has {have} slices; {supernet.name} has {need} layers")
        for (k, c), layer in zip(self.slices, supernet.layers, strict=True):
            if k > layer.K or c > layer.C:
                thing, most = f"SubGraph: slice of layer {layer.name}", (layer.K, layer.C)
                raise SpaceError(f"{thing} is {(k, c)}; {supernet.name} has {most}")
            if layer.groups > 1 and k != c:
                raise SpaceError(f"SubGraph: slice of depthwise layer {layer.name} is {(k, c)}; give K = C")


def _same_supernet(thing: str, have: str, need: str) -> None:
    if have != need:
        raise SpaceError(f"{thing} is of SuperNet {have}; give one of {need}")


def _lookup(table: dict[str, _T], name: str, thing: str) -> _T:
    try:
        return table[name]
    except KeyError:
        near = difflib.get_close_matches(name, table, 1)
        hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(list(table)[:6])}, ..."
        raise SpaceError(f"{thing} {name} does not exist; {hint}") from None
