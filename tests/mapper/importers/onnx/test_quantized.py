"""int8 models: each layer's integers against onnxruntime, on what its own tools emit and on random QLinear nets."""

import platform
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind
from arch_model.network.weights import AddQuant, ConvQuant
from mapper.importers import read_onnx
from mapper.layout import dram_image
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from sim.integers.program_interpreter import Machine
from sim.integers.reference import add, conv, pool, run_layers
from tests.mapper.importers.onnx.nets import Graph, residual_graph, session

F = np.float32
# On ARM, onnxruntime's addition rounds halves away from zero.
pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the rule is for x86-64")


class Calibration(CalibrationDataReader):
    def __init__(self, rng, shape, count=6):
        self.images = iter([{"x": rng.normal(0, 1, shape).astype(F)} for _ in range(count)])

    def get_next(self):
        return next(self.images, None)


def layer_outputs(network, path, folder):
    """A session that gives the image and every layer's int8 tensor, and their names in its order of outputs."""
    model = onnx.load(path)
    sources = {node.output[0]: node for node in model.graph.node}
    stored, quantised = {}, [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    for node in model.graph.node:
        if node.op_type.startswith("QLinear") or node.op_type == "QGemm":
            stored[node.name] = node.output[0]
    for node in quantised:
        maker = sources.get(node.input[0])
        while maker is not None and maker.op_type in ("Relu", "Clip", "BatchNormalization"):
            maker = sources[maker.input[0]]
        if maker is None:
            stored[INPUT] = node.output[0]
        elif not (maker.op_type == "Flatten" and maker.name not in stored):
            stored[maker.name] = node.output[0]
    names = [layer.name for layer in network.subnet.layers]
    assert set(names) <= set(stored), (names, stored)
    wanted = [name for name in (INPUT, *names) if name in stored]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(stored[name]) for name in wanted)
    onnx.save(model, folder / "layers.onnx")
    return session(folder / "layers.onnx"), wanted


def one_layer(layer, network, tensors):
    """The reference's output of a layer for given inputs; groups one by one, which run_layers has no word for."""
    q, inputs = network.quant[layer.name], [tensors[name] for name in layer.inputs]
    if layer.kind is Kind.ADD:
        return add(*inputs, q)
    if layer.kind is Kind.POOL:
        return pool(inputs[0], q)
    k, c, weights = layer.K // layer.groups, layer.C // layer.groups, network.weights[layer.name]
    parts = []
    for g in range(layer.groups):
        own = slice(g * k, (g + 1) * k)
        part = replace(q, bias=q.bias[own], multiplier=q.multiplier[own], shift=q.shift[own])
        parts.append(conv(inputs[0][g * c : (g + 1) * c], weights[own], replace(layer, K=k, C=c, groups=1), part))
    return np.concatenate(parts)


def compare(network, path, folder, images):
    """Each layer, given onnxruntime's own operands, against onnxruntime: {layer: wrong outputs}, and their number."""
    runtime, names = layer_outputs(network, path, folder)
    wrong, count = {layer.name: 0 for layer in network.subnet.layers}, 0
    for image in images:
        found = dict(zip(names, runtime.run(None, {runtime.get_inputs()[0].name: image}), strict=False))
        shapes = {layer.name: (layer.K, layer.P, layer.Q) for layer in network.subnet.layers}
        given = {
            name: network.tensors[name].from_stored(tensor).reshape(shapes.get(name, tensor.shape[1:]))
            for name, tensor in found.items()
        }
        if INPUT not in given:
            given[INPUT] = network.tensors[INPUT].from_stored(image[0])
        for layer in network.subnet.layers:
            made = one_layer(layer, network, given)
            difference = made.astype(int) - given[layer.name]
            assert np.abs(difference).max() <= 1, layer.name
            wrong[layer.name] += np.count_nonzero(difference)
            count += difference.size
    return wrong, count


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activations", [QuantType.QUInt8, QuantType.QInt8])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_quantize_static_emits(tmp_path, seed, form, activations, per_channel):
    rng = np.random.default_rng(seed)
    graph, end = residual_graph(rng)
    graph.save(tmp_path / "float.onnx", end)
    quantize_static(
        str(tmp_path / "float.onnx"),
        str(path := tmp_path / "int8.onnx"),
        Calibration(rng, (1, 3, 16, 16)),
        quant_format=form,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        reduce_range=True,
    )
    network = read_onnx(path)
    assert network.runnable and not network.skipped
    assert [layer.kind for layer in network.subnet.layers][-2:] == [Kind.POOL, Kind.LINEAR]
    images = [rng.normal(0, 1.2, (1, 3, 16, 16)).astype(F) for _ in range(20)]
    wrong, count = compare(network, path, tmp_path, images)
    assert {name for name, n in wrong.items() if n} <= set(network.wrong_steps)
    assert sum(wrong.values()) <= 2e-4 * count
    # the whole network, from the real image to the real result
    runtime, last = session(path), network.subnet.layers[-1].name
    exact = 0
    for image in images:
        made = run_layers(
            network.subnet.layers, network.weights, network.quant, network.tensors[INPUT].quantize(image[0])
        )
        result = network.tensors[last].dequantize(made[last]).reshape(1, -1)
        exact += np.array_equal(result, runtime.run(None, {"x": image})[0])
    assert exact == 20 if network.bit_exact else exact >= 17


def few_bits(rng, low, high, shape=()):
    """Powers of two for activations; for weights a small integer times one, so that every ratio is of 3 bits."""
    powers = 2.0 ** rng.integers(low, high, shape)
    return F(powers * rng.integers(4, 8, shape) / 4 if shape else powers)


def arbitrary(rng, low, high, shape=()):
    return F(2.0 ** rng.uniform(low, high, shape))


def qlinear_graph(rng, dtype, scales, even=False):
    """QLinear nodes with random integers: conv 5 x 5, 3 x 3 and 1 x 1 of stride 1 and 2, depthwise, add, pool, gemm."""
    info, half = np.iinfo(dtype), 128 if dtype == np.uint8 else 0
    graph = Graph((1, 3, 15, 8), dtype)  # 32 pixels to pool
    meaning = {}

    def fresh():
        zero = int(rng.integers(-60, 60)) // 2 * 2 if even else int(rng.integers(-128, 128))
        return scales(rng, -7, -5), np.array(np.clip(zero + half, info.min, info.max), dtype)

    def quantised(x):
        return [x, *meaning[x]]

    def layer(op, name, x, k, c, r, stride=1, groups=1, pad=None):
        fan = c // groups * r * r
        shape = (k, c // groups, r, r) if op == "QLinearConv" else (k, c)
        w, zero = rng.integers(-63, 64, shape).astype(np.int8), np.zeros(k, np.int8)
        out = fresh()
        sigma = 37 * 74 * np.sqrt(fan)  # of the sum; to be about 40 steps of the output
        ratio = 40 / sigma * float(out[0]) / float(meaning[x][0])
        middle = int(np.floor(np.log2(ratio)))
        ws = scales(rng, middle - 2, middle, k)
        bias = rng.integers(-int(sigma), int(sigma), k).astype(np.int32)
        rest = (
            {"pads": [r // 2] * 4, "strides": [stride] * 2, "group": groups} if op == "QLinearConv" else {"transB": 1}
        )
        after = [*out, bias] if op == "QLinearConv" else [bias, *out]
        domain = "" if op == "QLinearConv" else "com.microsoft"
        y = graph.node(op, *quantised(x), w, ws, zero, *after, name=name, domain=domain, **rest)
        meaning[y] = out
        return y

    def other(op, name, *operands):
        out = fresh()
        rest = {"channels_last": 0} if "Pool" in op else {}
        y = graph.node(
            op, *(i for x in operands for i in quantised(x)), *out, name=name, domain="com.microsoft", **rest
        )
        meaning[y] = out
        return y

    meaning["x"] = fresh()
    a = layer("QLinearConv", "stem", "x", 12, 3, 5)
    b = layer("QLinearConv", "wide", a, 12, 12, 3, stride=2)
    d = layer("QLinearConv", "down", a, 12, 12, 1, stride=2)
    e = other("QLinearAdd", "add", b, d)
    g = layer("QLinearConv", "depthwise", e, 12, 12, 3, groups=12)
    g = layer("QLinearConv", "grouped", g, 24, 12, 3, groups=3)
    p = other("QLinearGlobalAveragePool", "pool", g)
    f = graph.node("Flatten", p, name="flat")
    meaning[f] = meaning[p]
    return graph, layer("QGemm", "fc", f, 10, 24, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("seed", range(4))
def test_few_bits_are_bit_exact(tmp_path, seed, dtype):
    """The rule: scales of few bits and even zero points leave no wrong step, and no output differs."""
    rng = np.random.default_rng(seed)
    graph, end = qlinear_graph(rng, dtype, few_bits, even=True)
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", end, dtype=dtype))
    assert network.bit_exact and network.wrong_steps == {}
    assert all("its 3 groups run as one of all channels" in note for note in network.notes)
    info = np.iinfo(dtype)
    images = [rng.integers(info.min, info.max + 1, (1, 3, 15, 8)).astype(dtype) for _ in range(25)]
    wrong, count = compare(network, path, tmp_path, images)
    assert set(wrong.values()) == {0} and count > 90_000


@pytest.mark.parametrize("seed", range(8))
def test_arbitrary_scales_differ_only_where_it_says(tmp_path, seed):
    rng = np.random.default_rng(100 + seed)
    dtype = (np.uint8, np.int8)[seed % 2]
    graph, end = qlinear_graph(rng, dtype, arbitrary)
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", end, dtype=dtype))
    assert network.runnable
    info = np.iinfo(dtype)
    images = [rng.integers(info.min, info.max + 1, (1, 3, 15, 8)).astype(dtype) for _ in range(25)]
    wrong, count = compare(network, path, tmp_path, images)
    assert {name for name, n in wrong.items() if n} <= set(network.wrong_steps)
    assert sum(wrong.values()) <= 2e-4 * count


def test_wrong_steps_are_real(tmp_path):
    """One channel whose float32 lands on a tie: the integers differ there, as the network says, and nowhere else.

    Scale 0.3: 15 * float32(0.3) is 4.50000018, in float32 4.5, to 4; exactly, 5. And 5 * 0.3 goes from 1.50000006 to 2
    in both.
    """
    graph = Graph((1, 1, 1, 256), np.int8)
    w, one, zero = np.ones((1, 1, 1, 1), np.int8), F(1.0), np.int8(0)
    y = graph.node("QLinearConv", "x", one, zero, w, F(0.3), zero, one, zero, name="c")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y, dtype=np.int8))
    image = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 1, 256)
    theirs = session(path).run(None, {"x": image})[0][0]
    ours = run_layers(network.subnet.layers, network.weights, network.quant, image[0])["c"]
    different = image[0][theirs != ours]
    assert 15 in different and 5 not in different
    assert len(different) == network.wrong_steps["c"] and network.runnable and not network.bit_exact


def test_by_hand(tmp_path):
    """uint8 x = 130, zero point 128, weight 3 about 1, bias 5: (130 - 128) 2 + 5 = 9; 9 / 2 to 4; + 10 - 128."""
    graph = Graph((1, 1, 1, 1), np.uint8)
    w = np.full((1, 1, 1, 1), 3, np.int8)
    operands = [F(0.5), np.uint8(128), w, F(0.25), np.int8(1), F(0.25), np.uint8(10), np.array([5], np.int32)]
    y = graph.node("QLinearConv", "x", *operands, name="c")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y, dtype=np.uint8))
    q = network.quant["c"]
    assert isinstance(q, ConvQuant) and network.weights["c"].tolist() == [[[[2]]]]
    assert (q.bias.tolist(), q.multiplier[0] / 2.0 ** q.shift[0], q.z_in, q.z_out, q.lo) == ([5], 0.5, 0, -118, -128)
    meaning = network.tensors["c"]
    assert (meaning.offset, meaning.zero_point) == (128, -118)
    image = network.tensors[INPUT].from_stored(np.array([[[130]]], np.uint8))
    assert image.tolist() == [[[2]]]
    made = run_layers(network.subnet.layers, network.weights, network.quant, image)["c"]
    assert made.tolist() == [[[-114]]] and meaning.to_stored(made).tolist() == [[[14]]]
    assert session(path).run(None, {"x": np.array([[[[130]]]], np.uint8)})[0].tolist() == [[[[14]]]]


def test_relu_and_clip_between_scales(tmp_path):
    """DQ - Conv - Clip(0, 6) - Q with zero point 10 and scale 1/16: 10 to 106 in int8."""
    graph = Graph((1, 2, 4, 4))
    w = graph.node("DequantizeLinear", np.full((2, 2, 1, 1), 64, np.int8), F(1 / 64), np.int8(0), name="dw")
    image = graph.node("QuantizeLinear", "x", F(1 / 8), np.int8(0), name="qx")
    real = graph.node("DequantizeLinear", image, F(1 / 8), np.int8(0), name="dx")
    y = graph.node("Conv", real, w, name="c")
    y = graph.node("Clip", y, F(0.0), F(6.0), name="clip")
    y = graph.node("QuantizeLinear", y, F(1 / 16), np.int8(10), name="qy")
    y = graph.node("DequantizeLinear", y, F(1 / 16), np.int8(10), name="dy")
    y = graph.node("Relu", y, name="relu")  # on the int8 tensor: 0 is 10 there already
    y = graph.node("QuantizeLinear", y, F(1 / 16), np.int8(10), name="qz")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y, dtype=np.int8))
    q = network.quant["c"]
    assert (q.lo, q.hi, q.z_out) == (10, 106, 10)
    assert network.subnet.layers[0].activation == "relu6"
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.normal(0, 4, (1, 2, 4, 4)).astype(F)
        made = run_layers(network.subnet.layers, network.weights, network.quant, network.tensors[INPUT].quantize(x[0]))
        assert np.array_equal(made["c"], session(path).run(None, {"x": x})[0][0])


def test_flattened_image_is_a_convolution(tmp_path):
    """QGemm on 3 x 2 x 2 features: a convolution whose kernel covers the image."""
    rng = np.random.default_rng(3)
    graph = Graph((1, 3, 2, 2), np.uint8)
    flat = graph.node("Flatten", "x", name="flat")
    w = rng.integers(-63, 64, (12, 5)).astype(np.int8)
    one = [F(0.5), np.uint8(3), w, F(2**-6), np.int8(0), np.array([7, 0, -5, 1, 2], np.int32), F(0.5), np.uint8(90)]
    y = graph.node("QGemm", flat, *one, name="fc", domain="com.microsoft")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", y, dtype=np.uint8))
    (layer,) = network.subnet.layers
    assert (layer.kind, layer.K, layer.C, layer.R, layer.S, layer.H, layer.W) == ("conv", 5, 3, 2, 2, 2, 2)
    assert network.bit_exact
    for _ in range(10):
        x = rng.integers(0, 256, (1, 3, 2, 2)).astype(np.uint8)
        made = run_layers([layer], network.weights, network.quant, network.tensors[INPUT].from_stored(x[0]))["fc"]
        assert np.array_equal(network.tensors["fc"].to_stored(made).reshape(1, 5), session(path).run(None, {"x": x})[0])


def test_addition_keeps_the_order_of_onnxruntime(tmp_path):
    """The layer made last is operand a, whichever way round ONNX has them; multipliers go with their operands."""
    for turned in (False, True):
        graph = Graph((1, 1, 2, 2), np.int8)
        zero, w = np.int8(0), np.ones((1, 1, 1, 1), np.int8)
        first = graph.node("QLinearConv", "x", F(1), zero, w, F(1), zero, F(0.5), zero, name="first")
        last = graph.node("QLinearConv", "x", F(1), zero, w, F(1), zero, F(0.25), np.int8(4), name="last")
        operands = [[first, F(0.5), zero], [last, F(0.25), np.int8(4)]]
        a, b = operands[::-1] if turned else operands
        y = graph.node("QLinearAdd", *a, *b, F(1), zero, name="add", domain="com.microsoft")
        network = read_onnx(graph.save(tmp_path / "net.onnx", y, dtype=np.int8))
        assert network.subnet.layer("add").inputs == ("last", "first")
        q = network.quant["add"]
        assert isinstance(q, AddQuant)
        assert (q.m_a / 2**q.shift, q.m_b / 2**q.shift, q.z_a, q.z_b) == (0.25, 0.5, 4, 0)


@pytest.mark.slow
def test_an_imported_network_compiles_and_runs(tmp_path):
    """From ONNX to a Program, executed on raw buffers: onnxruntime's integers."""
    rng = np.random.default_rng(8)
    graph = Graph((1, 3, 8, 8), np.int8)
    zero = np.int8(0)

    def layer(name, x, k, c, r, stride, scale):
        w = rng.integers(-63, 64, (k, c, r, r)).astype(np.int8)
        rest = {"pads": [r // 2] * 4, "strides": [stride] * 2}
        return graph.node("QLinearConv", x, F(1), zero, w, F(scale), zero, F(1), zero, name=name, **rest)

    a = layer("a", "x", 6, 3, 3, 1, 2.0**-10)
    b, d = layer("b", a, 10, 6, 3, 2, 2.0**-10), layer("d", a, 10, 6, 1, 2, 2.0**-9)
    e = graph.node("QLinearAdd", b, F(1), zero, d, F(1), zero, F(1), zero, name="e", domain="com.microsoft")
    network = read_onnx(graph.save(path := tmp_path / "net.onnx", e, dtype=np.int8))
    assert network.bit_exact
    tiny, supernet, subnet = Accelerator.load("tiny"), network.supernet, network.subnet
    memory_map = MemoryMap.build(supernet, [subnet], tiny)
    program = compile_subnet(subnet, supernet, tiny, network.quant, memory_map)
    image = rng.integers(-128, 128, (1, 3, 8, 8)).astype(np.int8)
    dram = np.zeros(tiny.dram.bytes, np.uint8)
    segments = [
        *dram_image.weights_segments(memory_map, network.weights),
        *dram_image.zsb_segments(memory_map, subnet, network.weights, network.quant),
        dram_image.image_segment(memory_map, subnet, image[0]),
        dram_image.program_segment(program),
    ]
    dram_image.write_segments(dram, segments)
    Machine(tiny, dram, 0).run(program.address, len(program.encode()))
    made = dram_image.read_tensor(dram, program, program.layers[-1].tensor)
    assert np.array_equal(made, session(path).run(None, {"x": image})[0][0])
