"""The YAML of Timeloop's front end: files that include others, and mappings that go on from others.

``{{include_text("base.yaml")}}`` on a line of its own stands for that file's text; ``<<<: *base`` takes from another
mapping what is not said here, also inside the mappings of both. Source: github.com/Accelergy-Project/timeloop-python,
and its layer_shapes, nearly all of which begin with such a line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from arch_model.files.shown import shown
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted
from arch_model.files.yaml_file import BYTES, parse_yaml

MOST = 8
"""Files that a file includes."""
MERGE = "<<<"

_INCLUDE = re.compile(r"""^[ ]*\{\{ *include_text\( *(['"])(?P<name>[^'"\n]*)\1 *\) *\}\} *(?:#.*)?$""", re.M)


def read_timeloop(path: str | Path, wanted: Wanted) -> Any:
    """What a file of Timeloop holds, with what it includes and repeats.

    Parameters
    ----------
    path : the file.
    wanted : what it is called in an error, and what would be right.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says: for what :func:`~arch_model.files.yaml_file.parse_yaml` refuses, a file to include that is
        not there, is absolute or includes others, more than :data:`MOST` of them, and ``<<<`` with anything but a
        mapping.
    """
    text = read_text(path, wanted, BYTES)
    if len(_INCLUDE.findall(text)) > MOST:
        raise wanted.wrong(f"it includes more than {MOST} files")

    def included(found: re.Match[str]) -> str:
        name, line = found["name"], text.count("\n", 0, found.start()) + 1
        if not name or Path(name).is_absolute():
            raise wanted.wrong(f"it includes {shown(name)}", line, "a file beside this one")
        beside = Wanted(
            f"{wanted.source}, line {line}: the file that it includes, {Path(path).parent / name},",
            "it, or its text in the place of the line",
            wanted.error,
        )
        inner = read_text(Path(path).parent / name, beside, BYTES)
        if _INCLUDE.search(inner):
            raise wanted.wrong(f"{shown(name)} includes other files itself", line, "their text in it")
        return inner

    return _merged(parse_yaml(_INCLUDE.sub(included, text), wanted), wanted)


def _merged(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, list):
        return [_merged(item, wanted) for item in value]
    if not isinstance(value, dict):
        return value
    own = {key: _merged(item, wanted) for key, item in value.items() if key != MERGE}
    if MERGE not in value:
        return own
    base = _merged(value[MERGE], wanted)
    if not isinstance(base, dict):
        raise wanted.wrong(f"{MERGE} is {shown(base)}", right="a mapping to go on from")
    return _over(base, own)


def _over(base: dict[Any, Any], own: dict[Any, Any]) -> dict[Any, Any]:
    made = dict(base)
    for key, value in own.items():
        there = made.get(key)
        made[key] = _over(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return made
