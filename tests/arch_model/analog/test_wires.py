"""IR drop: the exact solve against circuits done by hand, the fast one against the exact one."""

import numpy as np
import pytest

from arch_model.analog import exact_conductance, fast_conductance


def test_one_row_of_two_cells_by_hand():
    # Driver, wire, node 0 (cell a, a column's wire to ground), wire, node 1 (cell b and its column's wire).
    wire, a, b = 0.01, 2.0, 3.0
    branch_a = 1 / (1 / a + wire)
    branch_b = 1 / (wire + 1 / b + wire)
    node = (1 / wire) / (1 / wire + branch_a + branch_b)
    exact = exact_conductance(np.array([[a, b]]), wire)
    assert exact[0] == pytest.approx([node * branch_a, node * branch_b], rel=1e-12)


def test_one_column_of_two_cells_by_hand():
    # Row 0 driven: its cell, then at node 0 of the column either down to the amplifier past row 1's branch or into it.
    wire, a, b = 0.02, 1.0, 4.0
    into_row_1 = 1 / (1 / b + wire)  # row 1's driver is at 0 V
    node_1_to_ground = 1 / wire + into_row_1
    total = wire + 1 / a + wire + 1 / node_1_to_ground
    current = 1 / total
    sensed = current * (1 / wire) / node_1_to_ground
    assert exact_conductance(np.array([[a], [b]]), wire)[0, 0] == pytest.approx(sensed, rel=1e-12)


def relaxed(g, wire, drive):
    """Column currents by Kirchhoff's law alone: every node again and again set to the mean of its neighbours."""
    rows, cols = g.shape
    along, down = np.zeros((rows, cols)), np.zeros((rows, cols))  # volts of the wires' nodes
    for _ in range(200_000):
        before = down.copy()
        for i in range(rows):
            for j in range(cols):
                left = drive[i] if j == 0 else along[i, j - 1]
                ends = [(left, 1 / wire), (down[i, j], g[i, j])] + (
                    [(along[i, j + 1], 1 / wire)] if j + 1 < cols else []
                )
                along[i, j] = sum(v * s for v, s in ends) / sum(s for _, s in ends)
                below = 0.0 if i + 1 == rows else down[i + 1, j]
                ends = [(below, 1 / wire), (along[i, j], g[i, j])] + ([(down[i - 1, j], 1 / wire)] if i else [])
                down[i, j] = sum(v * s for v, s in ends) / sum(s for _, s in ends)
        if np.abs(down - before).max() < 1e-15:
            break
    return down[-1] / wire


def test_an_array_against_kirchhoff_s_law_node_by_node():
    rng = np.random.default_rng(4)
    g, drive, wire = rng.uniform(0.2, 3, (4, 3)), rng.uniform(0, 1, 4), 0.05
    exact = drive @ exact_conductance(g, wire)
    assert exact == pytest.approx(relaxed(g, wire, drive), rel=1e-9)
    assert np.abs(exact / (drive @ g) - 1).min() > 0.1  # the drop is not small


def test_no_resistance_no_drop():
    g = np.random.default_rng(1).random((5, 7))
    assert (exact_conductance(g, 0.0) == g).all()
    assert (fast_conductance(g, 0.0) == g).all()


@pytest.mark.parametrize(
    ("size", "wire", "error"), [(8, 1e-4, 1e-5), (16, 1e-4, 1e-4), (16, 1e-3, 5e-3), (24, 1e-4, 5e-4)]
)
def test_fast_agrees_with_exact_far_better_than_no_model(size, wire, error):
    rng = np.random.default_rng(size)
    g = rng.integers(0, 4, (size, size)) / 3.0
    drive = rng.integers(0, 2, (50, size)).astype(float)
    exact, fast, none = (drive @ m for m in (exact_conductance(g, wire), fast_conductance(g, wire), g))
    scale = none.max()
    assert np.abs(fast - exact).max() / scale < error
    assert np.abs(fast - exact).max() < 0.05 * np.abs(none - exact).max()


def test_fast_takes_many_arrays_at_once():
    g = np.random.default_rng(2).random((3, 4, 5))
    assert np.allclose(fast_conductance(g, 1e-3)[1], fast_conductance(g[1], 1e-3), rtol=1e-15)
