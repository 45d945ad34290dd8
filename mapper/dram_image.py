"""What the host writes to DRAM before a start: (address, bytes) segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.layer import INPUT
from arch_model.supernet import SubNet
from arch_model.weights import ConvQuant, OpQuant
from mapper.memory_map import MemoryMap
from mapper.pack import Bytes, fold_zero_point, pack_activations, pack_weights, pack_zsb, unpack_activations
from mapper.program import Program

Segment: TypeAlias = tuple[int, Bytes]
"""A byte address and the bytes from there on."""

Weights: TypeAlias = Mapping[str, npt.NDArray[np.int8]]
"""By SuperNet layer: int8 (K, C, R, S)."""


def weights_segments(memory_map: MemoryMap, weights: Weights) -> list[Segment]:
    """The SuperNet's packed weights, once for all SubNets.

    Raises :class:`MappingError` if an array does not have its layer's shape.
    """
    segments = []
    for layer in memory_map.supernet.layers:
        have, need = weights[layer.name].shape, (layer.K, layer.C, layer.R, layer.S)
        if have != need:
            raise MappingError(f"layer {layer.name}: its weights have shape {have}; the SuperNet has {need}")
        segments.append((memory_map.weights[layer.name], pack_weights(weights[layer.name], memory_map.accelerator)))
    return segments


def zsb_segments(
    memory_map: MemoryMap, subnet: SubNet, weights: Weights, quant: Mapping[str, OpQuant]
) -> list[Segment]:
    """A SubNet's ZSB tables; ``-z_in * sum(w)`` is folded into each bias."""
    segments = []
    for layer in subnet.weight_layers:
        q = cast(ConvQuant, quant[layer.name])
        used = weights[layer.name][: layer.K, : layer.C]
        bias = fold_zero_point(q.bias, used, q.z_in, layer.name)
        entries = pack_zsb(bias, q.multiplier, q.shift, memory_map.accelerator.kp)
        segments.append((memory_map.zsb[subnet.name][layer.name], entries))
    return segments


def image_segment(memory_map: MemoryMap, subnet: SubNet, image: npt.NDArray[np.int8]) -> Segment:
    """An int8 (C, H, W) image. Raises :class:`MappingError` for another shape than the SubNet's."""
    place = memory_map.tensors[subnet.name][INPUT]
    if image.shape != place.shape:
        raise MappingError(f"SubNet {subnet.name}: the image has shape {image.shape}; it reads {place.shape}")
    return place.address, pack_activations(image, memory_map.accelerator)


def program_segment(program: Program) -> Segment:
    """The Program's bytes."""
    return program.address, np.frombuffer(program.encode(), np.uint8)


def write_segments(dram: Bytes, segments: Iterable[Segment]) -> None:
    """Copy segments into ``dram``, a uint8 array that begins at address 0."""
    for address, data in segments:
        dram[address : address + len(data)] = data


def read_tensor(dram: Bytes, program: Program, name: str) -> npt.NDArray[np.int8]:
    """The int8 (C, H, W) tensor ``name`` that ``program`` left in ``dram``."""
    place = program.tensors[name]
    return unpack_activations(dram[place.address :], place.shape, program.accelerator)
