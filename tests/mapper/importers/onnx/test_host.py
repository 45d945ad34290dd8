"""Which nodes the host computes: before the first product with weights, behind the last, and none between."""

import numpy as np
import pytest

from mapper.importers import NetworkError, read_onnx
from mapper.importers.onnx.host import HEAVY
from tests.mapper.importers.float_network import results
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32


def same(path, network, y, shape):
    x = np.random.default_rng(5).uniform(0, 1, shape).astype(F)
    np.testing.assert_allclose(results(network, x)[y], session(path).run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)


def test_pixels_with_channels_last_and_classes(tmp_path):
    rng, graph = np.random.default_rng(0), Graph((1, 8, 8, 3))
    x = graph.node("Transpose", "x", name="turn", perm=[0, 3, 1, 2])
    mean = rng.uniform(0.4, 0.6, (3, 1, 1)).astype(F)
    x = graph.node("Div", graph.node("Sub", x, mean, name="centre"), F(0.25), name="spread")
    y = graph.conv(x, rng.normal(0, 1, (4, 3, 3, 3)), name="c", strides=2)
    y = graph.node("Softmax", graph.node("Flatten", graph.node("GlobalAveragePool", y, name="p")), name="classes")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    assert [step.text for step in network.prologue] == ['Transpose "turn"', 'Sub "centre"', 'Div "spread"']
    assert [step.op for step in network.epilogue] == ["Softmax"]
    assert [layer.name for layer in network.subnet.layers] == ["c", "p"] and network.image_shape == (3, 8, 8)
    same(path, network, y, (1, 8, 8, 3))


def test_a_large_kernel_on_the_image(tmp_path):
    """11 x 11 at stride 4 is 3 x 3 on blocks of 4 x 4 pixels."""
    rng, graph = np.random.default_rng(0), Graph((1, 3, 31, 35))
    y = graph.conv("x", rng.normal(0, 1, (4, 3, 11, 11)), name="c", strides=4, pads=2)
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    (layer,) = network.subnet.layers
    assert (layer.C, layer.R, layer.S, layer.stride) == (48, 3, 3, 1)
    assert network.model_macs == 4 * 3 * 121 * layer.P * layer.Q
    same(path, network, y, (1, 3, 31, 35))


def test_several_results(tmp_path):
    """What the host reads may be any layer; a detector's heads are joined and turned there."""
    rng, graph = np.random.default_rng(0), Graph((1, 3, 8, 8))
    body = graph.node("Relu", graph.conv("x", rng.normal(0, 1, (4, 3, 3, 3)), name="body"))
    heads = [graph.conv(body, rng.normal(0, 1, (k, 4, 1, 1)), name=f"head{k}") for k in (2, 3)]
    scores = graph.node("Sigmoid", heads[0], name="scores")
    flat = [
        graph.node("Reshape", head, np.array([1, k, 36])) for head, k in zip((scores, heads[1]), (2, 3), strict=True)
    ]
    y = graph.node("Transpose", graph.node("Concat", *flat, axis=1), perm=[0, 2, 1])
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    assert [step.op for step in network.epilogue] == ["Sigmoid", "Reshape", "Reshape", "Concat", "Transpose"]
    assert {one.layer for one in network.handed.values()} == {"head2", "head3"}
    same(path, network, y, (1, 3, 8, 8))


def test_nothing_goes_to_the_host_and_back(tmp_path):
    rng, graph = np.random.default_rng(0), Graph((1, 3, 8, 8))
    y = graph.node("Softmax", graph.conv("x", rng.normal(0, 1, (4, 3, 3, 3)), name="a"), name="middle", axis=1)
    path = graph.save(tmp_path / "net.onnx", graph.conv(y, rng.normal(0, 1, (4, 4, 1, 1)), name="b"))
    with pytest.raises(NetworkError, match=r'"middle" \(Softmax\): there is no layer for this operator'):
        read_onnx(path)


def test_two_images_are_refused(tmp_path):
    rng, graph = np.random.default_rng(0), Graph((1, 3, 8, 8))
    a = graph.conv(graph.node("Mul", "x", F(2)), rng.normal(0, 1, (4, 3, 1, 1)), name="a")
    b = graph.conv(graph.node("Sub", "x", F(1)), rng.normal(0, 1, (4, 3, 1, 1)), name="b")
    with pytest.raises(NetworkError, match="layers read several images"):
        read_onnx(graph.save(tmp_path / "net.onnx", graph.node("Add", a, b)))


def test_sizes_that_a_file_leaves_open(tmp_path):
    rng, graph = np.random.default_rng(0), Graph(("n", 3, "h", "w"))
    y = graph.node("GlobalAveragePool", graph.conv("x", rng.normal(0, 1, (4, 3, 3, 3)), name="c"))
    path = graph.save(tmp_path / "net.onnx", y)
    assert read_onnx(path, shape=(3, 10, 12)).subnet.layer("c").W == 12
    with pytest.raises(NetworkError, match="h is not a fixed size; give all but the first by --shape"):
        read_onnx(path)
    with pytest.raises(NetworkError, match="the shape 4x10x12 is not one of its images"):
        read_onnx(path, shape=(4, 10, 12))


def test_a_batch_is_one_image_after_another(tmp_path):
    rng, graph = np.random.default_rng(0), Graph((4, 3, 6, 6))
    y = graph.node("Reshape", graph.conv("x", rng.normal(0, 1, (2, 3, 6, 6)), name="c"), np.array([4, 2]))
    network = read_onnx(graph.save(tmp_path / "net.onnx", y))
    assert network.subnet.macs == 216 and "of its 4 images, which run one after another" in network.notes[0]


def test_one_dimension(tmp_path):
    rng, graph = np.random.default_rng(0), Graph((1, 4, 20))
    w = rng.normal(0, 1, (6, 4, 5)).astype(F)
    y = graph.node("Relu", graph.node("Conv", "x", w, name="c", strides=[2], pads=[2, 2]))
    y = graph.node("MaxPool", y, name="p", kernel_shape=[2], strides=[2])
    y = graph.node("Conv", y, rng.normal(0, 1, (3, 6, 1)).astype(F), name="last")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    assert network.model_macs == 6 * 4 * 5 * 10 + 18 * 5
    same(path, network, y, (1, 4, 20))


def test_heavy_operators_are_onnxs():
    import onnx

    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    assert {"Conv", "Gemm", "MatMul", "LSTM", "ConvTranspose", "If", "Loop"} <= HEAVY & known
