"""A serving table made layer by layer is near one that was compiled, and says what it assumes."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from mapper.cost.lone_costs import lone_cost
from mapper.cost.sushi_costs import SubNetCosts
from mapper.cost.switch_cost import Switch
from mapper.layout.memory_map import MemoryMap
from mapper.pinning.greedy import candidates
from mapper.serving.compiled_table import compiled_table
from mapper.serving.serving_table import ServingTable, byte_joules
from mapper.workload.depthwise import is_channelwise
from tests.mapper.serving_tables import SMALL

TINY, FASHION, WEIGHTS = Accelerator.load("tiny"), get_space("fashion"), load_weights()
ZCU104 = Accelerator.load("zcu104")


def test_layer_by_layer_is_near():
    names = sorted(WEIGHTS.subnets, key=lambda name: FASHION.subnet(name).macs)[:: len(WEIGHTS.subnets) - 1]
    nets = {name: FASHION.subnet(name) for name in names}
    places, graphs = MemoryMap.build(FASHION, nets.values(), TINY), candidates(nets, FASHION, TINY)
    quant = {name: WEIGHTS.subnets[name].ops for name in names}
    accuracy = {name: WEIGHTS.subnets[name].top1 for name in names}
    table = compiled_table(nets, accuracy, graphs, FASHION, TINY, quant, places)
    near = ServingTable.by_layers(nets, accuracy, graphs, FASHION, TINY)
    assert near.sushi.subnets == table.sushi.subnets and near.sushi.subgraphs == table.sushi.subgraphs
    assert np.abs(near.sushi.cycles / table.sushi.cycles - 1).max() < 0.03
    assert np.abs(near.dram_bytes / table.dram_bytes - 1).max() < 0.02
    assert near.facts["energy"] == "DRAM alone"
    assert np.allclose(near.energy_j, near.dram_bytes * byte_joules(TINY))
    known = ServingTable.by_layers(nets, accuracy, graphs, FASHION, TINY, cycles=table.sushi.cycles)
    assert np.array_equal(known.sushi.cycles, table.sushi.cycles)
    assert np.array_equal(known.dram_bytes, near.dram_bytes)


def test_channelwise_layers_cost_what_their_programs_do():
    """A MobileNetV3 has depthwise layers and squeeze-excite: bytes are summed, cycles those of the chain."""
    space = get_space("ofa-mobilenetv3")
    net = space.sample(1, seed=3)[0]
    without, table = (
        ServingTable.by_layers({net.name: net}, {net.name: 0.75}, {}, space, ZCU104, dense_only=dense_only)
        for dense_only in (True, False)
    )
    said = f"{sum(layer.groups > 1 for layer in net.layers)} depthwise"
    assert said in without.facts["not_counted"] and said in table.facts["alone"]
    assert "scale" in table.facts["alone"] and "not_counted" not in table.facts
    macs = sum(layer.macs for layer in net.weight_layers if layer.groups == 1)
    assert without.sushi.cycles[0, 0] > macs / ZCU104.multipliers
    costs = [lone_cost(layer, ZCU104) for layer in net.layers if is_channelwise(layer) or layer.kind == "pool"]
    summed = without.sushi.cycles[0, 0] + sum(cycles for cycles, _ in costs)
    assert np.array_equal(table.sushi.cycles, SubNetCosts(space, [SubGraph.empty(space)], ZCU104).cycles([net]))
    assert 0.8 * summed < table.sushi.cycles[0, 0] < summed
    assert table.dram_bytes[0, 0] - without.dram_bytes[0, 0] == sum(moved for _, moved in costs)


def test_a_table_without_programs_keeps_its_estimates():
    assert SMALL.guessed([Switch(0, 0, 1)]) == set()
    with pytest.raises(ValueError, match="no Programs"):
        SMALL.compile([Switch(0, 0, 1)])
