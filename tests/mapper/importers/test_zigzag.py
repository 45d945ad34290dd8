"""ZigZag workloads: what each equation is here, by hand, and what is refused."""

import pytest
import yaml

from arch_model.network.layer import Kind
from mapper.importers import NetworkError, read_network

CONV = {
    "id": 3,
    "operator_type": "Conv",
    "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
    "dimension_relations": ["ix=2*ox+1*fx", "iy=2*oy+1*fy"],
    "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"],
    "loop_sizes": [1, 8, 4, 6, 5, 3, 3],
    "operand_precision": {"W": 8, "I": 8, "O": 16, "O_final": 8},
    "operand_source": {"I": 2, "W": 3},
}


def read(tmp_path, *layers):
    (path := tmp_path / "toy.yaml").write_text(yaml.safe_dump(list(layers)))
    return read_network(path)


def layer_of(tmp_path, **changes):
    (layer,) = read(tmp_path, {**CONV, **changes}).subnet.layers
    return layer


def pool(kind, out, window):
    return {
        **{"operator_type": kind, "equation": "O[b][g][oy][ox]+=W[fx][fy]*I[b][g][iy][ix]"},
        **{"loop_dims": ["B", "G", "OY", "OX", "FX", "FY"], "loop_sizes": [1, 16, out, out, window, window]},
    }


def test_convolutions(tmp_path):
    """6 output rows of stride 2 and kernel 3 read (6 - 1) 2 + 3 = 13 rows."""
    layer = layer_of(tmp_path)
    assert (layer.name, layer.K, layer.C, layer.H, layer.W, layer.P, layer.Q) == ("Layer3", 8, 4, 13, 11, 6, 5)
    assert (layer.stride, layer.padding, layer.inputs) == (2, 0, ("input",))
    padded = {"pr_loop_dims": ["IX", "IY"], "pr_loop_sizes": [10, 12], "padding": [[1, 1], [1, 1]]}
    layer = layer_of(tmp_path, name="conv", **padded)
    assert (layer.name, layer.H, layer.W, layer.padding, layer.P, layer.Q) == ("conv", 12, 10, 1, 6, 5)
    one = layer_of(tmp_path, loop_sizes=[1, 10, 64, 1, 1, 1, 1])
    assert (one.kind, one.macs) == (Kind.LINEAR, 640)
    assert layer_of(tmp_path, loop_sizes=[32, 10, 64, 1, 1, 1, 1]).macs == 32 * 640  # a linear layer: images are rows


def test_groups(tmp_path):
    equation = "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]"
    loops = ["B", "G", "K", "C", "OY", "OX", "FY", "FX"]
    depthwise = layer_of(tmp_path, equation=equation, loop_dims=loops, loop_sizes=[1, 16, 1, 1, 6, 6, 3, 3])
    assert (depthwise.K, depthwise.C, depthwise.groups, depthwise.macs) == (16, 16, 16, 16 * 9 * 36)
    grouped = layer_of(tmp_path, equation=equation, loop_dims=loops, loop_sizes=[1, 2, 8, 4, 6, 6, 3, 3])
    assert (grouped.K, grouped.C, grouped.groups, grouped.macs) == (16, 8, 2, 2 * 8 * 4 * 9 * 36)


def test_pools_and_additions(tmp_path):
    network = read(
        tmp_path,
        {**CONV, **pool("Pooling", 6, 3), "id": 0, "name": "pool"},
        {**CONV, **pool("MaxPool", 6, 2), "id": 1, "name": "pool"},
        {**CONV, **pool("AveragePool", 6, 3), "id": 2, "name": "pool"},
        {**CONV, **pool("Pooling", 1, 7), "id": 3, "name": "pool"},
        {**CONV, "id": 4, "operator_type": "Add", "equation": "O[b][g][oy][ox]=W[b][g][oy][ox]+I[b][g][oy][ox]"}
        | {"loop_dims": ["B", "G", "OY", "OX"], "loop_sizes": [1, 16, 6, 5], "dimension_relations": []},
    )
    kinds = [Kind.MAXPOOL, Kind.MAXPOOL, Kind.AVGPOOL, Kind.POOL, Kind.ADD]
    assert [layer.kind for layer in network.subnet.layers] == kinds
    first, second, _, last, add = network.subnet.layers
    assert (first.name, first.R, first.stride, first.H, first.P) == ("pool", 3, 2, 13, 6)
    assert (second.name, last.H, add.C, add.H, add.W) == ("pool_2", 7, 16, 6, 5)
    assert network.notes == ("pool: Pooling does not say what it takes of a window; read as the maximum",)


def test_layers_read_what_they_name_where_the_shapes_agree(tmp_path):
    """Two pointwise layers and their sum; a layer that would need padding reads the image."""
    one = {**CONV, "dimension_relations": [], "operand_source": {"I": 1, "W": 9}}
    add = {"operator_type": "Add", "equation": "O[b][g][oy][ox]=A[b][g][oy][ox]+B[b][g][oy][ox]"}
    network = read(
        tmp_path,
        {**one, "id": 1, "loop_sizes": [1, 4, 4, 6, 6, 1, 1]},
        {**one, "id": 2, "loop_sizes": [1, 4, 4, 6, 6, 1, 1]},
        {**CONV, **add, "id": 3, "loop_dims": ["B", "G", "OY", "OX"], "loop_sizes": [1, 4, 6, 6]}
        | {"operand_source": {"A": 1, "B": 2}, "dimension_relations": []},
        {**one, "id": 4, "loop_sizes": [1, 4, 4, 6, 6, 3, 3], "operand_source": {"I": 3, "W": 4}},
    )
    inputs = [layer.inputs for layer in network.subnet.layers]
    assert inputs == [("input",), ("Layer1",), ("Layer2", "Layer1"), ("input",)]
    with pytest.raises(NetworkError, match="two layers have the id 1"):
        read(tmp_path, {**one, "id": 1}, {**one, "id": 1})


def test_matrix_products(tmp_path):
    product = {"operator_type": "Gemm", "loop_dims": ["D0", "D1", "D2"], "loop_sizes": [5, 7, 11]}
    layer = layer_of(tmp_path, equation="O[d0][d1]+=I[d0][d2]*W[d2][d1]", **product)
    assert (layer.P, layer.K, layer.C) == (5, 7, 11)
    layer = layer_of(tmp_path, equation="O[d0][d1] += W[d0][d2] * I[d2][d1]", **product)
    assert (layer.P, layer.K, layer.C) == (7, 5, 11)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opertor": 1}, "layer 3: opertor is not a key; give some of id, name"),
        ({"name": 3}, "name is 3; give a text"),
        ({"id": "a"}, "id is 'a'; give a whole number"),
        ({"equation": "O[k] = I[k]"}, "equation is 'O[k] = I[k]'; give a product or sum of two tensors"),
        ({"equation": 7}, "equation is 7"),
        ({"loop_sizes": [1, 2]}, "give two lists of one length"),
        ({"loop_sizes": [1, 8, 4, 6, 5, 3, 0]}, "the size of FX is 0; give a whole number from 1"),
        ({"loop_sizes": [1, 8, 4, 6, 5, 3, True]}, "the size of FX is True"),
        ({"loop_dims": ["B", "K", "C", "OY", "OX", "FY", "Z"]}, "no layer stands for 'Conv'"),
        ({"equation": "O[b][k][oy][ox]+=W[k][oy][ox][fx]*I[b][c][iy][ix]"}, "no layer stands for 'Conv'"),
        ({"dimension_relations": ["ix=2*ox+2*fx"]}, "dilates the kernel, which has no layer"),
        ({"dimension_relations": ["ix=2*ox+1*fx", "iy=1*oy+1*fy"]}, "the strides are {'x': 2, 'y': 1}"),
        ({"dimension_relations": ["ix=ox"]}, "dimension_relations has 'ix=ox'; give ix=STRIDE*ox+1*fx"),
        (pool("Softmax", 6, 3), "operator_type is 'Softmax'; give Pooling or one of"),
        (pool("GlobalAveragePool", 6, 3), "its window does not cover the image"),
    ],
)
def test_what_is_refused(tmp_path, changes, message):
    with pytest.raises(NetworkError) as caught:
        layer_of(tmp_path, **changes)
    assert message in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_lists_that_are_no_workload(tmp_path):
    with pytest.raises(NetworkError, match="has no layers"):
        read(tmp_path)
    with pytest.raises(NetworkError, match="layer 0 of the list is 7"):
        read(tmp_path, 7)
    with pytest.raises(NetworkError, match="layer 3: key equation is missing"):
        read(tmp_path, {key: value for key, value in CONV.items() if key != "equation"})
