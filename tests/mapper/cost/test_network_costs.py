"""Every entry is the compiled Program's: cycles by the walk over its commands, bytes and activity counted from them."""

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
from mapper.cost.network_costs import NetworkCosts, cached_tiles
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.pinning.sampling import draw_subgraphs
from mapper.workload.fusion import is_runnable
from tests.mapper.random_nets import random_quant

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


def test_like_parts_are_worked_out_once():
    """What is cached counts in tiles of the SubNet's own: more than it has of a layer is all of it."""
    index = FASHION.index("stem")
    graphs = [SubGraph("fashion", tuple((k, 1) if i == index else (0, 0) for i in range(len(FASHION.layers))))
              for k in (0, 1, 4, 5, 16)]  # fmt: skip
    costs, plain = NetworkCosts(FASHION, TINY), NetworkCosts(FASHION, TINY)
    table = costs.of_subgraphs(NETS[:1], graphs).cycles
    plain.of_subgraphs(NETS[:1], graphs[:1])
    assert len(costs.parts) == len(plain.parts) + len({1, 2, 4})  # K-tiles; 1 and 4 channels are one
    assert table[0, 1] == table[0, 2]


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
