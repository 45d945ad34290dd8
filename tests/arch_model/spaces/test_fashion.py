"""The space ``fashion``, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from arch_model.errors import SpaceError
from arch_model.network.layer import INPUT, Kind
from arch_model.spaces import get_space

FASHION = get_space("fashion")


def test_the_smallest_subnet_by_hand() -> None:
    net = FASHION.subnet("fashion-d111-w222")  # widths 12, 24, 48 at 14 x 14, 7 x 7, 4 x 4
    by_hand = {
        "stem": (16 * 1 * 9, 28 * 28),
        "s1b1_conv1": (12 * 16 * 9, 196),
        "s1b1_down": (12 * 16, 196),
        "s1b1_conv2": (12 * 12 * 9, 196),
        "s2b1_conv1": (24 * 12 * 9, 49),
        "s2b1_down": (24 * 12, 49),
        "s2b1_conv2": (24 * 24 * 9, 49),
        "s3b1_conv1": (48 * 24 * 9, 16),
        "s3b1_down": (48 * 24, 16),
        "s3b1_conv2": (48 * 48 * 9, 16),
        "linear": (10 * 48, 1),
    }
    assert {x.name: (x.weight_bytes, x.P * x.Q) for x in net.weight_layers} == by_hand
    assert net.weight_bytes == 44_160
    assert net.macs == 1_654_944


def test_the_order_of_execution_and_the_shortcuts() -> None:
    net = FASHION.subnet("fashion-d121-w444")
    assert [layer.name for layer in net.layers] == [
        "stem", "s1b1_conv1", "s1b1_down", "s1b1_conv2", "s1b1_add",
        "s2b1_conv1", "s2b1_down", "s2b1_conv2", "s2b1_add", "s2b2_conv1", "s2b2_conv2", "s2b2_add",
        "s3b1_conv1", "s3b1_down", "s3b1_conv2", "s3b1_add", "pool", "linear",
    ]  # fmt: skip
    assert net.layer("stem").inputs == (INPUT,)
    assert net.layer("s2b1_add").inputs == ("s2b1_conv2", "s2b1_down")
    assert net.layer("s2b2_add").inputs == ("s2b2_conv2", "s2b1_add")
    assert net.layer("s3b1_down").inputs == net.layer("s3b1_conv1").inputs == ("s2b2_add",)
    for before, layer in zip(net.layers, net.layers[1:], strict=False):
        if layer.kind is Kind.ADD:  # the array's sums go straight into the add
            assert layer.inputs[0] == before.name


def test_the_space_is_216_subnets_and_as_wide_as_said() -> None:
    names = FASHION.subnet_names()
    assert len(names) == len(set(names)) == 216
    nets = [FASHION.subnet(name) for name in names]
    largest, smallest = max(nets, key=lambda n: n.macs), min(nets, key=lambda n: n.macs)
    assert (largest.name, smallest.name) == ("fashion-d222-w444", "fashion-d111-w222")
    assert largest.macs >= 5 * smallest.macs
    assert FASHION.layers == largest.weight_layers and len(FASHION.layers) == 17
    assert FASHION.weight_bytes == 389_136


@pytest.mark.parametrize(
    "name", ["fashion", "fashion-d111", "fashion-d113-w222", "fashion-d111-w225", "fashion-d111-w222 ", ""]
)
def test_an_unknown_name_says_how_names_are_made(name: str) -> None:
    with pytest.raises(SpaceError) as error:
        FASHION.subnet(name)
    assert str(error.value) == (
        f"SubNet {name} does not exist in fashion; give fashion-dXYZ-wABC with blocks XYZ of 1..2 "
        "and quarters of the width ABC of 2..4, such as fashion-d122-w234"
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": (1, 1, 3), "width": (2, 2, 2)}, r"depth is \(1, 1, 3\); give 3 of 1, 2"),
        ({"depth": (1, 1), "width": (2, 2, 2)}, r"depth is \(1, 1\); give 3 of 1, 2"),
        ({"depth": (1, 1, 1), "width": 2}, "width is 2; give 3 of 2, 3, 4"),
        ({"depth": (1, 1, 1), "width": (2, 2.5, 2)}, r"width is \(2, 2.5, 2\); give 3 of 2, 3, 4"),
        ({"depth": (1, True, 1), "width": (2, 2, 2)}, r"depth is \(1, True, 1\); give 3 of 1, 2"),
        ({"depth": "111", "width": (2, 2, 2)}, "depth is '111'; give 3 of 1, 2"),
    ],
)
def test_a_wrong_choice_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        FASHION.subnet(**config)
