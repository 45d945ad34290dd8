"""What both engines share: the two halves of a layer, its conversions, its digital corrections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from arch_model.analog import Conversion, Crossbar, Encoding, Variation, offset_of, place_values
from arch_model.analog.crossbar import ACTIVATION_BITS
from arch_model.errors import AnalogError
from arch_model.network.layer import Layer
from sim.noise.engine.adc import Adc, adc_of
from sim.noise.engine.chip import Cells, Chip, Purpose, off_level, program
from sim.noise.engine.digital import exact_product
from sim.noise.engine.network import Bytes, Network, Sums, columns
from sim.noise.engine.split import LayerSplit, Masks, split_network

Adcs = Mapping[str, tuple[Adc | None, ...]]
"""The ADCs of each layer that has an analog half: one, or one for each cell slice."""

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Hybrid:
    """A network, its digital half, and the crossbars of the rest: all but the noise and the seed.

    Parameters
    ----------
    network : to run.
    crossbar : the arrays.
    digital : see :data:`sim.noise.engine.split.Masks`.
    """

    network: Network
    crossbar: Crossbar
    digital: Masks = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "splits", split_network(self.network, self.crossbar, self.digital))

    splits: Mapping[str, LayerSplit] = field(init=False, repr=False)

    @property
    def analog_weights(self) -> int:
        """Weights on crossbars."""
        return sum(split.analog_weights for split in self.splits.values())


class HybridEngine(ABC):
    """The sums of one chip's layers.

    Parameters
    ----------
    hybrid : the network and its crossbars.
    variation : of the cells.
    chip : what was drawn for them. None: the chip as intended.
    adcs : by layer. None: ideal conversion.
    """

    def __init__(self, hybrid: Hybrid, variation: Variation, chip: Chip | None, adcs: Adcs | None) -> None:
        self.hybrid, self.crossbar, self.variation, self.chip = hybrid, hybrid.crossbar, variation, chip
        self._adcs = adcs or {}
        self._index = {layer.name: i for i, layer in enumerate(hybrid.network.weight_layers)}
        self._zero = {name: hybrid.network.zero(split.layer) for name, split in hybrid.splits.items()}
        self._read = variation.read if chip is not None else 0.0
        for name, split in hybrid.splits.items():
            if split.analog_channels.size:
                self._prepare(name, split, program(split, self.crossbar, variation, chip, self._index[name]))

    @abstractmethod
    def _prepare(self, name: str, split: LayerSplit, cells: Cells) -> None:
        """Take a layer's conductances, (columns, slices, K, rows)."""

    @abstractmethod
    def _analog(self, split: LayerSplit, u: Bytes, noise: np.random.Generator) -> Sums:
        """What a crossbar's ADCs make of ``u``, in quantised weights: (K, N * P * Q)."""

    def accumulate(self, layer: Layer, u: Bytes, first: int) -> Sums:
        """See :class:`sim.noise.engine.network.Engine`."""
        split = self.hybrid.splits[layer.name]
        sums: Sums | None = None
        if split.analog_channels.size:
            stream = self.chip or Chip(0, 0)
            noise = stream.stream(self._index[layer.name], Purpose.READ, first)
            inputs = _take(u, split.analog_channels)
            sums = self._analog(split, inputs, noise)
            if self.crossbar.encoding is Encoding.OFFSET:
                sums -= self._stored_too_much(split, inputs)
            sums -= self._zero[layer.name] * split.quantised.sum(axis=1, keepdims=True)
            sums *= self.crossbar.weight_step
        if split.digital_channels.size:
            taps = columns(layer, _take(u, split.digital_channels), self._zero[layer.name], np.float32)
            exact = exact_product(split.digital, taps)
            exact -= self._zero[layer.name] * split.digital.sum(axis=1, dtype=np.float64, keepdims=True)
            sums = exact if sums is None else sums + exact
        assert sums is not None  # a layer has channels
        return sums

    def _stored_too_much(self, split: LayerSplit, inputs: Bytes) -> Sums:
        """What offset and off state add to the sums: exactly known, for the inputs are."""
        taps = columns(split.layer, inputs, self._zero[split.layer.name], np.float32)
        pedestal = off_level(self.crossbar, self.variation) * float(place_values(self.crossbar).sum())
        total = np.ones((1, len(taps)), np.float32) @ taps  # below 2**24 for 65,536 rows
        offset = offset_of(self.crossbar)
        if split.present is None:
            stored: Sums = (offset + pedestal) * total.astype(np.float64)
        else:
            stored = offset * exact_product(split.present.astype(np.float32), taps) + pedestal * total
        return stored

    def _adc(self, layer: str, index: int, x: Values) -> Adc | None:
        """ADC number ``index`` of a layer, about to convert ``x``; None if conversion is ideal."""
        adcs = self._adcs.get(layer)
        return adcs[index] if adcs else None

    def _needs_blocks(self, layer: str) -> bool:
        """Whether what each row block gives matters, and not their sum alone."""
        return self.crossbar.adc_bits_for(layer) is not None


def _take(u: Bytes, channels: npt.NDArray[np.int64]) -> Bytes:
    return u if len(channels) == len(u) else u[channels]


def read_drive(crossbar: Crossbar) -> npt.NDArray[np.float64]:
    """Sum over DAC slices of the squares of what they drive, for each activation 0..255.

    Each slice is a read with noise of its own, so variances add.

    >>> read_drive(Crossbar(dac_bits=1))[[1, 3, 255]].tolist()          # 3: 1 + 2**2
    [1.0, 5.0, 21845.0]
    """
    u = np.arange(1 << ACTIVATION_BITS)
    mask = (1 << crossbar.dac_bits) - 1
    shifts = crossbar.dac_bits * np.arange(crossbar.dac_slices)
    driven = ((u[:, None] >> shifts) & mask) << shifts
    squares: npt.NDArray[np.float64] = (driven.astype(np.float64) ** 2).sum(axis=1)
    return squares


def sliced_adcs(crossbar: Crossbar) -> int:
    """How many ADC ranges a layer has: one for each cell slice if slices are converted one by one."""
    return crossbar.cell_slices if crossbar.conversion is Conversion.SLICE else 1


def adcs_from(values: Mapping[str, list[Values]], crossbar: Crossbar) -> Adcs:
    """ADCs calibrated on what :func:`sim.noise.engine.calibration.observe` saw.

    Parameters
    ----------
    values : samples by layer.
    crossbar : gives bits and percentiles.
    """
    return {name: tuple(adc_of(name, crossbar, v) for v in each) for name, each in values.items()}


def require_fast(crossbar: Crossbar) -> None:
    """Refuse crossbars for which the fast engine would not be exact.

    Raises
    ------
    AnalogError
        ADCs convert slices one by one.
    """
    if crossbar.has_adc and crossbar.conversion is Conversion.SLICE:
        raise AnalogError(
            "engine is fast, which cannot tell apart slices that an ADC converts one by one; give engine bit-serial, "
            "conversion word, or no adc_bits"
        )
