"""The Monte-Carlo parts of the whole study: each a list of points and what is measured at one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from arch_model.analog import Crossbar, Encoding, Variation
from mapper.hybrid.partition import Partition, RankedUnits, Ranking, partition_bytes
from sim.noise.sensitivity.search import smallest_fraction
from sim.noise.study.context import StudyContext, figures
from sim.noise.study.tables import Row

BEST = Ranking.FISHER_PER_BYTE
ADC_BITS = (None, 6, 4)
SIGMAS = (0.1, 0.2, 0.3, 0.5)
FRACTIONS = (0.05, 0.1, 0.2, 0.3)
HEAT_BITS, HEAT_FRACTIONS = (8, 6, 5, 4), (0.0, 0.1, 0.2, 0.3, 0.4)


@dataclass(frozen=True)
class Part:
    """A table of the study.

    Attributes
    ----------
    name : of the table.
    points : of a context, each the columns that tell its row from others.
    measure : makes the other columns.
    """

    name: str
    points: Callable[[StudyContext], list[Row]]
    measure: Callable[[StudyContext, Row], Row]


def _smallest_points(context: StudyContext) -> list[Row]:
    return [{"encoding": str(e), "adc_bits": bits} for bits in ADC_BITS for e in Encoding]


def _smallest(context: StudyContext, point: Row) -> Row:
    """All analog, the smallest digital part that will do, and as much chosen at random."""
    if point["adc_bits"] is None and (twin := _twin(context, "smallest", point)):
        context.split(Encoding.DIFFERENTIAL, None).write(context.split_path(point["encoding"], None))
        return twin
    crossbar = Crossbar(encoding=point["encoding"], adc_bits=point["adc_bits"])
    trials = context.effort.trials if point["adc_bits"] is None else max(1, context.effort.trials // 2)
    row, partition = _search(context, context.units(BEST), crossbar, trials)
    partition.write(context.split_path(point["encoding"], point["adc_bits"]))
    bare = context.run(crossbar, context.strongest, trials=trials)
    random = context.units(Ranking.RANDOM)
    other = random.partition(random.count(row["digital_fraction"]))
    chance = context.run(crossbar, context.strongest, other, trials=_fewer(context))
    return {**figures(bare, "bare_"), **row, **figures(chance, "random_")}


def _twin(context: StudyContext, part: str, point: Row) -> Row:
    """The row of differential pairs, if this one is of sign-magnitude and conversion is ideal: the same numbers.

    Both then are one signed weight a pair of cells, drawn from the same random numbers.
    """
    if point["encoding"] != Encoding.SIGN_MAGNITUDE:
        return {}
    other = point | {"encoding": str(Encoding.DIFFERENTIAL)}
    rows = [row for row in context.rows.get(part, []) if all(row.get(key) == value for key, value in other.items())]
    return {key: value for key, value in rows[0].items() if key not in point} if rows else {}


def _search(context: StudyContext, units: RankedUnits, crossbar: Crossbar, trials: int) -> tuple[Row, Partition]:
    best = smallest_fraction(
        context.runner,
        context.network,
        units,
        crossbar,
        context.strongest,
        max_loss=context.max_loss,
        trials=trials,
        seed=context.seed,
        resolution=context.effort.resolution,
    )
    moved = partition_bytes(best.partition, context.network.weight_layers)
    counts = {f"{key}_bytes": count for key, count in moved.items()}
    return {**figures(best.result), **counts, "moved_bytes": sum(moved.values())}, best.partition


def _movement_points(context: StudyContext) -> list[Row]:
    order = (BEST, Ranking.WEIGHTS, Ranking.FISHER)
    return [{"ranking": str(ranking)} for ranking in order]


def _movement(context: StudyContext, point: Row) -> Row:
    return _search(context, context.units(Ranking(point["ranking"])), Crossbar(), max(1, context.effort.trials // 2))[0]


def _collapse_points(context: StudyContext) -> list[Row]:
    return [
        {"encoding": str(encoding), "law": law, "sigma": sigma}
        for law in ("raw", "mean-preserving")
        for encoding in Encoding
        for sigma in (SIGMAS if law == "raw" else SIGMAS[-1:])
    ]


def _collapse(context: StudyContext, point: Row) -> Row:
    if twin := _twin(context, "collapse", point):
        return twin
    variation = Variation.parse(f"lognormal:{point['sigma']:g},{point['law']}")
    return dict(figures(context.run(Crossbar(encoding=point["encoding"]), variation)))


def _recovery_points(context: StudyContext) -> list[Row]:
    return [{"ranking": str(ranking), "asked": fraction} for fraction in FRACTIONS for ranking in Ranking]


def _recovery(context: StudyContext, point: Row) -> Row:
    units = context.units(Ranking(point["ranking"]))
    partition = units.partition(units.count(point["asked"]))
    result = context.run(Crossbar(), context.strongest, partition, trials=_fewer(context))
    return {**figures(result), "moved_bytes": sum(partition_bytes(partition, context.network.weight_layers).values())}


def heat_points(context: StudyContext) -> list[Row]:
    """ADC bits by fraction of the weights that is digital."""
    return [{"adc_bits": bits, "asked": fraction} for bits in HEAT_BITS for fraction in HEAT_FRACTIONS]


def _heat(context: StudyContext, point: Row) -> Row:
    units = context.units(BEST)
    crossbar = Crossbar(adc_bits=point["adc_bits"])
    partition = units.partition(units.count(point["asked"]))
    return dict(figures(context.run(crossbar, context.strongest, partition, trials=_fewer(context))))


def _full_points(context: StudyContext) -> list[Row]:
    encodings = (Encoding.DIFFERENTIAL, Encoding.OFFSET, Encoding.SIGN_MAGNITUDE)
    return [{"encoding": str(e), "split": split} for e in encodings for split in ("none", "smallest")]


def _full(context: StudyContext, point: Row) -> Row:
    """The headline on every test image: another sample of images than the one that chose the partition."""
    if twin := _twin(context, "full", point):
        return twin
    partition = context.split(point["encoding"], None) if point["split"] == "smallest" else None
    crossbar = Crossbar(encoding=point["encoding"])
    result = context.run(
        crossbar, context.strongest, partition, trials=context.effort.full_trials, runner=context.full_runner
    )
    return dict(figures(result))


def _quantisation_points(context: StudyContext) -> list[Row]:
    return [{"weight_bits": bits, "split": split} for bits in (8, 6, 5, 4) for split in ("none", "smallest")]


def _quantisation(context: StudyContext, point: Row) -> Row:
    """Digital weights keep eight bits, those in analog have fewer: noiseless (``accuracy_noiseless``) and noisy."""
    partition = context.split("differential", 6) if point["split"] == "smallest" else None
    crossbar = Crossbar(adc_bits=6, weight_bits=point["weight_bits"])
    return dict(figures(context.run(crossbar, context.strongest, partition, trials=_fewer(context))))


def _fewer(context: StudyContext) -> int:
    return max(1, min(context.effort.trials, 4))


MONTE_CARLO = (
    Part("smallest", _smallest_points, _smallest),
    Part("collapse", _collapse_points, _collapse),
    Part("movement", _movement_points, _movement),
    Part("recovery", _recovery_points, _recovery),
    Part("heat", heat_points, _heat),
    Part("quantisation", _quantisation_points, _quantisation),
    Part("full", _full_points, _full),
)
