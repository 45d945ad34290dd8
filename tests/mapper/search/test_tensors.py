"""Tensors that stay in the SB: never a worse Program, and one price."""

import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.program.check import check_program
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from arch_model.timing.rows import TO_SB
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.search.optimise import Objective
from mapper.search.policy import Policy, map_network
from mapper.search.tensors import Tensors
from mapper.workload.fusion import steps
from tests.mapper.random_nets import random_quant

TINY, ZCU = Accelerator.load("tiny"), Accelerator.load("zcu104")
CASES = [
    ("fashion", "fashion-d111-w222", TINY, Policy.QUICK),
    ("fashion", "fashion-d222-w444", TINY, Policy.BEST),
    ("ofa-resnet50", "resnet50D_MAC@0.6B", ZCU, Policy.QUICK),
    ("ofa-mobilenetv3", "note10_lat-11ms_top1-73.6_finetune-25", ZCU, Policy.QUICK),
]


@pytest.mark.parametrize(("space", "name", "machine", "policy"), CASES)
def test_the_price_is_the_programs_and_no_higher(space, name, machine, policy):
    supernet = get_space(space)
    subnet = supernet.subnet(name)
    dram, chip = (map_network(subnet, machine, policy=policy, tensors=tensors) for tensors in Tensors)
    assert dram.placement is None and chip.placement is not None
    assert chip.cost.cycles < dram.cost.cycles and chip.cost.dram_bytes < dram.cost.dram_bytes
    quant = random_quant(subnet, np.random.default_rng(0))
    places = MemoryMap.build(supernet, [subnet], machine)
    program = compile_subnet(subnet, supernet, machine, quant, places, tilings=chip.tilings, placement=chip.placement)
    assert time_program(program.commands, machine).cycles == chip.cost.cycles
    assert sum(program.dram_bytes.values()) == chip.cost.dram_bytes
    if machine is TINY:
        check_program(program)


def test_energy_counts_the_words_that_stay():
    net = get_space("fashion").subnet("fashion-d111-w222")
    dram, chip = (map_network(net, TINY, objective=Objective.ENERGY, tensors=tensors) for tensors in Tensors)
    assert chip.cost.totals["kept_words"] > 0 == dram.cost.totals["kept_words"]
    assert chip.energy.total_j < dram.energy.total_j


def test_another_word_is_refused():
    with pytest.raises(MappingError, match="tensors is 'sram'; give one of dram, chip"):
        map_network(get_space("fashion").subnet("fashion-d111-w222"), TINY, tensors="sram")


def test_what_the_host_reads_is_in_dram_too():
    """Of every tensor that lives on chip alone: asked for, it is in DRAM as well, or not on chip at all."""
    subnet = get_space("fashion").subnet("fashion-d111-w222")
    order = steps(subnet.layers)
    alone = {order[i].output for i, to in enumerate(kept(subnet).outputs) if to == TO_SB}
    assert alone
    placement = kept(subnet, also=alone)
    assert all(placement.outputs[i] != TO_SB for i, step in enumerate(order) if step.output in alone)


def kept(subnet, **more):
    return map_network(subnet, TINY, policy=Policy.QUICK, tensors=Tensors.CHIP, **more).placement
