"""Small random networks with random weights and quantisation, for tests that run them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from arch_model.errors import SpaceError
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import AddQuant, PoolQuant
from sim.integers.random_integers import random_quant


def random_residual_net(rng: np.random.Generator):
    """(SuperNet, SubNet, int8 weights, quantisation): a stem, two residual blocks, a pool and a linear layer.

    The SubNet takes leading slices of the SuperNet's weights, which are up to three channels wider.
    """
    size, stem = int(rng.integers(5, 12)), int(rng.integers(2, 12))
    layers = [Layer("stem", Kind.CONV, stem, 1, 3, 3, size, size, padding=1, inputs=(INPUT,))]
    width, source = stem, "stem"
    for block in range(2):
        k, stride = int(rng.integers(2, 20)), int(rng.integers(1, 3))
        shape = {"H": size, "W": size, "stride": stride}
        conv1 = Layer(f"b{block}_conv1", Kind.CONV, k, width, 3, 3, **shape, padding=1, inputs=(source,))
        down = Layer(f"b{block}_down", Kind.CONV, k, width, **shape, inputs=(source,))
        size = conv1.P
        conv2 = Layer(f"b{block}_conv2", Kind.CONV, k, k, 3, 3, size, size, padding=1, inputs=(conv1.name,))
        add = Layer(f"b{block}_add", Kind.ADD, k, k, H=size, W=size, inputs=(conv2.name, down.name))
        layers += [conv1, down, conv2, add]
        width, source = k, add.name
    layers.append(Layer("pool", Kind.POOL, width, width, H=size, W=size, inputs=(source,)))
    layers.append(Layer("linear", Kind.LINEAR, int(rng.integers(2, 15)), width, inputs=("pool",)))

    subnet = SubNet("random", "random", tuple(layers))
    whole = [
        replace(layer, K=layer.K + int(rng.integers(4)), C=layer.C + int(rng.integers(4)), inputs=())
        for layer in subnet.weight_layers
    ]

    def parse(name: str) -> dict[str, object]:
        if name != "random":
            raise SpaceError(f"SubNet {name}; give random")
        return {}

    supernet = SuperNet("random", tuple(whole), lambda: subnet, parse, ("random",))
    weights = {a.name: rng.integers(-127, 128, (a.K, a.C, a.R, a.S), dtype=np.int8) for a in whole}
    zero, quant = {INPUT: int(rng.integers(-128, 100))}, {}
    for layer in layers:
        z_in, z_out = [zero[name] for name in layer.inputs], int(rng.integers(-60, 60))
        if layer.kind.has_weights:
            made = random_quant(layer, rng)
            quant[layer.name] = type(made)(made.bias, made.multiplier, made.shift, z_in[0], z_out, z_out, 127)
        elif layer.kind is Kind.ADD:
            m_a, m_b = (int(m) for m in rng.integers(1 << 22, 1 << 24, 2))
            quant[layer.name] = AddQuant(m_a, m_b, 24, *z_in, z_out, z_out, 120)
        else:
            quant[layer.name] = PoolQuant((1 << 24) // (layer.H * layer.W) - 1, 24, *z_in, z_out, -128, 127)
        zero[layer.name] = z_out
    return supernet, subnet, weights, quant
