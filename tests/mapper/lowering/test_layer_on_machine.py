"""A layer on a machine: facts of the two by hand, and what is refused."""

import pickle

import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.layout.tensors import TileGrid
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.tiling import Order, Tiling

TINY = Accelerator.load("tiny")  # KP 4, CP 3, 455 tiles in the PB, 64 in a half of the DB


def conv(k, c, size, r=3, **rest):
    return LayerOnMachine(Layer("a", Kind.CONV, k, c, r, r, size, size, padding=r // 2, **rest), TINY)


def test_facts_by_hand():
    windows, pointwise = conv(10, 16, 8, 5), conv(40, 60, 8, 1)
    assert windows.grid == TileGrid(3, 4, 6) and not windows.pointwise and windows.groups == 6
    assert pointwise.grid == TileGrid(10, 1, 3) and pointwise.pointwise and pointwise.groups == 20
    assert windows.chunks.tolist() == [3] and pointwise.chunks.tolist() == [3, 6, 9, 10]  # units of 3, or all
    assert windows.accumulates and pointwise.accumulates and not conv(4, 27, 8, 1).accumulates


def test_tiles_that_half_the_db_does_not_hold_come_for_every_spatial_tile():
    on = conv(10, 16, 8)
    rows, filters = Tiling(3, 3), Tiling(3, 3, order=Order.FILTERS)
    assert on.fetches(TINY.db_half_tiles, rows) == 1
    assert on.fetches(TINY.db_half_tiles + 1, rows) == 3  # 8 rows in tiles of 3
    assert on.fetches(TINY.db_half_tiles + 1, filters) == 1
    assert on.saved_tiles(rows, rows, 5) == on.grid.tiles - 5


@pytest.mark.parametrize(
    ("tiling", "message"),
    [
        (Tiling(9, 3), "layer a: rows of its tiling is 9; give 1 to 8"),
        (Tiling(2, 2), "layer a: chunk of its tiling is 2; give one of 3"),
        (Tiling(2, 3, prologue_parts=0), "layer a: prologue_parts of its tiling is 0; give 1 or more"),
        (Tiling(2, 3, prefetch_rows=-2), "layer a: prefetch_rows of its tiling is -2; give -1 or more"),
        (
            Tiling(2, 3, interleave=4),
            "layer a: interleave of its tiling is 4; give 1, or 4 if a chunk has as many K-tiles",
        ),
    ],
)
def test_a_tiling_that_is_not_legal_is_named(tiling, message):
    with pytest.raises(MappingError) as error:
        conv(10, 16, 8).check_tiling(tiling, 0)
    assert str(error.value) == message


def test_it_is_a_value():
    on = conv(10, 16, 8)
    assert on.grid and on == conv(10, 16, 8) and hash(on) == hash(conv(10, 16, 8))
    assert pickle.loads(pickle.dumps(on)) == on
