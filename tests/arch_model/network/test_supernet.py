"""SubNets that hold together, and the algebra of SubGraphs."""

from __future__ import annotations

import pickle
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import SpaceError
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.spaces import get_space, space_names

ROOT = Layer("root", Kind.CONV, 4, 3, 3, 3, 8, 8, padding=1, inputs=(INPUT,))
DEEP = Layer("deep", Kind.CONV, 4, 4, 3, 3, 8, 8, padding=1, groups=4, inputs=("root",))
JOIN = Layer("join", Kind.ADD, 4, 4, H=8, W=8, inputs=("deep", "root"))


def toy_build(size: int) -> SubNet:
    return SubNet(f"toy-{size}", "toy", (ROOT, DEEP, JOIN), (("size", size),))


def toy_parse(name: str) -> dict[str, Any]:
    return {"size": int(name.removeprefix("toy-"))}


TOY = SuperNet("toy", (ROOT, DEEP), toy_build, toy_parse, ("toy-1",))


def subgraphs(supernet: SuperNet) -> st.SearchStrategy[SubGraph]:
    pairs = [
        st.tuples(st.integers(0, layer.K), st.integers(0, layer.C))
        if layer.groups == 1
        else st.integers(0, layer.K).map(lambda k: (k, k))
        for layer in supernet.layers
    ]
    return st.tuples(*pairs).map(lambda slices: SubGraph(supernet.name, slices))


every_space = pytest.mark.parametrize("space", space_names())
some_spaces = pytest.mark.parametrize("space", ["fashion", "ofa-resnet50", "ofa-proxyless"])
properties = settings(deadline=None, max_examples=50, print_blob=True)

# ------------------------------------------------------------------------------------- SubNet


def test_a_subnet_sums_its_layers() -> None:
    net = toy_build(1)
    assert net.weight_layers == (ROOT, DEEP)
    assert net.weight_bytes == 4 * 3 * 9 + 4 * 9
    assert net.macs == (4 * 3 * 9 + 4 * 9) * 64
    assert net.layer("join") is JOIN
    with pytest.raises(SpaceError, match=r"SubNet toy-1: layer jion does not exist; did you mean join\?"):
        net.layer("jion")


def test_the_graph_runs_from_the_image_to_the_last_layer() -> None:
    graph = toy_build(1).graph()
    assert set(graph.edges) == {(INPUT, "root"), ("root", "deep"), ("deep", "join"), ("root", "join")}
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.nodes["deep"]["layer"] is DEEP


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((ROOT, ROOT), "layer name root is taken"),
        ((DEEP, ROOT), "input root of layer deep is not an earlier layer"),
        ((Layer("root", Kind.CONV, 4, 3),), "layer root has no inputs"),
        (
            (ROOT, Layer("deep", Kind.CONV, 4, 5, H=8, W=8, inputs=("root",))),
            r"layer deep reads C, H, W = \(5, 8, 8\), but root makes \(4, 8, 8\)",
        ),
        (
            (ROOT, Layer("low", Kind.CONV, 4, 4, H=8, W=8, stride=2, inputs=("root",)),
             Layer("join", Kind.ADD, 4, 4, H=8, W=8, inputs=("root", "low"))),
            r"layer join reads C, H, W = \(4, 8, 8\), but low makes \(4, 4, 4\)",
        ),
    ],
)  # fmt: skip
def test_a_subnet_whose_layers_do_not_join_is_refused(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(SpaceError, match=f"SubNet n: {message}"):
        SubNet("n", "toy", layers)


# ------------------------------------------------------------------------------------ SuperNet


def test_a_supernet_finds_its_layers_and_builds() -> None:
    assert (TOY.index("deep"), TOY.layer("deep"), TOY.weight_bytes) == (1, DEEP, 144)
    assert TOY.subnet("toy-3") == TOY.subnet(size=3)
    assert TOY.subnet_names() == ("toy-1",)
    with pytest.raises(SpaceError, match=r"SuperNet toy: layer nothing does not exist; give one of root, deep"):
        TOY.index("nothing")
    with pytest.raises(SpaceError, match=r"SuperNet toy: got an unexpected keyword argument 'depth'; give size"):
        TOY.subnet(size=1, depth=3)
    with pytest.raises(SpaceError, match=r"SuperNet toy: missing a required argument: 'size'; give size"):
        TOY.subnet()
    with pytest.raises(SpaceError, match=r"SubNet toy-1: give a name or choices \(size\), not both"):
        TOY.subnet("toy-1", size=1)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((ROOT, JOIN), "layer join is add with 1 groups; give conv or linear"),
        ((Layer("half", Kind.CONV, 4, 4, groups=2),), "layer half is conv with 2 groups"),
        ((ROOT, ROOT), "a layer name occurs twice"),
    ],
)
def test_a_supernet_holds_only_weights_that_slice(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(SpaceError, match=f"SuperNet s: {message}"):
        SuperNet("s", layers, toy_build, toy_parse, ())


def test_an_unknown_space_names_the_known_ones() -> None:
    with pytest.raises(SpaceError, match=r"SuperNet resnet does not exist; give one of fashion, cifar, ofa-resnet50"):
        get_space("resnet")


@every_space
def test_every_layer_of_every_named_subnet_fits_its_supernet(space: str) -> None:
    supernet = get_space(space)
    for name in supernet.subnet_names():
        subnet = supernet.subnet(name)
        assert subnet.name == name and supernet.subnet(**dict(subnet.config)) == subnet
        used = [(layer, supernet.layer(layer.name)) for layer in subnet.weight_layers]
        whole_kernels = sum(a.weight_bytes // (a.R * a.S) * b.R * b.S for a, b in used)
        assert SubGraph.of(subnet, supernet).bytes(supernet) == whole_kernels >= subnet.weight_bytes
        order = [supernet.index(layer.name) for layer in subnet.weight_layers]
        assert len(set(order)) == len(order)


@every_space
def test_spaces_survive_pickling(space: str) -> None:
    supernet = get_space(space)
    copy = pickle.loads(pickle.dumps(supernet))
    (net,) = supernet.sample(1, seed=0)
    assert copy == supernet and pickle.loads(pickle.dumps(net)) == copy.subnet(net.name) == net


def test_a_scale_takes_one_factor_a_channel() -> None:
    pool = Layer("pool", Kind.POOL, 4, 4, H=8, W=8, inputs=("deep",))
    scale = Layer("scale", Kind.SCALE, 4, 4, H=8, W=8, inputs=("deep", "pool"))
    net = SubNet("squeezed", "toy", (ROOT, DEEP, pool, scale))
    assert net.graph().in_degree("scale") == 2
    for inputs in (("deep", "root"), ("pool", "deep")):
        wrong = Layer("scale", Kind.SCALE, 4, 4, H=8, W=8, inputs=inputs)
        with pytest.raises(SpaceError, match=r"layer scale reads C, H, W = \(4, (1, 1|8, 8)\), but (root|pool) makes"):
            SubNet("wrong", "toy", (ROOT, DEEP, pool, wrong))


def test_parameters_are_those_of_the_layers() -> None:
    trained = Layer("root", Kind.CONV, 4, 3, 3, 3, 8, 8, padding=1, inputs=(INPUT,), bias=True, batch_norm=True)
    assert SubNet("n", "toy", (trained, DEEP, JOIN)).parameters == (108 + 3 * 4) + 36


@pytest.mark.parametrize(
    ("count", "seed", "message"),
    [
        (0, 0, "sample of SuperNet fashion: count is 0; give 1..216"),
        (217, 0, "sample of SuperNet fashion: count is 217; give 1..216"),
        (1, -1, "sample of SuperNet fashion: seed is -1; give at least 0"),
    ],
)
def test_a_wrong_sample_is_refused(count: int, seed: int, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        get_space("fashion").sample(count, seed)
    with pytest.raises(SpaceError, match="SuperNet toy has no choices to sample from"):
        TOY.sample(1, 0)


def test_a_sample_of_all_is_all() -> None:
    fashion = get_space("fashion")
    assert {net.name for net in fashion.sample(216, seed=9)} == set(fashion.subnet_names())


# ------------------------------------------------------------------------------------ SubGraph


def test_subgraphs_by_hand() -> None:
    a, b = SubGraph("toy", ((4, 2), (3, 3))), SubGraph("toy", ((2, 3), (0, 2)))
    assert b.slices == ((2, 3), (0, 0))  # an empty slice has one spelling
    assert (a & b).slices == ((2, 2), (0, 0))
    assert a.bytes(TOY) == 4 * 2 * 9 + 3 * 9  # `deep` is depthwise
    assert a.contains(a & b) and not b.contains(a)
    assert a.encode().tolist() == [4, 2, 3, 3] and a.encode().dtype == np.int64
    assert a.only(TOY, Kind.LINEAR) == SubGraph.empty(TOY)
    assert SubGraph.full(TOY).bytes(TOY) == TOY.weight_bytes
    assert SubGraph.of(toy_build(1), TOY) == SubGraph.full(TOY)


@some_spaces
@properties
@given(data=st.data())
def test_intersection_is_the_greatest_common_part(space: str, data: st.DataObject) -> None:
    supernet = get_space(space)
    a, b, c = (data.draw(subgraphs(supernet)) for _ in range(3))
    assert a & b == b & a
    assert a & a == a
    assert (a & b) & c == a & (b & c)
    assert a & SubGraph.full(supernet) == a
    assert a & SubGraph.empty(supernet) == SubGraph.empty(supernet)
    assert a.contains(a & b) and b.contains(a & b)
    if a.contains(c) and b.contains(c):
        assert (a & b).contains(c)
    assert a.contains(b) == (a & b == b)


@some_spaces
@properties
@given(data=st.data())
def test_bytes_grow_with_the_subgraph(space: str, data: st.DataObject) -> None:
    supernet = get_space(space)
    a, b = data.draw(subgraphs(supernet)), data.draw(subgraphs(supernet))
    assert 0 <= (a & b).bytes(supernet) <= min(a.bytes(supernet), b.bytes(supernet))
    assert max(a.bytes(supernet), b.bytes(supernet)) <= SubGraph.full(supernet).bytes(supernet)
    parts = [a.only(supernet, kind) for kind in (Kind.CONV, Kind.LINEAR)]
    assert sum(part.bytes(supernet) for part in parts) == a.bytes(supernet)


@some_spaces
@properties
@given(data=st.data())
def test_decode_inverts_encode(space: str, data: st.DataObject) -> None:
    supernet = get_space(space)
    a = data.draw(subgraphs(supernet))
    vector = a.encode()
    assert vector.shape == (2 * len(supernet.layers),)
    assert SubGraph.decode(supernet, vector) == a
    assert np.array_equal(SubGraph.decode(supernet, vector.tolist()).encode(), vector)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([4, 3, 4], r"SubGraph vector has shape \(3,\); toy needs \(4,\)"),
        ([[4, 3], [4, 4]], r"SubGraph vector has shape \(2, 2\)"),
        ([4.0, 3.0, 4.0, 4.0], "SubGraph vector is of float64; give whole numbers"),
        ([4, 4, 4, 4], r"SubGraph: slice of layer root is \(4, 4\); toy has \(4, 3\)"),
        ([4, -1, 4, 4], r"SubGraph of toy: slice 0 is \(4, -1\); give K and C, whole numbers of at least 0"),
        ([4, 3, 4, 2], r"SubGraph: slice of depthwise layer deep is \(4, 2\); give K = C"),
    ],
)
def test_a_wrong_vector_is_refused(vector: list[Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SubGraph.decode(TOY, vector)


def test_subgraphs_of_different_supernets_do_not_mix() -> None:
    toy, other = SubGraph.full(TOY), SubGraph("other", ((4, 3), (4, 4)))
    for mix in (lambda: toy & other, lambda: toy.contains(other), lambda: other.bytes(TOY)):
        with pytest.raises(SpaceError, match=r"SubGraph is of SuperNet (other; give one of toy|toy; give .* other)"):
            mix()
    with pytest.raises(SpaceError, match=r"SubGraph has 1 slices; toy has 2 layers"):
        SubGraph("toy", ((4, 3),)).bytes(TOY)
    with pytest.raises(SpaceError, match=r"SubGraph has 1 slices; the other one has 2"):
        toy & SubGraph("toy", ((4, 3),))
    with pytest.raises(SpaceError, match=r"slice 0 is \(1.5, 2\); give K and C, whole numbers"):
        SubGraph("toy", ((1.5, 2),))  # type: ignore[arg-type]


def test_a_subnet_that_exceeds_its_supernet_is_refused() -> None:
    wide = SubNet("wide", "toy", (Layer("root", Kind.CONV, 5, 3, 3, 3, 8, 8, inputs=(INPUT,)),))
    with pytest.raises(SpaceError, match=r"SubNet wide: layer root has K = 5; toy has 4"):
        SubGraph.of(wide, TOY)
    tall = SubNet("tall", "toy", (Layer("root", Kind.CONV, 4, 3, 5, 3, 8, 8, inputs=(INPUT,)),))
    with pytest.raises(SpaceError, match=r"SubNet tall: layer root has R = 5; toy has 3"):
        SubGraph.of(tall, TOY)
    with pytest.raises(SpaceError, match=r"SubNet fashion-d111-w222 is of SuperNet fashion; give one of toy"):
        SubGraph.of(get_space("fashion").subnet("fashion-d111-w222"), TOY)
