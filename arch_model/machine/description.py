"""Reading a machine's description: YAML to a checked model, and one line for whatever is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ValidationInfo

from arch_model.errors import AcceleratorError
from arch_model.files.shown import shown
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted
from arch_model.files.yaml_file import BYTES, parse_yaml
from arch_model.physical import Range

Model = TypeVar("Model", bound=BaseModel)

Misfit = tuple[str, object, str]
"""A key, its value and what would be legal."""

FORMAT = 2
"""Of the description of a machine, its key ``format``. Format 1 is that of fastswitch 0.1.0, which has no such key;
what is written in it means the same in format 2."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$"
NAME_IS = "a text of letters, digits, space, _.+-, for example my-machine"


class Section(BaseModel):
    """A frozen part of a description; an unknown key or a value of another type is an error.

    A field's description completes the sentence "give ..." of the error for a wrong value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def within(limits: Range, example: str = "", **more: Any) -> Any:
    """A field of a description whose numbers are those of a range.

    Parameters
    ----------
    limits : legal numbers; the error for any other shows them.
    example : text behind them in that error.
    more : other arguments of pydantic's ``Field``.
    """
    return Field(ge=limits.low, le=limits.high, description=f"{limits}{example}", **more)


def preset_files(folder: str = "") -> dict[str, resources.abc.Traversable]:
    """The YAML files that ship in ``arch_model/presets``, or in a folder of it, by name.

    >>> list(preset_files()), list(preset_files("measured"))
    (['small', 'tiny', 'u50', 'zcu104'], ['sushi-zcu104'])
    """
    home = resources.files("arch_model") / "presets"
    files = [entry for entry in (home / folder if folder else home).iterdir() if entry.name.endswith(".yaml")]
    return {file.name.removesuffix(".yaml"): file for file in sorted(files, key=lambda file: file.name)}


def read_description(name_or_path: str | Path, presets: Mapping[str, resources.abc.Traversable]) -> str:
    """The text of a preset, by its name, or of the file at a path.

    Parameters
    ----------
    name_or_path : a key of ``presets`` or a path.
    presets : the shipped files by name.

    Raises
    ------
    AcceleratorError
        The file is not there, cannot be read or is not UTF-8.
    """
    if isinstance(name_or_path, str) and name_or_path in presets:
        return presets[name_or_path].read_text(encoding="utf-8")
    path, right = Path(name_or_path), f"a YAML file or one of: {', '.join(presets)}"
    near = difflib.get_close_matches(str(path)[:80], presets, 1)
    missing = f"is neither a file nor a preset{f' (did you mean {near[0]}?)' if near else ''}"
    return read_text(path, Wanted(f"accelerator {path}", right, AcceleratorError, missing), BYTES)


def parse_mapping(text: str, source: str, keys: Iterable[str]) -> dict[Any, Any]:
    """The mapping that a YAML text holds.

    Parameters
    ----------
    text : the YAML.
    source : what the text is called at the start of an error.
    keys : those that the error for any other content names.

    Raises
    ------
    AcceleratorError
        The text is not YAML or holds no mapping.
    """
    wanted = Wanted(source, f"a mapping with the keys {', '.join(keys)}", AcceleratorError)
    data = parse_yaml(text, wanted)
    if not isinstance(data, dict):
        raise wanted.cannot(f"holds {shown(data)}")
    return data


def checked(
    model: type[Model], data: Any, handler: ModelWrapValidatorHandler[Model], info: ValidationInfo
) -> tuple[Model, str]:
    """What a wrap validator of ``model`` needs: the validated model, and how errors call it.

    The name is ``source`` of the validation's context, else that in ``data``.

    Parameters
    ----------
    model : the class that is validated.
    data : a mapping or a model.
    handler, info : as pydantic gives them to a wrap validator.

    Returns
    -------
    model, name

    Raises
    ------
    AcceleratorError
        The first thing that is wrong, in one line.
    """
    source = (info.context or {}).get("source")
    if source is None:
        name = data.get("name") if isinstance(data, Mapping) else None
        source = f"accelerator {name}" if isinstance(name, str) and name else "accelerator"
    if isinstance(data, Mapping):
        data = _without_format(model, data, source)
    try:
        return handler(data), source
    except ValidationError as error:
        raise AcceleratorError(f"{source}: {_explain(error.errors()[0], model)}") from None


def _without_format(model: type[BaseModel], data: Mapping[Any, Any], source: str) -> dict[Any, Any]:
    """A description without the key that says its format; AcceleratorError for a format that it is not of."""
    found = data.get("format", FORMAT)
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= FORMAT:
        newer = "; a newer fastswitch wrote it" if isinstance(found, int) and found > FORMAT else ""
        raise AcceleratorError(f"{source}: format is {shown(found)}{newer}; give 1 to {FORMAT}, or leave it out")
    for key, why in getattr(model, "RESERVED", {}).items():
        if key in data:
            raise AcceleratorError(f"{source}: {key} is {shown(data[key])}; leave it out: {why}")
    for path in getattr(model, "SINCE_2", ()) if found == 1 else ():
        section, _, key = path.rpartition(".")
        holder = data.get(section) if section else data
        if isinstance(holder, Mapping) and key in holder:
            raise AcceleratorError(f"{source}: {path} is not a key of format 1; give format: 2")
    return {key: value for key, value in data.items() if key != "format"}


def _of_optional(annotation: Any) -> Any:
    """The type of a field that may be left out, where it is ``Section | None``."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], type) else annotation


def _explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """One line for one of pydantic's errors: the key, its value and what would be legal."""
    path = [str(part) for part in error["loc"]]
    for depth, part in enumerate(path[:-1]):
        section = _of_optional(model.model_fields[part].annotation)
        if not (isinstance(section, type) and issubclass(section, BaseModel)):  # an item of a list: name the list
            path = path[: depth + 1]
            break
        model = section
    if not path:
        return f"got {shown(error['input'])}; give a mapping with the keys {', '.join(model.model_fields)}"
    key, fields = ".".join(path), model.model_fields
    if path[-1] not in fields:
        near = difflib.get_close_matches(path[-1], fields, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{key} is not a key; {hint}known here: {', '.join(fields)}"
    legal = fields[path[-1]].description
    if error["type"] == "missing":
        return f"{key} is missing; give {legal}"
    return f"{key} is {shown(error['input'])}; give {legal}"
