"""Nodes that mean one thing together: two means, a shuffle, a normalisation written out; LRN and layer norms."""

import numpy as np
import pytest

from mapper.importers import NetworkError, read_onnx
from tests.mapper.importers.float_network import results
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32


def same(tmp_path, graph, y, shape=(1, 4, 6, 6)):
    """The network, whose results are onnxruntime's."""
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    x = np.random.default_rng(5).normal(0, 1, shape).astype(F)
    np.testing.assert_allclose(results(network, x)[y], session(path).run(None, {"x": x})[0], rtol=1e-4, atol=1e-4)
    return network


def start(shape=(1, 4, 6, 6)):
    graph, rng = Graph(shape), np.random.default_rng(1)
    return graph, rng, graph.conv("x", rng.normal(0, 1, (8, shape[1], 1, 1)), name="c")


@pytest.mark.parametrize("keep", [0, 1])
def test_two_means_are_one(tmp_path, keep):
    graph, rng, y = start()
    y = graph.node("ReduceMean", y, axes=[3], keepdims=keep)
    y = graph.node("ReduceMean", y, axes=[2], keepdims=keep)
    if keep:
        y = graph.node("Flatten", y)
    y = graph.node("Gemm", y, rng.normal(0, 1, (8, 5)).astype(F), name="fc")
    assert [str(layer.kind) for layer in same(tmp_path, graph, y).subnet.layers] == ["conv", "pool", "linear"]


def test_a_shuffle_is_a_copy(tmp_path):
    graph, rng, y = start()
    y = graph.node("Reshape", y, np.array([1, 2, 4, 6, 6]))
    y = graph.node("Reshape", graph.node("Transpose", y, perm=[0, 2, 1, 3, 4]), np.array([1, 8, 6, 6]), name="end")
    network = same(tmp_path, graph, graph.conv(y, rng.normal(0, 1, (3, 8, 3, 3)), name="last"))
    assert [layer.name for layer in network.subnet.layers] == ["c", "end", "last"]
    assert network.model_macs == network.subnet.macs - 8 * 8 * 36


def test_a_normalisation_that_is_written_out(tmp_path):
    graph = Graph((1, 6))
    rng = np.random.default_rng(1)
    x = graph.node("Gemm", "x", rng.normal(0, 1, (6, 8)).astype(F), name="first")
    less = graph.node("Sub", x, graph.node("ReduceMean", x, axes=[-1]))
    spread = graph.node("ReduceMean", graph.node("Pow", less, F(2)), axes=[-1])
    y = graph.node("Div", less, graph.node("Sqrt", graph.node("Add", spread, F(1e-5))), name="norm")
    y = graph.node("Add", graph.node("Mul", y, rng.normal(0, 1, 8).astype(F)), rng.normal(0, 1, 8).astype(F))
    y = graph.node("Gemm", y, rng.normal(0, 1, (8, 2)).astype(F), name="last")
    network = same(tmp_path, graph, y, (1, 6))
    kinds = [str(layer.kind) for layer in network.subnet.layers]
    assert kinds[:5] == ["linear", "linear", "mul", "linear", "mul"] and kinds[-1] == "linear"


def test_layer_normalisation_of_channels_last(tmp_path):
    graph, rng, y = start()
    y = graph.node("Transpose", y, perm=[0, 2, 3, 1])
    gain, shift = rng.normal(0, 1, (2, 8)).astype(F)
    y = graph.node("LayerNormalization", y, gain, shift, name="norm", axis=-1, epsilon=1e-6)
    y = graph.node("MatMul", y, rng.normal(0, 1, (8, 5)).astype(F), name="mix")
    y = graph.conv(graph.node("Transpose", y, perm=[0, 3, 1, 2]), rng.normal(0, 1, (2, 5, 1, 1)), name="last")
    network = same(tmp_path, graph, y)
    assert network.model_macs == 36 * (32 + 40 + 10)


def test_local_response(tmp_path):
    graph, rng, y = start()
    y = graph.node("LRN", y, size=5, alpha=0.5, beta=0.75, bias=2.0)
    same(tmp_path, graph, graph.conv(y, rng.normal(0, 1, (2, 8, 1, 1)), name="last"))


def test_a_normalisation_of_rows_is_refused(tmp_path):
    graph, rng, y = start()
    y = graph.node("LayerNormalization", y, np.ones(6, F), axis=-1, name="norm")
    path = graph.save(tmp_path / "net.onnx", graph.conv(y, rng.normal(0, 1, (2, 8, 1, 1)), name="last"))
    with pytest.raises(NetworkError, match=r'"norm" \(LayerNormalization\): it normalises over more than the channels'):
        read_onnx(path)
