"""Programs of any legal tiling: free of races, and the reference's integers."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.program.check import check_program
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.lowering.tiling import Order
from tests.mapper.cut_layers import random_tiling
from tests.mapper.random_nets import (
    random_accelerator,
    random_network,
    random_quant,
    random_subgraph,
    random_weights,
)
from tests.sim.integers.test_program_interpreter import Host


def legal_tilings(layers, accelerator, rng, compiles):
    """A random tiling of each layer that has a legal one among a few."""
    found = {}
    for layer in layers:
        for _ in range(4):
            tiling = random_tiling(layer, accelerator, rng)
            try:
                compiles({layer.name: tiling})
            except MappingError:
                continue
            found[layer.name] = tiling
            break
    return found


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_any_tiling_computes_the_reference(seed):
    """Parts, both orders and cached weights, in networks with adds, with and without a switch."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = random_network(rng)
    quant, weights = random_quant(subnet, rng), random_weights(supernet, rng)
    try:
        memory_map = MemoryMap.build(supernet, [subnet], a)
        here = PersistentBuffer.of(random_subgraph(supernet, a, rng), supernet, a)
        compile_subnet(subnet, supernet, a, quant, memory_map)
    except MappingError:
        return
    host = Host(memory_map, weights, seed)
    for resident, target in ((None, here), (here, None)):

        def compiles(tilings, resident=resident, target=target):
            return compile_subnet(subnet, supernet, a, quant, memory_map, resident, target, tilings)

        tilings = legal_tilings(subnet.weight_layers, a, rng, compiles)
        try:
            program = compiles(tilings)
        except MappingError:  # together they may need more ZSB than alone
            continue
        check_program(program)
        host.run(program, subnet, quant)
        assert all(tiling.order in Order for tiling in tilings.values())
