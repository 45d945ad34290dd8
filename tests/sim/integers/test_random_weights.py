"""Drawn weights of a SuperNet: its shapes, integers of each SubNet, images that each SubNet reads the middle of."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from sim.integers.random_weights import random_weights
from sim.serving.session import Session

SPACE = "ofa-resnet50"
SMALL, LARGE = "resnet50D_MAC@0.9B", "resnet50D_MAC@1.8B"  # of images of 160 and 192


@pytest.fixture(scope="module")
def drawn():
    return random_weights(get_space(SPACE), {SMALL: 0.763, LARGE: 0.783}, seed=3)


def test_what_every_layer_needs_is_there(drawn):
    supernet = get_space(SPACE)
    assert {name: array.shape for name, array in drawn.layers.items()} == {
        layer.name: (layer.K, layer.C // layer.groups, layer.R, layer.S) for layer in supernet.layers
    }
    assert all(array.dtype == np.int8 and len(np.unique(array)) > 100 for array in drawn.layers.values())
    for name, top1 in ((SMALL, 0.763), (LARGE, 0.783)):
        assert drawn.subnets[name].top1 == top1
        assert list(drawn.subnets[name].ops) == [layer.name for layer in supernet.subnet(name).layers]


def test_the_seed_is_what_they_follow_from(drawn):
    same, other = (random_weights(get_space(SPACE), {SMALL: 0.5}, seed) for seed in (3, 4))
    assert all(np.array_equal(same.layers[name], drawn.layers[name]) for name in drawn.layers)
    assert not any(np.array_equal(same.layers[name], other.layers[name]) for name in drawn.layers)


def test_a_subnet_reads_the_middle_of_a_larger_image(drawn):
    session = Session(SPACE, drawn, Accelerator.load("zcu104"))
    whole, middle = session.image(5, LARGE), session.image(5, SMALL)
    assert drawn.images.shape[1:] == whole.shape == (3, 192, 192) and middle.shape == (3, 160, 160)
    assert whole[2, 100, 7] == int(drawn.images[5, 2, 100, 7]) - 128
    assert np.array_equal(middle, whole[:, 16:176, 16:176])
