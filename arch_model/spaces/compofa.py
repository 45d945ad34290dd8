"""``compofa`` and ``compofa-elastic``: compound choices, Sahni et al., "CompOFA", ICLR 2021.

MobileNetV3 as in once-for-all at width 1.0, but a stage's depth decides the expansion of all its blocks, and
its kernel is fixed: 3**5 = 243 SubNets for each image size. ``compofa-elastic`` leaves the kernel of each
block free. Github gatech-sysml/CompOFA, ``ofa/elastic_nn/networks/ofa_mbv3.py``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from arch_model.errors import SpaceError
from arch_model.network.choices import Choice
from arch_model.network.supernet import Config, SubNet, SuperNet
from arch_model.spaces.mobile import DEPTHS, KERNELS, LARGEST_IMAGE, take_blocks, take_image
from arch_model.spaces.ofa_mobile import mobilenetv3

NAME = "compofa"
ELASTIC_NAME = "compofa-elastic"
IMAGES = (128, 160, 192, 224)
EXPANSION_OF_DEPTH = {2: 3, 3: 4, 4: 6}
STAGE_KERNELS = (3, 5, 3, 3, 5)
"""Of ``compofa``."""

_NET = mobilenetv3(1.0)
_FIXED_KERNELS = tuple(kernel for kernel in STAGE_KERNELS for _ in range(max(DEPTHS)))
_IMAGE = Choice("image", IMAGES)
_DEPTH = Choice("depth", DEPTHS, _NET.elastic_stages)
_KERNEL = Choice("kernel", KERNELS, _NET.blocks)


def supernet() -> SuperNet:
    """The SuperNet ``compofa``; named are its 243 SubNets for images of 224 x 224."""
    largest = build(LARGEST_IMAGE, (max(DEPTHS),) * _NET.elastic_stages)
    depths = itertools.product(DEPTHS, repeat=_NET.elastic_stages)
    names = tuple(f"{NAME}-{_spell(LARGEST_IMAGE, depth)}" for depth in depths)
    return SuperNet(NAME, largest.weight_layers, build, parse, names, (_IMAGE, _DEPTH))


def elastic_supernet() -> SuperNet:
    """The SuperNet ``compofa-elastic``, of which no SubNet is published."""
    largest = build_elastic(LARGEST_IMAGE, (max(DEPTHS),) * _NET.elastic_stages, (max(KERNELS),) * _NET.blocks)
    choices = (_IMAGE, _DEPTH, _KERNEL)
    return SuperNet(ELASTIC_NAME, largest.weight_layers, build_elastic, parse_elastic, (), choices)


def build(image: int, depth: Sequence[int]) -> SubNet:
    """The SubNet of a depth and an image.

    Parameters
    ----------
    image : rows and columns, at least 32.
    depth : blocks in each of five stages, 2..4.

    Raises
    ------
    SpaceError
        Any other choice.

    Examples
    --------
    >>> net = build(224, (2, 2, 2, 2, 2))
    >>> net.name, net.layer("s2b2_depthwise").R, net.layer("s2b2_depthwise").C   # 3 times 40
    ('compofa-r224-d22222', 5, 120)
    """
    image, depth = take_image(NAME, image), _DEPTH.take(NAME, depth)
    config = (("image", image), ("depth", depth))
    return _subnet(NAME, f"{NAME}-{_spell(image, depth)}", config, image, depth, _FIXED_KERNELS)


def build_elastic(image: int, depth: Sequence[int], kernel: Sequence[int]) -> SubNet:
    """The SubNet of a depth, an image and the kernels.

    Parameters
    ----------
    image : rows and columns, at least 32.
    depth : blocks in each of five stages, 2..4.
    kernel : 3, 5 or 7 for each of the 20 blocks that may be there, 0 for those that are not.

    Raises
    ------
    SpaceError
        Any other choice.
    """
    image, depth = take_image(ELASTIC_NAME, image), _DEPTH.take(ELASTIC_NAME, depth)
    kernel = take_blocks(_KERNEL, ELASTIC_NAME, kernel, _NET.present(depth))
    config = (("image", image), ("depth", depth), ("kernel", kernel))
    name = f"{ELASTIC_NAME}-{_spell(image, depth)}-k{''.join(map(str, kernel))}"
    return _subnet(ELASTIC_NAME, name, config, image, depth, kernel)


def parse(name: str) -> dict[str, Any]:
    """The config of a SubNet's name.

    Raises
    ------
    SpaceError
        The name is of no SubNet.

    Examples
    --------
    >>> parse("compofa-r224-d22234")
    {'image': 224, 'depth': (2, 2, 2, 3, 4)}
    """
    match = re.fullmatch(rf"{NAME}-r(\d{{1,4}})-d(\d{{5}})", name, re.ASCII)
    if match is None:
        raise SpaceError(
            f"SubNet {name} does not exist in {NAME}; give {NAME}-rIMAGE-dDEPTHS with five depths of 2..4, "
            f"such as {NAME}-r224-d22234"
        )
    return {"image": int(match[1]), "depth": tuple(map(int, match[2]))}


def parse_elastic(name: str) -> dict[str, Any]:
    """The config of a SubNet's name in ``compofa-elastic``.

    Raises
    ------
    SpaceError
        The name is of no SubNet.
    """
    match = re.fullmatch(rf"{ELASTIC_NAME}-r(\d{{1,4}})-d(\d{{5}})-k(\d{{20}})", name, re.ASCII)
    if match is None:
        raise SpaceError(
            f"SubNet {name} does not exist in {ELASTIC_NAME}; give {ELASTIC_NAME}-rIMAGE-dDEPTHS-kKERNELS with "
            "five depths of 2..4 and twenty kernels of 3, 5, 7, or 0 for a block that is not there"
        )
    depth, kernel = (tuple(map(int, digits)) for digits in match.groups()[1:])
    return {"image": int(match[1]), "depth": depth, "kernel": kernel}


def _subnet(space: str, name: str, config: Config, image: int, depth: Sequence[int], kernel: Sequence[int]) -> SubNet:
    expand = [EXPANSION_OF_DEPTH[blocks] for blocks in depth for _ in range(max(DEPTHS))]
    return SubNet(name, space, _NET.layers(image, depth, kernel, expand), config)


def _spell(image: int, depth: Sequence[int]) -> str:
    return f"r{image}-d{''.join(map(str, depth))}"
