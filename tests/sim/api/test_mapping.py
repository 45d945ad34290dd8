"""A layer in words, a layer and a SubNet are mapped alike; what cannot be mapped is one line."""

from __future__ import annotations

import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from sim.api.mapping import map
from tests.own_supernet import own_supernet

TINY = Accelerator.load("tiny")


def test_words_and_layers_are_the_same() -> None:
    words = map("K=8 C=8 R=3 S=3 H=6 W=6", "tiny")
    layer = map(Layer("layer", Kind.CONV, 8, 8, 3, 3, 6, 6, padding=1), TINY)
    assert words.tiling == layer.tiling and words.cycles == layer.cycles


def test_a_subnet_has_each_layer() -> None:
    net = own_supernet().subnet("toy-88")
    found = map(net, TINY, "energy")
    assert set(found) >= {"stem", "conv", "side", "linear"}
    assert found["side"].energy_j == map(net.layer("side"), TINY, "energy").energy_j  # nothing is added to it


def test_refusals() -> None:
    with pytest.raises(MappingError, match="objective is 'speed'; give one of latency, energy, edp"):
        map("K=8 C=8", TINY, "speed")
    with pytest.raises(MappingError, match="layer layer: "):
        map("K=8 C=8 R=3 S=3 H=6 W=6 stride=3", TINY)
