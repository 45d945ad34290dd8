"""Costs of layers against the walk of their Programs, on the layers of every published family: cycles, waits, bytes."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubGraph
from arch_model.program.program import PORTS
from arch_model.spaces import get_space, space_names
from arch_model.timing.reference_timing import time_program
from mapper.cost.layer_cost import LayerCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_subnet, single_layer
from mapper.workload.fusion import Step, is_dense
from tests.mapper.cut_layers import plain_quant

TINY, ZCU104 = Accelerator.load("tiny"), Accelerator.load("zcu104")
MACHINES = {"fashion": TINY}


@cache
def shapes(space, seed, count):
    """Each different dense layer, activations aside, of ``count`` SubNets of a family."""
    supernet, found = get_space(space), {}
    for subnet in supernet.sample(count, seed):
        for layer in subnet.weight_layers:
            if is_dense(layer):
                sizes = layer.K, layer.C, layer.R, layer.S, layer.H, layer.W, layer.stride, layer.padding
                found.setdefault(sizes, Layer("layer", Kind.CONV, *sizes))
    return tuple(found.values())


def program_of(layer, accelerator, cached):
    """The compiled Program of a layer with a slice of it, (K, C), in the PB, and its PB slots."""
    supernet, subnet = single_layer(layer)
    memory_map = MemoryMap.build(supernet, [subnet], accelerator)
    resident = PersistentBuffer.of(SubGraph(supernet.name, (cached,)), supernet, accelerator)
    quant = {layer.name: plain_quant(layer)}
    program = compile_subnet(subnet, supernet, accelerator, quant, memory_map, resident=resident)
    return program, resident.layer_slots(layer.name, tile_grid(layer, accelerator))


def check(layer, cached, accelerator, where):
    """Raises AssertionError that names the layer if its cost is not its Program's."""
    program, slots = program_of(layer, accelerator, cached)
    timing, cost = time_program(program.commands, accelerator), LayerCosts(Step(layer), accelerator, slots).quick()
    ports = {port: cost.totals[f"{port}_bytes"] for port in PORTS}
    expected = timing.cycles, timing.waits, dict(program.dram_bytes)
    assert (cost.cycles, dict(cost.waits), ports) == expected, (where, layer, cached)


@settings(max_examples=18, deadline=None)
@given(st.sampled_from(space_names()), st.integers(0, 2**32 - 1))
def test_random_layers_with_random_parts_cached(space, seed):
    """Four layers of a random SubNet of a random family, each with a leading slice in the PB, none or all of it."""
    rng, accelerator = np.random.default_rng(seed), MACHINES.get(space, ZCU104)
    every = shapes(space, seed % 1000, 1)
    layers = [every[i] for i in rng.integers(0, len(every), 4)]
    for layer in layers:
        part = [(0, 0), (layer.K, layer.C), tuple(int(rng.integers(1, n + 1)) for n in (layer.K, layer.C))]
        chosen = part[int(rng.integers(3))]
        try:
            check(layer, chosen, accelerator, (space, seed))
        except MappingError as error:
            assert "bytes of the PB" in str(error)
            check(layer, (0, 0), accelerator, (space, seed))


@pytest.mark.parametrize("space", space_names())
def test_every_layer_of_one_subnet(space):
    layers = shapes(space, 0, 1)
    assert layers
    for layer in layers:
        check(layer, (0, 0), MACHINES.get(space, ZCU104), space)
