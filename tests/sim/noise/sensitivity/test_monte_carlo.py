"""Repeats are identical, in one process or four; figures carry what was asked; nonsense is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from arch_model.analog import Crossbar, Variation
from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network
from sim.noise.sensitivity.images import LabelledImages, find_test_images
from sim.noise.sensitivity.monte_carlo import EngineName, Runner, mean_interval


@pytest.fixture(scope="module")
def weights():
    return load_weights()


@pytest.fixture(scope="module")
def network(weights):
    return Network.of_subnet("smallest", weights)


def images_of(weights, count):
    return LabelledImages(weights.images[:count], weights.labels[:count], "shipped")


def test_one_process_and_four_give_the_same(weights, network):
    hybrid = Hybrid(network, Crossbar(adc_bits=6))
    variation = Variation.parse("lognormal:0.3,read=0.05,per-cell")
    results = []
    for jobs in (1, 4):
        with Runner(images_of(weights, 70), jobs) as runner:
            results.append(runner.run(hybrid, variation, trials=5, seed=3))
    assert results[0].accuracies == results[1].accuracies
    assert len(set(results[0].accuracies)) > 1  # trials differ
    with Runner(images_of(weights, 70)) as runner:
        assert runner.run(hybrid, variation, trials=5, seed=4).accuracies != results[0].accuracies
        assert runner.run(hybrid, variation, trials=2, seed=3).accuracies == results[0].accuracies[:2]


@pytest.mark.parametrize("crossbar", [Crossbar(adc_bits=5), Crossbar(adc_bits=6, conversion="slice")])
def test_cycle_to_cycle_is_a_new_chip_for_each_image(weights, network, crossbar):
    hybrid = Hybrid(network, crossbar)
    run = Runner(images_of(weights, 12)).run
    once = run(hybrid, Variation.parse("lognormal:0.3,c2c"), trials=2, seed=1)
    again = run(hybrid, Variation.parse("lognormal:0.3,c2c"), trials=2, seed=1)
    assert once.accuracies == again.accuracies
    assert once.engine == (EngineName.FAST if crossbar.conversion == "word" else EngineName.BIT_SERIAL)


def test_a_wholly_digital_network_has_no_noise_and_no_range(weights, network):
    digital = {layer.name: np.ones(layer.C, np.bool_) for layer in network.weight_layers}
    hybrid = Hybrid(network, Crossbar(adc_bits=4), digital)
    result = Runner(images_of(weights, 60)).run(hybrid, Variation.parse("lognormal:0.5"), trials=2, seed=1)
    assert result.accuracies == [result.accuracy_clean] * 2
    assert result.specification()["digital_fraction"] == 1


def test_noise_free_trials_are_the_noiseless_chip(weights, network):
    hybrid = Hybrid(network, Crossbar(weight_bits=5, adc_bits=5))
    result = Runner(images_of(weights, 60)).run(hybrid, Variation.parse("lognormal:0"), trials=1, seed=1)
    assert result.accuracies == [result.accuracy_noiseless]


def test_the_summary_holds_the_whole_specification(weights, network):
    hybrid = Hybrid(network, Crossbar(adc_bits=6, adc_bits_of={"stem": 8}))
    variation = Variation.parse("lognormal:0.3,on-off=30")
    result = Runner(images_of(weights, 50)).run(hybrid, variation, trials=3, seed=9)
    record = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert Variation.from_dict(record["variation_fields"]) == Variation.parse(record["variation"]) == variation
    assert Crossbar.from_dict(record["crossbar"]) == hybrid.crossbar
    assert (record["seed"], record["trials"], record["images"], record["engine"]) == (9, 3, 50, "fast")
    low, high = record["accuracy_ci95"]
    assert low <= record["accuracy_mean"] <= high
    assert record["accuracy_p5"] == pytest.approx(np.percentile(result.accuracies, 5))
    assert record["loss_points"] == pytest.approx(100 * (record["accuracy_clean"] - record["accuracy_mean"]))
    assert result.to_frame()["accuracy"].tolist() == result.accuracies


@pytest.mark.parametrize(
    ("n", "t"), [(2, 12.7062), (3, 4.3027), (4, 3.1824), (6, 2.5706), (11, 2.2281), (20, 2.0930), (101, 1.9840)]
)
def test_the_interval_is_student_s(n, t):
    values = np.arange(n, dtype=float)
    low, high = mean_interval(values)
    assert (high - low) / 2 == pytest.approx(t * values.std(ddof=1) / np.sqrt(n), rel=6e-3)


def test_nonsense_is_refused(weights, network):
    hybrid, few = Hybrid(network, Crossbar()), images_of(weights, 2)
    for arguments, says in (({"trials": 0, "seed": 1}, "trials is 0"), ({"trials": 1, "seed": -1}, "seed is -1")):
        with pytest.raises(FastSwitchError, match=says):
            Runner(few).run(hybrid, Variation(), **arguments)
    with pytest.raises(FastSwitchError, match="jobs is 0"):
        Runner(few, 0)
    with pytest.raises(FastSwitchError, match=r"images is 0; give 1\.\.1000"):
        find_test_images(weights, 0)
    with pytest.raises(FastSwitchError, match=r"images is 1001; give 1\.\.1000"):
        find_test_images(weights, 1001, data=Path("nowhere"))
