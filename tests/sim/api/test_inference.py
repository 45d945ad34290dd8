"""The tensors are those of the shipped network's accuracy, and of the RTL (tests/test_fastswitch_own_supernet.py)."""

from __future__ import annotations

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from sim.api.inference import infer

WEIGHTS, FASHION = load_weights(), get_space("fashion")


def test_the_stored_labels() -> None:
    net = FASHION.subnet("fashion-d222-w444")
    images = (WEIGHTS.images[:20].astype(np.int16) - 128).astype(np.int8)[:, None]
    right = [
        infer(FASHION, net, image, WEIGHTS)["linear"].argmax() == label
        for image, label in zip(images, WEIGHTS.labels, strict=False)
    ]
    assert np.mean(right) >= 0.8
    tensors = infer(FASHION, net, images[0], WEIGHTS)
    assert list(tensors) == [layer.name for layer in net.layers]
    assert all(tensors[layer.name].shape == (layer.K, layer.P, layer.Q) for layer in net.layers)


def test_an_image_of_another_shape() -> None:
    with pytest.raises(FastSwitchError, match=r"image is int8 \(28, 28\); SubNet fashion-d111-w222 reads int8 \(1, 28"):
        infer(FASHION, "fashion-d111-w222", np.zeros((28, 28), np.int8), WEIGHTS)
    with pytest.raises(FastSwitchError, match="image is float64"):
        infer(FASHION, "fashion-d111-w222", np.zeros((1, 28, 28)), WEIGHTS)
