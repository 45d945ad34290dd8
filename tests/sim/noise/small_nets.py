"""Small networks for the tests of noise: one layer whose sums can be computed by hand, a residual net of all kinds."""

from __future__ import annotations

import numpy as np

from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.weights import AddQuant, ConvQuant, PoolQuant
from sim.noise.engine.network import Network


def plain(k: int, z_in: int = -128) -> ConvQuant:
    """A requantisation by 1."""
    ones = np.ones(k, np.int32)
    return ConvQuant(ones * 0, ones << 25, ones * 25, z_in, -128, -128, 127)


def dot_product(weights: np.ndarray, copies: int, z_in: int = -128) -> Network:
    """A 1 x 1 convolution of one pixel whose ``copies`` output channels all have the same weights."""
    c = len(weights)
    layer = Layer("dot", Kind.CONV, K=copies, C=c, inputs=(INPUT,))
    w = np.broadcast_to(np.asarray(weights, np.int8)[None, :, None, None], (copies, c, 1, 1)).copy()
    return Network("dot", (layer,), {"dot": w}, {"dot": plain(copies, z_in)})


def residual(seed: int, z: int = -128) -> Network:
    """Conv, a strided block with a 1 x 1 shortcut, pooling and linear; random int8 weights."""
    rng = np.random.default_rng(seed)
    layers = (
        Layer("stem", Kind.CONV, K=6, C=2, R=3, S=3, H=9, W=9, padding=1, inputs=(INPUT,)),
        Layer("a", Kind.CONV, K=5, C=6, R=3, S=3, H=9, W=9, stride=2, padding=1, inputs=("stem",)),
        Layer("down", Kind.CONV, K=5, C=6, H=9, W=9, stride=2, inputs=("stem",)),
        Layer("add", Kind.ADD, K=5, C=5, H=5, W=5, inputs=("a", "down")),
        Layer("pool", Kind.POOL, K=5, C=5, H=5, W=5, inputs=("add",)),
        Layer("linear", Kind.LINEAR, K=4, C=5, inputs=("pool",)),
    )
    weights = {
        layer.name: rng.integers(-128, 128, (layer.K, layer.C, layer.R, layer.S)).astype(np.int8)
        for layer in layers
        if layer.kind.has_weights
    }

    def conv(name: str, z_in: int, z_out: int) -> ConvQuant:
        k, size = len(weights[name]), weights[name][0].size
        bias = rng.integers(-2000, 2000, k).astype(np.int32)
        multiplier = rng.integers(1 << 25, 1 << 26, k).astype(np.int32)
        shift = np.full(k, 25 + int(np.log2(size * 90)), np.int32)
        return ConvQuant(bias, multiplier, shift, z_in, z_out, -128, 127)

    quant = {
        "stem": conv("stem", -128, z),
        "a": conv("a", z, 3),
        "down": conv("down", z, -7),
        "add": AddQuant(9_000_000, 7_000_000, 23, 3, -7, -20, -20, 127),
        "pool": PoolQuant(8_000_000, 27, -20, -128, -128, 127),
        "linear": conv("linear", -128, 5),
    }
    return Network("residual", layers, weights, quant)
