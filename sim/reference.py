"""The integers that a SubNet must give, in NumPy: the definition that Program and RTL are compared with.

Plain layer-by-layer execution on int8 (C, H, W) tensors, with nothing of the machine in it: no tiles, no groups, no
buffers. Sums are taken in float64, exact for integers below 2**53.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from arch_model.layer import INPUT, Kind, Layer
from arch_model.quant import requantize, rounding_shift
from arch_model.weights import AddQuant, ConvQuant, OpQuant, PoolQuant

Tensor = npt.NDArray[np.int8]


def accumulate(x: Tensor, weights: npt.NDArray[np.int8], stride: int, padding: int, z_in: int) -> npt.NDArray[np.int64]:
    """Sums of ``w * (x - z_in)`` over the kernel, int64 (K, P, Q); taps outside ``x`` count as ``z_in``.

    ``x`` int8 (C, H, W), ``weights`` int8 (K, C, R, S).

    >>> x = np.array([[[1, 2], [3, 4]]], np.int8)
    >>> accumulate(x, np.ones((1, 1, 2, 2), np.int8), stride=1, padding=0, z_in=1).tolist()   # 0 + 1 + 2 + 3
    [[[6]]]
    """
    k, c, r, s = weights.shape
    centred = np.pad(x.astype(np.float64) - z_in, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(centred, (r, s), axis=(1, 2))[:, ::stride, ::stride]
    p, q = windows.shape[1:3]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(c * r * s, p * q)
    sums = weights.reshape(k, -1).astype(np.float64) @ columns
    return sums.astype(np.int64).reshape(k, p, q)


def conv(x: Tensor, weights: npt.NDArray[np.int8], layer: Layer, q: ConvQuant) -> Tensor:
    """A conv or linear layer with its requantisation: int8 (K, P, Q)."""
    sums = accumulate(x, weights, layer.stride, layer.padding, q.z_in)
    y = requantize(sums.transpose(1, 2, 0), q.bias, q.multiplier, q.shift, q.z_out, q.lo, q.hi)
    return np.ascontiguousarray(y.transpose(2, 0, 1))


def add(a: Tensor, b: Tensor, q: AddQuant) -> Tensor:
    """``clamp(round(((a - z_a) m_a + (b - z_b) m_b) / 2**shift) + z_out, lo, hi)``, elementwise."""
    total = (a.astype(np.int64) - q.z_a) * q.m_a + (b.astype(np.int64) - q.z_b) * q.m_b
    return np.clip(rounding_shift(total, q.shift) + q.z_out, q.lo, q.hi).astype(np.int8)


def pool(x: Tensor, q: PoolQuant) -> Tensor:
    """Global average: ``clamp(round(sum(x - z_in) m / 2**shift) + z_out, lo, hi)``, int8 (C, 1, 1)."""
    total = (x.astype(np.int64) - q.z_in).sum(axis=(1, 2), keepdims=True) * q.m
    return np.clip(rounding_shift(total, q.shift) + q.z_out, q.lo, q.hi).astype(np.int8)


def run_layers(
    layers: Sequence[Layer],
    weights: Mapping[str, npt.NDArray[np.int8]],
    quant: Mapping[str, OpQuant],
    image: Tensor,
) -> dict[str, Tensor]:
    """Execute layers in topological order (``SubNet.layers``); returns every layer's int8 (C, H, W) output by name.

    ``weights``: the SuperNet's int8 (K, C, R, S) by layer name, of which each layer uses the leading slices. ``image``:
    int8 (C, H, W).
    """
    tensors: dict[str, Tensor] = {INPUT: image}
    for layer in layers:
        inputs = [tensors[name] for name in layer.inputs or (INPUT,)]
        q = quant[layer.name]
        if layer.kind.has_weights:
            used = weights[layer.name][: layer.K, : layer.C]
            tensors[layer.name] = conv(inputs[0], used, layer, cast(ConvQuant, q))
        elif layer.kind is Kind.ADD:
            tensors[layer.name] = add(inputs[0], inputs[1], cast(AddQuant, q))
        elif layer.kind is Kind.POOL:
            tensors[layer.name] = pool(inputs[0], cast(PoolQuant, q))
        else:
            raise ValueError(f"layer {layer.name}: kind {layer.kind} has no reference")
    del tensors[INPUT]
    return tensors
