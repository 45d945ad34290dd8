"""Seeded integers for a whole SubNet: weights, requantisations and an image that keep every tensor spread over int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.quant import encode_multiplier, encode_pair
from arch_model.network.supernet import SubNet
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant

Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class RandomIntegers:
    """``quant`` and ``weights`` (int8 (K, C / groups, R, S)) by layer name, ``image`` int8 (C, H, W).

    Attributes
    ----------
    quant : of the requantisation, by layer.
    weights : int8 (K, C / groups, R, S) by layer.
    image : int8 (C, H, W).
    """

    quant: Mapping[str, OpQuant]
    weights: Mapping[str, Int8]
    image: Int8


def random_integers(subnet: SubNet, seed: int) -> RandomIntegers:
    """Integers of every layer; what a tensor's zero-point is when it is made, it is where it is read.

    Parameters
    ----------
    subnet : whose layers they are.
    seed : of the draws.

    Examples
    --------
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
        if layer.kind.is_view:
            zero[layer.name] = zero[layer.inputs[0]]
            continue
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


def random_quant(layer: Layer, rng: np.random.Generator) -> ConvQuant:
    """Integers of a requantisation that spreads a layer's outputs over int8, for random operands.

    The sum of n products of uniform int8 values has a standard deviation of about 74**2 * sqrt(n). Where an activation
    wants a table it is a random one.

    Parameters
    ----------
    layer : with weights.
    rng : draws them.
    """
    deviation = 74.0**2 * np.sqrt(layer.C // layer.groups * layer.R * layer.S)
    shift = int(np.ceil(np.log2(deviation / 40.0))) + 25  # multipliers lie in [2**25, 2**26)
    return ConvQuant(
        bias=rng.integers(-int(deviation), int(deviation) + 1, layer.K).astype(np.int32),
        multiplier=rng.integers(1 << 25, 1 << 26, layer.K).astype(np.int32),
        shift=np.full(layer.K, shift, np.int32),
        z_in=int(rng.integers(-20, 21)),
        z_out=int(rng.integers(-20, 21)),
        lo=-128,
        hi=127,
        table=None if layer.activation.is_clamp else rng.integers(-128, 128, 256, dtype=np.int8),
    )


def random_op(layer: Layer, rng: np.random.Generator) -> OpQuant:
    """Integers of any layer but an ADD that spread its outputs over int8, for random operands.

    Parameters
    ----------
    layer : any but an ADD.
    rng : draws them.
    """
    if layer.kind.has_weights:
        return random_quant(layer, rng)
    z_in, z_out = (int(z) for z in rng.integers(-20, 21, 2))
    if layer.kind is Kind.MAXPOOL:
        return MaxPoolQuant(int(rng.integers(-128, -100)), int(rng.integers(100, 128)))
    if layer.kind.is_product:
        (m_f,), (shift_f,) = encode_multiplier([float(rng.uniform(0.5, 1.5))])
        return ScaleQuant(0, int(m_f), int(shift_f), z_in, 6, z_out, -128, 127)
    pixels = layer.H * layer.W if layer.kind is Kind.POOL else layer.R * layer.S
    m, _, shift = encode_pair(0.7 / float(np.sqrt(pixels)), 0.0)
    return PoolQuant(m, shift, z_in, z_out, -128, 127)
