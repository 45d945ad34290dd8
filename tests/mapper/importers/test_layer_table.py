import pytest

from arch_model.network.layer import Kind, Layer, read_layer_table
from arch_model.network.supernet import SubNet
from arch_model.spaces import get_space
from mapper.importers import NetworkError, write_layer_table


def test_cosim_reads_it(tmp_path):
    subnet = get_space("fashion").subnet("fashion-d122-w234")
    left = write_layer_table(path := tmp_path / "layers.csv", subnet)
    assert {layer.kind for layer in left} == {Kind.ADD, Kind.POOL}
    rows = read_layer_table(path)
    assert [row.layer.name for row in rows] == [layer.name for layer in subnet.weight_layers]
    assert sum(row.layer.macs for row in rows) == subnet.macs and {row.network for row in rows} == {subnet.name}


def test_names_with_commas_and_quotes(tmp_path):
    subnet = SubNet("n", "n", (Layer('a,"b"', Kind.LINEAR, 4, 4, inputs=("input",)),))
    write_layer_table(path := tmp_path / "layers.csv", subnet)
    assert read_layer_table(path)[0].layer.name == 'a,"b"'


def test_nothing_to_write(tmp_path):
    depthwise = Layer("a", Kind.CONV, 4, 4, 3, 3, 8, 8, groups=4, inputs=("input",))
    with pytest.raises(NetworkError, match="SubNet n has no dense layer with weights"):
        write_layer_table(tmp_path / "layers.csv", SubNet("n", "n", (depthwise,)))
