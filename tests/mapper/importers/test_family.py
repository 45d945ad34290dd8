"""Networks that share weights become SubNets of one SuperNet: found by their numbers, whatever layers are called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet
from arch_model.network.weight_slices import used_weights
from mapper.importers.family import join_networks
from mapper.importers.network import FloatLayer, Network, NetworkError

RNG = np.random.default_rng(5)
STEM = RNG.integers(-127, 128, (16, 3, 3, 3), dtype=np.int8)
DEPTHWISE = RNG.integers(-127, 128, (16, 1, 5, 5), dtype=np.int8)
HEAD = RNG.integers(-127, 128, (10, 16, 1, 1), dtype=np.int8)


def network(name, stem, middle, head, prefix="", floats=False) -> Network:
    """Stem, depthwise layer, pool, linear layer."""
    k, r = len(stem), middle.shape[2]
    names = [prefix + word for word in ("stem", "dw", "pool", "head")]
    layers = (
        Layer(names[0], Kind.CONV, k, 3, 3, 3, 8, 8, padding=1, inputs=(INPUT,)),
        Layer(names[1], Kind.CONV, k, k, r, r, 8, 8, padding=r // 2, groups=k, inputs=(names[0],)),
        Layer(names[2], Kind.POOL, k, k, H=8, W=8, inputs=(names[1],)),
        Layer(names[3], Kind.LINEAR, len(head), k, inputs=(names[2],)),
    )
    arrays = dict(zip((names[0], names[1], names[3]), (stem, middle, head), strict=True))
    if floats:
        table = {key: FloatLayer(array, None, -np.inf, np.inf) for key, array in arrays.items()}
        return Network(SubNet(name, name, layers), floats=table)
    return Network(SubNet(name, name, layers), arrays)


LARGE = network("large", STEM, DEPTHWISE, HEAD)


def test_leading_filters_channels_and_the_middle_of_a_kernel() -> None:
    small = network("small", STEM[:9], DEPTHWISE[:9, :, 1:4, 1:4], HEAD[:, :9], prefix="b_")
    family = join_networks([small, LARGE])
    assert (family.shared, family.separate) == (("stem", "dw", "head"), ())
    assert [layer.weight_bytes for layer in family.supernet.layers] == [STEM.size, DEPTHWISE.size, HEAD.size]
    net = family.networks["small"].subnet
    assert [layer.name for layer in net.layers] == ["stem", "dw", "b_pool", "head"]
    assert SubGraph.of(net, family.supernet).slices == ((9, 3), (9, 9), (10, 9))
    assert list(family.networks) == ["small", "large"] == list(family.supernet.subnet_names())


@pytest.mark.parametrize("where", [(0, 0, 0, 0), (8, 2, 2, 2)])
def test_one_other_number_and_a_layer_is_not_shared(where) -> None:
    stem = STEM[:9].copy()
    stem[where] ^= 1
    family = join_networks([LARGE, network("small", stem, DEPTHWISE[:9], HEAD[:, :9])])
    assert (family.shared, family.separate) == (("dw", "head"), ("stem", "small.stem"))
    assert family.supernet.weight_bytes == STEM.size + DEPTHWISE.size + HEAD.size + stem.size


def test_neither_is_greater() -> None:
    """One has more filters, the other more channels: the SuperNet's layer has the most of both."""
    wide = RNG.integers(-127, 128, (10, 24, 1, 1), dtype=np.int8)
    wide[:4, :16] = HEAD[:4]
    stem, middle = (np.concatenate([array, array[:8]]) for array in (STEM, DEPTHWISE))
    family = join_networks([LARGE, network("wide", stem, middle, wide[:4])])
    assert family.shared == ("stem", "dw", "head") and (family.supernet.layer("head").K, 24) == (10, 24)
    assert (family.supernet.layer("head").C, family.users["head"]) == (24, ("large", "wide"))


def test_float_filters_up_to_a_factor() -> None:
    """Batch normalisation, folded in, gives each filter of each network a factor of its own."""
    scale = RNG.uniform(0.5, 2, (16, 1, 1, 1))
    arrays = [array.astype(np.float32) for array in (STEM, DEPTHWISE, HEAD)]
    large = network("large", *arrays, floats=True)
    small = [(array * scale[: len(array)])[:9].astype(np.float32) for array in arrays[:2]]
    family = join_networks([large, network("small", *small, arrays[2][:, :9], floats=True)])
    assert family.shared == ("stem", "dw", "head") and family.weights is None
    turned = -small[0]
    assert join_networks([large, network("small", turned, *small[1:], arrays[2][:, :9], floats=True)]).separate == (
        "stem",
        "small.stem",
    )


def test_names() -> None:
    """A second network of one name, and a layer of one network called as another layer of the other is."""
    other = network("large", HEAD[:, :3].repeat(9, 2).reshape(10, 3, 3, 3), DEPTHWISE[:10], HEAD[:, :10])
    family = join_networks([LARGE, other])
    assert list(family.networks) == ["large", "large_2"] and family.supernet.name == "large+large_2"
    assert family.separate == ("stem", "large_2.stem")
    swapped = replace(LARGE.subnet.layers[2], name="dw", inputs=("stem",))
    pool_first = SubNet("p", "p", (LARGE.subnet.layers[0], swapped, replace(LARGE.subnet.layers[3], inputs=("dw",))))
    family = join_networks([LARGE, Network(pool_first, {"stem": STEM, "head": HEAD})])
    assert [layer.name for layer in family.networks["p"].subnet.layers] == ["stem", "dw", "head"]


def test_one_network_keeps_its_layers() -> None:
    family = join_networks([LARGE])
    assert family.networks["large"].subnet == LARGE.subnet and family.supernet.name == "large"


def test_nothing_and_parts_are_refused() -> None:
    with pytest.raises(NetworkError, match="there are no networks; give at least one"):
        join_networks([])
    with pytest.raises(NetworkError, match=r'network large: node "x" .*; give a network that is whole'):
        join_networks([replace(LARGE, skipped=('node "x" (Foo) has no layer',))])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 16), st.sampled_from([3, 5])), min_size=1, max_size=4), st.booleans())
def test_every_subnet_has_its_own_numbers(sizes, own_stem) -> None:
    """Whatever is shared: what a SubNet uses of the SuperNet's weights is what its file has."""
    made = []
    for number, (k, r) in enumerate(sizes):
        cut = (5 - r) // 2
        stem = STEM[:k] if not (own_stem and number % 2) else STEM[:k, ::-1].copy()
        made.append(network(f"n{number}", stem, DEPTHWISE[:k, :, cut : 5 - cut, cut : 5 - cut], HEAD[:, :k]))
    family = join_networks(made)
    assert family.weights is not None and set(family.weights) == {layer.name for layer in family.supernet.layers}
    for found, before in zip(family.networks.values(), made, strict=True):
        for layer, was in zip(found.subnet.weight_layers, before.subnet.weight_layers, strict=True):
            assert np.array_equal(used_weights(layer, family.weights[layer.name]), before.weights[was.name])
            assert found.weights[layer.name] is before.weights[was.name]
