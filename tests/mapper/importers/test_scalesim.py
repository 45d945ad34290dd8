import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.layer import Kind, Layer
from arch_model.spaces import get_space
from mapper.importers import NetworkError, read_topology, write_topology

HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"


def read(tmp_path, text):
    (path := tmp_path / "net.csv").write_text(text)
    return read_topology(path)


def test_rows_as_people_write_them(tmp_path):
    """Blanks, tabs, no last comma, comments, empty lines, a name twice."""
    text = (
        HEADER + "\nConv1, 224, 224, 7,7, 3, 64, 2,\n\tConv1,56,56,1,1,64,64,1\nFC, 1, 1, 1, 1, 512, 1000, 1, # last\n"
    )
    network = read(tmp_path, text)
    assert [layer.name for layer in network.subnet.layers] == ["Conv1", "Conv1_2", "FC"]
    first, second, last = network.subnet.layers
    assert (first.K, first.C, first.R, first.H, first.stride, first.padding) == (64, 3, 7, 224, 2, 0)
    assert (second.kind, last.kind, last.macs) == (Kind.CONV, Kind.LINEAR, 512_000)
    assert (network.subnet.name, first.inputs, second.inputs) == ("net", ("input",), ("input",))
    # (224 - 7) / 2 = 108.5: SCALE-Sim counts 110 rows, of which the last window would end outside
    assert first.P == 109 and network.notes[0].startswith("Conv1: SCALE-Sim counts one more")


def test_depthwise_by_its_name(tmp_path):
    network = read(tmp_path, HEADER + "block_DP, 16, 16, 3, 3, 32, 1, 1,\n")
    (layer,) = network.subnet.layers
    assert (layer.name, layer.K, layer.C, layer.groups, layer.macs) == ("block", 32, 32, 32, 32 * 9 * 14 * 14)


def test_matrix_products(tmp_path):
    network = read(tmp_path, "Layer,M,N,K\nQKT,1024,512,64\nhead,1,10,64,\n")
    product, head = network.subnet.layers
    assert (product.kind, product.H, product.W, product.K, product.C) == (Kind.CONV, 1024, 1, 512, 64)
    assert product.macs == 1024 * 512 * 64
    assert (head.kind, head.macs) == (Kind.LINEAR, 640)


def test_newer_columns(tmp_path):
    titles = "Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,"
    text = titles + "Stride height,Stride width,Batch Size,Sparsity,\na,9,9,3,3,4,8,2,2,1,1:1,\n"
    (layer,) = read(tmp_path, text).subnet.layers
    assert (layer.stride, layer.P) == (2, 4)


def test_written_by_hand(tmp_path):
    """8 rows, padding 1, stride 2, 3 x 3: 4 rows out, whose windows span (4 - 1) 2 + 3 = 9 of the 10 padded."""
    layers = [
        Layer("a", Kind.CONV, 16, 3, 3, 3, 8, 8, 2, 1),
        Layer("b", Kind.CONV, 16, 16, 5, 5, 4, 6, 1, 2, groups=16),
        Layer("c", Kind.POOL, 16, 16, H=4, W=6),
        Layer("d", Kind.LINEAR, 10, 16),
    ]
    left = write_topology(path := tmp_path / "out.csv", layers)
    assert [layer.name for layer in left] == ["c"]
    rows = ["a, 9, 9, 3, 3, 3, 16, 2,", "b_DP, 8, 10, 5, 5, 16, 1, 1,", "d, 1, 1, 1, 1, 16, 10, 1,"]
    assert path.read_text() == HEADER + "\n".join(rows) + "\n"


@pytest.mark.parametrize("seed", range(3))
def test_round_trip(tmp_path, seed):
    """Shapes of the result and multiply-accumulates come back; writing what was read changes nothing."""
    rng = np.random.default_rng(seed)
    layers = list(get_space("fashion").layers)
    for n in range(60):
        c, r, stride = int(rng.integers(1, 9)), int(rng.choice([1, 3, 5, 7])), int(rng.integers(1, 4))
        h, w = (int(size) for size in rng.integers(r, 30, 2))
        groups = c if rng.random() < 0.3 and c > 1 else 1
        k = c * int(rng.integers(1, 3)) if groups > 1 else int(rng.integers(1, 20))
        layers.append(Layer(f"n{n}", Kind.CONV, k, c, r, r, h, w, stride, int(rng.integers(0, r)), groups))
    write_topology(first := tmp_path / "first.csv", layers)
    network = read_topology(first)
    assert network.notes == ()

    def facts(layer):
        return layer.name, layer.K, layer.C, layer.R, layer.S, layer.P, layer.Q, layer.stride, layer.groups, layer.macs

    assert [facts(a) for a in network.subnet.layers] == [facts(b) for b in layers]
    write_topology(second := tmp_path / "second.csv", network.subnet.layers)
    assert second.read_text() == first.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no header"),
        (HEADER, "has no rows; give at least one layer"),
        ("a, b\n1, 2\n", 'line 1: column "layer name" is missing'),
        (HEADER.replace("Channels, ", "") + "a, 1, 1, 1, 1, 1, 1,\n", 'column "channels" is missing'),
        (HEADER + "a, 8, 8, 3, 3, 4,\n", 'line 2: it has no "num filter"'),
        (HEADER + "a, 8, 8, 3, 3, 4, x, 1,\n", "line 2: num filter is 'x'; give a whole number, at least 1"),
        (HEADER + "a, 8, 8, 3, 3, 4, 0, 1,\n", "line 2: num filter is '0'"),
        (HEADER + "\n\na, 2, 8, 3, 3, 4, 4, 1,\n", "line 4: layer a: H is 2; give at least 3"),
        ("Layer,M,N,K,Sparsity\na,1,2,3,5:4\n", "line 2: sparsity is '5:4'; give N:M, N of M weights"),
        ("Layer,M,N,K,Sparsity\na,1,2,3,half\n", "line 2: sparsity is 'half'; give N:M, N of M weights"),
        (HEADER + "a heading\n", "has no rows; give at least one layer"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(NetworkError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_misnamed_column_is_read_by_its_position(tmp_path):
    """As SCALE-Sim reads all; the usual order with one or two wrong names, and a note that says so."""
    usual = "Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
    rows = "a, 16, 20, 3, 5, 8, 12, 2,\n"
    right = read(tmp_path, usual + rows).subnet.layers
    for wrong in (
        usual.replace("IFMAP Height", "IFMAP Width"),
        usual.replace("Channels", "Chanels"),
        usual.replace("Layer", "L").replace("Strides", "S"),
        usual.replace("Filter Height", "Filter Width").replace("Num Filter", "Channels"),
    ):
        network = read(tmp_path, wrong + rows)
        assert network.subnet.layers == right
        assert network.notes[0].startswith("columns are read by position, as SCALE-Sim does: the header has '")
    assert read(tmp_path, "L,M,N,K,\na,1,10,64,\n").subnet.layers[0].macs == 640
    swapped = usual.replace("IFMAP Height, IFMAP Width", "IFMAP Width, IFMAP Height")
    network = read(tmp_path, swapped + rows)  # every name is right: the names count
    assert (network.subnet.layers[0].H, network.subnet.layers[0].W) == (20, 16)
    assert not any("position" in note for note in network.notes)


def test_headings_tabs_and_figures_beside_the_table(tmp_path):
    text = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channel, Num Filter, Strides,,,Eh\n"
    network = read(tmp_path, text + ",,,,,,,,,,\nTransformer,\na,8,8,3,3,4,4,1,,,6\n,,,,,,,,,,12\n")
    assert [layer.name for layer in network.subnet.layers] == ["a"]
    assert "behind the empty column is not read: eh" in network.notes[0]
    assert "Transformer is taken for a heading" in network.notes[1]
    tabs = read(tmp_path, HEADER.replace(",", "\t") + "a\t8\t8\t3\t3\t4\t4\t1\t\n")
    assert tabs.subnet.layers == network.subnet.layers


def test_batches_and_sparsity_are_said(tmp_path):
    network = read(tmp_path, "Layer,M,N,K,Batch,Sparsity\na,1,2,3,4,1:1\nb,5,2,3,4,2:4\n")
    head, product = network.subnet.layers
    assert (head.P, head.macs, product.P) == (4, 4 * 2 * 3, 5)  # rows of one matrix; of b the note speaks
    assert [note.split(":")[0] for note in network.notes] == ["b", "b"]
    assert "2:4 is not used: a layer here is dense" in network.notes[0] and "its 4 images" in network.notes[1]


def test_unequal_strides(tmp_path):
    text = HEADER.replace("Strides", "Stride Height, Stride Width") + "a, 8, 8, 3, 3, 4, 4, 1, 2,\n"
    with pytest.raises(NetworkError, match="strides are 1 and 2; give one for both directions"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            Layer("a", Kind.CONV, 8, 8, 3, 3, 8, 8, groups=2),
            "groups is 2; SCALE-Sim has 1 and, for a depthwise layer, 8",
        ),
        (Layer("a,b", Kind.LINEAR, 8, 8), "give one without a comma, # and DP"),
        (Layer("DPE", Kind.LINEAR, 8, 8), "give one without a comma, # and DP"),
        (Layer(" lead", Kind.LINEAR, 8, 8), "without blanks at its ends"),
        (Layer("trail\xa0", Kind.LINEAR, 8, 8), "without blanks at its ends"),
        (Layer("a", Kind.POOL, 8, 8, H=4, W=4), "no layer has weights"),
    ],
)
def test_what_cannot_be_written(tmp_path, layer, text):
    with pytest.raises(NetworkError, match=text):
        write_topology(tmp_path / "out.csv", [layer])


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(NetworkError, match="does not exist; give a SCALE-Sim topology"):
        read_topology(tmp_path / "no.csv")
    (tmp_path / "net.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetworkError, match="byte 0 is not UTF-8"):
        read_topology(tmp_path / "net.csv")
    with pytest.raises(FastSwitchError, match="cannot write"):
        write_topology(tmp_path / "no" / "out.csv", [Layer("a", Kind.LINEAR, 8, 8)])


CONV = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (CONV.replace("IFMAP ", "").replace("Channels", "C"), 'column "ifmap height" is missing'),
        (CONV.replace("Num Filter, Strides", "Strides, Padding"), 'column "num filter" is missing'),
        (CONV.replace("Strides", "Padding"), 'column "strides" is missing'),
        (CONV.replace(", Strides", ""), 'column "strides" is missing'),
        (CONV.replace("Channels,", "Channels, Channels,"), "column channels is there twice; give it once"),
        (CONV.replace("Strides,", "Strides, Num Filters,"), "columns num filter and num filters say the same"),
        (CONV + " Paddings,", "column 'paddings' is not one"),
        ("Layer, M, N, K, K,", "column k is there twice"),
    ],
)
def test_a_column_that_nobody_reads_or_twice_is_an_error(tmp_path, header, message):
    with pytest.raises(NetworkError) as error:
        read(tmp_path, header + "\na, " + "8, " * (header.count(",") - 1) + "\n")
    assert f"net.csv, line 1: {message}" in str(error.value)


def test_a_row_of_more_fields_than_columns_is_an_error(tmp_path):
    with pytest.raises(NetworkError, match="line 2: it has 5 fields; give 4"):
        read(tmp_path, "Layer, M, N, K,\na, 8, 8, 8, 9,\n")
