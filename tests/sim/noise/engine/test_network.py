"""The batched network is the reference, image by image."""

import dataclasses

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.weights import load_weights
from sim.integers.reference import run_layers
from sim.noise.engine.digital import Digital
from sim.noise.engine.network import Network
from tests.sim.noise.small_nets import plain, residual


@pytest.mark.parametrize("z", [-128, -30, 17])
def test_every_tensor_is_the_reference_s(z):
    network = residual(seed=5, z=z)
    images = np.random.default_rng(6).integers(0, 256, (7, 2, 9, 9)).astype(np.uint8)
    tensors = network.tensors(images, Digital(network))
    for i, image in enumerate(images):
        expected = run_layers(network.layers, network.weights, network.quant, (image.astype(int) - 128).astype(np.int8))
        for name, y in expected.items():
            assert (tensors[name][:, i].astype(int) - 128 == y).all(), name


def test_the_shipped_subnets_have_the_accuracy_that_their_file_says():
    weights = load_weights()
    for name in ("smallest", "largest"):
        network = Network.of_subnet(name, weights)
        right = network.predict(weights.images, Digital(network)) == weights.labels
        assert right.mean() == pytest.approx(weights.subnets[network.name].top1_subset, abs=1e-9)


def test_sums_beyond_53_bits_are_exact_too():
    c = 9000
    layer = Layer("wide", Kind.LINEAR, K=2, C=c, inputs=(INPUT,))
    weights = np.stack([np.full((c, 1, 1), 127), np.full((c, 1, 1), -127)]).astype(np.int8)
    quant = dataclasses.replace(
        plain(2), multiplier=np.full(2, (1 << 26) - 1, np.int32), shift=np.full(2, 48, np.int32)
    )
    network = Network("wide", (layer,), {"wide": weights}, {"wide": quant})
    image = np.full((1, c, 1, 1), 255, np.uint8)
    expected = run_layers(network.layers, network.weights, network.quant, (image[0].astype(int) - 128).astype(np.int8))
    assert (network.forward(image, Digital(network))[0] == expected["wide"].ravel()).all()


def test_the_hash_tells_networks_apart_by_weights_and_quantisation():
    a, b = residual(1), residual(1)
    assert a.hash == b.hash
    assert residual(2).hash != a.hash
    requantised = {**a.quant, "stem": dataclasses.replace(a.quant["stem"], z_out=a.quant["stem"].z_out + 1)}
    assert dataclasses.replace(a, quant=requantised).hash != a.hash


def test_what_cannot_run_is_named():
    grouped = Layer("dw", Kind.CONV, K=4, C=4, groups=4, inputs=(INPUT,))
    with pytest.raises(FastSwitchError, match="layer dw is conv with 4 groups"):
        Network("n", (grouped,), {}, {})
    with pytest.raises(FastSwitchError, match="SubNet tiny has no integers"):
        Network.of_subnet("tiny", load_weights())
