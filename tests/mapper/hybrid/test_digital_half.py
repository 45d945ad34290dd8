"""Shared digital channels: with them first, every SubNet's digital half is a leading slice of the SuperNet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from mapper.hybrid.digital_half import DigitalHalf
from mapper.hybrid.partition import Partition

FASHION = get_space("fashion")
SMALL, LARGE = (FASHION.subnet(f"fashion-{name}") for name in ("d111-w222", "d222-w444"))
TINY = Accelerator.load("tiny")
WEIGHTS = load_weights()


@st.composite
def halves(draw):
    names = draw(st.sets(st.sampled_from([layer.name for layer in FASHION.layers]), min_size=1))
    sizes = {name: FASHION.layer(name).C for name in sorted(names)}
    chosen = {name: draw(st.sets(st.integers(0, c - 1))) for name, c in sizes.items()}
    return DigitalHalf(FASHION, {name: tuple(sorted(channels)) for name, channels in chosen.items()})


@settings(max_examples=25, deadline=None)
@given(halves(), st.sampled_from(sorted(WEIGHTS.subnets)))
def test_the_digital_half_of_any_subnet_is_a_leading_slice(half, name):
    subnet = FASHION.subnet(name)
    ordered = half.reorder(WEIGHTS.layers)
    digital = {layer.name: layer for layer in half.layers(subnet).layers}
    for layer in subnet.weight_layers:
        keeps = [c for c in half.channels.get(layer.name, ()) if c < layer.C]
        assert (layer.name in digital) == bool(keeps)
        if keeps:
            part = digital[layer.name]
            assert (layer.K, len(keeps), layer.P, layer.Q) == (part.K, part.C, part.P, part.Q)
            leading = ordered[layer.name][: part.K, : part.C]
            assert (leading == WEIGHTS.layers[layer.name][: layer.K][:, keeps]).all()
    held = half.subgraph(subnet)
    assert held.bytes(FASHION) == sum(layer.weight_bytes for layer in digital.values())


@settings(max_examples=25, deadline=None)
@given(halves())
def test_needed_holds_each_subnet_s_half_and_each_holds_what_is_common(half):
    nets = [SMALL, FASHION.subnet("fashion-d121-w422"), LARGE]
    common, needed = half.common(nets), half.needed(nets)
    for net in nets:
        assert needed.contains(half.subgraph(net))
        assert half.subgraph(net).contains(common)
    assert needed == half.subgraph(LARGE)  # the largest has every layer and every channel of the others


def test_a_layer_by_hand():
    half = DigitalHalf(FASHION, {"s1b1_conv2": (1, 5, 20)})
    index = FASHION.index("s1b1_conv2")  # 12 x 12 in the small SubNet, 24 x 24 in the large one
    assert half.subgraph(SMALL).slices[index] == (12, 2)
    assert half.subgraph(LARGE).slices[index] == (24, 3)
    assert half.common([SMALL, LARGE]).bytes(FASHION) == 12 * 2 * 9
    assert half.partition(SMALL, "hash").channels == {"s1b1_conv2": (1, 5)}
    assert sum(k for k, _ in half.subgraph(SMALL).slices) == 12


def test_the_union_of_partitions():
    a = Partition("small", "1", {"stem": (0,), "linear": (3, 9)})
    b = Partition("large", "2", {"linear": (2, 9)})
    assert DigitalHalf.union([a, b], FASHION).channels == {"stem": (0,), "linear": (2, 3, 9)}
    with pytest.raises(FastSwitchError, match="partition of large keeps single weights digital"):
        DigitalHalf.union([a, Partition("large", "2", {}, {"linear": (5,)})], FASHION)


@pytest.mark.parametrize("channels", [(3, 1), (1, 1), (-1, 2), (0, 96)])
def test_channels_that_are_none_are_refused(channels):
    with pytest.raises(FastSwitchError, match=r"channels of layer linear are .* give different ones of 0\.\.95"):
        DigitalHalf(FASHION, {"linear": channels})


@pytest.fixture(scope="module")
def third():
    return DigitalHalf(FASHION, {layer.name: tuple(range(0, layer.C, 3)) for layer in FASHION.layers})


def test_the_pb_holds_a_part_and_saves_its_bytes(third):
    needed = third.needed([SMALL, LARGE])
    resident = third.pin(needed, TINY)
    assert needed.contains(resident.subgraph)
    assert 0 < resident.subgraph.bytes(FASHION) <= TINY.buffers.pb_bytes
    streamed, pinned = third.price(LARGE, TINY), third.price(LARGE, TINY, resident)
    assert [row["name"] for row in streamed] == [layer.name for layer in third.layers(LARGE).layers]
    saved = sum(row["dram_bytes"] for row in streamed) - sum(row["dram_bytes"] for row in pinned)
    assert saved > 0
    assert sum(row["pb_hit_bytes"] for row in pinned) == pytest.approx(saved, rel=0.1)
    assert sum(row["cycles"] for row in pinned) < sum(row["cycles"] for row in streamed)
    # One SubGraph in the PB serves the other SubNet too.
    assert sum(row["pb_hit_bytes"] for row in third.price(SMALL, TINY, resident)) > 0


def test_nothing_digital_costs_nothing():
    half = DigitalHalf(FASHION, {})
    assert half.price(LARGE, TINY) == []
    assert half.subgraph(LARGE) == SubGraph.empty(FASHION)
    assert (half.order("linear") == np.arange(96)).all()
