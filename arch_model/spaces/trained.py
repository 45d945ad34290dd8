"""Trained weights: those of a SuperNet, and of them the SubNets that a user asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from pathlib import Path

from arch_model.errors import SpaceError
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights, load_weights
from arch_model.spaces.chosen import choose_subnets
from arch_model.spaces.registry import get_space, own_weights
from arch_model.spaces.shipped_weights import weights_file


def weights_of(space: SuperNet | str, path: str | Path | None = None) -> SuperNetWeights:
    """The weights of a SuperNet.

    Parameters
    ----------
    space : the SuperNet, or its name.
    path : a weights file (:func:`~arch_model.network.weights.save_weights`). None: those that it
        brings: those that ship, of ``fashion``, or those that it was registered with.

    Returns
    -------
    SuperNetWeights

    Raises
    ------
    SpaceError
        No file is given, and the SuperNet brings no weights.
    WeightsError
        The file cannot be read, or its weights are not those of the SuperNet.

    Examples
    --------
    >>> weights_of("fashion").layers["stem"].shape, weights_of("cifar").layers["stem"].shape
    ((16, 1, 3, 3), (32, 3, 3, 3))
    """
    check_weights(space, path)
    brought = own_weights(space)
    if path is None and brought:
        return brought()
    return load_weights(weights_file(space) if path is None else path, get_space(space))


def check_weights(space: SuperNet | str, path: str | Path | None) -> None:
    """Raise what :func:`weights_of` would for a missing file name, without reading anything.

    Parameters
    ----------
    space : a SuperNet or its name.
    path : a weights file; None for those that come with the SuperNet.

    Raises
    ------
    SpaceError
        No file is given and the SuperNet comes without weights.
    """
    if path is None and own_weights(space) is None and weights_file(space) is None:
        raise SpaceError(f"SuperNet {get_space(space).name} comes without weights; give --weights FILE.npz")


def choose_weights(
    weights: SuperNetWeights, asked: str, seed: int = 0, supernet: SuperNet | str = "fashion"
) -> SuperNetWeights:
    """The weights of the SubNets asked for.

    Parameters
    ----------
    weights : of SubNets of one SuperNet
    asked : names by commas, how many to draw of those that the weights have, or a FILE.json; see
        :func:`~arch_model.spaces.choose_subnets`
    seed : of the draw
    supernet : whose SubNets they are, or its name

    Returns
    -------
    SuperNetWeights
        The same layers, with these SubNets alone. Accuracies that the weights lack are those that a file says.

    Raises
    ------
    WeightsError
        For a SubNet that the weights lack.
    SpaceError
        For one that is none of the SuperNet's, and for a number or file that names none.

    Examples
    --------
    >>> weights = load_weights()
    >>> len(choose_weights(weights, "3").subnets), list(choose_weights(weights, "fashion-d111-w222").subnets)
    (3, ['fashion-d111-w222'])
    """
    names = [name.strip() for name in asked.split(",")]
    told: Mapping[str, float] = {}
    if not all(name in weights.subnets for name in names):
        chosen = choose_subnets(asked, supernet, seed, list(weights.subnets))
        names, told = [net.name for net in chosen.subnets], chosen.accuracy
    held = weights.only(names)
    unknown = {name: told[name] for name, net in held.subnets.items() if isnan(net.top1) and name in told}
    filled = {name: replace(held.subnets[name], top1=top1) for name, top1 in unknown.items()}
    return replace(held, subnets={**held.subnets, **filled})
