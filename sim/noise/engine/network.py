"""A quantised network as the noise study runs it: batches of images, any engine for its sums of products."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from arch_model.errors import AnalogError
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.quant import rounding_shift
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import AddQuant, ConvQuant, OpQuant, PoolQuant, SuperNetWeights
from arch_model.spaces import get_space
from mapper.importers import Network as Imported

Bytes = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.float64]

ZERO = 128
"""What is added to an int8 activation: the engines see 0..255, as DACs do."""

BATCH = 32
"""Images at a time; part of the specification, for read noise is drawn batch by batch."""

_FLOAT64_EXACT = 2.0**53


class Engine(Protocol):
    """What computes the sums of products of a layer."""

    def accumulate(self, layer: Layer, u: Bytes, first: int) -> Sums:
        """``sum(w * (u - zero))`` with ``zero`` = ``z_in + 128``, which is also what taps outside count as.

        Parameters
        ----------
        layer : its shapes.
        u : activations x + 128, uint8 (C, N, H, W).
        first : number of the batch's first image in the evaluation.

        Returns
        -------
        float64 array
            (K, N * P * Q).
        """


@dataclass(frozen=True, eq=False)
class Network:
    """A network with its integers.

    Parameters
    ----------
    name : for messages.
    layers : in topological order.
    weights : int8 (K, C, R, S) by layer.
    quant : integers of the requantisation by layer.

    Raises
    ------
    AnalogError
        The study cannot run a layer.
    """

    name: str
    layers: tuple[Layer, ...]
    weights: Mapping[str, npt.NDArray[np.int8]] = field(repr=False)
    quant: Mapping[str, OpQuant] = field(repr=False)

    def __post_init__(self) -> None:
        for layer in self.layers:
            if layer.kind not in (Kind.CONV, Kind.LINEAR, Kind.ADD, Kind.POOL) or layer.groups != 1:
                what = layer.kind if layer.groups == 1 else f"{layer.kind} with {layer.groups} groups"
                raise AnalogError(
                    f"network {self.name}: layer {layer.name} is {what}; the noise study runs conv and linear without "
                    "groups, add and pool"
                )
            if getattr(self.quant.get(layer.name), "table", None) is not None:
                raise AnalogError(
                    f"network {self.name}: layer {layer.name} has an activation table; the noise study runs clamps"
                )

    @classmethod
    def of_subnet(cls, name: str, weights: SuperNetWeights, supernet: SuperNet | str = "fashion") -> Network:
        """A SubNet by its name.

        Parameters
        ----------
        name : or ``smallest`` or ``largest``, by MACs.
        weights : a weights file as it was read.
        supernet : whose the weights are; or its name.

        Raises
        ------
        AnalogError
            The file has no integers of it.
        """
        by_size = sorted(weights.subnets.values(), key=lambda s: (s.macs, s.name))
        names = {"smallest": by_size[0].name, "largest": by_size[-1].name}
        name = names.get(name, name)
        if name not in weights.subnets:
            known = ", ".join([*names, *weights.subnets])
            raise AnalogError(f"SubNet {name} has no integers in the weights file; give one of {known}")
        subnet = get_space(supernet).subnet(name)
        used = {layer.name: weights.layers[layer.name][: layer.K, : layer.C] for layer in subnet.weight_layers}
        return cls(name, subnet.layers, used, weights.subnets[name].ops)

    @classmethod
    def of_import(cls, imported: Imported) -> Network:
        """An imported network whose every layer has its integers.

        Raises
        ------
        AnalogError
            Some layer has none.
        """
        lacking = [layer.name for layer in imported.subnet.layers if layer.name not in imported.quant]
        if imported.skipped or lacking:
            what = f"operator {imported.skipped[0]} is left out" if imported.skipped else f"layer {lacking[0]} has none"
            raise AnalogError(
                f"network {imported.subnet.name}: noise needs the int8 integers of every layer, but {what}; give a "
                "quantised model (QDQ or QLinear operators)"
            )
        return cls(imported.subnet.name, imported.subnet.layers, imported.weights, imported.quant)

    @property
    def weight_layers(self) -> tuple[Layer, ...]:
        """The layers that have weights, in order."""
        return tuple(layer for layer in self.layers if layer.kind.has_weights)

    @cached_property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of layers, weights and quantisation."""
        digest = hashlib.sha256(self.name.encode())
        for layer in self.layers:
            digest.update(repr(layer).encode())
            q = self.quant[layer.name]
            for value in vars(q).values():
                if value is not None:  # an activation table
                    digest.update(np.asarray(value, dtype=np.int64).tobytes())
            if layer.kind.has_weights:
                digest.update(np.ascontiguousarray(self.weights[layer.name]).tobytes())
        return digest.hexdigest()[:12]

    def zero(self, layer: Layer) -> int:
        """What stands for 0 in the unsigned activations that a layer with weights reads."""
        return cast(ConvQuant, self.quant[layer.name]).z_in + ZERO

    def forward(self, images: Bytes, engine: Engine, first: int = 0) -> npt.NDArray[np.int8]:
        """Logits, int8 (N, classes).

        Parameters
        ----------
        images : uint8 (N, H, W) or (N, C, H, W).
        engine : makes the sums of products.
        first : number of the first image in the evaluation.
        """
        head = self.layers[-1]
        u = self.tensors(images, engine, first, keep=False)[head.name].reshape(head.K, -1)
        return (u.T.astype(np.int16) - ZERO).astype(np.int8)

    def tensors(self, images: Bytes, engine: Engine, first: int = 0, keep: bool = True) -> dict[str, Bytes]:
        """Every layer's output plus 128, uint8 (K, N, P, Q).

        Parameters
        ----------
        images : uint8 (N, H, W) or (N, C, H, W).
        engine : makes the sums of products.
        first : number of the first image in the evaluation.
        keep : all layers' outputs; else only what is still needed at the end.
        """
        batch = images[:, None] if images.ndim == 3 else images
        tensors: dict[str, Bytes] = {INPUT: np.ascontiguousarray(batch.transpose(1, 0, 2, 3))}
        last = {name: i for i, layer in enumerate(self.layers) for name in layer.inputs}
        for i, layer in enumerate(self.layers):
            inputs = [tensors[name] for name in layer.inputs]
            q = self.quant[layer.name]
            if isinstance(q, ConvQuant):
                sums = engine.accumulate(layer, inputs[0], first)
                y = requantise(sums, q)
                tensors[layer.name] = y.reshape(layer.K, -1, layer.P, layer.Q)
            elif isinstance(q, AddQuant):
                tensors[layer.name] = _add(inputs[0], inputs[1], q)
            else:
                tensors[layer.name] = _pool(inputs[0], cast(PoolQuant, q))
            for name in set(layer.inputs):
                if last[name] == i and not keep:
                    del tensors[name]
        return tensors

    def predict(self, images: Bytes, engine: Engine) -> npt.NDArray[np.int64]:
        """The class of each image, the first of equal logits; :data:`BATCH` images are run together.

        Parameters
        ----------
        images : uint8 (N, H, W) or (N, C, H, W).
        engine : makes the sums of products.
        """
        starts = range(0, len(images), BATCH)
        return np.concatenate([self.forward(images[i : i + BATCH], engine, i).argmax(axis=1) for i in starts])


def columns(layer: Layer, u: npt.NDArray[Any], zero: float, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """im2col: rows in the order of a weight's (C, R, S).

    Parameters
    ----------
    layer : gives kernel, stride and padding.
    u : activations (C, N, H, W), of any number C of channels.
    zero : what taps outside count as.
    dtype : of the result.

    Returns
    -------
    array
        (C * R * S, N * P * Q).

    Examples
    --------
    >>> layer = Layer("a", Kind.CONV, K=1, C=1, R=1, S=2, H=1, W=3)
    >>> columns(layer, np.arange(3, dtype=np.uint8).reshape(1, 1, 1, 3), 0, np.int64).tolist()
    [[0, 1], [1, 2]]
    """
    c, n = u.shape[:2]
    if (layer.R, layer.S, layer.stride, layer.padding) == (1, 1, 1, 0):
        return u.reshape(c, -1).astype(dtype)
    pad = layer.padding
    if pad:
        padded = np.full((c, n, layer.H + 2 * pad, layer.W + 2 * pad), zero, u.dtype)
        padded[:, :, pad:-pad, pad:-pad] = u
        u = padded
    p, q, step = layer.P, layer.Q, layer.stride
    taps = np.empty((c, layer.R, layer.S, n, p, q), dtype)
    for r in range(layer.R):
        for s in range(layer.S):
            taps[:, r, s] = u[:, :, r : r + step * p : step, s : s + step * q : step]
    return taps.reshape(c * layer.R * layer.S, n * p * q)


def requantise(sums: Sums, q: ConvQuant) -> Bytes:
    """``arch_model.network.quant.requantize`` of real sums, plus 128, as uint8.

    One float64 product is exact while (acc + bias) * multiplier stays below 2**53; beyond, integers are used.

    Parameters
    ----------
    sums : (K, M); they are used up.
    q : the layer's integers.
    """
    sums += q.bias[:, None]
    most = float(np.abs(sums).max(initial=0.0))
    if most * float(q.multiplier.max(initial=0)) < _FLOAT64_EXACT:
        sums *= np.ldexp(q.multiplier.astype(np.float64), -q.shift)[:, None]
        np.rint(sums, out=sums)
    else:
        whole = np.rint(sums).astype(np.int64) * q.multiplier[:, None].astype(np.int64)
        sums = rounding_shift(whole, q.shift[:, None]).astype(np.float64)
    sums += q.z_out + ZERO
    np.clip(sums, q.lo + ZERO, q.hi + ZERO, out=sums)
    return sums.astype(np.uint8)


def _add(a: Bytes, b: Bytes, q: AddQuant) -> Bytes:
    total = (a.astype(np.int32) - (q.z_a + ZERO)) * float(q.m_a) + (b.astype(np.int32) - (q.z_b + ZERO)) * float(q.m_b)
    return _rescale(total, q.shift, q)


def _pool(x: Bytes, q: PoolQuant) -> Bytes:
    total = (x.sum(axis=(2, 3), keepdims=True, dtype=np.int64) - (q.z_in + ZERO) * x.shape[2] * x.shape[3]) * float(q.m)
    return _rescale(total, q.shift, q)


def _rescale(total: Sums, shift: int, q: AddQuant | PoolQuant) -> Bytes:
    total *= 2.0**-shift
    np.rint(total, out=total)
    total += q.z_out + ZERO
    return np.clip(total, q.lo + ZERO, q.hi + ZERO, out=total).astype(np.uint8)
