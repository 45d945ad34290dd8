"""The layers of the blocks that elastic networks are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from arch_model.network.choices import Number
from arch_model.network.layer import Activation, Layer
from arch_model.spaces import layer_builders as builders
from arch_model.spaces.elastic_parts import Block, Pool, Stage

Rounding = Callable[[float], int]
"""How inner channels become whole."""


def _conv_block(
    middle: Rounding,
    name: str,
    stage: Stage,
    before: Layer,
    k: int,
    kernel: int,
    ratio: Number,
    stride: int,
    keeps: bool,
) -> Iterator[Layer]:
    yield builders.conv(f"{name}_conv", before, k, kernel, stride, stage.activation)


def _residual(
    middle: Rounding,
    name: str,
    stage: Stage,
    before: Layer,
    k: int,
    kernel: int,
    ratio: Number,
    stride: int,
    keeps: bool,
) -> Iterator[Layer]:
    inner = k if ratio == 1 else middle(k * ratio)
    yield (conv1 := builders.conv(f"{name}_conv1", before, inner, kernel, stride, stage.activation))
    shortcut = before
    for layer in _shortcut(name, stage, before, k, stride, keeps):
        yield (shortcut := layer)
    yield (conv2 := builders.conv(f"{name}_conv2", conv1, k, kernel, activation=stage.last))
    yield builders.add(f"{name}_add", conv2, shortcut, stage.after)


def _bottleneck(
    middle: Rounding,
    name: str,
    stage: Stage,
    before: Layer,
    k: int,
    kernel: int,
    ratio: Number,
    stride: int,
    keeps: bool,
) -> Iterator[Layer]:
    yield (conv1 := builders.conv(f"{name}_conv1", before, middle(k * ratio), activation=stage.activation))
    yield (conv2 := builders.conv(f"{name}_conv2", conv1, conv1.K, kernel, stride, stage.activation))
    shortcut = before
    for layer in _shortcut(name, stage, before, k, stride, keeps):
        yield (shortcut := layer)
    yield (conv3 := builders.conv(f"{name}_conv3", conv2, k, activation=stage.last))
    yield builders.add(f"{name}_add", conv3, shortcut, stage.after)


def _inverted(
    middle: Rounding,
    name: str,
    stage: Stage,
    before: Layer,
    k: int,
    kernel: int,
    ratio: Number,
    stride: int,
    keeps: bool,
) -> Iterator[Layer]:
    last = before
    if ratio != 1:
        inner = middle(before.K * ratio)
        yield (last := builders.conv(f"{name}_expand", last, inner, activation=stage.activation))
    yield (last := builders.depthwise(f"{name}_depthwise", last, kernel, stride, stage.activation))
    if stage.squeeze_excite:
        few_channels = middle(last.K // stage.squeeze_excite)
        yield (pool := builders.global_pool(f"{name}_pool", last))
        yield (few := builders.linear(f"{name}_squeeze", pool, few_channels, Activation.RELU))
        yield (factors := builders.linear(f"{name}_excite", few, last.K, Activation.HSIGMOID))
        yield (last := builders.scale(f"{name}_scale", last, factors))
    yield (last := builders.conv(f"{name}_project", last, k, activation=stage.last))
    if keeps:
        yield builders.add(f"{name}_add", last, before, stage.after)


def _shortcut(name: str, stage: Stage, before: Layer, k: int, stride: int, keeps: bool) -> Iterator[Layer]:
    """What a block adds where it cannot add its input: that, projected; or averaged first, as ResNet-D does."""
    if keeps:
        return
    last = before
    if stage.average_shortcut and stride > 1:
        yield (last := builders.average(f"{name}_avg", last, stride))
        stride = 1
    yield builders.conv(f"{name}_down", last, k, 1, stride)


def pool_layer(name: str, pool: Pool, before: Layer) -> Layer:
    """A pool after a layer.

    Parameters
    ----------
    name : of the layer.
    pool : its kind and sizes.
    before : the layer that it reads.
    """
    if not pool.size:
        return builders.global_pool(name, before)
    sizes = (before.K, before.K, pool.size, pool.size, before.P, before.Q, pool.stride, pool.padding)
    return replace(Layer(name, pool.kind, *sizes), inputs=(before.name,))


BLOCKS: dict[Block, Callable[..., Iterator[Layer]]] = {
    Block.CONV: _conv_block,
    Block.VGG: _conv_block,
    Block.RESIDUAL: _residual,
    Block.BOTTLENECK: _bottleneck,
    Block.INVERTED: _inverted,
}
"""The layers of a block: ``block(middle, name, stage, before, k, kernel, ratio, stride, keeps)``, which makes ``k``
channels. ``ratio``: its expansion; ``keeps``: its input can be added as it is."""
