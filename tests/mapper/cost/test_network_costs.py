"""Every entry is the compiled Program's: cycles by the walk over its commands, bytes and activity counted from them."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.cost.activity import count_totals
from arch_model.cost.energy import energy_of
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.network_costs import NetworkCosts, cached_tiles, layers_of, links_of
from mapper.cost.window import AFTERWARDS, ANYTHING, DISTANCE, FLAGS, NEW_HALF, NOTHING, TENSOR, WAITS
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.pinning.sampling import draw_subgraphs
from mapper.workload.fusion import is_runnable, steps
from tests.mapper.random_nets import (
    random_accelerator,
    random_mobile_network,
    random_network,
    random_quant,
    random_subgraph,
)

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = FASHION.sample(5, seed=3)
GRAPHS = [SubGraph.empty(FASHION), *draw_subgraphs(FASHION, NETS, 6, TINY, seed=0).values()]


def check_against_programs(costs, nets, graphs, supernet, accelerator):
    for row, net in enumerate(nets):
        quant, places = random_quant(net, np.random.default_rng(1)), MemoryMap.build(supernet, [net], accelerator)
        for column, graph in enumerate(graphs):
            resident = PersistentBuffer.of(graph, supernet, accelerator)
            program = compile_subnet(net, supernet, accelerator, quant, places, resident=resident)
            cycles = time_program(program.commands, accelerator).cycles
            assert costs.cycles[row, column] == cycles
            assert costs.dram_bytes[row, column] == sum(program.dram_bytes.values())
            assert costs.hit_bytes[row, column] == program.pb_hit_bytes
            assert costs.totals[row, column].tolist() == list(count_totals(program.commands, accelerator).values())
            energy = energy_of(program.commands, accelerator, cycles).total_j
            assert costs.energy_j[row, column] == pytest.approx(energy, rel=1e-12)


def test_fashion_on_tiny():
    costs = NetworkCosts(FASHION, TINY).of_subgraphs(NETS[:2], GRAPHS[:4])
    check_against_programs(costs, NETS[:2], GRAPHS[:4], FASHION, TINY)


@pytest.mark.parametrize(
    ("space", "machine"), [("superfednas-cifar10", "u50"), ("ofa-resnet50", "zcu104"), ("ofa-mobilenetv3", "zcu104")]
)
def test_a_subnet_of_large_spaces(space, machine):
    supernet, accelerator = get_space(space), Accelerator.load(machine)
    nets = [net for net in supernet.sample(4, seed=1) if is_runnable(net)][:1]
    graphs = list(draw_subgraphs(supernet, nets, 2, accelerator, seed=2).values())
    costs = NetworkCosts(supernet, accelerator).of_subgraphs(nets, graphs)
    check_against_programs(costs, nets, graphs, supernet, accelerator)


def test_any_order_and_any_company_is_the_same():
    costs = NetworkCosts(FASHION, TINY).of_subgraphs(NETS, GRAPHS)
    assert costs.cycles.shape == (5, 7)
    one_by_one = NetworkCosts(FASHION, TINY)
    rows = [one_by_one.of_subgraphs([net], GRAPHS).cycles for net in reversed(NETS)]
    assert np.array_equal(np.concatenate(rows)[::-1], costs.cycles)
    column = NetworkCosts(FASHION, TINY).of_subgraphs(NETS, GRAPHS[2:3])
    assert np.array_equal(column.cycles, costs.cycles[:, 2:3])
    assert np.array_equal(column.totals, costs.totals[:, 2:3])


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_networks_on_random_machines(first):
    """The memory of states beside the recurrence over the whole Program."""
    told = 0
    for seed in range(first, first + 20):
        rng = np.random.default_rng(seed)
        accelerator = random_accelerator(rng)
        supernet, net = (random_network if rng.random() < 0.5 else random_mobile_network)(rng)
        graphs = [SubGraph.empty(supernet), *(random_subgraph(supernet, accelerator, rng) for _ in range(3))]
        costs, tiles = NetworkCosts(supernet, accelerator), cached_tiles(supernet, graphs, accelerator)
        try:
            cycles = costs.cycles([net], tiles)[0]
        except MappingError:  # a layer that the machine has no room for
            continue
        variants, *_ = costs._laid_out(net, tiles)
        whole = [costs._by_itself(net, column.tolist()) for column in variants.T]
        assert cycles.tolist() == whole, seed
        told += 1
    assert told > 10


def test_a_step_is_taken_once():
    costs, tiles = NetworkCosts(FASHION, TINY), cached_tiles(FASHION, GRAPHS, TINY)
    first = costs.cycles(NETS, tiles)
    known = costs.different
    assert np.array_equal(costs.cycles(NETS, tiles), first) and costs.different == known


def test_links_by_hand():
    """a with its global pool, b that reads the pool, c that reads a: a distance of two, and the first tensor there."""
    sizes = {"K": 6, "C": 6, "H": 8, "W": 8}
    a, pool = Layer("a", Kind.CONV, inputs=(INPUT,), **sizes), Layer("pool", Kind.POOL, inputs=("a",), **sizes)
    b, c = Layer("b", Kind.LINEAR, K=6, C=6, inputs=("pool",)), Layer("c", Kind.CONV, inputs=("a",), **sizes)
    layers = layers_of(steps([a, pool, b, c]))
    assert [[step.layer.name for step in own] for own in layers] == [["a", "pool"], ["b"], ["c"]]
    links = links_of(layers, [2, 2, 2], half=5)
    assert links[:, DISTANCE].tolist() == [0, 1, 2] and links[:, TENSOR].tolist() == [0, 1, 0]
    assert links[:, NEW_HALF].tolist() == [0, 0, 1]
    assert links[:, AFTERWARDS].tolist() == [WAITS, ANYTHING, NOTHING] and (links[:, FLAGS] >= 0).all()


def test_a_layer_too_large_for_a_block_is_timed_with_its_program():
    want, tiles = NetworkCosts(FASHION, TINY).of_subgraphs(NETS[:1], GRAPHS).cycles, cached_tiles(FASHION, GRAPHS, TINY)
    costs = NetworkCosts(FASHION, TINY)
    variants, *_ = costs._laid_out(NETS[0], tiles)
    costs.variants.large.append(int(variants[0, 0]))
    assert np.array_equal(costs.cycles(NETS[:1], tiles), want)


def test_a_network_that_begins_with_a_pool():
    """No window tells it: its Program is timed by itself."""
    pool = Layer("pool", Kind.POOL, K=6, C=6, H=8, W=8, inputs=(INPUT,))
    linear = Layer("linear", Kind.LINEAR, K=4, C=6, inputs=("pool",))
    whole = SuperNet("toy", (replace(linear, inputs=(INPUT,)),), lambda: None, lambda name: {}, ())
    net = SubNet("net", "toy", (pool, linear))
    check_against_programs(
        NetworkCosts(whole, TINY).of_subgraphs([net], [SubGraph.empty(whole)]),
        [net],
        [SubGraph.empty(whole)],
        whole,
        TINY,
    )


def test_what_does_not_fit_is_named():
    with pytest.raises(MappingError, match=r"SubGraph 1 of fashion: its \d+ weight tiles need \d+ bytes of the PB"):
        cached_tiles(FASHION, [SubGraph.empty(FASHION), SubGraph.full(FASHION)], TINY)
    assert SubGraph.full(FASHION).bytes(FASHION) > TINY.buffers.pb_bytes


def test_tiles_beyond_the_pb_have_a_cost():
    """Whoever looks for what to cache asks for more than fits, too."""
    every = cached_tiles(FASHION, [SubGraph.full(FASHION)], TINY.replace(buffers={"pb_bytes": 1 << 20}))
    costs = NetworkCosts(FASHION, TINY).of(NETS, every)
    none = NetworkCosts(FASHION, TINY).of_subgraphs(NETS, GRAPHS[:1])
    assert (costs.cycles < none.cycles).all() and (costs.hit_bytes > 0).all()


def test_another_kernel_is_named():
    whole = SuperNet("toy", (Layer("a", Kind.CONV, 6, 6, 5, 5, 8, 8, padding=2),), lambda: None, lambda name: {}, ())
    own = SubNet("net", "toy", (Layer("a", Kind.CONV, 6, 6, 3, 3, 8, 8, padding=1, inputs=(INPUT,)),))
    with pytest.raises(MappingError, match=r"layer a: its kernel is 3x3; the mapper takes the SuperNet's, 5x5"):
        NetworkCosts(whole, TINY).of_subgraphs([own], [SubGraph.empty(whole)])
