"""What a row of the table says holds: all that it does not name is refused by name, and what it names is honoured."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mapper.importers import NetworkError, read_onnx
from mapper.importers.onnx.model import Node, Unsupported
from mapper.importers.onnx.table import RANDOM, TABLE, check_node
from tests.mapper.importers.float_network import results, run_floats
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32
NEWEST = onnx.defs.onnx_opset_version()


def node(op, inputs=(), outputs=("y",), domain="", opset=NEWEST, **attributes):
    return Node(op, "n", tuple(inputs), tuple(outputs), attributes, domain, opset, None)


def schemas():
    """Every version from operator set 7 on of every operator that has a row and is ONNX's own."""
    for op in TABLE:
        versions = {}
        for opset in range(7, NEWEST + 1):
            try:
                schema = onnx.defs.get_schema(op, opset, "")
            except onnx.defs.SchemaError:
                continue
            versions[schema.since_version] = schema
        yield from ((op, version, schema) for version, schema in versions.items())


def other_value(attribute):
    """A value that is not the attribute's default."""
    default = helper.get_attribute_value(attribute.default_value) if attribute.default_value.name else None
    values = {
        onnx.defs.OpSchema.AttrType.INT: 3,
        onnx.defs.OpSchema.AttrType.FLOAT: 0.125,
        onnx.defs.OpSchema.AttrType.STRING: b"other",
        onnx.defs.OpSchema.AttrType.INTS: [3, 5],
    }
    value = values.get(attribute.type, [b"other"])
    assert value != default
    return value


def test_every_attribute_of_every_version_is_read_or_refused_by_name():
    """By ONNX's own description of each, and for an attribute that none has."""
    refused = 0
    for op, version, schema in schemas():
        row = TABLE[op]
        for key, attribute in {**schema.attributes, "frobnicate": None}.items():
            if key in row.reads or key in row.idle:
                continue
            value = other_value(attribute) if attribute is not None else 1
            with pytest.raises(Unsupported, match=rf"\b{key}\b"):
                check_node(node(op, opset=version, **{key: value}), {})
            refused += 1
            if attribute is not None and attribute.default_value.name:
                check_node(node(op, opset=version, **{key: helper.get_attribute_value(attribute.default_value)}), {})
    assert refused > 60


def test_every_input_of_every_version_is_read_or_refused_by_name():
    for op, version, schema in schemas():
        names = [f"t{place}" for place in range(len(schema.inputs) + 1)]
        if len(names) > len(TABLE[op].inputs) and not TABLE[op].many:
            extra = names[len(TABLE[op].inputs)]
            with pytest.raises(Unsupported, match=rf'"{extra}", is not understood'):
                check_node(node(op, names, opset=version), {})
        check_node(node(op, names[: len(TABLE[op].inputs)], opset=version), {})
        check_node(node(op, [*names[: len(TABLE[op].inputs)], "", ""], opset=version), {})  # left out


def test_rows_name_what_is_there():
    """No row reads an attribute or input that no version of its operator has: a slip of the pen would read nothing."""
    known = {}
    for op, _, schema in schemas():
        known.setdefault(op, [set(), 0])
        known[op] = [known[op][0] | set(schema.attributes), max(known[op][1], len(schema.inputs))]
    own = {"QLinearConv": {"channels_last"}}  # of onnxruntime's operator of that name
    own["DequantizeLinear"] = {"output_dtype"}  # of operator set 23, which an older onnx does not have
    for op, (attributes, inputs) in known.items():
        row = TABLE[op]
        assert {*row.reads, *row.idle, *row.only} <= attributes | own.get(op, set()) | {
            "block_size",
            "precision",
            "saturate",
        }
        assert len(row.inputs) <= inputs
    assert set(TABLE) - set(known) == {
        *("QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearMul"),
    }


def test_results_of_training_and_further_results():
    norm = node("BatchNormalization", "abcde", ("y", "mean", "var"), opset=13)
    with pytest.raises(Unsupported, match='its result "mean" is of training; export it for inference'):
        check_node(norm, {})
    check_node(node("MaxPool", "x", ("y", "where")), {"where": 0})
    with pytest.raises(Unsupported, match='its second result "where" is read'):
        check_node(node("MaxPool", "x", ("y", "where")), {"where": 1})
    check_node(node("Dropout", "x", ("y", "mask")), {})


def graph_of(build, shape=(1, 4, 6, 6), dtype=F):
    graph = Graph(shape, dtype)
    return graph, build(graph)


def norm(**attributes):
    def build(graph):
        y = graph.conv("x", np.ones((4, 4, 1, 1)), name="c")
        return graph.node("BatchNormalization", y, *[np.ones(4, F)] * 4, name="n", **attributes)

    return build


def after_conv(op, *operands, **attributes):
    def build(graph):
        return graph.node(op, graph.conv("x", np.ones((4, 4, 1, 1)), name="c"), *operands, name="n", **attributes)

    return build


def convolution(weights=None, bias=None, **attributes):
    return lambda graph: graph.conv("x", np.ones((4, 4, 3, 3)) if weights is None else weights, bias, "n", **attributes)


def weights_with(value):
    weights = np.ones((4, 4, 3, 3), F)
    weights[1, 2, 0, 0] = value
    return weights


def quantised(*, scale=0.5, zero=None, axis=0, bias=None, steps=None, **attributes):
    """Image, a convolution of int8 weights with those attributes of their DequantizeLinear, result."""

    def build(graph):
        x = graph.node("QuantizeLinear", "x", F(0.125), np.int8(0))
        x = graph.node("DequantizeLinear", x, F(0.125), np.int8(0))
        constant = np.full((4, 4, 1, 1), 3, np.int8) if steps is None else steps
        w = graph.node(
            "DequantizeLinear",
            constant,
            np.asarray(scale, F),
            np.int8(0) if zero is None else zero,
            name="w",
            axis=axis,
            **attributes,
        )
        y = graph.node("Conv", x, w, *([] if bias is None else [bias(graph)]), name="n")
        return graph.node("QuantizeLinear", y, F(0.125), np.int8(0))

    return build


@pytest.mark.parametrize(
    ("build", "opset", "text"),
    [
        (norm(training_mode=1), 17, "its training_mode is 1; give 0"),
        (norm(spatial=0), 7, "its spatial is 0; give 1"),
        (after_conv("Dropout", F(0.5), np.bool_(True)), 17, "training_mode is 1; export it for inference"),
        (
            after_conv("ReduceMean", np.array([2, 3]), noop_with_empty_axes=1),
            18,
            "its noop_with_empty_axes is 1; give 0",
        ),
        (after_conv("Reshape", np.array([0, -1]), allowzero=1), 17, "Product cannot be 0"),
        (after_conv("Pad", np.array([1, 1, 1, 1]), F(0), np.array([2, 3])), 18, 'its input 4, "k3", is not understood'),
        (after_conv("Clip", F(np.nan), F(1)), 17, 'its min "k1" has a nan among its values'),
        (after_conv("Clip", min=float("nan")), 7, "its bounds are nan and inf; give numbers"),
        (after_conv("HardSigmoid", alpha=float("nan"), beta=0.5), 17, "its alpha is nan; give a finite number"),
        (after_conv("BatchNormalization", *[np.ones(4, F)] * 4, epsilon=float("nan")), 17, "add up to nan"),
        (convolution(kernel_shape=[5, 5]), 17, "kernel_shape is 5 x 5 and its weights are 3 x 3; give the same"),
        (convolution(kernel_shape=[3, 1]), 17, "kernel_shape is 3 x 1"),
        (convolution(auto_pad="SAME_UPPER", pads=1), 17, "it has auto_pad SAME_UPPER and pads; give one of them"),
        (convolution(auto_pad="WRAP"), 17, "auto_pad is WRAP"),
        (convolution(pads=[1, 1]), 17, "Attribute pads has incorrect size"),
        (convolution(weights_with(np.nan)), 17, 'its weights "k0" has a nan among its values; give finite numbers'),
        (convolution(weights_with(np.inf)), 17, "has a inf among"),
        (convolution(bias=np.array([0, 0, -np.inf, 0])), 17, 'its bias "k1" has a -inf'),
        (convolution(bias=np.ones(1)), 17, "its bias is (1,) for 4 channels; give (4,)"),
        (convolution(bias=np.ones((4, 1))), 17, "its bias is (4, 1) for 4 channels"),
        (convolution(frobnicate=2), 17, "Unrecognized attribute: frobnicate"),
        (
            quantised(block_size=2, scale=np.ones((2, 4, 1, 1)), zero=np.zeros((2, 4, 1, 1), np.int8)),
            21,
            "its block_size is 2",
        ),
        (
            quantised(scale=np.ones((4, 1)), zero=np.zeros((4, 1), np.int8)),
            17,
            "its scale has shape (4, 1); give one, or",
        ),
        (quantised(scale=np.nan), 17, 'its scale "k5" has a nan among'),
        (quantised(scale=[1, 1, -1, 1], zero=np.zeros(4, np.int8)), 17, "its scale is -1; give a positive one"),
        (quantised(scale=0.0), 17, "its scale is 0; give a positive one"),
        pytest.param(
            *(quantised(output_dtype=TensorProto.FLOAT16), 23, "output_dtype is FLOAT16; give FLOAT"),
            marks=pytest.mark.skipif(NEWEST < 23, reason="this onnx does not have the attribute"),
        ),
        (quantised(zero=np.uint8(0)), 17, ""),
    ],
)
def test_what_changes_the_meaning_is_refused_by_name(tmp_path, build, opset, text):
    graph, y = graph_of(build)
    with pytest.raises(NetworkError) as caught:
        read_onnx(graph.save(tmp_path / "net.onnx", y, opset=opset))
    assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("op", RANDOM)
def test_what_is_random_is_no_constant(tmp_path, op):
    """A bias from a generator of random numbers: evaluated once, it would be a constant."""
    graph = Graph((1, 4, 6, 6))
    given = {} if op.endswith("Like") or op in ("Bernoulli", "Multinomial") else {"shape": [4]}
    operands = [] if given else [np.ones((1, 4) if op == "Multinomial" else 4, F)]
    bias = graph.node(op, *operands, name="r", **given)
    graph.nodes.append(helper.make_node("Conv", ["x", graph.constant(np.ones((4, 4, 1, 1), F)), bias], ["y"]))
    with pytest.raises(NetworkError, match=rf'node "r" \({op}\): what it makes is random'):
        read_onnx(graph.save(tmp_path / "net.onnx", "y"))


def test_old_operator_sets_are_refused(tmp_path):
    graph, y = graph_of(convolution())
    with pytest.raises(NetworkError, match="it names operator set 6 of ONNX; export it anew with 7 or later"):
        read_onnx(graph.save(tmp_path / "net.onnx", y, opset=6))


def test_what_makes_no_difference_is_taken(tmp_path):
    """Defaults said aloud, momentum, an unread second result, Dropout of inference, a stated kernel."""
    graph = Graph((1, 4, 6, 6))
    y = graph.conv(
        "x", np.ones((4, 4, 3, 3)), name="c", kernel_shape=[3, 3], dilations=[1, 1], auto_pad="NOTSET", group=1
    )
    y = graph.node("BatchNormalization", y, *[np.ones(4, F)] * 4, training_mode=0, momentum=0.3, epsilon=1e-5)
    y = graph.node("Dropout", y, F(0.5), np.bool_(False), seed=3)
    y = graph.node("MaxPool", y, kernel_shape=[3, 3], storage_order=1, dilations=[1, 1])
    graph.nodes[-1].output.append("where")
    network = read_onnx(graph.save(tmp_path / "net.onnx", y))
    assert [str(layer.kind) for layer in network.subnet.layers] == ["conv", "maxpool"]


@pytest.mark.parametrize(
    "shape",
    [*[(), (1,), (8,), (1, 8), (8, 1), (1, 1, 8), (1, 8, 1), (8, 1, 1), (1, 8, 1, 1), (1, 1, 8, 1), (1, 1, 1, 8)]],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_constant_is_added_along_its_own_axis(tmp_path, shape, first):
    """8 channels of 8 x 8: sizes tell nothing, the axis does. A value a channel is a bias, others are the host's."""
    rng = np.random.default_rng(0)
    graph = Graph((1, 3, 8, 8))
    y = graph.conv("x", rng.normal(0, 1, (8, 3, 3, 3)), name="c", pads=1)
    constant = rng.normal(0, 1, shape).astype(F)
    y = graph.node("Add", *((constant, y) if first else (y, constant)), name="a")
    path = graph.save(tmp_path / "net.onnx", y)
    x, network = rng.normal(0, 1, (1, 3, 8, 8)).astype(F), read_onnx(path)
    np.testing.assert_allclose(results(network, x)[y], session(path).run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)
    (layer,) = network.subnet.layers
    assert layer.bias is (shape in ((), (1,), (8, 1, 1), (1, 8, 1, 1)))
    assert [step.op for step in network.epilogue] == ([] if layer.bias else ["Add"])


def test_batch_norm_parameters_are_one_a_channel(tmp_path):
    def build(variance, gain=4):
        def made(graph):
            y = graph.conv("x", np.ones((4, 4, 1, 1)), name="c")
            return graph.node("BatchNormalization", y, np.ones(gain, F), *[np.ones(4, F)] * 2, F(variance), name="n")

        return graph_of(made)

    for (graph, y), text in (
        (build([1] * 4, 1), "do not fit each other"),
        (build([1, 1, -1, 1]), "add up to -0.99999"),
    ):
        with pytest.raises(NetworkError, match=text):
            read_onnx(graph.save(tmp_path / "net.onnx", y))


def test_hard_swish_after_an_addition(tmp_path):
    """One operand of the addition is read twice; the activation is that of a copy of the sum, not a convolution's."""
    rng = np.random.default_rng(1)
    graph = Graph((1, 4, 6, 6))
    a = graph.node("Relu", graph.conv("x", rng.normal(0, 0.3, (4, 4, 3, 3)), name="a", pads=1))
    b = graph.conv(a, rng.normal(0, 0.3, (4, 4, 3, 3)), name="b", pads=1)
    y = graph.node("HardSwish", graph.node("Add", b, a, name="sum"))
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y))
    assert {layer.name: str(layer.activation) for layer in network.subnet.layers} == {
        "a": "relu",
        "b": "none",
        "sum": "none",
        "hardswish4_copy": "hswish",
    }
    x = rng.normal(0, 1, (1, 4, 6, 6)).astype(F)
    np.testing.assert_allclose(
        run_floats(network, x[0])["hardswish4_copy"], session(path).run(None, {"x": x})[0][0], rtol=1e-4, atol=1e-5
    )
