"""The digital half: exact sums of int8 products, by float32 matrix products that cannot round."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Layer
from sim.noise.engine.network import Bytes, Network, Sums, columns

EXACT_ROWS = (1 << 24) // (255 * 128)
"""Products of a uint8 and an int8 whose float32 sum is exact in any order: 514."""


class Digital:
    """The engine without anything analog: the integers of the reference."""

    def __init__(self, network: Network) -> None:
        self._zero = {layer.name: network.zero(layer) for layer in network.weight_layers}
        self._weights = {
            layer.name: network.weights[layer.name].reshape(layer.K, -1).astype(np.float32)
            for layer in network.weight_layers
        }

    def accumulate(self, layer: Layer, u: Bytes, first: int) -> Sums:
        """See :class:`sim.noise.engine.network.Engine`."""
        taps = columns(layer, u, self._zero[layer.name], np.float32)
        weights, zero = self._weights[layer.name], self._zero[layer.name]
        sums = exact_product(weights, taps)
        if zero:
            sums -= zero * weights.sum(axis=1, dtype=np.float64, keepdims=True)
        return sums


def exact_product(weights: npt.NDArray[np.float32], taps: npt.NDArray[np.float32]) -> Sums:
    """``weights @ taps`` in float64 for integers of int8 and uint8.

    Parameters
    ----------
    weights : (K, rows).
    taps : (rows, M).

    Examples
    --------
    >>> w, u = np.full((1, 2000), -128, np.float32), np.full((2000, 1), 255, np.float32)
    >>> exact_product(w, u).item()
    -65280000.0
    """
    total = np.zeros((len(weights), taps.shape[1]))
    for rows in _chunks(weights.shape[1]):
        total += weights[:, rows] @ taps[rows]
    return total


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(start, start + EXACT_ROWS) for start in range(0, rows, EXACT_ROWS))
