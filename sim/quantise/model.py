"""Where the modules of SubNets come from: a function of a user's, an elastic module, or the name of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from arch_model.errors import FastSwitchError
from arch_model.files.json_file import read_json
from arch_model.files.names import why_no_name
from arch_model.files.shown import plain, shown
from arch_model.files.wanted import Wanted, one_line
from arch_model.spaces.own_file import load_object
from arch_model.spaces.registry import RESERVED
from sim.quantise.errors import ModelError, need_torch

Model = str | Path | Callable[..., Any]
"""A function ``model(**config)`` that gives the ``torch.nn.Module`` of a SubNet in eval mode; a module with a method
``set_active_subnet(**config)``, as once-for-all's elastic networks have; a plain module, which is one SubNet; or
``"MODULE:OBJECT"`` or ``"FILE.py:OBJECT"``, where one of these is."""

Config = Mapping[str, Any]


def load_model(model: Model) -> Callable[..., Any]:
    """The function that gives a SubNet's module for its config.

    Raises
    ------
    ModelError
        It is none of :data:`Model`.
    SpaceError
        The file or the module of a name cannot be run, or does not have the object.
    """
    torch = need_torch()
    value = load_object(str(model), "model") if isinstance(model, str | Path) else model
    if isinstance(value, torch.nn.Module):
        return _elastic(value) if hasattr(value, "set_active_subnet") else _fixed(value)
    if not callable(value):
        raise ModelError(
            f"model is {shown(value)}; give a function that takes a SubNet's choices and gives its torch.nn.Module"
        )
    return value


def module_of(model: Callable[..., Any], name: str, config: Config) -> Any:
    """The PyTorch module of a SubNet.

    Parameters
    ----------
    model : a user's function of the choices.
    name : the SubNet's, for errors.
    config : the choices, its keyword arguments.

    Raises
    ------
    ModelError
        The function raises anything; the line has the SubNet's name and its choices.
    """
    try:
        return model(**config)
    except FastSwitchError as error:
        raise ModelError(f"SubNet {plain(name)}: {error}") from None
    except Exception as error:
        what = f"{type(error).__name__}: {one_line(error)}"
        raise ModelError(f"SubNet {plain(name)}: the model fails for {shown(dict(config))}: {what}") from None


def check_configs(subnets: Mapping[str, Config]) -> dict[str, dict[str, Any]]:
    """The choices of SubNets by their names, checked.

    Raises
    ------
    ModelError
        There are none, a name is no name, or choices are not keywords with values.
    """
    if not isinstance(subnets, Mapping) or not subnets:
        raise ModelError(f"subnets is {shown(subnets)}; without a SuperNet give the choices of each SubNet by its name")
    for name, config in subnets.items():
        why = why_no_name(name) if isinstance(name, str) else "it is no text"
        if why:
            raise ModelError(f"SubNet name is {shown(name)}: {why}; give another")
        if not isinstance(config, Mapping) or not all(isinstance(key, str) for key in config):
            raise ModelError(f"SubNet {plain(name)}: its choices are {shown(config)}; give them by their keywords")
    return {name: dict(config) for name, config in subnets.items()}


def read_configs(path: str | Path) -> dict[str, dict[str, Any]]:
    """The choices of SubNets of a JSON file, as :func:`listed_configs` reads them."""
    source = f"SubNets {path}"
    right = "a JSON list of objects, each with name and the model's keywords, or --space for names of its SubNets"
    return listed_configs(read_json(path, Wanted(source, right, ModelError)), str(path))


def listed_configs(entries: Any, source: str) -> dict[str, dict[str, Any]]:
    """The choices of SubNets of a JSON list, each with ``name`` and what the model is called with.

    Parameters
    ----------
    entries : the value of a JSON file.
    source : what errors call the file.

    Raises
    ------
    ModelError
        It is no list of objects with names, or a name occurs twice.

    Examples
    --------
    >>> listed_configs([{"name": "small", "depth": [1, 1], "top1": 71.5}], "nets.json")
    {'small': {'depth': [1, 1]}}
    """
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        raise ModelError(f"SubNets {source}: give a JSON list of objects, each with name and the model's keywords")
    names = [entry["name"] for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ModelError(f"SubNets {source}: name {shown(name)} is taken; give each SubNet its own")
    return check_configs(
        {entry["name"]: {key: value for key, value in entry.items() if key not in RESERVED} for entry in entries}
    )


def _elastic(net: Any) -> Callable[..., Any]:
    def model(**config: Any) -> Any:
        net.set_active_subnet(**config)
        return net.eval()

    return model


def _fixed(net: Any) -> Callable[..., Any]:
    def model(**config: Any) -> Any:
        if config:
            raise ModelError(f"the model is one module and takes no choices, but has {shown(config)}; give none")
        return net.eval()

    return model
