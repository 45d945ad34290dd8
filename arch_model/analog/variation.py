"""The variation of analog cells, said exactly."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from arch_model.errors import AnalogError
from arch_model.files.shown import shown
from arch_model.physical import DRIFT_S, EXPONENT, ON_OFF, SIGMA, WIRE, Range

DRIFT_START_S = 1.0
"""t0 of the drift law: conductances are as programmed one second after programming."""


class Distribution(StrEnum):
    """Law of the factor on a conductance; N is a standard normal."""

    NONE = "none"
    LOGNORMAL = "lognormal"
    """exp(sigma N)."""
    GAUSSIAN = "gaussian"
    """1 + sigma N."""


class Mean(StrEnum):
    """What becomes of the mean of the factor."""

    RAW = "raw"
    """Lognormal: exp(sigma**2 / 2). Gaussian: negative factors become 0, for no conductance is negative."""
    PRESERVING = "mean-preserving"
    """1: a lognormal is divided by its mean; a Gaussian may be negative."""


class RelativeTo(StrEnum):
    """What the factor multiplies."""

    WEIGHT = "weight"
    """The level alone: the off state does not vary."""
    CONDUCTANCE = "conductance"
    """The whole conductance, the off state's included."""
    RANGE = "range"
    """Nothing: sigma N times the greatest level is added (Gaussian only)."""


class Per(StrEnum):
    """What one draw of a random conductance is for: a weight with all of its cells, or a cell."""

    WEIGHT = "per-weight"
    CELL = "per-cell"


class Cycle(StrEnum):
    """When a draw is made anew."""

    DEVICE = "d2d"
    """Once a trial: a trial is a chip."""
    PROGRAM = "c2c"
    """For every image: the arrays are programmed afresh."""


_WORDS: dict[str, type[StrEnum]] = {"mean": Mean, "relative_to": RelativeTo, "per": Per, "cycle": Cycle}
_FRACTIONS = ("stuck_off", "stuck_on")
_FRACTION = Range(0, 1, "", "a part of the cells")
_LIMITS = {
    "sigma": SIGMA,
    "read": SIGMA,
    "drift": EXPONENT,
    "drift_sigma": EXPONENT,
    "time_s": DRIFT_S,
    "ir": WIRE,
}


@dataclass(frozen=True)
class Variation:
    """What the cells of a crossbar do to the numbers that were written into them.

    Parameters
    ----------
    distribution : of the factor on each written number.
    sigma : its deviation, dimensionless.
    mean : what becomes of the factor's mean.
    relative_to : what the factor multiplies.
    per : what shares a draw, the cells of a weight or none.
    cycle : when a draw is made anew.
    read : deviation of the factor ``1 + read N`` on each cell's conductance at each read.
    stuck_off, stuck_on : fractions of cells at level 0 and at the greatest level.
    drift, drift_sigma : mean and deviation over cells of the exponent in ``(time_s / 1 s) ** -exponent``.
    time_s : seconds since the cells were written.
    on_off : greatest over least conductance.
    ir : resistance of a wire segment between neighbouring cells over that of a cell that is on.

    Raises
    ------
    AnalogError
        Naming the field, its value and what is legal.

    Examples
    --------
    >>> Variation.parse("lognormal:0.5").sigma
    0.5
    >>> print(Variation.parse("gaussian:0.1,conductance,on-off=50,read=0.02"))
    gaussian:0.1,raw,conductance,per-weight,d2d,read=0.02,on-off=50
    >>> Variation.parse("lognormal:-1")
    Traceback (most recent call last):
    arch_model.errors.AnalogError: variation: sigma is -1; give a number from 0 to 10
    """

    distribution: Distribution = Distribution.NONE
    sigma: float = 0.0
    mean: Mean = Mean.RAW
    relative_to: RelativeTo = RelativeTo.WEIGHT
    per: Per = Per.WEIGHT
    cycle: Cycle = Cycle.DEVICE
    read: float = 0.0
    stuck_off: float = 0.0
    stuck_on: float = 0.0
    drift: float = 0.0
    drift_sigma: float = 0.0
    time_s: float = DRIFT_START_S
    on_off: float = math.inf
    ir: float = 0.0

    def __post_init__(self) -> None:
        kinds: dict[str, type[StrEnum]] = {"distribution": Distribution, **_WORDS}
        for name, kind in kinds.items():
            try:
                object.__setattr__(self, name, kind(getattr(self, name)))
            except ValueError:
                raise _error(name, getattr(self, name), f"one of {', '.join(kind)}") from None
        for name, limits in _LIMITS.items():
            if getattr(self, name) not in limits:
                raise _error(name, getattr(self, name), f"a number from {limits}")
        for name in _FRACTIONS:
            if getattr(self, name) not in _FRACTION:
                raise _error(name, getattr(self, name), "a fraction, 0 to 1")
        if self.stuck_off + self.stuck_on > 1:
            raise _error("stuck_off + stuck_on", self.stuck_off + self.stuck_on, "fractions whose sum is at most 1")
        if not (math.inf if self.on_off == math.inf else ON_OFF.high) >= self.on_off > 1:
            raise _error("on_off", self.on_off, f"a ratio above 1, at most {ON_OFF.high:g} or infinite")
        if self.distribution is Distribution.NONE and self.sigma:
            raise _error("sigma", self.sigma, "0, or a distribution: lognormal or gaussian")
        if self.relative_to is RelativeTo.RANGE and self.distribution is Distribution.LOGNORMAL:
            raise _error("relative_to", self.relative_to, "weight or conductance: a lognormal factor is not added")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` writes: ``distribution:sigma`` and then options, in any order, apart by commas.

        Raises
        ------
        AnalogError
            The text is not of that form, gives an option twice, or a number is out of range.
        """
        head, *options = [part.strip() for part in text.split(",")]
        name, colon, sigma = head.partition(":")
        if name not in list(Distribution) or bool(colon) is (name == Distribution.NONE):
            raise AnalogError(f"variation {shown(text)}: give lognormal:SIGMA, gaussian:SIGMA or none, then options")
        given: dict[str, Any] = {"distribution": name}
        if colon:
            given["sigma"] = _number("sigma", sigma)
        for option in options:
            for key, value in _read_option(option).items():
                if key in given:
                    raise AnalogError(f"variation {shown(text)}: {key} is given twice; give it once")
                given[key] = value
        return cls(**given)

    def __str__(self) -> str:
        head = str(self.distribution)
        if self.distribution is not Distribution.NONE:
            head += f":{_text(self.sigma)}"
        parts = [head, *(str(getattr(self, name)) for name in _WORDS)]
        parts += [f"{_key(n)}={_text(getattr(self, n))}" for n in ("read", *_FRACTIONS) if getattr(self, n)]
        if (self.drift, self.drift_sigma, self.time_s) != (0.0, 0.0, DRIFT_START_S):
            parts.append(f"drift={_text(self.drift)}/{_text(self.drift_sigma)}@{_text(self.time_s)}")
        if math.isfinite(self.on_off):
            parts.append(f"on-off={_text(self.on_off)}")
        if self.ir:
            parts.append(f"ir={_text(self.ir)}")
        return ",".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON knows it; an infinite on/off ratio is None."""
        record = {key: str(v) if isinstance(v, StrEnum) else v for key, v in asdict(self).items()}
        return record | {"on_off": self.on_off if math.isfinite(self.on_off) else None}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        AnalogError
            A field is unknown or has no legal value.
        """
        unknown = set(record) - {f.name for f in fields(cls)}
        if unknown:
            raise AnalogError(f"variation: unknown field {min(unknown)}; give {', '.join(f.name for f in fields(cls))}")
        return cls(**{k: v for k, v in record.items() if (k, v) != ("on_off", None)})

    @property
    def is_static(self) -> bool:
        """Whether a trial's cells are the same for all its images."""
        return self.cycle is Cycle.DEVICE or not self.draws

    @property
    def draws(self) -> bool:
        """Whether programming the cells is random."""
        return bool(self.sigma or self.stuck_off or self.stuck_on or self._drift_spreads)

    @property
    def _drift_spreads(self) -> bool:
        return bool(self.drift_sigma) and self.time_s > DRIFT_START_S

    @property
    def is_ideal(self) -> bool:
        """Whether cells hold exactly what was written into them."""
        drifts = (self.drift or self.drift_sigma) and self.time_s > DRIFT_START_S
        return not (self.draws or self.read or drifts or self.ir)


def _error(name: str, value: object, legal: str) -> AnalogError:
    said = f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else shown(value)
    return AnalogError(f"variation: {name} is {said}; give {legal}")


def _key(name: str) -> str:
    return name.replace("_", "-")


def _text(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _error(name, repr(text), "a number") from None


def _read_option(option: str) -> dict[str, Any]:
    for name, kind in _WORDS.items():
        if option in list(kind):
            return {name: option}
    key, equals, value = option.partition("=")
    name = key.replace("-", "_")
    if equals and name == "drift":
        exponents, at, time = value.partition("@")
        mean, slash, spread = exponents.partition("/")
        record = {"drift": _number("drift", mean), "time_s": _number("time_s", time if at else str(DRIFT_START_S))}
        return record | ({"drift_sigma": _number("drift_sigma", spread)} if slash else {})
    if equals and name in ("read", *_FRACTIONS, "on_off", "ir"):
        return {name: _number(name, value)}
    words = ", ".join(word for kind in _WORDS.values() for word in kind)
    raise AnalogError(
        f"variation: option {shown(option)} is unknown; give {words}, read=, stuck-off=, stuck-on=, "
        "drift=NU/SIGMA@SECONDS, on-off= or ir="
    )
