"""Channels that SubNets share: ranked together, searched with the worst SubNet as the judge."""

import numpy as np
import pytest

from arch_model.analog import Crossbar, Variation
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network
from sim.noise.engine.split import split_network
from sim.noise.sensitivity.gradients import Sensitivity
from sim.noise.sensitivity.images import LabelledImages
from sim.noise.sensitivity.monte_carlo import Runner
from sim.noise.sensitivity.shared import rank_shared, shared_half, smallest_shared

FASHION = get_space("fashion")
WEIGHTS = load_weights()
NAMES = ("fashion-d111-w222", "fashion-d211-w222")
NETWORKS = [Network.of_subnet(name, WEIGHTS) for name in NAMES]
SUBNETS = [FASHION.subnet(name) for name in NAMES]


def made_up(network, favourite):
    """All of a network's sensitivity in one channel of one layer, a hair elsewhere."""
    layer, channel = favourite
    fisher = {one.name: np.full((one.K, one.C, one.R, one.S), 1e-9) for one in network.weight_layers}
    fisher[layer][:, channel] = 1.0
    return Sensitivity(fisher, fisher, fisher, 1.0, 1.0, 1, "made up")


@pytest.fixture(scope="module")
def units():
    found = {NAMES[0]: made_up(NETWORKS[0], ("linear", 7)), NAMES[1]: made_up(NETWORKS[1], ("s1b2_conv1", 3))}
    return rank_shared(FASHION, NETWORKS, found)


def test_each_subnet_has_one_vote(units):
    first = {(FASHION.layers[units.layer[i]].name, int(units.index[i])) for i in range(2)}
    assert first == {("linear", 7), ("s1b2_conv1", 3)}
    half = shared_half(units, 2, FASHION)
    assert half.channels == {"s1b2_conv1": (3,), "linear": (7,)}


def test_the_crossbar_s_digital_weights_are_the_leading_slice(units):
    """What the noise engines multiply in digital is what the accelerator holds, channel for channel."""
    half = shared_half(units, 200, FASHION)
    ordered = half.reorder(WEIGHTS.layers)
    for network, subnet in zip(NETWORKS, SUBNETS, strict=True):
        masks = half.partition(subnet, network.hash).masks(network.weight_layers, network.hash)
        splits = split_network(network, Crossbar(), masks)
        for layer in half.layers(subnet).layers:
            leading = ordered[layer.name][: layer.K, : layer.C].reshape(layer.K, -1)
            assert (splits[layer.name].digital == leading).all()


def test_the_worst_subnet_decides(units):
    images = LabelledImages(WEIGHTS.images[:60], WEIGHTS.labels[:60], "shipped")
    tried = []
    runner, noise = Runner(images), Variation.parse("lognormal:0.4")
    members = list(zip(NETWORKS, SUBNETS, strict=True))
    half, fraction = smallest_shared(
        runner, FASHION, members, units, Crossbar(), noise,
        max_loss=6, trials=2, seed=1, resolution=0.1, on_try=lambda *one: tried.append(one),
    )  # fmt: skip
    assert [passed for at, loss in tried for passed in [loss <= 6] if at == fraction] == [True]
    assert any(loss > 6 and at < fraction for at, loss in tried)
    for network, subnet in members:
        masks = half.partition(subnet, network.hash).masks(network.weight_layers, network.hash)
        assert runner.run(Hybrid(network, Crossbar(), masks), noise, trials=2, seed=1).loss_points <= 6
