"""A SuperNet by its name, or from a file or module of a user's own."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from arch_model.errors import SpaceError
from arch_model.files.shown import plain
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted, one_line
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights, load_weights
from arch_model.spaces.own_module import from_module, module_object, module_value
from arch_model.spaces.registry import get_space, register_supernet
from arch_model.spaces.space_file import SUFFIXES, read_space

WEIGHTS = ".npz"
"""Of a weights file, which may hold its SuperNet, too."""

RIGHT = "a Python file that makes a SuperNet, as FILE.py or FILE.py:NAME"


def load_supernet(name_or_file: str | Path | SuperNet) -> SuperNet:
    """Load a SuperNet: one that ships or was registered, or one that a file or module of your own makes.

    ``fastswitch.load_supernet`` (:mod:`mapper.importers.spaces`) takes ONNX models, too.

    A Python file is run as Python runs a script, except that its ``__name__`` is not ``__main__``; the SuperNet of a
    file or a module is registered by its name (:func:`register_supernet`). Run only files that you would run yourself.

    Parameters
    ----------
    name_or_file : a name such as ``"ofa-resnet50"``; ``"FILE.yaml"``, a space file (docs/reference/space-file.md);
        ``"FILE.npz"``, a weights file that holds its SuperNet, as ``fastswitch.quantise`` makes it of a model alone;
        ``"FILE.py"``, a file that makes one SuperNet; ``"FILE.py:NAME"``, the SuperNet that the file calls NAME; or
        ``"MODULE:OBJECT"``, a SuperNet, or a function without arguments that makes one, of a module that is installed
        or in the current folder. A SuperNet is what it is.

    Returns
    -------
    SuperNet

    Raises
    ------
    SpaceError
        There is no such SuperNet, file or module, an error in it (the line says where), or it makes none or several.

    Examples
    --------
    >>> fashion = load_supernet("fashion")
    >>> len(fashion.subnet_names()), fashion.weight_bytes
    (216, 389136)
    """
    if isinstance(name_or_file, SuperNet):
        return name_or_file
    suffix = Path(name_or_file).suffix.lower()
    if suffix in SUFFIXES:
        return register_supernet(read_space(name_or_file), str(name_or_file))
    if suffix == WEIGHTS:
        weights = load_weights(name_or_file)
        return register_supernet(_held(weights, name_or_file), str(name_or_file), lambda: weights)
    found = python_file(name_or_file)
    if found is None and module_object(name_or_file):
        return register_supernet(from_module(str(name_or_file)), str(name_or_file))
    if found is None:
        return get_space(str(name_or_file))
    path, wanted_name = found
    module = _run(path)
    made = {name: value for name, value in vars(module).items() if isinstance(value, SuperNet)}
    if wanted_name:
        if wanted_name not in made:
            known = f"it has {', '.join(made)}" if made else "it has none"
            raise SpaceError(f"SuperNet file {path}: no SuperNet is called {plain(wanted_name)}; {known}")
        made = {wanted_name: made[wanted_name]}
    different = {id(value): value for value in made.values()}
    if not different:
        raise SpaceError(f"SuperNet file {path} makes no SuperNet; give {RIGHT}")
    if len(different) > 1:
        raise SpaceError(f"SuperNet file {path} makes several: {', '.join(made)}; give {path}:NAME")
    (supernet,) = different.values()
    return register_supernet(supernet, str(name_or_file))


def _held(weights: SuperNetWeights, path: str | Path) -> SuperNet:
    """The SuperNet that a weights file holds."""
    if weights.supernet is None:
        whose = f"SuperNet {plain(weights.space)}" if weights.space else "a SuperNet that it does not name"
        raise SpaceError(f"{path}: weights of {whose}, which it does not hold; give that SuperNet and --weights {path}")
    return weights.supernet


def is_source(text: str) -> bool:
    """Whether a text says where a SuperNet is made, in a file or a module, and not its name.

    >>> is_source("nets/mine.py"), is_source("mine.yaml"), is_source("nets.mine:SMALL"), is_source("fashion")
    (True, True, True, False)
    """
    by_suffix = Path(text).suffix.lower() in (*SUFFIXES, WEIGHTS)
    return by_suffix or python_file(text) is not None or module_object(text) is not None


def python_file(text: str | Path) -> tuple[Path, str] | None:
    """The file and the name that ``FILE.py`` or ``FILE.py:NAME`` says; None if the text is a SuperNet's name.

    >>> python_file("nets/mine.py:SMALL"), python_file("fashion")
    ((PosixPath('nets/mine.py'), 'SMALL'), None)
    """
    file, colon, name = str(text).rpartition(":")
    if colon and file.endswith(".py"):
        return Path(file), name
    return (Path(text), "") if str(text).endswith(".py") else None


def load_object(text: str, thing: str) -> Any:
    """What ``FILE.py:NAME`` or ``MODULE:OBJECT`` names.

    Parameters
    ----------
    text : one of the two forms.
    thing : what the errors call it, such as ``"model"``.

    Raises
    ------
    SpaceError
        The text is neither; there is no such file, module or object; or what is run fails (the line says where).
    """
    found = python_file(text)
    if found is None:
        return module_value(text, thing)
    path, name = found
    if not name:
        raise SpaceError(f"{thing} {plain(text)} names a file; give FILE.py:NAME, what it calls the {thing}")
    module = _run(path, f"{thing} file", "a Python file, as FILE.py:NAME")
    if not hasattr(module, name):
        known = [one for one in vars(module) if not one.startswith("_")]
        raise SpaceError(f"{thing} file {path} has no {plain(name)}; give one of {plain(', '.join(known), 100)}")
    return getattr(module, name)


def _run(path: Path, thing: str = "SuperNet file", right: str = RIGHT) -> ModuleType:
    """The module that the file makes."""
    source = read_text(path, Wanted(f"{thing} {path}", right, SpaceError))
    module = ModuleType(f"fastswitch_supernet_{path.stem}")
    module.__file__ = str(path)
    # Known by its name while it runs and afterwards: dataclasses ask for it, and so does pickle.
    sys.modules[module.__name__] = module
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # files beside it, as when it is run as a script
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except Exception as error:
        del sys.modules[module.__name__]
        raise SpaceError(f"{thing} {path}{_line(error, path)}: {_said(error)}; mend the file") from None
    finally:
        sys.path.remove(folder)
    return module


def _line(error: Exception, path: Path) -> str:
    """Where in the file an error came up."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}" if error.lineno else ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def _said(error: Exception) -> str:
    said = error.msg if isinstance(error, SyntaxError) else one_line(error)
    return said if isinstance(error, SpaceError) else f"{type(error).__name__}: {said}"
