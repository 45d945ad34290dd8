"""The cost of a whole Program, from rows of commands, beside the compiled Program's own commands."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from arch_model.cost.activity import count_activity
from arch_model.errors import MappingError
from arch_model.program.check import check_program
from arch_model.timing.reference_timing import time_program
from arch_model.timing.rows import BEGIN, ORDER
from mapper.cost.program_cost import PORTS, ProgramCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_subnet
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import steps
from tests.mapper.random_nets import (
    random_accelerator,
    random_mobile_network,
    random_network,
    random_quant,
    random_subgraph,
)


@settings(deadline=None, max_examples=65, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
@example(997319440)  # a layer that could read a folded image and reads another tensor
def test_the_cost_is_the_programs(seed: int) -> None:
    """Cycles, waits, bytes of each port and all activity, of random networks with a random part of them in the PB."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = random_network(rng) if rng.integers(2) else random_mobile_network(rng)
    quant = random_quant(subnet, rng)
    try:
        resident = PersistentBuffer.of(random_subgraph(supernet, a, rng), supernet, a)
        program = compile_subnet(subnet, supernet, a, quant, MemoryMap.build(supernet, [subnet], a), resident)
    except MappingError:
        return
    dense = [step.layer for step in steps(subnet.layers) if has_tiles(step.layer)]
    costs = ProgramCosts(
        steps(subnet.layers), a, [resident.layer_slots(layer.name, tile_grid(layer, a)) for layer in dense]
    )
    cost, timed = costs.cost(costs.quick()), time_program(program.commands, a)
    check_program(program)
    assert (cost.cycles, dict(cost.waits)) == (timed.cycles, timed.waits)
    assert cost.activity == count_activity(program.commands, a)
    assert {port: cost.totals[f"{port}_bytes"] for port in PORTS} == dict(program.dram_bytes)
    assert cost.dram_bytes == sum(program.dram_bytes.values())
    # Streams are used again for other tilings: what stood there before must not matter.
    costs.w[costs.w[BEGIN] : costs.w[ORDER]] = 12_345
    again = costs.cost(costs.quick())
    assert (again.cycles, again.waits, again.totals) == (cost.cycles, cost.waits, cost.totals)
