"""Layers by hand, and the ways a layer or a layer table can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arch_model.errors import LayerError
from arch_model.network.layer import COLUMNS, MAY_LACK, SYNONYMS, Activation, Kind, Layer, read_layer_table


@pytest.mark.parametrize(
    ("layer", "pq", "macs", "weights", "reads", "writes"),
    [
        # 3 x 3 /2 on 7 x 5: rows at -1, 1, 3, 5 and columns at -1, 1, 3
        (Layer("a", Kind.CONV, 4, 2, 3, 3, 7, 5, 2, 1), (4, 3), 864, 72, 70, 48),
        (Layer("b", Kind.CONV, 6, 4, 1, 1, 3, 3), (3, 3), 216, 24, 36, 54),
        (Layer("c", Kind.CONV, 1, 1, 5, 3, 6, 6, 1, 0), (2, 4), 120, 15, 36, 8),
        # depthwise: 9 weights a channel; two groups of 2 inputs for 3 outputs each
        (Layer("d", Kind.CONV, 8, 8, 3, 3, 4, 4, 1, 1, groups=8), (4, 4), 1152, 72, 128, 128),
        (Layer("e", Kind.CONV, 6, 4, 1, 1, 2, 2, groups=2), (2, 2), 48, 12, 16, 24),
        (Layer("f", Kind.LINEAR, 10, 96), (1, 1), 960, 960, 96, 10),
        (Layer("g", Kind.ADD, 5, 5, H=4, W=3), (4, 3), 0, 0, 120, 60),
        (Layer("h", Kind.POOL, 7, 7, H=4, W=4), (1, 1), 0, 0, 112, 7),
        (Layer("s", Kind.SCALE, 5, 5, H=4, W=3), (4, 3), 0, 0, 65, 60),
        (Layer("i", Kind.MAXPOOL, 2, 2, 3, 3, 112, 112, 2, 1), (56, 56), 0, 0, 25088, 6272),
    ],
    ids=lambda value: value.name if isinstance(value, Layer) else "",
)
def test_shapes_and_costs_by_hand(
    layer: Layer, pq: tuple[int, int], macs: int, weights: int, reads: int, writes: int
) -> None:
    assert pq == (layer.P, layer.Q)
    assert (layer.macs, layer.weight_bytes) == (macs, weights)
    assert (layer.input_bytes, layer.output_bytes) == (reads, writes)


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "floor", "ceil"),
    [
        (9, 2, 2, 0, 4, 5),  # windows at 0, 2, 4, 6; the one at 8 overhangs
        (8, 2, 2, 0, 4, 4),
        (2, 2, 3, 1, 1, 1),  # a second window would begin at 2, beyond the input
        (3, 2, 3, 1, 2, 2),  # at -1 and 2: the second one still holds a pixel
    ],
)
def test_ceil_mode_keeps_an_overhanging_window(
    size: int, window: int, stride: int, padding: int, floor: int, ceil: int
) -> None:
    shape: dict[str, Any] = {
        "R": window,
        "S": window,
        "H": size,
        "W": size,
        "stride": stride,
        "padding": padding,
    }
    assert floor == Layer("p", Kind.AVGPOOL, 1, 1, **shape).P
    assert ceil == Layer("p", Kind.AVGPOOL, 1, 1, **shape, ceil_mode=True).P


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"K": 0}, "layer x: K is 0; give a whole number, at least 1"),
        ({"C": -3}, "layer x: C is -3; give a whole number, at least 1"),
        ({"H": 2.0}, "layer x: H is 2.0; give a whole number, at least 1"),
        ({"stride": True}, "layer x: stride is True; give a whole number, at least 1"),
        ({"padding": -1}, "layer x: padding is -1; give a whole number, at least 0"),
        ({"H": 1, "R": 5, "padding": 1}, "layer x: H is 1; give at least 3, for R is 5"),
        ({"W": 2, "S": 3}, "layer x: W is 2; give at least 3, for S is 3"),
        ({"groups": 4}, "layer x: K is 6; give a multiple of groups, which is 4"),
        ({"groups": 3}, "layer x: C is 4; give a multiple of groups, which is 3"),
        (
            {"kind": "dense"},
            "layer x: kind is 'dense'; give one of conv, linear, add, pool, maxpool, avgpool, scale",
        ),
        (
            {"activation": "swish"},
            "layer x: activation is 'swish'; give one of none, relu, relu6, hswish, hsigmoid",
        ),
        ({"bias": 1}, "layer x: bias is 1; give True or False"),
        (
            {"kind": "scale", "K": 4, "batch_norm": True},
            "batch_norm is True; give False: a layer of kind scale has no other",
        ),
        ({"kind": "scale", "K": 4, "inputs": ("a",)}, "layer x: inputs is ('a',); give 2 for kind scale"),
        ({"kind": "linear"}, "layer x: H is 8; give 1: a layer of kind linear has no other"),
        ({"kind": "add"}, "layer x: K is 6; give C, which is 4: a layer of kind add keeps its channels"),
        ({"kind": "pool", "stride": 2}, "layer x: stride is 2; give 1: a layer of kind pool has no other"),
        (
            {"kind": "maxpool", "K": 4, "R": 3, "S": 2, "padding": 2},
            "padding is 2; give at most half of the window",
        ),
        ({"ceil_mode": True}, "layer x: ceil_mode is True; give False: a layer of kind conv has no other"),
        ({"inputs": "stem"}, "layer x: inputs is 'stem'; give a tuple of layer names"),
        ({"inputs": ("a", "b")}, "layer x: inputs is ('a', 'b'); give 1 for kind conv"),
        ({"kind": "add", "K": 4, "inputs": ("a",)}, "layer x: inputs is ('a',); give 2 for kind add"),
        ({"name": ""}, "layer name is ''; give a text that is not empty"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(change: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"name": "x", "kind": Kind.CONV, "K": 6, "C": 4, "H": 8, "W": 8} | change
    with pytest.raises(LayerError) as error:
        Layer(**fields)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_parameters_by_hand() -> None:
    def count(**trained: bool) -> int:
        return Layer("x", Kind.CONV, 6, 4, 3, 3, 8, 8, **trained).parameters

    assert [count(), count(bias=True), count(batch_norm=True)] == [216, 216 + 6, 216 + 12]
    assert Layer("x", Kind.ADD, 4, 4).parameters == 0


def test_which_activations_are_clamps() -> None:
    assert [a.value for a in Activation if a.is_clamp] == ["none", "relu", "relu6"]
    assert Layer("x", Kind.CONV, 6, 4, activation="relu").activation is Activation.RELU  # type: ignore[arg-type]


def test_numpy_integers_become_plain_ones() -> None:
    layer = Layer("x", Kind.CONV, np.int64(6), np.int32(4))
    assert type(layer.K) is int and type(layer.C) is int
    assert layer == Layer("x", Kind.CONV, 6, 4)


# -------------------------------------------------------------------------------------- tables

HEADER = "network,layer_index,supernet_layer_index,name,N,K,C,H,W,R,S,stride,padding,out_H,out_W,macs,weight_bytes"
STEM = "0,0,0,stem0,1,24,3,160,160,3,3,2,1,80,80,4147200,648"
CLASSIFIER = "0,,,classifier,1,1000,1640,1,1,1,1,1,0,1,1,1640000,1640000"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_is_read_with_its_own_fields(tmp_path: Path) -> None:
    assert ",".join(COLUMNS) == HEADER
    rows = read_layer_table(write(tmp_path, f"{HEADER},note", f"{STEM},first", "", f"{CLASSIFIER},"))
    assert [row.line for row in rows] == [2, 4]
    assert rows[0].layer == Layer("stem0", Kind.CONV, 24, 3, 3, 3, 160, 160, 2, 1)
    assert rows[0].fields["note"] == "first" and rows[0].supernet_layer_index == 0
    assert ",".join(rows[0].fields.values()) == f"{STEM},first"
    assert rows[1].layer == Layer("classifier", Kind.LINEAR, 1000, 1640)
    assert rows[1].layer_index is None and rows[1].supernet_layer_index is None


@pytest.mark.parametrize("column", [column for column in COLUMNS if column not in MAY_LACK])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    keep = [i for i, name in enumerate(COLUMNS) if name != column]
    lines = [",".join(line.split(",")[i] for i in keep) for line in (HEADER, STEM)]
    path = write(tmp_path, *lines)
    with pytest.raises(LayerError) as error:
        read_layer_table(path)
    assert str(error.value) == f"layer table {path}: column {column} is missing; give {HEADER}"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, STEM.replace(",24,", ",,")], "line 2: K is ''; give a whole number, at least 0"),
        (
            [HEADER, STEM, STEM.replace(",24,", ",-24,")],
            "line 3: K is '-24'; give a whole number, at least 0",
        ),
        ([HEADER, STEM.replace(",24,", ",24.0,")], "line 2: K is '24.0'; give a whole number, at least 0"),
        (
            [HEADER, STEM.replace(",24,", ",0,")],
            "line 2: layer stem0: K is 0; give a whole number, at least 1",
        ),
        ([HEADER, STEM.replace("stem0,1,", "stem0,2,")], "line 2: N is 2; give 1, one image at a time"),
        ([HEADER, STEM.replace("4147200", "4147201")], "line 2: macs is 4147201; its shapes give 4147200"),
        ([HEADER, STEM.replace(",80,80,", ",80,81,")], "line 2: out_W is 81; its shapes give 80"),
        ([HEADER, STEM.replace("stem0", "")], "line 2: layer name is ''; give a text that is not empty"),
        ([HEADER, STEM + ",1"], "line 2: it has 18 fields; give 17, one for each column"),
        ([HEADER + ",K", STEM + ",1"], "column K is there twice"),
        ([HEADER, '"' + STEM], "not CSV"),
        ([HEADER], "has no rows; give at least one layer"),
        ([""], "it has no header; give a CSV file with the columns network,"),
        ([f"{HEADER},subnet", f"{STEM},x"], "columns network and subnet mean the same; give one of them"),
        ([HEADER.replace("out_W", "Q"), STEM.replace(",80,80,", ",80,81,")], "line 2: Q is 81; its shapes give 80"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = write(tmp_path, *lines)
    with pytest.raises(LayerError) as error:
        read_layer_table(path)
    assert message in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_columns_may_lack_or_have_the_names_of_predict(tmp_path: Path) -> None:
    """Nothing is read otherwise than in the whole table; the fields keep the names of the file."""
    (whole,) = read_layer_table(write(tmp_path, HEADER, STEM))
    other = HEADER
    for column, name in SYNONYMS.items():
        other = other.replace(column, name)
    (row,) = read_layer_table(write(tmp_path, other, STEM))
    assert (row.layer, row.network) == (whole.layer, whole.network) and tuple(row.fields) == tuple(other.split(","))
    keep = [i for i, name in enumerate(COLUMNS) if name not in MAY_LACK]
    lines = [",".join(line.split(",")[i] for i in keep) for line in (other, STEM)]
    (row,) = read_layer_table(write(tmp_path, *lines))
    assert (row.layer, row.layer_index, row.supernet_layer_index) == (whole.layer, whole.layer_index, None)


def test_optional_columns_name_kind_groups_and_activation(tmp_path: Path) -> None:
    rows = ("deep,1,8,8,4,4,3,3,1,1,4,4,1152,72,8,,hswish", "most,1,8,8,4,4,3,3,2,1,2,2,0,0,,maxpool,")
    lines = [f"{HEADER},groups,kind,activation", *(f"net,0,0,{row}" for row in rows)]
    deep, most = (row.layer for row in read_layer_table(write(tmp_path, *lines)))
    assert (deep.kind, deep.groups, deep.activation) == (Kind.CONV, 8, Activation.HSWISH)
    assert (most.kind, most.groups, most.activation) == (Kind.MAXPOOL, 1, Activation.NONE)
    wrong = [lines[0], lines[1].replace("hswish", "swoosh")]
    with pytest.raises(LayerError, match="line 2: layer deep: activation is 'swoosh'; give one of none, relu"):
        read_layer_table(write(tmp_path, *wrong))


def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match=r"absent.csv does not exist; give a CSV file with the columns network,"):
        read_layer_table(tmp_path / "absent.csv")
    with pytest.raises(LayerError, match=r"cannot be read .Is a directory.; give a CSV file"):
        read_layer_table(tmp_path)
    (tmp_path / "bytes.csv").write_bytes(HEADER.encode() + b"\n\xff\xfe")
    with pytest.raises(LayerError, match=f"byte {len(HEADER) + 1} is not UTF-8; give a CSV file"):
        read_layer_table(tmp_path / "bytes.csv")
