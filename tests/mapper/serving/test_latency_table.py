"""SushiAbs: every entry is the time of the Program that is compiled for that SubNet and that SubGraph."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.pinning.greedy import candidates
from mapper.serving.latency_table import SushiAbs

TINY, FASHION, WEIGHTS = Accelerator.load("tiny"), get_space("fashion"), load_weights()


@pytest.fixture(scope="module")
def made():
    names = [next(iter(WEIGHTS.subnets)), list(WEIGHTS.subnets)[-1]]
    subnets = {name: FASHION.subnet(name) for name in names}
    places = MemoryMap.build(FASHION, subnets.values(), TINY)
    subgraphs = candidates(subnets, FASHION, TINY)
    quant = {name: WEIGHTS.subnets[name].ops for name in names}
    accuracy = {name: WEIGHTS.subnets[name].top1 for name in names}
    table = SushiAbs.build(subnets, accuracy, subgraphs, FASHION, TINY)
    return table, subnets, subgraphs, quant, places


def test_an_entry_is_a_program_of_its_own(made):
    table, subnets, subgraphs, quant, places = made
    for row, name in enumerate(table.subnets):
        for column, graph in enumerate(table.subgraphs[1:], 1):
            resident = PersistentBuffer.of(subgraphs[graph], FASHION, TINY)
            program = compile_subnet(subnets[name], FASHION, TINY, quant[name], places, resident=resident)
            assert table.cycles[row, column] == time_program(program.commands, TINY).cycles


def test_a_cached_subgraph_never_slows_its_own_subnet(made):
    table, *_ = made
    assert table.subgraphs[0] == "none"
    assert np.array_equal(table.vectors[0], SubGraph.empty(FASHION).encode())
    own = {name: table.subgraphs.index(name) for name in table.subnets if name in table.subgraphs}
    assert own
    for name, column in own.items():
        row = table.subnets.index(name)
        assert table.cycles[row, column] < table.cycles[row, 0]


def test_it_is_a_table(made):
    frame = made[0].to_frame()
    assert list(frame.columns) == ["accuracy", *made[0].subgraphs]
    assert frame.loc[made[0].subnets[0], "none"] == made[0].cycles[0, 0]


def test_rows_come_in_any_order_and_accuracies_may_lack(made):
    table, subnets, subgraphs, *_ = made
    names = table.subnets[::-1]
    other = SushiAbs.build(subnets, {}, subgraphs, FASHION, TINY, order=names)
    assert other.subnets == names and np.array_equal(other.cycles, table.cycles[::-1])
    assert np.array_equal(other.vectors, table.vectors) and np.isnan(other.accuracy).all()
