"""What may be pinned, and what layers cost with it."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from mapper.layout.tensors import slice_grid
from mapper.pinning.greedy import fit_subgraph
from mapper.pinning.options import Menu, layer_table
from tests.mapper.cost.test_layer_batch import walked

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = [FASHION.subnet(name) for name in ("fashion-d111-w222", "fashion-d111-w234")]


def test_entries_are_leading_k_tiles_with_the_channels_of_a_subnet():
    menu = Menu.of(FASHION, NETS, TINY)
    layer = FASHION.index("s3b1_conv1")
    sizes = [(net.layer("s3b1_conv1").K, net.layer("s3b1_conv1").C) for net in NETS]
    found = menu.slices[layer, 1 : menu.count[layer]].tolist()
    assert {c for _, c in found} == {c for _, c in sizes}
    most = {c: max(k for k, other in sizes if other >= c) for _, c in sizes}
    for c in most:
        assert [k for k, other in found if other == c] == [min(4 * (i + 1), most[c]) for i in range(-(-most[c] // 4))]
    for (k, c), tiles in zip(menu.slices[layer].tolist(), menu.tiles[layer].tolist(), strict=True):
        assert tiles == slice_grid(FASHION.layers[layer], k, c, TINY).tiles
    absent = FASHION.index("s1b2_conv1")
    assert menu.count[absent] == 1 and not menu.tiles[absent].any()


def test_nothing_is_on_it_that_no_pb_holds():
    machine = TINY.replace(buffers={"pb_bytes": 7 * TINY.tile_bytes_raw})
    menu = Menu.of(FASHION, NETS, machine)
    assert menu.tiles.max() <= 7
    assert Menu.of(FASHION, NETS, TINY.replace(buffers={"pb_bytes": 0})).count.max() == 1


def test_fewer_levels_keep_the_whole():
    whole, few = Menu.of(FASHION, NETS, TINY), Menu.of(FASHION, NETS, TINY, levels=2)
    assert few.count.max() == 1 + 2 * 2
    assert (few.tiles.max(axis=1) == whole.tiles.max(axis=1)).all()


def test_a_choice_is_a_subgraph_and_back():
    menu = Menu.of(FASHION, NETS[:1], TINY)
    pinned = fit_subgraph(NETS[0], FASHION, TINY)
    choice = menu.largest_in(pinned)
    assert menu.subgraph(choice) == pinned
    assert menu.used(choice) == sum(
        slice_grid(layer, k, c, TINY).tiles for layer, (k, c) in zip(FASHION.layers, pinned.slices, strict=True)
    )


@pytest.mark.parametrize("bytes_", [False, True])
def test_costs_are_those_of_compiled_programs(bytes_):
    menu = Menu.of(FASHION, NETS, TINY)
    table = layer_table(menu, NETS, [0.25, 0.75], bytes_)
    for name, entry in (("stem", 0), ("stem", 2), ("s3b1_conv1", 5), ("linear", 1)):
        index, expected = FASHION.index(name), 0.0
        for net, share in zip(NETS, (0.25, 0.75), strict=True):
            k, c = menu.slices[index, entry].tolist()
            layer = net.layer(name)
            cost = walked(layer, TINY, (min(k, layer.K), min(c, layer.C)))
            ports = [cost[f"{port}_bytes"] for port in ("prog", "wgt", "act", "b", "out")]
            expected += share * (sum(ports) if bytes_ else cost["cycles"])
        assert table[index, entry] == pytest.approx(expected)


def test_one_subgraph_as_a_menu():
    pinned = fit_subgraph(NETS[0], FASHION, TINY)
    menu = Menu.one(FASHION, pinned, TINY)
    assert menu.subgraph(np.ones(len(FASHION.layers), np.int64)) == pinned
    assert menu.subgraph(np.zeros(len(FASHION.layers), np.int64)) == SubGraph.empty(FASHION)
