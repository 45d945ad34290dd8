"""Backpropagation against differences of a float twin written without it, on a network in which nothing is rounded."""

import numpy as np
import pytest

from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.weights import AddQuant, ConvQuant, PoolQuant, load_weights
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import cross_entropy, fit_temperature, image_gradients, sensitivity
from sim.noise.sensitivity.images import LabelledImages

LAYERS = (
    Layer("stem", Kind.CONV, K=3, C=1, R=3, S=3, H=5, W=5, padding=1, inputs=(INPUT,)),
    Layer("a", Kind.CONV, K=4, C=3, R=3, S=3, H=5, W=5, stride=2, padding=1, inputs=("stem",)),
    Layer("down", Kind.CONV, K=4, C=3, H=5, W=5, stride=2, inputs=("stem",)),
    Layer("add", Kind.ADD, K=4, C=4, H=3, W=3, inputs=("a", "down")),
    Layer("b", Kind.CONV, K=4, C=4, R=3, S=3, H=3, W=3, padding=1, inputs=("add",)),
    Layer("add2", Kind.ADD, K=4, C=4, H=3, W=3, inputs=("b", "add")),
    Layer("pool", Kind.POOL, K=4, C=4, H=3, W=3, inputs=("add2",)),
    Layer("linear", Kind.LINEAR, K=3, C=4, inputs=("pool",)),
)
TEMPERATURE = 30.0


def net(seed):
    """Every scale is 1, so integers stay whole; sums are never 0 modulo 4, which keeps ReLUs off their kinks."""
    rng = np.random.default_rng(seed)
    weights = {
        layer.name: rng.choice([-4, 0, 4], (layer.K, layer.C, layer.R, layer.S), p=[0.15, 0.7, 0.15]).astype(np.int8)
        for layer in LAYERS
        if layer.kind.has_weights
    }

    def conv(k, z_in, z_out, lo, rest):
        one = np.ones(k, np.int32)
        return ConvQuant(rng.integers(-1, 2, k).astype(np.int32) * 4 + rest, one << 25, one * 25, z_in, z_out, lo, 127)

    one = 1 << 22
    quant = {
        "stem": conv(3, -128, -128, -128, 1),
        "a": conv(4, -128, 0, -128, 1),
        "down": conv(4, -128, 0, -128, 0),
        "add": AddQuant(one, one, 22, 0, 0, -100, -100, 127),
        "b": conv(4, -100, 1, -128, 2),
        "add2": AddQuant(one, one, 22, 1, -100, -128, -128, 127),
        "pool": PoolQuant(1, 0, -128, -128, -128, 127),
        "linear": conv(3, -128, 0, -128, 1),
    }
    return Network("net", LAYERS, weights, quant)


def twin(network, weights, image):
    """Logits in real numbers, pixel by pixel, with clamps but without rounding."""
    tensors = {INPUT: image.astype(float)[None] - 128}
    for layer in network.layers:
        q, xs = network.quant[layer.name], [tensors[name] for name in layer.inputs]
        if layer.kind.has_weights:
            pad = layer.padding
            x = np.pad(xs[0] - q.z_in, ((0, 0), (pad, pad), (pad, pad)))
            y = np.zeros((layer.K, layer.P, layer.Q))
            for i in range(layer.P):
                for j in range(layer.Q):
                    top, left = i * layer.stride, j * layer.stride
                    window = x[:, top : top + layer.R, left : left + layer.S]
                    y[:, i, j] = (weights[layer.name] * window).sum(axis=(1, 2, 3)) + q.bias
        elif layer.kind is Kind.ADD:
            y = (xs[0] - q.z_a) + (xs[1] - q.z_b)
        else:
            y = (xs[0] - q.z_in).sum(axis=(1, 2), keepdims=True)
        assert np.abs(y + q.z_out - 127).min() > 0.01  # off the other kink too
        tensors[layer.name] = np.clip(y + q.z_out, q.lo, 127)
    return tensors["linear"].ravel()


@pytest.mark.parametrize("seed", [238, 259])  # in which no layer of either image is cut off from the loss
def test_every_gradient_is_that_of_differences(seed):
    network = net(seed)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 3, (2, 5, 5)).astype(np.uint8)
    labels = np.array([2, 0], np.uint8)
    found = dict(image_gradients(network, images, labels, TEMPERATURE))
    assert set(found) == set(network.weights)
    weights = {name: w.astype(float) for name, w in network.weights.items()}
    step = 1e-5
    for name, w in weights.items():
        for n in range(2):
            expected = np.zeros(w.size)
            for i in range(w.size):
                losses = []
                for sign in (1, -1):
                    w.flat[i] += sign * step
                    losses.append(
                        cross_entropy(twin(network, weights, images[n])[None], labels[n : n + 1], TEMPERATURE)
                    )
                    w.flat[i] -= sign * step
                expected[i] = (losses[0] - losses[1]) / (2 * step)
            assert found[name][n].ravel() == pytest.approx(expected, rel=1e-3, abs=2e-5), (name, n)
    assert all((np.abs(g).max(axis=(1, 2)) > 1e-2).all() for g in found.values())


def test_means_over_images_are_those_of_single_images():
    network = net(1)
    images = np.random.default_rng(2).integers(0, 3, (40, 5, 5)).astype(np.uint8)  # more than a batch
    labels = np.random.default_rng(3).integers(0, 3, 40).astype(np.uint8)
    found = sensitivity(network, LabelledImages(images, labels, "random"))
    each = [dict(image_gradients(network, images[i : i + 1], labels[i : i + 1], found.temperature)) for i in range(40)]
    for name, w in network.weights.items():
        g = np.stack([one[name][0] for one in each]).astype(np.float64).reshape(40, *w.shape)
        assert found.fisher[name] == pytest.approx((g**2).mean(axis=0), rel=1e-4, abs=1e-9)
        assert found.absolute[name] == pytest.approx(np.abs(g).mean(axis=0), rel=1e-4, abs=1e-7)
        assert found.mean[name] == pytest.approx(g.mean(axis=0), rel=1e-4, abs=1e-7)
    assert (found.images, found.source) == (40, "random")


def test_the_temperature_fits_labels_drawn_from_it():
    rng = np.random.default_rng(1)
    logits = rng.integers(-100, 100, (5000, 4)).astype(np.int8)
    p = np.exp(logits / 25.0)
    p /= p.sum(axis=1, keepdims=True)
    labels = (rng.random((5000, 1)) > np.cumsum(p, axis=1)).sum(axis=1).astype(np.uint8)
    assert fit_temperature(logits, labels) == pytest.approx(25, rel=0.1)


def test_the_fisher_scores_predict_which_layer_hurts_most():
    """Noise in the layer of the greatest score costs more than in the layer of the least."""
    from arch_model.analog import Crossbar, Variation
    from sim.noise.engine.hybrid import Hybrid
    from sim.noise.sensitivity.monte_carlo import Runner

    weights = load_weights()
    network = Network.of_subnet("smallest", weights)
    images = LabelledImages(weights.images[:200], weights.labels[:200], "shipped")
    fisher = sensitivity(network, images).fisher
    score = {name: float((f * network.weights[name].astype(float) ** 2).sum()) for name, f in fisher.items()}
    losses = []
    for layer in (max(score, key=score.get), min(score, key=score.get)):
        digital = {o.name: np.ones(o.C, np.bool_) for o in network.weight_layers if o.name != layer}
        hybrid = Hybrid(network, Crossbar(), digital)
        losses.append(Runner(images).run(hybrid, Variation.parse("lognormal:0.5"), trials=3, seed=1).loss_points)
    assert losses[0] > losses[1] + 2
