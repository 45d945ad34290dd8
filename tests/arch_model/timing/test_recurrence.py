"""The compiled recurrence beside the executable specification, on whole networks of every operator."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.program.check import check_program
from arch_model.timing.reference_timing import time_program
from arch_model.timing.rows import FEED_LAST, FEED_START, READY, RUN_LAST, START, STORE_END, STORE_START, stream
from mapper.cost.network_cost import network_cycles
from mapper.cost.program_cost import ProgramCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_subnet
from mapper.lowering.quick_choice import quick_tiling
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import Step, steps
from tests.mapper.random_nets import (
    random_accelerator,
    random_mobile_network,
    random_network,
    random_quant,
    random_subgraph,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
@example(997319440)  # a layer that could read a folded image and reads another tensor
def test_cycles_are_those_of_the_program(seed: int) -> None:
    """Of a random network on a random machine, with a random part of its weights in the PB."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = random_network(rng) if rng.integers(2) else random_mobile_network(rng)
    quant = random_quant(subnet, rng)
    try:
        memory_map = MemoryMap.build(supernet, [subnet], a)
        resident = PersistentBuffer.of(random_subgraph(supernet, a, rng), supernet, a)
        program = compile_subnet(subnet, supernet, a, quant, memory_map, resident)
    except MappingError:
        return
    order = steps(subnet.layers)
    slots = {step.layer.name: resident.layer_slots(step.layer.name, tile_grid(step.layer, a)) for step in order}
    dense = [slots[step.layer.name] for step in order if has_tiles(step.layer)]
    tilings = [quick_tiling(step, a, slots[step.layer.name] if has_tiles(step.layer) else None) for step in order]
    assert network_cycles(order, tilings, dense, a) == time_program(program.commands, a).cycles
    check_program(program)


def test_each_command_of_the_example_of_the_page_about_time() -> None:
    """docs/concepts/time.md counts it by hand: a 3 x 3 convolution of 3 to 3 channels on 4 x 4 pixels, on ``tiny``."""
    tiny, layer = Accelerator.load("tiny"), Layer("example", Kind.CONV, 3, 3, 3, 3, 4, 4, padding=1)
    costs = ProgramCosts([Step(layer)], tiny)
    costs.cycles(costs.quick())
    acts, wgts, passes, stores = (stream(costs.w, unit) for unit in range(4))
    assert acts[:, [START, READY]].tolist() == [[42, 92 + 1]]  # a token is there a cycle after it was released
    assert wgts[:, [START, READY]].tolist() == [[58, 99 + 1], [99, 178 + 1]]
    assert passes[:, [FEED_START, FEED_LAST, RUN_LAST]].tolist() == [[179, 183, 200]]
    assert stores[:, [STORE_START, STORE_END]].tolist() == [[213, 272]]
