"""SubNets as a machine runs them, with the SuperNet whose weights they share: channels fitted to the machine's words.

Networks with concatenations or slices have channels where the words of a machine cannot put them, so they run with some
channels more, whose weights are zero (:mod:`mapper.workload.views`). The SubNets of one SuperNet read the same weights
in DRAM, so their channels have to be moved alike. :func:`fit_supernet` makes both, and everything that compiles SubNets
calls it: most SubNets need nothing, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import Layer
from arch_model.network.operator_integers import OpQuant
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weights import SuperNetWeights
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.pinning.cached import WORDS, Cached, cached_buffer, read_subgraph
from mapper.search.policy import fit_for
from mapper.workload.views import FittedLayers, Positions, fitted_layers, fitted_numbers, has_views

Moved = tuple[Positions, Positions]
"""Where the filters of a layer and the channels of its input are among those that it has on the machine."""


@dataclass(frozen=True, eq=False)
class FittedSuperNet:
    """A SuperNet and some of its SubNets for one machine.

    Attributes
    ----------
    original : the SuperNet as it was given.
    supernet : the SuperNet whose weights the fitted SubNets share; ``original`` if nothing was moved.
    subnets : the fitted SubNets by name.
    fits : how each was fitted; {} if nothing was moved.
    moved : by layer of the SuperNet with channels that were moved, where they are.
    accelerator : the machine.
    """

    original: SuperNet
    supernet: SuperNet
    subnets: Mapping[str, SubNet]
    accelerator: Accelerator
    fits: Mapping[str, FittedLayers]
    moved: Mapping[str, Moved]

    def quant(self, name: str, quant: Mapping[str, OpQuant]) -> Mapping[str, OpQuant]:
        """The integers of a SubNet's operators for its fitted layers.

        Parameters
        ----------
        name : of the SubNet.
        quant : by operator, as the SubNet had them before.
        """
        return fitted_numbers(self.fits[name], {}, quant)[1] if name in self.fits else quant

    def weights(self, weights: SuperNetWeights) -> SuperNetWeights:
        """Weights of the original SuperNet as those of the fitted one, with the integers of its SubNets."""
        if not self.fits:
            return weights
        layers = dict(weights.layers)
        for name, (rows, columns) in self.moved.items():
            whole, given = self.supernet.layer(name), weights.layers[name]
            layers[name] = made = np.zeros((whole.K, whole.C // whole.groups, *given.shape[2:]), np.int8)
            if whole.groups > 1:
                made[rows] = given[: len(rows)]
            else:
                made[np.ix_(rows, columns)] = given[: len(rows), : len(columns)]
        subnets = {
            name: replace(one, ops=self.quant(name, one.ops))
            for name, one in weights.subnets.items()
            if name in self.subnets
        }
        return replace(weights, layers=layers, subnets=subnets)

    def subgraph(self, subgraph: SubGraph) -> SubGraph:
        """The same weights as a SubGraph of the fitted SuperNet, with the channels of zeros between them."""
        if not self.moved:
            return subgraph
        slices = []
        for layer, (k, c) in zip(self.original.layers, subgraph.slices, strict=True):
            if layer.name in self.moved and k and c:
                rows, columns = self.moved[layer.name]
                k, c = (int(where[min(n, len(where)) - 1]) + 1 for where, n in ((rows, k), (columns, c)))
            slices.append((k, c))
        return SubGraph(subgraph.supernet, tuple(slices))

    def resident(self, cached: Cached, name: str) -> PersistentBuffer:
        """The Persistent Buffer with what is cached in it.

        Parameters
        ----------
        cached : a word, a SubGraph of the original SuperNet, or a file with one, as
            :func:`mapper.pinning.cached.cached_buffer` takes it.
        name : of the SubNet that will run.

        Raises
        ------
        MappingError
            A SubGraph does not fit the PB.
        SpaceError
            A file holds no SubGraph of the original SuperNet.
        """
        if isinstance(cached, str | Path) and str(cached) not in WORDS:
            cached = read_subgraph(cached, self.original)
        if isinstance(cached, SubGraph):
            cached = self.subgraph(cached)
        return cached_buffer(cached, self.subnets[name], self.supernet, self.accelerator)


def fit_supernet(supernet: SuperNet, subnets: Iterable[SubNet], accelerator: Accelerator) -> FittedSuperNet:
    """Fit SubNets to a machine, and the SuperNet whose weights they share.

    Of several SubNets channels are fitted to the machine's words; a single one gets room for its activation tables,
    too, if it could not run otherwise (:func:`mapper.search.policy.fit_for`).

    Parameters
    ----------
    supernet : that they are of.
    subnets : at least one; names differ.
    accelerator : the machine.

    Returns
    -------
    FittedSuperNet
        With the SuperNet and the SubNets as they are, if none of them needs anything.

    Raises
    ------
    MappingError
        Two operands whose channels cannot lie alike, or SubNets that want the channels of a layer which they share at
        different places.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> a, b = (Layer(name, Kind.CONV, 4, 3, inputs=("input",)) for name in "ab")
    >>> both = Layer("both", Kind.CONCAT, 8, 8, inputs=("a", "b"))
    >>> net = SubNet("net", "net", (a, b, both, Layer("last", Kind.CONV, 5, 8, inputs=("both",))))
    >>> tiny = Accelerator.load("tiny")
    >>> fitted = fit_supernet(fixed_supernet([net]), [net], tiny)
    >>> tiny.cp, fitted.supernet.layer("last").C, fitted.moved["last"][1].tolist()
    (3, 10, [0, 1, 2, 3, 6, 7, 8, 9])
    """
    nets = list(subnets)
    fits = {}
    for net in nets:
        if len(nets) == 1:
            fit = fit_for(net, accelerator)
        elif has_views(net.layers):
            fit = fitted_layers(net.layers, accelerator.cp)
        else:
            continue
        if fit.layers != net.layers:
            fits[net.name] = fit
    if not fits:
        return FittedSuperNet(supernet, supernet, {net.name: net for net in nets}, accelerator, {}, {})
    moved, layers = _shared(supernet, nets, fits, accelerator)
    fitted = [replace(net, layers=fits[net.name].layers) if net.name in fits else net for net in nets]
    whole = fixed_supernet(fitted, layers, supernet.name)
    return FittedSuperNet(supernet, whole, {net.name: net for net in fitted}, accelerator, fits, moved)


def _shared(
    supernet: SuperNet, subnets: Sequence[SubNet], fits: Mapping[str, FittedLayers], accelerator: Accelerator
) -> tuple[dict[str, Moved], list[Layer]]:
    """Where the channels of the SuperNet's layers are for all SubNets, and these layers."""
    wanted: dict[str, list[tuple[SubNet, Layer, Moved]]] = {}
    for net in subnets:
        fit = fits.get(net.name)
        made = {layer.name: layer for layer in (fit.layers if fit else net.layers)}
        for layer in net.weight_layers:
            source = layer.inputs[0]
            inside = fit is not None and source in fit.positions
            columns = fit.positions[source] if fit and inside else np.arange(layer.C)
            rows = fit.positions[layer.name] if fit else np.arange(layer.K)
            wanted.setdefault(layer.name, []).append((net, made[layer.name], (rows, columns)))
    moved, layers = {}, []
    for whole in supernet.layers:
        if whole.name not in wanted:
            layers.append(whole)
            continue
        uses = wanted[whole.name]
        rows, columns = (max((where[axis] for _, _, where in uses), key=len) for axis in (0, 1))
        for net, layer, own in uses:
            for axis, (size, all_of_them) in enumerate(((layer.K, rows), (layer.C, columns))):
                if not _leads(own[axis], size, all_of_them):
                    first = next(one.name for one, _, where in uses if where[axis] is all_of_them)
                    raise MappingError(
                        f"layer {whole.name}: on {accelerator.name}, whose words have {accelerator.cp} channels, "
                        f"SubNets {first} and {net.name} want its channels at different places; compile them one by one"
                    )
        k, c = max(layer.K for _, layer, _ in uses), max(layer.C for _, layer, _ in uses)
        layers.append(replace(whole, K=k, C=c, groups=k if whole.groups > 1 else 1))
        moved[whole.name] = rows, columns
    return moved, layers


def _leads(own: Positions, size: int, whole: Positions) -> bool:
    """Whether a SubNet's channels are the first of the SuperNet's, and those between them are zeros in both."""
    return np.array_equal(own, whole[whole < size])
