"""Float models: layers, folded numbers against onnxruntime, and what each operator becomes."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from arch_model.network.layer import INPUT, Kind
from mapper.importers import NetworkError, read_onnx
from tests.mapper.importers.float_network import results, run_floats
from tests.mapper.importers.onnx.nets import Graph, normalise, residual_graph, session

F = np.float32


@pytest.mark.parametrize("batch_norm", [False, True])
def test_residual_network(tmp_path, batch_norm):
    rng = np.random.default_rng(1)
    graph, end = residual_graph(rng, batch_norm)
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", end))
    layers = network.subnet.layers
    assert [layer.name for layer in layers] == [
        *("stem", "a1", "a2", "down", "add_a", "b1", "b2", "add_b", "pool", "fc"),
    ]
    assert network.subnet.layer("add_b").inputs == ("b2", "add_a")
    assert {layer.name for layer in layers if layer.activation == "relu"} == {"stem", "a1", "add_a", "b1", "add_b"}
    assert all(layer.batch_norm is batch_norm and layer.bias for layer in layers if layer.kind is Kind.CONV)
    # by hand: 8*27*256 + 12*72*64 + 12*108*64 + 12*8*64 + 12*108*64 + 12*300*64 + 120
    assert network.subnet.macs == 55296 + 55296 + 82944 + 6144 + 82944 + 230400 + 120
    assert not network.runnable and network.notes == () and network.quant == {}
    for _ in range(3):
        x = rng.normal(0, 1, (1, 3, 16, 16)).astype(F)
        made = run_floats(network, x[0])["fc"].reshape(-1)
        np.testing.assert_allclose(made, session(path).run(None, {"x": x})[0][0], rtol=1e-4, atol=1e-5)


def test_mobile_block(tmp_path):
    """h-swish as its own node and as x * HardSigmoid(x), depthwise 5 x 5, squeeze-excite, ReLU6, a bias by Add."""
    rng = np.random.default_rng(2)
    graph = Graph((1, 4, 10, 10))

    def conv(x, k, c, r, groups=1, name=None):
        weights = rng.normal(0, 0.5, (k, c // groups, r, r))
        return graph.conv(x, weights, rng.normal(0, 0.2, k), name=name, pads=r // 2, group=groups)

    def gate(x, name):
        return graph.node("HardSigmoid", x, name=name, alpha=1 / 6, beta=0.5)

    a = graph.node("HardSwish", conv("x", 8, 4, 1, name="expand"), name="act1")
    b = conv(a, 8, 8, 5, groups=8, name="depthwise")
    b = graph.node("Mul", gate(b, "gate2"), b, name="act2")
    s = graph.node("ReduceMean", b, name="squeeze", axes=[2, 3], keepdims=1)
    s = graph.node("Clip", conv(s, 2, 8, 1, name="few"), F(0), F(6), name="relu6")
    s = gate(conv(s, 8, 2, 1, name="excite"), "gate3")
    b = graph.node("Mul", s, b, name="scale")
    w = rng.normal(0, 0.3, (4, 8, 1, 1)).astype(F)
    c = graph.node("Add", graph.conv(b, w, name="project"), rng.normal(0, 1, (1, 4, 1, 1)).astype(F), name="bias")
    c = graph.node("Add", c, "x", name="add")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", c))
    shown = [(layer.name, str(layer.kind), str(layer.activation)) for layer in network.subnet.layers]
    assert shown == [
        ("expand", "conv", "hswish"),
        ("depthwise", "conv", "hswish"),
        ("squeeze", "pool", "none"),
        ("few", "conv", "relu6"),
        ("excite", "conv", "hsigmoid"),
        ("scale", "scale", "none"),
        ("project", "conv", "none"),
        ("add", "add", "none"),
    ]
    assert network.subnet.layer("scale").inputs == ("depthwise", "excite")
    assert network.subnet.layer("depthwise").groups == 8 and network.subnet.layer("project").bias
    x = rng.normal(0, 1, (1, 4, 10, 10)).astype(F)
    made = run_floats(network, x[0])["add"]
    np.testing.assert_allclose(made, session(path).run(None, {"x": x})[0][0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("flatten", ["Flatten", "Reshape", "computed", "Squeeze"])
def test_ways_to_flatten(tmp_path, flatten):
    """The last one is what torch exports: the batch size read with Shape and put before -1."""
    rng = np.random.default_rng(3)
    shape = (1, 3, 1, 1) if flatten == "Squeeze" else (1, 3, 2, 4)
    graph = Graph(shape)
    if flatten == "computed":
        batch = graph.node("Gather", graph.node("Shape", "x"), np.int64(0), axis=0)
        batch = graph.node("Unsqueeze", batch, np.array([0]))
        flat = graph.node("Reshape", "x", graph.node("Concat", batch, np.array([-1]), axis=0))
    else:
        operands = {"Flatten": [], "Reshape": [np.array([0, -1])], "Squeeze": [np.array([2, 3])]}[flatten]
        flat = graph.node(flatten, "x", *operands)
    features = 3 * shape[2] * shape[3]
    w, bias = rng.normal(0, 1, (features, 5)).astype(F), rng.normal(0, 1, 5).astype(F)
    y = graph.node("Identity", graph.node("Add", graph.node("MatMul", flat, w, name="fc"), bias, name="b"))
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    (layer,) = network.subnet.layers
    assert (layer.kind, layer.R, layer.S) == (Kind.LINEAR if flatten == "Squeeze" else Kind.CONV, *shape[2:])
    assert layer.macs == features * 5 and layer.bias
    x = rng.normal(0, 1, shape).astype(F)
    made = run_floats(network, x[0])["fc"].reshape(-1)
    np.testing.assert_allclose(made, session(path).run(None, {"x": x})[0][0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "kernel", "stride", "attributes", "padding"),
    [
        ((8, 8), 3, 1, {"auto_pad": "SAME_UPPER"}, 1),
        ((9, 9), 3, 2, {"auto_pad": "SAME_UPPER"}, 1),
        ((9, 7), 5, 2, {"auto_pad": "SAME_LOWER"}, 2),
        ((8, 8), 3, 2, {"auto_pad": "SAME_LOWER"}, 1),  # 1 before, 0 after: no window reaches the last row
        ((8, 8), 3, 2, {"pads": [1, 1, 0, 0]}, 1),
        ((8, 8), 3, 1, {"auto_pad": "VALID"}, 0),
        ((8, 8), 3, 1, {}, 0),
    ],
)
def test_paddings(tmp_path, sizes, kernel, stride, attributes, padding):
    rng = np.random.default_rng(4)
    graph = Graph((1, 2, *sizes))
    y = graph.conv("x", rng.normal(0, 1, (3, 2, kernel, kernel)), name="c", strides=stride, **attributes)
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    assert network.subnet.layer("c").padding == padding
    x = rng.normal(0, 1, (1, 2, *sizes)).astype(F)
    made = run_floats(network, x[0])["c"]
    np.testing.assert_allclose(made, session(path).run(None, {"x": x})[0][0], rtol=1e-4, atol=1e-5)


def test_a_pad_goes_into_its_convolution(tmp_path):
    graph = Graph((1, 2, 6, 6))
    padded = graph.node("Pad", "x", np.array([0, 0, 1, 1, 0, 0, 1, 1]), F(0), name="pad")
    y = graph.conv(padded, np.ones((1, 2, 3, 3)), name="c")
    network = read_onnx(graph.save(tmp_path / "net.onnx", y))
    assert network.subnet.layer("c").padding == 1 and network.subnet.layer("c").P == 6


def test_pools(tmp_path):
    """Windows with ceil, the average of what is there, an average over the whole image."""
    graph = Graph((1, 2, 8, 8))
    a = graph.node("MaxPool", "x", name="max", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    b = graph.node("AveragePool", a, name="average", kernel_shape=[3, 3], pads=[1] * 4)
    c = graph.node("AveragePool", b, name="whole", kernel_shape=[4, 4])
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", a, b, c))
    assert [str(layer.kind) for layer in network.subnet.layers] == ["maxpool", "avgpool", "pool"]
    x = np.random.default_rng(0).normal(0, 1, (1, 2, 8, 8)).astype(F)
    found = session(path).run(None, {"x": x})
    assert [array.shape[1:] for array in found] == [(layer.K, layer.P, layer.Q) for layer in network.subnet.layers]


def test_batch_of_any_size_is_one_image(tmp_path):
    graph = Graph(("N", 1, 4, 4))
    y = graph.conv("x", np.ones((1, 1, 1, 1)), name="c")
    network = read_onnx(graph.save(tmp_path / "net.onnx", y))
    assert network.notes == ('input "x": batch N is taken as 1 image',)


def test_names_are_made_different(tmp_path):
    """Nodes may have no name, one name twice, or the image's."""
    graph = Graph((1, 1, 4, 4))
    x = "x"
    for name in ("input", "c", "c", ""):
        x = graph.conv(x, np.ones((1, 1, 1, 1)), name=name or "unnamed")
        graph.nodes[-1].output[0] = x = f"t{len(graph.nodes)}"
    graph.nodes[-1].name = ""
    network = read_onnx(graph.save(tmp_path / "net.onnx", x))
    assert [layer.name for layer in network.subnet.layers] == ["input_2", "c", "c_2", "t4"]


def unsupported_graph():
    """A convolution between a Sigmoid (same shape), a ConvTranspose (another) and a Softmax; then another layer."""
    graph = Graph((1, 2, 4, 4))
    a = graph.node("Sigmoid", graph.conv("x", np.ones((2, 2, 1, 1)), name="conv1"), name="sigmoid")
    b = graph.conv(a, np.ones((3, 2, 3, 3)), name="conv2", pads=1)
    c = graph.node("ConvTranspose", b, np.ones((3, 2, 2, 2), F), name="conv3", strides=[2, 2])
    d = graph.conv(c, np.ones((4, 2, 3, 3)), name="conv4")
    return graph, graph.node("Softmax", graph.node("Flatten", d), name="softmax")


def test_an_operator_without_a_layer_is_named(tmp_path):
    graph, y = unsupported_graph()
    path = graph.save(tmp_path / "net.onnx", y)
    with pytest.raises(
        NetworkError, match=r'node "conv3" \(ConvTranspose\): there is no layer for this operator; --skip-'
    ):
        read_onnx(path)


def test_skip_unsupported(tmp_path):
    """What keeps its shape is as if it were not there; what does not comes from outside."""
    graph, y = unsupported_graph()
    network = read_onnx(graph.save(tmp_path / "net.onnx", y), skip_unsupported=True)
    assert [text.split(":")[0] for text in network.skipped] == [
        'node "conv3" (ConvTranspose)',
    ]
    assert [step.op for step in network.epilogue] == ["Softmax"]
    shown = [(layer.name, layer.inputs, layer.H) for layer in network.subnet.layers]
    assert shown == [("conv1", (INPUT,), 4), ("conv2", ("conv1",), 4), ("conv4", (INPUT,), 8)]
    assert not network.runnable


def test_skip_goes_on_where_no_shape_is_known(tmp_path):
    """What reads such a tensor is left out too, and says why; the rest stays."""
    graph = Graph((1, 2, 4, 4))
    a = graph.node("Mystery", "x", name="m", domain="com.example")
    graph.conv(a, np.ones((2, 2, 1, 1)), name="lost")
    y = graph.conv("x", np.ones((2, 2, 1, 1)), name="kept")
    model = graph.model(y)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    (path := tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    network = read_onnx(path, skip_unsupported=True)
    assert [layer.name for layer in network.subnet.layers] == ["kept"]
    assert "comes from an operator that was left out" in network.skipped[1]


def conv_graph(**attributes):
    graph = Graph((1, 4, 8, 8))
    return graph, graph.conv("x", np.ones((4, 4 // attributes.get("group", 1), 3, 3)), name="c", **attributes)


def after_conv(op, *operands, **attributes):
    graph, y = conv_graph()
    return graph, graph.node(op, y, *operands, name="after", **attributes)


def twice_read():
    graph, y = conv_graph(pads=1)
    return graph, graph.node("Add", graph.node("Relu", y, name="after"), y)


def norm_first():
    graph = Graph((1, 4, 8, 8))
    return graph, normalise(graph, np.random.default_rng(0), "x", 4, "after")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: conv_graph(strides=[1, 2]), "strides are 1, 2; give one for both directions"),
        (lambda: conv_graph(dilations=[4, 4], pads=4), "needs one of more than 7 rows or columns; give a smaller one"),
        (lambda: after_conv("Relu", domain="com.example"), "(com.example.Relu): there is no layer for this operator"),
    ],
)
def test_what_has_no_layer(tmp_path, made, text):
    graph, y = made()
    model = graph.model(y)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    (path := tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(NetworkError) as caught:
        read_onnx(path)
    message = str(caught.value)
    assert text in message and 'node "' in message and "\n" not in message


@pytest.mark.parametrize(
    "made",
    [
        lambda: conv_graph(pads=[0, 0, 1, 1]),
        lambda: conv_graph(pads=[1, 0, 1, 0]),
        lambda: conv_graph(pads=[2, 0, 0, 1], strides=2),
        lambda: conv_graph(auto_pad="SAME_UPPER", strides=2),
        lambda: conv_graph(auto_pad="SAME_LOWER", strides=2),
        lambda: conv_graph(dilations=[2, 2]),
        lambda: conv_graph(dilations=[2, 1], pads=[2, 1, 2, 1]),
        lambda: conv_graph(strides=4),
        lambda: conv_graph(group=2, pads=1),
        lambda: after_conv("HardSigmoid", alpha=0.3),
        lambda: after_conv("AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1),
        lambda: after_conv("Add", np.ones((1, 1, 6, 1), F)),
        lambda: after_conv("Reshape", np.array([1, 8, 18])),
        lambda: after_conv("Mul", np.full((1,), 1.5, F)),
        lambda: after_conv("Sub", np.arange(4, dtype=F).reshape(4, 1, 1)),
        lambda: after_conv("Div", np.array(0.5, F)),
        lambda: after_conv("ReduceMean", axes=[1]),
        lambda: after_conv("MaxPool", kernel_shape=[5, 5], pads=[2] * 4),
        lambda: after_conv("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        lambda: after_conv("GlobalMaxPool"),
        lambda: after_conv("LRN", size=3, alpha=0.3),
        lambda: after_conv("LeakyRelu", alpha=0.2),
        lambda: after_conv("Tanh"),
        lambda: after_conv("Softmax", axis=1),
        lambda: after_conv("Transpose", perm=[0, 2, 3, 1]),
        twice_read,
        norm_first,
    ],
)
def test_what_becomes_layers_and_steps_is_computed(tmp_path, made):
    """Against onnxruntime; every multiply-accumulate is in a layer."""
    graph, y = made()
    rng = np.random.default_rng(1)
    for place, tensor in enumerate(graph.constants):
        array = numpy_helper.to_array(tensor)
        if array.ndim == 4 and array.shape[0] == 4:
            graph.constants[place] = numpy_helper.from_array(rng.normal(0, 1, array.shape).astype(F), tensor.name)
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    x = rng.normal(0, 1, (1, 4, 8, 8)).astype(F)
    theirs = session(path).run(None, {"x": x})[0]
    ours = results(network, x)[y]
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert not {"Conv", "MatMul", "Gemm"} & {step.op for step in (*network.prologue, *network.epilogue)}
