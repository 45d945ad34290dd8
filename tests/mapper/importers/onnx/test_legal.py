"""Groups, additions, concatenations: what the machine has for them, against onnxruntime and by hand."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind
from mapper.importers import GRAPHS, NetworkError, read_onnx
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.search.policy import Policy, fit_for, map_network
from tests.mapper.importers.float_network import results
from tests.mapper.importers.onnx.nets import Graph, session
from tests.mapper.importers.onnx.test_curves import Qdq, differing
from tests.sim.integers.test_program_interpreter import Host

F = np.float32


def same(tmp_path, graph, y, shape=(1, 4, 6, 6)):
    """The network, whose results are onnxruntime's, and which a machine runs as one Program."""
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    x = np.random.default_rng(5).normal(0, 1, shape).astype(F)
    np.testing.assert_allclose(results(network, x)[y], session(path).run(None, {"x": x})[0], rtol=1e-4, atol=1e-4)
    for preset in ("tiny", "zcu104"):
        machine = Accelerator.load(preset)
        assert map_network(network.subnet, machine, policy=Policy.QUICK).cost.cycles > 0
    return network


def start(k=8):
    graph, rng = Graph((1, 4, 6, 6)), np.random.default_rng(1)
    return graph, rng, graph.conv("x", rng.normal(0, 1, (k, 4, 1, 1)), name="c")


@pytest.mark.parametrize(("groups", "k", "layers"), [(2, 8, ["g"]), (4, 64, 4), (2, 32, 2), (8, 16, ["g"])])
def test_groups(tmp_path, groups, k, layers):
    """Of 16 filters at least; what is one convolution keeps its name."""
    graph, rng, y = start()
    y = graph.conv(y, rng.normal(0, 1, (k, 8 // groups, 3, 3)), rng.normal(0, 1, k), name="g", pads=1, group=groups)
    y = graph.node("Relu", graph.node("BatchNormalization", y, *rng.uniform(0.5, 1, (4, k)).astype(F)))
    network = same(tmp_path, graph, graph.conv(y, rng.normal(0, 1, (3, k, 1, 1)), name="last"))
    convs = [layer for layer in network.subnet.layers if layer.kind.has_weights][1:-1]
    if isinstance(layers, list):
        assert [layer.name for layer in convs] == layers
    else:
        assert len(convs) == layers and network.subnet.layer("g").kind is Kind.CONCAT
    assert all(layer.groups == 1 and layer.activation == "relu" for layer in convs)
    assert network.model_macs == 36 * (32 + k * (8 // groups) * 9 + 3 * k)


def test_an_addition_of_two_pools_follows_a_copy(tmp_path):
    graph, _, y = start()
    pools = [graph.node("MaxPool", y, kernel_shape=[r, r], name=f"p{r}", pads=[r // 2] * 4) for r in (1, 3)]
    network = same(tmp_path, graph, graph.node("Relu", graph.node("Add", *pools, name="sum"), name="r"))
    assert [layer.name for layer in network.subnet.layers] == ["c", "p1", "p3", "sum_copy", "sum"]


def test_a_tensor_twice_and_the_image(tmp_path):
    """The image, and a tensor that is in the concatenation already, are copied to lie in it."""
    graph, rng, y = start()
    y = graph.node("Concat", y, "x", y, name="join", axis=1)
    network = same(tmp_path, graph, graph.conv(y, rng.normal(0, 1, (3, 20, 3, 3)), name="last"))
    join = network.subnet.layer("join")
    assert join.inputs == ("c", "join_copy", "join_copy_2") and join.K == 20
    assert network.subnet.layer("join_copy").inputs == (INPUT,)
    assert sum("is copied, to lie in it" in note for note in network.notes) == 2


def test_channels_that_lie_in_different_ways(tmp_path):
    """The sum of two concatenations with other borders: one is copied by a dense convolution."""
    graph, rng, y = start(5)
    z = graph.conv("x", rng.normal(0, 1, (7, 4, 1, 1)), name="d")
    y = graph.node("Add", graph.node("Concat", y, z, axis=1), graph.node("Concat", z, y, axis=1), name="sum")
    network = same(tmp_path, graph, graph.conv(y, rng.normal(0, 1, (3, 12, 1, 1)), name="last"))
    assert network.subnet.layer("sum_copy").groups == 1


def test_parts_of_channels(tmp_path):
    """Split and Slice; each part goes its own way, and they are joined in another order."""
    graph, rng, y = start()
    graph.nodes.append(graph.nodes[-1].__class__(op_type="Split", name="cut", input=[y], output=["a", "b"]))
    graph.nodes[-1].attribute.extend([graph_attribute("axis", 1)])
    a = graph.conv("a", rng.normal(0, 1, (4, 4, 3, 3)), name="wide", pads=1)
    part = graph.node("Slice", y, np.array([1]), np.array([-2]), np.array([1]), name="part")
    part = graph.conv(part, rng.normal(0, 1, (5, 5, 1, 1)), name="mid")
    y = graph.node("Concat", "b", a, part, axis=1, name="join")
    network = same(tmp_path, graph, graph.conv(y, rng.normal(0, 1, (3, 13, 1, 1)), name="last"))
    assert [layer.name for layer in network.subnet.layers if layer.kind is Kind.SLICE] == ["a", "b", "part_out"]


def graph_attribute(name, value):
    from onnx import helper

    return helper.make_attribute(name, value)


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "text"),
    [
        ("Concat", ["same"], {"axis": 2}, "it joins along axis 2; the machine joins channels"),
        ("Slice", [np.array([1]), np.array([3]), np.array([3])], {}, "it takes rows or columns"),
        ("Resize", [np.array([], F), np.array([1, 1, 2, 2], F)], {"mode": "nearest"}, ".* the machine cannot enlarge"),
        ("Transpose", [], {"perm": [0, 1, 3, 2]}, r"it turns axes as \[0, 1, 3, 2\]"),
        ("Div", ["same"], {}, "it divides by a tensor"),
    ],
)
def test_what_is_refused_in_the_middle(tmp_path, op, operands, attributes, text):
    graph, rng, y = start()
    operands = [y if isinstance(one, str) else one for one in operands]
    y = graph.node(op, y, *operands, name="n", **attributes)
    path = graph.save(tmp_path / "net.onnx", graph.conv(y, rng.normal(0, 1, (2, 8, 1, 1)), name="last"))
    with pytest.raises(NetworkError, match=rf'node "n" \({op}\): {text}'):
        read_onnx(path)


def unlike(graph, x, shape, zero, rng, name, kind=np.uint8, **attributes):
    """A convolution of 8-bit weights about any zero point, the ends among them; its result in steps of 1/2."""
    ends = np.iinfo(kind)
    steps = rng.integers(ends.min, ends.max + 1, shape).astype(kind)
    steps.flat[:2] = ends.min, ends.max
    weights = graph.node("DequantizeLinear", steps, F(1 / 256), kind(zero))
    return graph.real(graph.node("Conv", x, weights, name=name, **attributes), 1 / 2)


@pytest.mark.parametrize(
    ("kind", "zero", "groups", "parts"),
    [
        (np.uint8, 0, 1, 3),  # 255 is more than 127 + 127
        (np.uint8, 255, 1, 2),  # -255 is -128 - 127
        (np.uint8, 119, 1, 2),
        (np.int8, -1, 1, 2),
        (np.int8, 7, 4, 2),  # each channel by itself
        (np.uint8, 100, 2, 2),
        (np.uint8, 128, 1, 1),
        (np.int8, 0, 4, 1),
    ],
)
def test_weights_that_leave_int8_about_their_zero_point(tmp_path, kind, zero, groups, parts):
    """They are sums of int8 weights on copies of the input: integers, and Programs, are those of the file."""
    rng, graph = np.random.default_rng(zero % 256), Qdq(shape=(1, 4, 6, 6))
    x = graph.real(graph.pointwise(graph.real("x", 1 / 16, 3), rng, 4, 4, "c"), 1 / 8, -5)
    y = unlike(graph, x, (4, 4 // groups, 3, 3), zero, rng, "u", kind, group=groups, pads=[1] * 4)
    path = graph.save(tmp_path / "net.onnx", graph.real(graph.pointwise(y, rng, 5, 4, "last"), 1 / 2))
    network = read_onnx(path)
    layer = network.subnet.layer("u")
    assert parts == layer.C // 4 and network.weights["u"].dtype == np.int8
    assert any(f"run as {parts} of int8" in note for note in network.notes) is (parts > 1)
    assert GRAPHS[0] in network.bit_exact and differing(network, path) == 0
    machine = Accelerator.load("tiny").replace(dram={"bytes": 1 << 20})
    fitted = network.fitted(machine, fit_for(network.subnet, machine))
    places = MemoryMap.build(fitted.supernet, [fitted.subnet], machine)
    program = compile_subnet(fitted.subnet, fitted.supernet, machine, fitted.quant, places)
    Host(places, fitted.weights, seed=1).run(program, fitted.subnet, fitted.quant)


def test_unlike_weights_of_the_image_and_of_two_readers(tmp_path):
    """The copies of a tensor are made once for all that read it; the image is copied, too."""
    rng, graph = np.random.default_rng(4), Qdq(shape=(1, 4, 6, 6))
    x = graph.real("x", 1 / 16)
    a, b = (unlike(graph, x, (4, 4, 1, 1), 99, rng, name) for name in "ab")
    path = graph.save(tmp_path / "net.onnx", graph.real(graph.node("Add", a, b, name="sum"), 1 / 2))
    network = read_onnx(path)
    copies = [layer for layer in network.subnet.layers if layer.inputs == (INPUT,)]
    assert [layer.K for layer in copies] == [4, 4] and network.subnet.layer("a").inputs == ("a_in",)
    assert network.subnet.layer("b").inputs == ("a_in",) and differing(network, path) == 0
