"""Every space: names, samples, SubGraphs and entries of a file belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arch_model.errors import SpaceError
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space, read_subnets, space_names, subnet_entry


def test_the_spaces() -> None:
    assert space_names() == (
        "fashion", "ofa-resnet50", "ofa-mobilenetv3", "ofa-mobilenetv3-w1.2", "ofa-proxyless", "compofa",
        "compofa-elastic", "superfednas-cifar10", "superfednas-cifar100",
    )  # fmt: skip
    with pytest.raises(SpaceError, match="SuperNet ofa does not exist; give one of fashion, ofa-resnet50, "):
        get_space("ofa")


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
