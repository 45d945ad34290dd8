"""The exact engine: every DAC slice, cell slice, row block and conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.analog import Conversion, Encoding, Variation, place_values, row_blocks
from sim.noise.engine.adc import Adc
from sim.noise.engine.chip import Cells, Chip, fixed_point
from sim.noise.engine.hybrid import Adcs, Hybrid, HybridEngine
from sim.noise.engine.network import Bytes, Sums, columns
from sim.noise.engine.split import LayerSplit

CACHED = 1 << 18
"""Conversions at a time: what fits the cache of a core."""


class BitSerialEngine(HybridEngine):
    """One product for each DAC slice and row block, with the currents of every column apart.

    Rows of a layer's matrix of currents are (cell slice, conversion, output channel).

    Parameters
    ----------
    hybrid : the network and its crossbars.
    variation : of the cells.
    chip : what was drawn for them. None: the chip as intended.
    adcs : by layer. None: ideal conversion.
    """

    def __init__(self, hybrid: Hybrid, variation: Variation, chip: Chip | None, adcs: Adcs | None = None) -> None:
        self._currents: dict[str, npt.NDArray[Any]] = {}
        self._variance: dict[str, Sums] = {}
        super().__init__(hybrid, variation, chip, adcs)

    def _prepare(self, name: str, split: LayerSplit, cells: Cells) -> None:
        signed = self.crossbar.encoding.is_signed
        currents = _by_slice(cells[:1] - cells[1:] if signed else cells)
        steps = np.array([[adc.step] for adc in self._slice_adcs(name)])
        if len(steps):  # in steps of the ADC of its slice, so that one rounding converts all slices
            currents /= np.repeat(steps, len(currents) // len(steps), axis=0)
        drive = (1 << self.crossbar.dac_bits) - 1
        self._currents[name] = fixed_point(currents, min(self.crossbar.rows, cells.shape[-1]), drive)[0]
        if self._read:
            variance = _by_slice((cells**2).sum(axis=0, keepdims=True) if signed else cells**2)
            if len(steps):
                variance /= np.repeat(steps**2, len(variance) // len(steps), axis=0)
            self._variance[name] = self._read**2 * variance

    def _slice_adcs(self, name: str) -> list[Adc]:
        """The ADCs of a layer whose slices are converted one by one; none if conversion is ideal or of words."""
        if self.crossbar.conversion is Conversion.WORD:
            return []
        return [adc for adc in self._adcs.get(name, ()) if adc is not None]

    def _analog(self, split: LayerSplit, u: Bytes, noise: np.random.Generator) -> Sums:
        taps = columns(split.layer, u, self._zero[split.layer.name], np.uint8)
        width = max(1, CACHED // len(self._currents[split.layer.name]))
        parts = [taps[:, start : start + width] for start in range(0, taps.shape[1], width)]
        total: Sums = np.concatenate([self._columns(split.layer.name, part, noise) for part in parts], axis=1)
        if self.crossbar.encoding is Encoding.SIGN_MAGNITUDE:
            return total[: split.layer.K] - total[split.layer.K :]
        return total

    def _columns(self, name: str, taps: Bytes, noise: np.random.Generator) -> Sums:
        """The conversions of some columns of ``taps``, summed: (conversions * K, columns)."""
        crossbar, adcs = self.crossbar, self._slice_adcs(name)
        places = place_values(crossbar).astype(np.float64)
        drives = sum(1 << (crossbar.dac_bits * step) for step in range(crossbar.dac_slices))
        total = np.zeros((len(self._currents[name]) // len(places), taps.shape[1]))
        for rows in row_blocks(len(taps), crossbar):
            gathered = self._over_time(name, rows, taps, noise).reshape(len(places), -1, taps.shape[1])
            if adcs:
                for place, adc, codes in zip(places, adcs, gathered, strict=True):
                    total += codes * (adc.step * place)
                    total += adc.origin * place * drives
                continue
            word = np.tensordot(places, gathered, 1)
            if crossbar.conversion is Conversion.WORD and (word_adc := self._adc(name, 0, word)):
                word_adc.convert(word)
            total += word
        return total

    def _over_time(self, name: str, rows: slice, taps: Bytes, noise: np.random.Generator) -> npt.NDArray[Any]:
        """Sum over DAC slices, by place, of the codes (or values, if none are made yet) of a row block's columns.

        (cell slices * conversions * K, columns), from the highest DAC slice: each multiplies what came before.
        """
        crossbar, adcs = self.crossbar, self._slice_adcs(name)
        radix = 1 << crossbar.dac_bits
        currents = self._currents[name][:, rows]
        # Sums of codes of at most 16 bits are exact in float32; words and ideal conversions have more.
        exact = bool(adcs) and (crossbar.adc_bits_for(name) or 0) <= 16
        total: npt.NDArray[Any] | None = None
        for step in reversed(range(crossbar.dac_slices)):
            driven = ((taps[rows] >> (crossbar.dac_bits * step)) & (radix - 1)).astype(currents.dtype)
            x = currents @ driven
            if self._read:
                deviation = np.sqrt(self._variance[name][:, rows] @ driven.astype(np.float64) ** 2)
                x = x + deviation * noise.standard_normal(x.shape)
            if adcs:
                _to_codes(x, adcs)
            elif crossbar.conversion is Conversion.SLICE:
                for s, values in enumerate(x.reshape(crossbar.cell_slices, -1, x.shape[1])):
                    self._adc(name, s, values)  # conversion is ideal, but an observer looks on
            if not exact:
                x = x.astype(np.float64)
            if total is None:
                total = x
            else:
                total *= radix
                total += x
        assert total is not None  # an activation has bits
        return total


def _to_codes(x: npt.NDArray[Any], adcs: list[Adc]) -> None:
    """Sums in steps of the ADCs of their slices to codes, in place."""
    each = x.reshape(len(adcs), -1, x.shape[1])
    for adc, values in zip(adcs, each, strict=True):
        if adc.origin:
            values -= adc.origin / adc.step
    np.rint(x, out=x)
    if len({(adc.least, adc.most) for adc in adcs}) == 1:
        np.clip(x, adcs[0].least, adcs[0].most, out=x)
        return
    for adc, values in zip(adcs, each, strict=True):
        np.clip(values, adc.least, adc.most, out=values)


def _by_slice(cells: Cells) -> Cells:
    columns, slices, k, rows = cells.shape
    return np.ascontiguousarray(cells.transpose(1, 0, 2, 3).reshape(slices * columns * k, rows))
