"""What elastic networks are made of: numbers that may be chosen, layers of the stem and the head, stages of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from arch_model.network.choices import Number
from arch_model.network.layer import Activation, Kind


class Block(StrEnum):
    """What a stage is made of."""

    CONV = "conv"
    VGG = "vgg"
    RESIDUAL = "residual"
    BOTTLENECK = "bottleneck"
    INVERTED = "inverted-residual"


@dataclass(frozen=True)
class Option:
    """A number of the network that may be chosen.

    Attributes
    ----------
    keys : the choices as they are written; none if there is one meaning, and nothing to choose.
    means : what each stands for.
    """

    keys: tuple[Number, ...]
    means: tuple[Number, ...]

    @property
    def elastic(self) -> bool:
        return bool(self.keys)

    @property
    def largest(self) -> Number:
        """The key that stands for most."""
        return self.keys[self.means.index(max(self.means))]

    @property
    def drawn(self) -> tuple[Number, ...]:
        """Of keys that mean the same the first."""
        return tuple(key for n, key in enumerate(self.keys) if self.means[n] not in self.means[:n])

    def of(self, key: Number | None) -> Number:
        return self.means[0] if key is None else self.means[self.keys.index(key)]


def fixed(value: Number) -> Option:
    """A number that nothing chooses."""
    return Option((), (value,))


@dataclass(frozen=True)
class Conv:
    """A convolution of the stem or the head.

    Attributes
    ----------
    name : of the layer.
    channels : that it makes. None: as many as it reads.
    kernel, stride : pixels.
    activation : behind it.
    residual : what it reads is added to what it makes.
    width : a factor of the channels.
    there : 0 where it is left out, chosen as a depth.
    """

    name: str
    channels: int | None
    kernel: int
    stride: int
    activation: Activation
    residual: bool
    width: Option
    there: Option


@dataclass(frozen=True)
class Pool:
    """A pool.

    Attributes
    ----------
    name : of the layer.
    kind : maximum or average.
    size : rows and columns of its window. 0: the average of the whole image.
    stride, padding : pixels.
    """

    name: str
    kind: Kind
    size: int
    stride: int
    padding: int


@dataclass(frozen=True)
class Linear:
    """A linear layer of the head.

    Attributes
    ----------
    name : of the layer.
    channels : that it makes.
    activation : behind it.
    bias : whether it has one.
    """

    name: str
    channels: int
    activation: Activation
    bias: bool


@dataclass(frozen=True)
class Stage:
    """A row of ``blocks + depth`` blocks that make ``channels * width``; docs/reference/space-file.md has the keys.

    Attributes
    ----------
    name : begins its layers' names.
    block : their kind.
    channels, width : that they make, and a factor of it.
    blocks, depth : how many there always are, and how many more are chosen.
    kernel : of a block.
    expand : a factor of its inner channels.
    expand_of_depth : the factor where it follows from the depth.
    stride : of the first block.
    activation, last, after : behind a block's inner layers, its last one, and its addition.
    average_shortcut : whether a shortcut that is projected averages first.
    squeeze_excite : a divisor of the inner channels. 0: none.
    pool : behind the stage. None: none.
    """

    name: str
    block: Block
    channels: int
    width: Option
    blocks: int
    depth: Option
    kernel: Option
    expand: Option
    expand_of_depth: Mapping[Number, Number]
    stride: int
    activation: Activation
    last: Activation
    after: Activation
    average_shortcut: bool
    squeeze_excite: int
    pool: Pool | None

    @property
    def most(self) -> int:
        """Blocks that may be there."""
        return self.blocks + int(max(self.depth.means))
