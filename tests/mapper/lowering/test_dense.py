"""How many commands a dense layer becomes, counted by hand, in both orders of its outer loops."""

from __future__ import annotations

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.rows import COUNT, REPS, stream
from mapper.cost.program_cost import ProgramCosts
from mapper.lowering.tiling import Order, Tiling
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")
LAYER = Layer("a", Kind.CONV, K=24, C=6, R=3, S=3, H=4, W=4, padding=1)
"""On 4 filters x 3 channels: 6 K-tiles in 2 chunks of 3, 2 C-tiles, one window, 4 output rows."""


@pytest.mark.parametrize(
    ("order", "rows", "loads"),
    [
        (Order.ROWS, 4, 1),
        (Order.ROWS, 2, 2),  # each input tile once
        (Order.ROWS, 1, 4),
        (Order.FILTERS, 2, 2),  # both tiles stay for the second chunk
        (Order.FILTERS, 1, 8),  # four do not fit two halves: they come again
    ],
)
def test_commands_of_a_layer(order: Order, rows: int, loads: int) -> None:
    costs = ProgramCosts([Step(LAYER)], TINY)
    costs.cycles([Tiling(rows, 3, order=order)])
    tiles = 4 // rows
    acts, _, passes, stores = costs.w[COUNT : COUNT + 4].tolist()
    assert (acts, passes, stores) == (loads, tiles * 6, tiles * 2)
    assert stream(costs.w, 2)[:, REPS].tolist() == [2] * passes  # a PASS goes over both C-tiles
