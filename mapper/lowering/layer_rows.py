"""Layers and tilings as rows of int64, from the objects that describe them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arch_model.compiled import Ints
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind
from arch_model.timing.rows import TO_DRAM
from mapper.layout.memory_map import image_folds
from mapper.layout.tensors import folds, is_pointwise, tile_grid
from mapper.lowering.placement import Placement
from mapper.lowering.rows import (
    AFTER_FIRST,
    AFTER_SECOND,
    DENSE,
    DEPTHWISE,
    GLOBAL_POOL,
    HALVES,
    INPUT_ON_CHIP,
    LAST_PASS,
    LAYER_AT,
    OUTPUT_TO,
    SB_ROOM,
)
from mapper.lowering.tiling import Order, Tiling
from mapper.workload.depthwise import (
    column_tiles,
    entries_of,
    input_size,
    is_channelwise,
    k_tiles_of,
    ones_tiles,
    uses_ones,
    windows_of,
)
from mapper.workload.fusion import Step


def layer_row(
    step: Step, accelerator: Accelerator, owner: int = 0, source: int = -1, output: int = 0, folded: bool | None = None
) -> Ints:
    """A step on a machine as a row of :data:`mapper.lowering.rows.LAYER`.

    Parameters
    ----------
    step, accelerator : what runs where.
    owner : the step's number in its Program.
    source, output : where the rows of its tensors begin in the table of finished rows; -1: in DRAM from the start.
    folded : whether its input is a folded image; None: if it can be one.
    """
    layer, a = step.layer, accelerator
    height, width = input_size(layer)
    depthwise = is_channelwise(layer)
    if depthwise:
        kt, ct, windows = k_tiles_of(layer, a), 0, len(windows_of(layer))
        columns = ones_tiles(a) if uses_ones(layer) else column_tiles(layer, a)
    else:
        grid, columns = tile_grid(layer, a), 0
        kt, ct, windows = grid.kt, grid.ct, grid.windows
    form = GLOBAL_POOL if layer.kind is Kind.POOL else DEPTHWISE if depthwise else DENSE
    beside = step.add is not None or layer.kind.is_product
    sizes = (layer.K, layer.C, height, width, layer.R, layer.S, layer.stride, layer.padding, layer.P, layer.Q)
    folded = folds(layer, a) if folded is None else folded
    kinds = (form, is_pointwise(layer), folded, layer.kind is Kind.SCALE, layer.kind.has_weights)
    entries = entries_of(layer, a) if depthwise else kt
    counts = (kt, ct, windows, a.groups(layer.C), entries, not layer.activation.is_clamp, beside, columns)
    in_halves = (0, TO_DRAM, 0, HALVES, HALVES, -1)
    return np.array([*sizes, *kinds, *counts, source, output, owner, *in_halves], np.int64)


def tiling_row(tiling: Tiling) -> Ints:
    """A tiling as a row of :data:`mapper.lowering.rows.TILING`."""
    t = tiling
    filters = t.order is Order.FILTERS
    return np.array([t.rows, t.chunk, filters, t.prologue_parts, t.prefetch_rows, t.interleave, t.stays], np.int64)


def network_rows(steps: Sequence[Step], accelerator: Accelerator) -> tuple[Ints, int]:
    """The steps of a SubNet as rows of layers, and how many rows its tensors have together.

    Parameters
    ----------
    steps : in order of execution.
    accelerator : that runs them.

    Returns
    -------
    rows, tensor_rows
        Int64 (layers, columns) of :data:`mapper.lowering.rows.LAYER`, and a number.
    """
    begins: dict[str, int] = {}
    rows, total, image = [], 0, image_folds(steps, accelerator)
    for owner, step in enumerate(steps):
        begins[step.output] = total
        folded = image and step.source == INPUT
        rows.append(layer_row(step, accelerator, owner, begins.get(step.awaited, -1), total, folded))
        total += step.layer.P
    return np.array(rows, np.int64), total


def placed_rows(xs: Ints, tensor_rows: int, placement: Placement) -> tuple[Ints, int]:
    """Rows of layers some of whose tensors stay in the SB.

    Parameters
    ----------
    xs, tensor_rows : as :func:`network_rows` gives them.
    placement : which tensors stay, and where.

    Returns
    -------
    rows, places
        The rows, and how many places their table of finished rows needs, with those for last PASSes.
    """
    xs, places = xs.copy(), tensor_rows
    last_pass = {step: places + number for number, step in enumerate(sorted(placement.awaited))}
    xs[:, INPUT_ON_CHIP - LAYER_AT] = np.array(placement.inputs) >= 0
    xs[:, OUTPUT_TO - LAYER_AT] = placement.outputs
    for owner, place in last_pass.items():
        xs[owner, LAST_PASS - LAYER_AT] = place
    for owner, loads in placement.loads.items():
        xs[owner, SB_ROOM - LAYER_AT] = loads.room
        after = [last_pass.get(step, -1) for step in loads.after]
        xs[owner, AFTER_FIRST - LAYER_AT], xs[owner, AFTER_SECOND - LAYER_AT] = after
    return xs, places + len(xs)
