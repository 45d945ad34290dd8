"""A SuperNet of listed SubNets as a JSON text, and back: what a weights file holds of one that has no other file.

>>> small = SubNet("k4", "toy", (Layer("a", "conv", 4, 3, inputs=("input",)),), (("width", 4),))
>>> back = parse_supernet(supernet_text(fixed_supernet([small])), Wanted("toy.json", "a SuperNet"))
>>> back.name, back.subnet("k4") == small
('toy', True)
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from arch_model.errors import FastSwitchError
from arch_model.files.json_file import parse_json
from arch_model.files.shown import plain, shown
from arch_model.files.wanted import Wanted, one_line
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import Layer
from arch_model.network.supernet import Config, SubNet, SuperNet

_FIELDS = {field.name: field.default for field in fields(Layer)}


def supernet_text(supernet: SuperNet) -> str:
    """A SuperNet as JSON: its name, and the config and the layers of each named SubNet, without fields that have their
    default.
    """
    subnets = [supernet.subnet(name) for name in supernet.subnet_names()]
    entries = [
        {"name": net.name, "config": dict(net.config), "layers": [_layer(layer) for layer in net.layers]}
        for net in subnets
    ]
    return json.dumps({"name": supernet.name, "subnets": entries})


def parse_supernet(text: str | bytes, wanted: Wanted) -> SuperNet:
    """The SuperNet of a text that :func:`supernet_text` wrote.

    Parameters
    ----------
    text : a JSON object with ``name`` and ``subnets``.
    wanted : how errors name the file, and their class.

    Raises
    ------
    FastSwitchError
        The text is no JSON or no SuperNet; its class is that of ``wanted``.
    """
    value = parse_json(text, wanted)
    try:
        nets = [_subnet(entry, value["name"]) for entry in value["subnets"]]
        return fixed_supernet(nets, name=value["name"])
    except FastSwitchError as error:
        raise wanted.wrong(one_line(error)) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise wanted.wrong(f"its SuperNet is not a name and SubNets ({one_line(error)})") from None


def frozen(value: Any) -> Any:
    """A JSON value as configs have it: lists are tuples.

    >>> frozen({"depth": [1, [2]]})
    {'depth': (1, (2,))}
    """
    if isinstance(value, list):
        return tuple(frozen(one) for one in value)
    return {key: frozen(one) for key, one in value.items()} if isinstance(value, dict) else value


def parse_config(text: str, wanted: Wanted) -> Config:
    """A SubNet's config of its JSON text.

    Parameters
    ----------
    text : a JSON object of choices.
    wanted : how errors name the file, and their class.

    Raises
    ------
    FastSwitchError
        The text is no JSON object; its class is that of ``wanted``.
    """
    value = parse_json(text, wanted)
    if not isinstance(value, dict):
        raise wanted.wrong(f"a config is {shown(value)}", right="an object of choices")
    return tuple(frozen(value).items())


def _layer(layer: Layer) -> dict[str, Any]:
    values = {name: getattr(layer, name) for name in _FIELDS}
    return {name: value for name, value in values.items() if value != _FIELDS[name]}


def _subnet(entry: dict[str, Any], space: str) -> SubNet:
    layers = []
    for values in entry["layers"]:
        if unknown := [key for key in values if key not in _FIELDS]:
            raise ValueError(f"a layer has {plain(unknown[0])}")
        layers.append(Layer(**(values | {"inputs": tuple(values["inputs"])})))
    return SubNet(entry["name"], space, tuple(layers), tuple(frozen(entry["config"]).items()))
