"""MAESTRO networks: what each type of layer is here, by hand, and what is refused."""

import pytest

from arch_model.network.layer import Kind
from mapper.importers import NetworkError, read_network

LAYER = "Network toy {{ Layer a {{ Type: {} Stride {{ X: {}, Y: {} }} Dimensions {{ {} }} }} }}"


def read(tmp_path, text):
    (path := tmp_path / "toy_model.m").write_text(text)
    return read_network(path)


def layer_of(tmp_path, kind, sizes, stride=1):
    (layer,) = read(tmp_path, LAYER.format(kind, stride, stride, sizes)).subnet.layers
    return layer


def test_a_file_as_people_write_them(tmp_path):
    """Comments, constants, colons and commas or none, a dataflow, a name twice, a size twice; no stride is 1."""
    text = """
    // Accelerator { nothing }
    Constant Size 12; // used below
    Network torchvision.models.toy {
      Layer conv-1 {
        Type: CONV
        Dimensions { K 8,C 3 R: 3, S:3, Y: Size, X 12, N: 1, N: 1 }
        Dataflow {
          TemporalMap(Sz(R),1) Y; Cluster(Sz(R),P); { nested } SpatialMap(1,1) Y\u2019;
        }
      }
      Layer conv-1 { Type: CONV Stride { X: 2, Y: 2 } Dimensions { K: 4, C: 8, R: 1, S: 1, Y': 5, X': 4 } }
    }
    """
    network = read(tmp_path, text)
    first, second = network.subnet.layers
    assert (network.subnet.name, network.notes) == ("toy_model", ())
    assert (first.name, first.K, first.C, first.R, first.S, first.H, first.P) == ("conv-1", 8, 3, 3, 3, 12, 10)
    assert (second.name, second.H, second.W, second.P, second.Q) == ("conv-1_2", 9, 7, 5, 4)


def test_what_each_type_is(tmp_path):
    sizes = "R: 3, S: 3, Y: 14, X: 12"
    depthwise = layer_of(tmp_path, "DSCONV", f"K: 1, C: 16, {sizes}", 2)
    assert (depthwise.K, depthwise.groups, depthwise.macs) == (16, 16, 16 * 9 * 6 * 5)
    grouped = layer_of(tmp_path, "NGCONV", f"G: 4, K: 8, C: 16, {sizes}")
    assert (grouped.K, grouped.C, grouped.groups, grouped.macs) == (32, 16, 4, 32 * 4 * 9 * 12 * 10)
    product = layer_of(tmp_path, "GEMM", "M: 5, N: 7, K: 11")
    assert (product.P, product.K, product.C) == (5, 7, 11)
    network = read(tmp_path, LAYER.format("TRCONV", 1, 1, "K: 8, C: 16, R: 2, S: 2, Y: 14, X: 12"))
    (transposed,) = network.subnet.layers
    assert transposed.macs == 8 * 16 * 28 * 24 and "transposed 2 x 2" in network.notes[0]  # a tap for each pixel made


def test_kernels_that_cover_their_input_are_matrix_products(tmp_path):
    whole = layer_of(tmp_path, "CONV", "K: 100, C: 512, R: 7, S: 7, Y: 7, X: 7")
    assert (whole.kind, whole.K, whole.C) == (Kind.LINEAR, 100, 512 * 49)
    rows = layer_of(tmp_path, "CONV", "N: 128, K: 64, C: 1, R: 1, S: 512, Y: 1, X: 512")
    assert (rows.kind, rows.P, rows.K, rows.C) == (Kind.CONV, 128, 64, 512)
    columns = layer_of(tmp_path, "CONV", "N: 1, K: 128, C: 1, R: 64, S: 1, Y: 64, X: 100")
    assert (columns.P, columns.K, columns.C) == (100, 128, 64)


def test_batches_are_said(tmp_path):
    network = read(tmp_path, LAYER.format("CONV", 4, 4, "N 4, K 96, C 3, R 11, S 11, Y 227, X 227"))
    assert (network.subnet.layers[0].P, network.notes[0].split(";")[0][:18]) == (55, "a: of its 4 images")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no network"),
        ("num_pes: 256", "line 1: 'num_pes' stands where Constant or Network should"),
        ("\nDataflow { SpatialMap(1,1) C; }", "line 2: it holds a dataflow and no network"),
        ("Network a { }", "its network has no layers"),
        ("Network a { Layer b {", "the file ends where the } of layer b should stand"),
        ("Network a { Layer b { Type: CONV Dimensions { K: 1 Dataflow { ", "b: Dimensions has 'Dataflow'"),
        ("Network a { Lair b { } }", "'Lair' stands where a Layer of network a should"),
        ("Network a { Layer b { Size: 3 } }", "layer b: 'Size' is not known; give Type, Stride"),
        (LAYER.format("LSTM", 1, 1, "K: 1"), "layer a: its type is 'LSTM'; give one of CONV"),
        (LAYER.format("CONV", 1, 2, "K: 1, C: 1, R: 1, S: 1, Y: 8, X: 8"), "its strides are 2 and 1"),
        (LAYER.format("CONV", 1, 1, "K: 1, C: 1, R: 1, S: 1, Y: 8"), "Dimensions has no X"),
        (LAYER.format("CONV", 1, 1, "K: 1, K: 2"), "K is 1 and 2; give it once"),
        (LAYER.format("CONV", 1, 1, "K: size"), "layer a: K is 'size'; give a whole number, at least 1, or a Constant"),
        (LAYER.format("CONV", 1, 1, "K: " + "9" * 5000), "give a whole number"),
        (LAYER.format("CONV", 1, 1, "K: 1, C: 1, R: 3, S: 3, Y: 2, X: 8"), "line 1: layer a: H is 2"),
        (LAYER.format("CONV", 1, 1, "G: 2, K: 2, C: 2, R: 1, S: 1, Y: 8, X: 8"), "G is 2; give 1, or the type NGCONV"),
        (LAYER.format("DSCONV", 1, 1, "K: 2, C: 2, R: 1, S: 1, Y: 8, X: 8"), "K is 2 and G 1; give 1 for both"),
        (LAYER.format("TRCONV", 1, 1, "K: 2, C: 2, R: 3, S: 3, Y: 8, X: 8"), "transposed convolution of 3 x 3"),
        (LAYER.format("CONV", 1, 1, "K: 1, C: 1, R: 1, S: 1, Y: 8, Y': 8, X: 8"), "has Y and Y'; give one"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(NetworkError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400
