"""Groups of operators that are one function, in the spellings of exporters; and what is none."""

import numpy as np
import pytest

from arch_model.network.activation_curves import CURVES, activation_of
from arch_model.network.layer import Activation
from mapper.importers import read_onnx
from tests.mapper.importers.float_network import results
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32


def hswish(graph, x):
    bounded = graph.node("Clip", graph.node("Add", x, F(3)), F(0), F(6))
    return graph.node("Div", graph.node("Mul", x, bounded), F(6))


def gelu(graph, x):
    half = graph.node("Add", graph.node("Erf", graph.node("Div", x, F(2**0.5))), F(1))
    return graph.node("Mul", graph.node("Mul", x, half), F(0.5))


def tanh_gelu(graph, x):
    cube = graph.node("Mul", graph.node("Pow", x, F(3)), F(0.044715))
    inner = graph.node("Tanh", graph.node("Mul", graph.node("Add", x, cube), F((2 / np.pi) ** 0.5)))
    return graph.node("Mul", graph.node("Mul", x, F(0.5)), graph.node("Add", inner, F(1)))


WAYS = {
    Activation.HSWISH: hswish,
    Activation.GELU: gelu,
    "gelu by tanh": tanh_gelu,
    Activation.SILU: lambda graph, x: graph.node("Mul", graph.node("Sigmoid", x), x),
    Activation.HSIGMOID: lambda graph, x: graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    Activation.LEAKY_RELU: lambda graph, x: graph.node("Max", x, graph.node("Mul", x, F(0.1))),
    Activation.RELU: lambda graph, x: graph.node("Max", x, F(0)),
    Activation.CURVE: lambda graph, x: graph.node("Mul", x, graph.node("Tanh", graph.node("Softplus", x))),
}


@pytest.mark.parametrize("wanted", WAYS, ids=str)
def test_a_group_is_an_activation(tmp_path, wanted):
    rng, graph = np.random.default_rng(0), Graph((1, 3, 6, 6))
    y = WAYS[wanted](graph, graph.conv("x", rng.normal(0, 2, (4, 3, 1, 1)), name="c"))
    y = graph.conv(y, rng.normal(0, 1, (2, 4, 1, 1)), name="last")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    first, last = network.subnet.layers
    assert first.activation is (Activation.GELU if wanted == "gelu by tanh" else wanted) and last.name == "last"
    x = rng.normal(0, 1, (1, 3, 6, 6)).astype(F)
    np.testing.assert_allclose(results(network, x)[y], session(path).run(None, {"x": x})[0], rtol=1e-4, atol=1e-4)


def test_two_functions_of_one_tensor_are_two_layers(tmp_path):
    """The convolution's result is read twice, so each function has a copy; neither takes the other's place."""
    rng, graph = np.random.default_rng(0), Graph((1, 3, 6, 6))
    c = graph.conv("x", rng.normal(0, 1, (4, 3, 1, 1)), name="c")
    a = graph.conv(graph.node("Sigmoid", c), rng.normal(0, 1, (4, 4, 1, 1)), name="a")
    b = graph.conv(WAYS[Activation.SILU](graph, c), rng.normal(0, 1, (4, 4, 1, 1)), name="b")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y := graph.node("Add", a, b)))
    made = [layer.activation for layer in network.subnet.layers if layer.activation is not Activation.NONE]
    assert sorted(made) == [Activation.SIGMOID, Activation.SILU] and len(network.subnet.layers) == 6
    x = rng.normal(0, 1, (1, 3, 6, 6)).astype(F)
    np.testing.assert_allclose(results(network, x)[y], session(path).run(None, {"x": x})[0], rtol=1e-4, atol=1e-4)


def test_names_of_functions():
    for name, function in CURVES.items():
        assert activation_of(function) is name
    assert activation_of(lambda v: np.where(v < 0, 0.3 * v, v)) is Activation.LEAKY_RELU
    assert activation_of(lambda v: np.full_like(v, np.nan)) is Activation.CURVE
