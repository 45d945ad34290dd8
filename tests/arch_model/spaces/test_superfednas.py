"""The CIFAR ResNets, counted by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arch_model.errors import SpaceError
from arch_model.network.layer import Kind
from arch_model.spaces import get_space, superfednas
from tests.published_tables import published_or_skip

CIFAR10, CIFAR100 = get_space("superfednas-cifar10"), get_space("superfednas-cifar100")
SPACES = "supernet_search_spaces.json"


def test_the_smallest_by_hand() -> None:
    net = CIFAR10.subnet("diverse-0")  # middle channels: 25.6, 51.2, 102.4, 204.8 to eights
    by_hand = {
        "stem": (3 * 64 * 9, 1024),
        "s1b1_conv1": (64 * 24 * 9, 1024),
        "s1b1_down": (64 * 256, 1024),
        "s1b1_conv2": (24 * 256 * 9, 1024),
        "s2b1_conv1": (256 * 48 * 9, 256),
        "s2b1_down": (256 * 512, 256),
        "s2b1_conv2": (48 * 512 * 9, 256),
        "s3b1_conv1": (512 * 104 * 9, 64),
        "s3b1_down": (512 * 1024, 64),
        "s3b1_conv2": (104 * 1024 * 9, 64),
        "s4b1_conv1": (1024 * 208 * 9, 16),
        "s4b1_down": (1024 * 2048, 16),
        "s4b1_conv2": (208 * 2048 * 9, 16),
        "linear": (2048 * 10, 1),
    }
    assert {x.name: (x.weight_bytes, x.P * x.Q) for x in net.weight_layers} == by_hand
    assert net.macs == sum(weights * pixels for weights, pixels in by_hand.values()) == 458_969_088
    channels = 64 + 24 + 48 + 104 + 208 + 2 * (256 + 512 + 1024 + 2048)
    assert net.parameters == sum(weights for weights, _ in by_hand.values()) + 2 * channels + 10


def test_the_order_of_execution_and_the_activations() -> None:
    net = CIFAR10.subnet("superfednas-cifar10-d0100-e000000000000")
    block = [x for x in net.layers if x.name.startswith("s2")]
    assert [x.name.removeprefix("s2") for x in block] == [
        "b1_conv1", "b1_avg", "b1_down", "b1_conv2", "b1_add", "b2_conv1", "b2_conv2", "b2_add",
    ]  # fmt: skip
    assert net.layer("s2b1_add").inputs == ("s2b1_conv2", "s2b1_down")
    assert net.layer("s2b2_add").inputs == ("s2b2_conv2", "s2b1_add")
    assert net.layer("s1b1_down").inputs == ("stem",)  # stride 1: nothing to average
    no_relu = {x.name.split("_")[-1] for x in net.layers if x.activation.value == "none"}
    assert no_relu == {"avg", "down", "pool", "linear"}  # conv2 has a ReLU of its own


def test_ten_to_twenty_six_layers() -> None:
    def layers(name: str) -> int:
        net = CIFAR10.subnet(name)
        return sum(x.kind.has_weights and not x.name.endswith("_down") for x in net.layers)

    assert [layers(f"diverse-{i}") for i in range(5)] == [10, 14, 18, 22, 26]
    assert CIFAR10.layers == CIFAR10.subnet("diverse-4").weight_layers
    assert CIFAR10.layer("s4b3_conv1").K == 512 and CIFAR100.layer("linear").K == 100
    assert sum(x.kind is Kind.AVGPOOL for x in CIFAR10.subnet("diverse-2").layers) == 3


def test_a_config_and_its_name_are_one_subnet() -> None:
    assert CIFAR100.subnet(depth=[0, 1, 0, 1], expand=[0.14] * 12).name == "diverse-1"
    other = CIFAR100.subnet(depth=[0, 1, 0, 1], expand=[0.14] * 11 + [0.25])
    assert other.name == "superfednas-cifar100-d0101-e111111111114" and CIFAR100.subnet(other.name) == other


def test_the_published_subnets() -> None:
    published = json.loads(published_or_skip(SPACES).read_text())["SuperFedNAS"]["diverse_subnets"]
    for i, choice in published.items():
        assert CIFAR10.subnet(depth=choice["d"], expand=[choice["e"]] * 12).name == f"diverse-{i}"
    assert len(published) == len(superfednas.PUBLISHED)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": [0, 0, 0], "expand": [0.1] * 12}, r"depth is \[0, 0, 0\]; give 4 of 0, 1, 2"),
        ({"depth": [0] * 4, "expand": [0.1] * 11}, "expand is .*; give 12 of 0.1, 0.14, 0.18, 0.22, 0.25"),
        ({"depth": [0] * 4, "expand": 0.1}, "expand is 0.1; give 12 of"),
    ],
)
def test_a_wrong_choice_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=f"SubNet of superfednas-cifar10: {message}"):
        CIFAR10.subnet(**config)


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(
        SpaceError, match="SubNet diverse-5 does not exist in superfednas-cifar10; give one of diverse-0"
    ):
        CIFAR10.subnet("diverse-5")
