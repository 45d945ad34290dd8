"""IR drop: what the resistance of an array's wires leaves of its conductances.

Rows are driven at column 0 and columns sensed, at 0 V, below the last row; each cell joins a node of its row's wire to
one of its column's, and neighbouring nodes, driver and sense amplifier included, are one wire segment apart. Cells are
linear, so the currents of the columns are ``V @ G_eff`` for some matrix whatever the inputs: IR drop collapses exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def exact_conductance(conductance: Matrix, wire: float) -> Matrix:
    """``G_eff`` by nodal analysis.

    Solves a dense system of ``2 * rows * cols`` nodes: for small arrays.

    Parameters
    ----------
    conductance : of the cells, (rows, cols), in any unit.
    wire : resistance of a segment, in the inverse unit.

    Returns
    -------
    array
        (rows, cols), in the unit of ``conductance``.

    Examples
    --------
    >>> float(exact_conductance(np.array([[1.0]]), 0.5)[0, 0])      # 0.5 + 1 + 0.5 in series
    0.5
    """
    if wire == 0:
        return conductance.copy()
    rows, cols = conductance.shape
    n, segment = rows * cols, 1.0 / wire
    row_node = np.arange(n).reshape(rows, cols)
    column_node = row_node + n
    system = np.zeros((2 * n, 2 * n))

    def join(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], value: Matrix | float) -> None:
        for i, j in ((a, b), (b, a)):
            np.add.at(system, (i.ravel(), i.ravel()), np.broadcast_to(value, i.shape).ravel())
            np.add.at(system, (i.ravel(), j.ravel()), -np.broadcast_to(value, i.shape).ravel())

    join(row_node, column_node, conductance)
    join(row_node[:, :-1], row_node[:, 1:], segment)
    join(column_node[:-1], column_node[1:], segment)
    system[row_node[:, 0], row_node[:, 0]] += segment  # the drivers
    system[column_node[-1], column_node[-1]] += segment  # the sense amplifiers
    drive = np.zeros((2 * n, rows))
    drive[row_node[:, 0], np.arange(rows)] = segment
    voltages = np.linalg.solve(system, drive)
    sensed: Matrix = voltages[column_node[-1]].T * segment
    return sensed


def fast_conductance(conductance: Matrix, wire: float) -> Matrix:
    """``G_eff`` to first order in the resistance of the wires.

    A cell's voltage falls by what the currents of its row and of its column, taken without drops, lose on the segments
    that they share with it. The drop ``x`` is applied as ``1 / (1 + x)``, equal to first order and never negative.

    Parameters
    ----------
    conductance : of the cells, (..., rows, cols): any number of arrays at once, in any unit.
    wire : resistance of a segment, in the inverse unit.

    Returns
    -------
    array
        Of the same shape and unit.

    Examples
    --------
    >>> float(fast_conductance(np.array([[1.0]]), 0.5)[0, 0])
    0.5
    """
    rows, cols = conductance.shape[-2:]
    from_driver = np.arange(1, cols + 1)
    to_sense = np.arange(rows, 0, -1)
    along_row = conductance @ np.minimum.outer(from_driver, from_driver).astype(np.float64)
    along_column = np.minimum.outer(to_sense, to_sense).astype(np.float64) @ conductance
    reduced: Matrix = conductance / (1.0 + wire * (along_row + along_column))
    return reduced
