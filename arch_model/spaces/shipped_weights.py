"""Which SuperNets ship with trained weights, and in which files."""

from __future__ import annotations

from pathlib import Path

from arch_model.network.supernet import SuperNet
from arch_model.network.weights import DEFAULT_PATH
from arch_model.spaces import cifar, fashion
from arch_model.spaces.registry import get_space, ships

_FILES = {fashion.NAME: DEFAULT_PATH, cifar.NAME: DEFAULT_PATH.with_name("cifar.npz")}

WITH_WEIGHTS = tuple(_FILES)
"""The names of the SuperNets that ship with weights."""


def weights_file(space: SuperNet | str) -> Path | None:
    """The weights file that ships of a SuperNet.

    Parameters
    ----------
    space : the SuperNet, or its name.

    Returns
    -------
    Path or None
        None where it comes without weights; one of a user's own always does, whatever its name.

    Raises
    ------
    SpaceError
        There is no SuperNet of that name.

    Examples
    --------
    >>> weights_file("cifar").name, weights_file("ofa-resnet50")
    ('cifar.npz', None)
    """
    supernet = get_space(space)
    return _FILES.get(supernet.name) if ships(supernet) else None
