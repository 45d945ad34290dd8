"""The weights that SubNets share: one real tensor for each layer of the SuperNet, of which each SubNet has a slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from arch_model.files.shown import plain
from arch_model.network.layer import Layer
from arch_model.network.weight_slices import weight_slice
from sim.quantise.errors import ModelError
from sim.quantise.layers import Float, FloatNet

_NEAR = 1e-5
"""Of a layer's largest weight: weights that are nearer are the same. A step of int8 is 800 times that."""


@dataclass(frozen=True, eq=False)
class SharedLayer:
    """Weights of a SuperNet's layer.

    Attributes
    ----------
    weights : int8 (K, C / groups, R, S); a real weight is ``scale[k]`` times that.
    scale : (K,); negative for the filters whose batch normalisation has a negative gamma: so that multipliers of sums
        are positive, those filters are stored with the other sign.
    """

    weights: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float64]


def kept_once(net: FloatNet, kept: dict[str, Float]) -> FloatNet:
    """The SubNet with its weights as slices of the largest that were seen, where they are slices.

    Thousands of SubNets then take the memory of one.

    Parameters
    ----------
    net : with weights of its own.
    kept : the largest weights of each layer so far; larger ones are put in.
    """
    layers = []
    for one in net.layers:
        name, mine = one.layer.name, one.weights
        if mine is not None:
            most = kept.get(name)
            if most is None or _within(most, mine):
                kept[name] = mine
            elif _within(mine, most):
                one = replace(one, weights=most[_centre(mine.shape, most.shape)])
        layers.append(one)
    return replace(net, layers=tuple(layers))


def _within(small: Float, large: Float) -> bool:
    """Whether an array is a slice of another, as SubNets take slices."""
    if any(a > b for a, b in zip(small.shape, large.shape, strict=True)):
        return False
    if any((b - a) % 2 for a, b in zip(small.shape[2:], large.shape[2:], strict=True)):
        return False
    return np.array_equal(small, large[_centre(small.shape, large.shape)])


def _centre(small: tuple[int, ...], large: tuple[int, ...]) -> tuple[slice, ...]:
    """The leading filters and channels, and the centre of the kernel."""
    starts = [0, 0, *((b - a) // 2 for a, b in zip(small[2:], large[2:], strict=True))]
    return tuple(slice(start, start + size) for start, size in zip(starts, small, strict=True))


def shared_weights(layers: Sequence[Layer], nets: Sequence[FloatNet]) -> dict[str, SharedLayer]:
    """The int8 weights of a SuperNet, from those of its SubNets.

    Batch normalisation is not in them, so one array serves all SubNets: the leading filters and channels, and the
    centre of the kernel. Each filter has one scale, that of its greatest weight in any SubNet. What is unused is 0.

    Parameters
    ----------
    layers : those of the SuperNet, at their greatest sizes.
    nets : SubNets with the names of these layers.

    Raises
    ------
    ModelError
        A SubNet has other weights than another one that should share them: the layer, both SubNets, and how much of
        them differs.
    """
    return {whole.name: _shared(whole, nets) for whole in layers}


def _shared(whole: Layer, nets: Sequence[FloatNet]) -> SharedLayer:
    shape = (whole.K, whole.C // whole.groups, whole.R, whole.S)
    real, owner = np.zeros(shape, np.float32), np.full(shape, -1, np.int32)
    sign, signed_by = np.zeros(whole.K, np.int8), np.full(whole.K, -1, np.int32)
    for number, net in enumerate(nets):
        for one in net.layers:
            if one.layer.name != whole.name:
                continue
            assert one.weights is not None
            place = weight_slice(one.layer, whole)
            _compare(whole.name, one.weights, real[place], owner[place], nets, net)
            real[place] = np.where(owner[place] < 0, one.weights, real[place])
            owner[place] = np.where(owner[place] < 0, number, owner[place])
            gamma = np.ones(one.layer.K, np.float32) if one.norm is None else one.norm.gamma
            _agree(whole.name, gamma, sign, signed_by, nets, number)
    scale = np.abs(real).max((1, 2, 3)).astype(np.float64) / 127
    scale = np.where(scale > 0, scale, 1.0)  # of a filter of zeros any
    scale = np.where(sign < 0, -scale, scale)
    return SharedLayer(np.rint(real / scale[:, None, None, None]).astype(np.int8), scale)


def _compare(
    name: str, mine: Float, real: Float, owner: npt.NDArray[np.int32], nets: Sequence[FloatNet], net: FloatNet
) -> None:
    apart = (np.abs(mine - real) > _NEAR * max(float(np.abs(real).max(initial=0)), 1e-30)) & (owner >= 0)
    if apart.any():
        other = nets[int(owner[apart][0])].name
        raise ModelError(
            f"SubNet {plain(net.name)}: layer {plain(name)} does not share its weights with SubNet {plain(other)}: "
            f"{int(apart.sum()):,} of {mine.size:,} differ; give SubNets whose weights are the leading filters and "
            "channels of one tensor and the centre of its kernel, without a transform of kernels"
        )


def _agree(
    name: str,
    gamma: Float,
    sign: npt.NDArray[np.int8],
    signed_by: npt.NDArray[np.int32],
    nets: Sequence[FloatNet],
    number: int,
) -> None:
    """Note the signs of a SubNet's gamma; all SubNets must have the same where none is 0."""
    k = len(gamma)
    mine = np.sign(gamma).astype(np.int8)
    wrong = (mine != 0) & (sign[:k] != 0) & (mine != sign[:k])
    if wrong.any():
        channel = int(np.flatnonzero(wrong)[0])
        other = nets[int(signed_by[channel])].name
        raise ModelError(
            f"SubNet {plain(nets[number].name)}: layer {plain(name)}: its batch normalisation has another sign in "
            f"channel {channel} than that of SubNet {plain(other)}, and multipliers are positive; give the same sign"
        )
    new = (sign[:k] == 0) & (mine != 0)
    sign[:k][new], signed_by[:k][new] = mine[new], number


def greatest_first(nets: Mapping[str, FloatNet]) -> list[FloatNet]:
    """The SubNets by their weights, the largest first, so that an error names what differs from the largest."""

    def size(net: FloatNet) -> int:
        return sum(0 if one.weights is None else one.weights.size for one in net.layers)

    return sorted(nets.values(), key=size, reverse=True)
