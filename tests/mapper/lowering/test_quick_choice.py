"""The quick choice against every cut of a layer, each with the estimate as the pages have it, in plain Python."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import PASS_OVERHEAD
from arch_model.network.layer import Kind, Layer
from arch_model.timing.reference_timing import run_cycles
from mapper.layout.tensors import folds, tile_grid
from mapper.lowering.depthwise_tiling import Cut, check_cut
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.quick_choice import choose, choose_each, quick_tiling
from mapper.lowering.tiling import Tiling, chunk_unit
from mapper.workload.depthwise import input_rows_of, input_size, k_tiles_of, row_steps, stride_of, windows_of
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import random_add, random_hits, random_layer
from tests.mapper.random_nets import random_accelerator, random_channelwise

TINY = Accelerator.load("tiny")


def row_cycles(cols: int, a: Accelerator, folded: bool = False) -> int:
    words, together = a.row(cols, folded)
    return max(a.pitch(cols, folded) // a.beat_bytes * a.dram.cycles_per_beat, -(-words // together))


def steady_state(step: Step, a: Accelerator, rows: int, chunk: int, streamed: int) -> int:
    """Of a dense layer: the slowest of the units in each spatial tile, and what hides behind nothing."""
    layer, grid, latency = step.layer, tile_grid(step.layer, a), a.dram.latency_cycles
    tiles, chunks = -(-layer.P // rows), -(-grid.kt // chunk)
    inside = min((rows - 1) * layer.stride + layer.R, layer.H)
    compute = grid.tiles * max(rows * layer.Q, a.kp + PASS_OVERHEAD)
    load = latency + a.groups(layer.C) * inside * row_cycles(layer.W, a, folds(layer, a))
    stored = a.groups(layer.K) * rows * row_cycles(layer.Q, a)
    store = chunks * latency * (2 if step.add else 1) + stored
    fetch = (grid.rows + 1 + 2 * chunks) * 32 * a.dram.cycles_per_beat // a.program_beat_bytes
    weights = streamed * max(a.tile_beats * a.dram.cycles_per_beat, a.kp)
    slowest = max(compute, load, store, fetch)
    stays = streamed <= a.db_half_tiles
    steady = max(tiles * slowest, weights) if stays else tiles * max(slowest, weights)
    return steady + load + stored // chunks + latency


def pipeline(step: Step, a: Accelerator, cut: Cut) -> int:
    """Of a depthwise layer: loads, passes and stores one after another, each with two halves of its buffer."""
    layer, latency, kt = step.layer, a.dram.latency_cycles, k_tiles_of(step.layer, a)
    width, operands = input_size(layer)[1], 2 if step.add or layer.kind.is_product else 1
    loaded, ran, stored, freed = 0, [0, 0], [0, 0], [0, 0]
    for chunk in range(0, kt, cut.chunk):
        k_tiles, come = min(cut.chunk, kt - chunk), 0
        groups = a.groups(min(k_tiles * a.kp, layer.C))
        for first in range(0, layer.P, cut.rows):
            rows = min(cut.rows, layer.P - first)
            low, count = input_rows_of(layer, first, rows)
            free = (freed[0] if first == 0 else 0) if cut.stays else ran[0]
            come = come if cut.stays else low
            if low + count > come:
                loaded = max(loaded, free) + latency + groups * (low + count - come) * row_cycles(width, a)
            come = max(come, low + count)
            passes = 0
            for window in windows_of(layer):
                one = run_cycles(1, layer.Q, 1, stride_of(layer), width, 0) + window.col - layer.padding
                passes += max((rows - 1) * row_steps(layer) + one, a.kp + PASS_OVERHEAD)
            ran = [ran[1], max(loaded, ran[1], stored[0]) + k_tiles * passes]
            out = operands * latency + groups * rows * row_cycles(layer.Q, a)
            stored = [stored[1], max(ran[1], stored[1]) + out]
        freed = [freed[1], ran[1]]
    return stored[1]


def chunks(kt: int, a: Accelerator) -> list[int]:
    """Of all chunks with the same number of stores the smallest."""
    units = -(-kt // chunk_unit(a))
    return sorted({min(-(-units // n) * chunk_unit(a), kt) for n in range(1, units + 1)})


@given(st.integers(0, 2**32))
def test_no_cut_of_a_dense_layer_is_estimated_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), random_layer(rng)
    step, hits = Step(layer, random_add(layer, rng)), random_hits(layer, a, rng)
    streamed, found = int((hits < 0).sum()), {}
    rows = sorted({-(-layer.P // n) for n in range(1, layer.P + 1)})
    for cut in ((r, c) for r in rows for c in chunks(tile_grid(layer, a).kt, a)):
        try:
            LayerOnMachine(layer, a).check_tiling(Tiling(*cut), 0)
        except MappingError:
            continue
        found[cut] = steady_state(step, a, *cut, streamed)
    if not found:
        with pytest.raises(MappingError, match="layer a: "):
            quick_tiling(step, a, hits)
        return
    chosen = quick_tiling(step, a, hits)
    assert found[chosen.rows, chosen.chunk] == chosen.cycles == min(found.values())


@given(st.integers(0, 2**32))
def test_no_cut_of_a_depthwise_layer_is_estimated_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), random_channelwise(rng)
    step, found = Step(layer), {}
    for chunk in chunks(k_tiles_of(layer, a), a):
        for rows, stays in ((rows, stays) for rows in range(1, layer.P + 1) for stays in (True, False)):
            cut = Cut(rows, chunk, stays)
            try:
                check_cut(layer, a, cut)
            except MappingError:
                continue
            found[cut] = pipeline(step, a, cut)
    if not found:
        with pytest.raises(MappingError, match="layer "):
            quick_tiling(step, a)
        return
    chosen = quick_tiling(step, a)
    assert found[Cut(chosen.rows, chosen.chunk, chosen.stays)] == chosen.cycles
    # Input stays wherever it can, so of those that stay and those that need not it is the best of their kind.
    kept = [cycles for cut, cycles in found.items() if cut.stays or Cut(cut.rows, cut.chunk, True) not in found]
    assert chosen.cycles == min(kept)


def test_a_global_pool_is_one_store() -> None:
    pool = Layer("c", Kind.POOL, K=8, C=8, H=4, W=4)
    chosen = quick_tiling(Step(pool), TINY)
    # 3 groups x 4 rows of 12 bytes: 3 beats, each 2 cycles; the address and the acknowledgement take 24
    assert (chosen.rows, chosen.chunk, chosen.cycles) == (1, 1, 3 * 4 * 6 + 48)


def test_a_layer_alone_is_a_step_without_an_add() -> None:
    dense = Layer("a", Kind.CONV, K=10, C=16, R=3, S=3, H=12, W=12, padding=1)
    other = Layer("b", Kind.ADD, K=10, C=10, H=12, W=12, inputs=("a", "c"))
    few, all_tiles = choose_each(dense, TINY, (2, tile_grid(dense, TINY).tiles))
    assert all_tiles == choose(dense, TINY) == quick_tiling(Step(dense), TINY)
    assert few.cycles <= all_tiles.cycles
    assert choose(dense, TINY, add=True) == quick_tiling(Step(dense, other), TINY)


def test_a_row_of_more_beats_than_a_command_holds_is_named() -> None:
    wide = TINY.replace(
        array={"cp": 63}, buffers={"sb_bytes": 18 * 63 << 15, "ob_out_bytes": 4 * 63 << 13, "ob_bytes": 1 << 18}
    )
    layer = Layer("a", Kind.CONV, K=1, C=1, R=17, S=17, H=17, W=4095)
    with pytest.raises(MappingError, match=r"layer a: it has \d+ beats of a row's input; a command holds at most 1048"):
        quick_tiling(Step(layer), wide)
    assert quick_tiling(Step(dataclasses.replace(layer, R=9, S=9)), wide).rows
