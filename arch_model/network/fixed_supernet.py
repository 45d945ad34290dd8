"""A SuperNet of SubNets that are listed: data alone, so it can be sent to worker processes and written to files.

A :class:`~arch_model.network.supernet.SuperNet` holds two functions, which make any of its SubNets. Functions that a
user defines in a script or a notebook exist in that process alone. What is computed elsewhere works on SubNets that
were chosen before, and needs beside them only the SuperNet's layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from arch_model.errors import SpaceError
from arch_model.files.shown import shown
from arch_model.network.layer import Layer
from arch_model.network.supernet import SubNet, SuperNet


def fixed_supernet(
    subnets: Iterable[SubNet], layers: Sequence[Layer] | None = None, name: str | None = None
) -> SuperNet:
    """A SuperNet that has these SubNets and no other.

    Parameters
    ----------
    subnets : at least one; names differ.
    layers : the SuperNet's layers with weights, at their greatest sizes. None: of each layer that a SubNet has, the
        greatest K, C, R and S that occur.
    name : of the SuperNet. None: what the SubNets say.

    Returns
    -------
    SuperNet
        It can be pickled. ``subnet(name)`` gives one of the SubNets; ``sample`` raises, for there are no choices.

    Raises
    ------
    SpaceError
        No SubNet at all, two of one name, or SubNets of several SuperNets.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> small, large = (SubNet(f"k{k}", "toy", (Layer("a", Kind.CONV, k, 3, inputs=("input",)),)) for k in (4, 8))
    >>> toy = fixed_supernet([small, large])
    >>> toy.name, toy.layer("a").K, toy.subnet("k4") == small
    ('toy', 8, True)
    """
    nets = tuple(subnets)
    if not nets:
        raise SpaceError(f"SuperNet {name or 'without a name'} has no SubNets; give at least one")
    listed = _Listed(name or nets[0].supernet, nets)
    spaces = sorted({net.supernet for net in nets} | {listed.space})
    if len(spaces) > 1:
        raise SpaceError(f"SubNets are of {' and '.join(spaces)}; give SubNets of one SuperNet")
    names = tuple(net.name for net in nets)
    if len(set(names)) < len(names):
        twice = next(one for i, one in enumerate(names) if one in names[:i])
        raise SpaceError(f"SuperNet {listed.space}: two SubNets are named {twice}; give each its own name")
    return SuperNet(
        listed.space, _greatest(nets) if layers is None else tuple(layers), listed.build, listed.parse, names
    )


@dataclass(frozen=True)
class _Listed:
    """The two functions of the SuperNet, as methods of a value that pickles."""

    space: str
    subnets: tuple[SubNet, ...]

    @cached_property
    def _by_name(self) -> dict[str, SubNet]:
        return {subnet.name: subnet for subnet in self.subnets}

    def build(self, name: str) -> SubNet:
        if name in self._by_name:
            return self._by_name[name]
        known = ", ".join(net.name for net in self.subnets[:3]) + (", ..." if len(self.subnets) > 3 else "")
        raise SpaceError(
            f"SubNet {shown(name)} is not one of the {len(self.subnets)} that are listed of SuperNet {self.space}; "
            f"give {known}"
        )

    def parse(self, name: str) -> dict[str, Any]:
        return {"name": self.build(name).name}


def _greatest(nets: Sequence[SubNet]) -> tuple[Layer, ...]:
    """Every layer with weights that occurs, at its greatest size, in the order in which they occur."""
    found: dict[str, Layer] = {}
    for layer in (layer for net in nets for layer in net.weight_layers):
        have = found.get(layer.name)
        if have is None:
            found[layer.name] = replace(layer, inputs=())
            continue
        sizes = {axis: max(getattr(have, axis), getattr(layer, axis)) for axis in ("K", "C", "R", "S", "H", "W")}
        groups = 1 if have.groups == layer.groups == 1 else sizes["C"]
        found[layer.name] = replace(have, **sizes, groups=groups, padding=max(have.padding, layer.padding))
    return tuple(found.values())
