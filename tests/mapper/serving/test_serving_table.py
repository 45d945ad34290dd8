"""A serving table that compiles nothing says what the Programs would."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from mapper.cost.network_costs import NetworkCosts, cached_tiles
from mapper.cost.switch_cost import Switch
from mapper.layout.memory_map import MemoryMap
from mapper.pinning.greedy import candidates
from mapper.serving.compiled_table import compiled_table
from mapper.serving.latency_table import SushiAbs
from mapper.serving.serving_table import ServingTable
from tests.mapper.serving_tables import SMALL

TINY, FASHION, WEIGHTS = Accelerator.load("tiny"), get_space("fashion"), load_weights()


def test_entries_are_those_of_the_programs():
    names = sorted(WEIGHTS.subnets, key=lambda name: FASHION.subnet(name).macs)[:: len(WEIGHTS.subnets) - 1]
    nets = {name: FASHION.subnet(name) for name in names}
    places, graphs = MemoryMap.build(FASHION, nets.values(), TINY), candidates(nets, FASHION, TINY)
    quant = {name: WEIGHTS.subnets[name].ops for name in names}
    accuracy = {name: WEIGHTS.subnets[name].top1 for name in names}
    table = compiled_table(nets, accuracy, graphs, FASHION, TINY, quant, places)
    same = ServingTable.build(nets, accuracy, graphs, FASHION, TINY)
    assert same.sushi.subnets == table.sushi.subnets and same.sushi.subgraphs == table.sushi.subgraphs
    for name in ("dram_bytes", "hit_bytes", "energy_j"):
        assert np.array_equal(getattr(same, name), getattr(table, name))
    assert np.array_equal(same.sushi.cycles, table.sushi.cycles) and same.facts["switch_costs"] == "estimated"
    for row, column in np.ndindex(table.shape):
        assert table.programs.switch(row, column, column) == (
            same.sushi.cycles[row, column],
            same.dram_bytes[row, column],
        )
    known = ServingTable.build(nets, accuracy, graphs, FASHION, TINY, cycles=table.sushi.cycles + 1)
    assert np.array_equal(known.sushi.cycles, table.sushi.cycles + 1)
    assert np.array_equal(known.dram_bytes, table.dram_bytes)


def test_one_price_in_every_table():
    """A MobileNetV3, with depthwise layers and squeeze-excite: SushiAbs and the serving table say the same."""
    space, zcu104 = get_space("ofa-mobilenetv3"), Accelerator.load("zcu104")
    nets = {net.name: net for net in space.sample(2, seed=3)}
    graphs = candidates(nets, space, zcu104)
    accuracy = dict.fromkeys(nets, 0.75)
    order = sorted(nets, key=lambda name: nets[name].macs)
    table = ServingTable.build(nets, accuracy, graphs, space, zcu104)
    assert np.array_equal(table.sushi.cycles, SushiAbs.build(nets, accuracy, graphs, space, zcu104, order).cycles)
    costs = NetworkCosts(space, zcu104).of(
        [nets[name] for name in order], cached_tiles(space, list(graphs.values()), zcu104)
    )
    assert np.array_equal(table.energy_j[:, 1:], costs.energy_j)


def test_a_table_without_programs_keeps_its_estimates():
    assert SMALL.guessed([Switch(0, 0, 1)]) == set()
    with pytest.raises(ValueError, match="no Programs"):
        SMALL.compile([Switch(0, 0, 1)])
