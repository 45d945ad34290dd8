"""The digital half of a hybrid, as weights that the SGS accelerator holds.

SubNets take the leading channels of their SuperNet's layers. If the digital ones among a layer's input channels come
first, in their old order, then those of *every* SubNet come first too: the digital half of a SubNet's layer is the
leading (K, digital channels) slice of the reordered SuperNet's, so it is a SubGraph. What SubNets share of it is the
elementwise minimum, what any of them needs the maximum, and the Persistent Buffer pins either from query to query.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import AnalogError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.hybrid.partition import Partition
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.pinning.greedy import fit_subgraph
from mapper.search.predict import check_whole, predict_subnet

Channels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DigitalHalf:
    """Which input channels of a SuperNet's layers stay digital, in all its SubNets.

    Parameters
    ----------
    supernet : whose layers they are.
    channels : ascending, by SuperNet layer; layers not named are analog.

    Raises
    ------
    AnalogError
        A layer does not have such a channel.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion = get_space("fashion")
    >>> half = DigitalHalf(fashion, {"s1b1_conv2": (1, 5, 20)})
    >>> half.order("s1b1_conv2")[:6].tolist()
    [1, 5, 20, 0, 2, 3]
    >>> small, large = fashion.subnet("fashion-d111-w222"), fashion.subnet("fashion-d111-w422")     # 12 and 24 channels
    >>> [half.layers(net).layer("s1b1_conv2").C for net in (small, large)]
    [2, 3]
    """

    supernet: SuperNet
    channels: Mapping[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        for name, chosen in self.channels.items():
            most = self.supernet.layer(name).C
            if list(chosen) != sorted(set(chosen)) or (chosen and not 0 <= chosen[0] <= chosen[-1] < most):
                raise AnalogError(
                    f"digital half of {self.supernet.name}: channels of layer {name} are {list(chosen)[:8]}...; give "
                    f"different ones of 0..{most - 1}, ascending"
                )

    @classmethod
    def union(cls, partitions: Iterable[Partition], supernet: SuperNet) -> DigitalHalf:
        """The channels that any of some partitions keeps digital.

        Parameters
        ----------
        partitions : of SubNets.
        supernet : of all of them.

        Raises
        ------
        AnalogError
            A partition is of single weights, which are no SubGraph.
        """
        merged: dict[str, set[int]] = {}
        for partition in partitions:
            if partition.weights:
                raise AnalogError(
                    f"partition of {partition.network} keeps single weights digital; give one of whole channels"
                )
            for name, chosen in partition.channels.items():
                merged.setdefault(name, set()).update(chosen)
        return cls(supernet, {name: tuple(sorted(chosen)) for name, chosen in merged.items()})

    def order(self, name: str) -> Channels:
        """A layer's input channels with the digital ones first: int64 (C,)."""
        first = np.array(self.channels.get(name, ()), np.int64)
        rest = np.setdiff1d(np.arange(self.supernet.layer(name).C), first)
        return np.concatenate([first, rest])

    def reorder(self, weights: Mapping[str, npt.NDArray[np.int8]]) -> dict[str, npt.NDArray[np.int8]]:
        """The SuperNet's (K, C, R, S) weights with input channels in :meth:`order`."""
        return {name: w[:, self.order(name)] for name, w in weights.items()}

    def count(self, layer: Layer) -> int:
        """How many of a SubNet's layer's input channels are digital: those below its C."""
        return bisect_left(self.channels.get(layer.name, ()), layer.C)

    def partition(self, subnet: SubNet, network_hash: str, facts: Mapping[str, Any] | None = None) -> Partition:
        """A SubNet's own partition.

        Parameters
        ----------
        subnet : of the SuperNet.
        network_hash : of the network whose weights were ranked.
        facts : what else the partition says of itself.
        """
        counts = {layer.name: self.count(layer) for layer in subnet.weight_layers}
        chosen = {name: self.channels[name][:n] for name, n in counts.items() if n}
        return Partition(subnet.name, network_hash, chosen, facts=dict(facts or {}))

    def layers(self, subnet: SubNet) -> SubNet:
        """A SubNet's digital halves as layers of their own, (K, digital channels) each; only those that have any."""
        halves = (replace(layer, C=self.count(layer), inputs=(INPUT,)) for layer in self._with_any(subnet))
        return SubNet(f"{subnet.name} digital", subnet.supernet, tuple(halves))

    def _with_any(self, subnet: SubNet) -> list[Layer]:
        return [layer for layer in subnet.weight_layers if self.count(layer)]

    def subgraph(self, subnet: SubNet) -> SubGraph:
        """The digital weights of a SubNet, a SubGraph of the reordered SuperNet."""
        return SubGraph.of(self.layers(subnet), self.supernet)

    def common(self, subnets: Sequence[SubNet]) -> SubGraph:
        """What all of the SubNets use of the digital weights: their intersection."""
        return reduce(SubGraph.__and__, map(self.subgraph, subnets))

    def needed(self, subnets: Sequence[SubNet]) -> SubGraph:
        """What any of the SubNets uses: the least SubGraph that holds all of theirs."""
        slices = np.max([self.subgraph(net).slices for net in subnets], axis=0)
        return SubGraph(self.supernet.name, tuple((int(k), int(c)) for k, c in slices))

    def pin(self, wanted: SubGraph, accelerator: Accelerator) -> PersistentBuffer:
        """A PB with a SubGraph in it or, if that is too much, the slice of it worth most.

        Parameters
        ----------
        wanted : the SubGraph.
        accelerator : with the PB.
        """
        pairs = zip(self.supernet.layers, wanted.slices, strict=True)
        layers = tuple(replace(layer, K=k, C=c, inputs=(INPUT,)) for layer, (k, c) in pairs if k)
        part = fit_subgraph(SubNet("wanted", self.supernet.name, layers), self.supernet, accelerator)
        return PersistentBuffer.of(part, self.supernet, accelerator)

    def price(
        self, subnet: SubNet, accelerator: Accelerator, resident: PersistentBuffer | None = None
    ) -> list[dict[str, Any]]:
        """A row for each digital layer of a SubNet: :data:`mapper.search.predict.COLUMNS`.

        Each is a Program of its own, mapped for latency: as if its sums met those of the crossbars in the output
        buffer, before it requantises them.

        Parameters
        ----------
        subnet : of the SuperNet.
        accelerator : that runs the digital half.
        resident : what its PB holds. None: nothing.

        Raises
        ------
        MappingError
            One of the layers cannot run.
        """
        rows = list(predict_subnet(self.layers(subnet), accelerator, resident))
        check_whole(rows, f"the digital half of SubNet {subnet.name} on {accelerator.name}")
        return rows
