"""The smallest digital part whose loss is small enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arch_model.analog import Crossbar, Variation
from arch_model.errors import AnalogError
from mapper.hybrid.partition import Partition, RankedUnits, Ranking, Scores, rank
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import Sensitivity
from sim.noise.sensitivity.monte_carlo import EngineName, Kept, NoiseResult, Runner, mean_interval

RESOLUTION = 1 / 256
"""Fractions of the weights are told apart to this."""

_LEAST_TRIALS = 3


@dataclass(frozen=True, eq=False)
class Found:
    """The smallest digital half that was found.

    Attributes
    ----------
    partition : what is digital.
    result : what it was measured at.
    tried : every (fraction, loss in points), in order.
    """

    partition: Partition
    result: NoiseResult
    tried: tuple[tuple[float, float], ...]


def scores_for(ranking: Ranking, network: Network, found: Sensitivity | None) -> Scores | None:
    """The score of each weight that a ranking orders by; None if it needs none.

    Parameters
    ----------
    ranking : by what.
    network : whose weights they are.
    found : gradients; needed if :func:`needs_gradients`.

    Raises
    ------
    AnalogError
        They are needed, and there are none.
    """
    weights = {layer.name: network.weights[layer.name].astype(float) for layer in network.weight_layers}
    if ranking is Ranking.MAGNITUDE:
        return {name: abs(w) for name, w in weights.items()}
    if not needs_gradients(ranking):
        return None
    if found is None:
        raise AnalogError(f"ranking {ranking} needs gradients; give those of sensitivity()")
    if ranking is Ranking.GRADIENT:
        return {name: found.absolute[name] * abs(w) for name, w in weights.items()}
    return {name: found.fisher[name] * w**2 for name, w in weights.items()}


def needs_gradients(ranking: Ranking) -> bool:
    """Whether a ranking is made from gradients."""
    return ranking not in (Ranking.RANDOM, Ranking.MAGNITUDE, Ranking.FIRST_LAST)


def rank_network(network: Network, ranking: Ranking, found: Sensitivity | None, seed: int = 0) -> RankedUnits:
    """:func:`mapper.hybrid.partition.rank` of a network's layers with weights.

    Parameters
    ----------
    network : to rank.
    ranking : by what.
    found : gradients; needed if :func:`needs_gradients`.
    seed : of a random order.
    """
    scores = scores_for(ranking, network, found)
    return rank(network.name, network.hash, network.weight_layers, ranking, scores, seed)


def evaluate(
    runner: Runner,
    network: Network,
    partition: Partition,
    crossbar: Crossbar,
    variation: Variation,
    *,
    trials: int,
    seed: int,
    engine: EngineName = EngineName.AUTO,
) -> NoiseResult:
    """Monte Carlo of a network with a partition.

    Parameters
    ----------
    runner : runs the trials.
    network : with its integers.
    partition : what is digital.
    crossbar : the arrays of the rest.
    variation : of the cells.
    trials : chips.
    seed : of all chips.
    engine : how sums are made.
    """
    hybrid = Hybrid(network, crossbar, partition.masks(network.weight_layers, network.hash))
    return runner.run(hybrid, variation, trials=trials, seed=seed, engine=engine)


def smallest_fraction(
    runner: Runner,
    network: Network,
    units: RankedUnits,
    crossbar: Crossbar,
    variation: Variation,
    *,
    max_loss: float,
    trials: int,
    seed: int,
    engine: EngineName = EngineName.AUTO,
    resolution: float = RESOLUTION,
    on_try: Callable[[float, float], None] = lambda fraction, loss: None,
    kept: Kept | None = None,
) -> Found:
    """Bisect the fraction of weights that is digital, for a mean loss that is small enough.

    All tries see the same chips (common random numbers), so that differences between fractions are not those between
    chips. A try ends before its last trial once its loss is plainly on one side (:func:`is_plain`); the partition that
    is returned had all of them. The loss is taken to fall with the fraction; everything digital has none.

    Parameters
    ----------
    runner : runs the trials.
    network : with its integers.
    units : what becomes digital first.
    crossbar : the arrays of the rest.
    variation : of the cells.
    max_loss : percentage points below the int8 network.
    trials : chips.
    seed : of all chips.
    engine : how sums are made.
    resolution : of the fraction.
    on_try : called with the fraction and the loss of each try.
    kept : where finished trials go, and where a search that is begun anew finds them.

    Raises
    ------
    AnalogError
        ``max_loss`` is negative.
    """
    if not max_loss >= 0:
        raise AnalogError(f"max_loss is {max_loss:g}; give percentage points, at least 0")
    tried: list[tuple[float, float]] = []

    def attempt(count: int, whole: bool) -> tuple[Partition, NoiseResult]:
        facts = {
            "variation": str(variation),
            "crossbar": crossbar.to_dict(),
            "max_loss_points": max_loss,
            "trials": trials,
            "seed": seed,
            "images": len(runner.images.images),
        }
        partition = units.partition(count, facts)
        hybrid = Hybrid(network, crossbar, partition.masks(network.weight_layers, network.hash))
        result = runner.run(
            hybrid,
            variation,
            trials=trials,
            seed=seed,
            engine=engine,
            is_enough=lambda clean, right: not whole and is_plain([100 * (clean - r) for r in right], max_loss),
            kept=kept,
            key=f"{count} digital, chip ",
        )
        tried.append((units.fraction(count), result.loss_points))
        on_try(*tried[-1])
        return partition, result

    below = -1  # units that were too few, at most
    enough = [len(units.size)]  # units that will do, as far as is known, the least last
    passed: dict[int, tuple[Partition, NoiseResult]] = {}
    count = 0
    while True:
        while count < enough[-1]:
            made = attempt(count, False)
            if made[1].loss_points <= max_loss:
                enough.append(count)
                passed[count] = made
            else:
                below = count
            low, high = units.fraction(max(below, 0)), units.fraction(enough[-1])
            count = max(units.count((low + high) / 2), below + 1)
            if high - low <= resolution:
                break
        best = passed.get(enough[-1])
        if best is None or len(best[1].trials) < trials:
            best = attempt(enough[-1], True)
        if best[1].loss_points <= max_loss or len(enough) == 1:
            return Found(*best, tuple(tried))
        below = enough.pop()
        count = max(units.count((units.fraction(below) + units.fraction(enough[-1])) / 2), below + 1)


def is_plain(losses: Sequence[float], limit: float) -> bool:
    """Whether trials leave no doubt on which side of a limit the mean loss is: a 99.9 % interval.

    Parameters
    ----------
    losses : percentage points of each trial.
    limit : percentage points.

    Examples
    --------
    >>> is_plain([60.0, 64.0, 58.0], limit=2), is_plain([1.0, 2.5, 1.2], limit=2), is_plain([60.0, 64.0], limit=2)
    (True, False, False)
    """
    if len(losses) < _LEAST_TRIALS:
        return False
    low, high = mean_interval(losses, 0.999)
    return not low <= limit <= high
