"""The layers of a SubNet, one after another, as commands of the four units and their times: the whole of it compiled.

:func:`lower` makes the streams of a Program's commands from rows of layers and tilings, and what of their weights is in
the PB; :func:`arch_model.timing.recurrence.issue` puts them in order and times them. :func:`cycles_of` is both for
layers whose times alone are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.timing.recurrence import issue
from arch_model.timing.rows import (
    COUNT,
    LOAD_WGT_UNIT,
    NEED,
    NEVER,
    OWNER,
    wgt_at,
)
from mapper.lowering.buffers import begin_layer, broken_rule
from mapper.lowering.dense import lower_dense
from mapper.lowering.dense_loads import load_tiles, why_not
from mapper.lowering.depthwise import lower_depthwise, lower_pool
from mapper.lowering.rows import (
    ALL_NEW,
    ALL_SLOTS,
    C_TILES,
    DENSE,
    DEPTHWISE,
    FAILED_LAYER,
    FAILURE,
    FORM,
    FULL,
    GROUP_BEGIN,
    GROUP_COUNT,
    K_TILES,
    LAYER,
    LAYER_AT,
    LAYER_OWNER,
    TILING,
    TILING_AT,
    WINDOWS,
    clear,
    new_workspace,
)
from mapper.lowering.tiling import Tiling
from mapper.lowering.weight_tiles import plan_weights
from mapper.workload.fusion import Step


@inner
def lower_layer(w: Ints, slots: int, new: int) -> int:
    """Append the commands of the layer and the tiling in the header.

    Parameters
    ----------
    w : workspace.
    slots, new : index at which the PB slots of a dense layer's tiles stand (0: none), as in :func:`lower`.

    Returns
    -------
    int
        0, or the code of why the tiling is not possible.
    """
    if w[FORM] == DENSE:
        return lower_dense(w, slots, new)
    if w[FORM] == DEPTHWISE:
        lower_depthwise(w)
    else:
        lower_pool(w)
    return 0


@compiled
def lower(w: Ints, xs: Ints, ts: Ints) -> int:
    """Append the commands of layers, in order, to a workspace that was cleared; 0, or why a tiling is not possible.

    If the PB has room, the tables at ``ALL_SLOTS`` and ``ALL_NEW`` say for the weight tiles of all dense layers, one
    layer after another, row by row, in which slot a tile is when its layer runs, -1 for those that are streamed through
    the DB; and to which slot it comes now, -1 for others.

    Parameters
    ----------
    w : workspace.
    xs, ts : (layers, columns), a row of :data:`~mapper.lowering.rows.LAYER` and of
        :data:`~mapper.lowering.rows.TILING` each.
    """
    at = 0
    for index in range(len(xs)):
        for column in range(len(LAYER)):
            w[LAYER_AT + column] = xs[index, column]
        for column in range(len(TILING)):
            w[TILING_AT + column] = ts[index, column]
        slots, new = w[ALL_SLOTS] + at if w[ALL_SLOTS] else 0, w[ALL_NEW] + at if w[ALL_NEW] else 0
        broken = lower_layer(w, slots, new)
        if w[FORM] == DENSE:
            at += w[K_TILES] * w[WINDOWS] * w[C_TILES]
        if broken or w[FAILURE] or w[FULL]:
            w[FAILED_LAYER] = index
            return broken
    return 0


def why_refused(w: Ints, steps: Sequence[Step], tilings: Sequence[Tiling], accelerator: Accelerator) -> MappingError:
    """What the layer breaks at which :func:`lower` stopped, as an error to raise.

    Parameters
    ----------
    w : workspace.
    steps : in order of execution.
    tilings : of each.
    accelerator : for which.
    """
    number = int(w[FAILED_LAYER])
    layer = steps[number].layer
    if failure := int(w[FAILURE]):
        return MappingError(broken_rule(failure, layer, accelerator))
    return MappingError(f"layer {layer.name}: its weights do not allow the tiling {tilings[number]}")


@compiled
def _planned(w: Ints, slots: int) -> int:
    plan_weights(w, slots)
    return why_not(w)


def plan_of(machine: Ints, layer: Ints, tiling: Ints, slots: Ints) -> tuple[int, int]:
    """What the weights of a dense layer say of a tiling.

    Parameters
    ----------
    machine, layer, tiling : a row of each.
    slots : PB slots of its weight tiles, row by row, -1 for those that are streamed.

    Returns
    -------
    The most tiles of a group, and what :func:`~mapper.lowering.dense_loads.why_not` says.
    """
    w = new_workspace(machine, 0, 0, len(slots), len(slots))
    w[LAYER_AT : LAYER_AT + len(LAYER)], w[TILING_AT : TILING_AT + len(TILING)] = layer, tiling
    w[w[ALL_SLOTS] : w[ALL_SLOTS] + len(slots)] = slots
    broken = _planned(w, int(w[ALL_SLOTS]))
    groups = w[w[GROUP_BEGIN] : w[GROUP_BEGIN] + w[GROUP_COUNT] + 1]
    return int(np.diff(groups).max(initial=0)), broken


@compiled
def load_for_later(w: Ints, layer: int, rows: int, c_tiles: int, slots: int) -> None:
    """Append LOAD_WGT commands of tiles of a layer that no PASS of this Program uses.

    Parameters
    ----------
    w : workspace.
    layer : the owner that tells it from others.
    rows, c_tiles : its weight tiles.
    slots : where the slot stands that each goes to, -1 for those that stay away.
    """
    before = w[COUNT + LOAD_WGT_UNIT]
    begin_layer(w)
    w[LAYER_OWNER] = layer
    w[K_TILES], w[WINDOWS], w[C_TILES] = rows, 1, c_tiles
    load_tiles(w, slots, slots + rows * c_tiles)
    for index in range(before, w[COUNT + LOAD_WGT_UNIT]):
        row = wgt_at(w, index)
        w[row + OWNER] = -1
        w[row + NEED] = NEVER


@compiled
def cycles_of(w: Ints, xs: Ints, ts: Ints) -> int:
    """Cycles of layers as one Program; 0 if the streams have no room for it, -1 if a tiling or a layer is not possible.

    Parameters
    ----------
    w : workspace.
    xs, ts : (layers, columns), as in :func:`lower`.
    """
    clear(w)
    if lower(w, xs, ts) or w[FAILURE]:
        return -1
    return 0 if w[FULL] else issue(w)
