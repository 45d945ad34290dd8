"""Elastic mobile networks: what once-for-all's MobileNetV3, its ProxylessNAS and CompOFA have in common.

A 3 x 3 stem, stages of inverted residual blocks (1 x 1 expansion, depthwise conv, 1 x 1 projection; in some
stages a squeeze-excite before the projection) and a classifier. Elastic are a stage's depth and each block's
kernel and expansion. Cai et al., "Once-for-All", ICLR 2020; github mit-han-lab/once-for-all,
``elastic_nn/networks/ofa_mbv3.py`` and ``ofa_proxyless.py``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from arch_model.errors import SpaceError
from arch_model.files.shown import shown
from arch_model.network.choices import Choice, is_list
from arch_model.network.layer import Activation, Layer
from arch_model.spaces import layer_builders as builders
from arch_model.spaces.channels import divisible

DEPTHS = (2, 3, 4)
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
LARGEST_IMAGE = 224
"""The greatest size trained at; the H and W of the SuperNet's layers."""
SMALLEST_IMAGE = 32
"""Five strides of 2 leave one pixel of it."""
CLASSES = 1000
SQUEEZE = 4
"""A squeeze-excite's first layer has one channel for this many."""


@dataclass(frozen=True)
class Stage:
    """A row of blocks; the first has the stride. The depth of one block is fixed.

    Attributes
    ----------
    channels : that they make.
    stride : of the first block.
    activation : behind the inner layers.
    squeeze_excite : whether blocks have one.
    blocks : at most.
    """

    channels: int
    stride: int
    activation: Activation
    squeeze_excite: bool = False
    blocks: int = max(DEPTHS)


@dataclass(frozen=True)
class MobileNet:
    """The network that the choices are made in.

    Attributes
    ----------
    stem, stem_activation : channels of the stem, and what is behind it.
    first : the block after the stem, 3 x 3 and without expansion.
    stages : the others.
    final : channels of the 1 x 1 conv before the global pool.
    mixed : channels of the layer after that pool. None: there is none.
    """

    stem: int
    stem_activation: Activation
    first: Stage
    stages: tuple[Stage, ...]
    final: int
    mixed: int | None = None

    @property
    def elastic_stages(self) -> int:
        """How many depths there are to choose."""
        return sum(stage.blocks > 1 for stage in self.stages)

    @property
    def blocks(self) -> int:
        """Blocks that may be there: how many kernels and expansions there are to choose."""
        return sum(stage.blocks for stage in self.stages)

    def present(self, depth: Sequence[int]) -> tuple[bool, ...]:
        """Of the blocks that may be there, which are at this depth of the elastic stages."""
        given = iter(depth)
        counts = [next(given) if stage.blocks > 1 else 1 for stage in self.stages]
        pairs = zip(self.stages, counts, strict=True)
        return tuple(block < count for stage, count in pairs for block in range(stage.blocks))

    def layers(
        self, image: int, depth: Sequence[int], kernel: Sequence[int], expand: Sequence[int]
    ) -> tuple[Layer, ...]:
        """All layers in an order of execution, for legal choices.

        Names: ``stem``; ``s{i}b{j}_expand``, ``_depthwise``, ``_pool``, ``_squeeze``, ``_excite``,
        ``_scale``, ``_project``, ``_add`` for stage i (0: the first block) and block j from 1; ``final``,
        ``pool``, ``mix``, ``linear``.

        Parameters
        ----------
        image : rows and columns.
        depth : blocks a stage.
        kernel, expand : of each block that may be there.
        """
        made = [builders.stem_conv("stem", image, self.stem, 2, self.stem_activation)]
        made += _inverted_residual("s0b1", made[-1], self.first, 1, 3, self.first.stride)
        chosen = zip(self.present(depth), kernel, expand, strict=True)
        for i, stage in enumerate(self.stages, 1):
            for j in range(1, stage.blocks + 1):
                is_there, size, ratio = next(chosen)
                if is_there:
                    stride = stage.stride if j == 1 else 1
                    made += _inverted_residual(f"s{i}b{j}", made[-1], stage, ratio, size, stride)
        return (*made, *self._head(made[-1]))

    def _head(self, last: Layer) -> Iterator[Layer]:
        activation = self.stages[-1].activation
        yield (last := builders.conv("final", last, self.final, activation=activation))
        yield (last := builders.global_pool("pool", last))
        if self.mixed is not None:  # trained with neither bias nor batch norm
            yield (last := builders.linear("mix", last, self.mixed, activation, bias=False))
        yield builders.linear("linear", last, CLASSES)


def _inverted_residual(name: str, before: Layer, stage: Stage, ratio: int, kernel: int, stride: int) -> Iterator[Layer]:
    last = before
    if ratio != 1:
        middle = divisible(before.K * ratio)
        yield (last := builders.conv(f"{name}_expand", last, middle, activation=stage.activation))
    yield (last := builders.depthwise(f"{name}_depthwise", last, kernel, stride, stage.activation))
    if stage.squeeze_excite:
        yield (pool := builders.global_pool(f"{name}_pool", last))
        yield (few := builders.linear(f"{name}_squeeze", pool, divisible(last.K // SQUEEZE), Activation.RELU))
        yield (factors := builders.linear(f"{name}_excite", few, last.K, Activation.HSIGMOID))
        yield (last := builders.scale(f"{name}_scale", last, factors))
    yield (last := builders.conv(f"{name}_project", last, stage.channels))
    if stride == 1 and before.K == last.K:
        yield builders.add(f"{name}_add", last, before)


def take_image(space: str, image: Any) -> int:
    """The size of an image as an int.

    Parameters
    ----------
    space : name of the SuperNet, for the error.
    image : what was given.

    Raises
    ------
    SpaceError
        It is no whole number, or less than the strides need.
    """
    try:
        size = -1 if isinstance(image, bool) else operator.index(image)
    except TypeError:
        size = -1
    if size < SMALLEST_IMAGE:
        raise SpaceError(f"SubNet of {space}: image is {shown(image)}; give a whole number, at least {SMALLEST_IMAGE}")
    return size


def take_blocks(choice: Choice, space: str, value: Any, present: Sequence[bool]) -> tuple[int, ...]:
    """A choice a block, as published lists have them: 0, or whatever is legal, where no block is there. Returns 0 for
    those.

    Parameters
    ----------
    choice : the keyword and its values.
    space : name of the SuperNet, for the error.
    value : what was given.
    present : which blocks are there.

    Raises
    ------
    SpaceError
        Naming the space, the keyword and the value.

    Examples
    --------
    >>> take_blocks(Choice("kernel", (3, 5, 7), 3), "toy", [5, 7, 3], [True, True, False])
    (5, 7, 0)
    """
    if is_list(value, len(present)):
        pairs = list(zip(value, present, strict=True))
        if all(choice.has(v) or (v == 0 and not there) for v, there in pairs):
            return tuple(int(v) if there else 0 for v, there in pairs)
    raise SpaceError(
        f"SubNet of {space}: {choice.key} is {shown(value)}; give {choice.legal}, or 0 for a block that is not there"
    )
