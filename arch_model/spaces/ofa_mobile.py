"""``ofa-mobilenetv3`` (width 1.0), ``ofa-mobilenetv3-w1.2`` and ``ofa-proxyless`` (width 1.3) of once-for-all.

Every block chooses its own kernel and expansion, every stage its depth: some 10**19 SubNets for each image
size. The SubNets with names of their own are those that once-for-all released for one device or another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from arch_model.errors import SpaceError
from arch_model.network.choices import Choice
from arch_model.network.layer import Activation
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces.channels import divisible
from arch_model.spaces.mobile import (
    DEPTHS,
    EXPANSIONS,
    KERNELS,
    LARGEST_IMAGE,
    MobileNet,
    Stage,
    take_blocks,
    take_image,
)

RELU, RELU6, HSWISH = Activation.RELU, Activation.RELU6, Activation.HSWISH


def mobilenetv3(width: float) -> MobileNet:
    """MobileNetV3-Large with stages of up to four blocks, its channels times ``width``."""
    stem, first, c1, c2, c3, c4, c5, final, mixed = (
        divisible(c * width) for c in (16, 16, 24, 40, 80, 112, 160, 960, 1280)
    )
    stages = (
        Stage(c1, 2, RELU),
        Stage(c2, 2, RELU, squeeze_excite=True),
        Stage(c3, 2, HSWISH),
        Stage(c4, 1, HSWISH, squeeze_excite=True),
        Stage(c5, 2, HSWISH, squeeze_excite=True),
    )
    return MobileNet(stem, HSWISH, Stage(first, 1, RELU, blocks=1), stages, final, mixed)


def proxylessnas(width: float) -> MobileNet:
    """ProxylessNAS with five stages of up to four blocks and a sixth of one, its channels times ``width``."""
    stem, first, *channels, final = (divisible(c * width) for c in (32, 16, 24, 40, 80, 96, 192, 320, 1280))
    stages = tuple(
        Stage(c, stride, RELU6, blocks=blocks)
        for c, stride, blocks in zip(channels, (2, 2, 2, 1, 2, 1), (4, 4, 4, 4, 4, 1), strict=True)
    )
    return MobileNet(stem, RELU6, Stage(first, 1, RELU6, blocks=1), stages, final)


@dataclass(frozen=True)
class OfaSpace:
    """A mobile network whose blocks are chosen independently.

    Attributes
    ----------
    name : of the SuperNet.
    net : the network.
    images : the sizes trained at.
    published : released SubNets, and how names that spell choices end.
    """

    name: str
    net: MobileNet
    images: tuple[int, ...]
    published: Mapping[str, str]

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """Of ``image``, ``depth``, ``kernel`` and ``expand``."""
        blocks = self.net.blocks
        return (
            Choice("image", self.images),
            Choice("depth", DEPTHS, self.net.elastic_stages),
            Choice("kernel", KERNELS, blocks),
            Choice("expand", EXPANSIONS, blocks),
        )

    @cached_property
    def _by_spelling(self) -> dict[str, str]:
        return {self.name + ending: name for name, ending in self.published.items()}

    def supernet(self) -> SuperNet:
        """The SuperNet, for images of 224 x 224."""
        stages, blocks = self.net.elastic_stages, self.net.blocks
        depth, kernel, expand = (max(DEPTHS),) * stages, (max(KERNELS),) * blocks, (max(EXPANSIONS),) * blocks
        largest = self.build(LARGEST_IMAGE, depth, kernel, expand)
        names = tuple(self.published)
        return SuperNet(self.name, largest.weight_layers, self.build, self.parse, names, self.choices)

    def build(self, image: int, depth: Sequence[int], kernel: Sequence[int], expand: Sequence[int]) -> SubNet:
        """One SubNet, from a config as once-for-all writes it.

        Parameters
        ----------
        image : rows and columns, at least 32.
        depth : blocks in each elastic stage, 2..4.
        kernel, expand : (3, 5, 7) and (3, 4, 6), one for each block that may be there, four a stage; 0 or anything
            legal for those that are not.

        Raises
        ------
        SpaceError
            Any other choice.

        Examples
        --------
        >>> net = MOBILENETV3.build(224, [2] * 5, [3] * 20, [3] * 20)
        >>> net.layer("s1b1_depthwise").activation.value, net.layer("s2b1_squeeze").K
        ('relu', 24)
        >>> net.name
        'ofa-mobilenetv3-r224-d22222-k33003300330033003300-e33003300330033003300'
        """
        _, depths, kernels, expansions = self.choices
        image = take_image(self.name, image)
        depth = depths.take(self.name, depth)
        present = self.net.present(depth)
        kernel = take_blocks(kernels, self.name, kernel, present)
        expand = take_blocks(expansions, self.name, expand, present)
        config = (("image", image), ("depth", depth), ("kernel", kernel), ("expand", expand))
        digits = (f"{key[0]}{''.join(map(str, values))}" for key, values in config[1:])
        spelling = "-".join((f"{self.name}-r{image}", *digits))
        layers = self.net.layers(image, depth, kernel, expand)
        return SubNet(self._by_spelling.get(spelling, spelling), self.name, layers, config)

    def parse(self, name: str) -> dict[str, Any]:
        """The config of a SubNet's name, released or spelled out.

        Raises
        ------
        SpaceError
            The name is neither.

        Examples
        --------
        >>> PROXYLESS.parse("tx2_gpu16-35ms_top1-70.3_finetune-25")["image"]
        128
        """
        stages, blocks = self.net.elastic_stages, self.net.blocks
        match = re.fullmatch(
            re.escape(self.name) + rf"-r(\d{{1,4}})-d(\d{{{stages}}})-k(\d{{{blocks}}})-e(\d{{{blocks}}})",
            self.name + self.published[name] if name in self.published else name,
            re.ASCII,
        )
        if match is None:
            raise SpaceError(
                f"SubNet {name} does not exist in {self.name}; give one of {', '.join(self.published)}, or "
                f"{self.name}-rIMAGE-dDEPTHS-kKERNELS-eEXPANSIONS with {stages}, {blocks} and {blocks} digits"
            )
        image, *lists = match.groups()
        values = (tuple(map(int, digits)) for digits in lists)
        return {"image": int(image), **dict(zip(("depth", "kernel", "expand"), values, strict=True))}


def _images(least: int) -> tuple[int, ...]:
    """Image sizes trained at."""
    return tuple(range(least, LARGEST_IMAGE + 1, 4))


MOBILENETV3 = OfaSpace(
    "ofa-mobilenetv3",
    mobilenetv3(1.0),
    _images(128),
    {
        "LG-G8_lat-24ms_top1-76.4_finetune-25": "-r220-d23334-k33007530555037505733-e33004330643044306664",
        "note10_lat-11ms_top1-73.6_finetune-25": "-r176-d22233-k33005300530033303550-e33004400440043304440",
        "note8_lat-31ms_top1-72.8_finetune-25": "-r152-d22334-k53005500335035703355-e33004300444043406333",
        "pixel1_lat-28ms_top1-73.3_finetune-25": "-r160-d23224-k33007330730035003333-e34003640360064006436",
        "pixel2_lat-50ms_top1-74.7_finetune-25": "-r208-d22224-k33003300350057003575-e34003300360064006343",
        "s7edge_lat-41ms_top1-73.1_finetune-25": "-r160-d22234-k33005300750033303533-e33003400440044306433",
    },
)

MOBILENETV3_WIDE = OfaSpace(
    "ofa-mobilenetv3-w1.2",
    mobilenetv3(1.2),
    _images(160),
    {
        "flops-389M_top1-79.1_finetune-75": "-r224-d23344-k33005530553055333373-e33003630443064446663",
        "note10_lat-30ms_top1-78.4_finetune-75": "-r224-d23334-k33005330553033303333-e33004340443064406643",
        "note10_lat-64ms_top1-80.2_finetune-75": "-r260-d34444-k33305335553753333353-e36304633664466646663",
        "pixel1_lat-132ms_top1-79.8_finetune-75": "-r228-d24444-k53005535753555553353-e36004663666466646663",
        "pixel1_lat-79ms_top1-78.7_finetune-75": "-r224-d22344-k33005300753053333333-e33003400443064436663",
    },
)

PROXYLESS = OfaSpace(
    "ofa-proxyless",
    proxylessnas(1.3),
    _images(128),
    {
        "1080ti_gpu64-12ms_top1-72.6_finetune-25": "-r128-d23344-k330035505570373375753-e330064406330436464336",
        "1080ti_gpu64-27ms_top1-76.4_finetune-25": "-r188-d24334-k330035335350535035737-e330066446340644066366",
        "cpu_lat-11ms_top1-72.0_finetune-25": "-r144-d22322-k550037005370570033005-e430033004430440064004",
        "tx2_gpu16-35ms_top1-70.3_finetune-25": "-r128-d22222-k330037005500530053005-e430066006300340064004",
        "tx2_gpu16-96ms_top1-75.8_finetune-25": "-r172-d32444-k333075003555577333535-e346034004443433666643",
        "v100_gpu64-6ms_top1-73.0_finetune-25": "-r144-d22333-k330053003730553035303-e340034006330346064304",
    },
)
