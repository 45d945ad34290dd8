"""``ofa-mobilenetv3``, its wide brother and ``ofa-proxyless`` against the released SubNets and by hand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from arch_model.errors import SpaceError
from arch_model.network.layer import INPUT, Activation, Kind
from arch_model.network.supernet import SubGraph, SuperNet
from arch_model.spaces import get_space, mobile, read_subnets
from tests.published_tables import published_or_skip

V3, WIDE, PROXYLESS = map(get_space, ("ofa-mobilenetv3", "ofa-mobilenetv3-w1.2", "ofa-proxyless"))
RELEASED = "ofa_released_subnets.json"
SPACES = "supernet_search_spaces.json"

# space, name, MACs, parameters: as released
SEVENTEEN = [
    (PROXYLESS, "1080ti_gpu64-12ms_top1-72.6_finetune-25", 164964352, 5903488),
    (PROXYLESS, "1080ti_gpu64-27ms_top1-76.4_finetune-25", 396707912, 6493328),
    (V3, "LG-G8_lat-24ms_top1-76.4_finetune-25", 229846296, 5809576),
    (PROXYLESS, "cpu_lat-11ms_top1-72.0_finetune-25", 160315320, 4394600),
    (WIDE, "flops-389M_top1-79.1_finetune-75", 389487856, 8386544),
    (V3, "note10_lat-11ms_top1-73.6_finetune-25", 109607488, 4278224),
    (WIDE, "note10_lat-30ms_top1-78.4_finetune-75", 339352816, 7465896),
    (WIDE, "note10_lat-64ms_top1-80.2_finetune-75", 743131000, 9109040),
    (V3, "note8_lat-31ms_top1-72.8_finetune-25", 100520248, 4595536),
    (WIDE, "pixel1_lat-132ms_top1-79.8_finetune-75", 592737144, 9225040),
    (V3, "pixel1_lat-28ms_top1-73.3_finetune-25", 108572320, 5196680),
    (WIDE, "pixel1_lat-79ms_top1-78.7_finetune-75", 355469648, 8168608),
    (V3, "pixel2_lat-50ms_top1-74.7_finetune-25", 165999448, 4687720),
    (V3, "s7edge_lat-41ms_top1-73.1_finetune-25", 95935136, 4663872),
    (PROXYLESS, "tx2_gpu16-35ms_top1-70.3_finetune-25", 121204736, 4315144),
    (PROXYLESS, "tx2_gpu16-96ms_top1-75.8_finetune-25", 348919456, 6163200),
    (PROXYLESS, "v100_gpu64-6ms_top1-73.0_finetune-25", 179272800, 4933568),
]

SMALLEST: dict[str, Any] = {"image": 224, "depth": [2] * 5, "kernel": [3] * 20, "expand": [3] * 20}


@pytest.mark.parametrize(("space", "name", "macs", "params"), SEVENTEEN, ids=[row[1] for row in SEVENTEEN])
def test_released_totals(space: SuperNet, name: str, macs: int, params: int) -> None:
    net = space.subnet(name)
    assert (net.name, net.macs, net.parameters) == (name, macs, params)


def test_every_released_subnet_has_its_name() -> None:
    for space in (V3, WIDE, PROXYLESS):
        assert set(space.subnet_names()) == {row[1] for row in SEVENTEEN if row[0] is space}


def test_the_released_configs_build_the_named_subnets() -> None:
    path = published_or_skip(RELEASED)
    records: list[dict[str, Any]] = json.loads(path.read_text())
    nets = read_subnets(path)
    assert len(nets) == len(records) == 17
    for record, net, row in zip(records, nets, SEVENTEEN, strict=True):
        assert (net.name, net.macs, net.parameters) == (record["name"], record["macs"], record["params"])
        assert net == row[0].subnet(row[1])


@pytest.mark.parametrize(
    ("key", "nets", "last"), [("OFA_MobileNetV3", (V3, WIDE), 960), ("OFA_ProxylessNAS", (PROXYLESS,), 1280)]
)
def test_the_published_choices_are_the_space(key: str, nets: tuple[SuperNet, ...], last: int) -> None:
    space = json.loads(published_or_skip(SPACES).read_text())[key]
    assert (tuple(space["ks"]), tuple(space["expand"])) == (mobile.KERNELS, mobile.EXPANSIONS)
    assert tuple(space["depth"]) == mobile.DEPTHS
    for net in nets:
        strides = [net.layer(f"s{i}b1_depthwise").stride for i in range(6)]
        if key == "OFA_MobileNetV3":
            assert strides == space["stride"]
            assert [any(x.name == f"s{i}b1_squeeze" for x in net.layers) for i in range(6)] == space["se"]
        else:
            assert [*strides[1:], net.layer("s6b1_depthwise").stride] == space["stride"]
            assert sum(x.name.startswith("s6") and x.name.endswith("_project") for x in net.layers) == 1
    if key == "OFA_MobileNetV3":
        names = ["stem", *(f"s{i}b1_project" for i in range(6)), "final", "mix"]
        assert [V3.layer(name).K for name in names] == space["base"]
        assert last == V3.layer("final").K


def test_channels_are_rounded_to_eights() -> None:
    blocks = ["stem", *(f"s{i}b1_project" for i in range(6)), "final"]
    # 1.2 times 16, 16, 24, 40, 80, 112, 160, 960: 16 would be more than a tenth below 19.2
    assert [WIDE.layer(name).K for name in blocks] == [24, 24, 32, 48, 96, 136, 192, 1152]
    assert WIDE.layer("mix").K == 1536
    # 1.3 times 32, 16, 24, 40, 80, 96, 192, 320, 1280
    blocks.insert(7, "s6b1_project")
    assert [PROXYLESS.layer(name).K for name in blocks] == [40, 24, 32, 56, 104, 128, 248, 416, 1664]


def test_a_block_with_squeeze_excite_by_hand() -> None:
    net = V3.subnet(**SMALLEST)
    by_hand = {  # kind, K, C, R, H, P, MACs, parameters; 24 channels come in at 56 x 56, times 3, over 2
        "s2b1_expand": ("conv", 72, 24, 1, 56, 56, 24 * 72 * 56**2, 24 * 72 + 2 * 72),
        "s2b1_depthwise": ("conv", 72, 72, 3, 56, 28, 72 * 9 * 28**2, 72 * 9 + 2 * 72),
        "s2b1_pool": ("pool", 72, 72, 1, 28, 1, 0, 0),
        "s2b1_squeeze": ("linear", 24, 72, 1, 1, 1, 1728, 1728 + 24),  # 72 / 4 is 18: 16 is too few
        "s2b1_excite": ("linear", 72, 24, 1, 1, 1, 1728, 1728 + 72),
        "s2b1_scale": ("scale", 72, 72, 1, 28, 28, 0, 0),
        "s2b1_project": ("conv", 40, 72, 1, 28, 28, 72 * 40 * 28**2, 72 * 40 + 2 * 40),
    }
    block = [layer for layer in net.layers if layer.name.startswith("s2b1_")]
    assert {
        x.name: (x.kind.value, x.K, x.C, x.R, x.H, x.P, x.macs, x.parameters) for x in block
    } == by_hand  # stride 2: nothing is added
    assert [x.inputs for x in block] == [
        ("s1b2_add",), ("s2b1_expand",), ("s2b1_depthwise",), ("s2b1_pool",), ("s2b1_squeeze",),
        ("s2b1_depthwise", "s2b1_excite"), ("s2b1_scale",),
    ]  # fmt: skip
    activations = ["relu", "relu", "none", "relu", "hsigmoid", "none", "none"]
    assert [x.activation.value for x in block] == activations
    assert net.layer("s2b2_add").inputs == ("s2b2_project", "s2b1_project")


def test_what_stands_before_and_after_the_stages() -> None:
    net = V3.subnet(**SMALLEST)
    assert [x.name for x in net.layers[:4]] == ["stem", "s0b1_depthwise", "s0b1_project", "s0b1_add"]
    assert net.layer("stem").inputs == (INPUT,) and net.layer("s0b1_add").inputs == ("s0b1_project", "stem")
    assert [x.name for x in net.layers[-4:]] == ["final", "pool", "mix", "linear"]
    assert net.layer("mix").parameters == 960 * 1280  # no bias, no batch norm
    assert net.layer("linear").parameters == 1281 * 1000
    hswish = {x.name.split("_")[0] for x in net.layers if x.activation is Activation.HSWISH}
    assert hswish == {"stem", "final", "mix", *(f"s{i}b{j}" for i in (3, 4, 5) for j in (1, 2))}
    last = PROXYLESS.subnet(**SMALLEST | {"kernel": [3] * 21, "expand": [3] * 21})
    assert [x.name for x in last.layers[:4]] == ["stem", "s0b1_depthwise", "s0b1_project", "s1b1_expand"]
    assert [x.name for x in last.layers[-4:]] == ["s6b1_project", "final", "pool", "linear"]
    assert {x.activation.value for x in last.layers} == {"relu6", "none"}
    assert not any(x.kind is Kind.SCALE for x in last.layers)


def test_depthwise_layers_and_elastic_kernels_in_a_subgraph() -> None:
    net = V3.subnet(**SMALLEST)
    part = SubGraph.of(net, V3)
    i = V3.index("s3b1_depthwise")
    assert part.slices[i] == (120, 120) and V3.layers[i].R == 7 and V3.layers[i].groups == 240
    assert part.slices[V3.index("s3b3_depthwise")] == (0, 0)
    # whole 7 x 7 kernels are cached, of which the SubNet uses 3 x 3
    spare = sum(x.K * (49 - 9) for x in net.layers if x.groups > 1 and x.name != "s0b1_depthwise")
    assert part.bytes(V3) == net.weight_bytes + spare
    assert SubGraph.full(V3).contains(part)


def test_zeros_and_what_is_not_there_make_one_subnet() -> None:
    zeros = [v for i in range(20) for v in ([3] if i % 4 < 2 else [0])]
    assert V3.subnet(**SMALLEST) == V3.subnet(**SMALLEST | {"kernel": zeros, "expand": zeros})
    name = f"ofa-mobilenetv3-r224-d22222-k{'3300' * 5}-e{'3300' * 5}"
    assert V3.subnet(**SMALLEST).name == name and V3.subnet(name) == V3.subnet(**SMALLEST)


@pytest.mark.parametrize("image", [32, 33, 127, 188, 260])
def test_layers_join_at_any_image(image: int) -> None:
    assert -(-image // 32) == V3.subnet(**SMALLEST | {"image": image}).layer("pool").H


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": 31}, "image is 31; give a whole number, at least 32"),
        ({"image": 224.5}, "image is 224.5; give a whole number, at least 32"),
        ({"image": True}, "image is True; give a whole number, at least 32"),
        ({"depth": [2, 2, 2, 2]}, "depth is [2, 2, 2, 2]; give 5 of 2, 3, 4"),
        ({"depth": [1, 2, 2, 2, 2]}, "depth is [1, 2, 2, 2, 2]; give 5 of 2, 3, 4"),
        ({"kernel": [3] * 19}, f"kernel is {[3] * 19}; give 20 of 3, 5, 7, or 0 for a block that is not there"),
        ({"kernel": 3}, "kernel is 3; give 20 of 3, 5, 7, or 0 for a block that is not there"),
        ({"expand": [0] * 20}, f"expand is {[0] * 20}; give 20 of 3, 4, 6, or 0 for a block that is not there"),
        ({"expand": [5] + [3] * 19}, "give 20 of 3, 4, 6, or 0 for a block that is not there"),
        ({"expand": [3, 3, 3, 5] * 5}, "give 20 of 3, 4, 6, or 0 for a block that is not there"),
    ],
)
def test_a_wrong_choice_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=rf"SubNet of ofa-mobilenetv3: .*{re.escape(message)}$"):
        V3.subnet(**SMALLEST | change)


@pytest.mark.parametrize("name", ["MobileNetV3", "ofa-mobilenetv3-r224-d22222", "ofa-mobilenetv3-w1.2"])
def test_an_unknown_name_says_which_there_are(name: str) -> None:
    with pytest.raises(SpaceError, match=f"SubNet {name} does not exist in ofa-mobilenetv3; give one of LG-G8"):
        V3.subnet(name)
