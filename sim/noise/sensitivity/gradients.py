"""Gradients of the loss by the int8 weights, image by image: backpropagation through the integer network.

Rounding counts as the identity (a straight-through estimate) and a clamp passes what it does not clip. Logits have no
scale in the integers, so the temperature of the softmax is the one that fits the labels best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT, Layer
from arch_model.network.weights import AddQuant, ConvQuant, PoolQuant
from sim.noise.engine.digital import Digital
from sim.noise.engine.network import BATCH, ZERO, Bytes, Network, Sums, columns
from sim.noise.sensitivity.images import LabelledImages

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Means over images, by layer, (K, C, R, S).

    Attributes
    ----------
    fisher : of g**2, for g the gradient of the loss.
    absolute : of |g|.
    mean : of g.
    loss : cross-entropy of the images.
    temperature : of the softmax.
    images : how many.
    source : where they are from.
    """

    fisher: dict[str, Sums]
    absolute: dict[str, Sums]
    mean: dict[str, Sums]
    loss: float
    temperature: float
    images: int
    source: str


def sensitivity(network: Network, images: LabelledImages) -> Sensitivity:
    """Gradients of the cross-entropy by every weight.

    Parameters
    ----------
    network : with its integers.
    images : with their labels.
    """
    digital = Digital(network)
    batches = [slice(i, i + BATCH) for i in range(0, len(images.images), BATCH)]
    logits = np.concatenate([network.forward(images.images[b], digital) for b in batches])
    temperature = fit_temperature(logits, images.labels)
    shapes = {layer.name: (layer.K, layer.C, layer.R, layer.S) for layer in network.weight_layers}
    fisher, absolute, mean = ({name: np.zeros(shape) for name, shape in shapes.items()} for _ in range(3))
    for batch in batches:
        for name, g in image_gradients(network, images.images[batch], images.labels[batch], temperature):
            shape = shapes[name]
            fisher[name] += np.square(g).sum(axis=0, dtype=np.float64).reshape(shape)
            absolute[name] += np.abs(g).sum(axis=0, dtype=np.float64).reshape(shape)
            mean[name] += g.sum(axis=0, dtype=np.float64).reshape(shape)
    n = len(images.images)
    for each in (fisher, absolute, mean):
        for array in each.values():
            array /= n
    loss = cross_entropy(logits, images.labels, temperature)
    return Sensitivity(fisher, absolute, mean, loss, temperature, n, images.source)


def cross_entropy(logits: npt.NDArray[np.int8], labels: npt.NDArray[np.uint8], temperature: float) -> float:
    """Mean of ``-log softmax(logits / temperature)[label]``.

    Parameters
    ----------
    logits : int8 (N, classes).
    labels : uint8 (N,).
    temperature : by which logits are divided.

    Examples
    --------
    >>> round(cross_entropy(np.zeros((1, 10), np.int8), np.array([3], np.uint8), 1.0), 4)       # log 10
    2.3026
    """
    z = logits / temperature
    top = z.max(axis=1)
    log_sum = top + np.log(np.exp(z - top[:, None]).sum(axis=1))
    return float(np.mean(log_sum - z[np.arange(len(z)), labels]))


def fit_temperature(logits: npt.NDArray[np.int8], labels: npt.NDArray[np.uint8]) -> float:
    """The temperature of least cross-entropy, within 1 to 1000, by golden section in its logarithm.

    Parameters
    ----------
    logits : int8 (N, classes).
    labels : uint8 (N,).
    """
    ratio = (np.sqrt(5) - 1) / 2
    low, high = 0.0, float(np.log(1000.0))
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if cross_entropy(logits, labels, np.exp(a)) < cross_entropy(logits, labels, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def image_gradients(
    network: Network, images: Bytes, labels: npt.NDArray[np.uint8], temperature: float
) -> list[tuple[str, Floats]]:
    """Of each layer with weights, from the last: its name and d loss / d weight, float32 (N, K, C * R * S).

    Parameters
    ----------
    network : with its integers.
    images : uint8 (N, H, W) or (N, C, H, W).
    labels : uint8 (N,).
    temperature : of the softmax.
    """
    tensors = network.tensors(images, Digital(network))
    head = network.layers[-1]
    z = (tensors[head.name].reshape(head.K, -1).T.astype(np.float64) - ZERO) / temperature
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), labels] -= 1
    grads = {head.name: (p.T / temperature).astype(np.float32)[:, :, None, None]}
    found = []
    for layer in reversed(network.layers):
        q = network.quant[layer.name]
        g = grads.pop(layer.name) * _passes(tensors[layer.name], q.lo + ZERO, q.hi + ZERO)
        inputs = [tensors[name] for name in layer.inputs]
        if isinstance(q, ConvQuant):
            g = g * np.ldexp(q.multiplier.astype(np.float32), -q.shift)[:, None, None, None]
            found.append((layer.name, _weight_gradient(layer, inputs[0], q.z_in + ZERO, g)))
            if layer.inputs[0] != INPUT:
                _collect(grads, layer.inputs[0], _input_gradient(layer, network.weights[layer.name], g))
        elif isinstance(q, AddQuant):
            for name, m in zip(layer.inputs, (q.m_a, q.m_b), strict=True):
                _collect(grads, name, g * np.float32(m * 2.0**-q.shift))
        elif isinstance(q, PoolQuant):
            spread = np.broadcast_to(g * np.float32(q.m * 2.0**-q.shift), inputs[0].shape)
            _collect(grads, layer.inputs[0], spread.astype(np.float32))
    return found


def _passes(y: Bytes, lo: int, hi: int) -> npt.NDArray[np.bool_]:
    return (y > lo) & (y < hi)


def _weight_gradient(layer: Layer, u: Bytes, zero: int, g: Floats) -> Floats:
    n = u.shape[1]
    taps = columns(layer, u, zero, np.float32).reshape(-1, n, layer.P * layer.Q) - np.float32(zero)
    out = g.reshape(layer.K, n, -1)
    product: Floats = np.matmul(out.transpose(1, 0, 2), taps.transpose(1, 2, 0))
    return product


def _input_gradient(layer: Layer, weights: npt.NDArray[np.int8], g: Floats) -> Floats:
    k, n, p, q = g.shape
    flat = weights.reshape(k, -1).astype(np.float32).T @ g.reshape(k, -1)
    taps = flat.reshape(layer.C, layer.R, layer.S, n, p, q)
    pad, step = layer.padding, layer.stride
    out = np.zeros((layer.C, n, layer.H + 2 * pad, layer.W + 2 * pad), np.float32)
    for r in range(layer.R):
        for s in range(layer.S):
            out[:, :, r : r + step * p : step, s : s + step * q : step] += taps[:, r, s]
    return out[:, :, pad : pad + layer.H, pad : pad + layer.W]


def _collect(grads: dict[str, Floats], name: str, g: Floats) -> None:
    grads[name] = grads[name] + g if name in grads else g
