"""The layers of a PyTorch module, with the numbers that they were trained to, batch normalisation kept apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Layer

Float = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """``gamma * (x - mean) / sqrt(var + epsilon) + beta``, all (K,).

    Attributes
    ----------
    gamma, beta, mean, var : of each channel, (K,).
    epsilon : added to the variance.
    """

    gamma: Float
    beta: Float
    mean: Float
    var: Float
    epsilon: float


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """A layer and its real numbers.

    Attributes
    ----------
    layer : with its activation; its ``inputs`` are names of layers, or ``"input"``.
    weights : (K, C / groups, R, S), or None for a layer without; never with anything folded in.
    bias : (K,), or None.
    norm : of a convolution's sums and bias, or None.
    origin : the parameter of the module that the weights are made of, "" if it is none.
    function : the activation, of torch tensors; None if there is none.
    """

    layer: Layer
    weights: Float | None = None
    bias: Float | None = None
    norm: BatchNorm | None = None
    origin: str = ""
    function: Callable[[Any], Any] | None = None


@dataclass(frozen=True, eq=False)
class FloatNet:
    """A SubNet as PyTorch has it.

    Attributes
    ----------
    name : of the SubNet.
    layers : in an order of execution.
    config : its choices, by keyword.
    """

    name: str
    layers: tuple[FloatLayer, ...]
    config: dict[str, object] = field(default_factory=dict)

    @property
    def image(self) -> tuple[int, int, int]:
        """(C, H, W) of what the first layer reads."""
        first = self.layers[0].layer
        return first.C, first.H, first.W
