"""Known accuracies are the published ones, and the choices decide, not the names."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from arch_model.errors import SpaceError
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space, known_top1, read_subnets, space_names, space_top1, subnet_entry
from tests.published_tables import published_or_skip

FILES = ("ofa_resnet50_six_subnets.json", "ofa_released_subnets.json")


@pytest.mark.parametrize("name", FILES)
def test_as_published(name: str) -> None:
    path = published_or_skip(name)
    said = {entry["name"]: entry["top1"] / 100 for entry in json.loads(path.read_text())}
    assert {net.name: known_top1(net) for net in read_subnets(path)} == pytest.approx(said)


def test_names_are_of_the_space_and_values_are_fractions() -> None:
    found = {space: space_top1(space) for space in space_names()}
    for space, top1 in found.items():
        assert set(top1) <= set(get_space(space).subnet_names())
        assert all(0.7 <= value < 1 for value in top1.values())
    assert {space: len(top1) for space, top1 in found.items() if top1} == {
        "fashion": len(load_weights().subnets), "cifar": 136, "ofa-resnet50": 6, "ofa-mobilenetv3": 6,
        "ofa-mobilenetv3-w1.2": 5, "ofa-proxyless": 6,
    }  # fmt: skip
    with pytest.raises(SpaceError, match="SuperNet moon does not exist"):
        space_top1("moon")


def test_choices_decide_and_not_the_name() -> None:
    space = get_space("ofa-mobilenetv3")
    released = space.subnet("pixel2_lat-50ms_top1-74.7_finetune-25")
    assert known_top1(replace(released, name="mine")) == 0.747
    other = space.sample(1, seed=3)[0]
    assert known_top1(replace(other, name="mine_top1-99.0_finetune-25")) is None
    assert known_top1(replace(released, supernet="imported from a model")) is None


def test_an_entry_has_it_in_per_cent_or_not_at_all() -> None:
    six = get_space("ofa-resnet50")
    assert [subnet_entry(six.subnet(name))["top1"] for name in six.subnet_names()] == [75, 76.3, 78.3, 79, 79.7, 79.8]
    assert "top1" not in subnet_entry(six.sample(1, seed=0)[0])
