"""Integers of whole SubNets: zero-points that go together, tensors that use int8, the same for the same seed."""

import numpy as np
import pytest

from arch_model.network.layer import INPUT, Activation, Kind
from arch_model.network.weights import AddQuant, MaxPoolQuant, ScaleQuant
from arch_model.spaces import get_space
from sim.integers.random_integers import random_integers


@pytest.mark.parametrize("space", ["fashion", "ofa-resnet50", "ofa-mobilenetv3"])
def test_a_zero_point_is_the_same_where_it_is_made_and_read(space):
    supernet = get_space(space)
    subnet = supernet.subnet(supernet.subnet_names()[0])
    quant = random_integers(subnet, seed=3).quant
    zero = {INPUT: 3}
    for layer in subnet.layers:
        op, zeros = quant[layer.name], [zero[name] for name in layer.inputs]
        if isinstance(op, AddQuant):
            assert [op.z_a, op.z_b] == zeros
        elif isinstance(op, ScaleQuant):
            assert [op.z_x, op.z_s] == zeros
        elif not isinstance(op, MaxPoolQuant):
            assert op.z_in == zeros[0]
        zero[layer.name] = zeros[0] if layer.kind is Kind.MAXPOOL else op.z_out
        if layer.activation is Activation.RELU:
            assert op.lo == op.z_out


def test_the_seed_is_what_they_follow_from():
    subnet = get_space("fashion").subnet("fashion-d111-w222")
    one, same, other = (random_integers(subnet, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one.weights[name], same.weights[name]) for name in one.weights)
    assert not np.array_equal(one.image, other.image)
