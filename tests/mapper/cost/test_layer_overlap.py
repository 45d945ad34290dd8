"""Layers as functions of events: maxima of sums, exactly, and chains of them beside the compiled Programs."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost import layer_overlap as joints
from mapper.cost.layer_batch import LayerBatch
from mapper.cost.layer_overlap import EVENTS, Joints, pool_cycles, start_cycles
from mapper.cost.sushi_costs import SubNetCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from tests.mapper.cost.test_layer_batch import PRESETS, cut, draw_layer
from tests.mapper.random_nets import random_accelerator, random_quant, random_subgraph

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


def random_batch(rng, count=8):
    machines = [*PRESETS, *(random_accelerator(rng) for _ in range(3))]
    cuts = []
    while len(cuts) < count:
        machine = int(rng.integers(len(machines)))
        layer = draw_layer(rng, machines[machine].name == "zcu104")
        part = (int(rng.integers(0, layer.K + 1)), int(rng.integers(0, layer.C + 1)))
        try:
            cuts.append(cut(layer, machines[machine], part, machine))
        except MappingError:  # it does not fit this machine
            continue
    return LayerBatch.of(cuts, machines)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
@example(683)  # one spatial tile, many groups of weights
def test_several_events_are_the_latest_of_each(seed):
    """The recurrence with five events at random times gives the largest of (event + its number)."""
    rng = np.random.default_rng(seed)
    part = joints._Part(random_batch(rng))
    respond = part.joints()["respond"][:, :, part.order]
    times = dict(zip(EVENTS[:5], rng.integers(0, 4000, 5).tolist(), strict=True))
    times["stored"] = max(times["stored"], times["run"])  # rows are stored after their last pixel
    found = part._results(part._time({e: joints._ORIGIN + t for e, t in times.items()}, part.line), part.line)
    expected = (respond[:5] + np.array(list(times.values()))[:, None, None]).max(axis=0)
    assert np.array_equal(found[:2], expected[:2]), seed
    several = part.fills >= 2  # no group before the last one otherwise
    assert np.array_equal(found[2, several], expected[2, several]), seed


def test_the_first_layer_ends_as_in_its_program():
    """Its last pixel, in the timeline of the compiled Program of a SubNet that begins with it."""
    subnet = FASHION.subnet("fashion-d111-w222")
    places = MemoryMap.build(FASHION, [subnet], TINY)
    program = compile_subnet(subnet, FASHION, TINY, random_quant(subnet, np.random.default_rng(0)), places)
    first = [i for i, owner in enumerate(program.owners) if owner == program.owners[0]]
    timeline = time_program(program.commands, TINY).timeline
    last = max(i.end for i in timeline if i.unit == "RUN" and i.command in first)
    assert start_cycles(LayerBatch.of([cut(subnet.layers[0], TINY)], [TINY])).tolist() == [last]


def test_joined_in_order():
    batch = random_batch(np.random.default_rng(3))
    whole, parts = Joints.of(batch), [Joints.of(batch.take(np.arange(i, i + 2))) for i in range(0, 8, 2)]
    joined = Joints.join(parts)
    assert len(joined) == len(whole) == 8
    assert np.array_equal(joined.respond, whole.respond)
    spatial = whole.spatial
    for i in range(8):  # what is beyond a layer's tiles is not looked at
        assert np.array_equal(joined.stored[: spatial[i], i], whole.stored[: spatial[i], i])


def walk(subnet, supernet, accelerator, subgraph, rng):
    places = MemoryMap.build(supernet, [subnet], accelerator)
    resident = PersistentBuffer.of(subgraph, supernet, accelerator)
    program = compile_subnet(subnet, supernet, accelerator, random_quant(subnet, rng), places, resident=resident)
    return time_program(program.commands, accelerator).cycles


def test_a_pool_between_and_at_the_end():
    """A pool is one STORE after the last: the same Program with and without it."""
    conv = Layer("conv", Kind.CONV, K=20, C=6, R=3, S=3, H=8, W=8, padding=1, inputs=(INPUT,))
    pool = Layer("pool", Kind.POOL, K=20, C=20, H=8, W=8, inputs=("conv",))
    supernet = SuperNet("one", (conv,), lambda: None, lambda name: {}, ())
    rng, nothing = np.random.default_rng(0), SubGraph.empty(supernet)
    plain, pooled = (
        walk(SubNet("net", "one", layers), supernet, TINY, nothing, rng) for layers in ((conv,), (conv, pool))
    )
    assert pooled - plain == pool_cycles(pool, TINY)


@pytest.mark.parametrize("name", ["fashion-d111-w222", "fashion-d121-w342", "fashion-d222-w444"])
def test_chains_are_near_the_compiled_programs(name):
    """SubNets of the shipped family with nothing and with random SubGraphs in the PB: within 1.5 %."""
    rng, subnet = np.random.default_rng(7), FASHION.subnet(name)
    graphs = [SubGraph.empty(FASHION), *(random_subgraph(FASHION, TINY, rng) for _ in range(3))]
    found = SubNetCosts(FASHION, graphs, TINY).cycles([subnet])[0]
    exact = np.array([walk(subnet, FASHION, TINY, graph, rng) for graph in graphs])
    assert np.abs(found / exact - 1).max() < 0.015, (found, exact)
