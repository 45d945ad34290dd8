"""SubNets by name, by number, from a file, with their accuracies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError, SpaceError
from arch_model.spaces import get_space, subnet_entry
from sim.explore.nets import find_nets

FASHION = get_space("fashion")


def test_ways_to_name_the_same() -> None:
    name = "fashion-d122-w234"
    for asked in (name, [name], [FASHION.subnet(name)], (FASHION.subnet(name),)):
        assert find_nets("fashion", asked, 0)[0] == (FASHION.subnet(name),)
    assert find_nets("fashion", "3", 5)[0] == find_nets("fashion", 3, 5)[0] == FASHION.sample(3, seed=5)


def test_a_files_accuracies_in_per_cent(tmp_path: Path) -> None:
    resnet = get_space("ofa-resnet50")
    nets = resnet.sample(3, seed=0)
    entries = [subnet_entry(net) | top1 for net, top1 in zip(nets, ({"top1": 76.1}, {"top1": 0.78}, {}), strict=True)]
    (tmp_path / "nets.json").write_text(json.dumps(entries))
    found, accuracy = find_nets("ofa-resnet50", tmp_path / "nets.json", 0)
    assert [net.name for net in found] == [net.name for net in nets]
    assert accuracy == {nets[0].name: 76.1, nets[1].name: pytest.approx(78.0)}
    with pytest.raises(SpaceError, match="is of space ofa-resnet50; give one of fashion"):
        find_nets("fashion", str(tmp_path / "nets.json"), 0)


@pytest.mark.parametrize(
    "asked,words",
    [
        ("fashion-d111-w222,fashion-d111-w222", "is given twice"),
        ([], "there are no SubNets"),
        ("nobody", "nobody"),
        ("none.json", "SubNets none.json does not exist"),
        ("0", "count is 0"),
    ],
)
def test_what_is_wrong(asked: str, words: str) -> None:
    with pytest.raises(FastSwitchError) as error:
        find_nets("fashion", asked, 0)
    assert words in str(error.value)
