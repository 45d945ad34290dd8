"""Entries of a serving table are Programs of their own; a table made layer by layer is near one that was compiled."""

import numpy as np
import pytest

from arch_model.accelerator import Accelerator
from arch_model.energy import energy_of
from arch_model.spaces import get_space
from arch_model.supernet import SubGraph
from arch_model.timing import time_program
from arch_model.weights import load_weights
from mapper.compile import compile_subnet
from mapper.memory_map import MemoryMap
from mapper.persistent import PersistentBuffer
from mapper.pinning import candidates
from mapper.serving_table import ServingTable

TINY, FASHION, WEIGHTS = Accelerator.load("tiny"), get_space("fashion"), load_weights()


@pytest.fixture(scope="module")
def made():
    names = sorted(WEIGHTS.subnets, key=lambda name: FASHION.subnet(name).macs)[:: len(WEIGHTS.subnets) - 1]
    nets = {name: FASHION.subnet(name) for name in names}
    places = MemoryMap.build(FASHION, nets.values(), TINY)
    graphs = candidates(nets, FASHION, TINY)
    quant = {name: WEIGHTS.subnets[name].ops for name in names}
    accuracy = {name: WEIGHTS.subnets[name].top1 for name in names}
    counted = []
    table = ServingTable.compiled(nets, accuracy, graphs, FASHION, TINY, quant, places, True, lambda: counted.append(1))
    return table, nets, graphs, quant, places, accuracy, len(counted)


def test_an_entry_is_a_program_of_its_own(made):
    table, nets, graphs, quant, places, accuracy, counted = made
    assert table.shape == (2, 3) and counted == 2 * 3 + 2 * 3 * 2
    name, column = table.sushi.subnets[1], table.sushi.subgraphs[1]
    resident = PersistentBuffer.of(graphs[column], FASHION, TINY)
    program = compile_subnet(nets[name], FASHION, TINY, quant[name], places, resident=resident)
    cycles = time_program(program.commands, TINY).cycles
    assert table.sushi.cycles[1, 1] == cycles and table.accuracy[1] == accuracy[name]
    assert table.dram_bytes[1, 1] == sum(program.dram_bytes.values())
    assert table.hit_bytes[1, 1] == program.pb_hit_bytes > 0 == table.hit_bytes[1, 0]
    assert table.energy_j[1, 1] == pytest.approx(energy_of(program.commands, TINY, cycles).total_j)
    assert np.array_equal(table.vectors[1], SubGraph.of(nets[name], FASHION).encode())


def test_an_exact_switch_is_a_program_too(made):
    table, nets, graphs, quant, places, *_ = made
    name = table.sushi.subnets[0]
    first, second = (PersistentBuffer.of(graphs[column], FASHION, TINY) for column in table.sushi.subgraphs[1:3])
    target = first.switch(second.subgraph, FASHION, TINY)
    program = compile_subnet(nets[name], FASHION, TINY, quant[name], places, resident=first, target=target)
    cycles = time_program(program.commands, TINY).cycles
    assert table.sushi.cycles[0, 1] + table.switches.cycles[0, 1, 2] == cycles
    assert table.dram_bytes[0, 1] + table.switches.bytes[0, 1, 2] == sum(program.dram_bytes.values())


def test_layer_by_layer_is_near(made):
    table, nets, graphs, *_, accuracy, _ = made
    near = ServingTable.by_layers(nets, accuracy, graphs, FASHION, TINY)
    assert near.sushi.subnets == table.sushi.subnets and near.sushi.subgraphs == table.sushi.subgraphs
    assert np.abs(near.sushi.cycles / table.sushi.cycles - 1).max() < 0.03
    assert np.abs(near.dram_bytes / table.dram_bytes - 1).max() < 0.02
    assert near.facts["energy"] == "DRAM alone" and near.facts["not_counted"] == "nothing"


def test_what_the_mapper_does_not_take_is_named():
    """A MobileNetV3 has depthwise layers and squeeze-excite: the rest is summed, the closed form of one layer after
    another."""
    space, zcu104 = get_space("ofa-mobilenetv3"), Accelerator.load("zcu104")
    net = space.sample(1, seed=3)[0]
    table = ServingTable.by_layers({net.name: net}, {net.name: 0.75}, {}, space, zcu104)
    depthwise = sum(layer.groups > 1 for layer in net.layers)
    assert f"{depthwise} depthwise" in table.facts["not_counted"] and "scale" in table.facts["not_counted"]
    macs = sum(layer.macs for layer in net.weight_layers if layer.groups == 1)
    assert table.sushi.cycles[0, 0] > macs / zcu104.multipliers
