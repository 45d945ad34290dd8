"""Do once-for-all's own elastic networks become integers as they are?

    python bench/ofa_networks.py [--rtl small]

needs the extra ``train`` and the package ``ofa`` (``pip install --no-deps ofa``), of whose three networks it makes
SubNets int8, with random weights and without a change: batch normalisation is given random parameters, so that it
counts, and recalibrated, so that images differ to the end. Each layer's integers are compared with what the module's
floats make of the same inputs. (Over many layers of an untrained network noise grows; only trained ones tell what
quantisation does to accuracy.) With ``--rtl`` the smallest of each runs on the generated hardware. Prints the table of
``bench/ofa_networks.md``.
"""

from __future__ import annotations

import time

import click
import numpy as np

import fastswitch as fs
from arch_model.spaces import get_space
from sim.quantise.compare import layer_ratios
from sim.quantise.floats import FloatRun, spans
from sim.quantise.images import Pixels
from sim.quantise.integers import Meaning
from sim.quantise.quantise import read_subnet

MOBILE = {
    "d2-k3-e3": {"d": 2, "ks": 3, "e": 3},
    "d3-k5-e4": {"d": 3, "ks": 5, "e": 4},
    "d4-k7-e6": {"d": 4, "ks": 7, "e": 6},
}
RESNET = {
    "d0-e0.2-w0": {"d": 0, "e": 0.2, "w": 0},
    "d1-e0.25-w1": {"d": 1, "e": 0.25, "w": 1},
    "d2-e0.35-w2": {"d": 2, "e": 0.35, "w": 2},
}


def networks(seed: int = 0):
    """Name, elastic module, SubNets, size of images, SuperNet of ours and how its choices are called there."""
    import torch
    from ofa.imagenet_classification.elastic_nn import networks as ofa

    torch.manual_seed(seed)
    elastic = {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]}
    yield "OFAMobileNetV3", ofa.OFAMobileNetV3(**elastic), MOBILE, 64, "ofa-mobilenetv3", mobile_words
    proxyless = ofa.OFAProxylessNASNets(width_mult=1.3, **elastic)
    yield "OFAProxylessNASNets", proxyless, MOBILE, 64, "ofa-proxyless", mobile_words
    wide = {"expand_ratio_list": [0.2, 0.25, 0.35], "depth_list": [0, 1, 2], "width_mult_list": [0.65, 0.8, 1.0]}
    yield "OFAResNets", ofa.OFAResNets(**wide), RESNET, 128, "ofa-resnet50", resnet_words


def mobile_words(image, depth, kernel, expand):
    """What once-for-all calls the choices of our SuperNet; blocks that are not there are given anything."""
    return {"d": list(depth), "ks": [k or 3 for k in kernel], "e": [e or 3 for e in expand]}


def resnet_words(image, depth, expand, width):
    return {"d": list(depth), "e": list(expand), "w": list(width)}


def with_random_norms(net, seed: int):
    """Batch normalisation that is not the identity: gammas of 0.7 to 1.3 and of either sign, betas of up to 0.3."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            gamma, beta = module.weight.data, module.bias.data
            gamma.uniform_(0.7, 1.3, generator=generator)
            gamma *= torch.randint(0, 2, gamma.shape, generator=generator) * 2 - 1
            beta.uniform_(-0.3, 0.3, generator=generator)
    return net.eval()


def smooth(count: int, size: int, seed: int):
    """Random images (N, 3, size, size) with blobs, uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 3, -(-size // 8), -(-size // 8)))
    return coarse.repeat(8, 2).repeat(8, 3)[..., :size, :size].astype(np.uint8)


def worst_layer(net, weights, name, config, calibration, image):
    """The lowest signal-to-noise ratio of any layer's int8 tensor, in dB, and the layer: what the integers make of an
    image, beside what the module's floats make of the same int8 inputs."""
    read = read_subnet(lambda **words: chosen(net, words), name, config, image.shape, None)
    pixels = calibration.astype(np.float32) / 255
    run = FloatRun(read, FloatRun(read).recalibrate(pixels))
    held = weights.subnets[name]
    ratios = layer_ratios(
        run, spans(run, pixels), weights.layers, held.ops, Pixels(image[None], Meaning(1 / 255, -128))
    )
    return min((ratio, layer) for layer, ratio in ratios.items())


def chosen(net, words):
    net.set_active_subnet(**words)
    return net


def renamed(net, words):
    """The model that is called with the choices of our SuperNet."""
    return lambda **config: chosen(net, words(**config))


@click.command()
@click.option("--rtl", metavar="ACCELERATOR", help="Run the smallest SubNet of each on this machine's RTL, too.")
def main(rtl: str | None) -> None:
    heads = ("network", "SubNet", "layers", "MACs", "seconds", "worst layer", "RTL")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for network, net, subnets, size, space, words in networks():
        with_random_norms(net, 1)
        calibration, tests = smooth(32, size, 2), smooth(1, size, 3)
        begin = time.perf_counter()
        weights = fs.quantise(net, calibration, subnets, name=network, recalibrate=True)
        seconds = (time.perf_counter() - begin) / len(subnets)
        for n, (name, config) in enumerate(subnets.items()):
            ratio, worst = worst_layer(net, weights, name, config, calibration, tests[0])
            subnet, run = weights.supernet.subnet(name), "-"
            if rtl and n == 0:
                found = fs.simulate(weights.supernet, name, rtl, weights=weights, policy="quick")
                run = f"{rtl}: {'exact' if found.exact else 'WRONG'}, {found.simulated_cycles:,} cycles"
            sizes = f"{len(subnet.layers)} | {subnet.macs:,} | {seconds:.1f}"
            print(f"| {network} | {name} | {sizes} | {ratio:.1f} dB, {worst} | {run} |", flush=True)
        supernet = get_space(space)
        drawn = [supernet.subnet(**(dict(one.config) | {"image": size})) for one in supernet.sample(2, seed=1)]
        begin = time.perf_counter()
        made = fs.quantise(renamed(net, words), calibration[:8], drawn, supernet)
        seconds = (time.perf_counter() - begin) / len(drawn)
        print(f"| {network} | {len(made.subnets)} drawn, matched to `{space}` | | | {seconds:.1f} | | |", flush=True)


if __name__ == "__main__":
    main()
