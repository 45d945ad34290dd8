"""Seeded integers for a whole SubNet: weights, requantisations and an image that keep every tensor spread over int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.quant import encode_pair
from arch_model.network.supernet import SubNet
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from sim.cosim.layer_tables import random_op

Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class RandomIntegers:
    """``quant`` and ``weights`` (int8 (K, C / groups, R, S)) by layer name, ``image`` int8 (C, H, W)."""

    quant: Mapping[str, OpQuant]
    weights: Mapping[str, Int8]
    image: Int8


def random_integers(subnet: SubNet, seed: int) -> RandomIntegers:
    """Integers of every layer; what a tensor's zero-point is when it is made, it is where it is read.

    >>> from arch_model.spaces import get_space
    >>> drawn = random_integers(get_space("fashion").subnet("fashion-d111-w222"), seed=1)
    >>> drawn.quant["s1b1_conv1"].z_in == drawn.quant["stem"].z_out, drawn.image.shape
    (True, (1, 28, 28))
    """
    rng = np.random.default_rng(seed)
    zero, shape = {INPUT: 3}, (0, 0, 0)
    quant: dict[str, OpQuant] = {}
    weights: dict[str, Int8] = {}
    for layer in subnet.layers:
        if INPUT in layer.inputs:
            shape = layer.C, layer.H, layer.W
        quant[layer.name] = op = _op(layer, [zero[name] for name in layer.inputs], rng)
        zero[layer.name] = zero[layer.inputs[0]] if isinstance(op, MaxPoolQuant) else op.z_out
        if layer.kind.has_weights:
            size = layer.K, layer.C // layer.groups, layer.R, layer.S
            weights[layer.name] = rng.integers(-127, 128, size, dtype=np.int8)
    return RandomIntegers(quant, weights, rng.integers(-128, 128, shape, dtype=np.int8))


def _op(layer: Layer, zeros: list[int], rng: np.random.Generator) -> OpQuant:
    low, high = -128, 127
    z_out = int(rng.integers(-20, 21))
    if layer.activation in (Activation.RELU, Activation.RELU6):
        z_out = low = int(rng.integers(-60, -20))  # most of int8 is above it
    if layer.activation is Activation.RELU6:
        high = int(rng.integers(90, 127))
    if layer.kind is Kind.ADD:
        m_a, m_b, shift = encode_pair(float(rng.uniform(0.5, 0.9)), float(rng.uniform(0.5, 0.9)))
        return AddQuant(m_a, m_b, shift, zeros[0], zeros[1], z_out, low, high)
    op = random_op(layer, rng)
    if isinstance(op, ScaleQuant):
        return replace(op, z_x=zeros[0], z_s=zeros[1], z_out=z_out, lo=low, hi=high)
    if isinstance(op, ConvQuant | PoolQuant):
        return replace(op, z_in=zeros[0], z_out=z_out, lo=low, hi=high)
    return MaxPoolQuant()
