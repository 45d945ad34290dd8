"""Layers as rows, by hand, and which of them reads a folded image."""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from mapper.lowering.layer_rows import layer_row, network_rows, tiling_row
from mapper.lowering.rows import LAYER, LAYER_AT, TILING
from mapper.lowering.tiling import Order, Tiling
from mapper.workload.fusion import Step

TINY, ZCU = Accelerator.load("tiny"), Accelerator.load("zcu104")


def named(row) -> dict[str, int]:
    return dict(zip(LAYER, row.tolist(), strict=True))


def test_a_dense_and_a_depthwise_layer_on_tiny() -> None:
    """KP 4, CP 3: 10 x 16 channels are 3 K-tiles and 6 C-tiles; 24 depthwise ones 6 K-tiles, 2 tiles of columns."""
    dense = named(layer_row(Step(Layer("a", Kind.CONV, K=10, C=16, R=5, S=5, H=8, W=8, padding=2)), TINY))
    assert (dense["k_tiles"], dense["windows"], dense["c_tiles"]) == (3, 4, 6)
    assert (dense["in_groups"], dense["entries"]) == (6, 3)
    deep = named(layer_row(Step(Layer("a", Kind.CONV, 24, 24, 3, 3, 16, 16, padding=1, groups=24)), TINY))
    assert (deep["form"], deep["k_tiles"], deep["windows"], deep["column_tiles"]) == (1, 6, 1, 2)


def test_only_a_reader_of_the_image_reads_it_folded() -> None:
    first = Layer("a", Kind.CONV, K=3, C=3, R=3, S=3, H=9, W=9, padding=1, inputs=(INPUT,))
    then = Layer("b", Kind.CONV, K=3, C=3, R=3, S=3, H=9, W=9, padding=1, inputs=("a",))
    xs, rows = network_rows((Step(first), Step(then)), ZCU)
    assert [named(x)["folded"] for x in xs] == [1, 0] and rows == 18
    assert [named(x)["source"] for x in xs] == [-1, 0] and [named(x)["output"] for x in xs] == [0, 9]


def test_a_tiling() -> None:
    row = tiling_row(Tiling(3, 4, 99, 2, Order.FILTERS, -1, 4))
    assert dict(zip(TILING, row.tolist(), strict=True)) == {
        "rows": 3, "chunk": 4, "filters": 1, "prologue_parts": 2, "prefetch_rows": -1, "interleave": 4, "stays": 0,
    }  # fmt: skip
    assert LAYER_AT > 0
