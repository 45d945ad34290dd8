"""From int8 weights to levels of cells and to their columns in arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arch_model.analog.crossbar import Crossbar, Encoding
from arch_model.errors import AnalogError

Levels = npt.NDArray[np.int64]


def quantise(weights: npt.ArrayLike, crossbar: Crossbar) -> Levels:
    """Weights in units of ``crossbar.weight_step``, rounded half to even; with 8 weight bits they stay as they are.

    Parameters
    ----------
    weights : int8 of any shape.
    crossbar : gives the bits of a weight.

    Returns
    -------
    int64 array
        Of the same shape.

    Examples
    --------
    >>> quantise([127, 6, -6, -128], Crossbar(weight_bits=6)).tolist()     # steps of 4: 31.75 and -32 are clipped
    [31, 2, -2, -31]
    """
    w = np.asarray(weights, dtype=np.int64)
    if crossbar.weight_step == 1:
        return w
    most = (1 << (crossbar.weight_bits - 1)) - 1
    return np.clip(np.rint(w / crossbar.weight_step), -most, most).astype(np.int64)


def place_values(crossbar: Crossbar) -> Levels:
    """What one level counts in each cell slice, in quantised weights: int64 (slices,).

    >>> place_values(Crossbar(cell_bits=2)).tolist()
    [1, 4, 16, 64]
    """
    return np.int64(1) << (crossbar.cell_bits * np.arange(crossbar.cell_slices))


def offset_of(crossbar: Crossbar) -> int:
    """What is added to a quantised weight before it is stored: 0 unless the encoding is offset."""
    return 1 << (crossbar.weight_bits - 1) if crossbar.encoding is Encoding.OFFSET else 0


def to_levels(quantised: Levels, crossbar: Crossbar) -> Levels:
    """Levels of the cells that hold weights.

    Parameters
    ----------
    quantised : (...), as :func:`quantise` gives them.
    crossbar : gives the encoding and the bits of a cell.

    Returns
    -------
    int64 array
        (columns, slices, ...). There are 2 columns, for positive and negative weights, or 1 with the offset encoding.

    Raises
    ------
    AnalogError
        The cells cannot hold a weight (-128 in seven one-bit cells).

    Examples
    --------
    >>> to_levels(np.array([-7]), Crossbar(cell_bits=2))[:, :, 0].tolist()              # 7 = 3 + 1 * 4
    [[0, 0, 0, 0], [3, 1, 0, 0]]
    >>> to_levels(np.array([-7]), Crossbar(encoding="offset", cell_bits=4))[:, :, 0].tolist()      # 121 = 9 + 7 * 16
    [[9, 7]]
    """
    stored = quantised + offset_of(crossbar)
    if crossbar.encoding is Encoding.OFFSET:
        columns = stored[None]
    else:
        columns = np.stack([np.maximum(stored, 0), np.maximum(-stored, 0)])
    most = (1 << (crossbar.cell_bits * crossbar.cell_slices)) - 1
    if columns.size and (columns.max() > most or columns.min() < 0):
        raise AnalogError(
            f"crossbar: a weight of {int(np.abs(quantised).max())} does not fit {crossbar.cell_slices} cells of "
            f"{crossbar.cell_bits} bits with encoding {crossbar.encoding}; give more cell_bits"
        )
    shifts = crossbar.cell_bits * np.arange(crossbar.cell_slices)
    shape = (1, crossbar.cell_slices) + (1,) * quantised.ndim
    return (columns[:, None] >> shifts.reshape(shape)) & crossbar.levels


def row_blocks(rows: int, crossbar: Crossbar) -> list[slice]:
    """The rows of each array that a long column is cut into.

    Parameters
    ----------
    rows : inputs of the column.
    crossbar : gives the rows of an array.

    Examples
    --------
    >>> row_blocks(300, Crossbar(rows=128))
    [slice(0, 128, None), slice(128, 256, None), slice(256, 300, None)]
    """
    return [slice(start, min(start + crossbar.rows, rows)) for start in range(0, rows, crossbar.rows)]


def outputs_per_array(crossbar: Crossbar) -> int:
    """Output channels side by side in one array: all cells of a weight are in the same row of the same array."""
    return crossbar.cols // crossbar.cells
