"""What the host writes to DRAM before a start: (address, bytes) segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.network.layer import INPUT, Layer
from arch_model.network.supernet import SubNet
from arch_model.network.weight_slices import used_weights
from arch_model.network.weights import ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from arch_model.program.isa import entry_offset
from arch_model.program.program import Program
from mapper.layout.memory_map import MemoryMap, zsb_entries
from mapper.layout.tensors import (
    Bytes,
    depthwise_columns,
    fold_zero_point,
    ones_columns,
    pack_activations,
    pack_columns,
    pack_weights,
    pack_zsb,
    unpack_activations,
)
from mapper.workload.depthwise import divides_by_taps, is_channelwise

Segment: TypeAlias = tuple[int, Bytes]
"""A byte address and the bytes from there on."""

Weights: TypeAlias = Mapping[str, npt.NDArray[np.int8]]
"""By SuperNet layer: int8 (K, C / groups, R, S)."""


def weights_segments(memory_map: MemoryMap, weights: Weights) -> list[Segment]:
    """The SuperNet's packed weights, once for all SubNets; the middles of depthwise kernels that SubNets have smaller;
    the constant tiles if SubNets have a use for them.

    Parameters
    ----------
    memory_map : says where.
    weights : int8 by layer, (K, C / groups, R, S).

    Raises
    ------
    MappingError
        An array does not have its layer's shape.
    """
    a, segments = memory_map.accelerator, []
    for layer in memory_map.supernet.layers:
        have, need = weights[layer.name].shape, (layer.K, layer.C // layer.groups, layer.R, layer.S)
        if have != need:
            raise MappingError(f"layer {layer.name}: its weights have shape {have}; the SuperNet has {need}")
        own = weights[layer.name]
        data = pack_columns(depthwise_columns(own, a.kp), a) if is_channelwise(layer) else pack_weights(own, a)
        segments.append((memory_map.weights[layer.name], data))
    for (name, r, s), address in memory_map.kernels.items():
        whole = memory_map.supernet.layer(name)
        middle = used_weights(replace(whole, R=r, S=s), weights[name])
        segments.append((address, pack_columns(depthwise_columns(middle, a.kp), a)))
    if memory_map.ones >= 0:
        segments.append((memory_map.ones, pack_columns(ones_columns(a.kp), a)))
    return segments


def zsb_segments(
    memory_map: MemoryMap, subnet: SubNet, weights: Weights, quant: Mapping[str, OpQuant]
) -> list[Segment]:
    """A SubNet's ZSB tables and activation tables; ``-z_in * sum(w)`` is folded into each bias.

    Parameters
    ----------
    memory_map : says where.
    subnet : whose layers' tables they are.
    weights : of the SuperNet, int8 by layer.
    quant : the integers of each operator.

    Raises
    ------
    MappingError
        A bias does not fit 32 bits, or an activation has no table.
    """
    kp, segments = memory_map.accelerator.kp, []
    for layer in subnet.layers:
        if not zsb_entries(layer, memory_map.accelerator):
            continue
        q = quant[layer.name]
        if layer.kind.has_weights:
            q = cast(ConvQuant, q)
            used = used_weights(layer, weights[layer.name])
            bias = fold_zero_point(q.bias, used, q.z_in, layer.name)
            entries = pack_zsb(bias, q.multiplier, q.shift, kp)
            if not layer.activation.is_clamp:
                segments.append((memory_map.tables[subnet.name][layer.name], activation_table(layer, q).view(np.uint8)))
        else:
            bias, multiplier, shift = (np.repeat(column, kp) for column in zip(*_common_entries(layer, q), strict=True))
            entries = pack_zsb(bias, multiplier, shift, kp)
        segments.append((memory_map.zsb[subnet.name][layer.name], entries))
    return segments


def activation_table(layer: Layer, quant: ConvQuant) -> npt.NDArray[np.int8]:
    """A layer's activation table, int8 (256,).

    Parameters
    ----------
    layer : with an activation that is no clamp.
    quant : its integers.

    Raises
    ------
    MappingError
        They have no such table.
    """
    if quant.table is None or quant.table.shape != (256,):
        raise MappingError(
            f"layer {layer.name}: its activation is {layer.activation}; give its quantisation a table of 256"
        )
    return quant.table.astype(np.int8)


def _common_entries(layer: Layer, quant: OpQuant) -> list[tuple[int, int, int]]:
    """(bias, multiplier, shift) of every channel of a layer without weights, an entry after the other.

    Taps of an average that are outside the tensor read its zero-point, so the bias takes off all of them.
    """
    if isinstance(quant, MaxPoolQuant):
        return [(0, 1, 0)]
    if isinstance(quant, ScaleQuant):
        return [(-quant.z_s, quant.m_f, quant.shift_f)]
    q, taps = cast(PoolQuant, quant), layer.R * layer.S
    bias = -q.z_in * taps
    if not divides_by_taps(layer):
        return [(bias, q.m, q.shift)]
    found = [(0, 0, 0)] * (1 + entry_offset(layer.R, layer.S))  # those of more columns than there are stay unused
    for rows in range(1, layer.R + 1):
        for cols in range(1, layer.S + 1):
            found[entry_offset(rows, cols)] = (bias, *q.divided_by(rows * cols, taps))
    return found


def image_segment(memory_map: MemoryMap, subnet: SubNet, image: npt.NDArray[np.int8]) -> Segment:
    """The image as it is written to DRAM.

    Parameters
    ----------
    memory_map : says where.
    subnet : that reads it.
    image : int8 (C, H, W).

    Raises
    ------
    MappingError
        The SubNet reads another shape.
    """
    place = memory_map.tensors[subnet.name][INPUT]
    if image.shape != place.shape:
        raise MappingError(f"SubNet {subnet.name}: the image has shape {image.shape}; it reads {place.shape}")
    return place.address, pack_activations(image, memory_map.accelerator, place.folded)


def program_segment(program: Program) -> Segment:
    """The Program's bytes."""
    return program.address, np.frombuffer(program.encode(), np.uint8)


def write_segments(dram: Bytes, segments: Iterable[Segment]) -> None:
    """Copy segments into DRAM.

    Parameters
    ----------
    dram : uint8, from address 0 on; it is changed.
    segments : addresses and bytes.
    """
    for address, data in segments:
        dram[address : address + len(data)] = data


def read_tensor(dram: Bytes, program: Program, name: str) -> npt.NDArray[np.int8]:
    """A tensor that a Program left in DRAM, int8 (C, H, W).

    Parameters
    ----------
    dram : uint8, from address 0 on.
    program : that was executed.
    name : of the tensor: the layer that wrote it.
    """
    place = program.tensors[name]
    return unpack_activations(dram[place.address :], place.shape, program.accelerator, place.folded)
