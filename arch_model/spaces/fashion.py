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
from arch_model.network.choices import Choice
from arch_model.network.layer import Activation, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces import layer_builders as builders

NAME = "fashion"
IMAGE = 28
STEM_WIDTH = 16
STAGE_WIDTHS = (24, 48, 96)
DEPTHS = (1, 2)
QUARTERS = (2, 3, 4)
CLASSES = 10

RELU = Activation.RELU
_DEPTH = Choice("depth", DEPTHS, len(STAGE_WIDTHS))
_WIDTH = Choice("width", QUARTERS, len(STAGE_WIDTHS))


def supernet() -> SuperNet:
    """The SuperNet ``fashion``, whose SubNets are all named."""
    stages = len(STAGE_WIDTHS)
    largest = build(depth=(max(DEPTHS),) * stages, width=(max(QUARTERS),) * stages)
    depths, widths = (tuple(itertools.product(c, repeat=stages)) for c in (DEPTHS, QUARTERS))
    names = tuple(subnet_name(depth, width) for depth in depths for width in widths)
    return SuperNet(NAME, largest.weight_layers, build, parse, names, (_DEPTH, _WIDTH))


def subnet_name(depth: Sequence[int], width: Sequence[int]) -> str:
    """The name of a SubNet.

    Parameters
    ----------
    depth : blocks a stage.
    width : quarters of the full width a stage.

    Examples
    --------
    >>> subnet_name((1, 2, 2), (2, 3, 4))
    'fashion-d122-w234'
    """
    return f"{NAME}-d{''.join(map(str, depth))}-w{''.join(map(str, width))}"


def parse(name: str) -> dict[str, Any]:
    """The config of a SubNet's name.

    Raises
    ------
    SpaceError
        The name is of no SubNet.

    Examples
    --------
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
    """The SubNet of a depth and a width.

    Parameters
    ----------
    depth : blocks in each stage, 1..2.
    width : quarters of the full width in each stage, 2..4.

    Raises
    ------
    SpaceError
        Any other choice.

    Examples
    --------
    >>> [layer.name for layer in build((1, 1, 1), (2, 2, 2)).layers][:5]
    ['stem', 's1b1_conv1', 's1b1_down', 's1b1_conv2', 's1b1_add']
    """
    depth, width = _DEPTH.take(NAME, depth), _WIDTH.take(NAME, width)
    layers = [builders.stem_conv("stem", IMAGE, STEM_WIDTH, 1, RELU, c=1)]
    for stage, (blocks, quarters, full) in enumerate(zip(depth, width, STAGE_WIDTHS, strict=True), 1):
        for block in range(1, blocks + 1):
            layers += _block(f"s{stage}b{block}", layers[-1], full * quarters // 4, first=block == 1)
    layers.append(builders.global_pool("pool", layers[-1]))
    layers.append(builders.linear("linear", layers[-1], CLASSES))
    return SubNet(subnet_name(depth, width), NAME, tuple(layers), (("depth", depth), ("width", width)))


def _block(name: str, before: Layer, k: int, first: bool) -> list[Layer]:
    """A basic block of ``k`` channels; the first of a stage halves the image and projects its shortcut."""
    stride = 2 if first else 1
    conv1 = builders.conv(f"{name}_conv1", before, k, 3, stride, RELU)
    conv2 = builders.conv(f"{name}_conv2", conv1, k, 3)
    down = builders.conv(f"{name}_down", before, k, 1, stride)
    add = builders.add(f"{name}_add", conv2, down if first else before, RELU)
    return [conv1, down, conv2, add] if first else [conv1, conv2, add]
