"""Estimated cycles are those of the quick choice; estimated activity is that of the layer's commands, but for two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.cost.activity import TOTALS
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Activation, Kind, Layer
from arch_model.timing.rows import NEVER, machine_row
from mapper.cost.estimate import COSTS, CYCLES, add_up, estimate_each, fit_hits, rows_uncached
from mapper.cost.layer_cost import LayerCosts
from mapper.layout.tensors import tile_grid
from mapper.lowering.layer_rows import layer_row
from mapper.lowering.quick_choice import choose, quick_tiling
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import random_add, random_layer
from tests.mapper.random_nets import random_accelerator, random_channelwise

TINY = Accelerator.load("tiny")


def estimated(step: Step, a: Accelerator, hit: int, held: bool) -> dict[str, int]:
    found = np.zeros((1, COSTS), np.int64)
    kinds = np.array([[0], [0], [0], [hit], [held]])
    estimate_each(machine_row(a)[None], layer_row(step, a)[None, None], kinds, found)
    return dict(zip((*TOTALS, "cycles"), found[0].tolist(), strict=True))


def test_by_hand_of_docs_time() -> None:
    layer = Layer("a", Kind.CONV, K=3, C=3, R=3, S=3, H=4, W=4, padding=1)
    found = estimated(Step(layer), TINY, 0, True)
    # The slowest is FETCH: 4 slots of 8 beats, 2 cycles each. Nothing hides the load, 24 + 12 beats, and the STORE.
    assert found["cycles"] == 64 + 48 + 24 + 24
    assert [found[f"{port}_bytes"] for port in ("wgt", "act", "b", "out")] == [140, 48, 0, 48]
    assert (found["steps"], found["sums_read"], found["pixels_done"], found["store_words"]) == (16, 0, 16, 16)


@given(st.integers(0, 2**32))
def test_activity_is_that_of_the_commands(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, hit, held, slots = random_accelerator(rng), 0, True, None
    if dense := bool(rng.integers(2)):
        layer = random_layer(rng)
        step, grid = Step(layer, random_add(layer, rng)), tile_grid(layer, a)
        hit = min(int(rng.integers(0, grid.kt + 1)), a.pb_tiles // (grid.windows * grid.ct))
        slots = np.full((grid.rows, grid.ct), -1)
        slots[: hit * grid.windows] = np.arange(hit * grid.windows * grid.ct).reshape(-1, grid.ct)
        held = int((slots < 0).sum()) <= a.db_half_tiles
    else:
        step = Step(random_channelwise(rng))
    found = estimated(step, a, hit, held)
    try:
        tiling = quick_tiling(step, a, slots)
    except MappingError:
        assert found["cycles"] == NEVER
        return
    assert found.pop("cycles") == tiling.cycles
    known = dict(LayerCosts(step, a, slots).cost(tiling).totals)
    assert found.pop("prog_bytes") > 0 and known.pop("prog_bytes")
    if not dense:  # tiles of depthwise weights come again if half the DB cannot hold those of a chunk
        assert found.pop("db_tiles_loaded") <= known.pop("db_tiles_loaded")
        assert found.pop("wgt_bytes") <= known.pop("wgt_bytes")
    assert found == known


def test_tables_pools_and_few_weights_are_counted_exactly() -> None:
    a = Accelerator.load("zcu104")
    for layer in (
        Layer("a", Kind.CONV, 40, 40, 5, 5, 28, 28, 2, 2, groups=40, activation=Activation.HSWISH),
        Layer("b", Kind.CONV, 24, 40, 1, 1, 28, 28, activation=Activation.HSWISH),
        Layer("c", Kind.POOL, 40, 40, H=7, W=7),
        Layer("d", Kind.AVGPOOL, 64, 64, 2, 2, 28, 28, 2),
        Layer("e", Kind.SCALE, 64, 64, H=14, W=14, inputs=("x", "y")),
    ):
        found, known = estimated(Step(layer), a, 0, True), LayerCosts(Step(layer), a).quick()
        for name in TOTALS:
            assert found[name] == pytest.approx(known.totals[name], rel=0.4 if name == "prog_bytes" else 0), name


def test_rows_are_those_of_the_quick_choice_with_every_tile_streamed_again() -> None:
    layers = [Layer("a", Kind.CONV, 96, 96, 3, 3, 20, 20, padding=1), Layer("b", Kind.CONV, 8, 2000, 3, 3, 40, 40)]
    xs = np.array([[layer_row(Step(layer), TINY) for layer in layers]])
    rows = rows_uncached(machine_row(TINY)[None], xs, np.zeros(1, np.int64))
    assert tile_grid(layers[0], TINY).tiles > TINY.db_half_tiles
    assert rows.tolist() == [[choose(layers[0], TINY).rows, 0]]  # of the second no three rows fit


def test_the_pb_is_filled_by_worth_and_the_last_layer_is_cut() -> None:
    layers = [Layer("a", Kind.CONV, 12, 12, 3, 3, 20, 20, padding=1), Layer("b", Kind.CONV, 12, 12, 3, 3, 4, 4)]
    machine = machine_row(TINY.replace(buffers={"pb_bytes": 108 * 14}))[None]  # 14 tiles; each layer has 3 x 4
    xs, one = np.array([[layer_row(Step(layer), TINY) for layer in layers]]), np.zeros(1, np.int64)
    hits = fit_hits(machine, xs, one, rows_uncached(machine, xs, one), np.array([0, 1, 1]), np.array([0, 2, 3]))
    # Few pixels first; two tiles that are left are no K-tile of four; each network has the PB for itself.
    assert hits.tolist() == [[0, 3, 3]]


def test_sums() -> None:
    table = np.array([[1, 10], [2, 20], [4, 40]])
    assert add_up(table, np.array([[0, 1, 2]]), np.array([0, 2, 3])).tolist() == [[[3, 30], [4, 40]]]
    assert len(TOTALS) == CYCLES
