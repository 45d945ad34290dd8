"""Which of a SuperNet's weights a layer of a SubNet uses."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from arch_model.errors import SpaceError
from arch_model.network.layer import Layer

_Number = TypeVar("_Number", bound=np.generic)


def weight_slice(layer: Layer, whole: Layer) -> tuple[slice, slice, slice, slice]:
    """Which of a SuperNet layer's weights a SubNet's layer uses: the leading K and C, and the centre of the kernel.

    once-for-all also multiplies a smaller kernel's centre by a learned matrix; whoever loads weights does so first.

    Parameters
    ----------
    layer, whole : the SubNet's layer, and the SuperNet's of the same name.

    Returns
    -------
    tuple of four slices, of weights with the shape (K, C / groups, R, S)

    Raises
    ------
    SpaceError
        ``layer`` is greater than ``whole``, or its kernel has no centre in it.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> whole = Layer("dw", Kind.CONV, 8, 8, 7, 7, 9, 9, padding=3, groups=8)
    >>> weight_slice(Layer("dw", Kind.CONV, 4, 4, 3, 3, 9, 9, padding=1, groups=4), whole)
    (slice(0, 4, None), slice(0, 1, None), slice(2, 5, None), slice(2, 5, None))
    """
    return _slice_of(layer, (whole.K, whole.C // whole.groups, whole.R, whole.S))


def used_weights(layer: Layer, weights: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """What a SubNet's layer uses of its SuperNet layer's weights: :func:`weight_slice` of them.

    Parameters
    ----------
    layer : the SubNet's.
    weights : of the SuperNet's layer, (K, C / groups, R, S).

    Returns
    -------
    array
        A view, (layer.K, layer.C / groups, layer.R, layer.S).

    Raises
    ------
    SpaceError
        The layer is greater than the weights.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> layer = Layer("a", Kind.CONV, 2, 1, 1, 1, 9, 9)
    >>> used_weights(layer, np.arange(27).reshape(3, 1, 3, 3)).ravel().tolist()
    [4, 13]
    """
    k, depth, r, s = weights.shape
    return weights[_slice_of(layer, (k, depth, r, s))]


def _slice_of(layer: Layer, whole: tuple[int, int, int, int]) -> tuple[slice, slice, slice, slice]:
    depth = layer.C // layer.groups
    have = ("K", layer.K), ("C / groups", depth), ("R", layer.R), ("S", layer.S)
    for (axis, value), most in zip(have, whole, strict=True):
        if value > most or (axis in ("R", "S") and (most - value) % 2):
            raise SpaceError(
                f"layer {layer.name}: {axis} is {value}; its SuperNet's layer has {most}, give no more and, "
                "of a kernel, what leaves as much on either side"
            )
    top, left = (whole[2] - layer.R) // 2, (whole[3] - layer.S) // 2
    return slice(0, layer.K), slice(0, depth), slice(top, top + layer.R), slice(left, left + layer.S)
