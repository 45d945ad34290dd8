from dataclasses import replace

import pytest

from arch_model.network.layer import Activation, Kind, Layer, read_layer_table
from arch_model.network.supernet import SubNet
from arch_model.spaces import get_space
from mapper.importers import NetworkError, write_layer_table


def test_cosim_reads_it(tmp_path):
    subnet = get_space("fashion").subnet("fashion-d122-w234")
    left = write_layer_table(path := tmp_path / "layers.csv", subnet)
    assert {layer.kind for layer in left} == {Kind.ADD}
    rows = read_layer_table(path)
    assert [row.layer.name for row in rows] == [layer.name for layer in subnet.layers if layer.kind is not Kind.ADD]
    assert sum(row.layer.macs for row in rows) == subnet.macs and {row.network for row in rows} == {subnet.name}


def test_names_with_commas_and_quotes(tmp_path):
    subnet = SubNet("n", "n", (Layer('a,"b"', Kind.LINEAR, 4, 4, inputs=("input",)),))
    write_layer_table(path := tmp_path / "layers.csv", subnet)
    assert read_layer_table(path)[0].layer.name == 'a,"b"'


def test_every_layer_that_runs_by_itself_comes_back(tmp_path):
    """Depthwise layers, pools whose last window overhangs, squeeze-excite, activations."""
    layers = (
        Layer("a", Kind.CONV, 4, 3, 3, 3, 7, 7, padding=1, inputs=("input",), activation=Activation.HSWISH),
        Layer("b", Kind.CONV, 4, 4, 3, 3, 7, 7, padding=1, groups=4, inputs=("a",)),
        Layer("c", Kind.ADD, 4, 4, H=7, W=7, inputs=("b", "a")),
        Layer("d", Kind.AVGPOOL, 4, 4, 2, 2, 7, 7, 2, inputs=("c",), ceil_mode=True),
        Layer("e", Kind.MAXPOOL, 4, 4, 3, 3, 4, 4, 2, 1, inputs=("d",)),
        Layer("f", Kind.POOL, 4, 4, H=2, W=2, inputs=("e",)),
        Layer("g", Kind.SCALE, 4, 4, H=2, W=2, inputs=("e", "f")),
        Layer("h", Kind.CONV, 8, 4, H=2, W=2, groups=2, inputs=("g",)),
        Layer("i", Kind.LINEAR, 10, 4, inputs=("f",)),
    )
    left = write_layer_table(path := tmp_path / "layers.csv", SubNet("n", "n", layers))
    assert [layer.name for layer in left] == ["c", "h"]
    rows = read_layer_table(path)
    assert [row.layer for row in rows] == [replace(layer, inputs=()) for layer in layers if layer not in left]
    assert [row.supernet_layer_index for row in rows] == [0, 1, None, None, None, None, 2]


def test_nothing_to_write(tmp_path):
    add = Layer("a", Kind.ADD, 4, 4, H=8, W=8, inputs=("input", "input"))
    with pytest.raises(NetworkError, match="SubNet n has no layer that runs by itself"):
        write_layer_table(tmp_path / "layers.csv", SubNet("n", "n", (add,)))
