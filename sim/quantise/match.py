"""Which layer of a SuperNet's SubNet each layer of a module is: two graphs, laid one upon the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from arch_model.files.shown import plain
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet
from sim.quantise.errors import ModelError
from sim.quantise.layers import FloatLayer, FloatNet

_COMPARED = ("kind", "K", "C", "R", "S", "H", "W", "stride", "padding", "groups", "activation")
"""What must be the same, beside what a layer reads."""


def match_layers(net: FloatNet, subnet: SubNet) -> FloatNet:
    """The module's layers under the names of the SubNet's, in its order.

    A layer is matched by what it computes and what it reads, so a module may run its layers in another order and call
    them by other names.

    Parameters
    ----------
    net : as read from the module.
    subnet : as the SuperNet has it.

    Raises
    ------
    ModelError
        The module has another number of layers, or a layer of the SubNet has none that does the same: the line names
        it and what is different.
    """
    have = {one.layer.name: one for one in net.layers}
    found = _matched(subnet.layers, have)
    if isinstance(found, _Stuck):
        raise ModelError(found.text(have))
    if len(have) != len(subnet.layers):
        left = next(name for name in have if name not in found.values())
        raise ModelError(
            f"the module has {len(have)} layers, such as {plain(left)}, and the SubNet of the SuperNet "
            f"{len(subnet.layers)}; give the SuperNet of this model"
        )
    return replace(net, layers=tuple(replace(have[found[layer.name]], layer=layer) for layer in subnet.layers))


class _Stuck:
    """How far the best attempt came: the layer of the SubNet that nothing does, and what its inputs were taken for."""

    def __init__(self, depth: int, layer: Layer, names: Mapping[str, str]) -> None:
        self.depth, self.layer, self.names = depth, layer, dict(names)

    def text(self, have: Mapping[str, FloatLayer]) -> str:
        wanted = tuple(self.names[name] for name in self.layer.inputs)
        taken = set(self.names.values())
        rivals = [one.layer for name, one in have.items() if name not in taken and set(one.layer.inputs) & set(wanted)]
        if not rivals:
            return f"layer {self.layer.name} of the SubNet is not in the module; give the SuperNet of this model"
        near = min(rivals, key=lambda rival: len(_different(self.layer, rival)))
        what = ", ".join(f"{axis} {theirs} and not {ours}" for axis, ours, theirs in _different(self.layer, near))
        what = what or f"reads {', '.join(map(plain, near.inputs))}"
        return (
            f"layer {self.layer.name} of the SubNet is not in the module, where {plain(near.name)} has {what}; give "
            "the SuperNet of this model"
        )


def _different(ours: Layer, theirs: Layer) -> list[tuple[str, object, object]]:
    pairs = [(axis, getattr(ours, axis), getattr(theirs, axis)) for axis in _COMPARED]
    different = [(axis, a, b) for axis, a, b in pairs if a != b]
    if not different and (ours.P, ours.Q) != (theirs.P, theirs.Q):
        different.append(("ceil_mode", ours.ceil_mode, theirs.ceil_mode))
    return different


def _matched(layers: Sequence[Layer], have: Mapping[str, FloatLayer]) -> dict[str, str] | _Stuck:
    """By the SubNet's names those of the module; layers that look alike are tried one after the other."""
    readers: dict[str, list[FloatLayer]] = {}
    for one in have.values():
        for name in set(one.layer.inputs):
            readers.setdefault(name, []).append(one)
    names: dict[str, str] = {INPUT: INPUT}
    tried: list[list[str]] = []
    worst: _Stuck | None = None
    while len(tried) < len(layers):
        layer = layers[len(tried)]
        candidates = _candidates(layer, names, readers)
        while not candidates:
            if worst is None or worst.depth <= len(tried):
                worst = _Stuck(len(tried), layer, names)
            if not tried:
                return worst
            candidates = tried.pop()
            layer = layers[len(tried)]
            del names[layer.name]
        names[layer.name] = candidates.pop(0)
        tried.append(candidates)
    del names[INPUT]
    return names


def _candidates(layer: Layer, names: Mapping[str, str], readers: Mapping[str, list[FloatLayer]]) -> list[str]:
    wanted = tuple(names[name] for name in layer.inputs)
    taken = set(names.values())
    return [
        one.layer.name
        for one in readers.get(wanted[0], ())
        if one.layer.name not in taken and _reads(one.layer, wanted) and not _different(layer, one.layer)
    ]


def _reads(layer: Layer, wanted: tuple[str, ...]) -> bool:
    """Whether it reads these, in any order unless it is a SCALE."""
    return layer.inputs == wanted if layer.kind is Kind.SCALE else sorted(layer.inputs) == sorted(wanted)
