"""Layers as one Program: no room, what is not possible, and where each layer's commands stand."""

from __future__ import annotations

import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.timing.rows import OWNER, PASS_UNIT, STORE_UNIT, machine_row, order_of, stream
from mapper.lowering.layer_rows import network_rows, tiling_row
from mapper.lowering.network import cycles_of, why_refused
from mapper.lowering.rows import new_workspace
from mapper.lowering.tiling import Tiling
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")
FIRST = Layer("a", Kind.CONV, K=8, C=3, R=3, S=3, H=8, W=8, padding=1, inputs=(INPUT,))
THEN = Layer("b", Kind.CONV, K=4, C=8, H=8, W=8, inputs=("a",))
STEPS = (Step(FIRST), Step(THEN))


def workspace(commands: int, *tilings: Tiling) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    xs, tensor_rows = network_rows(STEPS, TINY)
    ts = np.array([tiling_row(tiling) for tiling in tilings], np.int64)
    return new_workspace(machine_row(TINY), commands, tensor_rows, 64), xs, ts


def test_a_stream_without_room_says_so_and_one_with_room_gives_the_same_again() -> None:
    cut = Tiling(8, 2), Tiling(8, 1)
    assert cycles_of(*workspace(1, *cut)) == 0
    w, xs, ts = workspace(64, *cut)
    assert cycles_of(w, xs, ts) == cycles_of(w, xs, ts) > 0


def test_the_rows_of_two_layers_by_hand() -> None:
    """8 filters are two K-tiles of a window and a C-tile; then one K-tile: a PASS each, a STORE for each layer."""
    w, xs, ts = workspace(64, Tiling(8, 2), Tiling(8, 1))
    cycles_of(w, xs, ts)
    assert stream(w, PASS_UNIT)[:, OWNER].tolist() == [0, 0, 1]
    assert stream(w, STORE_UNIT)[:, OWNER].tolist() == [0, 1]
    units = order_of(w)[:, 0].tolist()
    assert units.count(PASS_UNIT) == 3 and units.count(STORE_UNIT) == 2


def test_a_tiling_that_the_weights_do_not_allow_is_named() -> None:
    tilings = Tiling(8, 2), Tiling(8, 1, prologue_parts=2, interleave=4)
    w, xs, ts = workspace(64, *tilings)
    assert cycles_of(w, xs, ts) == -1
    with pytest.raises(MappingError, match=r"layer b: its weights do not allow the tiling .*interleave=4"):
        raise why_refused(w, STEPS, tilings, TINY)
