"""The closed form against the Program walk: random layers, machines and cached slices, to the cycle and the byte."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import ConvQuant
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.layer_batch import CutLayer, LayerBatch, layer_costs
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import slice_grid, tile_grid
from mapper.lowering.compile import compile_subnet, single_layer
from mapper.lowering.quick_choice import choose
from mapper.lowering.tiling import Order, Tiling
from tests.mapper.random_nets import random_accelerator

PRESETS = [Accelerator.load("tiny"), Accelerator.load("zcu104")]


def quant(k):
    return ConvQuant(np.zeros(k, np.int32), np.ones(k, np.int32), np.zeros(k, np.int32), 0, 0, -128, 127)


def walked(layer, accelerator, cached):
    """Cost of the compiled Program, by the names of LayerCosts."""
    supernet, subnet = single_layer(layer)
    memory_map = MemoryMap.build(supernet, [subnet], accelerator)
    resident = PersistentBuffer.of(SubGraph(supernet.name, (cached,)), supernet, accelerator)
    quants = {layer.name: quant(layer.K)}
    program = compile_subnet(subnet, supernet, accelerator, quants, memory_map, resident=resident)
    timing = time_program(program.commands, accelerator)
    ports = {f"{port}_bytes": n for port, n in program.dram_bytes.items()}
    waits = {f"wait_{cause}": n for cause, n in timing.waits.items()}
    costs = {"cycles": timing.cycles, "passes": timing.passes, "pb_hit_bytes": program.pb_hit_bytes}
    return costs | ports | waits


def cut(layer, accelerator, cached=(0, 0), machine=0):
    """The layer as the compiler cuts it."""
    grid, part = tile_grid(layer, accelerator), slice_grid(layer, *cached, accelerator)
    hit = (min(part.kt, grid.kt), min(part.ct, grid.ct)) if part.tiles else (0, 0)
    tiling = choose(layer, accelerator, grid.tiles - hit[0] * hit[1] * grid.windows)
    without = -(-layer.P // choose(layer, accelerator).rows)
    return CutLayer(layer, tiling, hit, tiles_without=without, machine=machine)


def draw_layer(rng, large):
    size, most = (60, 500) if large else (14, 50)
    while True:
        r = int(rng.choice([1, 1, 3, 3, 3, 5]))
        h, w, padding = (int(n) for n in (rng.integers(1, size), rng.integers(1, size), rng.integers(0, r)))
        if min(h, w) + 2 * padding >= r:
            k, c, stride = (int(n) for n in (*rng.integers(1, most, 2), rng.integers(1, 3)))
            c = int(rng.choice([c, c, c, 1 + c % 3]))  # some images, which may be folded
            return Layer("layer", Kind.CONV, k, c, r, r, h, w, stride=stride, padding=padding)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_it_equals_the_walk(seed):
    """Eight random layers a batch, each on a machine of its own and with a random leading slice of it cached."""
    rng = np.random.default_rng(seed)
    accelerators = [*PRESETS, *(random_accelerator(rng) for _ in range(4))]
    cuts, expected = [], []
    while len(cuts) < 8:
        machine = int(rng.integers(len(accelerators)))
        accelerator = accelerators[machine]
        layer = draw_layer(rng, accelerator.name == "zcu104")
        cached = (int(rng.integers(0, layer.K + 1)), int(rng.integers(0, layer.C + 1)))
        cached = cached if rng.random() < 0.7 else (0, 0)
        try:
            expected.append(walked(layer, accelerator, cached))
        except MappingError:  # it does not fit this machine
            continue
        cuts.append(cut(layer, accelerator, cached, machine))
    found = layer_costs(LayerBatch.of(cuts, accelerators))
    for i, costs in enumerate(expected):
        assert {name: int(getattr(found, name)[i]) for name in costs} == costs, cuts[i]


def test_every_layer_of_a_family():
    """Each different layer of the six published ofa-resnet50 SubNets on zcu104."""
    space, zcu104 = get_space("ofa-resnet50"), PRESETS[1]
    layers = {}
    for name in space.subnet_names():
        for layer in space.subnet(name).weight_layers:
            shape = (layer.K, layer.C, layer.R, layer.H, layer.stride, layer.padding)
            layers.setdefault(shape, layer)
    chosen = list(layers.values())
    found = layer_costs(LayerBatch.of([cut(layer, zcu104) for layer in chosen], [zcu104]))
    for i, layer in enumerate(chosen):
        for name, value in walked(layer, zcu104, (0, 0)).items():
            assert getattr(found, name)[i] == value, (layer, name)


def test_the_example_of_the_model_page():
    """Counted by hand there, and in tests/arch_model/timing/test_closed_form.py."""
    layer = Layer("example", Kind.CONV, 3, 3, 3, 3, 4, 4, padding=1)
    found = layer_costs(LayerBatch.of([cut(layer, PRESETS[0])], PRESETS))
    waits = [int(values[0]) for values in (found.wait_sb, found.wait_weights, found.wait_out)]
    ports = [int(getattr(found, f"{port}_bytes")[0]) for port in ("prog", "wgt", "act", "b", "out")]
    assert (int(found.cycles[0]), waits, ports) == (274, [3, 91, 0], [7 * 32, 32 + 108, 48, 0, 48])
    assert walked(layer, PRESETS[0], (0, 0))["cycles"] == 274


def test_a_tiling_that_has_no_closed_form_is_named():
    layer = Layer("odd", Kind.CONV, 8, 9, 3, 3, 8, 8, padding=1)
    for tiling in (Tiling(4, 3, prologue_parts=2), Tiling(4, 3, order=Order.FILTERS)):
        with pytest.raises(ValueError, match=r"layer odd: tiling is .*lead"):
            LayerBatch.of([CutLayer(layer, tiling)], PRESETS)
