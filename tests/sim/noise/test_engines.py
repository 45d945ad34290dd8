"""Two engines, one answer: to the bit without noise, in distribution with it; and both by hand."""

import math

import numpy as np
import pytest

from arch_model.analog import Crossbar, Encoding, Variation, place_values, quantise, to_levels
from arch_model.errors import FastSwitchError
from sim.noise.engine.bit_serial import BitSerialEngine
from sim.noise.engine.calibration import calibrate_adcs
from sim.noise.engine.chip import Chip
from sim.noise.engine.digital import Digital
from sim.noise.engine.effective_weight import FastEngine
from sim.noise.engine.hybrid import Hybrid
from tests.sim.noise.small_nets import dot_product, residual

ENGINES = (FastEngine, BitSerialEngine)
IMAGES = np.random.default_rng(3).integers(0, 256, (6, 2, 9, 9)).astype(np.uint8)
HALF = {
    "stem": np.array([True, False]),
    "a": np.array([True, False, False, True, False, True]),
    "linear": np.ones(5, np.bool_),
}


def single_weights(network, share, seed):
    rng = np.random.default_rng(seed)
    return {layer.name: rng.random(network.weights[layer.name].shape) < share for layer in network.weight_layers}


@pytest.mark.parametrize("split", ["analog", "channels", "single weights", "digital"])
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("engine", ENGINES)
def test_without_noise_both_give_the_reference_s_integers(engine, encoding, split):
    network = residual(1, z=-30)
    digital = {
        "analog": {},
        "channels": HALF,
        "single weights": single_weights(network, 0.3, 4),
        "digital": {layer.name: np.ones(layer.C, np.bool_) for layer in network.weight_layers},
    }[split]
    hybrid = Hybrid(network, Crossbar(encoding=encoding, rows=7, dac_bits=3), digital)
    expected = network.tensors(IMAGES, Digital(network))
    given = network.tensors(IMAGES, engine(hybrid, Variation(), Chip(1, 0)))
    assert all((given[name] == expected[name]).all() for name in expected)
    assert (hybrid.analog_weights == 0) == (split == "digital")


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(("engine", "conversion", "bits"), [
    (FastEngine, "word", 21), (BitSerialEngine, "word", 21), (BitSerialEngine, "slice", 8),
    (BitSerialEngine, "slice", 20),
])  # fmt: skip
def test_with_enough_bits_conversion_is_exact(engine, encoding, conversion, bits):
    network = residual(1)
    crossbar = Crossbar(encoding=encoding, rows=10, conversion=conversion, adc_bits=bits)  # at most 10 * 3 a slice
    hybrid = Hybrid(network, crossbar, HALF)
    adcs = calibrate_adcs(hybrid, Variation(), IMAGES[:2])
    expected = network.tensors(IMAGES, Digital(network))
    given = network.tensors(IMAGES, engine(hybrid, Variation(), None, adcs))
    assert all((given[name] == expected[name]).all() for name in expected)


@pytest.mark.parametrize("encoding", Encoding)
def test_too_few_bits_are_not_exact(encoding):
    network = residual(1)
    hybrid = Hybrid(network, Crossbar(encoding=encoding, adc_bits=4))
    engine = FastEngine(hybrid, Variation(), None, calibrate_adcs(hybrid, Variation(), IMAGES))
    assert (network.forward(IMAGES, engine) != network.forward(IMAGES, Digital(network))).any()


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("text", [
    "lognormal:0.3", "lognormal:0.3,per-cell,mean-preserving", "gaussian:0.2,conductance,per-cell,on-off=20",
    "gaussian:0.1,range,per-cell", "none,stuck-off=0.02,stuck-on=0.01,drift=0.05/0.02@1000", "none,ir=2e-4",
])  # fmt: skip
def test_the_same_chip_in_both_engines(encoding, text):
    """Equal but for the rounding of conductances, 2**-8 of a level or finer: sums differ by far less than one level."""
    network = residual(2)
    hybrid = Hybrid(network, Crossbar(encoding=encoding, rows=16), HALF)
    variation = Variation.parse(text)
    fast, serial = (engine(hybrid, variation, Chip(7, 3)) for engine in ENGINES)
    u = np.ascontiguousarray(IMAGES.transpose(1, 0, 2, 3))
    layer = network.weight_layers[0]
    a, b = fast.accumulate(layer, u, 0), serial.accumulate(layer, u, 0)
    exact = Digital(network).accumulate(layer, u, 0)
    assert np.abs(a - exact).max() > 100  # there is noise
    assert np.abs(a - b).max() < 1e-3 * np.abs(a - exact).max() + 1.0


def moments(hybrid, variation, engine, u, crossbar_adcs=None):
    sums = engine(hybrid, variation, Chip(11, 0), crossbar_adcs).accumulate(hybrid.network.layers[0], u, 0)
    return sums.ravel()


WEIGHTS = np.array([100, -37, 5, 0, -120, 64, 1, -2])
INPUT = np.array([255, 3, 77, 128, 10, 200, 0, 31])
COPIES = 20_000


def expected_moments(encoding, text):
    """Mean and variance of ``sum(w u)`` over chips, from the definitions and not from the code that draws."""
    variation = Variation.parse(text)
    crossbar = Crossbar(encoding=encoding)
    levels = to_levels(quantise(WEIGHTS, crossbar), crossbar).astype(float)  # (columns, slices, inputs)
    place = place_values(crossbar).astype(float)[None, :, None]
    sign = np.array([1.0, -1.0])[: encoding.columns, None, None]
    stored = (place * levels * sign).sum(axis=(0, 1))  # w, or w + 128
    off = 0.0 if math.isinf(variation.on_off) else 3 / (variation.on_off - 1)
    s, u = variation.sigma, INPUT.astype(float)
    offset = 128 * u.sum() if encoding is Encoding.OFFSET else 0.0
    nominal, u2 = (stored * u).sum() - offset, u**2
    mean_factor, var_factor = 1.0, s**2
    if text.startswith("lognormal"):
        raw = "mean-preserving" not in text
        mean_factor = math.exp(s**2 / 2) if raw else 1.0
        var_factor = (math.exp(s**2) - 1) * mean_factor**2
    if "read" in text:
        driven = sum(((INPUT >> t) & 1) * 4.0**t for t in range(8))  # eight reads of one bit
        return nominal, variation.read**2 * (driven * (place**2 * levels**2).sum(axis=(0, 1))).sum()
    if "stuck" in text:
        p, q = variation.stuck_off, variation.stuck_on
        mean = (1 - p - q) * levels + q * 3
        var = (1 - p - q) * levels**2 + q * 9 - mean**2
        return (sign * place * mean * u).sum() - offset, (place**2 * var * u2).sum()
    if "drift" in text:
        log_t = math.log(variation.time_s)
        m = math.exp(-log_t * variation.drift + (log_t * variation.drift_sigma) ** 2 / 2)
        v = (math.exp((log_t * variation.drift_sigma) ** 2) - 1) * m**2
        return (stored * u).sum() * m - offset, (place**2 * levels**2 * u2).sum() * v
    if "range" in text:
        if "per-cell" in text:
            return nominal, (s * 3) ** 2 * (place**2).sum() * encoding.columns * u2.sum()
        return nominal, (s * 255) ** 2 * u2.sum()
    if "conductance" in text:  # per cell; the off state's mean is subtracted, or cancels
        pedestal = off * place.sum() * u.sum() if encoding is Encoding.OFFSET else 0.0
        mean = mean_factor * ((stored * u).sum() + pedestal) - pedestal - offset
        return mean, var_factor * (place**2 * (levels + off) ** 2 * u2).sum()
    if "per-cell" in text:
        return mean_factor * (stored * u).sum() - offset, var_factor * (place**2 * levels**2 * u2).sum()
    return mean_factor * (stored * u).sum() - offset, var_factor * (stored**2 * u2).sum()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("text", [
    "lognormal:0.5", "lognormal:0.5,mean-preserving", "lognormal:0.3,per-cell", "gaussian:0.1,mean-preserving",
    "gaussian:0.1,mean-preserving,per-cell", "gaussian:0.05,range,mean-preserving",
    "gaussian:0.05,range,per-cell,mean-preserving", "lognormal:0.2,conductance,per-cell,on-off=10",
    "none,read=0.05", "none,stuck-off=0.05,stuck-on=0.02", "none,drift=0.05/0.01@3600",
])  # fmt: skip
def test_mean_and_variance_of_a_dot_product(text, encoding, engine):
    """20,000 output channels with the same weights are 20,000 chips' dot products."""
    network = dot_product(WEIGHTS, COPIES)
    hybrid = Hybrid(network, Crossbar(encoding=encoding))
    u = INPUT.astype(np.uint8).reshape(-1, 1, 1, 1)
    sums = moments(hybrid, Variation.parse(text), engine, u)
    mean, variance = expected_moments(encoding, text)
    deviation = sums - sums.mean()
    kurtosis = (deviation**4).mean() / (deviation**2).mean() ** 2
    assert sums.mean() == pytest.approx(mean, abs=5 * math.sqrt(variance / COPIES))
    assert deviation.var() == pytest.approx(variance, rel=5 * math.sqrt((kurtosis - 1) / COPIES))


def smirnov(a, b):
    """The Kolmogorov-Smirnov statistic of two samples."""
    both = np.concatenate([a, b])
    ranks = [np.searchsorted(np.sort(x), both, side="right") / len(x) for x in (a, b)]
    return np.abs(ranks[0] - ranks[1]).max()


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("text", ["lognormal:0.3,per-cell,read=0.05", "gaussian:0.1,conductance,on-off=30,read=0.1"])
@pytest.mark.parametrize("bits", [None, 6])
def test_the_engines_agree_in_distribution(encoding, text, bits):
    """Different chips and reads in each; 1.95 sqrt(2 / n) is exceeded once in a thousand by equal distributions."""
    copies = 4000
    network = dot_product(WEIGHTS, copies)
    hybrid = Hybrid(network, Crossbar(encoding=encoding, rows=5, adc_bits=bits, percentile=100))
    variation = Variation.parse(text)
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (8, 8, 1, 1)).astype(np.uint8)
    adcs = calibrate_adcs(hybrid, variation, images)
    u = INPUT.astype(np.uint8).reshape(-1, 1, 1, 1)
    layer = network.layers[0]
    fast = FastEngine(hybrid, variation, Chip(1, 0), adcs).accumulate(layer, u, 0).ravel()
    serial = BitSerialEngine(hybrid, variation, Chip(2, 0), adcs).accumulate(layer, u, 0).ravel()
    assert fast.std() > 0
    assert smirnov(fast, serial) < 1.95 * math.sqrt(2 / copies)


def test_random_numbers_do_not_depend_on_the_partition():
    """Common random numbers: a channel that is analog in two partitions has the same cells in both."""
    network = residual(2)
    layer = network.weight_layers[1]
    u = np.random.default_rng(1).integers(0, 256, (6, 3, 9, 9)).astype(np.uint8)
    u[[0, 3, 5]] = 0  # z_in is -128: these channels say nothing
    sums = []
    for digital in ({}, {"a": np.array([True, False, False, True, False, True])}):
        hybrid = Hybrid(network, Crossbar(), digital)
        sums.append(FastEngine(hybrid, Variation.parse("lognormal:0.5,per-cell"), Chip(1, 0)).accumulate(layer, u, 0))
    assert np.allclose(sums[0], sums[1], rtol=0, atol=1e-2)
    assert np.abs(sums[0] - Digital(network).accumulate(layer, u, 0)).max() > 100


def test_the_fast_engine_refuses_what_it_cannot_do_exactly():
    with pytest.raises(FastSwitchError, match="engine is fast, which cannot tell apart slices"):
        FastEngine(Hybrid(residual(1), Crossbar(conversion="slice", adc_bits=8)), Variation(), None)


def test_masks_of_another_network_are_refused():
    for digital in ({"a": np.ones(7, np.bool_)}, {"a": np.ones(6)}, {"b": np.ones(6, np.bool_)}):
        with pytest.raises(FastSwitchError, match=r"layer a: the digital mask|no weights in a layer b"):
            Hybrid(residual(1), Crossbar(), digital)
