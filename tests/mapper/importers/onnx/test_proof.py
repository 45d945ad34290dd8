"""What is claimed of a quantised file: which graph of onnxruntime's has these integers, and what a claim rests on."""

from math import ldexp

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from mapper.importers import GRAPHS, NetworkError, read_onnx
from mapper.importers.onnx.graph import _HANDLERS
from mapper.importers.onnx.model import load_model
from mapper.importers.onnx.proof import Arithmetic, _parts, arithmetic
from mapper.importers.onnx.walk import Walk
from sim.integers.reference import run_layers
from tests.mapper.importers.onnx.nets import Graph

F = np.float32
OFF, ON = GRAPHS


@given(mantissa=st.integers(1, 2**24 - 1), exponent=st.integers(-120, 60))
def test_parts(mantissa, exponent):
    odd, power = _parts(F(ldexp(mantissa, exponent)))
    assert odd % 2 == 1 and ldexp(odd, power) == ldexp(mantissa, exponent)


class Qdq(Graph):
    """uint8 (or int8) tensors; the scale of each is given."""

    def __init__(self, kind=np.uint8, shape=(1, 2, 6, 6)):
        super().__init__(shape)
        self.kind, self.middle = kind, np.array(128 if kind == np.uint8 else 0, kind)

    def real(self, x, scale, zero=None):
        return self.node("DequantizeLinear", self.stored(x, scale, zero), F(scale), self.zero(zero))

    def stored(self, x, scale, zero=None):
        return self.node("QuantizeLinear", x, F(scale), self.zero(zero))

    def zero(self, value):
        return self.middle if value is None else np.array(value, self.kind)

    def product(self, x, scale=0.5, bias=None, steps=None, name="c"):
        """A 1 x 1 convolution; ``bias`` is the name of a real one or an array."""
        steps = np.array([[3, -5], [60, 7]], np.int8).reshape(2, 2, 1, 1) if steps is None else steps
        w = self.node("DequantizeLinear", steps, F(scale), np.int8(0))
        return self.node("Conv", x, w, *([] if bias is None else [bias]), name=name)


def chain(kind=np.uint8, x=0.125, w=0.5, y=0.25, bias=None, after=None, zero=None):
    """Image - convolution - perhaps a node - result, with these scales."""
    graph = Qdq(kind)
    result = graph.product(graph.real("x", x), w, bias(graph) if bias else None)
    result = after(graph, result) if after else result
    return graph, graph.stored(result, y, zero)


def read(tmp_path, graph, end, kind=np.uint8):
    return read_onnx(graph.save(tmp_path / "net.onnx", end, dtype=kind))


def levels(path, graph, images):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, graph)
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    runtime = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [runtime.run(None, {"x": image})[0] for image in images]


def check_claims(tmp_path, network, path, count=40):
    """Every graph that is claimed has our integers on random images; the least steps of the others are near."""
    rng, meaning = np.random.default_rng(0), network.tensors["input"]
    images = [rng.integers(-128, 128, (2, 6, 6)).astype(np.int8) for _ in range(count)]
    last = network.subnet.layers[-1].name
    for graph in network.bit_exact:
        found = levels(path, graph, [meaning.dequantize(image)[None] for image in images])
        for image, theirs in zip(images, found, strict=True):
            made = run_layers(network.subnet.layers, network.weights, network.quant, image)[last]
            assert np.array_equal(network.tensors[last].to_stored(made), theirs.reshape(made.shape)), graph


def int32(unit, *steps, zero=0, kind=np.int32):
    def bias(graph):
        return graph.node("DequantizeLinear", np.array(steps, kind), F(unit), kind(zero))

    return bias


@pytest.mark.parametrize(
    ("made", "claimed"),
    [
        ({}, GRAPHS),  # powers of two: float32 rounds nowhere
        ({"kind": np.int8}, GRAPHS),
        ({"x": 0.375, "w": 0.625}, GRAPHS),  # few bits
        ({"x": 0.0871, "w": 0.0133, "y": 0.25}, (ON,)),  # the integer operator alone is proven
        ({"x": 0.0871, "w": 0.0133, "y": 0.25, "kind": np.int8}, ()),  # int8 is fused by an option only
        ({"bias": int32(1 / 16, 3, -4)}, GRAPHS),  # the scale of the product
        ({"bias": int32(1 / 2, 3, -4)}, (OFF,)),  # one of its own: some versions disregard it
        ({"bias": int32(1 / 2, 3, -4, kind=np.int8)}, GRAPHS),  # no int32: never fused, so float32 in both
        ({"bias": int32(1 / 32, 3, -4)}, ()),  # 1.5 steps
        ({"bias": lambda graph: np.array([0.25, -1], F)}, GRAPHS),  # a real one of whole steps
        ({"bias": lambda graph: np.array([0.3, -1], F)}, ()),
        ({"after": lambda g, y: g.node("Relu", y), "zero": 0}, GRAPHS),
        ({"after": lambda g, y: g.node("Relu", y), "zero": 0, "x": 0.0871, "w": 0.0133}, (ON,)),  # redundant: fused
        ({"after": lambda g, y: g.node("Relu", y), "zero": 7, "x": 0.0871, "w": 0.0133}, ()),  # a float FusedConv
        ({"after": lambda g, y: g.node("Relu", y), "zero": 7}, GRAPHS),
    ],
)
def test_which_graph_is_claimed(tmp_path, made, claimed):
    graph, end = chain(**made)
    network = read(tmp_path, graph, end, made.get("kind", np.uint8))
    assert network.runnable and network.bit_exact == claimed
    assert set(network.unproven) == set(GRAPHS)
    for name in set(GRAPHS) - set(claimed):
        assert set(network.unproven[name]) == {"c"} and network.unproven[name]["c"]
    check_claims(tmp_path, network, tmp_path / "net.onnx")


def test_a_bias_of_its_own_scale_is_rescaled(tmp_path):
    """Scale 1/2 where a step of the sum is 1/8 * 1/2: eight times as many steps; zero point and axis with it."""
    for kind in (np.int8, np.uint8, np.int32):
        graph, end = chain(bias=int32(1 / 2, 3, 100, kind=kind))
        assert read(tmp_path, graph, end).quant["c"].bias.tolist() == [24, 800]
    graph, end = chain(bias=int32(1 / 2, 3, 100, zero=1, kind=np.int8))
    assert read(tmp_path, graph, end).quant["c"].bias.tolist() == [16, 792]
    graph, end = chain(
        bias=lambda g: g.node("DequantizeLinear", np.int8([3, 100]), F([0.5, 0.25]), np.int8([0, 0]), axis=0)
    )
    assert read(tmp_path, graph, end).quant["c"].bias.tolist() == [24, 400]
    graph, end = chain(bias=int32(1 / 32, 3, 2))
    network = read(tmp_path, graph, end)
    assert network.quant["c"].bias.tolist() == [2, 1] and not network.bit_exact
    assert network.notes[0] == "layer c: its bias is rounded to whole steps in 1 of 2 channels"


def test_a_scale_that_is_the_product_but_for_its_rounding(tmp_path):
    """0.1 * 0.3 one float32 away from the product: still the product's steps, and not claimed of float32."""
    unit = np.nextafter(F(0.1) * F(0.3), F(1))
    graph, end = chain(x=0.1, w=0.3, bias=int32(unit, 7, -9))
    network = read(tmp_path, graph, end)
    assert network.quant["c"].bias.tolist() == [7, -9] and OFF not in network.bit_exact


def test_sums_beyond_24_bits(tmp_path):
    """1,040 channels of 127 * 127: 2**24 and a bit. Scales of powers of two do not help any more."""
    for channels, claimed in ((1020, GRAPHS), (1060, ())):
        graph = Qdq(np.int8, (1, channels, 1, 1))
        real = graph.real("x", 0.125)
        w = graph.node("DequantizeLinear", np.full((1, channels, 1, 1), 127, np.int8), F(2**-12), np.int8(0))
        end = graph.stored(graph.node("Conv", real, w, name="c"), 0.5)
        network = read(tmp_path, graph, end, np.int8)
        assert network.bit_exact == claimed
        if not claimed:
            assert network.unproven[OFF]["c"] == "its float32 sums may round"


@pytest.mark.parametrize("zero", [126, 127, 128])
def test_additions_are_tried_on_all_pairs(tmp_path, zero):
    """1/2 of each: the integer operator rounds with the zero point added, so an odd one turns its ties."""
    graph = Qdq()
    x = graph.real("x", 0.125)
    a, b = (graph.real(graph.product(x, 0.5, name=name), 0.5) for name in ("a", "b"))
    end = graph.stored(graph.node("Add", a, b, name="sum"), 1.0, zero)
    network = read(tmp_path, graph, end)
    assert network.bit_exact == (GRAPHS if zero % 2 == 0 else (OFF,))
    check_claims(tmp_path, network, tmp_path / "net.onnx")


@pytest.mark.parametrize("scale", [0.5, 0.1, 0.3])
def test_an_addition_of_all_pairs_is_claimed_where_it_is_right(tmp_path, scale):
    """(a + b) / 2: 0.1 and 0.3 are no float32, so some ties are none there; every pair of operands, in one image."""
    graph = Qdq(np.int8, (1, 1, 256, 256))
    x = graph.stored("x", scale)
    real = [graph.node("DequantizeLinear", x, F(scale), graph.zero(None)) for _ in range(2)]
    turned = graph.node("Transpose", real[1], perm=[0, 1, 3, 2])
    path = graph.save(
        tmp_path / "all.onnx", graph.stored(graph.node("Add", real[0], turned), 2 * F(scale)), dtype=np.int8
    )
    rows = np.broadcast_to(np.arange(-128, 128).astype(np.int8)[:, None], (1, 1, 256, 256))
    (theirs,) = levels(path, OFF, [rows * F(scale)])
    total = rows.astype(int) + rows.astype(int).transpose(0, 1, 3, 2)
    right = np.array_equal(theirs, np.rint(total / 2))  # half to even, as the machine rounds
    graph = Qdq(np.int8)
    a, b = (graph.real(graph.product(graph.real("x", 0.125), name=name), scale) for name in ("a", "b"))
    network = read(tmp_path, graph, graph.stored(graph.node("Add", a, b, name="sum"), 2 * F(scale)), np.int8)
    q = network.quant["sum"]
    assert q.m_a == q.m_b and q.m_a * 2 == 1 << q.shift
    assert ("sum" not in network.unproven[OFF]) == right


@pytest.mark.parametrize(("size", "claimed"), [(4, GRAPHS), (6, None)])
def test_averages(tmp_path, size, claimed):
    """16 pixels divide exactly, 36 do not: then both a division and a product with 1/36 must agree with ours."""
    graph = Qdq(shape=(1, 2, size, size))
    x = graph.real("x", 0.125)
    end = graph.stored(graph.node("GlobalAveragePool", x, name="p"), 0.125)
    network = read(tmp_path, graph, end)
    assert network.runnable and (claimed is None or network.bit_exact == claimed)
    rng = np.random.default_rng(0)
    images = [rng.integers(-128, 128, (2, size, size)).astype(np.int8) for _ in range(300)]
    for name in network.bit_exact:
        real = [network.tensors["input"].dequantize(image)[None] for image in images]
        for image, theirs in zip(images, levels(tmp_path / "net.onnx", name, real), strict=True):
            made = run_layers(network.subnet.layers, network.weights, network.quant, image)["p"]
            assert np.array_equal(network.tensors["p"].to_stored(made), theirs.reshape(made.shape))


def test_an_average_pool_over_the_image_is_claimed_of_float32_only(tmp_path):
    graph = Qdq(shape=(1, 2, 4, 4))
    end = graph.stored(graph.node("AveragePool", graph.real("x", 0.125), kernel_shape=[4, 4], name="p"), 0.125)
    assert read(tmp_path, graph, end).bit_exact == (OFF,)
    graph = Graph((1, 2, 4, 4), np.uint8)
    rest = [F(1), np.uint8(0)] * 2
    y = graph.node("QLinearAveragePool", "x", *rest, name="p", domain="com.microsoft", kernel_shape=[4, 4])
    network = read(tmp_path, graph, y)
    assert network.runnable and network.bit_exact == ()
    assert network.unproven[OFF]["p"] == "the arithmetic of onnxruntime's operator is not known"


def operators(path, folder):
    """What the default optimisations leave of a file."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(folder / "optimised.onnx"), 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return {node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node}


def twice_read(graph, y):
    graph.stored(y, 0.25)
    return y


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({}, Arithmetic.INTEGER),
        ({"bias": int32(1 / 16, 3, -4)}, Arithmetic.INTEGER),
        ({"bias": int32(1 / 2, 3, -4)}, Arithmetic.EITHER),
        ({"bias": int32(1 / 16, 3, -4, kind=np.int8)}, Arithmetic.FLOAT),
        ({"bias": lambda graph: np.array([0.25, -1], F)}, Arithmetic.EITHER),
        ({"after": lambda g, y: g.node("Relu", y), "zero": 0}, Arithmetic.INTEGER),
        ({"after": lambda g, y: g.node("Relu", y), "zero": 1}, Arithmetic.FLOAT),
        ({"after": lambda g, y: g.node("Clip", y, F(0), F(64)), "zero": 0}, Arithmetic.INTEGER),
        ({"after": lambda g, y: g.node("Clip", y, F(0), F(63)), "zero": 0}, Arithmetic.EITHER),
        ({"after": twice_read}, Arithmetic.EITHER),
        ({"kind": np.int8}, Arithmetic.EITHER),
    ],
)
def test_what_the_optimisations_make_of_a_convolution(tmp_path, made, expected):
    """By onnxruntime itself: where INTEGER is said its optimised graph has a QLinearConv, where FLOAT none."""
    graph, end = chain(**made)
    path = graph.save(tmp_path / "net.onnx", end, dtype=made.get("kind", np.uint8))
    walk = Walk(load_model(path), _HANDLERS, False)
    for node in walk.model.nodes:
        walk.visit(node)
    assert arithmetic(walk.model, walk.operators[0]) is expected
    if expected in (Arithmetic.INTEGER, Arithmetic.FLOAT):
        assert ("QLinearConv" in operators(path, tmp_path)) == (expected is Arithmetic.INTEGER)


def test_forms_that_are_not_known_are_not_claimed(tmp_path):
    """Without zero points, or behind onnxruntime's own DequantizeLinear: nothing is said of the optimised graph."""
    graph = Graph((1, 2, 6, 6))
    x = graph.node("QuantizeLinear", "x", F(0.125), np.uint8(128))
    x = graph.node("DequantizeLinear", x, F(0.125), np.uint8(128), domain="com.microsoft")
    w = graph.node("DequantizeLinear", np.full((2, 2, 1, 1), 3, np.int8), F(0.5), np.int8(0))
    end = graph.node("QuantizeLinear", graph.node("Conv", x, w, name="c"), F(0.25), np.uint8(128))
    network = read(tmp_path, graph, end)
    assert network.bit_exact == (OFF,)
    assert network.unproven[ON]["c"] == "what onnxruntime's optimisations make of its form is not known"


def without_zero_points(kind, wanted):
    """Operator set 21: output_dtype says the type."""
    graph = Graph((1, 2, 6, 6))
    x = graph.node("DequantizeLinear", graph.node("QuantizeLinear", "x", F(0.125), output_dtype=wanted), F(0.125))
    w = graph.node("DequantizeLinear", np.full((2, 2, 1, 1), 3, np.int8), F(0.5))
    y = graph.node("QuantizeLinear", graph.node("Conv", x, w, name="c"), F(0.25), output_dtype=wanted)
    return graph, graph.node("DequantizeLinear", y, F(0.25))


@pytest.mark.parametrize(
    ("kind", "wanted"), [(np.int8, TensorProto.INT8), (np.uint8, TensorProto.UINT8), (np.uint8, 0)]
)
def test_output_dtype(tmp_path, kind, wanted):
    """0 and no zero point are uint8; the DequantizeLinear after it has the type that it reads."""
    graph, y = without_zero_points(kind, wanted)
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y, opset=21))
    assert network.tensors["c"].offset == (128 if kind == np.uint8 else 0)
    assert network.bit_exact[:1] == (OFF,)
    rng = np.random.default_rng(0)
    for _ in range(10):
        image = rng.normal(0, 10, (1, 2, 6, 6)).astype(F)
        made = run_layers(
            network.subnet.layers, network.weights, network.quant, network.tensors["input"].quantize(image[0])
        )
        assert np.array_equal(network.tensors["c"].dequantize(made["c"]), levels(path, OFF, [image])[0][0])


NATIVE = [F(1), np.int8(0), np.full((2, 2, 1, 1), 3, np.int8), F(1), np.int8(0), F(1), np.int8(0)]
ADDED = [F(1), np.int8(0), "x", F(1), np.int8(0), F(1), np.int8(0)]


@pytest.mark.parametrize(
    ("image", "op", "operands", "attributes", "text"),
    [
        (F, "QuantizeLinear", [F(1)], {"output_dtype": TensorProto.INT16}, "output_dtype is INT16; give INT8 or UINT8"),
        (F, "QuantizeLinear", [F(1), np.int8(0)], {"output_dtype": TensorProto.UINT8}, ""),
        (np.uint8, "DequantizeLinear", [F(1), np.int8(0)], {}, ""),
        (np.uint8, "QLinearConv", NATIVE, {}, ""),
        (
            np.uint8,
            "QLinearAdd",
            ADDED,
            {"domain": "com.microsoft"},
            "its zero point is not of the image's type, uint8",
        ),
        (F, "QLinearConv", NATIVE, {}, ""),
        (np.int8, "QLinearConv", [*NATIVE, np.ones(2, F)], {}, ""),
        (
            np.uint8,
            "Pad",
            [np.array([0, 0, 1, 1, 0, 0, 1, 1])],
            {},
            "an int8 tensor whose zero point is not known there",
        ),
    ],
)
def test_types_that_contradict_each_other(tmp_path, image, op, operands, attributes, text):
    graph = Graph((1, 2, 6, 6), image)
    path = graph.save(
        tmp_path / "net.onnx",
        graph.node(op, "x", *operands, name="n", **attributes),
        opset=None if "domain" in attributes else 21,
    )
    with pytest.raises(NetworkError, match=r'node "n"') as caught:
        read_onnx(path)
    assert text in str(caught.value)


def test_json_and_table_name_the_graph(tmp_path, capsys):
    import json

    import fastswitch

    graph, end = chain(x=0.0871, w=0.0133)
    path = graph.save(tmp_path / "net.onnx", end, dtype=np.uint8)
    with pytest.raises(SystemExit):
        fastswitch.main(["import", str(path), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["bit_exact"] == [ON] and said["unproven"][OFF]["c"] == "its float32 sums may round"
    with pytest.raises(SystemExit):
        fastswitch.main(["import", str(path)])
    text = capsys.readouterr()
    assert "bit_exact" in text.out.replace(" ", "_") and ON in text.out and OFF not in text.out
    assert f"not proven of {OFF}: layer c: its float32 sums may round" in text.err


@pytest.mark.parametrize(
    ("bounds", "exact"),
    [((0.0, 3.0), True), ((-1e9, 1e9), True), ((-100.0, 3.0), True), ((0.0, 3.3), False), ((-2.2, 3.0), False)],
)
def test_a_clip_between_two_steps_is_claimed_only_if_a_quantiser_rounds_it(tmp_path, bounds, exact):
    for again in (True, False):
        graph = Qdq()
        x = graph.real(graph.product(graph.real("x", 0.125), name="first"), 0.25)
        x = graph.node("Clip", x, *(F(bound) for bound in bounds))
        x = graph.real(x, 0.25) if again else x
        network = read(tmp_path, graph, graph.stored(graph.product(x), 0.5))
        assert network.runnable == (exact or again)
        assert (OFF in network.bit_exact) == (exact or again)
        if network.runnable:
            check_claims(tmp_path, network, tmp_path / "net.onnx", 10)
        else:
            assert "bounds its int8 result between two steps" in " ".join(network.notes)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_a_scale_of_another_type_is_refused(tmp_path, kind):
    graph = Qdq()
    x = graph.node("DequantizeLinear", graph.stored("x", 0.125), kind(0.125), graph.zero(None))
    path = graph.save(tmp_path / "net.onnx", graph.stored(graph.product(x), 0.5), dtype=np.uint8, opset=21)
    with pytest.raises(NetworkError, match=r"type float16; give float32|unsupported type: tensor\(double\)"):
        read_onnx(path)


@pytest.mark.parametrize("shape", [(1, 2), (1,), (), (2, 1)])
def test_the_bias_of_an_integer_convolution_is_not_broadcast(tmp_path, shape):
    graph = Graph((1, 2, 6, 6), np.int8)
    path = graph.save(tmp_path / "net.onnx", graph.node("QLinearConv", "x", *NATIVE, np.ones(shape, np.int32)))
    with pytest.raises(NetworkError, match=r"its bias is .* for 2 channels; give \(2,\)"):
        read_onnx(path)
