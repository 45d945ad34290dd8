"""What to pin, against every SubGraph of a small menu; the paper's rule beside it."""

import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.network_costs import NetworkCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.pinning.greedy import candidates
from mapper.pinning.options import Menu
from mapper.pinning.search import Pin, nearest_to_average, pin_best, pin_cost
from tests.mapper.random_nets import random_quant

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = [FASHION.subnet(name) for name in ("fashion-d111-w222", "fashion-d111-w234")]
SHARE = [0.7, 0.3]


def every_subgraph(menu):
    """All choices that fit, layer by layer so that few are built in vain."""
    slots, found = menu.accelerator.pb_tiles, [((), 0)]
    for layer, count in enumerate(menu.count.tolist()):
        found = [
            ((*choice, entry), used + tiles)
            for choice, used in found
            for entry, tiles in enumerate(menu.tiles[layer, :count].tolist())
            if used + tiles <= slots
        ]
    return [menu.subgraph(np.array(choice)) for choice, _ in found]


@pytest.mark.parametrize("objective", list(Pin))
@pytest.mark.parametrize("slots", [0, 3, 24])
def test_it_is_the_best_of_all(slots, objective):
    machine = TINY.replace(buffers={"pb_bytes": slots * TINY.tile_bytes_raw})
    levels = None if slots < 20 else 1
    graphs = every_subgraph(Menu.of(FASHION, NETS, machine, levels))
    if objective is Pin.LATENCY:
        costs = np.array(SHARE) @ NetworkCosts(FASHION, machine).of_subgraphs(NETS, graphs).cycles
    else:
        costs = np.array([pin_cost(graph, FASHION, NETS, machine, SHARE, objective) for graph in graphs[:400]])
    best = pin_best(FASHION, NETS, machine, SHARE, objective, levels=levels)
    assert best.gap <= 1e-6 and best.tiles <= slots
    assert best.cost == pytest.approx(pin_cost(best.subgraph, FASHION, NETS, machine, SHARE, objective))
    assert best.bound <= costs.min() * (1 + 1e-6)
    if objective is Pin.LATENCY or len(graphs) <= 400:
        assert best.cost == pytest.approx(costs.min(), rel=1e-6)
    assert best.empty == pytest.approx(pin_cost(SubGraph.empty(FASHION), FASHION, NETS, machine, SHARE, objective))


@pytest.mark.parametrize("objective", list(Pin))
def test_the_greedy_answer_keeps_its_promise(objective):
    quick = pin_best(FASHION, NETS, TINY, SHARE, objective, exact=False)
    best = pin_best(FASHION, NETS, TINY, SHARE, objective, levels=4, seconds=1)
    assert quick.bound <= quick.cost <= quick.empty
    assert quick.bound <= best.cost * (1 + 1e-9)  # a smaller menu cannot do better than the bound of all
    for pinned in (quick, best):
        assert SubGraph.of(NETS[1], FASHION).contains(pinned.subgraph) or any(k for k, _ in pinned.subgraph.slices)
        own = candidates({net.name: net for net in NETS}, FASHION, TINY).values()
        assert pinned.cost <= min(pin_cost(g, FASHION, NETS, TINY, SHARE, objective) for g in own) * (1 + 1e-3)


def test_who_is_never_served_has_no_say():
    alone = pin_best(FASHION, NETS[:1], TINY, objective="bytes")
    both = pin_best(FASHION, NETS, TINY, share=[2, 0], objective="bytes")
    assert both.cost == pytest.approx(alone.cost)


def test_rounds_are_told_and_close_in():
    told = []
    best = pin_best(
        FASHION, NETS, TINY, SHARE, levels=3, seconds=1, on_round=lambda cost, bound: told.append((cost, bound))
    )
    assert len(told) == best.rounds
    costs, bounds = zip(*told, strict=True)
    assert list(costs) == sorted(costs, reverse=True) and list(bounds) == sorted(bounds)


@pytest.mark.parametrize(
    ("nets", "share", "message"),
    [([], None, "there are no SubNets"), (NETS, [1], "shares of 2 SubNets are"), (NETS, [0, 0], "not all 0")],
)
def test_no_distribution_is_named(nets, share, message):
    with pytest.raises(MappingError, match=message):
        pin_best(FASHION, nets, TINY, share)


def test_another_objective_is_named():
    for call in (lambda: pin_best(FASHION, NETS, TINY, objective="joules"),
                 lambda: pin_cost(SubGraph.empty(FASHION), FASHION, NETS, TINY, objective="joules")):  # fmt: skip
        with pytest.raises(MappingError, match="objective is 'joules'; give one of latency, bytes, layers"):
            call()


def test_costs_are_those_of_compiled_programs():
    best = pin_best(FASHION, NETS[:1], TINY, levels=3, seconds=1)
    resident, quant = PersistentBuffer.of(best.subgraph, FASHION, TINY), random_quant(NETS[0], np.random.default_rng(0))
    places = MemoryMap.build(FASHION, NETS[:1], TINY)
    program = compile_subnet(NETS[0], FASHION, TINY, quant, places, resident=resident)
    assert best.cost == time_program(program.commands, TINY).cycles
    assert pin_cost(best.subgraph, FASHION, NETS[:1], TINY, objective="bytes") == sum(program.dram_bytes.values())


def test_the_papers_rule():
    """By hand: vectors (4, 1) and (8, 1) in one layer, served one to three, average 7."""
    one = [SubGraph("fashion", ((k, 1), *((0, 0),) * (len(FASHION.layers) - 1))) for k in (4, 6, 8)]
    whole = [SubGraph.of(net, FASHION) for net in NETS]
    assert nearest_to_average(whole, FASHION, NETS, share=[1, 0]) == 0
    assert nearest_to_average(whole, FASHION, NETS, share=[0, 1]) == 1
    assert nearest_to_average(one, FASHION, NETS[:1]) == 2  # 16 filters


def test_without_time_for_a_bound_nothing_is_promised():
    hasty = pin_best(FASHION, NETS, TINY, SHARE, seconds=0)
    assert hasty.rounds == 0 and hasty.bound == 0
    assert hasty.cost <= hasty.empty and hasty.gap == np.inf
