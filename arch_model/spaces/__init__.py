"""The search spaces of published SuperNets, and ``fashion``."""

from __future__ import annotations

from functools import cache

from arch_model.errors import SpaceError
from arch_model.spaces import fashion, ofa_resnet50
from arch_model.supernet import SuperNet

_SPACES = {fashion.NAME: fashion.supernet, ofa_resnet50.NAME: ofa_resnet50.supernet}


def space_names() -> tuple[str, ...]:
    """The SuperNets that :func:`get_space` knows.

    >>> space_names()
    ('fashion', 'ofa-resnet50')
    """
    return tuple(_SPACES)


@cache
def get_space(name: str) -> SuperNet:
    """The SuperNet of that name; :class:`SpaceError`, which lists the known ones, if there is none.

    >>> get_space("fashion").layer("stem").K
    16
    """
    if name not in _SPACES:
        raise SpaceError(f"SuperNet {name} does not exist; give one of {', '.join(_SPACES)}")
    return _SPACES[name]()
