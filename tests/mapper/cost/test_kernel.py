"""The compiled loops against the closed form on arrays, the compiler's cut, and Programs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.cost.activity import TOTALS
from arch_model.errors import AcceleratorError, MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.transfers import read_cycles, store_cycles
from mapper.cost import kernel as loop
from mapper.cost.layer_batch import CutLayer, LayerBatch, layer_costs
from mapper.layout.tensors import tile_grid
from mapper.lowering.quick_choice import choose
from mapper.lowering.tiling import check_least
from sim.explore.price import layer_row, machine_row

TINY, ZCU = Accelerator.load("tiny"), Accelerator.load("zcu104")


def priced(layer: Layer, a: Accelerator, hit: int, add: bool) -> tuple[tuple[int, int], np.ndarray]:
    x, m, grid = layer_row(layer, add), machine_row(a), tile_grid(layer, a)
    streamed = grid.tiles - hit * grid.windows * grid.ct
    rows, chunk = loop.cut(x, m, streamed, streamed <= a.db_half_tiles, int(add))
    cost = np.zeros(len(loop.COST), np.int64)
    loop.price_layer(x, m, a.db_half_tiles, rows, chunk, hit, cost)
    return (rows, chunk), cost


def test_by_hand_of_docs_model() -> None:
    layer = Layer("a", Kind.CONV, K=3, C=3, R=3, S=3, H=4, W=4, padding=1)
    _, cost = priced(layer, TINY, 0, False)
    found = dict(zip(loop.COST, cost.tolist(), strict=True))
    assert found["cycles"] == 274
    assert [found[f"{port}_bytes"] for port in ("prog", "wgt", "act", "b", "out")] == [224, 140, 48, 0, 48]
    assert (found["steps"], found["sums_read"], found["pixels_done"], found["store_words"]) == (16, 0, 16, 16)


@st.composite
def machines(draw: st.DrawFn) -> Accelerator:
    kp, cp = draw(st.sampled_from([1, 2, 3, 4, 8, 16, 24])), draw(st.sampled_from([1, 3, 4, 9, 16]))
    bits = draw(st.sampled_from([32, 64, 128, 256, 512]))
    try:
        return TINY.replace(
            array={"kp": kp, "cp": cp},
            axi={"data_bits": bits, "pixels": draw(st.sampled_from([1, 2, 4]))},
            dram={"latency_cycles": draw(st.integers(1, 60)), "cycles_per_beat": draw(st.integers(1, 4))},
            buffers={
                "pb_bytes": draw(st.integers(0, 60_000)),
                "db_bytes": draw(st.integers(18 * kp * cp, 40_000)),
                "sb_bytes": draw(st.integers(2_000, 60_000)),
                "ob_bytes": draw(st.integers(400, 8_000)),
                "ob_out_bytes": draw(st.integers(2_000, 30_000)),
                "zsb_bytes": 16 * kp * 128,
            },
        )
    except AcceleratorError:
        return TINY


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    kernel, stride = draw(st.sampled_from([1, 3, 3, 5, 7])), draw(st.sampled_from([1, 2]))
    padding = draw(st.integers(0, kernel // 2))
    h, w = (draw(st.integers(max(1, kernel - 2 * padding), 20)) for _ in range(2))
    k, c = draw(st.integers(1, 70)), draw(st.integers(1, 70) | st.integers(1, 3))  # some images, which may be folded
    return Layer("a", Kind.CONV, K=k, C=c, R=kernel, S=kernel, H=h, W=w, stride=stride, padding=padding)


@settings(max_examples=120, deadline=None)
@given(machines(), layers(), st.booleans(), st.integers(0, 40))
def test_equals_the_closed_form_on_arrays(a: Accelerator, layer: Layer, add: bool, hit: int) -> None:
    x, m = layer_row(layer, add), machine_row(a)
    try:
        check_least(layer, a)
    except MappingError:
        assert not loop.fits(x, m)
        return
    assert loop.fits(x, m)
    grid = tile_grid(layer, a)
    hit = min(hit, grid.kt)
    tiling = choose(layer, a, grid.tiles - hit * grid.windows * grid.ct, add)
    own, cost = priced(layer, a, hit, add)
    assert own == (tiling.rows, tiling.chunk)
    batch = LayerBatch.of([CutLayer(layer, tiling, (hit, grid.ct), add)], [a])
    known = layer_costs(batch)
    found = dict(zip(loop.COST, cost.tolist(), strict=True))
    for name in ("cycles", "prog_bytes", "wgt_bytes", "act_bytes", "b_bytes", "out_bytes"):
        assert found[name] == getattr(known, name)[0], name


@settings(max_examples=40, deadline=None)
@given(machines(), layers(), st.booleans(), st.integers(0, 40))
def test_totals_are_those_of_the_layers_commands(a: Accelerator, layer: Layer, add: bool, hit: int) -> None:
    from mapper.cost.layer_cost import LayerCosts
    from mapper.workload.fusion import Step

    if not loop.fits(layer_row(layer, add), machine_row(a)):
        return
    grid = tile_grid(layer, a)
    hit = min(hit, grid.kt)
    hits = np.full((grid.rows, grid.ct), -1, np.int64)
    count = hit * grid.windows * grid.ct
    hits.reshape(-1)[:count] = np.arange(count)
    other = Layer("b", Kind.ADD, K=layer.K, C=layer.K, H=layer.P, W=layer.Q)
    step = Step(layer, other if add else None)
    found = LayerCosts(step, a, hits).quick()
    _, cost = priced(layer, a, hit, add)
    assert cost[0] == found.cycles
    assert dict(zip(TOTALS, cost[1:].tolist(), strict=True)) == dict(found.totals)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.sampled_from([4, 8, 16, 32]), st.integers(1, 4),
    st.integers(1, 50), st.booleans(), st.sampled_from([1, 2, 4]),
)  # fmt: skip
def test_transfers(
    rows: int, cols: int, size: int, beat: int, interval: int, latency: int, add: bool, pixels: int
) -> None:
    read = loop.read_time(rows, cols, size, beat, interval, pixels)
    assert read == read_cycles(rows, cols, size, beat, interval, pixels)
    store = loop.store_time(rows, cols, size, beat, interval, latency, int(add), pixels)
    assert tuple(store) == store_cycles(rows, cols, size, beat, interval, latency, int(add), pixels)


@pytest.mark.parametrize("kernel,k,c,size,stride", [(3, 720, 720, 14, 1), (1, 2048, 512, 7, 1), (3, 128, 128, 56, 2)])
def test_layers_of_resnet_on_zcu104(kernel: int, k: int, c: int, size: int, stride: int) -> None:
    layer = Layer("a", Kind.CONV, K=k, C=c, R=kernel, S=kernel, H=size, W=size, stride=stride, padding=kernel // 2)
    tiling = choose(layer, ZCU, add=True)
    own, cost = priced(layer, ZCU, 0, True)
    assert own == (tiling.rows, tiling.chunk)
    assert cost[0] == layer_costs(LayerBatch.of([CutLayer(layer, tiling, add=True)], [ZCU])).cycles[0]
