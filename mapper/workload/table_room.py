"""Activation tables of which too little lies between: layers that are a few filters larger so that there is enough.

The machine holds two activation tables, taken in turns. A layer's table comes in place of the one before the last,
once the requantiser has left that one, which is proven by :data:`DRAIN` repetitions of later PASSes. The two small
layers of a squeeze-excite have fewer, in narrow networks. Filters of zeros make them longer, by some cycles.
"""

from __future__ import annotations

from collections.abc import Sequence

from arch_model.machine.accelerator import TAPS
from arch_model.network.layer import Kind, Layer
from mapper.workload.depthwise import is_channelwise, windows_of
from mapper.workload.fusion import steps

DRAIN = 3
"""Repetitions of a PASS after whose beginning the requantiser has left all earlier ones (``DRAIN_PASSES`` of the
lowering)."""


def repetitions(layer: Layer, kp: int, cp: int) -> int:
    """Of a layer's PASSes, one tile of pixels: K-tiles, times windows, times C-tiles.

    Parameters
    ----------
    layer : any but a view.
    kp, cp : of the machine.

    Examples
    --------
    >>> repetitions(Layer("a", Kind.LINEAR, K=40, C=100), kp=16, cp=9)        # 81 channels a tile
    6
    """
    if layer.kind is Kind.POOL:
        return 0
    k_tiles = -(-layer.K // kp)
    if is_channelwise(layer):
        return k_tiles * len(windows_of(layer))
    pointwise = layer.R == layer.S == 1
    return k_tiles * -(-layer.R // 3) * -(-layer.S // 3) * -(-layer.C // (cp * (TAPS if pointwise else 1)))


def larger_layers(layers: Sequence[Layer], kp: int, cp: int) -> dict[str, int]:
    """Layers that need more filters, and how many each has then.

    Parameters
    ----------
    layers : of a SubNet.
    kp, cp : of the machine.

    Examples
    --------
    >>> def conv(name, source, k, c):
    ...     return Layer(name, Kind.CONV, k, c, H=9, W=9, inputs=(source,), activation="silu")
    >>> larger_layers([conv("a", "input", 8, 8), conv("b", "a", 8, 8), conv("c", "b", 8, 8)], kp=16, cp=9)
    {'b': 48}
    """
    more: dict[str, int] = {}
    if sum(not layer.activation.is_clamp for layer in layers) <= 2:
        return more
    order = [step.layer for step in steps(layers)]
    users: list[int] = []  # places of layers with tables, in order
    for place, layer in enumerate(order):
        if layer.activation.is_clamp:
            continue
        if len(users) > 1:
            between = order[users[-2] + 1 : place]
            there = sum(repetitions(one, kp, cp) for one in between)
            added = sum(repetitions(one, kp, cp) * (-(-more[one.name] // kp) - -(-one.K // kp)) // -(-one.K // kp)
                        for one in between if one.name in more)  # fmt: skip
            dense = [one for one in between if one.kind.has_weights and one.groups == 1]
            if there + added < DRAIN and dense:
                each = repetitions(dense[-1], kp, cp) // -(-dense[-1].K // kp)
                more[dense[-1].name] = kp * (-(-dense[-1].K // kp) + -(-(DRAIN - there - added) // each))
        users.append(place)
    return more
