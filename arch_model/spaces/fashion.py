"""``fashion``: an elastic ResNet for 28 x 28 grey images, small enough to train and to simulate.

A 3 x 3 stem of 16 channels, three stages of basic blocks (two 3 x 3 convs, a residual add), each of which
halves the image in its first block, then global average pooling and a linear layer. Elastic are the depth of
a stage (1 or 2 blocks) and its width (2, 3 or 4 quarters of 24, 48, 96 channels): 8 * 27 = 216 SubNets.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from arch_model.errors import SpaceError
from arch_model.layer import INPUT, Kind, Layer
from arch_model.supernet import SubNet, SuperNet

NAME = "fashion"
IMAGE = 28
STEM_WIDTH = 16
STAGE_WIDTHS = (24, 48, 96)
DEPTHS = (1, 2)
QUARTERS = (2, 3, 4)
CLASSES = 10


def supernet() -> SuperNet:
    """The SuperNet ``fashion``, whose SubNets are all named."""
    stages = len(STAGE_WIDTHS)
    largest = build(depth=(max(DEPTHS),) * stages, width=(max(QUARTERS),) * stages)
    depths, widths = (tuple(itertools.product(c, repeat=stages)) for c in (DEPTHS, QUARTERS))
    names = tuple(subnet_name(depth, width) for depth in depths for width in widths)
    return SuperNet(NAME, largest.weight_layers, build, parse, names)


def subnet_name(depth: Sequence[int], width: Sequence[int]) -> str:
    """The name of a SubNet: blocks a stage, then quarters of the full width a stage.

    >>> subnet_name((1, 2, 2), (2, 3, 4))
    'fashion-d122-w234'
    """
    return f"{NAME}-d{''.join(map(str, depth))}-w{''.join(map(str, width))}"


def parse(name: str) -> dict[str, Any]:
    """The config of a SubNet's name; :class:`SpaceError` if it is not one.

    >>> parse("fashion-d122-w234")
    {'depth': (1, 2, 2), 'width': (2, 3, 4)}
    """
    match = re.fullmatch(r"fashion-d([12]{3})-w([234]{3})", name)
    if match is None:
        raise SpaceError(
            f"SubNet {name} does not exist in {NAME}; give fashion-dXYZ-wABC with blocks XYZ of 1..2 "
            "and quarters of the width ABC of 2..4, such as fashion-d122-w234"
        )
    return {"depth": tuple(map(int, match[1])), "width": tuple(map(int, match[2]))}


def build(depth: Sequence[int], width: Sequence[int]) -> SubNet:
    """The SubNet with ``depth`` blocks (1..2) and ``width`` quarters (2..4) of the full width in each stage.

    Raises :class:`SpaceError` for any other choice.

    >>> [layer.name for layer in build((1, 1, 1), (2, 2, 2)).layers][:5]
    ['stem', 's1b1_conv1', 's1b1_down', 's1b1_conv2', 's1b1_add']
    """
    depth = _choice("depth", depth, DEPTHS)
    width = _choice("width", width, QUARTERS)
    layers = [Layer("stem", Kind.CONV, STEM_WIDTH, 1, 3, 3, IMAGE, IMAGE, padding=1, inputs=(INPUT,))]
    for stage, (blocks, quarters, full) in enumerate(zip(depth, width, STAGE_WIDTHS, strict=True), 1):
        for block in range(1, blocks + 1):
            layers += _block(f"s{stage}b{block}", layers[-1], full * quarters // 4, first=block == 1)
    last = layers[-1]
    layers.append(Layer("pool", Kind.POOL, last.K, last.K, H=last.P, W=last.Q, inputs=(last.name,)))
    layers.append(Layer("linear", Kind.LINEAR, CLASSES, last.K, inputs=("pool",)))
    return SubNet(subnet_name(depth, width), NAME, tuple(layers), (("depth", depth), ("width", width)))


def _block(name: str, before: Layer, k: int, first: bool) -> list[Layer]:
    """A basic block of ``k`` channels; the first of a stage halves the image and projects its shortcut."""
    c, h, w, stride = before.K, before.P, before.Q, 2 if first else 1
    conv1 = Layer(
        f"{name}_conv1", Kind.CONV, k, c, 3, 3, h, w, stride=stride, padding=1, inputs=(before.name,)
    )
    conv2 = Layer(f"{name}_conv2", Kind.CONV, k, k, 3, 3, conv1.P, conv1.Q, padding=1, inputs=(conv1.name,))
    down = Layer(f"{name}_down", Kind.CONV, k, c, 1, 1, h, w, stride=stride, inputs=(before.name,))
    shortcut = down if first else before
    add = Layer(f"{name}_add", Kind.ADD, k, k, H=conv2.P, W=conv2.Q, inputs=(conv2.name, shortcut.name))
    return [conv1, down, conv2, add] if first else [conv1, conv2, add]


def _choice(what: str, value: Sequence[int], legal: tuple[int, ...]) -> tuple[int, ...]:
    stages = len(STAGE_WIDTHS)
    chosen = tuple(value) if isinstance(value, Sequence) else None
    if chosen is None or len(chosen) != stages or any(v not in legal for v in chosen):
        span = f"{min(legal)}..{max(legal)}"
        raise SpaceError(f"SubNet of {NAME}: {what} is {value!r}; give {stages} whole numbers of {span}")
    return tuple(int(v) for v in chosen)
