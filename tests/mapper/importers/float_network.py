"""A float network computed layer by layer in NumPy, with the host's steps around it: nothing of the machine in it."""

from __future__ import annotations

import numpy as np

from arch_model.network.concat import concat_starts
from arch_model.network.layer import INPUT, Kind


def convolve(x, weights, layer):
    """A convolution, group by group, in the type of ``x``."""
    k, c = layer.K // layer.groups, layer.C // layer.groups
    padded = np.pad(x, ((0, 0), *((layer.padding, layer.padding),) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.R, layer.S), axis=(1, 2))
    windows = windows[:, :: layer.stride, :: layer.stride]
    if layer.groups == layer.C == layer.K:
        return np.einsum("cpqrs,crs->cpq", windows, weights[:, 0], optimize=True)
    made = []
    for g in range(layer.groups):
        own = windows[g * c : (g + 1) * c].transpose(0, 3, 4, 1, 2).reshape(c * layer.R * layer.S, -1)
        made.append(weights[g * k : (g + 1) * k].reshape(k, -1) @ own)
    return np.concatenate(made).reshape(layer.K, layer.P, layer.Q)


def pooled(x, layer):
    """A maximum or an average of the pixels that are inside."""
    p = layer.padding
    below = max(0, (layer.P - 1) * layer.stride + layer.R - layer.H - p)
    right = max(0, (layer.Q - 1) * layer.stride + layer.S - layer.W - p)
    padded = np.pad(x, ((0, 0), (p, below), (p, right)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.R, layer.S), axis=(1, 2))
    windows = windows[:, :: layer.stride, :: layer.stride][:, : layer.P, : layer.Q]
    return (np.nanmax if layer.kind is Kind.MAXPOOL else np.nanmean)(windows, axis=(3, 4))


def run_floats(network, image, dtype=np.float64):
    """Every layer's result, from its FloatLayer, of the machine's image (C, H, W)."""
    made = {INPUT: image.astype(dtype)}
    for layer in network.subnet.layers:
        x, *others = (made[name] for name in layer.inputs)
        if layer.kind is Kind.CONCAT:
            assert concat_starts([len(own) for own in (x, *others)], 1)[-1] == layer.K
            made[layer.name] = np.concatenate([x, *others])
            continue
        if layer.kind is Kind.SLICE:
            made[layer.name] = x[layer.first : layer.first + layer.K]
            continue
        floats = network.floats[layer.name]
        if layer.kind.has_weights:
            y = convolve(x, floats.weights.astype(dtype), layer) + floats.bias[:, None, None]
        elif layer.kind is Kind.ADD:
            y = x + others[0]
        elif layer.kind.is_product:
            y = x * others[0]
        elif layer.kind is Kind.POOL:
            y = x.mean(axis=(1, 2), keepdims=True)
        else:
            y = pooled(x, layer)
        y = y if floats.function is None else floats.function(y).astype(dtype)
        made[layer.name] = np.clip(y, floats.lo, floats.hi)
    return made


def results(network, image, dtype=np.float64):
    """The model's results by name, of its input (with the batch)."""
    made = run_floats(network, network.prepared(image), dtype)
    return network.finished(made)
