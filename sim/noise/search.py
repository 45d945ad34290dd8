"""The smallest digital part whose loss is small enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from arch_model.analog import Crossbar, Variation
from arch_model.errors import AnalogError
from mapper.partition import Partition, RankedUnits, Ranking, Scores, rank
from sim.noise.gradients import Sensitivity
from sim.noise.hybrid import Hybrid
from sim.noise.monte_carlo import EngineName, NoiseResult, Runner
from sim.noise.network import Network

RESOLUTION = 1 / 256
"""Fractions of the weights are told apart to this."""


@dataclass(frozen=True, eq=False)
class Found:
    """The partition, what it was measured at, and every (fraction, loss in points) that was tried, in order."""

    partition: Partition
    result: NoiseResult
    tried: tuple[tuple[float, float], ...]


def scores_for(ranking: Ranking, network: Network, found: Sensitivity | None) -> Scores | None:
    """The score of each weight that a ranking orders by; ``found`` is needed if :func:`needs_gradients`."""
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
    """:func:`mapper.partition.rank` of a network's layers with weights."""
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
    """Monte Carlo of a network with a partition."""
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
    on_try: Callable[[float, float], None] = lambda fraction, loss: None,
) -> Found:
    """Bisect the fraction of weights that is digital until :data:`RESOLUTION` for a mean loss of at most ``max_loss``.

    ``max_loss`` in percentage points below the int8 network. All tries see the same chips (common random numbers), so
    that differences between fractions are not those between chips. The loss is taken to fall with the fraction;
    everything digital has none. Raises :class:`~arch_model.errors.AnalogError` for a negative ``max_loss``.
    """
    if not max_loss >= 0:
        raise AnalogError(f"max_loss is {max_loss:g}; give percentage points, at least 0")
    tried: list[tuple[float, float]] = []

    def attempt(count: int) -> tuple[Partition, NoiseResult]:
        facts = {
            "variation": str(variation),
            "crossbar": crossbar.to_dict(),
            "max_loss_points": max_loss,
            "trials": trials,
            "seed": seed,
            "images": len(runner.images.images),
        }
        partition = units.partition(count, facts)
        result = evaluate(runner, network, partition, crossbar, variation, trials=trials, seed=seed, engine=engine)
        tried.append((units.fraction(count), result.loss_points))
        on_try(*tried[-1])
        return partition, result

    passed: tuple[Partition, NoiseResult] | None = None
    below, enough = -1, len(units.size)  # counts of units: the most that failed, the least that will do
    count = 0
    while True:
        made = attempt(count)
        if made[1].loss_points <= max_loss:
            passed, enough = made, count
        else:
            below = count
        low, high = units.fraction(max(below, 0)), units.fraction(enough)
        count = max(units.count((low + high) / 2), below + 1)
        if enough - below <= 1 or high - low <= RESOLUTION or count >= enough:
            break
    return Found(*(passed or attempt(enough)), tuple(tried))
