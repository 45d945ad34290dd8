"""Policies for whole Programs: what the mapping says is what the compiled Program costs, and it gets no worse."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.cost.energy import energy_of
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.program_cost import ProgramCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.search.optimise import ranked
from mapper.search.policy import RANKED, Policy, map_network
from mapper.workload.fusion import steps
from tests.mapper.random_nets import (
    random_accelerator,
    random_mobile_network,
    random_network,
    random_quant,
    random_subgraph,
)

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a_mapping_costs_what_its_program_does(seed: int) -> None:
    """Cycles, bytes and joules, of random networks and contents of the PB, by both policies; the best is no worse."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = random_network(rng) if rng.integers(2) else random_mobile_network(rng)
    quant, cycles = random_quant(subnet, rng), {}
    try:
        places = MemoryMap.build(supernet, [subnet], a)
        resident = PersistentBuffer.of(random_subgraph(supernet, a, rng), supernet, a)
        compile_subnet(subnet, supernet, a, quant, places, resident)
    except MappingError:
        return
    for policy in Policy:
        mapped = map_network(subnet, a, resident, policy)
        asked = None if policy is Policy.QUICK else mapped.tilings
        program = compile_subnet(subnet, supernet, a, quant, places, resident, tilings=asked)
        cycles[policy] = mapped.cost.cycles
        assert mapped.cost.cycles == time_program(program.commands, a).cycles
        assert mapped.cost.dram_bytes == sum(program.dram_bytes.values()) and mapped.hit_bytes == program.pb_hit_bytes
        joules = energy_of(program.commands, a, mapped.cost.cycles).total_j
        assert mapped.energy.total_j == pytest.approx(joules, rel=1e-12)
    assert cycles[Policy.BEST] <= cycles[Policy.QUICK]


def test_no_single_change_makes_the_program_better() -> None:
    """Of a chain of three layers: every combination of quick and searched tilings, by hand."""
    layers = (
        Layer("a", Kind.CONV, K=24, C=6, R=3, S=3, H=12, W=12, padding=1, inputs=(INPUT,)),
        Layer("b", Kind.CONV, K=30, C=24, H=12, W=12, inputs=("a",)),
        Layer("c", Kind.CONV, K=8, C=30, R=3, S=3, H=12, W=12, padding=1, stride=2, inputs=("b",)),
    )
    order = steps(layers)
    costs = ProgramCosts(order, TINY)
    choices = [[quick, *ranked(step, TINY, count=RANKED)] for quick, step in zip(costs.quick(), order, strict=True)]
    every = {picks: costs.cycles(picks) for picks in product(*choices)}
    found = map_network(SubNet("chain", "none", layers), TINY)
    chosen = tuple(found.tilings[layer.name] for layer in layers)
    assert every[chosen] == found.cost.cycles <= costs.cycles(costs.quick())
    for at, own in enumerate(choices):
        for other in own:
            assert every[(*chosen[:at], other, *chosen[at + 1 :])] >= found.cost.cycles


@pytest.mark.parametrize("space", ["ofa-mobilenetv3", "ofa-resnet50"])
def test_every_kind_of_layer_has_a_tiling(space: str) -> None:
    """Of a published SubNet: named, legal for the compiler, and better than the quick choice."""
    supernet, machine = get_space(space), Accelerator.load("zcu104")
    net = supernet.subnet(supernet.names[0])
    quick, best = (map_network(net, machine, policy=policy) for policy in Policy)
    tiled = [step.layer for step in steps(net.layers) if step.layer.kind is not Kind.POOL]
    assert list(best.tilings) == [layer.name for layer in tiled] and best.cost.cycles < quick.cost.cycles


@pytest.mark.parametrize("objective", ["energy", "edp"])
def test_other_objectives_are_no_worse_than_the_quick_choice(objective: str) -> None:
    net = FASHION.subnet("fashion-d111-w222")
    quick, best = (map_network(net, TINY, policy=policy, objective=objective) for policy in Policy)
    values = [one.energy.total_j * (1 if objective == "energy" else one.latency_s) for one in (quick, best)]
    assert values[1] <= values[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"policy": "fastest"}, "policy is 'fastest'; give one of quick, best"),
        ({"objective": "speed"}, "objective is 'speed'; give one of latency, energy, edp"),
    ],
)
def test_a_word_that_means_nothing_is_refused_in_one_line(words: dict[str, str], said: str) -> None:
    with pytest.raises(MappingError) as error:
        map_network(FASHION.subnet("fashion-d111-w222"), TINY, **words)
    assert str(error.value) == said


def test_a_network_that_cannot_run_is_named() -> None:
    odd = Layer("odd", Kind.CONV, K=6, C=6, R=3, S=3, H=8, W=8, padding=1, groups=3, inputs=(INPUT,))
    with pytest.raises(MappingError, match="layer odd: groups is 3"):
        map_network(SubNet("odd", "none", (odd,)), TINY)
