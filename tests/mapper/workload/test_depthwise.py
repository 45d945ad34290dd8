import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.workload.depthwise import (
    column_of,
    column_tiles,
    counted_taps,
    entries_of,
    has_tiles,
    input_rows_of,
    is_channelwise,
    ones_tiles,
    refusals,
    row_steps,
    skewed_shape,
    stride_of,
    uses_ones,
    windows_of,
)

TINY = Accelerator.load("tiny")  # KP 4, CP 3


def layer(kind=Kind.CONV, c=10, r=3, size=8, **rest):
    groups = c if kind is Kind.CONV else 1
    return Layer("a", kind, c, c, r, r, size, size, **{"groups": groups, **rest})


def test_which_layers_they_are():
    kinds = {
        "deep": layer(),
        "most": layer(Kind.MAXPOOL),
        "mean": layer(Kind.AVGPOOL, r=2),
        "times": layer(Kind.SCALE, r=1),
        "product": layer(Kind.MUL, r=1),
    }
    assert all(is_channelwise(one) and not has_tiles(one) for one in kinds.values())
    assert [name for name, one in kinds.items() if uses_ones(one)] == ["mean", "times", "product"]
    for other in (layer(groups=1), Layer("b", Kind.LINEAR, 4, 4), Layer("c", Kind.POOL, 4, 4, H=3, W=3)):
        assert not is_channelwise(other)
    assert has_tiles(layer(groups=1))


def test_windows_go_column_by_column_and_count_row_by_row():
    assert [(w.row, w.col, w.number) for w in windows_of(layer(r=5, padding=2))] == [
        (0, 0, 0),
        (3, 0, 2),
        (0, 3, 1),
        (3, 3, 3),
    ]


def test_columns_by_hand():
    """10 channels are three K-tiles. A 5 x 5 kernel has four windows: 12 columns, three a tile of CP 3."""
    deep = layer(r=5, padding=2)
    assert column_tiles(deep, TINY) == 4
    assert [column_of(deep, 2, w) for w in windows_of(deep)] == [8, 10, 9, 11]
    assert (entries_of(deep, TINY), entries_of(layer(Kind.MAXPOOL), TINY)) == (3, 1)
    assert column_tiles(layer(Kind.MAXPOOL), TINY) == 0 and ones_tiles(TINY) == 3
    # ones: 2 x 2 is number 3 (2 - 1) + 2 - 1, whatever the K-tile
    (two,) = windows_of(layer(Kind.AVGPOOL, r=2))
    assert column_of(layer(Kind.AVGPOOL, r=2), 2, two) == 4


def test_which_windows_count_their_taps():
    """A maximum smaller than 3 x 3 and an average beyond the tensor: 4 times the rows plus the columns."""
    taps = {
        layer(Kind.MAXPOOL, padding=1): 0,
        layer(Kind.MAXPOOL, r=2): 10,
        Layer("a", Kind.MAXPOOL, 4, 4, 1, 3, 8, 8): 7,
        layer(Kind.AVGPOOL): 0,
        layer(Kind.AVGPOOL, padding=1): 15,
        layer(Kind.AVGPOOL, r=2, size=8, stride=2, ceil_mode=True): 0,
        layer(Kind.AVGPOOL, r=2, size=7, stride=2, ceil_mode=True): 10,
        layer(padding=1): 0,
    }
    assert {one: counted_taps(one) for one in taps} == taps
    # entries are counted from that of 1 x 1 taps; of 3 x 3 there are nine
    assert [entries_of(one, TINY) for one in taps] == [1, 1, 1, 1, 9, 1, 5, 3]


def test_a_row_of_windows_beyond_the_last_column_takes_more_steps():
    """2 x 2 windows at -1 .. 7 of 8 columns: 9 steps; at stride 2 from -1 to 7 as many."""
    two = layer(Kind.MAXPOOL, r=2, padding=1)
    assert two.Q == 9 and row_steps(two) == 9
    assert row_steps(layer(Kind.MAXPOOL, r=2, padding=1, stride=2)) == 9
    assert row_steps(layer(Kind.MAXPOOL, padding=1)) == 8
    assert row_steps(layer(Kind.SCALE, r=1)) == 8  # one pixel under 8 windows


def test_a_product_brings_its_factors_row_by_row():
    product = layer(Kind.MUL, r=1)
    assert input_rows_of(product, 3, 2) == (3, 2) and stride_of(product) == 1 and row_steps(product) == 8
    assert [(w.rows, w.cols) for w in windows_of(product)] == [(1, 1)]


def test_a_scaling_brings_its_factors():
    times = layer(Kind.SCALE, r=1)
    assert input_rows_of(times, 3, 2) == (0, 1) and stride_of(times) == 0
    assert skewed_shape(times, 1) == (1, 1)  # a pixel, up to two columns of skew


@pytest.mark.parametrize(
    ("one", "field"),
    [
        (layer(groups=5), "groups"),
        (Layer("a", Kind.CONV, 8, 4, 3, 3, 8, 8, groups=4), "groups"),
        (layer(padding=2), "padding"),
        (layer(Kind.MAXPOOL, r=4), "R"),
        (Layer("a", Kind.MAXPOOL, 4, 4, 1, 4, 8, 8), "S"),
        (layer(Kind.AVGPOOL, r=5, padding=1), "R"),
        (Layer("a", Kind.AVGPOOL, 4, 4, 1, 4, 8, 7, stride=2, ceil_mode=True), "S"),
    ],
)
def test_what_no_machine_does(one, field):
    assert next(refusals(one))[0] == field


@pytest.mark.parametrize(
    "one",
    [
        layer(padding=1, stride=2),
        layer(r=7, padding=3, size=1),
        layer(Kind.MAXPOOL, size=7, stride=2, padding=1, ceil_mode=True),
        layer(Kind.MAXPOOL, size=6, stride=2, ceil_mode=True),
        layer(Kind.MAXPOOL, size=4, stride=2, padding=1, ceil_mode=True),
        *(layer(Kind.MAXPOOL, r=r, stride=2) for r in (1, 2)),
        Layer("a", Kind.MAXPOOL, 4, 4, 1, 3, 8, 8),
        layer(Kind.AVGPOOL, r=2, size=5, stride=2),
        layer(Kind.AVGPOOL, r=2, size=5, stride=2, ceil_mode=True),
        layer(Kind.AVGPOOL, padding=1),
        layer(Kind.AVGPOOL, r=7),
        layer(Kind.SCALE, r=1),
    ],
)
def test_what_every_machine_does(one):
    assert list(refusals(one)) == []
