"""``ofa-resnet50``: the OFA-ResNet50 space of Cai et al., "Once-for-All", ICLR 2020.

A ResNet50-D (three 3 x 3 stem convs, average pooling before a projected shortcut) with elastic depth, width
and bottleneck expansion: github mit-han-lab/once-for-all, ``elastic_nn/networks/ofa_resnets.py``. Some
10**12 SubNets for each image size; six, those that SUSHI (MLSys 2023) served, have names of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from arch_model.errors import SpaceError
from arch_model.network.choices import Choice
from arch_model.network.layer import COLUMNS, Activation, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces import layer_builders as builders
from arch_model.spaces.channels import divisible

if TYPE_CHECKING:
    import pandas as pd

NAME = "ofa-resnet50"
IMAGES = (128, 144, 160, 176, 192, 224, 240, 256)
"""Image sizes of the published accuracy predictor."""
LARGEST_IMAGE = 224
"""The greatest size trained at; the H and W of the SuperNet's layers."""
EXTRA_BLOCKS = (0, 1, 2)
EXPANSIONS = (0.2, 0.25, 0.35)
WIDTHS = (0.65, 0.8, 1.0)
BASE_BLOCKS = (2, 2, 4, 2)
STAGE_WIDTHS = (256, 512, 1024, 2048)
STAGE_STRIDES = (1, 2, 2, 2)
STEM_WIDTH = 64
CLASSES = 1000

RELU = Activation.RELU
_STAGE_BLOCKS = tuple(base + max(EXTRA_BLOCKS) for base in BASE_BLOCKS)
_IMAGE = Choice("image", IMAGES)
_DEPTH = Choice("depth", EXTRA_BLOCKS, 1 + len(BASE_BLOCKS), first=(0, 2))  # 1 leaves the stem as 0 does
_EXPAND = Choice("expand", EXPANSIONS, sum(_STAGE_BLOCKS))
_WIDTH = Choice("width", tuple(range(len(WIDTHS))), 2 + len(BASE_BLOCKS))

# Image, then for every choice its position in EXTRA_BLOCKS, EXPANSIONS and WIDTHS. Released by once-for-all
# as resnet50D_MAC@...; arch_model/spaces/accuracy.py has how accurate they are.
PUBLISHED = {
    "resnet50D_MAC@0.6B": "ofa-resnet50-r160-d00010-e000000000001000100-w000001",
    "resnet50D_MAC@0.9B": "ofa-resnet50-r160-d00111-e010001000010001110-w020011",
    "resnet50D_MAC@1.8B": "ofa-resnet50-r192-d02211-e110011100111101110-w020012",
    "resnet50D_MAC@2.4B": "ofa-resnet50-r192-d22212-e111121100011001210-w020022",
    "resnet50D_MAC@3.7B": "ofa-resnet50-r224-d22222-e121011111021102211-w020121",
    "resnet50D_MAC@4.1B": "ofa-resnet50-r224-d22222-e111201021110001120-w020222",
}
"""The released SubNets that SUSHI served, and the names that spell their configs."""

_BY_SPELLING = {spelling: name for name, spelling in PUBLISHED.items()}


def supernet() -> SuperNet:
    """The SuperNet ``ofa-resnet50``: 61 convs and the linear layer, for images of 224 x 224."""
    largest = build(
        image=LARGEST_IMAGE,
        depth=(max(EXTRA_BLOCKS),) * (1 + len(BASE_BLOCKS)),
        expand=(max(EXPANSIONS),) * sum(_STAGE_BLOCKS),
        width=(len(WIDTHS) - 1,) * (2 + len(BASE_BLOCKS)),
    )
    choices = (_IMAGE, _DEPTH, _EXPAND, _WIDTH)
    return SuperNet(NAME, _published_order(largest), build, parse, tuple(PUBLISHED), choices)


def parse(name: str) -> dict[str, Any]:
    """The config of a SubNet's name, published or spelled out.

    Raises
    ------
    SpaceError
        The name is neither.

    Examples
    --------
    >>> parse("resnet50D_MAC@0.6B")["depth"]
    (0, 0, 0, 1, 0)
    """
    match = re.fullmatch(
        r"ofa-resnet50-r(\d{1,4})-d([012]{5})-e([012]{18})-w([012]{6})", PUBLISHED.get(name, name), re.ASCII
    )
    if match is None:
        raise SpaceError(
            f"SubNet {name} does not exist in {NAME}; give one of {', '.join(PUBLISHED)}, or "
            "ofa-resnet50-rIMAGE-dDEPTHS-eEXPANSIONS-wWIDTHS with 5, 18 and 6 positions of 0..2"
        )
    return {
        "image": int(match[1]),
        "depth": tuple(EXTRA_BLOCKS[int(digit)] for digit in match[2]),
        "expand": tuple(EXPANSIONS[int(digit)] for digit in match[3]),
        "width": tuple(map(int, match[4])),
    }


def build(image: int, depth: Sequence[int], expand: Sequence[float], width: Sequence[int]) -> SubNet:
    """One SubNet, from a config as once-for-all writes it.

    Parameters
    ----------
    image : rows and columns, one of :data:`IMAGES`.
    depth : five of 0..2, the first for the stem (only 2 keeps its residual conv), the others blocks that a stage has
        above its base of 2, 2, 4, 2.
    expand : 18 of 0.2, 0.25, 0.35, one for each block that a stage may have; those of absent blocks are ignored.
    width : six positions in :data:`WIDTHS`, for the stem's inner and outer channels and the four stages.

    Raises
    ------
    SpaceError
        Any other choice.

    Examples
    --------
    >>> net = build(160, [0, 0, 0, 1, 0], [0.2] * 18, [0, 0, 0, 0, 0, 1])
    >>> len(net.weight_layers), net.layer("s4b2_conv3").K
    (40, 1640)
    """
    image, depth = _IMAGE.take(NAME, image), _DEPTH.take(NAME, depth)
    expand, width = _EXPAND.take(NAME, expand), _WIDTH.take(NAME, width)

    outer = [divisible(STEM_WIDTH * w) for w in WIDTHS]
    inner = [divisible(channels // 2) for channels in outer]
    layers = _stem(image, inner[width[0]], outer[width[1]], residual=depth[0] == max(EXTRA_BLOCKS))
    first_block = 0
    for stage, full in enumerate(STAGE_WIDTHS):
        k = divisible(full * WIDTHS[width[2 + stage]])
        for block in range(BASE_BLOCKS[stage] + depth[1 + stage]):
            middle = divisible(round(k * expand[first_block + block]))
            stride = STAGE_STRIDES[stage] if block == 0 else 1
            layers += _block(f"s{stage + 1}b{block + 1}", layers[-1], middle, k, stride, first=block == 0)
        first_block += _STAGE_BLOCKS[stage]
    layers.append(builders.global_pool("pool", layers[-1]))
    layers.append(builders.linear("linear", layers[-1], CLASSES))

    spelling = _spell(image, depth, expand, width)
    config = (("image", image), ("depth", depth), ("expand", expand), ("width", width))
    return SubNet(_BY_SPELLING.get(spelling, spelling), NAME, tuple(layers), config)


def _stem(image: int, inner: int, outer: int, residual: bool) -> list[Layer]:
    """Conv /2, a residual conv if asked for, conv, max pool 3 x 3 /2."""
    layers = [builders.stem_conv("stem0", image, inner, 2, RELU)]
    if residual:  # its conv has a ReLU, the sum has none
        layers.append(builders.conv("stem1_res", layers[0], inner, 3, activation=RELU))
        layers.append(builders.add("stem1_add", layers[1], layers[0]))
    layers.append(builders.conv("stem2", layers[-1], outer, 3, activation=RELU))
    h, w = layers[-1].P, layers[-1].Q
    layers.append(Layer("stem_pool", Kind.MAXPOOL, outer, outer, 3, 3, h, w, stride=2, padding=1, inputs=("stem2",)))
    return layers


def _block(name: str, before: Layer, middle: int, k: int, stride: int, first: bool) -> list[Layer]:
    """A bottleneck: 1 x 1, 3 x 3 with the stride, 1 x 1; a stage's first block projects its shortcut.

    The shortcut comes before conv3, so that the add follows the conv whose sums it takes.
    """
    conv1 = builders.conv(f"{name}_conv1", before, middle, activation=RELU)
    conv2 = builders.conv(f"{name}_conv2", conv1, middle, 3, stride, RELU)
    layers = [conv1, conv2]
    shortcut = before
    if stride > 1:
        layers.append(shortcut := builders.average(f"{name}_avg", shortcut, stride))
    if first:
        layers.append(shortcut := builders.conv(f"{name}_down", shortcut, k))
    layers.append(conv3 := builders.conv(f"{name}_conv3", conv2, k))
    return [*layers, builders.add(f"{name}_add", conv3, shortcut, RELU)]


def _published_order(subnet: SubNet) -> tuple[Layer, ...]:
    """The weight layers in the published order, in which a block's shortcut is the last of its convs."""
    ordered: list[Layer] = []
    for layer in subnet.weight_layers:
        late = ordered and ordered[-1].name.endswith("_down")
        ordered.insert(len(ordered) - 1 if late and layer.name.endswith("_conv3") else len(ordered), layer)
    return tuple(ordered)


def published_table(subnets: Iterable[SubNet]) -> pd.DataFrame:
    """The convs of SubNets as SUSHI's layer table has them, with :data:`~arch_model.network.layer.COLUMNS`.

    ``network`` counts the SubNets from 0. That table's ``supernet_layer_index`` is the layer's position in
    the SuperNet, but for ``stem2`` in a SubNet without the stem's residual conv, whose place 1 it then
    takes; :meth:`SuperNet.index` says 2 always.
    """
    import pandas as pd  # half a second: only those who ask for a table wait for it

    position = {layer.name: i for i, layer in enumerate(supernet().layers)}
    rows: list[tuple[object, ...]] = []
    for network, subnet in enumerate(subnets):
        convs = [layer for layer in _published_order(subnet) if layer.kind is Kind.CONV]
        for i, layer in enumerate(convs):
            index = 1 if i == 1 else position[layer.name]
            shape = (1, layer.K, layer.C, layer.H, layer.W, layer.R, layer.S, layer.stride, layer.padding)
            cost = (layer.P, layer.Q, layer.macs, layer.weight_bytes)
            rows.append((network, i, index, layer.name, *shape, *cost))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _spell(image: int, depth: Sequence[int], expand: Sequence[float], width: Sequence[int]) -> str:
    digits = [
        "".join(str(choices.index(value)) for value in values)
        for values, choices in ((depth, EXTRA_BLOCKS), (expand, EXPANSIONS))
    ]
    return f"{NAME}-r{image}-d{digits[0]}-e{digits[1]}-w{''.join(map(str, width))}"
