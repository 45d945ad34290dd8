"""SubGraphs drawn for a table's columns: as many as asked for, different, not empty, and they fit."""

import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from mapper.layout.persistent_buffer import subgraph_tile_count
from mapper.pinning.greedy import fit_subgraph
from mapper.pinning.sampling import draw_subgraphs

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = FASHION.sample(6, seed=1)


@pytest.mark.parametrize("count", [1, 4, 30])
def test_they_differ_and_fit(count):
    found = draw_subgraphs(FASHION, NETS, count, TINY, seed=2)
    assert len(found) == len(set(found.values())) == count
    for name, subgraph in found.items():
        assert 0 < subgraph_tile_count(subgraph, FASHION, TINY) <= TINY.pb_tiles, name
        assert any(SubGraph.of(net, FASHION).contains(subgraph) for net in NETS)


def test_the_best_parts_come_first():
    found = draw_subgraphs(FASHION, NETS, 10, TINY, seed=2)
    fits = {name: graph for name, graph in found.items() if name.startswith("fit-")}
    assert list(found)[: len(fits)] == list(fits)
    assert all(graph == fit_subgraph(FASHION.subnet(name.removeprefix("fit-")), FASHION, TINY)
               for name, graph in fits.items())  # fmt: skip
    assert set(fits.values()) == {fit_subgraph(net, FASHION, TINY) for net in NETS}


def test_a_drawn_one_leaves_no_room_for_another_row():
    """The PB is full but for less than any layer's row of tiles, or holds a whole SubNet."""
    for name, subgraph in draw_subgraphs(FASHION, NETS, 20, TINY, seed=5).items():
        if name.startswith("drawn-"):
            free = TINY.pb_tiles - subgraph_tile_count(subgraph, FASHION, TINY)
            assert free < 26 or any(SubGraph.of(net, FASHION) == subgraph for net in NETS)


def test_depthwise_layers_are_in_none():
    """Their few weights never come to the PB."""
    space, zcu104 = get_space("ofa-mobilenetv3"), Accelerator.load("zcu104")
    nets = [space.subnet(name) for name in space.subnet_names()[:2]]
    for subgraph in draw_subgraphs(space, nets, 6, zcu104, seed=3).values():
        assert all(k == 0 for layer, (k, _) in zip(space.layers, subgraph.slices, strict=True) if layer.groups > 1)


def test_a_seed_is_a_draw():
    first, again, other = (draw_subgraphs(FASHION, NETS, 15, TINY, seed=seed) for seed in (4, 4, 5))
    assert first == again and first != other


def test_no_pb_and_too_few_are_named():
    with pytest.raises(MappingError, match=r"tiny has no PB .* larger buffers\.pb_bytes"):
        draw_subgraphs(FASHION, NETS, 2, TINY.replace(buffers={"pb_bytes": 0}), seed=1)
    one = TINY.replace(buffers={"pb_bytes": TINY.tile_bytes_raw})
    with pytest.raises(MappingError, match=r"different SubGraphs of fashion were found for tiny; 40 were asked"):
        draw_subgraphs(FASHION, NETS[:1], 40, one, seed=1)
