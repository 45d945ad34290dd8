"""The input of a dense layer: which rows a spatial tile reads, and the LOAD_ACTs that bring them.

Both halves of the SB take tiles in turn. Where the order of filters keeps a tile's input in its half, it comes once.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.machine.accelerator import TAPS
from arch_model.timing.rows import (
    AFTER_PASS,
    AFTER_STORE,
    BEATS,
    COUNT,
    CYCLES,
    LOAD_ACT_UNIT,
    NEED,
    OWNER,
    PASS_UNIT,
    act_at,
)
from mapper.lowering.buffers import new_row, next_half
from mapper.lowering.dense_loads import (
    ACT_BEATS,
    ACT_ONE,
    ACT_ROW,
    BEGUN,
    FREED,
    GROUP_STEP,
    INPUT,
    KEPT_HALF,
    KEPT_LOAD,
    LOADED,
    LOW_ROW,
    LOW_ROWS,
    NEXT_GROUP,
    PART,
    RELOADS,
    STORED,
    TILE,
    TILE_HALF,
    TILE_ROWS,
)
from mapper.lowering.rows import (
    AWAITED,
    GROUP,
    GROUPS,
    HEIGHT,
    IN_GROUPS,
    IN_ROWS,
    INPUT_ON_CHIP,
    KERNEL_ROWS,
    LAYER_OWNER,
    LOW,
    OUT_ROWS,
    PADDING,
    POINTWISE,
    ROW_DONE,
    SB_HALF,
    SB_LAST,
    SB_NEXT,
    SOURCE,
    STRIDE,
    T_FILTERS,
    T_ROWS,
)


@inner
def input_span(w: Ints, first: int, rows: int) -> tuple[int, int]:
    """The input rows that some output rows read.

    Parameters
    ----------
    w : workspace.
    first, rows : output rows, the first and how many.

    Returns
    -------
    first, end
        The first input row, and the one behind the last.
    """
    low = max(0, first * w[STRIDE] - w[PADDING])
    return low, min(w[HEIGHT], (first + rows - 1) * w[STRIDE] - w[PADDING] + w[KERNEL_ROWS])


@inner
def begin_tile(w: Ints, number: int) -> None:
    """Take a spatial tile; its input is loaded unless it is there, from before or from a STORE.

    Parameters
    ----------
    w : workspace.
    number : of the tile.
    """
    first = number * w[T_ROWS]
    w[TILE] = first
    w[TILE_ROWS] = min(w[T_ROWS], w[OUT_ROWS] - first)
    if w[RELOADS]:
        w[LOADED] = -1
    low, high = input_span(w, first, w[TILE_ROWS])
    in_parts = w[PART] > 0 and w[BEGUN] == 0
    w[GROUP_STEP] = w[PART] * (TAPS if w[POINTWISE] else 1) if in_parts else w[IN_GROUPS]
    if w[INPUT_ON_CHIP]:
        w[BEGUN] = 1
        w[INPUT] = -1
        w[NEXT_GROUP] = 0 if in_parts else w[IN_GROUPS]
        w[AWAITED] = w[w[ROW_DONE] + w[SOURCE] + high - 1] + 1
        return
    if w[OUT_ROWS] <= 2 * w[T_ROWS] and w[KEPT_HALF + number] >= 0:
        w[TILE_HALF] = w[KEPT_HALF + number]
        w[INPUT] = w[KEPT_LOAD + number]
        w[NEXT_GROUP] = w[IN_GROUPS]
        return
    w[LOW_ROW] = low
    w[LOW_ROWS] = high - low
    w[TILE_HALF] = next_half(w, SB_NEXT)
    w[FREED] = w[SB_LAST + w[TILE_HALF]]
    # A tile may be loaded as soon as its own rows are there; those after it are still in the making.
    w[STORED] = w[w[ROW_DONE] + w[SOURCE] + high - 1] if w[SOURCE] >= 0 else -1
    w[BEGUN] = 1
    w[NEXT_GROUP] = 0
    w[INPUT] = -1
    if not in_parts:
        load_part(w)


@inner
def input_cycles(w: Ints, rows: int) -> int:
    """Cycles of the transfer of input rows of a channel group.

    Parameters
    ----------
    w : workspace.
    rows : how many.
    """
    return w[ACT_ONE] + (rows - 1) * w[ACT_ROW]


@inner
def load_part(w: Ints) -> None:
    """The next part of the tile's input, which is loaded unless all of it is in the SB."""
    if w[INPUT_ON_CHIP]:
        w[NEXT_GROUP] += min(w[GROUP_STEP], w[IN_GROUPS] - w[NEXT_GROUP])
        return
    index = new_row(w, LOAD_ACT_UNIT)
    row, groups = act_at(w, index), min(w[GROUP_STEP], w[IN_GROUPS] - w[NEXT_GROUP])
    w[row + OWNER] = w[LAYER_OWNER]
    w[row + NEED] = w[COUNT + PASS_UNIT]
    w[row + AFTER_PASS] = w[FREED]
    w[row + AFTER_STORE] = w[STORED]
    w[row + BEATS] = groups * w[LOW_ROWS] * w[ACT_BEATS]
    w[row + CYCLES] = input_cycles(w, groups * w[LOW_ROWS])
    w[row + LOW] = w[LOW_ROW]
    w[row + IN_ROWS] = w[LOW_ROWS]
    w[row + GROUP] = w[NEXT_GROUP]
    w[row + GROUPS] = groups
    w[row + SB_HALF] = w[TILE_HALF]
    w[NEXT_GROUP] += groups
    w[INPUT] = index


@inner
def end_tile(w: Ints, number: int) -> None:
    """Leave a spatial tile: the last PASS so far is the last user of its half of the SB.

    Parameters
    ----------
    w : workspace.
    number : of the tile.
    """
    if w[INPUT_ON_CHIP]:
        return
    w[SB_LAST + w[TILE_HALF]] = w[COUNT + PASS_UNIT] - 1
    if w[T_FILTERS] and number < 2:
        w[KEPT_HALF + number] = w[TILE_HALF]
        w[KEPT_LOAD + number] = w[INPUT]
