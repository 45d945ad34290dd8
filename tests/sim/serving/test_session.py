"""A session's images: those of the weights, or random ones where they have none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.weights import load_weights
from sim.serving.session import RANDOM_IMAGES, Session

NAME = "fashion-d111-w222"


def test_images_of_the_weights() -> None:
    weights = load_weights().only([NAME])
    session = Session("fashion", weights, Accelerator.load("tiny"))
    assert session.images is weights.images and session.labels is weights.labels
    assert (session.image(3, NAME)[0].astype(int) + 128 == weights.images[3]).all()


def test_weights_without_images() -> None:
    """As many random ones as can be told apart, the same each time, and no labels."""
    weights = load_weights().only([NAME])
    bare = replace(weights, images=weights.images[:0], labels=weights.labels[:0])
    first, second = (Session("fashion", bare, Accelerator.load("tiny")) for _ in range(2))
    assert first.images.shape == (RANDOM_IMAGES, 1, 28, 28) and first.images.dtype == np.uint8
    assert first.labels is None and (first.images == second.images).all()
    assert len(np.unique(first.images.reshape(RANDOM_IMAGES, -1), axis=0)) == RANDOM_IMAGES
    assert (first.image(7, NAME).astype(int) + 128 == first.images[7]).all()
