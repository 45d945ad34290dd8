"""Whether weights are those of a SuperNet: every tensor there, of the right shape, with integers for every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.files.shown import plain
from arch_model.files.wanted import one_line
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.operator_integers import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from arch_model.network.supernet import SubNet, SuperNet

_CLASSES: dict[Kind, type] = {
    Kind.CONV: ConvQuant,
    Kind.LINEAR: ConvQuant,
    Kind.ADD: AddQuant,
    Kind.POOL: PoolQuant,
    Kind.AVGPOOL: PoolQuant,
    Kind.MAXPOOL: MaxPoolQuant,
    Kind.SCALE: ScaleQuant,
    Kind.MUL: ScaleQuant,
}
"""The class of a layer's integers; kinds that compute nothing have none."""


def check_fit(
    supernet: SuperNet,
    layers: Mapping[str, npt.NDArray[np.int8]],
    subnets: Mapping[str, Mapping[str, OpQuant]],
    images: npt.NDArray[Any],
) -> None:
    """Check that weights are those of a SuperNet.

    Parameters
    ----------
    supernet : whose weights they should be.
    layers : weights by layer.
    subnets : integers by operator of each SubNet by its name.
    images : (N, H, W) or (N, C, H, W).

    Raises
    ------
    ValueError
        They are not; what is wrong is in words for the middle of a line.
    """
    whole = {layer.name: layer for layer in supernet.layers}
    for name, array in layers.items():
        if name not in whole:
            raise ValueError(f"layer {plain(name)} is none of SuperNet {plain(supernet.name)}")
        layer = whole[name]
        shape = layer.K, layer.C // layer.groups, layer.R, layer.S
        if array.shape != shape:
            raise ValueError(f"layer {plain(name)} is {array.shape}; SuperNet {plain(supernet.name)} has {shape}")
    if lacking := [name for name in whole if name not in layers]:
        raise ValueError(f"layer {plain(lacking[0])} of SuperNet {plain(supernet.name)} has no weights")
    for name, ops in subnets.items():
        try:
            subnet = supernet.subnet(name)
        except FastSwitchError as error:
            what = f"SuperNet {plain(supernet.name)} has no such SubNet: {one_line(error)}"
            raise ValueError(f"SubNet {plain(name)}: {what}") from None
        _check_subnet(subnet, ops)
        _check_images(subnet, images)


def _check_subnet(subnet: SubNet, ops: Mapping[str, OpQuant]) -> None:
    zeros: dict[str, int | None] = {INPUT: None}
    for layer in subnet.layers:
        if layer.kind not in _CLASSES:  # what it holds is what its inputs hold
            zeros[layer.name] = zeros[layer.inputs[0]]
            continue
        where = f"SubNet {plain(subnet.name)}: layer {plain(layer.name)}"
        if layer.name not in ops:
            raise ValueError(f"{where} has no integers")
        op = ops[layer.name]
        if not isinstance(op, _CLASSES[layer.kind]):
            raise ValueError(
                f"{where} is {layer.kind} and its integers are {type(op).__name__}, not {_CLASSES[layer.kind].__name__}"
            )
        _check_operator(where, layer, op, zeros)
        zeros[layer.name] = zeros[layer.inputs[0]] if isinstance(op, MaxPoolQuant) else op.z_out
        if getattr(op, "table", None) is not None:  # the table has a zero of its own
            zeros[layer.name] = None
    if extra := set(ops) - {layer.name for layer in subnet.layers}:
        raise ValueError(
            f"SubNet {plain(subnet.name)} has integers of {plain(min(extra))}, which is none of its layers"
        )


def _check_operator(where: str, layer: Layer, op: OpQuant, zeros: Mapping[str, int | None]) -> None:
    if isinstance(op, ConvQuant) and len(op.bias) != layer.K:
        raise ValueError(f"{where} has integers of {len(op.bias)} channels, not {layer.K}")
    if isinstance(op, ConvQuant) and (op.table is None) is not layer.activation.is_clamp:
        what = "no table" if op.table is None else "a table"
        raise ValueError(f"{where} has {what} and the activation {layer.activation}")
    if isinstance(op, AddQuant):
        read = [op.z_a, op.z_b]
    elif isinstance(op, ScaleQuant):
        read = [op.z_x, op.z_s]
    else:
        read = [] if isinstance(op, MaxPoolQuant) else [op.z_in]
    for name, zero in zip(layer.inputs, read, strict=False):
        if zeros[name] not in (None, zero):
            raise ValueError(f"{where} reads {plain(name)} about the zero point {zero}, which is {zeros[name]}")


def _check_images(subnet: SubNet, images: npt.NDArray[Any]) -> None:
    first = next(layer for layer in subnet.layers if INPUT in layer.inputs)
    channels, height, width = (1, *images.shape[1:]) if images.ndim == 3 else images.shape[1:]
    if len(images) and (channels != first.C or height < first.H or width < first.W):
        raise ValueError(
            f"images are {images.shape}; SubNet {plain(subnet.name)} reads C, H, W = {(first.C, first.H, first.W)}"
        )
