"""A layer's weights parted in a digital and an analog half."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.analog import Crossbar, quantise
from arch_model.errors import AnalogError
from arch_model.network.layer import Layer
from sim.noise.engine.network import Network

Channels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Masks = Mapping[str, Mask]
"""What stays digital, by layer: input channels (C,), or single weights (K, C, R, S). Layers not named are analog."""


@dataclass(frozen=True, eq=False)
class LayerSplit:
    """One layer in two halves; both may use a channel if single weights are digital.

    Attributes
    ----------
    layer : its shapes.
    analog_channels, digital_channels : numbers of the input channels of each half, ascending.
    quantised : as the crossbar stores it, int64 (K, analog channels * R * S).
    present : bool of that shape, False where a single weight is digital; or None.
    digital : exact int8 as float32, (K, digital channels * R * S).
    """

    layer: Layer
    analog_channels: Channels
    quantised: Channels
    present: Mask | None
    digital_channels: Channels
    digital: npt.NDArray[np.float32]

    @property
    def rows(self) -> Channels:
        """Which of the layer's C * R * S inputs the crossbar's rows are."""
        return _rows(self.analog_channels, self.layer)

    @property
    def analog_weights(self) -> int:
        """Weights on the crossbar."""
        return int(self.quantised.size if self.present is None else self.present.sum())


def split_network(network: Network, crossbar: Crossbar, digital: Masks) -> dict[str, LayerSplit]:
    """Every layer in its two halves.

    Parameters
    ----------
    network : whose layers they are.
    crossbar : gives the bits of a weight.
    digital : masks by layer.

    Raises
    ------
    AnalogError
        A mask is of no layer, or of another shape.
    """
    names = {layer.name for layer in network.weight_layers}
    for name in (*digital, *crossbar.adc_bits_of, *crossbar.percentile_of):
        if name not in names:
            raise AnalogError(f"network {network.name} has no weights in a layer {name}; give one of {_list(names)}")
    return {layer.name: _split(network, crossbar, layer, digital.get(layer.name)) for layer in network.weight_layers}


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _split(network: Network, crossbar: Crossbar, layer: Layer, digital: Mask | None) -> LayerSplit:
    shapes = ((layer.C,), (layer.K, layer.C, layer.R, layer.S))
    if digital is None:
        digital = np.zeros(layer.C, np.bool_)
    if digital.dtype != np.bool_ or digital.shape not in shapes:
        raise AnalogError(
            f"layer {layer.name}: the digital mask is {digital.dtype} {digital.shape}; give bool {shapes[0]} of "
            f"input channels or {shapes[1]} of weights"
        )
    weights = network.weights[layer.name].reshape(layer.K, -1)
    mask = np.broadcast_to(digital[None, :, None, None] if digital.ndim == 1 else digital, shapes[1])
    analog_channels = np.flatnonzero(~mask.all(axis=(0, 2, 3)))
    digital_channels = np.flatnonzero(mask.any(axis=(0, 2, 3)))
    rows, digital_rows = _rows(analog_channels, layer), _rows(digital_channels, layer)
    flat = mask.reshape(layer.K, -1)
    present = ~flat[:, rows]
    return LayerSplit(
        layer,
        analog_channels,
        quantise(weights[:, rows], crossbar) * present,
        None if present.all() else present,
        digital_channels,
        np.where(flat, weights, 0)[:, digital_rows].astype(np.float32),
    )


def _rows(channels: Channels, layer: Layer) -> Channels:
    taps = layer.R * layer.S
    return (channels[:, None] * taps + np.arange(taps)).ravel()
