"""A SuperNet that a Python module makes: ``MODULE:OBJECT``, and what packages register as entry points.

A package makes SuperNets known by their names, to whoever has it installed, in its ``pyproject.toml``::

    [project.entry-points."fastswitch.spaces"]
    my-space = "my_package.spaces:MY_SPACE"

The object is a SuperNet, or a function without arguments that makes one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from arch_model.errors import SpaceError
from arch_model.files.shown import plain, shown
from arch_model.files.wanted import one_line
from arch_model.network.supernet import SuperNet

GROUP = "fastswitch.spaces"
"""The group of entry points."""

_WORDS = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<object>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)")


def module_object(text: str | Path) -> tuple[str, str] | None:
    """The module and the object that ``MODULE:OBJECT`` says; None if the text is something else.

    >>> module_object("nets.mine:SMALL"), module_object("nets/mine.py:SMALL"), module_object("fashion")
    (('nets.mine', 'SMALL'), None, None)
    """
    found = _WORDS.fullmatch(str(text))
    return (found["module"], found["object"]) if found and not found["module"].endswith(".py") else None


def from_module(text: str) -> SuperNet:
    """The SuperNet of ``MODULE:OBJECT``, which Python can import, also from the current folder.

    Raises
    ------
    SpaceError
        There is no such module or object in it, it fails, or is no SuperNet; the line says which.
    """
    made: SuperNet = module_value(text, "SuperNet", lambda value: _made(value, text))
    return made


def module_value(text: str, thing: str, made: Callable[[Any], Any] = lambda value: value) -> Any:
    """The object of ``MODULE:OBJECT``, or what is made of it.

    Parameters
    ----------
    text : the module and the object.
    thing : what errors call it.
    made : makes the value of the object.

    Raises
    ------
    SpaceError
        There is no such module or object in it, or it fails; the line says which.
    """
    found = module_object(text)
    if found is None:
        raise SpaceError(f"{thing} {shown(text)} names no object of a module; give MODULE:OBJECT")
    module, name = found
    folder = str(Path.cwd())
    sys.path.append(folder)  # behind all others: what is installed is found first
    try:
        value: Any = import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
        return made(value)
    except SpaceError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise _fails(text, thing, error) from None
        raise SpaceError(
            f"{thing} {plain(text)}: there is no module {plain(error.name)}; give MODULE:OBJECT of a module that is "
            "installed or in this folder, or a FILE.py"
        ) from None
    except AttributeError as error:
        if getattr(error, "obj", None) is None or str(getattr(error, "name", "")) not in name.split("."):
            raise _fails(text, thing, error) from None
        raise SpaceError(f"{thing} {plain(text)}: module {module} has no {plain(name)}; give one that it has") from None
    except Exception as error:
        raise _fails(text, thing, error) from None
    finally:
        sys.path.remove(folder)


def _fails(text: str, thing: str, error: Exception) -> SpaceError:
    return SpaceError(f"{thing} {plain(text)}: {type(error).__name__}: {one_line(error)}; mend the module")


def _made(value: Any, text: str) -> SuperNet:
    """The SuperNet that a value is or, called without arguments, makes."""
    made = value() if callable(value) and not isinstance(value, SuperNet) else value
    if not isinstance(made, SuperNet):
        raise SpaceError(f"SuperNet {plain(text)} is {shown(made)}; give a SuperNet or a function that makes one")
    return made


@cache
def registered() -> dict[str, EntryPoint]:
    """By name, the SuperNets that installed packages register. They are not loaded, and looked for once.

    Raises
    ------
    SpaceError
        Two packages register different objects by one name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise SpaceError(
                f"SuperNet {plain(entry.name)}: two packages register it, as {plain(other.value)} and "
                f"{plain(entry.value)}; remove one of them"
            )
    return found


def load_registered(entry: EntryPoint) -> SuperNet:
    """The SuperNet of an entry point.

    Raises
    ------
    SpaceError
        It fails, is no SuperNet, or is called otherwise than the entry point.
    """
    text = f"{plain(entry.name)} ({plain(entry.value)} of an installed package)"
    try:
        supernet = _made(entry.load(), text)
    except SpaceError:
        raise
    except Exception as error:
        raise SpaceError(f"SuperNet {text}: {type(error).__name__}: {one_line(error)}; mend the package") from None
    if supernet.name != entry.name:
        raise SpaceError(f"SuperNet {text} is called {plain(supernet.name)}; give the entry point that name")
    return supernet
