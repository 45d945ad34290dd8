"""The integers of a SubNet on many images at once: what :mod:`sim.integers.reference` computes for one.

Sums are matrix products of floats that cannot round: float32 holds every integer up to 2**24, float64 up to 2**53, and
no partial sum of a layer is greater than its weights and its zero point allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.quant import rounding_shift
from arch_model.network.weight_slices import used_weights
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from sim.integers.reference import view

Tensor = npt.NDArray[np.int8]
Real = npt.NDArray[Any]

Convolve = Callable[[Real, Real, Layer], Real]
"""``convolve(x, weights, layer)``: the sums, (N, K, P, Q), of x (N, C, H, W), outside of which is 0, and weights
(K, C / groups, R, S), both float32 or both float64."""


def run_batch(
    layers: Sequence[Layer],
    weights: Mapping[str, npt.NDArray[np.int8]],
    quant: Mapping[str, OpQuant],
    images: Tensor,
    convolve: Convolve | None = None,
) -> Tensor:
    """What the last layer makes of images.

    Parameters
    ----------
    layers, weights, quant : as of :func:`sim.integers.reference.run_layers`.
    images : int8 (N, C, H, W).
    convolve : exact sums of whole numbers by another library. None: NumPy's.

    Returns
    -------
    array
        int8 (N, K, P, Q), for each image what ``run_layers`` gives.

    Examples
    --------
    >>> layer = Layer("a", Kind.POOL, 1, 1, H=2, W=2, inputs=(INPUT,))
    >>> halved = {"a": PoolQuant(1, 3, 0, 0, -128, 127)}   # a sum of 4, 8 and 12 over 8
    >>> run_batch([layer], {}, halved, np.array([[[[1]]], [[[2]]], [[[3]]]], np.int8).repeat(2, 2).repeat(2, 3)).ravel()
    array([0, 1, 2], dtype=int8)
    """
    tensors: dict[str, Tensor] = {INPUT: images}
    last = {name: i for i, layer in enumerate(layers) for name in layer.inputs}
    for i, layer in enumerate(layers):
        inputs = [tensors[name] for name in layer.inputs]
        q = None if layer.kind.is_view else quant[layer.name]
        if q is None:
            made = np.stack([view(list(each), layer) for each in zip(*inputs, strict=True)])
        elif isinstance(q, ConvQuant):
            made = _conv(inputs[0], used_weights(layer, weights[layer.name]), layer, q, convolve or columns_product)
        elif isinstance(q, AddQuant):
            made = _add(inputs[0], inputs[1], q)
        elif isinstance(q, PoolQuant):
            made = _average(inputs[0], layer, q)
        elif isinstance(q, MaxPoolQuant):
            made = np.clip(_windows(inputs[0], layer, -128).max(axis=(4, 5)), q.lo, q.hi)
        else:
            made = _product(inputs[0], inputs[1], q)
        tensors[layer.name] = made
        for name in set(layer.inputs):
            if last[name] == i:
                del tensors[name]
    return tensors[layers[-1].name]


def columns_product(x: Real, weights: Real, layer: Layer) -> Real:
    """:data:`Convolve` by NumPy: a matrix product for each group.

    Parameters
    ----------
    x : inputs, (N, C, H, W).
    weights : (K, C / groups, R, S).
    layer : its shapes.

    Returns
    -------
    array
        (N, K, P, Q).
    """
    n, _, _, _ = x.shape
    k, depth, r, s = weights.shape
    windows = _windows(x, layer, 0)  # N, C, P, Q, R, S
    if layer.groups > 1 and depth == 1 and k == layer.groups:
        made: Real = np.einsum("ncpqrs,crs->ncpq", windows, weights[:, 0], optimize=True)
        return made
    taps = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * layer.P * layer.Q, -1)
    each = taps.reshape(len(taps), layer.groups, depth * r * s).transpose(1, 0, 2)
    filters = weights.reshape(layer.groups, k // layer.groups, depth * r * s).transpose(0, 2, 1)
    sums = (each @ filters).transpose(1, 0, 2).reshape(n, layer.P, layer.Q, k)
    return sums.transpose(0, 3, 1, 2)


def _conv(x: Tensor, weights: npt.NDArray[np.int8], layer: Layer, q: ConvQuant, convolve: Convolve) -> Tensor:
    kind = np.dtype(np.float32 if _reach(weights, q.z_in) < 1 << 24 else np.float64)
    centred: Real = x.astype(kind)
    centred -= q.z_in
    sums = np.asarray(convolve(centred, weights.astype(kind), layer), np.float64)
    sums += q.bias[:, None, None]
    y = _rescale(sums, q.multiplier[:, None, None], q.shift[:, None, None], q)
    return y if q.table is None else q.table[y.astype(np.int16) + 128]


def _reach(weights: npt.NDArray[np.int8], zero: int) -> int:
    """The greatest magnitude of any partial sum of any filter."""
    whole = weights.astype(np.int64)
    above, below = (np.where(whole > 0, whole, 0).sum((1, 2, 3)), np.where(whole < 0, -whole, 0).sum((1, 2, 3)))
    high, low = 127 - zero, 128 + zero
    return int(max((above * high + below * low).max(), (above * low + below * high).max()))


def _add(a: Tensor, b: Tensor, q: AddQuant) -> Tensor:
    total = (a.astype(np.float64) - q.z_a) * q.m_a + (b.astype(np.float64) - q.z_b) * q.m_b  # below 2**34
    return _rescale(total, 1, q.shift, q)


def _average(x: Tensor, layer: Layer, q: PoolQuant) -> Tensor:
    if layer.kind is Kind.POOL:
        return _rescale((x.astype(np.float64) - q.z_in).sum((2, 3), keepdims=True), q.m, q.shift, q)
    centred = x.astype(np.float64) - q.z_in
    inside = _windows(np.ones((1, 1, layer.H, layer.W)), layer, 0).sum((4, 5)).astype(np.int64)
    divided = {int(n): q.divided_by(int(n), layer.R * layer.S) for n in np.unique(inside)}
    m, shift = (np.vectorize(lambda n, i=i: divided[n][i])(inside) for i in range(2))
    return _rescale(_windows(centred, layer, 0).sum((4, 5)), m, shift, q)


def _product(x: Tensor, factors: Tensor, q: ScaleQuant) -> Tensor:
    f = np.rint((factors.astype(np.float64) - q.z_s) * q.m_f * 2.0**-q.shift_f)  # below 2**34
    return _rescale(np.clip(f, -128, 127) * (x.astype(np.float64) - q.z_x), 1, q.shift, q)


def _rescale(total: Real, multiplier: Any, shift: Any, q: ConvQuant | AddQuant | PoolQuant | ScaleQuant) -> Tensor:
    """``clamp(round(total * multiplier / 2**shift) + z_out, lo, hi)`` of whole float64 numbers, which are used up."""
    most = float(np.abs(total).max(initial=0.0)) * float(np.max(multiplier))
    if most < 2.0**53:  # one product and a power of two: exact
        total *= np.ldexp(np.asarray(multiplier, np.float64), -np.asarray(shift))
        np.rint(total, out=total)
    else:
        total = rounding_shift(total.astype(np.int64) * np.asarray(multiplier, np.int64), shift).astype(np.float64)
    total += q.z_out
    np.clip(total, q.lo, q.hi, out=total)
    return total.astype(np.int8)


def _windows(x: Real, layer: Layer, outside: int) -> Real:
    """The windows of a layer, (N, C, P, Q, R, S); ``outside`` is what is beyond the tensor."""
    below = max((layer.P - 1) * layer.stride + layer.R - layer.H - layer.padding, 0)
    right = max((layer.Q - 1) * layer.stride + layer.S - layer.W - layer.padding, 0)
    if layer.padding or below or right:
        sides = ((0, 0), (0, 0), (layer.padding, below), (layer.padding, right))
        x = np.pad(x, sides, constant_values=outside)
    every = np.lib.stride_tricks.sliding_window_view(x, (layer.R, layer.S), axis=(2, 3))
    chosen: Real = every[:, :, :: layer.stride, :: layer.stride][:, :, : layer.P, : layer.Q]
    return chosen
