"""The question that results answer: what was asked, kept with them, so that no other question's results replace them.

A question is a mapping of names to JSON values: the command, the version, the accelerator and its hash, the seed and
whatever else the results depend on; large things as a :func:`digest`. Options that change nothing in the results
(how many processes, what is shown) are not in it. It stands in the results themselves: as ``# key: value`` lines
before a CSV table, under the key ``question`` in JSON, as the member ``question`` of an npz file, in the metadata of a
Parquet file, and in ``question.json`` of a folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from arch_model.errors import FastSwitchError
from arch_model.files.json_file import parse_json
from arch_model.files.shown import shown
from arch_model.files.text import read_bytes
from arch_model.files.wanted import Wanted
from arch_model.files.writing import Source

Question = Mapping[str, Any]

SCHEMA = 2
"""Of what commands write: their columns and keys, and what these mean. It grows when a column or key goes, changes its
meaning or its unit; a new one at the end is no change. Results of fastswitch 0.1.0, schema 1, do not say theirs."""

_WANTED = Wanted("a file of results", "one that says its question")

MOST_BYTES = 1 << 26
"""Of a file that is read whole for its question."""


def asked(command: str, **question: Any) -> dict[str, Any]:
    """The question of a command, as JSON knows it: the command, the schema of its results and the version first.

    Paths and enumerations become texts, NumPy numbers numbers, tuples lists.

    Parameters
    ----------
    command : its name.
    question : what else the results depend on, by name.

    Examples
    --------
    >>> asked("run", accelerator="tiny", seed=7)  # doctest: +ELLIPSIS
    {'command': 'run', 'schema': 2, 'version': '...', 'accelerator': 'tiny', 'seed': 7}
    """
    found: dict[str, Any] = plain({"command": command, "schema": SCHEMA, "version": version("fastswitch"), **question})
    return found


def check_schema(record: Question, wanted: Wanted) -> None:
    """Refuse results of another schema than this version's.

    Parameters
    ----------
    record
        The question that the results hold, or what else they say of themselves.
    wanted
        The results as the error calls them, and how to make them anew.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says.

    Examples
    --------
    >>> check_schema({"command": "table", "schema": 3}, Wanted("table a.parquet", "one of this version"))
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: table a.parquet is of schema 3, which another version of fastswitch wrote, ...
    """
    found = record.get("schema", 1)
    if found == SCHEMA and not isinstance(found, bool):
        return
    whole = isinstance(found, int) and not isinstance(found, bool)
    who = "which is none"
    if whole:
        who = "which fastswitch 0.1.0 wrote" if found == 1 else "which another version of fastswitch wrote"
    raise wanted.cannot(f"is of schema {shown(found)}, {who}, and this one reads schema {SCHEMA}")


def machine_facts(machine: Any) -> dict[str, Any]:
    """An accelerator in a question: its name and, if it has one, the hash of all its numbers.

    >>> from arch_model.machine.accelerator import Accelerator
    >>> tiny = Accelerator.load("tiny")
    >>> machine_facts(tiny) == {"accelerator": "tiny", "accelerator_hash": tiny.hash()}
    True
    """
    return {"accelerator": machine.name} | ({"accelerator_hash": machine.hash()} if hasattr(machine, "hash") else {})


def nets_facts(nets: Sequence[Any]) -> dict[str, str]:
    """SubNets in a question: their names, and the digest of all their layers.

    >>> from arch_model.spaces import get_space
    >>> nets_facts([get_space("fashion").subnet("fashion-d111-w222")])["subnets"]
    'fashion-d111-w222'
    """
    names = [net.name for net in nets]
    shown = ", ".join(names) if len(names) <= 4 else f"{len(names)}: {names[0]} ... {names[-1]}"
    return {"subnets": shown, "subnets_digest": digest([[net.name, repr(net.layers)] for net in nets])}


def plain(value: Any) -> Any:
    """A value as it comes back from JSON, floats to the bit.

    >>> import numpy as np
    >>> plain({"cycles": np.int64(3), "sizes": (1, 2), "file": Path("a.csv")})
    {'cycles': 3, 'sizes': [1, 2], 'file': 'a.csv'}
    """
    return json.loads(to_line(value))


def to_line(value: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, default=lambda other: other.item() if hasattr(other, "item") else str(other))


def digest(value: object) -> str:
    """Twelve hexadecimal digits that tell a value of any size from others.

    >>> digest([1, 2]) == digest((1, 2)), digest([1, 2]) == digest([2, 1])
    (True, False)
    """
    return sha256(to_line(value).encode()).hexdigest()[:12]


def file_digest(path: Source) -> str:
    """The :func:`digest` of a file's bytes; "none" where no file was given.

    Raises
    ------
    FastSwitchError
        If it cannot be read.
    """
    if path is None:
        return "none"
    try:
        return sha256(Path(path).read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise FastSwitchError(f"cannot read {path}: {error.strerror or error}") from None


def argument(text: str) -> str:
    """What a user gave where a file's name is one way to say it: that file by its bytes, anything else as it is.

    >>> argument("fashion-d111-w222,fashion-d222-w444"), argument("10")
    ('fashion-d111-w222,fashion-d222-w444', '10')
    """
    try:
        return f"a file, {file_digest(text)}" if Path(text).is_file() else text
    except (OSError, ValueError):  # no file has such a name
        return text


def difference(there: Question, here: Question) -> str | None:
    """The first thing in which two questions differ, with both values; None if they are one.

    Parameters
    ----------
    there, here : the question that results answer, and the one that is asked now.

    Examples
    --------
    >>> difference({"seed": 1, "knobs": [{"KP": 2}]}, {"seed": 1, "knobs": [{"KP": 4}]})
    'knobs.0.KP is 2 there and 4 here'
    >>> difference({"seed": 1}, {"seed": 1, "best": True})
    'best is not given there and true here'
    """
    found = _differing("", dict(there), plain(here))
    return None if found is None else f"{found[0]} is {found[1]} there and {found[2]} here"


def header(question: Question) -> str:
    """A question as the lines before a CSV table.

    >>> header({"command": "cosim", "seed": 7, "best": False, "name": "two\\nlines"})
    '# command: cosim\\n# seed: 7\\n# best: false\\n# name: "two\\\\nlines"\\n'
    """
    return "".join(f"# {key}: {text}\n" for key, text in as_texts(question).items())


def refuse_other(name: str, there: Question | None, here: Question, instead: str = "another file") -> None:
    """Refuse what holds the results of another question, of none, or of a version that did not record it.

    Parameters
    ----------
    name
        What holds them, as the user knows it.
    there
        The question in it; None if there is none.
    here
        The question that is asked now.
    instead
        What the user may give.

    Raises
    ------
    FastSwitchError
        Naming the first thing that differs, with both values.

    Examples
    --------
    >>> refuse_other("a.csv", {"command": "predict", "seed": 1}, {"command": "predict", "seed": 2})
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: a.csv holds results of another question: seed is 1 there and 2 here; ...
    """
    ways = f"give {instead}, or --force to replace what it holds"
    if there is None:
        raise FastSwitchError(f"{name} is there and does not say which question it answers; {ways}")
    if "command" in here and "command" not in there:
        made = there.get("version") or there.get("fastswitch") or "of an older version"
        raise FastSwitchError(f"{name} was written by fastswitch {made}, which did not record its question; {ways}")
    old, new = (_text(question.get("schema", 1)) for question in (there, here))
    if "schema" in here and old != new:
        raise FastSwitchError(
            f"{name} holds results of schema {old[:20]}, and this version writes schema {new}; {ways}"
        )
    found = difference(there, here)
    if found:
        raise FastSwitchError(f"{name} holds results of another question: {found}; {ways}")


def read_question(path: Path) -> dict[str, Any] | None:
    """The question that a finished file holds, whatever its format; None if it holds none.

    Values of a CSV table's lines are texts; compare them with :func:`as_texts` of a question.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start.startswith(b"# "):
                file.seek(0)
                return _read_header(file)
        if start == b"PAR1":
            import pyarrow.parquet as pq

            return _question_in((pq.read_schema(path).metadata or {}).get(b"fastswitch", b""))
        if path.stat().st_size > MOST_BYTES:
            return None
        if start == b"PK\x03\x04":
            from arch_model.files.npz_file import read_npz

            return _question_in(read_npz(path, _WANTED, ("question",), MOST_BYTES)["question"].tobytes())
        return _question_in(read_bytes(path, _WANTED, MOST_BYTES)) if start.startswith(b"{") else None
    except (OSError, ValueError, FastSwitchError):
        return None


def as_texts(question: Question) -> dict[str, str]:
    """A question with its values as :func:`header` writes them."""
    return {key: _text(value) for key, value in plain(question).items()}


def _text(value: Any) -> str:
    """A value on one line: a text as it is, if that is unmistakable."""
    if isinstance(value, str) and value.isprintable() and value == value.strip() != "" and value[0] != '"':
        return value
    return to_line(value)


def _read_header(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(1000):
        line = file.readline(1 << 20)
        if not line.startswith(b"# "):
            break
        key, _, value = line[2:].decode(errors="replace").rstrip("\r\n").partition(": ")
        found[key] = value
    return found


def _question_in(data: bytes) -> dict[str, Any] | None:
    """Of a JSON object's bytes: its key ``question``, or ``facts`` of an older one."""
    record = parse_json(data, _WANTED)
    if not isinstance(record, dict):
        return None
    found = record.get("question", {key: record[key] for key in ("version",) if key in record} or None)
    return found if isinstance(found, dict) else None


def _differing(key: str, there: Any, here: Any) -> tuple[str, str, str] | None:
    if to_line(there) == to_line(here):  # in Python 1 is True and 1.0
        return None
    pairs: list[tuple[Any, Any, Any]] = []
    if isinstance(there, dict) and isinstance(here, dict):
        nothing = _Missing()
        pairs = [(name, there.get(name, nothing), here.get(name, nothing)) for name in dict.fromkeys([*here, *there])]
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = [(at, *pair) for at, pair in enumerate(zip(there, here, strict=True))]
    for name, one, other in pairs:
        found = _differing(f"{key}.{name}" if key else str(name), one, other)
        if found:
            return found
    return None if pairs else (key, _short(there), _short(here))


class _Missing:
    """A key that one of two questions lacks."""


def _short(value: Any) -> str:
    """A value for a message, however long it is."""
    if isinstance(value, _Missing):
        return "not given"
    if isinstance(value, list) and len(value) > 4:
        return f"{_short(value[:3])[:-1]}, ... ({len(value)} values)]"
    text = _text(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
