"""What may be pinned, and what layers cost with it."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.program.isa import SLOT_BYTES
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.cached_layers import CachedLayers
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import slice_grid
from mapper.lowering.compile import compile_subnet, single_layer
from mapper.pinning.greedy import fit_subgraph
from mapper.pinning.options import Menu, dense_uses, dram_bytes, layer_table, program_uses, stand_alone_cycles
from tests.mapper.random_nets import random_quant

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


def program_of(subnet, supernet, cached):
    """The compiled Program of a SubNet with a SubGraph in the PB."""
    resident = PersistentBuffer.of(cached, supernet, TINY)
    quant = random_quant(subnet, np.random.default_rng(0))
    return compile_subnet(subnet, supernet, TINY, quant, MemoryMap.build(supernet, [subnet], TINY), resident=resident)


def test_stand_alone_cycles_are_those_of_compiled_programs():
    menu, layers, share = Menu.of(FASHION, NETS, TINY), CachedLayers(TINY), (0.25, 0.75)
    uses = [dense_uses(menu, net, layers) for net in NETS]
    table = layer_table(menu, uses, share, lambda number: stand_alone_cycles(layers, number))
    for name, entry in (("stem", 0), ("stem", 2), ("s3b1_conv1", 5), ("linear", 1)):
        index, expected = FASHION.index(name), 0.0
        for net, weight in zip(NETS, share, strict=True):
            k, c = menu.slices[index, entry].tolist()
            layer = net.layer(name)
            supernet, subnet = single_layer(layer)
            cached = SubGraph(supernet.name, ((min(k, layer.K), min(c, layer.C)),))
            expected += weight * time_program(program_of(subnet, supernet, cached).commands, TINY).cycles
        assert table[index, entry] == pytest.approx(expected)


def test_bytes_add_up_to_those_of_compiled_programs():
    """But for END, which is of no layer; a slot is a whole number of beats on this machine."""
    menu, layers, rng = Menu.of(FASHION, NETS, TINY), CachedLayers(TINY), np.random.default_rng(3)
    table = layer_table(menu, [program_uses(menu, NETS[0], layers)], [1.0], lambda number: dram_bytes(layers, number))
    for share in (0, 0.1, 0.3):
        choice = np.array([rng.integers(0, n) if rng.random() < share else 0 for n in menu.count])
        if menu.used(choice) <= TINY.pb_tiles:
            program = program_of(NETS[0], FASHION, menu.subgraph(choice))
            added = table[np.arange(len(choice)), choice].sum() + SLOT_BYTES
            assert sum(program.dram_bytes.values()) == added


def test_tiles_of_a_choice():
    """The stem of one channel, 3 x 3: 4, 8, 12 filters are one, two, three K-tiles of one C-tile."""
    menu = Menu.of(FASHION, NETS[:1], TINY)
    assert menu.grid(0).tolist() == [[0, 0], [1, 1], [2, 1], [3, 1], [4, 1]][: menu.count[0]]
    choice = np.zeros(len(menu.count), np.int64)
    choice[0] = 3
    assert menu.cached(choice)[:2].tolist() == [[3, 1], [0, 0]]


def test_one_subgraph_as_a_menu():
    pinned = fit_subgraph(NETS[0], FASHION, TINY)
    menu = Menu.one(FASHION, pinned, TINY)
    assert menu.subgraph(np.ones(len(FASHION.layers), np.int64)) == pinned
    assert menu.subgraph(np.zeros(len(FASHION.layers), np.int64)) == SubGraph.empty(FASHION)
