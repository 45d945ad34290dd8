"""Many SubNets for many SubGraphs: routes by hand, each layer worked out once, and what does not fit."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.layer_overlap import Link, pool_cycles
from mapper.cost.lone_costs import chained_cycles
from mapper.cost.sushi_costs import Route, SubNetCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_subnet
from mapper.pinning.sampling import draw_subgraphs
from tests.mapper.random_nets import random_quant

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = FASHION.sample(5, seed=3)


def conv(name, source, k=6, c=6, **more):
    return Layer(name, Kind.CONV, K=k, C=c, R=3, S=3, H=8, W=8, padding=1, inputs=(source,), **more)


def net_of(*layers):
    return SubNet("net", "toy", layers)


def test_a_route_by_hand():
    """a, then b with the add, which both c and a branch d read; a pool before the linear layer."""
    add = Layer("add", Kind.ADD, K=6, C=6, H=8, W=8, inputs=("b", "a"))
    layers = (
        *(conv("a", INPUT), conv("b", "a"), add, conv("c", "add"), conv("d", "add")),
        Layer("pool", Kind.POOL, K=6, C=6, H=8, W=8, inputs=("d",)),
        Layer("linear", Kind.LINEAR, K=4, C=6, inputs=("pool",)),
    )
    route = Route.of(net_of(*layers), TINY)
    assert [(layer.name, added) for layer, added in route.layers] == [
        *(("a", False), ("b", True), ("c", False), ("d", False), ("linear", False)),
    ]
    # d reads what c's predecessor wrote: nothing of the layer just before it.
    assert route.links[1:] == (Link(True), Link(True), Link(False), Link(True, pool_cycles(layers[5], TINY)))
    assert route.after == 0
    assert Route.of(net_of(*layers[:-1]), TINY).after == pool_cycles(layers[5], TINY)


def test_layers_that_are_left_out_pass_their_input_on():
    layers = (
        conv("a", INPUT),
        Layer("max", Kind.MAXPOOL, K=6, C=6, R=2, S=2, H=8, W=8, stride=2, inputs=("a",)),
        Layer("b", Kind.CONV, K=6, C=6, H=4, W=4, inputs=("max",)),
    )
    route = Route.of(net_of(*layers), TINY)
    assert [layer.name for layer, _ in route.layers] == ["a", "b"] and route.links[1] == Link(True)


def test_channelwise_layers_stand_between_dense_ones():
    """a, then a depthwise layer, its pool through a linear layer as factors, and the scaling before the last conv."""
    layers = (
        conv("a", INPUT),
        conv("dw", "a", groups=6),
        Layer("pool", Kind.POOL, K=6, C=6, H=8, W=8, inputs=("dw",)),
        Layer("factors", Kind.LINEAR, K=6, C=6, inputs=("pool",)),
        Layer("scale", Kind.SCALE, K=6, C=6, H=8, W=8, inputs=("dw", "factors")),
        conv("b", "scale"),
        conv("last", "b", groups=6),
    )
    route = Route.of(net_of(*layers), TINY)
    assert [layer.name for layer, _ in route.layers] == ["a", "factors", "b"]
    deep, scale = (chained_cycles(layers[i], TINY) for i in (1, 4))
    assert route.links[1:] == (Link(True, deep + pool_cycles(layers[2], TINY)), Link(True, scale))
    assert route.after == chained_cycles(layers[6], TINY) > 64


@pytest.mark.parametrize("space", ["ofa-mobilenetv3", "ofa-proxyless"])
def test_whole_mobile_networks_beside_their_programs(space):
    """Depthwise layers begin before all of their input is there, which no chain knows: a few per cent too many."""
    supernet, zcu104 = get_space(space), Accelerator.load("zcu104")
    for net in (supernet.subnet(name) for name in supernet.subnet_names()[:2]):
        found = int(SubNetCosts(supernet, [SubGraph.empty(supernet)], zcu104).cycles([net])[0, 0])
        quant = random_quant(net, np.random.default_rng(1))
        layers = tuple(replace(layer, inputs=()) for layer in net.weight_layers)
        own = SuperNet(space, layers, lambda: None, lambda name: {}, ())
        program = compile_subnet(net, own, zcu104, quant, MemoryMap.build(own, [net], zcu104))
        assert 0 < found / time_program(program.commands, zcu104).cycles - 1 < 0.07


def test_other_layers_are_named():
    with pytest.raises(MappingError, match=r"layer dw: groups is 6; costs of chained layers begin with a dense one"):
        Route.of(net_of(conv("dw", INPUT, groups=6)), TINY)
    whole = SuperNet("toy", (Layer("a", Kind.CONV, 6, 6, 5, 5, 8, 8, padding=2),), lambda: None, lambda name: {}, ())
    with pytest.raises(MappingError, match=r"layer a: its kernel is 3x3; the mapper takes the SuperNet's, 5x5"):
        SubNetCosts(whole, [SubGraph.empty(whole)], TINY).cycles([net_of(conv("a", INPUT))])


def test_any_order_and_any_company_is_the_same():
    graphs = list(draw_subgraphs(FASHION, NETS, 6, TINY, seed=0).values())
    whole = SubNetCosts(FASHION, graphs, TINY)
    table = whole.cycles(NETS)
    assert table.shape == (5, 6)
    one_by_one = SubNetCosts(FASHION, graphs, TINY)
    assert np.array_equal(np.concatenate([one_by_one.cycles([net]) for net in reversed(NETS)])[::-1], table)
    assert one_by_one.different == whole.different
    column = SubNetCosts(FASHION, graphs[2:3], TINY).cycles(NETS)
    assert np.array_equal(column, table[:, 2:3])
    assert [layers.sum(axis=0).tolist() for layers in whole.layer_cycles(NETS)] == table.tolist()


def test_like_layers_are_worked_out_once():
    """What is cached counts in tiles of the SubNet's own: more than it has of a layer is all of it."""
    subnet, index = NETS[0], FASHION.index("stem")
    layer = subnet.layer("stem")
    graphs = [SubGraph("fashion", tuple((k, 1) if i == index else (0, 0) for i in range(len(FASHION.layers))))
              for k in (0, 1, 4, 5, 16)]  # fmt: skip
    costs = SubNetCosts(FASHION, graphs, TINY)
    table = costs.cycles([subnet])
    parts = {min(tiles, tile_grid(layer, TINY).kt) for tiles in (0, 1, 1, 2, 4)}
    plain = SubNetCosts(FASHION, graphs[:1], TINY)
    plain.cycles([subnet])
    assert costs.different == plain.different + len(parts) - 1
    assert table[0, 1] == table[0, 2]


def test_a_subgraph_too_large_is_named():
    with pytest.raises(MappingError, match=r"SubGraph 1 of fashion: its \d+ weight tiles need \d+ bytes of the PB"):
        SubNetCosts(FASHION, [SubGraph.empty(FASHION), SubGraph.full(FASHION)], TINY)
    assert SubGraph.full(FASHION).bytes(FASHION) > TINY.buffers.pb_bytes
