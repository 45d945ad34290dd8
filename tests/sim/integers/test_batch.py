"""Integers of batches: what the reference computes image by image, of every operator."""

import numpy as np
import pytest

from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.weights import ConvQuant
from arch_model.spaces import get_space
from sim.integers.batch import columns_product, run_batch
from sim.integers.random_integers import random_integers
from sim.integers.reference import run_layers
from tests.sim.random_nets import random_residual_net

SPELLED = "ofa-mobilenetv3-r32-d22222-k35005300750035005300-e34004600330034006400"
"""Depthwise layers of every kernel, squeeze-excite, tables: a SubNet for images of 32 x 32."""


def both(layers, weights, quant, images):
    one = [run_layers(layers, weights, quant, image)[layers[-1].name] for image in images]
    return np.stack(one), run_batch(layers, weights, quant, images)


@pytest.mark.parametrize("seed", range(6))
def test_a_residual_network_is_the_references(seed):
    rng = np.random.default_rng(seed)
    _, subnet, weights, quant = random_residual_net(rng)
    first = subnet.layers[0]
    images = rng.integers(-128, 128, (3, first.C, first.H, first.W), dtype=np.int8)
    reference, batch = both(subnet.layers, weights, quant, images)
    assert np.array_equal(reference, batch)


@pytest.mark.parametrize(
    ("space", "name"), [("ofa-mobilenetv3", SPELLED), ("fashion", "fashion-d212-w342")], ids=["mobile", "fashion"]
)
def test_every_operator_of_a_published_space(space, name):
    subnet = get_space(space).subnet(name)
    drawn = random_integers(subnet, seed=5)
    images = np.stack([drawn.image, drawn.image[:, ::-1]])
    reference, batch = both(subnet.layers, drawn.weights, drawn.quant, images)
    assert np.array_equal(reference, batch) and batch.std() > 1


@pytest.mark.parametrize("kind", [Kind.MAXPOOL, Kind.AVGPOOL])
def test_windows_that_overhang(kind):
    layer = Layer("p", kind, 3, 3, 3, 3, 8, 7, stride=2, padding=1, inputs=(INPUT,), ceil_mode=True)
    from arch_model.network.supernet import SubNet

    drawn = random_integers(SubNet("one", "one", (layer,)), seed=2)
    reference, batch = both([layer], {}, drawn.quant, np.stack([drawn.image, drawn.image // 2]))
    assert np.array_equal(reference, batch)


@pytest.mark.parametrize("bias", [0, 2**30])
def test_sums_beyond_what_floats_hold(bias):
    """2,048 products of 127 and 255 are 2**26: float32 would round them. With the bias the product has 56 bits."""
    layer = Layer("a", Kind.LINEAR, 2, 2048, inputs=(INPUT,))
    weights = np.full((2, 2048, 1, 1), 127, np.int8)
    weights[1, ::2] = -126
    quant = ConvQuant(
        np.array([-bias + 1, bias], np.int32), np.full(2, (1 << 26) - 1, np.int32), np.full(2, 45), -128, 3, -128, 127
    )
    images = np.random.default_rng(1).integers(-128, 128, (4, 2048, 1, 1), dtype=np.int8)
    images[0] = 127
    reference, batch = both([layer], {"a": weights}, {"a": quant}, images)
    assert np.array_equal(reference, batch)


def test_groups_that_are_neither_one_nor_all():
    """By hand: two groups of two channels; the first filter sums the first two, the second one the last two."""
    layer = Layer("g", Kind.CONV, 2, 4, H=1, W=1, groups=2, inputs=(INPUT,))
    x = np.array([1.0, 2.0, 30.0, 40.0]).reshape(1, 4, 1, 1)
    assert columns_product(x, np.ones((2, 2, 1, 1)), layer).ravel().tolist() == [3.0, 70.0]


def test_concatenations_and_slices():
    """By hand: the second channel of each image, behind both."""
    both_of = Layer("one", Kind.SLICE, 1, 2, H=1, W=2, inputs=(INPUT,), first=1)
    joined = Layer("all", Kind.CONCAT, 3, 3, H=1, W=2, inputs=(INPUT, "one"))
    images = np.arange(8, dtype=np.int8).reshape(2, 2, 1, 2)
    assert run_batch([both_of, joined], {}, {}, images).reshape(2, 6).tolist() == [
        [0, 1, 2, 3, 2, 3],
        [4, 5, 6, 7, 6, 7],
    ]
