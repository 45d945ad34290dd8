"""Functions of one int8 tensor as tables: by hand, and random ones against onnxruntime."""

import numpy as np
import onnxruntime
import pytest

from arch_model.network.layer import INPUT
from mapper.importers import GRAPHS, NetworkError, read_onnx
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.ops import EVERY, Value, curve_of
from sim.integers.reference import run_layers
from tests.mapper.importers.onnx.nets import Graph

F = np.float32
UNARY = ("Relu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Abs", "Neg", "Softplus", "Erf")


class Qdq(Graph):
    """Tensors of int8 or uint8 between QuantizeLinear and DequantizeLinear."""

    def __init__(self, kind=np.int8, shape=(1, 3, 16, 16)):
        super().__init__(shape)
        self.kind = kind

    def real(self, x, scale, zero=0):
        zero = self.kind(zero + (128 if self.kind is np.uint8 else 0))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, F(scale), zero), F(scale), zero)

    def pointwise(self, x, rng, k, c, name):
        weights = self.node(
            "DequantizeLinear", rng.integers(-60, 61, (k, c, 1, 1)).astype(np.int8), F(1 / 64), np.int8(0)
        )
        return self.node("Conv", x, weights, name=name)


def read(tmp_path, graph, *ends):
    return read_onnx(graph.save(tmp_path / "net.onnx", *ends))


def differing(network, path, seed=0, count=4):
    """Values of the result that are not those of onnxruntime's unoptimised graph, on random images."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, GRAPHS[0])
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    runtime = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    layers, rng = network.subnet.layers, np.random.default_rng(seed)
    image, result = network.tensors[INPUT], network.tensors[layers[-1].name]
    shape = (layers[0].C, layers[0].H, layers[0].W)
    wrong = 0
    for number in range(count):
        x = rng.integers(-128, 128, shape).astype(np.int8)
        x.flat[:256] = EVERY[: x.size]
        theirs = runtime.run(None, {"x": image.dequantize(x)[None]})[0].ravel()
        ours = result.dequantize(run_layers(layers, network.weights, network.quant, x)[layers[-1].name]).ravel()
        assert np.abs(ours - theirs).max() <= 3 * result.scale, number
        wrong += np.count_nonzero(ours != theirs)
    return wrong


def test_rescaling_by_hand():
    """Steps of 1/2 to steps of 1, half to even: -1.0, -0.5, 0, 0.5, 1.0, 1.5, 2.5."""
    half = curve_of(Value("a", (1, 1, 1), quant=TensorQuant(F(0.5), 0))).quantized(TensorQuant(F(1), 3))
    assert half.steps[128 + np.array([-2, -1, 0, 1, 2, 3, 5])].tolist() == [2, 3, 3, 3, 4, 5, 5]
    assert (half.unsure, half.direct, half.real[128 + 3]) == (0, True, 2.0)


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("operator", UNARY)
def test_a_function_goes_behind_the_convolution(tmp_path, operator, kind):
    rng = np.random.default_rng(UNARY.index(operator))
    graph = Qdq(kind)
    y = graph.real(graph.pointwise(graph.real("x", 1 / 32), rng, 4, 3, "c"), 1 / 16, 3)
    y = graph.real(graph.node(operator, y, name="f"), 0.02, -40)
    network = read(tmp_path, graph, y)
    (layer,) = network.subnet.layers
    assert (layer.name, layer.activation, network.runnable) == ("c", "curve", True)
    assert network.tensors["c"].scale == F(0.02) and not differing(network, tmp_path / "net.onnx")


def test_a_tensor_times_a_function_of_itself(tmp_path):
    """x * sigmoid(x), each rounded to int8, and a change of scale: one table of one convolution."""
    graph, rng = Qdq(), np.random.default_rng(1)
    y = graph.real(graph.pointwise(graph.real("x", 1 / 32), rng, 4, 3, "c"), 1 / 16)
    y = graph.node("Mul", y, graph.real(graph.node("Sigmoid", y), 1 / 128), name="m")
    y = graph.real(graph.real(y, 0.05), 0.07, 2)
    network = read(tmp_path, graph, y)
    assert [layer.name for layer in network.subnet.layers] == ["c"] and network.runnable
    assert not differing(network, tmp_path / "net.onnx")


def test_who_reads_the_tensor_too_gets_a_layer_of_its_own(tmp_path):
    """A convolution read before and after its h-swish; of the image, too; and what follows a pool."""
    graph, rng = Qdq(), np.random.default_rng(2)
    image = graph.real("x", 1 / 32)
    bent = graph.real(graph.node("HardSwish", image, name="first"), 1 / 32)
    c = graph.real(graph.pointwise(bent, rng, 3, 3, "c"), 1 / 16)
    d = graph.real(graph.pointwise(graph.real(graph.node("HardSwish", c, name="act"), 1 / 32), rng, 3, 3, "d"), 1 / 8)
    y = graph.real(graph.node("Add", d, c, name="sum"), 1 / 8)
    pooled = graph.real(graph.node("MaxPool", y, name="max", kernel_shape=[2, 2], strides=[2, 2]), 1 / 8)
    network = read(tmp_path, graph, graph.real(graph.node("Tanh", pooled, name="tanh"), 1 / 127))
    assert [layer.name for layer in network.subnet.layers] == ["first", "c", "act", "d", "sum", "max", "tanh"]
    by_name = {layer.name: layer for layer in network.subnet.layers}
    assert by_name["act"].inputs == ("c",) and by_name["sum"].inputs == ("d", "c")
    assert network.runnable and not differing(network, tmp_path / "net.onnx")


def test_constants_are_operands(tmp_path):
    """h-swish as Add, Clip, Mul and Div in real numbers."""
    graph, rng = Qdq(), np.random.default_rng(3)
    y = graph.real(graph.pointwise(graph.real("x", 1 / 32), rng, 4, 3, "c"), 1 / 16)
    bounded = graph.node("Clip", graph.node("Add", y, F(3)), F(0), F(6))
    y = graph.node("Div", graph.node("Mul", y, bounded), np.array([6], F))
    network = read(tmp_path, graph, graph.real(y, 0.03))
    assert [layer.name for layer in network.subnet.layers] == ["c"]
    assert not differing(network, tmp_path / "net.onnx")


def test_onnxruntimes_operators_on_int8(tmp_path):
    """QLinearSigmoid and QLinearMul of a tensor and its sigmoid."""
    graph, zero = Graph((1, 3, 16, 16)), np.uint8(128)
    x = graph.node("QuantizeLinear", "x", F(0.05), zero)
    sigmoid = graph.node("QLinearSigmoid", x, F(0.05), zero, F(1 / 256), np.uint8(0), domain="com.microsoft")
    product = x, F(0.05), zero, sigmoid, F(1 / 256), np.uint8(0), F(0.04), np.uint8(10)
    y = graph.node("QLinearMul", *product, name="silu", domain="com.microsoft")
    network = read(tmp_path, graph, graph.node("DequantizeLinear", y, F(0.04), np.uint8(10)))
    assert [layer.name for layer in network.subnet.layers] == ["silu"]
    assert not differing(network, tmp_path / "net.onnx")


def test_entries_that_may_round_either_way_are_counted(tmp_path):
    """Sigmoid of 0 is 1/2: in steps of 1/3 the middle of two, in steps of 1/4 not."""
    for steps, unsure in ((3, 1), (4, 0)):
        graph = Qdq()
        y = graph.real(graph.node("Sigmoid", graph.real("x", 0.5), name="s"), 1 / steps)
        network = read(tmp_path, graph, y)
        text = "1 entries of its table are too near to the middle of two steps"
        assert network.unproven[GRAPHS[0]] == ({"s": text} if unsure else {})


def test_what_is_not_finite_is_refused(tmp_path):
    graph = Qdq()
    with pytest.raises(NetworkError, match=r'node "log" \(Log\): it makes no finite numbers of some values'):
        read(tmp_path, graph, graph.real(graph.node("Log", graph.real("x", 0.1), name="log"), 0.1))


@pytest.mark.parametrize("seed", range(12))
def test_random_chains(tmp_path, seed):
    """Two to four functions, with or without a rounding between: onnxruntime's integers, every one."""
    rng = np.random.default_rng([seed, 14])
    graph = Qdq(np.int8 if seed % 2 else np.uint8)
    y = graph.real("x", 1 / 32)
    y = graph.real(graph.pointwise(y, rng, 3, 3, "c"), 1 / 16, int(rng.integers(-20, 20)))
    for _ in range(rng.integers(2, 5)):
        before, operator = y, str(rng.choice(UNARY))
        y = graph.node(operator, y)
        y = graph.real(y, 0.03) if rng.random() < 0.5 else y
        y = graph.node("Mul", y, before) if rng.random() < 0.3 else y
    network = read(tmp_path, graph, graph.real(y, 0.031, int(rng.integers(-20, 20))))
    assert network.runnable and len(network.subnet.layers) == 1
    wrong = differing(network, tmp_path / "net.onnx", seed)
    assert wrong == 0 or "entries of its table" in network.unproven[GRAPHS[0]]["c"]
