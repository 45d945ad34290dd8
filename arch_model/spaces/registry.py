"""The SuperNets by name."""

from __future__ import annotations

from functools import cache

from arch_model.errors import SpaceError
from arch_model.network.supernet import SuperNet
from arch_model.spaces import compofa, fashion, ofa_mobile, ofa_resnet50, superfednas

_SPACES = {
    fashion.NAME: fashion.supernet,
    ofa_resnet50.NAME: ofa_resnet50.supernet,
    ofa_mobile.MOBILENETV3.name: ofa_mobile.MOBILENETV3.supernet,
    ofa_mobile.MOBILENETV3_WIDE.name: ofa_mobile.MOBILENETV3_WIDE.supernet,
    ofa_mobile.PROXYLESS.name: ofa_mobile.PROXYLESS.supernet,
    compofa.NAME: compofa.supernet,
    compofa.ELASTIC_NAME: compofa.elastic_supernet,
    superfednas.CIFAR10.name: superfednas.CIFAR10.supernet,
    superfednas.CIFAR100.name: superfednas.CIFAR100.supernet,
}


def space_names() -> tuple[str, ...]:
    """The SuperNets that :func:`get_space` knows.

    >>> space_names()[:3]
    ('fashion', 'ofa-resnet50', 'ofa-mobilenetv3')
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
