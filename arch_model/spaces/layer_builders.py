"""Layers made from the layer that they follow: its channels and its image are theirs."""

from __future__ import annotations

from arch_model.network.layer import INPUT, Activation, Kind, Layer


def stem_conv(name: str, image: int, k: int, stride: int, activation: Activation, c: int = 3) -> Layer:
    """A 3 x 3 conv over the image, whose output is as large as that over the stride.

    Parameters
    ----------
    name : of the layer.
    image : rows and columns.
    k, c : output channels, and channels of the image.
    stride : pixels.
    activation : behind it.
    """
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

    Parameters
    ----------
    name : of the layer.
    before : the layer that it reads.
    k : output channels.
    kernel : rows and columns, odd.
    stride : pixels.
    activation : behind it.
    groups : as in :class:`~arch_model.network.layer.Layer`.

    Examples
    --------
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
    """:func:`conv` with a filter for each channel.

    Parameters
    ----------
    name : of the layer.
    before : the layer that it reads.
    kernel : rows and columns, odd.
    stride : pixels.
    activation : behind it.
    """
    return conv(name, before, before.K, kernel, stride, activation, groups=before.K)


def average(name: str, before: Layer, size: int) -> Layer:
    """The average of each window, side by side; a last one may overhang.

    Parameters
    ----------
    name : of the layer.
    before : the layer that it reads.
    size : rows and columns of a window.
    """
    return Layer(
        *(name, Kind.AVGPOOL, before.K, before.K, size, size, before.P, before.Q, size),
        inputs=(before.name,),
        ceil_mode=True,
    )


def global_pool(name: str, before: Layer) -> Layer:
    """The average of each channel.

    Parameters
    ----------
    name : of the layer.
    before : the layer that it reads.
    """
    return Layer(name, Kind.POOL, before.K, before.K, H=before.P, W=before.Q, inputs=(before.name,))


def linear(name: str, before: Layer, k: int, activation: Activation = Activation.NONE, bias: bool = True) -> Layer:
    """A linear layer after one of a single pixel.

    Parameters
    ----------
    name : of the layer.
    before : the layer that it reads, of a single pixel.
    k : output channels.
    activation : behind it.
    bias : whether it has one.
    """
    return Layer(name, Kind.LINEAR, k, before.K, inputs=(before.name,), activation=activation, bias=bias)


def add(name: str, a: Layer, b: Layer, activation: Activation = Activation.NONE) -> Layer:
    """The sum of two tensors.

    Parameters
    ----------
    name : of the layer.
    a : the conv that it follows.
    b : the other layer that it reads.
    activation : behind it.
    """
    return Layer(name, Kind.ADD, a.K, a.K, H=a.P, W=a.Q, inputs=(a.name, b.name), activation=activation)


def scale(name: str, a: Layer, factors: Layer) -> Layer:
    """Each channel of a tensor times its factor.

    Parameters
    ----------
    name : of the layer.
    a : the layer that makes the tensor.
    factors : the layer that makes one value a channel.
    """
    return Layer(name, Kind.SCALE, a.K, a.K, H=a.P, W=a.Q, inputs=(a.name, factors.name))


def product(name: str, a: Layer, b: Layer) -> Layer:
    """Two tensors of the same shape, value by value.

    Parameters
    ----------
    name : of the layer.
    a, b : the layers that it reads.
    """
    return Layer(name, Kind.MUL, a.K, a.K, H=a.P, W=a.Q, inputs=(a.name, b.name))
