"""Every space: names, samples, SubGraphs and entries of a file belong together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from arch_model.errors import SpaceError
from arch_model.network.choices import Choice
from arch_model.network.supernet import SubGraph, SuperNet
from arch_model.spaces import (
    choose_subnets,
    get_space,
    known_top1,
    read_subnets,
    register_supernet,
    space_names,
    space_top1,
    subnet_entry,
)
from arch_model.spaces.registry import forget_supernet, ships
from tests.own_supernet import own_supernet


def test_the_spaces() -> None:
    assert space_names() == (
        "fashion", "cifar", "ofa-resnet50", "ofa-mobilenetv3", "ofa-mobilenetv3-w1.2", "ofa-proxyless", "compofa",
        "compofa-elastic", "superfednas-cifar10", "superfednas-cifar100",
    )  # fmt: skip
    with pytest.raises(SpaceError, match="SuperNet ofa does not exist; give one of fashion, cifar, ofa-resnet50, "):
        get_space("ofa")


def test_ones_own(own: SuperNet) -> None:
    assert get_space(own) is own and not ships(own)
    register_supernet(own)
    assert get_space("toy") is own and space_names()[-1] == "toy" and not ships("toy")
    again = own_supernet()
    assert register_supernet(again) is again is get_space("toy")  # as when a cell of a notebook runs again
    assert space_top1("toy") == {} and known_top1(own.subnet("toy-44")) is None
    forget_supernet("toy")
    assert "toy" not in space_names()


def test_what_cannot_be_registered(own: SuperNet) -> None:
    with pytest.raises(SpaceError, match="register_supernet: 3 is no SuperNet; give one"):
        register_supernet(3)
    with pytest.raises(SpaceError, match="SuperNet fashion: a SuperNet of that name comes with FastSwitch; give yours"):
        register_supernet(replace(own, name="fashion"))
    assert register_supernet(get_space("fashion")) is get_space("fashion")
    with pytest.raises(SpaceError, match="SuperNet name is '': it is empty"):
        register_supernet(replace(own, name=""))
    with pytest.raises(
        SpaceError, match="SuperNet toy: a choice is called top1, which in files of SubNets is something"
    ):
        register_supernet(replace(own, choices=(Choice("top1", (1, 2)),)))


def test_a_published_name_gives_no_accuracy_to_ones_own(own: SuperNet) -> None:
    fashion = get_space("fashion")
    other = replace(fashion, layers=fashion.layers[:-1])
    net = fashion.subnet("fashion-d111-w222")
    assert choose_subnets([net], fashion).accuracy and not choose_subnets([net], other).accuracy


@pytest.fixture
def own():
    yield own_supernet()
    forget_supernet("toy")


@pytest.mark.parametrize("space", space_names())
@pytest.mark.parametrize("seed", [0, 1])
def test_a_sample_is_of_the_space(space: str, seed: int, tmp_path: Path) -> None:
    supernet = get_space(space)
    nets = supernet.sample(4, seed)
    assert nets == supernet.sample(4, seed) != supernet.sample(4, seed + 2)
    assert len({net.name for net in nets}) == 4
    for net in nets:
        assert net == supernet.subnet(net.name) == supernet.subnet(**dict(net.config))
        part = SubGraph.of(net, supernet)
        assert SubGraph.full(supernet).contains(part) and part.bytes(supernet) >= net.weight_bytes
        assert net.weight_bytes < net.parameters < 1.1 * net.weight_bytes + 10_000
    file = tmp_path / "nets.json"
    file.write_text(json.dumps([subnet_entry(net) for net in nets]))
    assert read_subnets(file) == nets
