"""SubNets by name, by number, from a file, with their accuracies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arch_model.errors import SpaceError
from arch_model.network.supernet import SubNet
from arch_model.spaces import get_space, subnet_entry
from arch_model.spaces.chosen import MOST_DRAWN, choose_subnets

FASHION = get_space("fashion")


def test_ways_to_name_the_same() -> None:
    name = "fashion-d122-w234"
    for space in ("fashion", None):
        for asked in (name, f" {name} ", [name], [FASHION.subnet(name)], (FASHION.subnet(name),)):
            chosen = choose_subnets(asked, space)
            assert chosen.subnets == (FASHION.subnet(name),) and chosen.supernet is FASHION
    drawn = choose_subnets("3", "fashion", 5).subnets
    assert drawn == choose_subnets(3, "fashion", 5).subnets == FASHION.sample(3, seed=5)
    few = ["fashion-d111-w222", "fashion-d222-w444", name]
    picked = [net.name for net in choose_subnets("2", "fashion", 1, among=few).subnets]
    assert len(set(picked)) == 2 and set(picked) < set(few)


def test_a_files_accuracies_are_fractions(tmp_path: Path) -> None:
    resnet = get_space("ofa-resnet50")
    nets = resnet.sample(3, seed=0)
    entries = [subnet_entry(net) | top1 for net, top1 in zip(nets, ({"top1": 76.1}, {"top1": 0.78}, {}), strict=True)]
    (tmp_path / "nets.json").write_text(json.dumps(entries))
    (tmp_path / "without-a-suffix").write_text(json.dumps(entries))
    for asked in (tmp_path / "nets.json", str(tmp_path / "nets.json"), str(tmp_path / "without-a-suffix")):
        chosen = choose_subnets(asked)
        assert chosen.subnets == nets and chosen.supernet is resnet
        assert chosen.accuracy == {nets[0].name: pytest.approx(0.761), nets[1].name: 0.78}
    with pytest.raises(SpaceError, match="is of space ofa-resnet50; give one of fashion"):
        choose_subnets(str(tmp_path / "nets.json"), "fashion")


def test_measured_accuracies_but_the_files_first(tmp_path: Path) -> None:
    entry = subnet_entry(FASHION.subnet("fashion-d111-w222"))
    (tmp_path / "own.json").write_text(json.dumps([entry | {"top1": 50}]))
    assert choose_subnets(tmp_path / "own.json").accuracy == {"fashion-d111-w222": 0.5}
    assert choose_subnets("fashion-d111-w222").accuracy["fashion-d111-w222"] == pytest.approx(0.9122)


@pytest.mark.parametrize(
    ("asked", "space", "words"),
    [
        ("fashion-d111-w222,fashion-d111-w222", "fashion", "is given twice; give each once"),
        ([], "fashion", "there are no SubNets"),
        ("", "fashion", "the name of a SubNet is empty"),
        (" ", None, "the name of a SubNet is empty"),
        ("fashion-d111-w222,", None, "the name of a SubNet is empty"),
        ("nobody", "fashion", "nobody"),
        ("nobody", None, "SubNet nobody is of no SuperNet that is known; give --space NAME"),
        ("x" * 5000, None, "is of no SuperNet that is known"),
        ("a\0b", None, "is of no SuperNet that is known"),
        ("diverse-0", None, "is of superfednas-cifar10 and of superfednas-cifar100; give --space NAME"),
        ("none.json", "fashion", "SubNets none.json does not exist"),
        ("0", "fashion", "count is 0; give 1..216"),
        ("217", "fashion", "count is 217; give 1..216"),
        ("5", None, "of which SuperNet"),
        (str(MOST_DRAWN + 1), "ofa-resnet50", "give at most 20,000, since each is built and kept in memory"),
        ("9" * 6000, "ofa-resnet50", "give at most 20,000"),
        ("2", "moon", "SuperNet moon does not exist"),
        ("fashion-d111-w222", "moon", "SuperNet moon does not exist"),
    ],
)
def test_what_is_wrong(asked: str, space: str | None, words: str) -> None:
    with pytest.raises(SpaceError) as error:
        choose_subnets(asked, space)
    assert words in str(error.value) and len(str(error.value)) < 400


def test_of_several_supernets(tmp_path: Path) -> None:
    nets = [FASHION.subnet("fashion-d111-w222"), get_space("compofa").subnet("compofa-r224-d22222")]
    (tmp_path / "nets.json").write_text(json.dumps([subnet_entry(net) for net in nets]))
    chosen = choose_subnets(tmp_path / "nets.json")
    assert chosen.subnets == tuple(nets)
    with pytest.raises(SpaceError, match="SubNets are of compofa and fashion; give SubNets of one SuperNet"):
        _ = chosen.supernet


def test_more_than_there_are_to_draw_from() -> None:
    with pytest.raises(SpaceError, match=r"SubNets to draw is 3; give 1\.\.2"):
        choose_subnets("3", "fashion", among=["fashion-d111-w222", "fashion-d222-w444"])


def test_of_those_drawn_only_the_accepted() -> None:
    def odd(net: SubNet) -> bool:
        return net.macs % 2 == 1 or net.name.endswith("2")

    drawn = FASHION.sample(216, seed=3)
    wanted = tuple(net for net in drawn if odd(net))[:20]
    assert choose_subnets("20", "fashion", 3, accept=odd).subnets == wanted
    with pytest.raises(SpaceError, match=r"SubNets to draw is 5; only 0 of 216 of fashion can run as a whole"):
        choose_subnets("5", "fashion", accept=lambda net: False)
    name = "fashion-d111-w222"
    assert choose_subnets(name, accept=lambda net: False).subnets == (FASHION.subnet(name),)
