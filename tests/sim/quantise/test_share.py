"""Weights that SubNets share: assembled, compared, made int8 once; no torch is needed."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.network.layer import INPUT, Kind, Layer
from sim.quantise.errors import ModelError
from sim.quantise.layers import BatchNorm, FloatLayer, FloatNet
from sim.quantise.share import greatest_first, kept_once, shared_weights

WHOLE = Layer("a", Kind.CONV, 4, 3, 5, 5, 8, 8, padding=2, inputs=(INPUT,))
REAL = np.random.default_rng(3).normal(size=(4, 3, 5, 5)).astype(np.float32)


def net(name, k, c, size, gamma=None, change=0.0):
    """A SubNet of one layer, whose weights are a slice of :data:`REAL`."""
    low = (5 - size) // 2
    layer = replace(WHOLE, K=k, C=c, R=size, S=size, padding=size // 2)
    weights = REAL[:k, :c, low : low + size, low : low + size] + np.float32(change)
    norm = None
    if gamma is not None:
        ones = np.ones(k, np.float32)
        norm = BatchNorm(np.array(gamma, np.float32), ones, ones, ones, 1e-5)
    return FloatNet(name, (FloatLayer(layer, weights, norm=norm),))


def test_a_union_of_slices_by_hand():
    """One SubNet has more filters, the other more channels and a larger kernel; nobody has the rest, which is 0."""
    shared = shared_weights([WHOLE], [net("x", 4, 1, 3), net("y", 2, 3, 5)])["a"]
    assert np.array_equal(shared.weights[2:, 1:], np.zeros((2, 2, 5, 5)))
    assert np.array_equal(shared.weights[2:, 0, 0], np.zeros((2, 5)))
    back = shared.weights * shared.scale[:, None, None, None]
    assert np.abs(back[:2] - REAL[:2]).max() <= shared.scale.max() / 2 + 1e-9
    assert np.abs(shared.weights[:2]).max((1, 2, 3)).tolist() == [127, 127]
    assert np.allclose(shared.scale[2:], np.abs(REAL[2:, 0, 1:4, 1:4]).max((1, 2)) / 127)


def test_negative_gammas_turn_a_filter_round():
    shared = shared_weights([WHOLE], [net("x", 2, 3, 5, [-1, 2]), net("y", 4, 3, 5, [-3, 0, 0, -1])])["a"]
    assert np.sign(shared.scale).tolist() == [-1, 1, 1, -1]
    assert (
        np.abs(shared.weights * shared.scale[:, None, None, None] - REAL).max() <= np.abs(shared.scale).max() / 2 + 1e-9
    )


def test_what_differs_is_named():
    with pytest.raises(ModelError) as caught:
        shared_weights([WHOLE], [net("large", 4, 3, 5), net("small", 2, 3, 3, change=0.01)])
    assert str(caught.value).startswith(
        "SubNet small: layer a does not share its weights with SubNet large: 54 of 54 differ"
    )
    with pytest.raises(ModelError, match="SubNet y: layer a: its batch normalisation has another sign in channel 1"):
        shared_weights([WHOLE], [net("x", 2, 3, 5, [1, 1]), net("y", 2, 3, 5, [1, -1])])


def test_noise_of_floats_is_no_difference():
    shared_weights([WHOLE], [net("x", 4, 3, 5), net("y", 4, 3, 5, change=1e-7)])


def test_weights_are_kept_once():
    """Whatever the order: slices become views of the largest; those of no other stay what they are."""
    nets, kept = (
        [net("small", 2, 2, 3), net("large", 4, 3, 5), net("mixed", 3, 3, 3), net("other", 2, 2, 3, change=1)],
        {},
    )
    seen = [kept_once(one, kept).layers[0].weights for one in nets]
    assert [np.shares_memory(one, kept["a"]) for one in seen] == [False, True, True, False]
    assert all(np.array_equal(one, given.layers[0].weights) for one, given in zip(seen, nets, strict=True))


def test_the_largest_is_compared_with():
    nets = {one.name: one for one in (net("small", 2, 2, 3), net("large", 4, 3, 5))}
    assert [one.name for one in greatest_first(nets)] == ["large", "small"]


def test_a_filter_of_zeros():
    zero = FloatNet("z", (FloatLayer(WHOLE, np.zeros_like(REAL)),))
    shared = shared_weights([WHOLE], [zero])["a"]
    assert not shared.weights.any() and np.all(shared.scale > 0)
