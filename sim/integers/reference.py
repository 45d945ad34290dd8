"""The integers that a SubNet must give, in NumPy: the definition that Program and RTL are compared with.

Plain layer-by-layer execution on int8 (C, H, W) tensors, with nothing of the machine in it: no tiles, no groups, no
buffers. Sums are taken in float64, exact for integers below 2**53.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from arch_model.network.concat import concat_starts
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.quant import requantize, rounding_shift
from arch_model.network.weight_slices import used_weights
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant

Tensor = npt.NDArray[np.int8]


def accumulate(x: Tensor, weights: npt.NDArray[np.int8], stride: int, padding: int, z_in: int) -> npt.NDArray[np.int64]:
    """Sums of ``w * (x - z_in)`` over the kernel; taps outside ``x`` count as ``z_in``.

    Parameters
    ----------
    x : int8 (C, H, W).
    weights : int8 (K, C, R, S).
    stride, padding : pixels.
    z_in : zero point of ``x``.

    Returns
    -------
    int64 array
        (K, P, Q).

    Examples
    --------
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
    """A conv (of any number of groups) or linear layer with its requantisation.

    Parameters
    ----------
    x : int8 (C, H, W).
    weights : int8 (K, C / groups, R, S).
    layer : its shapes.
    q : its integers.

    Returns
    -------
    int8 array
        (K, P, Q).
    """
    depth, filters = layer.C // layer.groups, layer.K // layer.groups
    sums = np.concatenate(
        [
            accumulate(
                x[g * depth : (g + 1) * depth],
                weights[g * filters : (g + 1) * filters],
                layer.stride,
                layer.padding,
                q.z_in,
            )
            for g in range(layer.groups)
        ]
    )
    y = requantize(sums.transpose(1, 2, 0), q.bias, q.multiplier, q.shift, q.z_out, q.lo, q.hi)
    if q.table is not None:
        y = q.table[y.astype(np.int64) + 128]
    return np.ascontiguousarray(y.transpose(2, 0, 1))


def add(a: Tensor, b: Tensor, q: AddQuant) -> Tensor:
    """``clamp(round(((a - z_a) m_a + (b - z_b) m_b) / 2**shift) + z_out, lo, hi)``, elementwise.

    Parameters
    ----------
    a, b : int8 of one shape.
    q : the add's integers.

    Returns
    -------
    int8 array
        Of the same shape.
    """
    total = (a.astype(np.int64) - q.z_a) * q.m_a + (b.astype(np.int64) - q.z_b) * q.m_b
    return np.clip(rounding_shift(total, q.shift) + q.z_out, q.lo, q.hi).astype(np.int8)


def windows(x: Tensor, layer: Layer) -> npt.NDArray[np.float64]:
    """The windows of a pool, NaN outside the tensor; with ``ceil_mode`` the last may overhang.

    Parameters
    ----------
    x : int8 (C, H, W).
    layer : the pool's shapes.

    Returns
    -------
    float64 array
        (C, P, Q, R, S).
    """
    below = (layer.P - 1) * layer.stride + layer.R - layer.H - layer.padding
    right = (layer.Q - 1) * layer.stride + layer.S - layer.W - layer.padding
    sides = ((0, 0), (layer.padding, max(below, 0)), (layer.padding, max(right, 0)))
    padded = np.pad(x.astype(np.float64), sides, constant_values=np.nan)
    every = np.lib.stride_tricks.sliding_window_view(padded, (layer.R, layer.S), axis=(1, 2))
    chosen: npt.NDArray[np.float64] = every[:, :: layer.stride, :: layer.stride][:, : layer.P, : layer.Q]
    return chosen


def max_pool(x: Tensor, layer: Layer, q: MaxPoolQuant) -> Tensor:
    """``clamp(max(x), lo, hi)`` over each window's pixels inside the tensor.

    Parameters
    ----------
    x : int8 (C, H, W).
    layer : the pool's shapes.
    q : its bounds.

    Returns
    -------
    int8 array
        (C, P, Q).
    """
    y: Tensor = np.clip(np.nanmax(windows(x, layer), axis=(3, 4)), q.lo, q.hi).astype(np.int8)
    return y


def average_pool(x: Tensor, layer: Layer, q: PoolQuant) -> Tensor:
    """``clamp(round(sum(x - z_in) m / 2**shift) + z_out, lo, hi)`` over each window.

    Taps outside ``x`` are left out; for the n that are inside, m and shift are ``q.divided_by(n, R * S)``.

    Parameters
    ----------
    x : int8 (C, H, W).
    layer : the pool's shapes.
    q : its integers.

    Returns
    -------
    int8 array
        (C, P, Q).
    """
    values = windows(x, layer)
    inside = (~np.isnan(values)).sum(axis=(3, 4))
    total = np.nansum(values - q.z_in, axis=(3, 4)).astype(np.int64)
    divided = {n: q.divided_by(int(n), layer.R * layer.S) for n in np.unique(inside)}
    m, shift = (np.vectorize(lambda n, i=i: divided[n][i])(inside) for i in range(2))
    return np.clip(rounding_shift(total * m, shift) + q.z_out, q.lo, q.hi).astype(np.int8)


def product(x: Tensor, factors: Tensor, q: ScaleQuant) -> Tensor:
    """A tensor times each channel's factor, or times another tensor. See :class:`ScaleQuant`.

    Parameters
    ----------
    x : int8 (C, H, W).
    factors : int8 (C, 1, 1) or (C, H, W).
    q : the product's integers.

    Returns
    -------
    int8 array
        (C, H, W).
    """
    f = np.clip(rounding_shift((factors.astype(np.int64) - q.z_s) * q.m_f, q.shift_f), -128, 127)
    y = rounding_shift(f * (x.astype(np.int64) - q.z_x), q.shift) + q.z_out
    return np.clip(y, q.lo, q.hi).astype(np.int8)


def pool(x: Tensor, q: PoolQuant) -> Tensor:
    """Global average: ``clamp(round(sum(x - z_in) m / 2**shift) + z_out, lo, hi)``.

    Parameters
    ----------
    x : int8 (C, H, W).
    q : its integers.

    Returns
    -------
    int8 array
        (C, 1, 1).
    """
    total = (x.astype(np.int64) - q.z_in).sum(axis=(1, 2), keepdims=True) * q.m
    return np.clip(rounding_shift(total, q.shift) + q.z_out, q.lo, q.hi).astype(np.int8)


def view(tensors: Sequence[Tensor], layer: Layer) -> Tensor:
    """A concatenation, with 0 in channels between two of its inputs, or a slice.

    Parameters
    ----------
    tensors : its inputs, int8 (C, H, W) each.
    layer : the concatenation or the slice.

    Returns
    -------
    int8 array
        (K, P, Q).
    """
    if layer.kind is Kind.SLICE:
        return tensors[0][layer.first : layer.first + layer.K]
    made = np.zeros((layer.K, layer.P, layer.Q), np.int8)
    for tensor, start in zip(tensors, concat_starts([len(own) for own in tensors], layer.align), strict=False):
        made[start : start + len(tensor)] = tensor
    return made


def run_layers(
    layers: Sequence[Layer],
    weights: Mapping[str, npt.NDArray[np.int8]],
    quant: Mapping[str, OpQuant],
    image: Tensor,
) -> dict[str, Tensor]:
    """Execute layers in topological order (``SubNet.layers``).

    Parameters
    ----------
    layers : each behind those that it reads.
    weights : the SuperNet's int8 (K, C / groups, R, S) by layer name, of which each layer uses the leading slices and
        the middle of the kernel.
    quant : integers by layer name.
    image : int8 (C, H, W).

    Returns
    -------
    dict
        Every layer's int8 (C, H, W) output by name.
    """
    tensors: dict[str, Tensor] = {INPUT: image}
    for layer in layers:
        inputs = [tensors[name] for name in layer.inputs or (INPUT,)]
        if layer.kind.is_view:
            tensors[layer.name] = view(inputs, layer)
            continue
        q = quant[layer.name]
        if layer.kind.has_weights:
            used = used_weights(layer, weights[layer.name])
            tensors[layer.name] = conv(inputs[0], used, layer, cast(ConvQuant, q))
        elif layer.kind is Kind.ADD:
            tensors[layer.name] = add(inputs[0], inputs[1], cast(AddQuant, q))
        elif layer.kind is Kind.POOL:
            tensors[layer.name] = pool(inputs[0], cast(PoolQuant, q))
        elif layer.kind is Kind.MAXPOOL:
            tensors[layer.name] = max_pool(inputs[0], layer, cast(MaxPoolQuant, q))
        elif layer.kind is Kind.AVGPOOL:
            tensors[layer.name] = average_pool(inputs[0], layer, cast(PoolQuant, q))
        else:
            tensors[layer.name] = product(inputs[0], inputs[1], cast(ScaleQuant, q))
    del tensors[INPUT]
    return tensors
