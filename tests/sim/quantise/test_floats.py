"""Layers in real numbers: ranges without outliers, recalibrated statistics, and how far integers are off."""

import numpy as np
import pytest

from arch_model.network.layer import INPUT, Kind, Layer
from sim.quantise.compare import layer_ratios
from sim.quantise.floats import COVERED, FloatRun, Span, span, spans, top1
from sim.quantise.images import Pixels
from sim.quantise.integers import Meaning, integers_of
from sim.quantise.layers import BatchNorm, FloatLayer, FloatNet
from sim.quantise.share import shared_weights

torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")


def doubled() -> FloatNet:
    """A 1 x 1 convolution that doubles its input, and a batch normalisation that would do nothing but for its beta."""
    layer = Layer("a", Kind.CONV, 1, 1, 1, 1, 4, 4, inputs=(INPUT,), batch_norm=True)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    return FloatNet(
        "n", (FloatLayer(layer, np.full((1, 1, 1, 1), 2, np.float32), norm=BatchNorm(one, one * 3, zero, one, 0.0)),)
    )


def test_a_range_leaves_out_what_is_rare():
    values = np.zeros(100_000, np.float32)
    values[:1000] = np.linspace(-1, 1, 1000)
    values[-1] = 50  # one in 100,000, fewer than 1 - COVERED
    found = span(torch, torch.from_numpy(values))
    assert 1 / len(values) < 1 - COVERED and found.high < 1.1 and found.low > -1.1
    assert span(torch, torch.zeros(5)) == Span(0.0, 0.0)


def test_statistics_by_hand():
    """Of 0, 1, 2, 3 doubled the mean is 3 and the variance 5; the result has the mean 3 of beta and the deviation 1."""
    images = np.tile(np.arange(4, dtype=np.float32), (2, 1, 4, 1))
    run = FloatRun(doubled())
    ((mean, var),) = run.recalibrate(images).values()
    assert (mean.tolist(), var.tolist()) == ([3.0], [5.0])
    assert run.logits(torch.from_numpy(images))[0, :4].tolist() == [3, 5, 7, 9]
    again = FloatRun(doubled(), {"a": (mean, var)}).logits(torch.from_numpy(images))
    assert again.mean() == pytest.approx(3) and again.std() == pytest.approx(1, rel=1e-5)
    ((before, after),) = spans(run, images).values()
    assert before == after and after.low == pytest.approx(3, abs=0.01) and after.high == pytest.approx(9, abs=0.01)


def test_accuracy_counts_the_first_of_the_greatest():
    images = np.zeros((3, 1, 4, 4), np.float32)
    images[1, 0, 0, 2] = images[2, 0, 3, 3] = 1
    assert top1(FloatRun(doubled()), images, np.array([0, 2, 14])) == pytest.approx(2 / 3)


def test_a_layer_alone_is_as_good_as_eight_bits_and_a_wrong_one_is_seen():
    net, rng = doubled(), np.random.default_rng(2)
    pixels = Pixels(rng.integers(0, 256, (1, 1, 4, 4), dtype=np.uint8), Meaning(1 / 255, -128))
    run, shared = FloatRun(net), shared_weights([net.layers[0].layer], [net])
    ranges = spans(run, pixels.real)
    ops = integers_of(net, shared, pixels.meaning, ranges, {})
    held = {"a": shared["a"].weights}
    assert layer_ratios(run, ranges, held, ops, pixels)["a"] > 35
    ops["a"].multiplier[0] //= 2
    assert layer_ratios(run, ranges, held, ops, pixels)["a"] < 20
