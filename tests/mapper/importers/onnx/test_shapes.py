"""Shapes are those of ONNX's own inference: behind what was left out, and against what a file states."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mapper.importers import NetworkError, read_onnx
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32


def left_out(graph, y, op, *operands, **attributes):
    """An operator that has no layer, and a convolution that reads it."""
    y = graph.node(op, y, *operands, name="out", **attributes)
    return y


@pytest.mark.parametrize(
    ("op", "operands", "attributes"),
    [
        ("DepthToSpace", [], {"blocksize": 2}),
        ("SpaceToDepth", [], {"blocksize": 2}),
        ("Transpose", [], {"perm": [0, 2, 1, 3]}),
        ("Transpose", [], {"perm": [0, 1, 3, 2]}),
        ("ConvTranspose", [np.ones((4, 3, 2, 2), F)], {"strides": [2, 2]}),
        ("Resize", [np.array([], F), np.array([1, 1, 2, 3], F)], {"mode": "nearest"}),
        ("Slice", [np.array([1]), np.array([3]), np.array([2])], {}),
        ("MaxPool", [], {"kernel_shape": [2, 2], "dilations": [2, 2]}),
    ],
)
def test_behind_what_is_left_out(tmp_path, op, operands, attributes):
    """The next layers have the sizes that onnxruntime computes, and read the layer before only if no size changed."""
    graph = Graph((1, 4, 8, 6))
    first = graph.conv("x", np.ones((4, 4, 3, 3)), name="first", pads=1)
    changed = graph.node(op, first, *operands, name="out", **attributes)
    pooled = graph.node("MaxPool", changed, name="pool", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    path = graph.save(tmp_path / "net.onnx", changed, pooled)
    network = read_onnx(path, skip_unsupported=True)
    shapes = [array.shape for array in session(path).run(None, {"x": np.zeros((1, 4, 8, 6), F)})]
    layer = network.subnet.layer("pool")
    assert shapes[0] == (1, layer.C, layer.H, layer.W) and shapes[1] == (1, layer.K, layer.P, layer.Q)
    assert layer.inputs == (("first",) if shapes[0] == (1, 4, 8, 6) else ("input",))
    assert [text.split(":")[0] for text in network.skipped] == [f'node "out" ({op})']


def test_inference_goes_on_behind_onnxruntimes_operators(tmp_path):
    """com.microsoft has no inference: what the walk makes there is where it goes on."""
    graph = Graph((1, 2, 4, 4), np.int8)
    operands = [F(1), np.int8(0)]
    y = graph.node("QLinearAdd", "x", *operands, "x", *operands, *operands, name="sum", domain="com.microsoft")
    y = graph.node("DequantizeLinear", y, *operands, name="real")
    y = graph.node("DepthToSpace", graph.node("Concat", y, y, axis=1, name="twice"), blocksize=2, name="wide")
    y = graph.node("GlobalAveragePool", y, name="pool")
    network = read_onnx(graph.save(tmp_path / "net.onnx", y), skip_unsupported=True)
    layer = network.subnet.layer("pool")
    assert (layer.C, layer.H, layer.W) == (1, 8, 8)


def stated(tmp_path, dims, where):
    """A convolution from 4 x 8 x 8 to 3 x 6 x 6 in a file that states another shape of its result."""
    graph = Graph((1, 4, 8, 8))
    y = graph.conv("x", np.ones((3, 4, 3, 3)), name="c")
    model = graph.model(graph.node("Relu", y, name="r") if where == "value_info" else y)
    value = helper.make_tensor_value_info(y, TensorProto.FLOAT, dims)
    if where == "value_info":
        model.graph.value_info.append(value)
    else:
        model.graph.output[0].CopyFrom(value)
    onnx.save(model, path := tmp_path / "net.onnx")
    return path


@pytest.mark.parametrize("where", ["value_info", "output"])
@pytest.mark.parametrize("dims", [(1, 3, 8, 8), (1, 4, 6, 6), (1, 3, 6), (1, 108), (2, 3, 6, 6)])
@pytest.mark.parametrize("skip", [False, True])
def test_a_stated_shape_that_is_not_the_layers_is_refused(tmp_path, where, dims, skip):
    with pytest.raises(NetworkError, match=r'node "c" \(Conv\): "conv0_out|"c_out" is \(1, 3, 6, 6\) by its operands'):
        read_onnx(stated(tmp_path, dims, where), skip_unsupported=skip)


@pytest.mark.parametrize("dims", [(1, 3, 6, 6), ("N", 3, "h", "w"), (1, None, 6, 6)])
def test_a_stated_shape_that_fits_is_taken(tmp_path, dims):
    assert read_onnx(stated(tmp_path, dims, "value_info")).subnet.layer("c").P == 6


def test_operands_that_do_not_fit_each_other(tmp_path):
    """What inference refuses is refused: a matrix product of an image, a Gemm with too few features, types."""
    for build, text in (
        (lambda g: g.node("Gemm", "x", np.ones((4, 3), F), name="n"), "do not fit|not one row of features"),
        (lambda g: g.node("Gemm", g.node("Flatten", "x"), np.ones((5, 3), F), name="n"), "do not fit|for 256 features"),
        (lambda g: g.node("MatMul", "x", np.ones((8, 3), F), name="n"), "first operand is not one row of features"),
        (lambda g: g.node("Conv", "x", np.ones((2, 4, 3, 3), np.float64), name="n"), "do not fit|of type float64"),
        (lambda g: g.node("Add", "x", g.node("GlobalAveragePool", "x"), name="n"), "give two of the same shape"),
    ):
        graph = Graph((1, 4, 8, 8))
        with pytest.raises(NetworkError, match=text):
            read_onnx(graph.save(tmp_path / "net.onnx", build(graph)))


def test_a_matrix_and_an_image_are_not_added(tmp_path):
    """(1, C) and (1, C, 1, 1) broadcast to (1, C, 1, C) in ONNX."""
    graph = Graph((1, 4, 8, 8))
    pooled = graph.node("GlobalAveragePool", "x", name="pool")
    y = graph.node("Add", pooled, graph.node("Flatten", pooled), name="n")
    with pytest.raises(NetworkError, match="give two of the same shape"):
        read_onnx(graph.save(tmp_path / "net.onnx", y))
