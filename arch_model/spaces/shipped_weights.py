"""Which SuperNets ship with trained weights, and in which files."""

from __future__ import annotations

from pathlib import Path

from arch_model.network.supernet import SuperNet
from arch_model.network.weights import DEFAULT_PATH
from arch_model.spaces import fashion
from arch_model.spaces.registry import get_space, ships

_FILES = {fashion.NAME: DEFAULT_PATH}

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
    >>> weights_file("fashion").name, weights_file("ofa-resnet50")
    ('fashion.npz', None)
    """
    supernet = get_space(space)
    return _FILES.get(supernet.name) if ships(supernet) else None
