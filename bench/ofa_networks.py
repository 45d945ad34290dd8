"""Do once-for-all's own elastic networks become integers as they are?

    python bench/ofa_networks.py [--rtl small]

needs the extra ``train`` and the package ``ofa`` (``pip install --no-deps ofa``), of whose three networks it makes
SubNets int8, with random weights and without a change: batch normalisation is given random parameters, so that it
counts. A SubNet is compared with its own floats on random images (the class, and how far logits are apart); what
quantisation does to accuracy is not told by random weights. With ``--rtl`` the smallest of each runs on the generated
hardware. Prints the table of ``bench/ofa_networks.md``.
"""

from __future__ import annotations

import time

import click
import numpy as np

import fastswitch as fs
from arch_model.spaces import get_space
from sim.integers.batch import run_batch
from sim.quantise.floats import FloatRun
from sim.quantise.quantise import AT_ONCE, read_subnet, torch_convolve

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
    """Batch normalisation as training leaves it: not the identity, of either sign."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight.data, -0.2, 1.2),
                (module.bias.data, -0.3, 0.3),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 1.5),
            ):
                tensor.uniform_(low, high, generator=generator)
    return net.eval()


def smooth(count: int, size: int, seed: int):
    """Random images (N, 3, size, size) with blobs, uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 3, -(-size // 8), -(-size // 8)))
    return coarse.repeat(8, 2).repeat(8, 3)[..., :size, :size].astype(np.uint8)


def compared(net, weights, name, config, images):
    """The fraction of images of one class in floats and integers, and the correlation of all logits."""
    real = read_subnet(lambda **words: chosen(net, words), name, config, images.shape[1:], None)
    floats = np.concatenate([FloatRun(real).logits(part) for part in parts(images)])
    layers = weights.supernet.subnet(name).layers
    int8 = (images.astype(np.int16) - 128).astype(np.int8)
    ops = weights.subnets[name].ops
    made = run_batch(layers, weights.layers, ops, int8[:AT_ONCE], torch_convolve).reshape(len(images), -1)
    return (floats.argmax(1) == made.argmax(1)).mean(), np.corrcoef(floats.ravel(), made.ravel())[0, 1]


def chosen(net, words):
    net.set_active_subnet(**words)
    return net


def renamed(net, words):
    """The model that is called with the choices of our SuperNet."""
    return lambda **config: chosen(net, words(**config))


def parts(images):
    import torch

    yield torch.from_numpy(images.astype(np.float32) / 255)


@click.command()
@click.option("--rtl", metavar="ACCELERATOR", help="Run the smallest SubNet of each on this machine's RTL, too.")
@click.option("--images", default=100, show_default=True, help="Images to compare on.")
def main(rtl: str | None, images: int) -> None:
    heads = ("network", "SubNet", "layers", "MACs", "seconds", "same class", "correlation", "RTL")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for network, net, subnets, size, space, words in networks():
        with_random_norms(net, 1)
        calibration, tests = smooth(64, size, 2), smooth(images, size, 3)
        begin = time.perf_counter()
        weights = fs.quantise(net, calibration, subnets, name=network)
        seconds = (time.perf_counter() - begin) / len(subnets)
        for n, (name, config) in enumerate(subnets.items()):
            same, alike = compared(net, weights, name, config, tests)
            subnet, run = weights.supernet.subnet(name), "-"
            if rtl and n == 0:
                found = fs.simulate(weights.supernet, name, rtl, weights=weights, policy="quick")
                run = f"{rtl}: {'exact' if found.exact else 'WRONG'}, {found.simulated_cycles:,} cycles"
            sizes = f"{len(subnet.layers)} | {subnet.macs:,} | {seconds:.1f}"
            print(f"| {network} | {name} | {sizes} | {same:.0%} | {alike:.4f} | {run} |", flush=True)
        supernet = get_space(space)
        drawn = [supernet.subnet(**(dict(one.config) | {"image": size})) for one in supernet.sample(2, seed=1)]
        begin = time.perf_counter()
        made = fs.quantise(renamed(net, words), calibration[:8], drawn, supernet)
        seconds = (time.perf_counter() - begin) / len(drawn)
        print(f"| {network} | {len(made.subnets)} drawn, matched to `{space}` | | | {seconds:.1f} | | | |", flush=True)


if __name__ == "__main__":
    main()
