"""The search finds the least fraction that will do, and the channels it picks matter."""

import numpy as np
import pytest

from arch_model.analog import Crossbar, Variation
from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from mapper.hybrid.partition import Ranking
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import sensitivity
from sim.noise.sensitivity.images import LabelledImages
from sim.noise.sensitivity.monte_carlo import Runner
from sim.noise.sensitivity.search import RESOLUTION, evaluate, rank_network, smallest_fraction

NOISE = Variation.parse("lognormal:0.5")


@pytest.fixture(scope="module")
def study():
    weights = load_weights()
    network = Network.of_subnet("smallest", weights)
    images = LabelledImages(weights.images[:150], weights.labels[:150], "shipped")
    return network, Runner(images), sensitivity(network, images)


def test_bisection_ends_between_a_failure_and_a_success(study):
    network, runner, found = study
    units = rank_network(network, Ranking.FISHER, found)
    best = smallest_fraction(runner, network, units, Crossbar(), NOISE, max_loss=5, trials=2, seed=1)
    assert best.result.loss_points <= 5
    fraction = best.partition.facts["digital_fraction"]
    assert 0 < fraction < 0.9
    assert (fraction, best.result.loss_points) in best.tried
    failed = [tried for tried, loss in best.tried if loss > 5 and tried < fraction]
    step = max(layer.K * layer.R * layer.S for layer in network.weight_layers) / units.total
    assert fraction - max(failed) <= RESOLUTION + 2 * step
    again = evaluate(runner, network, best.partition, Crossbar(), NOISE, trials=2, seed=1)
    assert again.accuracies == best.result.accuracies


def test_channels_by_fisher_recover_more_than_random_ones(study):
    network, runner, found = study
    losses = {}
    for ranking in (Ranking.FISHER, Ranking.FISHER_PER_BYTE, Ranking.RANDOM):
        units = rank_network(network, ranking, found, seed=1)
        partition = units.partition(units.count(0.3))
        losses[ranking] = evaluate(runner, network, partition, Crossbar(), NOISE, trials=3, seed=1).loss_points
    assert max(losses[Ranking.FISHER], losses[Ranking.FISHER_PER_BYTE]) < losses[Ranking.RANDOM] - 10


def test_nothing_is_digital_if_nothing_need_be(study):
    network, runner, _ = study
    units = rank_network(network, Ranking.MAGNITUDE, None)
    quiet = smallest_fraction(
        runner, network, units, Crossbar(), Variation.parse("lognormal:0"), max_loss=0, trials=1, seed=1
    )
    assert quiet.tried == ((0.0, 0.0),)
    assert quiet.partition.channels == {}


def test_everything_is_digital_if_it_must_be(study):
    network, runner, _ = study
    units = rank_network(network, Ranking.FIRST_LAST, None)
    hopeless = Variation.parse("none,stuck-on=1")
    best = smallest_fraction(
        runner, network, units, Crossbar(encoding="offset"), hopeless, max_loss=0.0, trials=1, seed=1
    )
    assert best.result.loss_points <= 0
    masks = best.partition.masks(network.weight_layers, network.hash)
    assert np.mean([mask.mean() for mask in masks.values()]) > 0.9


def test_a_negative_loss_is_refused(study):
    network, runner, _ = study
    units = rank_network(network, Ranking.RANDOM, None)
    with pytest.raises(FastSwitchError, match="max_loss is -1"):
        smallest_fraction(runner, network, units, Crossbar(), NOISE, max_loss=-1, trials=1, seed=1)
    with pytest.raises(FastSwitchError, match="ranking fisher needs gradients"):
        rank_network(network, Ranking.FISHER, None)
