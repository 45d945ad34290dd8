"""``superfednas-cifar10`` and ``superfednas-cifar100``: elastic ResNets of 10 to 26 layers for 32 x 32 images.

The model ofaresnet50_32x32_10_26 of Khare et al., "SuperFedNAS", ECCV 2024 (github gatech-sysml/superfednas,
``elastic_nn/ofa_resnets_32x32_10_26.py``): a 3 x 3 stem, four stages of residual blocks, which are two 3 x 3
convs around elastic middle channels, global average pooling and a linear layer. As in the released model, the
second conv of a block has a ReLU of its own before the add. Distinct SubNets: 155**4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from arch_model.errors import SpaceError
from arch_model.network.choices import Choice
from arch_model.network.layer import Activation, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces import layer_builders as builders
from arch_model.spaces.channels import divisible

IMAGE = 32
STEM_WIDTH = 64
STAGE_WIDTHS = (256, 512, 1024, 2048)
STAGE_STRIDES = (1, 2, 2, 2)
EXTRA_BLOCKS = (0, 1, 2)
"""Blocks that a stage has beside its first."""
EXPANSIONS = (0.1, 0.14, 0.18, 0.22, 0.25)
"""A block's middle channels for each of its stage's."""

RELU = Activation.RELU
_STAGE_BLOCKS = 1 + max(EXTRA_BLOCKS)
_BLOCKS = _STAGE_BLOCKS * len(STAGE_WIDTHS)
_DEPTH = Choice("depth", EXTRA_BLOCKS, len(STAGE_WIDTHS))
_EXPAND = Choice("expand", EXPANSIONS, _BLOCKS)

# Depth, and the position in EXPANSIONS that all blocks share.
PUBLISHED = {
    "diverse-0": ((0, 0, 0, 0), 0),
    "diverse-1": ((0, 1, 0, 1), 1),
    "diverse-2": ((1, 1, 1, 1), 2),
    "diverse-3": ((1, 2, 1, 2), 3),
    "diverse-4": ((2, 2, 2, 2), 4),
}
"""The five SubNets that the published experiments train and test (their ``diverse_subnets``)."""


@dataclass(frozen=True)
class CifarSpace:
    """The space with a linear layer of so many ``classes``."""

    classes: int

    @property
    def name(self) -> str:
        return f"superfednas-cifar{self.classes}"

    def supernet(self) -> SuperNet:
        """The SuperNet of 3 * 4 blocks."""
        largest = self.build((max(EXTRA_BLOCKS),) * len(STAGE_WIDTHS), (max(EXPANSIONS),) * _BLOCKS)
        return SuperNet(self.name, largest.weight_layers, self.build, self.parse, tuple(PUBLISHED), (_DEPTH, _EXPAND))

    def build(self, depth: Sequence[int], expand: Sequence[float]) -> SubNet:
        """One SubNet.

        Parameters
        ----------
        depth : blocks that each of four stages has beside its first, 0..2.
        expand : twelve of 0.1, 0.14, 0.18, 0.22, 0.25, one for each block that a stage may have; those of absent blocks
            are ignored.

        Raises
        ------
        SpaceError
            Any other choice.

        Examples
        --------
        >>> net = CIFAR10.build((0, 0, 0, 0), (0.1,) * 12)
        >>> net.name, len(net.weight_layers), net.layer("s4b1_conv1").K   # a tenth of 2048
        ('diverse-0', 14, 208)
        """
        depth, expand = _DEPTH.take(self.name, depth), _EXPAND.take(self.name, expand)
        config = (("depth", depth), ("expand", expand))
        return SubNet(self._spell(depth, expand), self.name, tuple(self._layers(depth, expand)), config)

    def parse(self, name: str) -> dict[str, Any]:
        """The config of a SubNet's name, published or spelled out.

        Raises
        ------
        SpaceError
            The name is neither.

        Examples
        --------
        >>> CIFAR10.parse("superfednas-cifar10-d0010-e000000140000")["expand"][6:8]
        (0.14, 0.25)
        """
        if name in PUBLISHED:
            depth, position = PUBLISHED[name]
            return {"depth": depth, "expand": (EXPANSIONS[position],) * _BLOCKS}
        match = re.fullmatch(rf"{self.name}-d([012]{{4}})-e([0-4]{{{_BLOCKS}}})", name, re.ASCII)
        if match is None:
            raise SpaceError(
                f"SubNet {name} does not exist in {self.name}; give one of {', '.join(PUBLISHED)}, or "
                f"{self.name}-dDEPTHS-eEXPANSIONS with 4 of 0..2 and {_BLOCKS} positions of 0..4"
            )
        return {
            "depth": tuple(map(int, match[1])),
            "expand": tuple(EXPANSIONS[int(digit)] for digit in match[2]),
        }

    def _layers(self, depth: Sequence[int], expand: Sequence[float]) -> Iterator[Layer]:
        yield (last := builders.stem_conv("stem", IMAGE, STEM_WIDTH, 1, RELU))
        for stage, (k, stride) in enumerate(zip(STAGE_WIDTHS, STAGE_STRIDES, strict=True)):
            for block in range(1 + depth[stage]):
                middle = divisible(round(k * expand[stage * _STAGE_BLOCKS + block]))
                name = f"s{stage + 1}b{block + 1}"
                for layer in _block(name, last, middle, k, stride if block == 0 else 1):
                    yield (last := layer)
        yield (last := builders.global_pool("pool", last))
        yield builders.linear("linear", last, self.classes)

    def _spell(self, depth: Sequence[int], expand: Sequence[float]) -> str:
        positions = [EXPANSIONS.index(value) for value in expand]
        for name, (published, position) in PUBLISHED.items():
            if depth == published and set(positions) == {position}:
                return name
        return f"{self.name}-d{''.join(map(str, depth))}-e{''.join(map(str, positions))}"


CIFAR10 = CifarSpace(10)
"""CINIC-10 too has these ten classes."""
CIFAR100 = CifarSpace(100)


def _block(name: str, before: Layer, middle: int, k: int, stride: int) -> Iterator[Layer]:
    """Two 3 x 3 convs, the first with the stride; a stage's first block averages and projects its shortcut."""
    yield (conv1 := builders.conv(f"{name}_conv1", before, middle, 3, stride, RELU))
    shortcut = before
    if stride > 1:
        yield (shortcut := builders.average(f"{name}_avg", shortcut, stride))
    if stride > 1 or k != before.K:
        yield (shortcut := builders.conv(f"{name}_down", shortcut, k))
    yield (conv2 := builders.conv(f"{name}_conv2", conv1, k, 3, activation=RELU))
    yield builders.add(f"{name}_add", conv2, shortcut, RELU)
