"""Integers of SubNets that share a SuperNet's weights: drawn from a seed, or those of an imported network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from arch_model.network.layer import INPUT, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import QuantizedSubNet, SuperNetWeights
from mapper.importers.family import IMAGES, join_networks
from mapper.importers.network import Network
from sim.integers.random_integers import random_integers


def random_weights(
    supernet: SuperNet, accuracy: Mapping[str, float], seed: int, subnets: Iterable[SubNet] = ()
) -> SuperNetWeights:
    """Weights for SuperNets that come without any: what :func:`~arch_model.network.weights.load_weights` gives of
    ``fashion``.

    Parameters
    ----------
    supernet : whose weights are drawn, int8 (K, C / groups, R, S) a layer.
    accuracy : top-1 of each SubNet by its name, a fraction, taken as it is.
    seed : of all that is random.
    subnets : SubNets of these names; the SuperNet makes the others from their names.

    Returns
    -------
    SuperNetWeights
        Images, uint8 (16, C, H, W) of the size of the largest SubNet's, and labels are random, too.

    Raises
    ------
    SpaceError
        The SuperNet has no SubNet of one of the names.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion = get_space("fashion")
    >>> drawn = random_weights(fashion, {"fashion-d111-w222": 0.8}, seed=1)
    >>> drawn.layers["stem"].shape, drawn.images.shape
    ((16, 1, 3, 3), (16, 1, 28, 28))
    """
    rng = np.random.default_rng((seed, 1))
    layers = {x.name: rng.integers(-127, 128, (x.K, x.C // x.groups, x.R, x.S), dtype=np.int8) for x in supernet.layers}
    known = {net.name: net for net in subnets}
    nets = {name: known[name] if name in known else supernet.subnet(name) for name in accuracy}
    channels, size = zip(*((x.C, max(x.H, x.W)) for x in map(_reader, nets.values())), strict=True)
    return SuperNetWeights(
        layers=MappingProxyType(layers),
        subnets=MappingProxyType({name: _quantized(net, accuracy[name], seed) for name, net in nets.items()}),
        images=rng.integers(0, 256, (IMAGES, max(channels), max(size), max(size)), dtype=np.uint8),
        labels=rng.integers(0, 10, IMAGES, dtype=np.uint8),
        metadata=MappingProxyType({"made": "drawn", "seed": seed}),
    )


def imported_weights(network: Network, seed: int = 0) -> SuperNetWeights:
    """The integers of an imported network, as those of a SuperNet that has this one SubNet.

    Parameters
    ----------
    network : with the integers of every layer (``network.runnable``).
    seed : of the images, which are random, uint8 (16, C, H, W).

    Returns
    -------
    SuperNetWeights
        Its accuracy is not known, which is written as not a number.

    Raises
    ------
    NetworkError
        Some layer has no integers.
    """
    return join_networks([network]).to_weights(seed)


def _reader(subnet: SubNet) -> Layer:
    return next(layer for layer in subnet.layers if INPUT in layer.inputs)


def _quantized(subnet: SubNet, accuracy: float, seed: int) -> QuantizedSubNet:
    quant = random_integers(subnet, seed).quant
    return QuantizedSubNet(subnet.name, (), (), subnet.macs, accuracy, accuracy, accuracy, quant)
