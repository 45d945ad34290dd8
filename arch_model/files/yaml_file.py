"""YAML, without what makes YAML dangerous: its parser's events are counted before anything is built of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from arch_model.files.shown import plain
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted, one_line

BYTES = 2**20
"""Of a YAML file; the largest that ships has 5 kB."""
DEPTH = 50
"""Lists and mappings inside one another."""
NODES = 100_000
"""Values, those that aliases repeat counted as often as they are repeated."""
DIGITS = 400
"""Of a number; the largest float has 309."""

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_OTHER_BASE = re.compile(r"[-+]?0[0-9_]*[1-9_]|.*:")


def read_yaml(path: str | Path, wanted: Wanted) -> Any:
    """The one document of a YAML file, in plain values.

    Parameters
    ----------
    path : the file.
    wanted : what it is called in an error, and what would be right.

    Raises
    ------
    FastSwitchError
        As :func:`parse_yaml`, and for a file of no text or too much of it.
    """
    return parse_yaml(read_text(path, wanted, BYTES), wanted)


def parse_yaml(text: str, wanted: Wanted) -> Any:
    """The one document of a YAML text, in plain values.

    Aliases and merge keys (``<<``) are read; tags are not, nor is a key that is given twice in a mapping.

    Parameters
    ----------
    text : the YAML.
    wanted : what it is called in an error, and what would be right.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says, naming the line: for what is not YAML, and for more than :data:`DEPTH`, :data:`NODES` or
        :data:`DIGITS`.

    Examples
    --------
    >>> wanted = Wanted("a.yaml", "a mapping")
    >>> parse_yaml("base: &b {kp: 4}\\nmine: {<<: *b, cp: 3}", wanted)["mine"]
    {'kp': 4, 'cp': 3}
    >>> parse_yaml("kp: 4\\nkp: 5", wanted)
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: a.yaml, line 2: key kp is given twice; give it once
    """
    try:
        _count(text, wanted)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check(root, wanted)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise wanted.wrong(f"not YAML: {error.problem or error.context}", mark.line + 1 if mark else 1) from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as error:  # ValueError: such as the date 2024-13-01
        raise wanted.wrong(f"not YAML: {one_line(error)}") from None


def _count(text: str, wanted: Wanted) -> None:
    """Refuse what is too deep or too much, by the parser's events; an alias counts as all that it repeats."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # around here: anchor, and the count before
    nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                inside = event.anchor in (anchor for anchor, _ in open_nodes)
                what = "stands inside what it repeats" if inside else "repeats nothing before it"
                raise wanted.wrong(
                    f"the alias *{plain(str(event.anchor))} {what}", line, "one to a value that is complete"
                )
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            nodes += 1
            open_nodes.append((event.anchor, nodes - 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = nodes - before
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor:
                sizes[event.anchor] = 1
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise wanted.wrong(f"the tag {plain(str(tag))} is not read", line, "the value without a tag")
        if len(open_nodes) > DEPTH:
            raise wanted.wrong(f"nested too deep, more than {DEPTH} lists or mappings inside one another", line)
        if nodes > NODES:
            raise wanted.wrong(f"more than {NODES} values, counting what aliases repeat", line)


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once, however many aliases it has."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        node = waiting.pop()
        yield node
        inside: Iterable[yaml.Node] = ()
        if isinstance(node, yaml.MappingNode):
            inside = (part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            inside = node.value
        for part in inside:
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)


def _check(root: yaml.Node, wanted: Wanted) -> None:
    """Refuse keys that are given twice, numbers without end and texts that no file can hold."""
    for node in _nodes(root):
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
            if number and len(node.value) > DIGITS:
                raise wanted.wrong(
                    f"the number {plain(node.value, 20)} has {len(node.value)} digits", line, f"at most {DIGITS}"
                )
            if number and _OTHER_BASE.match(
                node.value
            ):  # octal and base 60 of YAML 1.1, which YAML 1.2 reads otherwise
                raise wanted.wrong(
                    f"the number {plain(node.value, 20)} means another in another version of YAML",
                    line,
                    "it in decimal",
                )
            if not node.value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in node.value):
                raise wanted.wrong(f"the text {plain(node.value)} has half of a surrogate pair", line)
        elif isinstance(node, yaml.MappingNode):
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise wanted.wrong("a list or mapping stands where a key should", line, "a name before each colon")
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    at = key.start_mark.line + 1
                    raise wanted.wrong(f"key {plain(key.value)} is given twice", at, "it once")
                seen.add(key.value)
