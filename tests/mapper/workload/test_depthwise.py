import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.workload.depthwise import (
    column_of,
    column_tiles,
    entries_of,
    has_tiles,
    input_rows_of,
    is_channelwise,
    ones_tiles,
    refusals,
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
    }
    assert all(is_channelwise(one) and not has_tiles(one) for one in kinds.values())
    assert [name for name, one in kinds.items() if uses_ones(one)] == ["mean", "times"]
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
        (layer(Kind.MAXPOOL, r=2), "R"),
        (layer(Kind.MAXPOOL, size=4, stride=2, padding=1, ceil_mode=True), "padding"),
        (layer(Kind.AVGPOOL, padding=1), "padding"),
        (layer(Kind.AVGPOOL, r=2, size=5, stride=2, ceil_mode=True), "H"),
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
        layer(Kind.AVGPOOL, r=2, size=5, stride=2),
        layer(Kind.SCALE, r=1),
    ],
)
def test_what_every_machine_does(one):
    assert list(refusals(one)) == []
