"""Scales for results that a quantised file leaves real: bounds by hand, and networks against onnxruntime."""

import numpy as np
import pytest

from mapper.importers import GRAPHS
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.inner import FAR, WIDE, ends_of, made_for
from tests.mapper.importers.onnx.test_curves import Qdq, differing, read

F = np.float32


@pytest.mark.parametrize("ends", [(-1.0, 14.0), (3.0, 9.0), (-5.0, -1.0), (0.0, 0.0), (-1e-3, 1e4)])
def test_a_scale_holds_its_range_and_zero(ends):
    quant = made_for(ends, 0)
    low, high = ends_of(quant)
    assert low <= min(ends[0], 0) + quant.scale and high >= max(ends[1], 0) - quant.scale
    assert -128 <= quant.zero_point <= 127
    assert quant.quantize([0.0])[0] == quant.zero_point


def test_the_sums_of_a_convolution_by_hand(tmp_path):
    """Operand -4 .. 3.97: sigma 1. Weights 1 and 2 (steps of 1/64): sigmas 1 and 2 of the sums, of which 10 are held.

    Their bounds, 4 and 8, are narrower; of 36 weights of 1, sigma 6 and bound 144, 60 is. All scales are powers of two.
    """
    graph = Qdq(shape=(1, 1, 6, 6))
    weights = np.array([64, 127], np.int8).reshape(2, 1, 1, 1)
    w = graph.node("DequantizeLinear", weights, F(1 / 64), np.int8(0))
    network = read(tmp_path, graph, graph.node("Conv", graph.real("x", 1 / 32), w, name="c"))
    assert network.tensors["c"].scale == 1 / 16  # 255 steps for -8 .. 8
    assert FAR == 4 and WIDE == 10
    graph = Qdq(shape=(1, 1, 6, 6))
    w = graph.node("DequantizeLinear", np.full((1, 1, 6, 6), 64, np.int8), F(1 / 64), np.int8(0))
    network = read(tmp_path, graph, graph.node("Conv", graph.real("x", 1 / 32), w, name="c"))
    assert network.tensors["c"].scale == 0.5  # 255 steps for -60 .. 60
    (note,) = network.notes
    assert note.startswith("layer c: its result is real in the file; as int8 it has steps of ")


def test_a_sum_that_is_added_before_it_is_rounded(tmp_path):
    """Its int8 steps are this importer's, so nothing is claimed; the result is near, and the range the addition's."""
    rng, graph = np.random.default_rng(2), Qdq(shape=(1, 4, 6, 6))
    x = graph.real("x", 1 / 32)
    y = graph.node("Relu", graph.node("Add", graph.pointwise(x, rng, 4, 4, "c"), x, name="sum"))
    network = read(tmp_path, graph, graph.real(y, 1 / 16))
    assert network.runnable and network.rounded == ("c",)
    assert network.unproven[GRAPHS[0]]["c"] == "its result is rounded to int8 here, and real in the file"
    low, high = ends_of(network.tensors["c"])  # of -8 .. 8 with -4 .. 4 taken off, a power of two
    assert low <= -11.9 and high >= 11.9 and high - low <= 2 * 24
    assert differing(network, tmp_path / "net.onnx") >= 0  # within 3 steps, which it checks


def test_a_maximum_of_real_numbers_is_that_of_rounded_ones(tmp_path):
    rng, graph = np.random.default_rng(3), Qdq(shape=(1, 3, 8, 8))
    y = graph.node("MaxPool", graph.pointwise(graph.real("x", 1 / 32), rng, 3, 3, "c"), kernel_shape=[2, 2])
    network = read(tmp_path, graph, graph.real(y, 1 / 16, 5))
    assert network.tensors["c"] == TensorQuant(F(1 / 16), 5) and network.rounded == ()
    assert GRAPHS[0] in network.bit_exact and not differing(network, tmp_path / "net.onnx")


def test_a_real_function_as_a_factor(tmp_path):
    """Squeeze-excite with a HardSigmoid that nothing rounds: as finely as 256 steps allow, and nothing is claimed."""
    rng, graph = np.random.default_rng(4), Qdq(shape=(1, 4, 6, 6))
    x = graph.real("x", 1 / 32)
    pooled = graph.real(graph.node("GlobalAveragePool", x, name="pool"), 1 / 32)
    factors = graph.node("HardSigmoid", graph.real(graph.pointwise(pooled, rng, 4, 4, "fc"), 1 / 16), name="gate")
    network = read(tmp_path, graph, graph.real(graph.node("Mul", factors, x, name="scale"), 1 / 32))
    assert [layer.name for layer in network.subnet.layers] == ["pool", "fc", "scale"] and network.runnable
    assert network.rounded == ("fc",) and ends_of(network.tensors["fc"])[1] == pytest.approx(1, rel=0.07)
    differing(network, tmp_path / "net.onnx")


def test_additions_of_int8_and_uint8(tmp_path):
    """All 65,536 pairs are compared with float32: powers of two are proven."""
    graph = Qdq(np.uint8, shape=(1, 3, 6, 6))
    x = graph.real("x", 1 / 32)
    y = graph.real(graph.node("MaxPool", x, name="max", kernel_shape=[1, 1]), 1 / 32)
    graph.kind = np.int8
    z = graph.real(graph.pointwise(x, np.random.default_rng(5), 3, 3, "c"), 1 / 16)
    network = read(tmp_path, graph, graph.real(graph.node("Add", z, y, name="sum"), 1 / 8))
    assert network.runnable and GRAPHS[0] in network.bit_exact and not differing(network, tmp_path / "net.onnx")


def test_a_gain_of_an_average_and_a_cast(tmp_path):
    """An average times 1.0107, as one tool writes it for its accelerator, and a Cast that changes nothing."""
    graph = Qdq(np.uint8, shape=(1, 3, 7, 7))
    mean = graph.node("Mul", graph.node("GlobalAveragePool", graph.real("x", 1 / 32), name="pool"), F(1.0107422))
    stored = graph.node("QuantizeLinear", mean, F(1 / 64), np.uint8(100))
    cast = graph.node("Cast", stored, to=2)
    network = read(tmp_path, graph, graph.node("DequantizeLinear", cast, F(1 / 64), np.uint8(100)))
    assert network.runnable and not differing(network, tmp_path / "net.onnx")


@pytest.mark.parametrize("operator", ["HardSwish", "Sigmoid"])
def test_an_activation_of_real_sums(tmp_path, operator):
    """Nothing rounds a convolution's sums before its activation: here they have 255 steps of where it changes."""
    rng, graph = np.random.default_rng(6), Qdq(shape=(1, 3, 8, 8))
    y = graph.node(operator, graph.pointwise(graph.real("x", 1 / 16), rng, 4, 3, "c"), name="act")
    network = read(tmp_path, graph, graph.real(y, 1 / 64))
    (layer,) = network.subnet.layers
    assert layer.name == "c" and network.runnable and network.rounded == ("c",)
    assert network.unproven[GRAPHS[0]]["c"] == "its result is rounded to int8 here, and real in the file"
    assert network.tensors["c"] == TensorQuant(F(1 / 64), 0)
    differing(network, tmp_path / "net.onnx")
