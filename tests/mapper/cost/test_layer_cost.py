"""The cost of one layer, from rows of commands, beside its compiled Program."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.cost.activity import count_activity
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.timing.reference_timing import time_program
from mapper.cost.layer_cost import PORTS, LayerCosts, layer_cost
from mapper.lowering.compile import compile_layer, single_layer
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import plain_quant, random_layer, random_tiling
from tests.mapper.random_nets import random_accelerator, random_channelwise, random_quant


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_the_cost_is_the_programs(seed):
    """Cycles, waits and every count of the compiled Program, for any legal tiling."""
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), None
    layer = random_layer(rng)
    for tiling in (random_tiling(layer, a, rng), random_tiling(layer, a, rng), None):
        try:
            program, _ = compile_layer(layer, a, plain_quant(layer), tiling)
        except MappingError:
            continue
        costs = LayerCosts(Step(layer), a)
        assert_equal(costs.quick() if tiling is None else costs.cost(tiling), program, a)


def assert_equal(cost, program, a):
    expected = time_program(program.commands, a)
    assert (cost.cycles, dict(cost.waits)) == (expected.cycles, expected.waits)
    assert cost.activity == count_activity(program.commands, a)
    assert {port: cost.totals[f"{port}_bytes"] for port in PORTS} == dict(program.dram_bytes)


def test_the_example_of_the_page_about_time():
    """docs/concepts/time.md counts it by hand."""
    cost = layer_cost(Step(Layer("example", Kind.CONV, 3, 3, 3, 3, 4, 4, padding=1)), Accelerator.load("tiny"))
    assert (cost.cycles, dict(cost.waits)) == (274, {"sb": 3, "weights": 91, "out": 0})
    assert [cost.totals[f"{port}_bytes"] for port in PORTS] == [7 * 32, 32 + 108, 48, 0, 48]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_depthwise_layers_and_pools(seed):
    rng = np.random.default_rng(seed)
    kinds = Kind.CONV, Kind.MAXPOOL, Kind.AVGPOOL
    a, layer = random_accelerator(rng), random_channelwise(rng, kinds[rng.integers(3)])
    if rng.integers(3) == 0:
        layer = Layer("layer", Kind.POOL, K=layer.K, C=layer.K, H=layer.H, W=layer.W, inputs=(INPUT,))
    _, subnet = single_layer(layer)
    try:
        program, _ = compile_layer(layer, a, random_quant(subnet, rng)[layer.name])
    except MappingError:
        return
    assert_equal(layer_cost(Step(layer), a), program, a)
