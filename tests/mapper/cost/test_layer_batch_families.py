"""The closed form against the Program walk on the layers of every published family: cycles, waits by cause, bytes."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.spaces import get_space, space_names
from mapper.cost.layer_batch import LayerBatch, layer_costs
from mapper.workload.fusion import unsupported
from tests.mapper.cost.test_layer_batch import cut, walked

TINY, ZCU104 = Accelerator.load("tiny"), Accelerator.load("zcu104")
MACHINES = {"fashion": TINY}


@cache
def shapes(space, seed, count):
    """Each different layer, activations aside, that the machine runs, of ``count`` SubNets of a family."""
    supernet, found = get_space(space), {}
    for subnet in supernet.sample(count, seed):
        for layer in subnet.weight_layers:
            if not unsupported(layer):
                sizes = layer.K, layer.C, layer.R, layer.S, layer.H, layer.W, layer.stride, layer.padding
                found.setdefault(sizes, Layer("layer", Kind.CONV, *sizes))
    return tuple(found.values())


def check(layers, cached, accelerator, where):
    """Raises AssertionError that names the first layer whose closed form is not its walk."""
    found = layer_costs(LayerBatch.of([cut(x, accelerator, c) for x, c in zip(layers, cached, strict=True)],
                                      [accelerator]))  # fmt: skip
    for i, (layer, part) in enumerate(zip(layers, cached, strict=True)):
        expected = walked(layer, accelerator, part)
        assert {name: int(getattr(found, name)[i]) for name in expected} == expected, (where, layer, part)


@settings(max_examples=18, deadline=None)
@given(st.sampled_from(space_names()), st.integers(0, 2**32 - 1))
def test_random_layers_with_random_parts_cached(space, seed):
    """Four layers of a random SubNet of a random family, each with a leading slice in the PB, none or all of it."""
    rng, accelerator = np.random.default_rng(seed), MACHINES.get(space, ZCU104)
    every = shapes(space, seed % 1000, 1)
    layers = [every[i] for i in rng.integers(0, len(every), 4)]
    cached = []
    for layer in layers:
        part = [(0, 0), (layer.K, layer.C), tuple(int(rng.integers(1, n + 1)) for n in (layer.K, layer.C))]
        chosen = part[int(rng.integers(3))]
        try:
            walked(layer, accelerator, chosen)
        except MappingError as error:
            assert "bytes of the PB" in str(error)
            chosen = (0, 0)
        cached.append(chosen)
    check(layers, cached, accelerator, (space, seed))


@pytest.mark.parametrize("space", space_names())
def test_every_layer_of_one_subnet(space):
    layers = shapes(space, 0, 1)
    assert layers
    check(layers, [(0, 0)] * len(layers), MACHINES.get(space, ZCU104), space)
