"""Random layers and networks on the RTL, any legal tiling, with and without a PB: integers, bytes and cycles agree."""

from itertools import product

import numpy as np
import pytest

from arch_model.errors import LayerError, MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from mapper.layout.dram_image import image_segment, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.workload.depthwise import has_tiles
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.outcome import run_program
from sim.rtl_bench.simulators import find_simulator
from tests.mapper.cut_layers import random_tiling
from tests.mapper.random_nets import (
    channelwise_network,
    random_image,
    random_mobile_network,
    random_network,
    random_quant,
    random_subgraph,
    random_weights,
)

TINY = Accelerator.load("tiny")
CASES = 8
KINDS = ("conv", "conv", "conv", "depthwise", *(str(kind) for kind in Kind if kind not in (Kind.CONV, Kind.ADD)))


@pytest.fixture(scope="module")
def bench():
    with Bench(build(TINY, find_simulator())) as running:
        yield running


def random_layer(rng) -> Layer:
    """One of any kind, of odd sizes, kernels that are not square among them; not all are legal."""
    kind, activation = str(rng.choice(KINDS)), list(Activation)[rng.integers(len(Activation))]
    (h, w), (c, k) = rng.integers(1, 21, 2).tolist(), rng.integers(1, 41, 2).tolist()
    r = s = int(rng.integers(1, 8))
    if rng.random() < 0.2:
        s = int(rng.integers(1, 8))
    stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, max(r, s) // 2 + 1))
    windows = {"R": r, "S": s, "H": h, "W": w, "stride": stride}
    if kind == "conv":
        return Layer("layer", Kind.CONV, k, c, **windows, padding=padding, activation=activation)
    if kind == "depthwise":
        return Layer("layer", Kind.CONV, c, c, **windows, padding=padding, groups=c, activation=activation)
    if kind == Kind.LINEAR:
        return Layer("layer", Kind.LINEAR, k, c, activation=activation)
    if kind == Kind.MAXPOOL:
        small = {"R": (r - 1) % 3 + 1, "S": (s - 1) % 3 + 1}
        return Layer("layer", Kind.MAXPOOL, c, c, **windows | small, padding=min(padding, 1), ceil_mode=c % 2 == 1)
    if kind == Kind.AVGPOOL and max(r, s) > 3:
        return Layer("layer", Kind.AVGPOOL, c, c, **windows)
    if kind == Kind.AVGPOOL:
        return Layer("layer", Kind.AVGPOOL, c, c, **windows, padding=min(padding, 1), ceil_mode=c % 2 == 1)
    return Layer("layer", Kind(kind), c, c, H=h, W=w)


def random_programs(rng):
    """Programs of something random for tiny, what they need in DRAM and what they must leave there.

    With a random SubGraph the first fills the PB with it and the second finds it there. Raises MappingError or
    LayerError for what is not legal.
    """
    one_layer, mobile = rng.random() < 0.7, rng.random() < 0.5
    if one_layer:
        supernet, subnet = channelwise_network(random_layer(rng))
    else:
        supernet, subnet = random_mobile_network(rng) if mobile else random_network(rng)
    quant, places = random_quant(subnet, rng), MemoryMap.build(supernet, [subnet], TINY)
    empty = PersistentBuffer.empty(supernet)
    held = PersistentBuffer.of(random_subgraph(supernet, TINY, rng), supernet, TINY)
    states = [(empty, held), (held, held)] if rng.random() < 0.5 else [(empty, empty)]

    def compiled(tilings):
        return [compile_subnet(subnet, supernet, TINY, quant, places, *state, tilings) for state in states]

    programs, tilings = compiled({}), {}
    for layer in filter(has_tiles, subnet.layers):
        try:
            tiling = random_tiling(layer, TINY, rng)
            programs = compiled({**tilings, layer.name: tiling})
        except MappingError:
            continue
        tilings[layer.name] = tiling
    weights, image = random_weights(supernet, rng), random_image(subnet, places, rng)
    segments = [
        *weights_segments(places, weights),
        *zsb_segments(places, subnet, weights, quant),
        image_segment(places, subnet, image),
    ]
    return programs, segments, {INPUT: image, **run_layers(subnet.layers, weights, quant, image)}, subnet, tilings


@pytest.mark.parametrize("seed", range(3))
def test_what_the_mapper_takes_runs_as_predicted(seed, bench):
    rng = np.random.default_rng(seed)
    done = 0
    while done < CASES:
        try:
            programs, segments, expected, subnet, tilings = random_programs(rng)
        except (MappingError, LayerError):
            continue
        print(subnet.layers, tilings)
        for program in programs:
            outcome = run_program(bench, program, segments, expected)
            assert outcome.exact
            assert outcome.result.cycles == outcome.predicted.cycles
        done += 1


POOLS = [
    Layer("layer", kind, 5, 5, r, s, 5, 6, stride, padding, ceil_mode=up)
    for kind in (Kind.MAXPOOL, Kind.AVGPOOL)
    for r, s in product((1, 2, 3), repeat=2)
    for stride, padding, up in ((1, 0, False), (1, min(r, s) // 2, False), (2, 0, True), (2, min(r, s) // 2, True))
]
PRODUCTS = [Layer("layer", Kind.MUL, c, c, H=h, W=w) for c, h, w in ((1, 1, 1), (5, 5, 6), (13, 7, 4))]


@pytest.mark.parametrize("stall", [0, 90])
def test_pools_of_every_size_and_products(stall, bench):
    """Windows inside their tensor and beyond it on every side, with DRAM pausing at random or never."""
    for number, layer in enumerate([*POOLS, *PRODUCTS]):
        rng = np.random.default_rng(number)
        supernet, subnet = channelwise_network(layer)
        quant, places = random_quant(subnet, rng), MemoryMap.build(supernet, [subnet], TINY)
        program = compile_subnet(subnet, supernet, TINY, quant, places)
        image = random_image(subnet, places, rng)
        segments = [
            *weights_segments(places, {}),
            *zsb_segments(places, subnet, {}, quant),
            image_segment(places, subnet, image),
        ]
        expected = {INPUT: image, **run_layers(subnet.layers, {}, quant, image)}
        outcome = run_program(bench, program, segments, expected, stall=stall)
        assert outcome.exact, (layer, number)
        assert stall or outcome.result.cycles == outcome.predicted.cycles, (layer, number)
