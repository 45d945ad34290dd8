"""The fast engine: noise collapsed into effective weights, one product a row block."""

from __future__ import annotations

import numpy as np

from arch_model.analog import Crossbar, Encoding, Variation, place_values, row_blocks
from sim.noise.engine.chip import Cells, Chip, fixed_point
from sim.noise.engine.hybrid import Adcs, Hybrid, HybridEngine, read_drive, require_fast
from sim.noise.engine.network import Bytes, Sums, columns
from sim.noise.engine.split import LayerSplit


class FastEngine(HybridEngine):
    """Exact for any slicing with ideal ADCs, and for ADCs that convert whole words.

    Without ADCs a differential pair or two columns of opposite sign are one signed weight.

    Parameters
    ----------
    hybrid : the network and its crossbars.
    variation : of the cells.
    chip : what was drawn for them. None: the chip as intended.
    adcs : by layer. None: ideal conversion.

    Raises
    ------
    AnalogError
        ADCs convert slices one by one, which it cannot tell apart.
    """

    def __init__(self, hybrid: Hybrid, variation: Variation, chip: Chip | None, adcs: Adcs | None = None) -> None:
        require_fast(hybrid.crossbar)
        self._effective: dict[str, Sums] = {}
        self._variance: dict[str, Sums] = {}
        super().__init__(hybrid, variation, chip, adcs)

    def _prepare(self, name: str, split: LayerSplit, cells: Cells) -> None:
        subtract_columns = not self._needs_blocks(name)
        effective = collapse(cells, self.crossbar, subtract_columns)
        self._effective[name] = fixed_point(effective, effective.shape[-1], 255)[0].astype(np.float64)
        if self._read:
            squares = np.tensordot(place_values(self.crossbar).astype(np.float64) ** 2, cells**2, (0, 1))
            apart = self.crossbar.encoding is Encoding.SIGN_MAGNITUDE and not subtract_columns
            variance = squares if apart else squares.sum(axis=0, keepdims=True)
            self._variance[name] = self._read**2 * variance.reshape(-1, cells.shape[-1])

    def _analog(self, split: LayerSplit, u: Bytes, noise: np.random.Generator) -> Sums:
        layer, name = split.layer, split.layer.name
        zero = self._zero[name]
        taps = columns(layer, u, zero, np.float64)
        squares = None
        if self._read:
            drive = read_drive(self.crossbar)
            squares = columns(layer, drive[u], float(drive[zero]), np.float64)
        effective = self._effective[name]
        blocks = row_blocks(len(taps), self.crossbar) if self._needs_blocks(name) else [slice(0, len(taps))]
        total: Sums | None = None
        for rows in blocks:
            x: Sums = effective[:, rows] @ taps[rows]
            if squares is not None:
                deviation = np.sqrt(self._variance[name][:, rows] @ squares[rows])
                x += deviation * noise.standard_normal(x.shape)
            if adc := self._adc(name, 0, x):
                adc.convert(x)
            total = x if total is None else np.add(total, x, out=total)
        assert total is not None  # a crossbar has rows
        return total if len(total) == layer.K else total[: layer.K] - total[layer.K :]


def collapse(cells: Cells, crossbar: Crossbar, subtract_columns: bool) -> Sums:
    """Effective weights of cells, in quantised weights.

    Columns of opposite sign become one weight if their currents are subtracted before conversion; else the positive K
    come first.

    Parameters
    ----------
    cells : conductances, (columns, slices, K, rows).
    crossbar : gives the encoding.
    subtract_columns : subtract columns where conversion is ideal, too.

    Returns
    -------
    float64 array
        (K or 2 K, rows).

    Examples
    --------
    >>> cells = np.array([[[[2.0]], [[1.0]]], [[[0.5]], [[0.0]]]])                 # 2 + 4 * 1, and 0.5
    >>> collapse(cells, Crossbar(cell_bits=2, weight_bits=5), subtract_columns=True).tolist()
    [[5.5]]
    """
    words = np.tensordot(place_values(crossbar).astype(np.float64), cells, (0, 1))
    if crossbar.encoding is not Encoding.OFFSET and (crossbar.encoding.is_signed or subtract_columns):
        words = words[:1] - words[1:]
    return np.ascontiguousarray(words.reshape(-1, cells.shape[-1]))
