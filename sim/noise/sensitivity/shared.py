"""Digital channels that all SubNets of a SuperNet share: ranked together, as few as all of them can do with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from arch_model.analog import Crossbar, Variation
from arch_model.network.supernet import SubNet, SuperNet
from mapper.hybrid.digital_half import DigitalHalf
from mapper.hybrid.partition import RankedUnits, Ranking, rank
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import Sensitivity
from sim.noise.sensitivity.monte_carlo import Runner
from sim.noise.sensitivity.search import is_plain


def rank_shared(supernet: SuperNet, networks: Sequence[Network], found: Mapping[str, Sensitivity]) -> RankedUnits:
    """A SuperNet's input channels by the sum over SubNets of their share of the Fisher score, per byte moved.

    A SubNet's scores are divided by their sum, so that each has one vote.

    Parameters
    ----------
    supernet : of the SubNets.
    networks : the SubNets with their integers.
    found : gradients by a SubNet's name.
    """
    scores = {layer.name: np.zeros((1, layer.C, 1, 1)) for layer in supernet.layers}
    for network in networks:
        fisher = found[network.name].fisher
        squares = {layer.name: network.weights[layer.name].astype(float) ** 2 for layer in network.weight_layers}
        channels = {name: (fisher[name] * square).sum(axis=(0, 2, 3)) for name, square in squares.items()}
        total = sum(float(each.sum()) for each in channels.values())
        for name, each in channels.items():
            scores[name][0, : len(each), 0, 0] += each / total
    return rank(supernet.name, "shared", supernet.layers, Ranking.FISHER_PER_BYTE, scores)


def shared_half(units: RankedUnits, count: int, supernet: SuperNet) -> DigitalHalf:
    """The digital half with the first channels.

    Parameters
    ----------
    units : in the order in which they become digital.
    count : of units.
    supernet : whose channels they are.
    """
    return DigitalHalf(supernet, units.partition(count).channels)


def smallest_shared(
    runner: Runner,
    supernet: SuperNet,
    members: Sequence[tuple[Network, SubNet]],
    units: RankedUnits,
    crossbar: Crossbar,
    variation: Variation,
    *,
    max_loss: float,
    trials: int,
    seed: int,
    resolution: float,
    on_try: Callable[[float, float], None] = lambda fraction, loss: None,
) -> tuple[DigitalHalf, float]:
    """Bisect the fraction of the SuperNet's weights that is digital until no member loses too much.

    A member's trials end early once they are plainly too bad, and with it the try.

    Parameters
    ----------
    runner : runs the trials.
    supernet : of the members.
    members : SubNets, each with its integers.
    units : in the order in which they become digital.
    crossbar : the arrays of the rest.
    variation : of the cells.
    max_loss : percentage points of the mean of the trials.
    trials : chips.
    seed : of all chips.
    resolution : of the fraction.
    on_try : called with the fraction and the loss of each try.

    Returns
    -------
    half, fraction
    """
    low, high, best = 0.0, 1.0, len(units.size)
    while high - low > resolution:
        count = units.count((low + high) / 2)
        half, worst = shared_half(units, count, supernet), 0.0
        for network, subnet in members:
            masks = half.partition(subnet, network.hash).masks(network.weight_layers, network.hash)
            result = runner.run(
                Hybrid(network, crossbar, masks),
                variation,
                trials=trials,
                seed=seed,
                is_enough=lambda clean, right: is_plain([100 * (clean - r) for r in right], max_loss),
            )
            worst = max(worst, result.loss_points)
            if worst > max_loss:
                break
        on_try(units.fraction(count), worst)
        if worst <= max_loss:
            high, best = (low + high) / 2, count
        else:
            low = (low + high) / 2
    return shared_half(units, best, supernet), units.fraction(best)
