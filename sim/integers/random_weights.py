"""Seeded int8 weights of a whole SuperNet, and integers of SubNets that share them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from arch_model.network.layer import INPUT, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import QuantizedSubNet, SuperNetWeights
from sim.integers.random_integers import random_integers

IMAGES = 16


def random_weights(supernet: SuperNet, accuracy: Mapping[str, float], seed: int) -> SuperNetWeights:
    """Weights for published networks that come without any: what :func:`~arch_model.network.weights.load_weights` gives
    of ``fashion``.

    ``accuracy``: top-1 of each SubNet by its name, a fraction, taken as it is. Images, of the size of the largest,
    and labels are random, too.

    >>> from arch_model.spaces import get_space
    >>> fashion = get_space("fashion")
    >>> drawn = random_weights(fashion, {"fashion-d111-w222": 0.8}, seed=1)
    >>> drawn.layers["stem"].shape, drawn.images.shape
    ((16, 1, 3, 3), (16, 1, 28, 28))
    """
    rng = np.random.default_rng((seed, 1))
    layers = {x.name: rng.integers(-127, 128, (x.K, x.C // x.groups, x.R, x.S), dtype=np.int8) for x in supernet.layers}
    nets = {name: supernet.subnet(name) for name in accuracy}
    channels, size = zip(*((x.C, max(x.H, x.W)) for x in map(_reader, nets.values())), strict=True)
    return SuperNetWeights(
        layers=MappingProxyType(layers),
        subnets=MappingProxyType({name: _quantized(net, accuracy[name], seed) for name, net in nets.items()}),
        images=rng.integers(0, 256, (IMAGES, max(channels), max(size), max(size)), dtype=np.uint8),
        labels=rng.integers(0, 10, IMAGES, dtype=np.uint8),
        metadata=MappingProxyType({"made": "drawn", "seed": seed}),
    )


def _reader(subnet: SubNet) -> Layer:
    return next(layer for layer in subnet.layers if INPUT in layer.inputs)


def _quantized(subnet: SubNet, accuracy: float, seed: int) -> QuantizedSubNet:
    quant = random_integers(subnet, seed).quant
    return QuantizedSubNet(subnet.name, (), (), subnet.macs, accuracy, accuracy, accuracy, quant)
