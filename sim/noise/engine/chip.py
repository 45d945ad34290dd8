"""A chip: the conductances that programming a layer's crossbar ends in, drawn from a seed.

What is drawn for a cell depends on seed, trial, layer and the cell's place in the whole layer, not on which other
weights are analog: studies of partitions compare the same chips (common random numbers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.analog import (
    Crossbar,
    Distribution,
    Encoding,
    Mean,
    Per,
    RelativeTo,
    Variation,
    fast_conductance,
    outputs_per_array,
    row_blocks,
    to_levels,
)
from arch_model.analog.variation import DRIFT_START_S
from sim.noise.engine.split import LayerSplit

Cells = npt.NDArray[np.float64]
"""Conductances in steps of a level: (columns, slices, K, rows)."""


class Purpose(IntEnum):
    """What random numbers are for: each has a stream of its own, so that one option does not alter another's."""

    VARIATION = 0
    DRIFT = 1
    STUCK = 2
    READ = 3


@dataclass(frozen=True)
class Chip:
    """What tells one programmed chip from another: its random numbers.

    Parameters
    ----------
    seed : of all chips.
    trial : number of the chip.
    image : of a chip programmed afresh for that image, else None.

    Examples
    --------
    >>> a, b = Chip(1, trial=0), Chip(1, trial=1)
    >>> bool(a.stream(0, Purpose.READ).random() == b.stream(0, Purpose.READ).random())
    False
    """

    seed: int
    trial: int
    image: int | None = None

    def stream(self, layer: int, purpose: Purpose, batch: int = 0) -> np.random.Generator:
        """The random numbers for one purpose.

        Parameters
        ----------
        layer : number of the layer.
        purpose : what is drawn.
        batch : for reads, the number of the batch of images.
        """
        image = 0 if self.image is None else self.image + 1
        key = (self.trial, layer, int(purpose), image, batch)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def off_level(crossbar: Crossbar, variation: Variation) -> float:
    """Conductance of a cell at level 0, in steps of a level.

    Parameters
    ----------
    crossbar : gives the levels.
    variation : gives the ratio of on to off.

    Examples
    --------
    >>> off_level(Crossbar(cell_bits=2), Variation(on_off=31))      # (0.1 + 3) / 0.1 = 31
    0.1
    """
    return 0.0 if math.isinf(variation.on_off) else crossbar.levels / (variation.on_off - 1)


def program(split: LayerSplit, crossbar: Crossbar, variation: Variation, chip: Chip | None, index: int) -> Cells:
    """Conductances of a layer's cells.

    A chip as intended has its off state and its wires, but nothing random, no drift and no stuck cells.

    Parameters
    ----------
    split : the layer's analog half.
    crossbar : the arrays.
    variation : of the cells.
    chip : what is drawn for them. None: the chip as intended.
    index : number of the layer.

    Returns
    -------
    float64 array
        (columns, slices, K, rows), in levels.
    """
    levels = to_levels(split.quantised, crossbar)
    if split.present is not None and crossbar.encoding is Encoding.OFFSET:
        levels = levels * split.present
    off = off_level(crossbar, variation)
    g: Cells = levels + np.float64(off)
    if chip is not None:
        g = _vary(g, levels, split, crossbar, variation, chip, index)
    if variation.ir:
        g = _wire_drop(g, crossbar, variation.ir / (crossbar.levels + off))
    return g


def _vary(
    g: Cells,
    levels: npt.NDArray[np.int64],
    split: LayerSplit,
    crossbar: Crossbar,
    variation: Variation,
    chip: Chip,
    index: int,
) -> Cells:
    layer = split.layer
    inputs = layer.C * layer.R * layer.S
    off = off_level(crossbar, variation)

    def draw(purpose: Purpose, per_cell: bool, uniform: bool = False) -> Cells:
        shape = (*levels.shape[:3], inputs) if per_cell else (layer.K, inputs)
        stream = chip.stream(index, purpose)
        drawn = stream.random(shape) if uniform else stream.standard_normal(shape)
        return drawn[..., split.rows]

    if variation.sigma:
        normal = draw(Purpose.VARIATION, variation.per is Per.CELL)
        if variation.relative_to is RelativeTo.RANGE:
            added = variation.sigma * crossbar.levels * normal
            if variation.per is Per.WEIGHT:  # once a weight: in the first column, or a pair would cancel it
                g = g.copy()
                g[0] += added
            else:
                g = g + added
            if variation.mean is Mean.RAW:
                g = np.maximum(g, 0.0)
        else:
            factor = _factor(normal, variation)
            g = levels * factor + off if variation.relative_to is RelativeTo.WEIGHT else g * factor
    elapsed = math.log(variation.time_s / DRIFT_START_S)
    if elapsed and (variation.drift or variation.drift_sigma):
        exponent: Cells | float = variation.drift
        if variation.drift_sigma:
            exponent = variation.drift + variation.drift_sigma * draw(Purpose.DRIFT, True)
            exponent = np.maximum(exponent, 0.0)
        g = g * np.exp(-elapsed * np.asarray(exponent))
    if variation.stuck_off or variation.stuck_on:
        u = draw(Purpose.STUCK, True, uniform=True)
        g = np.where(u < variation.stuck_off, off, g)
        g = np.where(u >= 1.0 - variation.stuck_on, crossbar.levels + off, g)
    return g


def _factor(normal: Cells, variation: Variation) -> Cells:
    sigma, preserving = variation.sigma, variation.mean is Mean.PRESERVING
    if variation.distribution is Distribution.LOGNORMAL:
        factor: Cells = np.exp(sigma * normal - (0.5 * sigma**2 if preserving else 0.0))
        return factor
    factor = 1.0 + sigma * normal
    return factor if preserving else np.maximum(factor, 0.0)


def _wire_drop(g: Cells, crossbar: Crossbar, wire: float) -> Cells:
    """Apply IR drop array by array: an output's cells lie side by side, arrays hold whole outputs."""
    columns, slices, k, rows = g.shape
    matrix = g.transpose(3, 2, 0, 1).reshape(rows, -1)
    width = outputs_per_array(crossbar) * columns * slices
    for block in row_blocks(rows, crossbar):
        for start in range(0, matrix.shape[1], width):
            part = (block, slice(start, start + width))
            matrix[part] = fast_conductance(matrix[part], wire)
    return np.ascontiguousarray(matrix.reshape(rows, k, columns, slices).transpose(2, 3, 1, 0))


def fixed_point(values: Cells, rows: int, drive: int) -> tuple[npt.NDArray[Any], int]:
    """Values rounded to a binary fraction, and its bits, so that products with integers sum without rounding.

    Sums are exact in any order: in float32 if that leaves a fraction of at least 2**-8, else in float64 with at most
    2**-20. Results then depend on no BLAS, thread count or batch.

    Parameters
    ----------
    values : real numbers.
    rows : products of a sum.
    drive : greatest integer that they are multiplied by.

    Examples
    --------
    >>> fixed_point(np.array([0.1, 3.0]), rows=128, drive=1)[1], fixed_point(np.array([255.0]), rows=128, drive=255)[1]
    (14, 20)
    """
    most = max(float(np.abs(values).max(initial=0.0)), 1.0) * rows * drive
    magnitude = math.ceil(math.log2(most))
    narrow = min(23 - magnitude, 16)
    if narrow >= 8:
        return _rounded(values, narrow).astype(np.float32), narrow
    wide = min(52 - magnitude, 20)
    return _rounded(values, wide), wide


def _rounded(values: Cells, bits: int) -> Cells:
    rounded: Cells = np.rint(values * 2.0**bits) / 2.0**bits
    return rounded
