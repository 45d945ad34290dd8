"""The exact engine: every DAC slice, cell slice, row block and conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.analog import Conversion, Encoding, Variation, place_values, row_blocks
from sim.noise.chip import Cells, Chip, fixed_point
from sim.noise.hybrid import Adcs, Hybrid, HybridEngine
from sim.noise.network import Bytes, Sums, columns
from sim.noise.split import LayerSplit

CACHED = 1 << 17
"""Conversions at a time: what fits the cache of a core."""


class BitSerialEngine(HybridEngine):
    """One product for each DAC slice and row block, with the currents of every column apart.

    Rows of a layer's matrix of currents are (cell slice, conversion, output channel).
    """

    def __init__(self, hybrid: Hybrid, variation: Variation, chip: Chip | None, adcs: Adcs | None = None) -> None:
        self._currents: dict[str, npt.NDArray[Any]] = {}
        self._variance: dict[str, Sums] = {}
        super().__init__(hybrid, variation, chip, adcs)

    def _prepare(self, name: str, split: LayerSplit, cells: Cells) -> None:
        signed = self.crossbar.encoding.is_signed
        currents = cells[:1] - cells[1:] if signed else cells
        drive = (1 << self.crossbar.dac_bits) - 1
        self._currents[name] = fixed_point(_by_slice(currents), min(self.crossbar.rows, cells.shape[-1]), drive)[0]
        if self._read:
            variance = (cells**2).sum(axis=0, keepdims=True) if signed else cells**2
            self._variance[name] = self._read**2 * _by_slice(variance)

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
        crossbar = self.crossbar
        places = place_values(crossbar).astype(np.float64)
        drives = sum(1 << (crossbar.dac_bits * step) for step in range(crossbar.dac_slices))
        total = np.zeros((len(self._currents[name]) // len(places), taps.shape[1]))
        for rows in row_blocks(len(taps), crossbar):
            gathered = self._over_time(name, rows, taps, noise)
            if crossbar.conversion is Conversion.WORD:
                word = np.tensordot(places, gathered, 1)
                if adc := self._adc(name, 0, word):
                    adc.convert(word)
                total += word
                continue
            for place, adc, codes in zip(places, self._adcs.get(name, [None] * len(places)), gathered, strict=True):
                total += place * codes if adc is None else codes * (adc.step * place) + adc.origin * place * drives
        return total

    def _over_time(self, name: str, rows: slice, taps: Bytes, noise: np.random.Generator) -> npt.NDArray[Any]:
        """Sum over DAC slices, by place, of the codes (or values, if none are made yet) of a row block's columns.

        (cell slices, conversions * K, columns), from the highest DAC slice: each multiplies what came before.
        """
        crossbar = self.crossbar
        currents, radix = self._currents[name][:, rows], 1 << crossbar.dac_bits
        slices = crossbar.conversion is Conversion.SLICE and self._adcs.get(name) is not None
        # Sums of codes of at most 16 bits are exact in float32; words and ideal conversions have more.
        exact = slices and (crossbar.adc_bits_for(name) or 0) <= 16
        total: npt.NDArray[Any] | None = None
        for step in reversed(range(crossbar.dac_slices)):
            driven = ((taps[rows] >> (crossbar.dac_bits * step)) & (radix - 1)).astype(currents.dtype)
            x = currents @ driven
            if self._read:
                deviation = np.sqrt(self._variance[name][:, rows] @ driven.astype(np.float64) ** 2)
                x = x + deviation * noise.standard_normal(x.shape)
            each = x.reshape(crossbar.cell_slices, -1, x.shape[1])
            if crossbar.conversion is Conversion.SLICE:
                for s, values in enumerate(each):
                    if adc := self._adc(name, s, values):
                        adc.to_codes(values)
            if not exact:
                each = each.astype(np.float64)
            if total is None:
                total = each
            else:
                total *= radix
                total += each
        assert total is not None  # an activation has bits
        return total


def _by_slice(cells: Cells) -> Cells:
    columns, slices, k, rows = cells.shape
    return np.ascontiguousarray(cells.transpose(1, 0, 2, 3).reshape(slices * columns * k, rows))
