"""Entries of a compiled table are Programs of their own, and so are switches once they are asked for."""

import numpy as np
import pytest

from arch_model.cost.energy import energy_of
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.switch_cost import Switch
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.pinning.greedy import candidates
from mapper.serving.compiled_table import compiled_table

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
    table = compiled_table(nets, accuracy, graphs, FASHION, TINY, quant, places, on_entry=lambda: counted.append(1))
    return table, nets, graphs, quant, places, accuracy, len(counted)


def test_an_entry_is_a_program_of_its_own(made):
    table, nets, graphs, quant, places, accuracy, counted = made
    assert table.shape == (2, 3) and counted == 2  # rows
    name, column = table.sushi.subnets[1], table.sushi.subgraphs[1]
    resident = PersistentBuffer.of(graphs[column], FASHION, TINY)
    program = compile_subnet(nets[name], FASHION, TINY, quant[name], places, resident=resident)
    cycles = time_program(program.commands, TINY).cycles
    assert table.sushi.cycles[1, 1] == cycles and table.accuracy[1] == accuracy[name]
    assert table.dram_bytes[1, 1] == sum(program.dram_bytes.values())
    assert table.hit_bytes[1, 1] == program.pb_hit_bytes > 0 == table.hit_bytes[1, 0]
    assert table.energy_j[1, 1] == pytest.approx(energy_of(program.commands, TINY, cycles).total_j)
    assert np.array_equal(table.vectors[1], SubGraph.of(nets[name], FASHION).encode())


def test_a_switch_is_a_program_too_once_it_is_asked_for(made):
    rough, nets, graphs, quant, places, *_ = made
    asked, others = Switch(0, 1, 2), {Switch(1, 1, 2), Switch(0, 2, 1)}
    counted = []
    table = rough.compile([asked], lambda: counted.append(1))
    assert len(counted) == 1 and rough.guessed([asked, *others]) == {asked, *others}
    assert table.guessed([asked, *others]) == others
    name = table.sushi.subnets[0]
    first, second = (PersistentBuffer.of(graphs[column], FASHION, TINY) for column in table.sushi.subgraphs[1:3])
    target = first.switch(second.subgraph, FASHION, TINY)
    program = compile_subnet(nets[name], FASHION, TINY, quant[name], places, resident=first, target=target)
    cycles = time_program(program.commands, TINY).cycles
    assert table.sushi.cycles[0, 1] + table.switches.cycles[0, 1, 2] == cycles
    assert table.dram_bytes[0, 1] + table.switches.bytes[0, 1, 2] == sum(program.dram_bytes.values())
    for place in others:
        assert table.switches.cycles[place] == rough.switches.cycles[place]


def test_all_switches_at_once(made):
    rough, nets, graphs, quant, places, accuracy, _ = made
    name = rough.sushi.subnets[0]
    alone, counted = {name: nets[name]}, []
    table = compiled_table(alone, accuracy, graphs, FASHION, TINY, quant, places, True, lambda: counted.append(1))
    assert table.shape == (1, 3) and len(counted) == 1 + 3 * 2
    every = [Switch(0, before, after) for before, after in np.ndindex(3, 3) if before != after]
    assert not table.guessed(every)
    assert np.array_equal(table.switches.cycles[0], rough.compile(every).switches.cycles[0])
