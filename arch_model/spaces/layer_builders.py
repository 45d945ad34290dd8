"""Layers made from the layer that they follow: its channels and its image are theirs."""

from __future__ import annotations

from arch_model.network.layer import INPUT, Activation, Kind, Layer


def stem_conv(name: str, image: int, k: int, stride: int, activation: Activation, c: int = 3) -> Layer:
    """A 3 x 3 conv over an image of ``c`` x ``image`` x ``image``, as large as it over the stride."""
    return Layer(
        *(name, Kind.CONV, k, c, 3, 3, image, image, stride, 1),
        inputs=(INPUT,),
        activation=activation,
        batch_norm=True,
    )


def conv(
    name: str,
    before: Layer,
    k: int,
    kernel: int = 1,
    stride: int = 1,
    activation: Activation = Activation.NONE,
    groups: int = 1,
) -> Layer:
    """A conv whose output is as large as its input over the stride, rounded up; a batch norm follows it.

    >>> stem = stem_conv("stem", 32, 16, 2, Activation.RELU)
    >>> middle = conv("a", stem, 24, kernel=5, stride=2)
    >>> (middle.C, middle.H, middle.padding, middle.P, middle.inputs)
    (16, 16, 2, 8, ('stem',))
    """
    return Layer(
        *(name, Kind.CONV, k, before.K, kernel, kernel, before.P, before.Q, stride, kernel // 2, groups),
        inputs=(before.name,),
        activation=activation,
        batch_norm=True,
    )


def depthwise(name: str, before: Layer, kernel: int, stride: int, activation: Activation) -> Layer:
    """The same with a filter for each channel."""
    return conv(name, before, before.K, kernel, stride, activation, groups=before.K)


def average(name: str, before: Layer, size: int) -> Layer:
    """The average of each ``size`` x ``size`` window, side by side; a last one may overhang."""
    return Layer(
        *(name, Kind.AVGPOOL, before.K, before.K, size, size, before.P, before.Q, size),
        inputs=(before.name,),
        ceil_mode=True,
    )


def global_pool(name: str, before: Layer) -> Layer:
    """The average of each channel."""
    return Layer(name, Kind.POOL, before.K, before.K, H=before.P, W=before.Q, inputs=(before.name,))


def linear(name: str, before: Layer, k: int, activation: Activation = Activation.NONE, bias: bool = True) -> Layer:
    """A linear layer after one of a single pixel."""
    return Layer(name, Kind.LINEAR, k, before.K, inputs=(before.name,), activation=activation, bias=bias)


def add(name: str, a: Layer, b: Layer, activation: Activation = Activation.NONE) -> Layer:
    """The sum of two tensors, ``a`` the one of the conv that it follows."""
    return Layer(name, Kind.ADD, a.K, a.K, H=a.P, W=a.Q, inputs=(a.name, b.name), activation=activation)


def scale(name: str, a: Layer, factors: Layer) -> Layer:
    """Each channel of ``a`` times its factor."""
    return Layer(name, Kind.SCALE, a.K, a.K, H=a.P, W=a.Q, inputs=(a.name, factors.name))


def product(name: str, a: Layer, b: Layer) -> Layer:
    """Two tensors of the same shape, value by value."""
    return Layer(name, Kind.MUL, a.K, a.K, H=a.P, W=a.Q, inputs=(a.name, b.name))
