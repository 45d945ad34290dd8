"""The spaces ``compofa`` and ``compofa-elastic``."""

from __future__ import annotations

import json

import pytest

from arch_model.errors import SpaceError
from arch_model.network.supernet import SubGraph
from arch_model.spaces import compofa, get_space
from tests.published_tables import published_or_skip

FIXED, ELASTIC, OFA = map(get_space, ("compofa", "compofa-elastic", "ofa-mobilenetv3"))
SPACES = "supernet_search_spaces.json"


def test_there_are_243() -> None:
    nets = [FIXED.subnet(name) for name in FIXED.subnet_names()]
    assert len(nets) == 243 == len({tuple((x.name, x.K, x.C, x.R) for x in net.layers) for net in nets})
    largest, smallest = max(nets, key=lambda n: n.macs), min(nets, key=lambda n: n.macs)
    assert (largest.name, smallest.name) == ("compofa-r224-d44444", "compofa-r224-d22222")
    assert FIXED.layers == largest.weight_layers
    assert all(SubGraph.full(FIXED).contains(SubGraph.of(net, FIXED)) for net in nets[::20])


@pytest.mark.parametrize("depth", [(2, 2, 2, 2, 2), (2, 3, 4, 3, 2), (4, 4, 4, 4, 4)])
def test_each_is_a_subnet_of_once_for_all(depth: tuple[int, ...]) -> None:
    ratios = {2: 3, 3: 4, 4: 6}
    same = OFA.subnet(
        image=160,
        depth=depth,
        kernel=[3] * 4 + [5] * 4 + [3] * 8 + [5] * 4,
        expand=[ratios[d] for d in depth for _ in range(4)],
    )
    ours = FIXED.subnet(image=160, depth=depth)
    assert ours.layers == same.layers and ours.supernet == "compofa"
    kernels = dict(same.config)["kernel"]
    assert ELASTIC.subnet(image=160, depth=depth, kernel=kernels).layers == same.layers


def test_the_elastic_supernet_keeps_the_greatest_kernel() -> None:
    assert {x.R for x in FIXED.layers if x.groups > 1} == {3, 5}
    assert {x.R for x in ELASTIC.layers if x.groups > 1 and x.name != "s0b1_depthwise"} == {7}
    assert ELASTIC.subnet_names() == ()
    net = ELASTIC.subnet(image=192, depth=[2, 3, 4, 2, 2], kernel=[7, 3, 0, 0, 7, 3, 3, 0] + [5] * 4 + [3] * 8)
    assert net.name == "compofa-elastic-r192-d23422-k73007330555533003300"


def test_names_spell_the_choices() -> None:
    net = FIXED.subnet("compofa-r160-d22234")
    assert net == FIXED.subnet(image=160, depth=(2, 2, 2, 3, 4)) and net.layers[0].H == 160
    elastic = ELASTIC.sample(1, seed=5)[0]
    assert ELASTIC.subnet(elastic.name) == elastic


@pytest.mark.parametrize("space", [FIXED, ELASTIC])
@pytest.mark.parametrize("ending", ["", "-r224", "-r224-d2222", "-d22222", "-r224-d22222-k33"])
def test_an_unknown_name_says_how_names_are_made(space: object, ending: str) -> None:
    supernet = FIXED if space is FIXED else ELASTIC
    with pytest.raises(SpaceError, match=f"SubNet x{ending} does not exist in {supernet.name}; give {supernet.name}-r"):
        supernet.subnet(f"x{ending}")


def test_wrong_choices_are_named() -> None:
    with pytest.raises(SpaceError, match=r"SubNet of compofa: depth is \[2, 2, 2, 2, 5\]; give 5 of 2, 3, 4$"):
        FIXED.subnet(image=224, depth=[2, 2, 2, 2, 5])
    with pytest.raises(SpaceError, match="SuperNet compofa: got an unexpected keyword argument 'kernel'"):
        FIXED.subnet(image=224, depth=[2] * 5, kernel=[3] * 20)
    with pytest.raises(SpaceError, match=r"SubNet of compofa-elastic: kernel is \[0, .*; give 20 of 3, 5, 7, or 0"):
        ELASTIC.subnet(image=224, depth=[3] * 5, kernel=[0, 3, 3, 3] * 5)


def test_the_published_choices_are_the_space() -> None:
    space = json.loads(published_or_skip(SPACES).read_text())["CompOFA"]
    assert space["n_subnets"] == len(FIXED.subnet_names())
    assert {int(k): v for k, v in space["depth_to_expand"].items()} == compofa.EXPANSION_OF_DEPTH
    assert tuple(space["fixed_kernel_per_stage"]) == compofa.STAGE_KERNELS
