"""Sizes of the transfers that bring a prologue's weights, as the search's bounds take them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Layer
from mapper.lowering import dense
from mapper.search.weight_plan import LayerWeights


@lru_cache(maxsize=1 << 12)
def ramp(count: int, up: bool, down: bool, most: int, begin: int = 1) -> tuple[int, ...]:
    """As :func:`mapper.lowering.dense.ramp`.

    >>> ramp(12, True, False, most=12), ramp(12, True, True, most=12), ramp(12, False, False, most=5)
    ((1, 1, 2, 4, 4), (1, 1, 2, 4, 2, 1, 1), (5, 5, 2))
    """
    sizes = np.zeros(count + 1, np.int64)
    return tuple(sizes[: dense.ramp(sizes, 0, count, int(up), int(down), most, begin)].tolist())


def quarter_of(ct: int) -> int:
    """C-tiles of a quarter of a row of ``ct``.

    >>> quarter_of(57)
    15
    """
    return -(-ct // 4)


def comes_in_quarters(layer: Layer, weights: LayerWeights, accelerator: Accelerator) -> bool:
    """Whether rows of weight tiles can come in quarters: see :func:`mapper.lowering.dense.why_not`."""
    a, grid = accelerator, weights.grid
    several = grid.ct >= 8 and grid.rows > 1
    possible = several and grid.ct <= a.db_half_tiles and weights.streamed == grid.tiles
    return possible and 2 * a.tile_beats * a.dram.cycles_per_beat > layer.P * layer.Q
