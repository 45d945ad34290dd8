"""Weights are checked against the SuperNet; those that ship, and drawn ones of every published space, pass."""

from dataclasses import replace

import pytest

from arch_model.errors import WeightsError
from arch_model.network.weights import check_weights, load_weights
from arch_model.spaces import get_space
from sim.integers.random_weights import random_weights
from tests.own_supernet import own_supernet

TOY = own_supernet()
SMALL = "ofa-mobilenetv3-r32-d22222-k35005300750035005300-e34004600330034006400"


def test_the_shipped_weights_are_fashions() -> None:
    check_weights(load_weights(), get_space("fashion"))


@pytest.mark.parametrize(("space", "name"), [("ofa-mobilenetv3", SMALL), ("ofa-resnet50", "resnet50D_MAC@0.6B")])
def test_drawn_weights_fit(space: str, name: str) -> None:
    supernet = get_space(space)
    drawn = random_weights(supernet, {name: 0.5}, seed=1)
    check_weights(drawn, supernet)
    with pytest.raises(WeightsError, match=r"^mine: layer stem.*; give the weights of SuperNet toy$"):
        check_weights(drawn, TOY, "mine")


def test_what_lacks_is_named() -> None:
    drawn = random_weights(TOY, {"toy-46": 0.5}, seed=1)
    lacking = replace(drawn, layers={name: w for name, w in drawn.layers.items() if name != "side"})
    with pytest.raises(WeightsError, match="weights: layer side of SuperNet toy has no weights; give"):
        check_weights(lacking, TOY)
    net = drawn.subnets["toy-46"]
    for ops, message in (
        ({name: op for name, op in net.ops.items() if name != "add"}, "layer add has no integers"),
        ({**net.ops, "more": net.ops["add"]}, "has integers of more, which is none of its layers"),
        ({**net.ops, "add": net.ops["pool"]}, "layer add is add and its integers are PoolQuant, not AddQuant"),
        ({**net.ops, "stem": replace(net.ops["stem"], table=[0] * 256)}, "layer stem has a table and the activation"),
    ):
        with pytest.raises(WeightsError, match=message):
            check_weights(replace(drawn, subnets={"toy-46": replace(net, ops=ops)}), TOY)
