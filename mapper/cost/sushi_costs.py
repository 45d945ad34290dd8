"""Cycles of many SubNets for many cached SubGraphs: each different (layer, cached part of it) is worked out once.

A SubNet's layer meets a SubGraph in whole tiles of its own, so few of the layers times SubGraphs differ. They
are numbered as they turn up; what is left of a table entry is looking numbers up and a chain of maxima
(``mapper/cost/layer_overlap.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.cost.layer_batch import CutLayer, LayerBatch
from mapper.cost.layer_overlap import Joints, Link, chain_cycles, pool_cycles, start_cycles
from mapper.cost.lone_costs import alone, chained_cycles
from mapper.layout.tensors import slice_grid, tile_grid, window_offsets
from mapper.lowering.quick_choice import choose_each
from mapper.workload.depthwise import is_channelwise
from mapper.workload.fusion import steps

Ints = npt.NDArray[np.int64]

BESIDE = (Kind.MAXPOOL, Kind.AVGPOOL)
"""Kinds of layer that are no part of the chain: each costs what it does as a Program of its own."""

_Shape = tuple[int, ...]
"""A layer by all that costs: K, C, R, S, H, W, stride, padding, and whether an add follows."""


def beside_cycles(subnet: SubNet, accelerator: Accelerator) -> int:
    """Cycles of a SubNet's layers of :data:`BESIDE`, whatever the PB holds.

    >>> from arch_model.spaces import get_space
    >>> net = get_space("ofa-resnet50").subnet("resnet50D_MAC@0.6B")
    >>> 0 < beside_cycles(net, Accelerator.load("zcu104")) < 200_000
    True
    """
    return alone(subnet, accelerator, BESIDE)[0]


@dataclass(frozen=True)
class Route:
    """A SubNet as the machine runs it: its weight layers in order, each with whether an add follows, and their
    links.
    """

    layers: tuple[tuple[Layer, bool], ...]
    links: tuple[Link, ...]
    after: int

    @classmethod
    def of(cls, subnet: SubNet, accelerator: Accelerator, free: bool = False) -> Route:
        """The route of a SubNet without the layers of :data:`BESIDE`: what reads one reads its input's place.

        Other channelwise layers and global pools stand between dense ones, as so many cycles in which nothing else
        happens (:func:`mapper.cost.lone_costs.chained_cycles`; with ``free`` none, of channelwise layers); activation
        tables cost nothing. Raises :class:`MappingError` for a channelwise layer that no dense one comes before.
        """
        source = {layer.name: layer.inputs[0] for layer in subnet.layers if layer.kind in BESIDE}
        order = steps([layer for layer in subnet.layers if layer.name not in source])
        between: dict[str, tuple[str, int]] = {}  # by what it writes: the dense layer that it begins from, and cycles
        layers: list[tuple[Layer, bool]] = []
        links, written = [], ""
        for step in order:
            read = source.get(step.source, step.source)
            read, cycles = between.get(read, (read, 0))
            if step.layer.kind is Kind.POOL:
                between[step.output] = read, cycles + pool_cycles(step.layer, accelerator)
            elif is_channelwise(step.layer):
                if not layers:
                    what = f"groups is {step.layer.groups}" if step.layer.groups > 1 else f"kind is {step.layer.kind}"
                    first = "costs of chained layers begin with a dense one"
                    raise MappingError(f"layer {step.layer.name}: {what}; {first}")
                between[step.output] = read, cycles + (0 if free else chained_cycles(step.layer, accelerator))
            else:
                layers.append((step.layer, step.add is not None))
                links.append(Link(read == written, cycles if read == written else 0))
                written = step.output
        last = order[-1].output
        return cls(tuple(layers), tuple(links), between[last][1] if last in between else 0)


class SubNetCosts:
    """Cycles of whole SubNets on one machine, for each of some SubGraphs in its PB; ``free``: channelwise layers take
    none.

    Raises :class:`MappingError` for a SubGraph that does not fit the PB.

    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> costs = SubNetCosts(fashion, [SubGraph.empty(fashion)], tiny)
    >>> costs.cycles([fashion.subnet("fashion-d111-w222")]).shape
    (1, 1)
    """

    def __init__(
        self, supernet: SuperNet, subgraphs: Sequence[SubGraph], accelerator: Accelerator, free: bool = False
    ) -> None:
        self._set(supernet, _cached_tiles(supernet, subgraphs, accelerator), accelerator, free)

    @classmethod
    def of_tiles(cls, supernet: SuperNet, cached: Ints, accelerator: Accelerator) -> SubNetCosts:
        """The costs for (K-tiles, C-tiles) of each SuperNet layer, int64 (columns, layers, 2), even if they do not
        fit the PB.
        """
        made = cls.__new__(cls)
        made._set(supernet, cached, accelerator)
        return made

    def _set(self, supernet: SuperNet, cached: Ints, accelerator: Accelerator, free: bool = False) -> None:
        self.free = free
        self.supernet, self.accelerator, self.count, self.cached = supernet, accelerator, len(cached), cached
        self._joints: list[Joints] = []
        self._layers: dict[_Shape, Layer] = {}  # one of each shape
        self._numbers: dict[tuple[_Shape, int, int], int] = {}
        self._starts: dict[tuple[_Shape, int, int], int] = {}
        self._found: dict[tuple[int, _Shape], Ints] = {}  # by SuperNet layer and shape: its numbers, (SubGraphs,)

    @property
    def different(self) -> int:
        """How many different layers, each with the cached part of it, have turned up."""
        return len(self._numbers)

    def cycles(self, subnets: Iterable[SubNet]) -> Ints:
        """int64 (SubNets, SubGraphs): what :meth:`layer_cycles` adds up to, and the layers of :data:`BESIDE`."""
        nets = tuple(subnets)
        beside = [0 if self.free else beside_cycles(net, self.accelerator) for net in nets]
        rows = [layers.sum(axis=0) + more for layers, more in zip(self.layer_cycles(nets), beside, strict=True)]
        return np.array(rows, np.int64).reshape(len(rows), self.count)

    def layer_cycles(self, subnets: Iterable[SubNet]) -> list[Ints]:
        """For each SubNet what each of its weight layers adds, int64 (layers, SubGraphs)."""
        routes = [Route.of(subnet, self.accelerator, self.free) for subnet in subnets]
        numbers = self.numbers(routes)
        return [
            chain_cycles(self.joints, start, layers, route.links, route.after)
            for route, (layers, start) in zip(routes, numbers, strict=True)
        ]

    def numbers(self, routes: Iterable[Route]) -> list[tuple[list[Ints], Ints]]:
        """For each route its layers as indices in :attr:`joints`, (columns,) each, and its first layer's
        :func:`~mapper.cost.layer_overlap.start_cycles`.
        """
        uses_of = [[self._use(layer, add) for layer, add in route.layers] for route in routes]
        self._work_out([use for use in {use: None for uses in uses_of for use in uses} if use not in self._found])
        self._work_out_starts({uses[0]: None for uses in uses_of})
        return [
            ([self._found[use] for use in uses], np.array([self._starts[key] for key in self._keys(uses[0])], np.int64))
            for uses in uses_of
        ]

    def _use(self, layer: Layer, add: bool) -> tuple[int, _Shape]:
        self._check_kernel(layer)
        x = layer
        shape = (x.K, x.C, x.R, x.S, x.H, x.W, x.stride, x.padding, int(add))
        self._layers.setdefault(shape, layer)
        return self.supernet.index(layer.name), shape

    def _check_kernel(self, layer: Layer) -> None:
        whole = self.supernet.layer(layer.name)
        if (layer.R, layer.S) != (whole.R, whole.S):
            raise MappingError(
                f"layer {layer.name}: its kernel is {layer.R}x{layer.S}; the mapper takes the SuperNet's, "
                f"{whole.R}x{whole.S}"
            )

    def _hits(self, use: tuple[int, _Shape]) -> Ints:
        """(K-tiles, C-tiles) of a layer that each SubGraph holds, (SubGraphs, 2)."""
        index, shape = use
        grid = tile_grid(self._layers[shape], self.accelerator)
        return np.minimum(self.cached[:, index], (grid.kt, grid.ct))

    def _keys(self, use: tuple[int, _Shape]) -> list[tuple[_Shape, int, int]]:
        return [(use[1], kt, ct) for kt, ct in self._hits(use).tolist()]

    def _work_out(self, uses: Sequence[tuple[int, _Shape]]) -> None:
        """Number the layers that are new, and get their joints."""
        new: dict[_Shape, dict[tuple[int, int], None]] = {}
        places = []
        for use in uses:
            kt, ct = self._hits(use).T
            different, place = np.unique(kt << 16 | ct, return_inverse=True)
            hits = [divmod(code, 1 << 16) for code in different.tolist()]
            for hit in hits:
                if (use[1], *hit) not in self._numbers:
                    new.setdefault(use[1], {})[hit] = None
            places.append((use, hits, place))
        cuts = []
        for shape, hits_of in new.items():
            for hit in hits_of:
                self._numbers[shape, *hit] = len(self._numbers)
            cuts += self._cut(shape, list(hits_of))
        if cuts:
            self._joints.append(Joints.of(LayerBatch.of(cuts, [self.accelerator])))
        for use, hits, place in places:
            self._found[use] = np.array([self._numbers[use[1], *hit] for hit in hits], np.int64)[place]

    def _work_out_starts(self, uses: Mapping[tuple[int, _Shape], None]) -> None:
        keys = {key: None for use in uses for key in self._keys(use) if key not in self._starts}
        if keys:
            cuts = [cut for shape, kt, ct in keys for cut in self._cut(shape, [(kt, ct)])]
            starts = start_cycles(LayerBatch.of(cuts, [self.accelerator]))
            self._starts.update(zip(keys, starts.tolist(), strict=True))

    def _cut(self, shape: _Shape, hits: Sequence[tuple[int, int]]) -> list[CutLayer]:
        layer, add = self._layers[shape], bool(shape[-1])
        grid = tile_grid(layer, self.accelerator)
        streamed = [grid.tiles - kt * ct * grid.windows for kt, ct in hits]
        tilings = choose_each(layer, self.accelerator, streamed, add)
        return [CutLayer(layer, tiling, hit, add) for tiling, hit in zip(tilings, hits, strict=True)]

    @property
    def joints(self) -> Joints:
        """Those of all layers worked out so far."""
        if len(self._joints) > 1:
            self._joints = [Joints.join(self._joints)]
        return self._joints[0]


def _cached_tiles(supernet: SuperNet, subgraphs: Sequence[SubGraph], accelerator: Accelerator) -> Ints:
    """(K-tiles, C-tiles) of each SuperNet layer in each SubGraph, (SubGraphs, layers, 2)."""
    cached, windows = np.zeros((len(subgraphs), len(supernet.layers), 2), np.int64), []
    for index, layer in enumerate(supernet.layers):
        grids = {k_c: slice_grid(layer, *k_c, accelerator) for k_c in {graph.slices[index] for graph in subgraphs}}
        cached[:, index] = [(grids[graph.slices[index]].kt, grids[graph.slices[index]].ct) for graph in subgraphs]
        windows.append(len(window_offsets(layer)))
    slots = (cached.prod(axis=2) * windows).sum(axis=1)
    for number, tiles in enumerate(slots.tolist()):
        if tiles > accelerator.pb_tiles:
            raise MappingError(
                f"SubGraph {number} of {supernet.name}: its {tiles} weight tiles need "
                f"{tiles * accelerator.tile_bytes_raw} bytes of the PB; {accelerator.name} has "
                f"{accelerator.buffers.pb_bytes}"
            )
    return cached
