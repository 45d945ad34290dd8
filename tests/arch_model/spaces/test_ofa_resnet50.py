"""The space ``ofa-resnet50`` against the six published SubNets.

Some published rows and all six totals are in this file; the whole table and the configs are compared where
``arch_model.files.published`` finds them.
"""

from __future__ import annotations

import functools
import io
import json
import operator
from typing import Any

import pandas as pd
import pytest

from arch_model.errors import SpaceError
from arch_model.network.layer import INPUT, Activation, Kind, read_layer_table
from arch_model.network.supernet import SubGraph, SubNet
from arch_model.spaces import get_space, ofa_resnet50
from arch_model.spaces.ofa_resnet50 import PUBLISHED, published_table
from tests.published_tables import published_or_skip

OFA = get_space("ofa-resnet50")
CONFIGS = "ofa_resnet50_six_subnets.json"
LAYERS = "ofa_resnet50_six_subnets_layers.csv"
SPACES = "supernet_search_spaces.json"

MIB = 2**20

# name, MACs, parameters, int8 bytes of conv weights, convs: as published
SIX = [
    ("resnet50D_MAC@0.6B", 599924800, 9619056, 7950536, 39),
    ("resnet50D_MAC@0.9B", 897352000, 14484784, 12807560, 45),
    ("resnet50D_MAC@1.8B", 1795186688, 20731056, 18638664, 54),
    ("resnet50D_MAC@2.4B", 2380782848, 28969024, 26866760, 58),
    ("resnet50D_MAC@3.7B", 3667881152, 26500192, 24806088, 61),
    ("resnet50D_MAC@4.1B", 4065015104, 30911488, 28803720, 61),
]

SMALLEST = {
    "image": 160,
    "depth": [0, 0, 0, 1, 0],
    "expand": [0.2] * 11 + [0.25, 0.2, 0.2, 0.2, 0.25, 0.2, 0.2],
    "width": [0, 0, 0, 0, 0, 1],
}

ROWS = """\
network,layer_index,supernet_layer_index,name,N,K,C,H,W,R,S,stride,padding,out_H,out_W,macs,weight_bytes
0,0,0,stem0,1,24,3,160,160,3,3,2,1,80,80,4147200,648
0,1,1,stem2,1,40,24,80,80,3,3,1,1,80,80,55296000,8640
0,5,6,s1b1_down,1,168,40,40,40,1,1,1,0,40,40,10752000,6720
0,9,16,s2b1_conv1,1,64,168,40,40,1,1,1,0,40,40,17203200,10752
0,12,19,s2b1_down,1,336,168,20,20,1,1,1,0,20,20,22579200,56448
0,33,49,s4b1_conv2,1,328,328,10,10,3,3,2,1,5,5,24206400,968256
0,38,54,s4b2_conv3,1,1640,408,5,5,1,1,1,0,5,5,16728000,669120
3,1,1,stem1_res,1,24,24,96,96,3,3,1,1,96,96,47775744,5184
3,2,2,stem2,1,64,24,96,96,3,3,1,1,96,96,127401984,13824
5,0,0,stem0,1,24,3,224,224,3,3,2,1,112,112,8128512,648
5,55,55,s4b3_conv1,1,720,2048,7,7,1,1,1,0,7,7,72253440,1474560
5,56,56,s4b3_conv2,1,720,720,7,7,3,3,1,1,7,7,228614400,4665600
"""


@pytest.fixture(scope="module")
def six() -> list[SubNet]:
    return [OFA.subnet(name) for name in PUBLISHED]


def conv_subgraph(net: SubNet) -> SubGraph:
    return SubGraph.of(net, OFA).only(OFA, Kind.CONV)


@pytest.mark.parametrize(("name", "macs", "params", "conv_bytes", "convs"), SIX, ids=[row[0] for row in SIX])
def test_published_totals(name: str, macs: int, params: int, conv_bytes: int, convs: int) -> None:
    net = OFA.subnet(name)
    assert net.macs == macs  # the linear layer's included
    assert net.parameters == params
    assert conv_subgraph(net).bytes(OFA) == conv_bytes
    assert len(net.weight_layers) == convs + 1


def test_published_rows_that_stand_here(six: list[SubNet]) -> None:
    rows = pd.read_csv(io.StringIO(ROWS))
    ours = published_table(six)
    assert len(ours) == 318 == sum(row[4] for row in SIX)
    found = rows[["network", "layer_index"]].merge(ours, on=["network", "layer_index"])
    pd.testing.assert_frame_equal(found[rows.columns], rows)


def test_every_published_row(six: list[SubNet]) -> None:
    published = pd.read_csv(published_or_skip(LAYERS))
    convs = published[published["supernet_layer_index"].notna()].reset_index(drop=True)
    assert len(convs) == 318
    integers = convs.astype({"layer_index": "int64", "supernet_layer_index": "int64"})
    pd.testing.assert_frame_equal(published_table(six), integers)


def test_the_published_table_reads_as_layers(six: list[SubNet]) -> None:
    rows = read_layer_table(published_or_skip(LAYERS))
    assert len(rows) == 324  # the classifiers too
    for network, net in enumerate(six):
        read = [row.layer for row in rows if row.network == str(network)]
        assert sum(layer.macs for layer in read) == net.macs
        assert read[-1].kind is Kind.LINEAR and read[-1].K == 1000


def test_the_published_configs_build_the_named_subnets(six: list[SubNet]) -> None:
    records: list[dict[str, Any]] = json.loads(published_or_skip(CONFIGS).read_text())
    assert [record["name"] for record in records] == [row[0] for row in SIX] == list(PUBLISHED)
    for record, net in zip(records, six, strict=True):
        assert OFA.subnet(**{key: record[key] for key in ("image", "depth", "expand", "width")}) == net
        totals = (record["macs"], record["params"], record["conv_weight_bytes"])
        assert (net.macs, net.parameters, conv_subgraph(net).bytes(OFA)) == totals


def test_the_published_choices_are_the_space() -> None:
    space = json.loads(published_or_skip(SPACES).read_text())["OFA_ResNet50"]
    for key, ours in (
        ("depth", ofa_resnet50.EXTRA_BLOCKS),
        ("expand", ofa_resnet50.EXPANSIONS),
        ("width", ofa_resnet50.WIDTHS),
        ("base_depth", ofa_resnet50.BASE_BLOCKS),
        ("stage_width", ofa_resnet50.STAGE_WIDTHS),
    ):
        assert tuple(space[key]) == ours
    assert space["stem"] == ofa_resnet50.STEM_WIDTH
    assert space["blocks"] == len(
        {x.name.split("_")[0] for x in OFA.layers if x.name.startswith("s") and "b" in x.name}
    )
    assert all(str(image) in space["image"] for image in ofa_resnet50.IMAGES)


def test_published_sizes(six: list[SubNet]) -> None:
    parts = [conv_subgraph(net) for net in six]
    sizes = [part.bytes(OFA) / MIB for part in parts]
    assert (round(min(sizes), 2), round(max(sizes), 2)) == (7.58, 27.47)
    shared = functools.reduce(operator.and_, parts)
    assert shared.bytes(OFA) == 7_916_296 and round(7_916_296 / MIB, 2) == 7.55
    assert all(part.contains(shared) for part in parts)


def test_a_config_and_its_name_are_one_subnet() -> None:
    smallest = OFA.subnet(**SMALLEST)
    assert smallest == OFA.subnet("resnet50D_MAC@0.6B")
    assert smallest == OFA.subnet("ofa-resnet50-r160-d00010-e000000000001000100-w000001")
    other = OFA.subnet(**(SMALLEST | {"image": 192}))
    assert other.name == "ofa-resnet50-r192-d00010-e000000000001000100-w000001"
    assert OFA.subnet(other.name) == other
    assert other.weight_bytes == smallest.weight_bytes and other.macs > smallest.macs


def test_the_supernet_counts_the_residual_stem_always() -> None:
    assert [layer.name for layer in OFA.layers[:7]] == [
        "stem0", "stem1_res", "stem2", "s1b1_conv1", "s1b1_conv2", "s1b1_conv3", "s1b1_down",
    ]  # fmt: skip
    assert len(OFA.layers) == 62 and OFA.index("linear") == 61
    assert OFA.index("stem2") == 2  # the published table says 1 for SubNets without stem1_res
    # 64, 2048 and 0.35 of 2048 are the widest: 716.8, whose nearest multiple of 8 is 720
    assert (OFA.layer("stem2").K, OFA.layer("s4b4_conv3").K, OFA.layer("s4b4_conv3").C) == (64, 2048, 720)


def test_what_lies_between_the_convs() -> None:
    net = OFA.subnet("resnet50D_MAC@2.4B")  # 192 x 192: 96, 48, 24, 12, 6
    pool = net.layer("stem_pool")
    assert (pool.kind, pool.R, pool.stride, pool.padding, pool.H, pool.P) == (Kind.MAXPOOL, 3, 2, 1, 96, 48)
    assert net.layer("stem0").inputs == (INPUT,)
    assert net.layer("stem1_add").inputs == ("stem1_res", "stem0")
    assert net.layer("stem2").inputs == ("stem1_add",)
    assert net.layer("s1b1_down").inputs == ("stem_pool",)  # stride 1: nothing to average
    assert net.layer("s1b2_add").inputs == ("s1b2_conv3", "s1b1_add")
    average = net.layer("s2b1_avg")
    assert (average.kind, average.R, average.stride, average.H, average.P) == (Kind.AVGPOOL, 2, 2, 48, 24)
    assert net.layer("s2b1_down").inputs == ("s2b1_avg",)
    assert net.layer("linear").inputs == ("pool",) and net.layer("pool").H == 6
    no_relu = {layer.name for layer in net.layers if layer.activation is Activation.NONE}
    ends = ("_conv3", "_down", "_avg", "_pool", "pool", "linear", "stem1_add")
    assert no_relu == {layer.name for layer in net.layers if layer.name.endswith(ends)}
    for before, layer in zip(net.layers, net.layers[1:], strict=False):
        if layer.kind is Kind.ADD:
            assert layer.inputs[0] == before.name
    stem = [layer.name for layer in OFA.subnet("resnet50D_MAC@0.6B").layers[:3]]
    assert stem == ["stem0", "stem2", "stem_pool"]


@pytest.mark.parametrize("image", ofa_resnet50.IMAGES)
def test_odd_sizes_join_because_the_average_rounds_up(image: int) -> None:
    net = OFA.subnet(**(SMALLEST | {"image": image}))  # SubNet checks that both operands of an add agree
    assert -(-image // 32) == net.layer("pool").H


def test_half_of_a_sample_keeps_the_residual_stem() -> None:
    depths = [dict(net.config)["depth"][0] for net in OFA.sample(60, seed=3)]
    assert set(depths) == {0, 2}  # 1 would be the same stem as 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": 208}, "image is 208; give one of 128, 144, 160, 176, 192, 224, 240, 256"),
        ({"depth": [0, 0, 0, 1]}, r"depth is \[0, 0, 0, 1\]; give 5 of 0, 1, 2"),
        ({"depth": [0, 0, 0, 1, 3]}, "depth is .*; give 5 of 0, 1, 2"),
        ({"expand": [0.3] * 18}, "expand is .*; give 18 of 0.2, 0.25, 0.35"),
        ({"expand": 0.2}, "expand is 0.2; give 18 of 0.2, 0.25, 0.35"),
        ({"width": [0, 0, 0, 0, 0, 0.65]}, "width is .*; give 6 of 0, 1, 2"),
    ],
)
def test_a_wrong_choice_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=f"SubNet of ofa-resnet50: {message}"):
        OFA.subnet(**(SMALLEST | change))


@pytest.mark.parametrize("name", ["resnet50D_MAC@9B", "ofa-resnet50-r160-d00010-e0-w000001"])
def test_an_unknown_name_says_which_there_are(name: str) -> None:
    with pytest.raises(
        SpaceError, match=f"SubNet {name} does not exist in ofa-resnet50; give one of resnet50D_MAC@0.6B"
    ):
        OFA.subnet(name)
