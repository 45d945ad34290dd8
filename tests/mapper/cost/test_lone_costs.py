from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.cost.layer_cost import layer_cost
from mapper.cost.lone_costs import lone_cost
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")


def test_a_pool_is_one_store():
    pool = Layer("p", Kind.POOL, K=6, C=6, H=8, W=8)
    cycles, moved = lone_cost(pool, TINY)
    assert cycles == layer_cost(Step(pool), TINY).cycles
    assert moved == 2 * (8 * 24 + 4) + 96  # rows of 24 bytes and one pixel in a beat of 4, two slots and END


def test_others_are_lowered():
    deep = Layer("a", Kind.CONV, 7, 7, 3, 3, 9, 9, padding=1, groups=7)
    cost = layer_cost(Step(deep), TINY)
    assert lone_cost(deep, TINY) == (cost.cycles, cost.dram_bytes)
    # No faster than the passes: two K-tiles, (9 - 1) * 9 + (9 - 1) - 1 + 4 cycles each
    assert cost.cycles > 2 * 83
