"""A SuperNet of listed SubNets: the same SubNets after a pickle, the greatest layers, nothing that is not listed."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from arch_model.errors import SpaceError
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet
from arch_model.spaces import get_space
from tests.own_supernet import own_supernet

TOY = own_supernet()
NETS = [TOY.subnet(name) for name in ("toy-48", "toy-84")]


def test_it_survives_a_pickle_which_its_model_does_not() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(TOY)
    listed = fixed_supernet(NETS, TOY.layers)
    there = pickle.loads(pickle.dumps(listed))
    assert there == listed and [there.subnet(name) for name in there.subnet_names()] == NETS
    assert there.layers == TOY.layers and there.name == "toy"


def test_layers_are_the_greatest_that_occur() -> None:
    listed = fixed_supernet(NETS)
    assert [(layer.name, layer.K, layer.C) for layer in listed.layers] == [
        ("stem", 8, 3), ("conv", 8, 8), ("side", 8, 8), ("linear", 5, 8)
    ]  # fmt: skip
    for net in NETS:
        assert SubGraph.full(listed).contains(SubGraph.of(net, listed))


def test_depthwise_kernels() -> None:
    def net(name: str, width: int, kernel: int) -> SubNet:
        layer = Layer("dw", Kind.CONV, width, width, kernel, kernel, 9, 9, padding=kernel // 2, groups=width)
        return SubNet(name, "dws", (replace(layer, inputs=(INPUT,)),))

    (layer,) = fixed_supernet([net("a", 12, 3), net("b", 8, 7)]).layers
    assert (layer.K, layer.C, layer.groups, layer.R, layer.padding) == (12, 12, 12, 7, 3)


def test_of_a_published_family() -> None:
    """The six SubNets' own greatest layers are inside the SuperNet's."""
    space = get_space("ofa-resnet50")
    listed = fixed_supernet(map(space.subnet, space.subnet_names()))
    for layer in listed.layers:
        whole = space.layer(layer.name)
        assert (layer.K, layer.C) <= (whole.K, whole.C) and layer.R == whole.R


def test_refusals() -> None:
    with pytest.raises(
        SpaceError, match="SubNet 'toy-44' is not one of the 2 that are listed of SuperNet toy; give toy-48, toy-84"
    ):
        fixed_supernet(NETS).subnet("toy-44")
    with pytest.raises(SpaceError, match="has no SubNets"):
        fixed_supernet([])
    with pytest.raises(SpaceError, match="two SubNets are named toy-48"):
        fixed_supernet([NETS[0], NETS[0]])
    with pytest.raises(SpaceError, match="SubNets are of other and toy"):
        fixed_supernet([NETS[0], replace(NETS[1], supernet="other")])
    with pytest.raises(SpaceError, match="no choices to sample from"):
        fixed_supernet(NETS).sample(1, 0)
