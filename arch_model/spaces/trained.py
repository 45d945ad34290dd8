"""The SubNets of trained weights that a user asks for."""

from __future__ import annotations

from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces.chosen import choose_subnets


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
        The same layers, with these SubNets alone.

    Raises
    ------
    WeightsError
        For a SubNet that the weights lack.
    SpaceError
        For one that is none of the SuperNet's, and for a number or file that names none.

    Examples
    --------
    >>> from arch_model.network.weights import load_weights
    >>> weights = load_weights()
    >>> len(choose_weights(weights, "3").subnets), list(choose_weights(weights, "fashion-d111-w222").subnets)
    (3, ['fashion-d111-w222'])
    """
    names = [name.strip() for name in asked.split(",")]
    if not all(name in weights.subnets for name in names):
        names = [net.name for net in choose_subnets(asked, supernet, seed, list(weights.subnets)).subnets]
    return weights.only(names)
