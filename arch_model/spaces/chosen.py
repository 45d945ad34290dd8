"""The SubNets that a user asks for, in whichever way: a file of them, their names, or how many to draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arch_model.errors import SpaceError
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces.accuracy import known_top1
from arch_model.spaces.registry import get_space, is_known, space_names
from arch_model.spaces.subnet_file import read_entries

Asked = str | int | Path | Sequence[SubNet] | Sequence[str]
"""A file that ``fastswitch subnets --json`` wrote, names (in one text, by commas), how many to draw, or SubNets."""

MOST_DRAWN = 20_000
"""SubNets that are drawn at most: each is built and kept in memory, 25 kB and some milliseconds."""


@dataclass(frozen=True)
class Chosen:
    """SubNets, and what was given with them.

    Attributes
    ----------
    subnets : in the order that was asked for.
    accuracy : a fraction, by SubNet, of those whose accuracy is known.
    space : the SuperNet, if it was given as a value.
    """

    subnets: tuple[SubNet, ...]
    accuracy: Mapping[str, float]
    space: SuperNet | None = field(default=None, repr=False)

    @property
    def supernet(self) -> SuperNet:
        """The SuperNet of all of them; :class:`SpaceError` if they are of several, or of one that is not known."""
        if self.space is not None:
            return self.space
        names = sorted({net.supernet for net in self.subnets})
        if len(names) > 1:
            raise SpaceError(f"SubNets are of {' and '.join(names)}; give SubNets of one SuperNet")
        if not is_known(names[0]):
            raise SpaceError(
                f"SubNet {self.subnets[0].name} is of SuperNet {names[0]}, which is not known by name; give the "
                "SuperNet itself, or register it (register_supernet)"
            )
        return get_space(names[0])


def choose_subnets(
    asked: Asked,
    space: str | SuperNet | None = None,
    seed: int = 0,
    among: Sequence[str] | None = None,
    accept: Callable[[SubNet], bool] | None = None,
) -> Chosen:
    """The SubNets that are asked for.

    Parameters
    ----------
    asked : ``FILE.json``, a list as ``fastswitch subnets --json`` writes it; ``NAME,...``, names by commas; a number,
        how many to draw; or SubNets or their names themselves. A text is a file if it ends in ``.json`` or names one.
    space : the SuperNet or its name; without it that of the file's entries, or the one that knows all the names.
    seed : of the draw.
    among : the names to draw from, without it every SubNet of the SuperNet.
    accept : which of the SubNets that are drawn are taken, without it all; those that are named are taken anyway.

    Returns
    -------
    Chosen
        The SubNets, in the order asked for. Accuracies are ``top1`` of the file, or else those that
        :func:`~arch_model.spaces.known_top1` knows.

    Raises
    ------
    SpaceError
        For SubNets that are not there, that are of another SuperNet or named twice, and for a count that cannot be.

    Examples
    --------
    >>> chosen = choose_subnets("fashion-d111-w222,fashion-d222-w444")
    >>> chosen.supernet.name, [f"{chosen.accuracy[net.name]:.4f}" for net in chosen.subnets]
    ('fashion', ['0.9122', '0.9231'])
    >>> [net.name for net in choose_subnets("2", "fashion", seed=1).subnets]
    ['fashion-d122-w422', 'fashion-d221-w243']
    """
    known: dict[str, float] = {}
    text = str(asked).strip() if isinstance(asked, str | int | Path) else None
    if text is None:
        given: Sequence[SubNet | str] = asked  # type: ignore[assignment]
        nets = tuple(_by_name(item, space) if isinstance(item, str) else item for item in given)
    elif space is not None and all(name in get_space(space).subnet_names() for name in text.split(",")):
        nets = tuple(get_space(space).subnet(name) for name in text.split(","))  # even if one is called 7 or x.json
    elif text.isdecimal():
        nets = _drawn(text, space, seed, among, accept)
    elif isinstance(asked, Path) or text.endswith(".json") or _is_file(text):
        entries = read_entries(text, space if isinstance(space, SuperNet) else None)
        nets = tuple(entry.subnet for entry in entries)
        known = {entry.subnet.name: entry.top1 for entry in entries if entry.top1 is not None}
    else:
        nets = tuple(_by_name(name.strip(), space) for name in text.split(","))
    _check(nets, space)
    said = {net.name: known.get(net.name, known_top1(net, space)) for net in nets}
    accuracy = {name: top1 for name, top1 in said.items() if top1 is not None}
    return Chosen(nets, accuracy, space if isinstance(space, SuperNet) else None)


def _drawn(
    text: str,
    space: str | SuperNet | None,
    seed: int,
    among: Sequence[str] | None,
    accept: Callable[[SubNet], bool] | None,
) -> tuple[SubNet, ...]:
    if space is None:
        raise SpaceError(f"SubNets is {text[:20]}, how many to draw, but of which SuperNet? give --space NAME")
    if len(text) > 18 or int(text) > MOST_DRAWN:
        shown = text if len(text) <= 18 else f"{text[:18]}..."
        raise SpaceError(
            f"SubNets to draw is {shown}; give at most {MOST_DRAWN:,}, since each is built and kept in memory"
        )
    supernet, count = get_space(space), int(text)
    if among is None:
        return supernet.sample(count, seed) if accept is None else _accepted(supernet, count, seed, accept)
    if not 1 <= count <= len(among):
        raise SpaceError(f"SubNets to draw is {count}; give 1..{len(among)}, there are no more with weights")
    import numpy as np

    places = np.random.default_rng(seed).permutation(len(among))[:count]
    return tuple(supernet.subnet(among[place]) for place in places)


def _accepted(supernet: SuperNet, count: int, seed: int, accept: Callable[[SubNet], bool]) -> tuple[SubNet, ...]:
    """The first ``count`` SubNets of a draw that are accepted."""
    asked, most = count, math.prod(choice.combinations for choice in supernet.choices)
    while True:
        nets = [net for net in supernet.sample(asked, seed) if accept(net)]  # a longer draw begins with the shorter one
        if len(nets) >= count:
            return tuple(nets[:count])
        if asked >= min(most, 4 * MOST_DRAWN):
            raise SpaceError(
                f"SubNets to draw is {count}; only {len(nets)} of {asked:,} of {supernet.name} can run as a whole"
            )
        asked = min(most, 4 * MOST_DRAWN, 2 * asked + 8)


def _by_name(name: str, space: str | SuperNet | None) -> SubNet:
    """The SubNet of that name, of the SuperNet given or else of the only one that knows it."""
    if not name:
        raise SpaceError("the name of a SubNet is empty; give names by commas, a FILE.json or a number")
    if space is not None:
        return get_space(space).subnet(name)
    found = {}
    for one in space_names():
        try:
            found[one] = get_space(one).subnet(name)
        except SpaceError:
            continue
    if not found:
        shown = name if len(name) <= 60 else f"{name[:57]}..."
        raise SpaceError(
            f"SubNet {shown} is of no SuperNet that is known; give --space NAME and names that "
            "`fastswitch subnets` lists, or a FILE.json"
        )
    if len(found) > 1:
        raise SpaceError(f"SubNet {name} is of {' and of '.join(found)}; give --space NAME")
    return found.popitem()[1]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _check(nets: Sequence[SubNet], space: str | SuperNet | None) -> None:
    if not nets:
        raise SpaceError("there are no SubNets; give at least one")
    wanted = None if space is None else get_space(space).name
    names: set[str] = set()
    for net in nets:
        if wanted is not None and net.supernet != wanted:
            raise SpaceError(f"SubNet {net.name} is of space {net.supernet}; give one of {wanted}")
        if net.name in names:
            raise SpaceError(f"SubNet {net.name} is given twice; give each once")
        names.add(net.name)
