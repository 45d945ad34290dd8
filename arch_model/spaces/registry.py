"""The SuperNets that are known by name: those that ship, those of installed packages, those that a user registers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any

from arch_model.errors import SpaceError
from arch_model.files.names import why_no_name
from arch_model.files.question import digest
from arch_model.files.shown import plain, shown
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces import cifar, compofa, fashion, ofa_mobile, ofa_resnet50, superfednas
from arch_model.spaces.own_module import load_registered, registered

_SHIPPED = {
    fashion.NAME: fashion.supernet,
    cifar.NAME: cifar.supernet,
    ofa_resnet50.NAME: ofa_resnet50.supernet,
    ofa_mobile.MOBILENETV3.name: ofa_mobile.MOBILENETV3.supernet,
    ofa_mobile.MOBILENETV3_WIDE.name: ofa_mobile.MOBILENETV3_WIDE.supernet,
    ofa_mobile.PROXYLESS.name: ofa_mobile.PROXYLESS.supernet,
    compofa.NAME: compofa.supernet,
    compofa.ELASTIC_NAME: compofa.elastic_supernet,
    superfednas.CIFAR10.name: superfednas.CIFAR10.supernet,
    superfednas.CIFAR100.name: superfednas.CIFAR100.supernet,
}
_OWN: dict[str, tuple[SuperNet, str]] = {}
"""By name: the SuperNet, and what ``--space`` takes for it (its file), or "" where only this process knows it."""

_WEIGHTS: dict[str, Callable[[], SuperNetWeights]] = {}
"""By name: what gives the weights of a SuperNet that brings its own."""

RESERVED = ("name", "space", "top1", "macs", "params", "weight_bytes", "weight_mib")
"""Keys of a file of SubNets that say something else than a choice."""


def space_names() -> tuple[str, ...]:
    """The names that :func:`get_space` knows: SuperNets that ship, then those of packages and those of this process.

    >>> space_names()[:3]
    ('fashion', 'cifar', 'ofa-resnet50')
    """
    return tuple(dict.fromkeys((*_SHIPPED, *registered(), *_OWN)))


def is_known(name: str) -> bool:
    """Whether :func:`get_space` knows a name.

    >>> is_known("fashion"), is_known("moon")
    (True, False)
    """
    return name in _SHIPPED or name in _OWN or name in registered()


def get_space(space: str | SuperNet) -> SuperNet:
    """A SuperNet by its name; a SuperNet is what it is.

    Parameters
    ----------
    space : a name of :func:`space_names`, or a SuperNet.

    Returns
    -------
    SuperNet
        The same object each time.

    Raises
    ------
    SpaceError
        No SuperNet has that name; the line lists those that have one. Or that of an installed package fails.

    Examples
    --------
    >>> fashion = get_space("fashion")
    >>> fashion.layer("stem").K, get_space(fashion) is fashion
    (16, True)
    """
    if isinstance(space, SuperNet):
        return space
    if space in _OWN:
        return _OWN[space][0]
    if space in _SHIPPED:
        return _shipped(space)
    if found := registered().get(space):
        return _of_package(found)
    known = ", ".join(space_names())
    raise SpaceError(
        f"SuperNet {plain(space)} does not exist; give one of {known}, or a FILE.yaml, FILE.py or MODULE:OBJECT"
    )


@cache
def _shipped(name: str) -> SuperNet:
    return _SHIPPED[name]()


@cache
def _of_package(entry: EntryPoint) -> SuperNet:
    return _checked(load_registered(entry))


def ships(space: str | SuperNet) -> bool:
    """Whether a SuperNet, or the one of that name, is one that comes with FastSwitch.

    >>> ships("fashion"), ships("moon")
    (True, False)
    """
    if isinstance(space, SuperNet):
        return space.name in _SHIPPED and space == _shipped(space.name)
    return space in _SHIPPED


def register_supernet(
    supernet: SuperNet, source: str = "", weights: Callable[[], SuperNetWeights] | None = None
) -> SuperNet:
    """Make a SuperNet of your own known by its name, in this process, to everything that takes a SuperNet's name.

    No function needs this: each takes the SuperNet itself as well. It helps where only a name is written down, as in
    files of SubNets, in a study's folder, and in what the command line takes.

    Parameters
    ----------
    supernet : its name must not be that of a SuperNet that ships. One that was registered by that name before is
        replaced.
    source : what ``--space`` of the command line takes for it, such as ``FILE.py``, if it is in a file or a module.
    weights : a function that gives its weights, if it brings any (:func:`own_weights`); called when they are wanted.

    Returns
    -------
    SuperNet
        The SuperNet itself.

    Raises
    ------
    SpaceError
        It is no SuperNet, its name cannot be used, or one of its choices has a name that files of SubNets use for
        something else (:data:`RESERVED`).

    Examples
    --------
    >>> from arch_model.network.fixed_supernet import fixed_supernet
    >>> from arch_model.network.layer import Kind, Layer
    >>> from arch_model.network.supernet import SubNet
    >>> layer = Layer("conv", Kind.CONV, K=8, C=3, R=3, S=3, H=8, W=8, padding=1, inputs=("input",))
    >>> register_supernet(fixed_supernet([SubNet("small", "toy", (layer,))])).name
    'toy'
    >>> get_space("toy").subnet("small").macs
    13824
    >>> forget_supernet("toy")
    """
    if not isinstance(supernet, SuperNet):
        raise SpaceError(f"register_supernet: {shown(supernet)} is no SuperNet; give one")
    if _checked(supernet).name not in _SHIPPED:
        _OWN[supernet.name] = supernet, source
        _WEIGHTS.pop(supernet.name, None)
        if weights is not None:
            _WEIGHTS[supernet.name] = weights
    return supernet


def own_weights(space: str | SuperNet) -> Callable[[], SuperNetWeights] | None:
    """What gives the weights that a SuperNet was registered with; None if it brought none.

    >>> own_weights("fashion") is None
    True
    """
    name = space.name if isinstance(space, SuperNet) else space
    same = name in _OWN and (not isinstance(space, SuperNet) or _OWN[name][0] == space)
    return _WEIGHTS.get(name) if same else None


def _checked(supernet: SuperNet) -> SuperNet:
    """A SuperNet that can be known by its name; SpaceError for another."""
    name = supernet.name
    if why := why_no_name(name) if isinstance(name, str) and name.strip() else "it is empty or no text":
        raise SpaceError(f"SuperNet name is {shown(name)}: {why}; give another")
    if name in _SHIPPED and supernet != _shipped(name):
        raise SpaceError(f"SuperNet {name}: a SuperNet of that name comes with FastSwitch; give yours another name")
    for choice in supernet.choices:
        if choice.key in RESERVED:
            raise SpaceError(
                f"SuperNet {name}: a choice is called {choice.key}, which in files of SubNets is something else; "
                "call it otherwise"
            )
    return supernet


def forget_supernet(name: str) -> None:
    """Undo :func:`register_supernet`; nothing happens where no SuperNet of one's own has that name."""
    _OWN.pop(name, None)
    _WEIGHTS.pop(name, None)


def space_argument(space: str | SuperNet) -> str:
    """What ``--space`` of the command line takes for a SuperNet: its file where it was loaded from one, else its name.

    >>> space_argument("fashion")
    'fashion'
    """
    name = space.name if isinstance(space, SuperNet) else space
    return _OWN[name][1] or name if name in _OWN else name


def space_facts(space: str | SuperNet | None) -> dict[str, Any]:
    """A SuperNet in the question of a result: its name, and of one that does not ship the digest of its layers.

    >>> space_facts("fashion"), space_facts(None)
    ({'space': 'fashion'}, {'space': None})
    """
    if space is None or (isinstance(space, str) and not is_known(space)) or ships(space):
        return {"space": space.name if isinstance(space, SuperNet) else space}
    supernet = get_space(space)
    return {"space": supernet.name, "space_digest": digest(repr(supernet.layers))}
