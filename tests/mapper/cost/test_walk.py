import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.cost.activity import count_activity
from arch_model.errors import MappingError
from arch_model.timing.reference_timing import time_program
from mapper.cost.walk import PORTS, walk_layer
from mapper.lowering.compile import compile_layer, cut_weights
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import no_hits, plain_quant, random_layer, random_tiling
from tests.mapper.random_nets import random_accelerator


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_the_walk_is_the_program(seed):
    """Cycles, waits and every count of the compiled Program, for any legal tiling."""
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), None
    layer = random_layer(rng)
    for tiling in (random_tiling(layer, a, rng), random_tiling(layer, a, rng), None):
        none = no_hits(layer, a)
        try:
            program, _ = compile_layer(layer, a, plain_quant(layer), tiling)
            weights, cut = cut_weights(Step(layer), a, none, none, tiling)
        except MappingError:
            continue
        expected, walk = time_program(program.commands, a), walk_layer(Step(layer), weights, cut, a)
        assert (walk.cycles, dict(walk.waits)) == (expected.cycles, expected.waits)
        assert walk.activity == count_activity(program.commands, a)
        assert {port: walk.activity[f"dram.{port}"] for port in PORTS} == dict(program.dram_bytes)
