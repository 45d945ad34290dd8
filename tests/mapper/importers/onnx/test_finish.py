"""Tables behind convolutions: by hand, and as commands of the machine, against the reference."""

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Activation, Kind, Layer
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.finish import copied, finish, lookup
from mapper.importers.onnx.ops import Curve, Operator, Value
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from sim.integers.reference import conv
from tests.mapper.importers.onnx.test_curves import Qdq, differing, read
from tests.sim.integers.test_program_interpreter import Host

ONE = TensorQuant(np.float32(1), 0)


def curve(table) -> Curve:
    return Curve(Value("a", (2, 3, 3), quant=ONE), np.zeros(256), np.asarray(table, np.int8), unsure=1)


def operators(*layers: Layer) -> list[Operator]:
    return [Operator(layer, (ONE,) * layer.kind.operands, out=ONE) for layer in layers]


def test_a_lookup_copies():
    x = np.arange(-9, 9).reshape(2, 3, 3).astype(np.int8)
    made = lookup("copy", "a", (2, 3, 3), ONE, None)
    assert np.array_equal(conv(x, made.steps, made.layer, copied(2)), x)


def test_tables_of_tables():
    """Negate, then add one: both behind the convolution, which then makes 1 - x."""
    every = np.arange(-128, 128)
    negated, more = np.clip(-every, -128, 127), np.clip(every + 1, -128, 127)
    (a,) = operators(Layer("a", Kind.CONV, 2, 2, H=3, W=3, inputs=("input",)))
    chain = [lookup("b", "a", (2, 3, 3), ONE, curve(negated)), lookup("c", "b", (2, 3, 3), ONE, curve(more))]
    for one in chain:
        one.after = ONE
    kept, renamed = finish([a, *chain], {"c"})
    assert kept == [a] and renamed == {"b": "a", "c": "a"} and a.layer.activation is Activation.CURVE
    assert a.curve.steps[128 + np.array([-128, 0, 5])].tolist() == [127, 1, -4] and a.curve.unsure == 2


def test_a_result_keeps_its_lookup():
    """The tensor before the table is a result, too."""
    (a,) = operators(Layer("a", Kind.CONV, 2, 2, H=3, W=3, inputs=("input",)))
    made = lookup("b", "a", (2, 3, 3), ONE, curve(np.zeros(256)))
    kept, renamed = finish([a, made], {"a", "b"})
    assert kept == [a, made] and not renamed and a.layer.activation is Activation.NONE


def test_lookups_and_copies_run(tmp_path):
    """A table on the image, one behind a depthwise convolution, one behind an addition, and a sum of two pools."""
    rng, graph = np.random.default_rng(5), Qdq(shape=(1, 3, 6, 6))
    image = graph.real("x", 1 / 32)
    y = graph.real(graph.node("HardSwish", image, name="first"), 1 / 32)
    weights = graph.node(
        "DequantizeLinear", rng.integers(-60, 61, (3, 1, 3, 3)).astype(np.int8), np.float32(1 / 64), np.int8(0)
    )
    y = graph.node("Conv", y, weights, name="depthwise", group=3, pads=[1] * 4)
    y = graph.real(graph.node("Sigmoid", graph.real(y, 1 / 16), name="s"), 1 / 128)
    y = graph.real(graph.node("Add", graph.real(graph.pointwise(y, rng, 3, 3, "c"), 1 / 64), y, name="sum"), 1 / 32)
    y = graph.real(graph.node("Tanh", y, name="tanh"), 1 / 128)
    pools = [
        graph.node("MaxPool", y, name=name, kernel_shape=[r, r], strides=[1, 1]) for name, r in (("p", 1), ("q", 1))
    ]
    y = graph.real(graph.node("Add", *(graph.real(pool, 1 / 128) for pool in pools), name="twice"), 1 / 64)
    network = read(tmp_path, graph, y)
    names = ["first", "depthwise", "c", "sum", "tanh", "p", "q", "twice_copy", "twice"]
    assert [layer.name for layer in network.subnet.layers] == names and network.runnable
    assert not differing(network, tmp_path / "net.onnx")
    tiny = Accelerator.load("tiny")
    memory_map = MemoryMap.build(network.supernet, [network.subnet], tiny)
    program = compile_subnet(network.subnet, network.supernet, tiny, network.quant, memory_map)
    Host(memory_map, network.weights, 0).run(program, network.subnet, network.quant)
