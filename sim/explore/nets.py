"""The SubNets of an exploration and their accuracies, as a user names them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from arch_model.errors import SpaceError
from arch_model.spaces import get_space, known_top1, read_subnets
from arch_model.supernet import SubNet
from sim.explore.knobs import ExploreError

NetsAsked = str | int | Path | Sequence[SubNet] | Sequence[str]
"""A file that ``fastswitch subnets --json`` wrote, how many to draw, names (in one text, by commas), or SubNets."""


def find_nets(space: str, asked: NetsAsked, seed: int) -> tuple[tuple[SubNet, ...], dict[str, float]]:
    """The SubNets and, of those whose accuracy is known, that in per cent.

    Accuracies are ``top1`` of the file, else those that are known (:func:`arch_model.spaces.known_top1`). Raises
    :class:`SpaceError` for SubNets that are not there or of another space, :class:`ExploreError` for one that is there
    twice.

    >>> nets, accuracy = find_nets("fashion", "fashion-d111-w222,fashion-d222-w444", 0)
    >>> [f"{accuracy[net.name]:.2f}" for net in nets]
    ['91.22', '92.31']
    """
    supernet = get_space(space)
    said: dict[str, float] = {}
    text = str(asked) if isinstance(asked, str | int | Path) else ""
    if text.isdecimal():
        nets = supernet.sample(int(text), seed)
    elif text and (isinstance(asked, Path) or text.endswith(".json") or Path(text).is_file()):
        nets = read_subnets(text)
        said = _top1(text, nets)
    elif text:
        nets = tuple(supernet.subnet(name) for name in text.split(","))
    else:
        assert not isinstance(asked, str | int | Path)
        nets = tuple(supernet.subnet(net) if isinstance(net, str) else net for net in asked)
    if not nets:
        raise ExploreError("there are no SubNets; give at least one")
    names = [net.name for net in nets]
    for net in nets:
        if net.supernet != supernet.name:
            raise SpaceError(f"SubNet {net.name} is of space {net.supernet}; give one of {space}")
        if names.count(net.name) > 1:
            raise ExploreError(f"SubNet {net.name} is given twice; give each once")
    known = {net.name: known_top1(net) for net in nets}
    return nets, {name: 100 * top1 for name, top1 in known.items() if top1 is not None} | said


def _top1(path: str, nets: Sequence[SubNet]) -> dict[str, float]:
    found = {}
    for net, entry in zip(nets, json.loads(Path(path).read_text(encoding="utf-8-sig")), strict=True):
        top1 = entry.get("top1")
        if isinstance(top1, int | float) and not isinstance(top1, bool) and 0 < top1 <= 100:
            found[net.name] = 100 * float(top1) if top1 <= 1 else float(top1)
    return found
