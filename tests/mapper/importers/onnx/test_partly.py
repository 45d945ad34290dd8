"""int8 models with parts that have no integers here, or not onnxruntime's: layers all the same, and a note."""

import numpy as np
import pytest

from arch_model.network.layer import INPUT
from arch_model.network.weights import MaxPoolQuant
from mapper.importers import GRAPHS, NetworkError, read_onnx
from sim.integers.reference import run_layers
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32


class QdqGraph(Graph):
    """Every tensor of scale 1/8 and zero point 0, in int8."""

    def real(self, x):
        """A tensor through QuantizeLinear and DequantizeLinear."""
        return self.node("DequantizeLinear", self.stored(x), F(1 / 8), np.int8(0))

    def stored(self, x):
        return self.node("QuantizeLinear", x, F(1 / 8), np.int8(0))

    def weights(self, steps, scale=0.5, zero=None, **attributes):
        zero = np.int8(0) if zero is None else zero
        steps = steps if isinstance(steps, str) else np.asarray(steps)
        return self.node("DequantizeLinear", steps, F(scale), zero, **attributes)


def start(steps=None, bias=(), **weights):
    """Image and a 1 x 1 convolution of 2 channels in a QdqGraph, before its QuantizeLinear."""
    graph = QdqGraph((1, 2, 6, 6))
    steps = np.full((2, 2, 1, 1), 3, np.int8) if steps is None else steps
    return graph, graph.node("Conv", graph.real("x"), graph.weights(steps, **weights), *bias, name="c")


def read(tmp_path, graph, end, **options):
    return read_onnx(graph.save(tmp_path / "net.onnx", end), **options)


def test_a_maximum_keeps_its_scale(tmp_path):
    """And the values, in whatever arithmetic: its integers are proven."""
    graph, y = start()
    y = graph.node("MaxPool", graph.real(y), name="max", kernel_shape=[2, 2], strides=[2, 2])
    network = read(tmp_path, graph, graph.real(y))
    assert [str(layer.kind) for layer in network.subnet.layers] == ["conv", "maxpool"]
    assert network.quant["max"] == MaxPoolQuant() and network.tensors["max"] == network.tensors["c"]
    assert network.runnable and network.notes == () and network.bit_exact == GRAPHS


def test_pools_beyond_the_tensor_are_onnxruntimes(tmp_path):
    """3 x 3 with padding, 2 x 2 up to the end of 5 pixels: the maxima are the same, averages at most a step away."""
    graph = QdqGraph((1, 2, 9, 9))
    y = graph.node("MaxPool", graph.real("x"), name="max", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    y = graph.node("AveragePool", graph.real(y), name="edge", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    end = graph.real(y)
    y = graph.node("AveragePool", end, name="last", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    network = read(tmp_path, graph, graph.real(y))
    assert [(layer.P, layer.Q) for layer in network.subnet.layers] == [(5, 5), (5, 5), (3, 3)]
    assert network.runnable and network.bit_exact == ()
    assert network.unproven[GRAPHS[0]] == dict.fromkeys(
        ("edge", "last"), "the arithmetic of onnxruntime's operator is not known"
    )
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.normal(0, 8, (1, 2, 9, 9)).astype(F)
        made = run_layers(network.subnet.layers, {}, network.quant, network.tensors[INPUT].quantize(x[0]))
        theirs = session(tmp_path / "net.onnx").run(None, {"x": x})[0][0]
        assert np.abs(network.tensors["last"].dequantize(made["last"]) - theirs).max() <= network.tensors["last"].scale
        assert len(np.unique(made["last"])) > 9


@pytest.mark.parametrize("form", ["QDQ", "QLinear"])
def test_a_product_of_two_tensors_is_near_the_exact_one(tmp_path, form):
    """x * x of int8 in steps of 1/8, as steps of 1/2: onnxruntime rounds once, here the factors are rounded, too.

    A factor, up to 128 / 32 steps of the result, is rounded to 1 / 2**4 of one: half of x / 2**4 at most is lost.
    """
    if form == "QDQ":
        graph = QdqGraph((1, 2, 6, 6))
        x = graph.real("x")
        y = graph.node("Mul", x, graph.node("MaxPool", x, name="max", kernel_shape=[1, 1]), name="m")
        y = graph.node("DequantizeLinear", graph.node("QuantizeLinear", y, F(0.5), np.int8(0)), F(0.5), np.int8(0))
        network = read(tmp_path, graph, y)
    else:
        graph, zero = Graph((1, 2, 6, 6), np.int8), np.int8(0)
        operands = "x", F(1 / 8), zero, "x", F(1 / 8), zero, F(0.5), zero
        y = graph.node("QLinearMul", *operands, name="m", domain="com.microsoft")
        network = read_onnx(graph.save(tmp_path / "net.onnx", y, dtype=np.int8))
    layer = network.subnet.layers[-1]
    assert str(layer.kind) == "mul" and network.runnable and network.bit_exact == ()
    q = network.quant["m"]
    assert (q.shift, q.m_f / 2**q.shift_f) == (4, 0.5)
    pairs = network.wrong_steps["m"]
    text = f"{pairs} pairs of operands come elsewhere than in the exact product, by at most 4"
    assert network.unproven[GRAPHS[0]]["m"] == network.unproven[GRAPHS[1]]["m"] == text
    rng = np.random.default_rng(0)
    image = rng.integers(-128, 128, (2, 6, 6)).astype(np.int8)
    made = run_layers(network.subnet.layers, {}, network.quant, image)["m"]
    runtime = session(tmp_path / "net.onnx")
    if form == "QDQ":
        theirs = runtime.run(None, {"x": network.tensors[INPUT].dequantize(image)[None]})[0][0]
        theirs = network.tensors["m"].quantize(theirs)
    else:
        theirs = runtime.run(None, {"x": image[None]})[0][0]
    assert np.all(np.abs(made.astype(int) - theirs) <= np.abs(image.astype(int)) / 2**5 + 1)
    assert len(np.unique(theirs)) > 20


def test_a_float_bias_is_rounded_and_said(tmp_path):
    """0.2 / (1/8 * 0.5) = 3.2 steps."""
    graph, y = start(bias=[np.array([0.2, -0.2], F)])
    network = read(tmp_path, graph, graph.real(y))
    assert network.quant["c"].bias.tolist() == [3, -3]
    assert "layer c: its bias is rounded to whole steps in 2 of 2 channels" in network.notes
    assert network.runnable and not network.bit_exact
    graph, y = start(np.full((2, 2, 1, 1), 3, np.int8), scale=0.3, bias=[np.array([0.2, -0.2], F)])
    text = "its bias is rounded to whole steps, and its float32 sums may round"
    assert read(tmp_path, graph, graph.real(y)).unproven[GRAPHS[0]]["c"] == text


def test_int8_qdq_is_claimed_only_where_float32_agrees_too(tmp_path):
    """onnxruntime fuses int8 convolutions on some CPUs and with an option: powers of two are the same either way."""
    graph, y = start()
    assert read(tmp_path, graph, graph.real(y)).bit_exact == GRAPHS
    graph, y = start(scale=0.3)
    network = read(tmp_path, graph, graph.real(y))
    assert network.runnable and network.bit_exact == ()


def test_weights_of_every_form(tmp_path):
    """uint8 about 128, one scale a channel, and floats behind a QuantizeLinear: the same steps."""
    steps = np.array([[3, -5], [127, -128]], np.int8).reshape(2, 2, 1, 1)
    forms = []
    graph, y = start((steps.astype(np.int16) + 128).astype(np.uint8), zero=np.uint8(128))
    forms.append((graph, y))
    graph, y = start(steps, scale=np.array([0.5, 0.25], F), zero=np.zeros(2, np.int8), axis=0)
    forms.append((graph, y))
    graph = QdqGraph((1, 2, 6, 6))
    quantised = graph.node("QuantizeLinear", steps.astype(F) * F(0.5), F(0.5), np.int8(0))
    forms.append((graph, graph.node("Conv", graph.real("x"), graph.weights(quantised), name="c")))
    found = [read(tmp_path, graph, graph.real(y)) for graph, y in forms]
    assert all(np.array_equal(network.weights["c"], steps) for network in found)
    scales = [network.quant["c"].multiplier / 2.0 ** network.quant["c"].shift for network in found]
    assert [scale.tolist() for scale in scales] == [[0.5, 0.5], [0.5, 0.25], [0.5, 0.5]]


def other_scale():
    graph, y = start()
    return graph, graph.node("DequantizeLinear", graph.stored(y), F(0.3), np.int8(0), name="again")


def int16_tensor():
    graph, y = start()
    return graph, graph.node("QuantizeLinear", y, F(1), np.int16(0), name="wide")


def relu_on_int8():
    graph, y = start()
    return graph, graph.node("Relu", graph.stored(y), name="relu")


def norm_after_int8_weights():
    graph, y = start()
    parameters = [np.ones(2, F)] * 4
    return graph, graph.real(graph.node("BatchNormalization", y, *parameters, name="bn"))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (other_scale, 'node "again" (DequantizeLinear): its scale or zero point is not that of the tensor'),
        (int16_tensor, 'node "wide" (QuantizeLinear): its operands or attributes do not fit each other (y_zero_point'),
        (relu_on_int8, 'node "relu" (Relu): its operand "'),
        (norm_after_int8_weights, 'node "bn" (BatchNormalization): layer c cannot take it in'),
        (
            lambda: start(scale=np.ones(2, F), zero=np.zeros(2, np.int8), axis=1),
            "have scales along axis 1",
        ),
        (
            lambda: start(scale=np.ones(3, F), zero=np.zeros(3, np.int8), axis=0),
            "has shape (2, 2, 1, 1) and 3 scales along axis 0",
        ),
    ],
)
def test_what_cannot_be_read(tmp_path, made, text):
    graph, y = made()
    with pytest.raises(NetworkError) as caught:
        read(tmp_path, graph, y)
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_skip_in_an_int8_graph(tmp_path):
    """A Softmax between two int8 tensors of different scales: left out, and the rest keeps its integers."""
    graph, y = start()
    y = graph.node("Softmax", graph.real(y), name="softmax", axis=1)
    y = graph.node("QuantizeLinear", y, F(1 / 256), np.int8(-128))
    y = graph.node("DequantizeLinear", y, F(1 / 256), np.int8(-128))
    y = graph.node("Conv", y, graph.weights(np.ones((2, 2, 1, 1), np.int8)), name="d")
    network = read(tmp_path, graph, graph.real(y), skip_unsupported=True)
    assert network.subnet.layer("d").inputs == ("c",) and network.quant["d"].z_in == -128
    assert set(network.quant) == {"c", "d"} and not network.runnable
