"""Steps of the host against onnxruntime, each on random tensors."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from mapper.importers.host_steps import STEPS, HostStep, run_steps
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32
CASES = {
    "Abs": ([], {}),
    "Add": ([np.arange(4, dtype=F)], {}),
    "ArgMax": ([], {"axis": 1, "keepdims": 0}),
    "ArgMin": ([], {"axis": -1}),
    "Cast": ([], {"to": TensorProto.INT32}),
    "Clip": ([F(-0.5), F(0.75)], {}),
    "Div": ([np.full((3, 1), 0.3, F)], {}),
    "Elu": ([], {"alpha": 0.7}),
    "Erf": ([], {}),
    "Exp": ([], {}),
    "Flatten": ([], {"axis": 2}),
    "Gather": ([np.array([2, 0])], {"axis": 1}),
    "HardSigmoid": ([], {}),
    "HardSwish": ([], {}),
    "Identity": ([], {}),
    "LeakyRelu": ([], {"alpha": 0.2}),
    "LogSoftmax": ([], {"axis": 1}),
    "Max": ([np.zeros((1, 4), F)], {}),
    "Min": ([np.zeros((1, 4), F)], {}),
    "Mul": ([F(3)], {}),
    "Neg": ([], {}),
    "PRelu": ([np.full((3, 1), 0.2, F)], {}),
    "Pad": ([np.array([0, 1, 0, 0, 0, 2]), F(0.5)], {}),
    "ReduceMax": ([], {"axes": [1], "keepdims": 0}),
    "ReduceMean": ([], {"axes": [0, 2]}),
    "ReduceMin": ([], {"axes": [-1]}),
    "ReduceSum": ([np.array([1])], {}),
    "Relu": ([], {}),
    "Reshape": ([np.array([0, -1])], {}),
    "Sigmoid": ([], {}),
    "Slice": ([np.array([2, 3]), np.array([-9, 1]), np.array([1, 2]), np.array([-1, -2])], {}),
    "Softmax": ([], {"axis": 1}),
    "Softplus": ([], {}),
    "Softsign": ([], {}),
    "Squeeze": ([np.array([0])], {}),
    "Sub": ([F(1)], {}),
    "Tanh": ([], {}),
    "Transpose": ([], {"perm": [2, 0, 1]}),
    "Unsqueeze": ([np.array([1, -1])], {}),
}


@pytest.mark.parametrize("op", CASES)
def test_steps_are_onnxruntimes(tmp_path, op):
    operands, attributes = CASES[op]
    graph = Graph((1, 3, 4))
    y = graph.node(op, "x", *operands, name="n", **attributes)
    path = graph.save(tmp_path / "net.onnx", y, dtype=F)
    kinds = {"ArgMax": TensorProto.INT64, "ArgMin": TensorProto.INT64, "Cast": TensorProto.INT32}
    if op in kinds:
        model = graph.model(y)
        model.graph.output[0].type.tensor_type.elem_type = kinds[op]
        path.write_bytes(model.SerializeToString())
    x = np.random.default_rng(3).normal(0, 1, (1, 3, 4)).astype(F)
    theirs = session(path).run(None, {"x": x})[0]
    node = graph.nodes[-1]
    arrays = dict(zip(node.input[1:], map(np.asarray, operands), strict=True))
    values = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    step = HostStep(op, "n", tuple(node.input), (y,), values, arrays)
    ours = run_steps([step], {"x": x})[y]
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_parts_and_comparisons():
    x = np.arange(6).reshape(1, 6)
    assert [part.tolist() for part in HostStep("Split", "s", ("x",), ("a", "b"), {"axis": 1}).apply(x)] == [
        [[0, 1, 2]],
        [[3, 4, 5]],
    ]
    (less,) = HostStep("Less", "l", ("x", "y"), ("z",)).apply(x, np.array(2))
    (chosen,) = HostStep("Where", "w", ("c", "x", "y"), ("z",)).apply(less, x, -x)
    assert chosen.tolist() == [[0, 1, -2, -3, -4, -5]]
    (blocks,) = HostStep("SpaceToDepth", "d", ("x",), ("z",), {"blocksize": 2}).apply(np.arange(4).reshape(1, 1, 2, 2))
    assert blocks.ravel().tolist() == [0, 1, 2, 3] and blocks.shape == (1, 4, 1, 1)


def test_padding_below_zero_cuts():
    step = HostStep("Pad", "p", ("x", "k"), ("y",), {}, {"k": np.array([0, -1, 0, 1])})
    assert run_steps([step], {"x": np.array([[1, 2, 3]])})["y"].tolist() == [[2, 3, 0]]


def test_softmax_of_old_operator_sets():
    """Before 13 over all axes from ``axis`` on."""
    x = np.zeros((2, 2, 3), F)
    (made,) = HostStep("Softmax", "s", ("x",), ("y",), {"axis": 1}, opset=11).apply(x)
    assert np.allclose(made, 1 / 6)


def test_nothing_heavy_is_a_step():
    assert not {"Conv", "Gemm", "MatMul", "LSTM", "QLinearConv"} & STEPS.keys()
