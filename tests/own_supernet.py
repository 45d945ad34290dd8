"""A small SuperNet that does not ship: two blocks whose widths are chosen, for 12 x 12 images of 3 channels.

As in a notebook, its functions are closures, which no pickle takes by name.
"""

from __future__ import annotations

from dataclasses import replace

from arch_model.errors import SpaceError
from arch_model.network.choices import Choice
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet

WIDTHS = (4, 6, 8)
IMAGE = (3, 12, 12)


def own_supernet(name: str = "toy") -> SuperNet:
    """SubNets ``toy-48`` and so on: the channels of its two convolutions are each one of :data:`WIDTHS`."""

    def build(width: tuple[int, int]) -> SubNet:
        first, second = width
        channels, height, w = IMAGE
        stem = Layer("stem", Kind.CONV, first, channels, 3, 3, height, w, 2, padding=1, inputs=(INPUT,))
        stem = replace(stem, activation=Activation.RELU)
        conv = Layer("conv", Kind.CONV, second, first, 3, 3, stem.P, stem.Q, padding=1, inputs=("stem",))
        side = Layer("side", Kind.CONV, second, first, 1, 1, stem.P, stem.Q, inputs=("stem",))
        add = Layer("add", Kind.ADD, second, second, H=conv.P, W=conv.Q, inputs=("conv", "side"))
        pool = Layer("pool", Kind.POOL, second, second, H=add.H, W=add.W, inputs=("add",))
        linear = Layer("linear", Kind.LINEAR, 5, second, inputs=("pool",))
        layers = stem, conv, side, add, pool, linear
        return SubNet(f"{name}-{first}{second}", name, layers, (("width", tuple(width)),))

    def parse(text: str) -> dict[str, object]:
        first, second = list(text.removeprefix(f"{name}-"))
        return {"width": (int(first), int(second))}

    names = tuple(f"{name}-{a}{b}" for a in WIDTHS for b in WIDTHS)
    whole = tuple(replace(layer, inputs=()) for layer in build((8, 8)).weight_layers)
    own = SuperNet(name, whole, build, parse, names, (Choice("width", WIDTHS, 2),))
    if own.subnet(names[0]).name != names[0]:
        raise SpaceError("the widths are digits")
    return own


def vgg(pool: str) -> SuperNet:
    """SubNets ``vgg-12`` and so on: one or two convolutions in each of two stages, of which one SubNet has (1, 2) and
    another (2, 1). Each stage ends with a 2 x 2 pool of the kind ``pool``, or the second begins with a stride of 2."""
    depths = Choice("depth", (1, 2), 2)

    def build(depth: tuple[int, int]) -> SubNet:
        depth, layers = depths.take("vgg", depth), []
        before, c, size = INPUT, 3, 8
        for stage, (count, k) in enumerate(zip(depth, (8, 12), strict=True), 1):
            for n in range(1, count + 1):
                stride = 2 if not pool and stage == 2 and n == 1 else 1
                sizes = {"K": k, "C": c, "R": 3, "S": 3, "H": size, "W": size, "stride": stride, "padding": 1}
                layers.append(Layer(f"s{stage}c{n}", Kind.CONV, inputs=(before,), activation=Activation.RELU, **sizes))
                before, c, size = layers[-1].name, k, layers[-1].P
            if pool:
                layers.append(Layer(f"s{stage}pool", Kind(pool), k, k, 2, 2, size, size, 2, inputs=(before,)))
                before, size = layers[-1].name, layers[-1].P
        layers.append(Layer("pool", Kind.POOL, c, c, H=size, W=size, inputs=(before,)))
        layers.append(Layer("linear", Kind.LINEAR, 5, c, inputs=("pool",)))
        return SubNet("vgg-" + "".join(map(str, depth)), "vgg", tuple(layers), (("depth", tuple(depth)),))

    whole = tuple(replace(layer, inputs=()) for layer in build((2, 2)).weight_layers)
    names = tuple(f"vgg-{a}{b}" for a in (1, 2) for b in (1, 2))
    return SuperNet("vgg", whole, build, lambda name: {"depth": tuple(map(int, name[4:]))}, names, (depths,))
