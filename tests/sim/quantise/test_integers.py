"""Integers of layers, worked out by hand and compared with real arithmetic."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.weights import AddQuant, MaxPoolQuant, PoolQuant, ScaleQuant
from sim.integers.reference import run_layers
from sim.quantise.errors import ModelError
from sim.quantise.floats import Span
from sim.quantise.integers import Meaning, activation_table, bent, bounds, integers_of
from sim.quantise.layers import BatchNorm, FloatLayer, FloatNet
from sim.quantise.share import shared_weights

IMAGE = Meaning(1 / 128, 0)


def test_what_a_range_means():
    assert Meaning.of(Span(0.0, 255.0)) == Meaning(1.0, -128)
    assert Meaning.of(Span(-128.0, 127.0)) == Meaning(1.0, 0)
    assert Meaning.of(Span(3.0, 255.0)) == Meaning(1.0, -128), "0 is always held: padding is 0"
    assert Meaning.of(Span(-255.0, -3.0)) == Meaning(1.0, 127)
    assert Meaning.of(Span(0.0, 0.0)).scale > 0


def test_clamps():
    assert bounds(Activation.RELU, Meaning(0.1, -100)) == (-100, 127)
    assert bounds(Activation.RELU6, Meaning(0.1, -128)) == (-128, -68)
    assert bounds(Activation.RELU6, Meaning(0.01, -128)) == (-128, 127)


def test_a_table_and_the_range_before_it():
    table = activation_table(lambda x: np.maximum(x, 0), Meaning(0.5, 10), Meaning(1.0, -128))
    # at index v + 128 the value is (v - 10) / 2: of 12 it is 1, of 10 and less 0, of 127 58.5, which rounds to 58
    assert table[[12 + 128, 10 + 128, 0, 255]].tolist() == [-127, -128, -128, -128 + 58]
    assert bent(lambda x: x, Span(-2, 3), 1e-6) == Span(-2, 3)
    assert bent(lambda x: 0 * x, Span(-2, 3), 0.1) == Span(-2, 3)


def one_layer(**more):
    layer = Layer("a", Kind.CONV, 2, 3, 3, 3, 6, 6, padding=1, inputs=(INPUT,), batch_norm=True)
    rng = np.random.default_rng(5)
    k = layer.K
    norm = BatchNorm(*(rng.uniform(0.3, 2, k).astype(np.float32) * [1, -1] for _ in range(3)), np.full(k, 2.0), 1e-5)
    norm = replace(norm, gamma=np.array([0.7, -1.3], np.float32), var=np.array([0.5, 2.0], np.float32))
    weights = rng.normal(size=(k, 3, 3, 3)).astype(np.float32)
    return FloatLayer(replace(layer, **more), weights, rng.normal(size=k).astype(np.float32), norm)


def real(one, x):
    """The layer in float64, straight from the definitions."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    y = np.einsum("cpqrs,kcrs->kpq", windows, one.weights) + one.bias[:, None, None]
    n = one.norm
    return (y - n.mean[:, None, None]) / np.sqrt(n.var + n.epsilon)[:, None, None] * n.gamma[:, None, None] + n.beta[
        :, None, None
    ]


@pytest.mark.parametrize("activation", [Activation.NONE, Activation.RELU])
def test_a_convolution_with_batch_norm_of_either_sign(activation):
    """Each output is within a step and what the weights were rounded by."""
    one = one_layer(activation=activation)
    net = FloatNet("n", (one,))
    shared = shared_weights([one.layer], [net])
    image = np.random.default_rng(1).integers(-128, 128, (3, 6, 6), dtype=np.int8)
    right = real(one, image * IMAGE.scale)
    right = np.maximum(right, 0) if activation is Activation.RELU else right
    span = Span(float(right.min()), float(right.max()))
    ops = integers_of(net, shared, IMAGE, {"a": (span, span)}, {})
    made = run_layers([one.layer], {"a": shared["a"].weights}, ops, image)["a"]
    out = Meaning.of(span)
    gain = np.abs(one.norm.gamma / np.sqrt(one.norm.var)).max()
    rounded = (
        gain * np.abs(shared["a"].scale).max() / 2 * 27 * 1.0
    )  # 27 weights, each half a step off, of inputs up to 1
    assert np.abs((made.astype(int) - out.zero) * out.scale - right).max() <= out.scale + rounded
    assert np.corrcoef(made.ravel(), right.ravel())[0, 1] > 0.999


def test_a_channel_that_training_switched_off_keeps_its_offset():
    one = one_layer()
    one = replace(
        one, norm=replace(one.norm, gamma=np.array([1e-12, 1.0], np.float32), beta=np.array([0.5, 0], np.float32))
    )
    net = FloatNet("n", (one,))
    ops = integers_of(net, shared_weights([one.layer], [net]), IMAGE, {"a": (Span(-1, 1), Span(-1, 1))}, {})
    made = run_layers(
        [one.layer], {"a": shared_weights([one.layer], [net])["a"].weights}, ops, np.zeros((3, 6, 6), np.int8)
    )
    assert np.unique(made["a"][0]).tolist() == [Meaning.of(Span(-1, 1)).zero + round(0.5 * 127.5)]


def test_operators_without_weights():
    """Two tensors of the image: their sum, their product by pixel, a maximum and an average."""

    def layer(name, kind, *inputs, **more):
        return FloatLayer(Layer(name, kind, 1, 1, H=2, W=2, inputs=inputs, **more))

    layers = (
        layer("add", Kind.ADD, INPUT, INPUT, activation=Activation.RELU),
        layer("mul", Kind.MUL, "add", INPUT),
        layer("max", Kind.MAXPOOL, "mul", R=2, S=2, stride=2),
        layer("pool", Kind.POOL, "add"),
    )
    image = np.array([[[10, -20], [30, 100]]], np.int8)
    spans = {"add": Span(0, 1.6), "mul": Span(0, 1.3), "max": Span(0, 1.3), "pool": Span(0, 1)}
    ops = integers_of(FloatNet("n", layers), {}, IMAGE, {name: (one, one) for name, one in spans.items()}, {})
    assert [type(op) for op in ops.values()] == [AddQuant, ScaleQuant, MaxPoolQuant, PoolQuant]
    made = run_layers([one.layer for one in layers], {}, ops, image)
    x = image[0] / 128
    sums = np.maximum(x + x, 0)

    def back(name):
        meaning = Meaning.of(spans[name])
        return (made[name][0].astype(int) - meaning.zero) * meaning.scale

    assert np.abs(back("add") - sums).max() <= 1.6 / 255
    assert np.abs(back("mul") - sums * x).max() <= 0.05  # factors are rounded to int8
    assert abs(back("max")[0, 0] - back("mul").max()) < 1e-9
    assert abs(back("pool")[0, 0] - sums.mean()) <= 2 / 255


def test_what_cannot_be_expressed_is_named():
    huge = FloatLayer(Layer("a", Kind.LINEAR, 1, 70_000, inputs=(INPUT,)), np.ones((1, 70_000, 1, 1), np.float32))
    net, span = FloatNet("n", (huge,)), Span(-1, 1)
    with pytest.raises(ModelError, match="layer a: sums of its 70,000 products exceed int32"):
        integers_of(net, shared_weights([huge.layer], [net]), IMAGE, {"a": (span, span)}, {})
    add = FloatLayer(Layer("b", Kind.ADD, 1, 1, inputs=(INPUT, INPUT)))
    small = Span(0, 1e-12)
    with pytest.raises(ModelError, match="layer b: its scales are out of range"):
        integers_of(FloatNet("n", (add,)), {}, IMAGE, {"b": (small, small)}, {})
