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
    """A number of the network: ``keys`` are the choices as they are written, ``means`` what each stands for.

    No keys: one meaning, and nothing to choose.
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
    """A convolution of the stem or the head. ``residual``: what it reads is added to what it makes. ``there``: 0 where
    it is left out, chosen as a depth."""

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
    """A pool; ``size`` 0: the average of the whole image."""

    name: str
    kind: Kind
    size: int
    stride: int
    padding: int


@dataclass(frozen=True)
class Linear:
    """A linear layer of the head."""

    name: str
    channels: int
    activation: Activation
    bias: bool


@dataclass(frozen=True)
class Stage:
    """``blocks + depth`` blocks that make ``channels * width``; the first has the stride. See docs/reference."""

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
