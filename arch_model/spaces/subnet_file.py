"""Files of SubNets: a JSON list with an entry for each, as the published ones are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from arch_model.errors import SpaceError
from arch_model.files.json_file import read_json
from arch_model.files.names import why_no_name
from arch_model.files.shown import shown
from arch_model.files.wanted import Wanted
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces.accuracy import known_top1
from arch_model.spaces.registry import get_space, ships, space_names

CHOICES = ("image", "depth", "kernel", "expand", "width")
"""Every key that can be a choice of some space that ships; keys beside these, the choices of the entry's own space,
``name`` and ``space`` are not looked at."""

WIDTHS = {
    "ofa-mobilenetv3": {1.0: "ofa-mobilenetv3", 1.2: "ofa-mobilenetv3-w1.2"},
    "ofa-mobilenetv3-w1.2": {1.2: "ofa-mobilenetv3-w1.2"},
    "ofa-proxyless": {1.3: "ofa-proxyless"},
    "compofa": {1.0: "compofa"},
    "compofa-elastic": {1.0: "compofa-elastic"},
}
"""The SuperNet by a file's ``space`` and ``width`` where the width is one number, which no SubNet chooses."""


class Entry(NamedTuple):
    """A SubNet of a file.

    Attributes
    ----------
    subnet : the SubNet.
    top1 : its accuracy (a fraction), if the file has one.
    """

    subnet: SubNet
    top1: float | None


def read_subnets(path: str | Path) -> tuple[SubNet, ...]:
    """Read the SubNets of a JSON file; :func:`read_entries` has their accuracies, too.

    Parameters
    ----------
    path : a list as ``fastswitch subnets --json`` writes it; :func:`read_entries` says what an entry has.

    Returns
    -------
    tuple of SubNet
        In the order of the file.

    Raises
    ------
    SpaceError
        The line names the file, the entry (the first is 0), the key and its value.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "mine.json"
    ...     _ = file.write_text('[{"name": "mine", "space": "compofa", "image": 160, "depth": [2, 2, 2, 3, 4]}]')
    ...     [net.name for net in read_subnets(file)]
    ['mine']
    """
    return tuple(entry.subnet for entry in read_entries(path))


def read_entries(path: str | Path, own: SuperNet | None = None) -> tuple[Entry, ...]:
    """The SubNets of a JSON file with their accuracies, in its order.

    Each entry has ``space`` (see :func:`space_names`), that space's choices (``image``, ``depth``, ``kernel``,
    ``expand``, ``width``) and, if the SubNet shall not be called as its choices spell it, ``name``. ``top1`` is its
    accuracy, in per cent or, up to 1, a fraction. What else stands there, such as ``macs`` or ``params``, is not looked
    at. ``fashion`` and the CIFAR spaces have no choice of ``image``.

    Parameters
    ----------
    path : the file.
    own : a SuperNet that builds the SubNets with its name.

    Raises
    ------
    SpaceError
        Naming the file, the entry (the first is 0), the key and its value.
    """
    source = f"SubNets {path}"
    entries = read_json(path, Wanted(source, "a JSON list of SubNets", SpaceError))
    if not isinstance(entries, list) or not entries:
        raise SpaceError(f"{source} is {shown(entries)}; give a list with at least one SubNet")
    found: dict[str, Entry] = {}
    for i, entry in enumerate(entries):
        subnet = _read_entry(f"{source}, entry {i}", entry, own)
        if subnet.name in found:
            raise SpaceError(f"{source}, entry {i}: name {subnet.name} is taken; give each SubNet its own")
        found[subnet.name] = Entry(subnet, _top1(f"{source}, entry {i} ({subnet.name})", entry.get("top1")))
    return tuple(found.values())


def subnet_entry(subnet: SubNet) -> dict[str, Any]:
    """What :func:`read_subnets` reads, and what is known: MACs, parameters as trained, bytes of int8 weights.

    ``top1``, the accuracy in per cent, is there where :mod:`arch_model.spaces.accuracy` has it.

    >>> entry = subnet_entry(get_space("fashion").subnet("fashion-d111-w222"))
    >>> entry["image"], entry["depth"], entry["top1"], entry["macs"], entry["weight_bytes"]
    (28, [1, 1, 1], 91.22, 1654944, 44160)
    """
    top1 = known_top1(subnet)
    choices = {key: list(v) if isinstance(v, tuple) else v for key, v in subnet.config}
    return {
        "name": subnet.name,
        "space": subnet.supernet,
        "image": subnet.layers[0].H,
        **choices,
        **({} if top1 is None else {"top1": round(100 * top1, 2)}),
        "macs": subnet.macs,
        "params": subnet.parameters,
        "weight_bytes": subnet.weight_bytes,
        "weight_mib": round(subnet.weight_bytes / 2**20, 4),
    }


def _read_entry(where: str, entry: Any, own: SuperNet | None) -> SubNet:
    if not isinstance(entry, dict):
        raise SpaceError(f"{where} is {shown(entry)}; give an object with name, space and choices")
    name = entry.get("name")
    if "name" in entry:
        if not isinstance(name, str) or not name.strip():
            raise SpaceError(f"{where}: name is {shown(name)}; give a text that is not empty")
        if why := why_no_name(name):
            raise SpaceError(f"{where}: name is {shown(name)}: {why}; give another")
        where = f"{where} ({name})"
    if own is not None and entry.get("space") == own.name:
        supernet: SuperNet = own
        rest: Mapping[str, Any] = entry
    else:
        supernet, rest = _supernet(where, entry)
    if not supernet.choices and name in supernet.subnet_names():
        return supernet.subnet(name)
    choices = {choice.key: choice.legal for choice in supernet.choices}
    take = {} if ships(supernet) else {choice.key: choice.take for choice in supernet.choices}
    config = {}
    for key in dict.fromkeys((*CHOICES, *choices)):
        if key in choices and key not in rest:
            raise SpaceError(f"{where}: {key} is missing; give {choices[key]}")
        if key in choices:
            config[key] = rest[key]  # build of a SuperNet that ships checks it; one's own gets what is legal
            if key in take:
                config[key] = take[key](where, rest[key])
        elif key == "image" and rest.get(key) == supernet.layers[0].H:
            continue  # the only one that there is
        elif key in rest:
            raise SpaceError(
                f"{where}: {key} is {shown(rest[key])}; SubNets of {supernet.name} choose {', '.join(choices)}"
            )
    try:
        subnet = supernet.subnet(**config)
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from None
    return replace(subnet, name=name) if name else subnet


def _top1(where: str, top1: Any) -> float | None:
    """An accuracy as a fraction."""
    if top1 is None:
        return None
    if isinstance(top1, bool) or not isinstance(top1, int | float) or not 0 < top1 <= 100:
        raise SpaceError(f"{where}: top1 is {shown(top1)}; give its accuracy in per cent")
    return top1 / 100 if top1 > 1 else float(top1)


def _supernet(where: str, entry: Mapping[str, Any]) -> tuple[SuperNet, Mapping[str, Any]]:
    """The SuperNet of an entry, and the entry without what told it."""
    if "space" not in entry:
        raise SpaceError(f"{where}: space is missing; give one of {', '.join(space_names())}")
    space = entry["space"]
    if space not in space_names():
        raise SpaceError(f"{where}: space is {shown(space)}; give one of {', '.join(space_names())}")
    widths = WIDTHS.get(space, {})
    if not widths or "width" not in entry:
        return get_space(space), entry
    width = entry["width"]
    if isinstance(width, bool) or width not in tuple(widths):
        legal = " or ".join(map(str, widths))
        raise SpaceError(f"{where}: width is {shown(width)}; give {legal}, the width of {space}")
    return get_space(widths[width]), {key: value for key, value in entry.items() if key != "width"}
