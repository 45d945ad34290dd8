"""Layers that a point does not count: every one that the closed form does not have, and no other."""

from collections import Counter

import pytest

from arch_model.spaces import get_space
from sim.explore.left_out import left_out


@pytest.mark.parametrize(
    ("space", "kinds"),
    [
        ("fashion", set()),
        ("ofa-resnet50", {"maxpool", "avgpool"}),
        ("ofa-proxyless", {"depthwise"}),
        ("ofa-mobilenetv3", {"depthwise", "scale", "hswish", "hsigmoid"}),
    ],
)
def test_kinds_of_published_subnets(space, kinds):
    supernet = get_space(space)
    subnet = supernet.subnet(supernet.subnet_names()[0])
    found = Counter(left_out(layer) for layer in subnet.layers)
    assert set(found) - {""} == kinds
    assert found["depthwise"] == sum(layer.groups > 1 for layer in subnet.layers)
