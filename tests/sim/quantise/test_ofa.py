"""once-for-all's own elastic networks go in as they are, with random weights; ``bench/ofa_networks.py`` has more."""

import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.weights import check_weights
from arch_model.spaces import get_space
from sim.quantise.compare import layer_ratios
from sim.quantise.floats import FloatRun, spans
from sim.quantise.images import Pixels
from sim.quantise.integers import Meaning
from sim.quantise.quantise import quantise, read_subnet

torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
networks = pytest.importorskip(
    "ofa.imagenet_classification.elastic_nn.networks", reason="the package ofa is not installed (pip --no-deps)"
)
from tests.sim.quantise.elastic import pixels  # noqa: E402

IMAGES = pixels(8, channels=3, size=64)


def mobile(**more):
    torch.manual_seed(0)
    elastic = {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]}
    return networks.OFAMobileNetV3(**elastic, **more).eval()


def worst(net, weights, name, config):
    """The signal-to-noise ratio, in dB, of the layer whose integers are furthest from the floats' answer."""
    net.set_active_subnet(**config)
    run = FloatRun(read_subnet(lambda: net.eval(), name, {}, IMAGES.shape[1:], None))
    pixels = Pixels(IMAGES, Meaning(1 / 255, -128))
    run = FloatRun(run.net, run.recalibrate(pixels.real))
    return min(layer_ratios(run, spans(run, pixels.real), weights.layers, weights.subnets[name].ops, pixels).values())


def test_mobilenet_v3():
    configs = {"small": {"ks": 3, "e": 3, "d": 2}, "mixed": {"ks": 5, "e": 4, "d": 3}}
    net = mobile(n_classes=10)
    weights = quantise(net, IMAGES, configs, recalibrate=True)
    assert weights.layers["blocks.2.conv.depth_conv.conv.conv"].shape == (96, 1, 5, 5)
    assert all(worst(net, weights, name, config) > 12 for name, config in configs.items())


def test_mobilenet_v3_under_the_names_of_the_space_that_ships():
    net, space = mobile(), get_space("ofa-mobilenetv3")
    config = dict(space.sample(1, seed=3)[0].config) | {"image": 64}

    def model(image, depth, kernel, expand):
        net.set_active_subnet(ks=[k or 3 for k in kernel], e=[e or 3 for e in expand], d=list(depth))
        return net

    weights = quantise(model, IMAGES, [space.subnet(**config)], space)
    net_of = next(iter(weights.subnets.values()))
    assert "s2b1_squeeze" in weights.layers and dict(net_of.config)["image"] == 64
    assert net_of.ops["stem"].table is not None
    check_weights(weights, space)


def test_resnet():
    torch.manual_seed(0)
    lists = {"expand_ratio_list": [0.2, 0.35], "depth_list": [0, 1], "width_mult_list": [0.65, 1.0]}
    net = networks.OFAResNets(n_classes=10, **lists).eval()
    configs = {"small": {"d": 0, "e": 0.2, "w": 0}}
    weights = quantise(net, IMAGES, configs, recalibrate=True)
    assert worst(net, weights, "small", configs["small"]) > 12


def test_kernels_that_are_transformed_do_not_share():
    """once-for-all makes a kernel of 5 from one of 7 by a learned matrix; where that is not 1, nothing is shared."""
    net = mobile(n_classes=10)
    with torch.no_grad():
        getattr(net.blocks[1].conv.depth_conv.conv, "7to5_matrix").mul_(1.1)
    with pytest.raises(FastSwitchError) as caught:
        quantise(net, IMAGES, {"five": {"ks": 5, "e": 3, "d": 2}, "seven": {"ks": 7, "e": 3, "d": 2}})
    text = str(caught.value)
    assert text.startswith(
        "SubNet five: layer blocks.1.conv.depth_conv.conv.conv does not share its weights with SubNet"
    )
    assert "without a transform of kernels" in text and "\n" not in text
