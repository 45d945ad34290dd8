"""Files that are no usable ONNX model: one line each, that says so."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mapper.importers import NetworkError, read_network, read_onnx
from tests.mapper.importers.onnx.nets import Graph, residual_graph


def message(path, **options):
    with pytest.raises(NetworkError) as caught:
        read_onnx(path, **options)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


def test_missing_file(tmp_path):
    assert "does not exist; give an ONNX model" in message(tmp_path / "no.onnx")
    assert "Is a directory" in message(tmp_path)  # a folder


@pytest.mark.parametrize("content", [b"", b"hello, world\n" * 20, bytes(range(256)) * 4, b"\x80\x00\x00"])
def test_not_onnx(tmp_path, content):
    (path := tmp_path / "net.onnx").write_bytes(content)
    assert "not ONNX, or cut off" in message(path)


def test_truncated_anywhere(tmp_path):
    graph, end = residual_graph(np.random.default_rng(0))
    whole = graph.save(tmp_path / "whole.onnx", end).read_bytes()
    path = tmp_path / "cut.onnx"
    for part in np.linspace(1, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:part])
        message(path)


def test_damaged_bytes_never_give_a_traceback(tmp_path):
    """200 models with one byte changed: a network or one line."""
    graph, end = residual_graph(np.random.default_rng(0))
    whole = graph.save(tmp_path / "whole.onnx", end).read_bytes()
    rng, path, failed = np.random.default_rng(7), tmp_path / "bad.onnx", 0
    for _ in range(200):
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_onnx(path)
        except NetworkError as error:
            failed += 1
            assert "\n" not in str(error)
    assert failed


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (("N", 3, "H", "W"), "shape (N, 3, H, W): H is not a fixed size"),
        ((1, 3, None, 8), "? is not a fixed size"),
        ((1, 3, 8, 8, 8), "give (1, C, H, W), (1, C, W) or (1, features)"),
    ],
)
def test_sizes_of_the_image(tmp_path, shape, text):
    graph = Graph(shape)
    assert text in message(graph.save(tmp_path / "net.onnx", graph.node("Relu", "x")))


def test_types_and_inputs(tmp_path):
    graph = Graph()
    graph.image = helper.make_tensor_value_info("x", TensorProto.DOUBLE, (1, 3, 8, 8))
    y = graph.node("Relu", "x")
    assert "is of type DOUBLE; give FLOAT, UINT8 or INT8" in message(graph.save(tmp_path / "net.onnx", y))
    model = Graph().model()
    model.graph.node.append(helper.make_node("Add", ["x", "z"], ["y"]))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 3, 16, 16)))
    model.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, 16, 16)))
    onnx.save(model, path := tmp_path / "two.onnx")
    assert 'it has 2 inputs ("x", "z"); give a model of one image' in message(path)


def test_external_weights_that_are_missing(tmp_path):
    graph, end = residual_graph(np.random.default_rng(0))
    path = tmp_path / "net.onnx"
    onnx.save(graph.model(end), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    whole = read_onnx(path)
    (tmp_path / "weights.bin").unlink()
    network = read_onnx(path)
    assert network.subnet == whole.subnet and "such as" in network.notes[-1] and whole.floats
    assert not (network.runnable or network.floats or network.quant or network.weights)


def test_nodes_in_any_order(tmp_path):
    """onnxruntime reads nodes that are not in order of execution, and a tool writes such; a circle is refused."""
    graph, end = residual_graph(np.random.default_rng(0))
    wanted = read_onnx(graph.save(tmp_path / "net.onnx", end)).subnet.layers
    for order in (
        lambda nodes: nodes[::-1],
        lambda nodes: nodes[3:] + nodes[:3],
        lambda nodes: nodes[1::2] + nodes[::2],
    ):
        graph, end = residual_graph(np.random.default_rng(0))
        graph.nodes = order(graph.nodes)
        layers = read_onnx(graph.save(tmp_path / "net.onnx", end)).subnet.layers
        assert {layer.name: set(layer.inputs) for layer in layers} == {
            layer.name: set(layer.inputs) for layer in wanted
        }
    graph = Graph()
    graph.node("Relu", "b", out="a")
    graph.node("Relu", "a", out="b")
    assert "must be topologically sorted" in message(graph.save(tmp_path / "net.onnx", "b"))


def test_no_layer_at_all(tmp_path):
    graph = Graph()
    path = graph.save(tmp_path / "net.onnx", graph.node("Identity", "x"))
    assert "no node has a layer" in message(path)
    graph = Graph()
    path = graph.save(tmp_path / "net.onnx", graph.node("DepthToSpace", "x", blocksize=1))
    assert "no node has a layer" in message(path, skip_unsupported=True)


def test_unknown_suffix(tmp_path):
    with pytest.raises(NetworkError, match=r"suffix '.txt' says no known format; give .onnx \(an ONNX model\)"):
        read_network(tmp_path / "net.txt")


def reference(name, other):
    """An attribute of a node in a function: the function's own attribute ``other``."""
    return onnx.AttributeProto(name=name, type=onnx.AttributeProto.INTS, ref_attr_name=other)


def scaled_by(**functions):
    """A convolution in function ``My``, whose strides are its attribute ``step``, 2 by default, and more functions."""
    graph = Graph((1, 2, 6, 6))
    inner = helper.make_node("Conv", ["a", "w"], ["b"])
    inner.attribute.append(reference("strides", "step"))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    mine = helper.make_function(
        "my", "My", ["a", "w"], ["b"], [inner], opsets, attribute_protos=[helper.make_attribute("step", [2, 2])]
    )
    others = [helper.make_function(*parts, opsets, **more) for parts, more in functions.values()]
    return graph, [mine, *others]


def save_with(graph, functions, path, end):
    model = graph.model(end)
    model.functions.extend(functions)
    model.opset_import.append(helper.make_opsetid("my", 1))
    onnx.save(model, path)
    return path


WEIGHTS = np.ones((3, 2, 2, 2), np.float32)


@pytest.mark.parametrize(("given", "stride"), [({}, 2), ({"step": [1, 1]}, 1)])
def test_a_function_s_attribute_has_its_default(tmp_path, given, stride):
    graph, functions = scaled_by()
    end = graph.node("My", "x", WEIGHTS, domain="my", **given)
    (layer,) = read_onnx(save_with(graph, functions, tmp_path / "net.onnx", end)).subnet.layers
    assert (layer.stride, layer.P) == (stride, (6 - 2) // stride + 1)


def test_a_default_that_another_function_may_hide_is_refused(tmp_path):
    call = helper.make_node("My", ["a", "w"], ["b"], domain="my")
    call.attribute.append(reference("step", "outer"))
    graph, functions = scaled_by(outer=(("my", "Outer", ["a", "w"], ["b"], [call]), {"attributes": ["outer"]}))
    end = graph.node("Outer", "x", WEIGHTS, domain="my")
    assert "attribute step of function My may be absent" in message(
        save_with(graph, functions, tmp_path / "net.onnx", end)
    )


@pytest.mark.parametrize("domain", ["", "com.microsoft"])
def test_a_function_that_is_called_like_an_operator_is_refused(tmp_path, domain):
    body = [helper.make_node("Neg", ["a"], ["b"])]
    graph, functions = scaled_by(relu=((domain, "Relu", ["a"], ["b"], body), {}))
    end = graph.node("Relu", graph.conv("x", WEIGHTS), domain=domain)
    assert "function Relu is in the domain of" in message(save_with(graph, functions, tmp_path / "net.onnx", end))


def test_two_operator_sets_of_one_domain_are_refused(tmp_path):
    graph = Graph((1, 2, 6, 6))
    model = graph.model(graph.conv("x", WEIGHTS))
    model.opset_import.append(helper.make_opsetid("ai.onnx", 11))
    onnx.save(model, path := tmp_path / "net.onnx")
    assert "names operator sets of ONNX more than once" in message(path)
