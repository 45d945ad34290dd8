"""Streams of queries: when each arrives and what it asks for; drawn from a seed or recorded, written and read back."""

from __future__ import annotations

import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.errors import StreamError
from arch_model.files.csv_file import read_csv, real_number
from arch_model.files.question import header
from arch_model.files.shown import plain, shown
from arch_model.files.wanted import Wanted
from arch_model.files.writing import write_whole
from arch_model.physical import ARRIVAL_S, BURSTINESS, DEADLINE_S, PERIOD_S, RATE

Floats = npt.NDArray[np.float64]

COLUMNS = ("arrival_s", "accuracy", "latency_s")
"""What a trace must have; other columns are not looked at."""

STAY = 0.8
STEP = 0.12


@dataclass(frozen=True, eq=False)
class Stream:
    """Queries in the order of arrival, arrays float64 (queries,).

    Parameters
    ----------
    arrival_s : seconds, never falling.
    accuracy : the least that is wanted, a fraction.
    latency_s : seconds from the arrival to the deadline, above 0.
    facts : how it was made.

    Raises
    ------
    StreamError
        Anything else; the line names the first query that is wrong (0 is the first).
    """

    arrival_s: Floats
    accuracy: Floats
    latency_s: Floats
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        source = self.facts.get("trace", "stream")
        arrays = {name: getattr(self, name) for name in COLUMNS}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise StreamError(f"{source}: its arrays have shapes {sorted(shapes)}; give one number a query")
        if not len(self):
            raise StreamError(f"{source}: no query in it; give at least one")
        for name, numbers in arrays.items():
            _refuse(source, name, numbers, ~np.isfinite(numbers), "a finite number")
        wrong = (self.arrival_s < ARRIVAL_S.low) | (self.arrival_s > ARRIVAL_S.high)
        _refuse(source, "arrival_s", self.arrival_s, wrong, f"seconds from {ARRIVAL_S.low:g} to {ARRIVAL_S.high:g}")
        wrong = (self.accuracy < 0) | (self.accuracy > 1)
        _refuse(source, "accuracy", self.accuracy, wrong, "a fraction from 0 to 1")
        wrong = (self.latency_s < DEADLINE_S.low) | (self.latency_s > DEADLINE_S.high)
        _refuse(source, "latency_s", self.latency_s, wrong, f"seconds from {DEADLINE_S.low:g} to {DEADLINE_S.high:g}")
        falls = np.flatnonzero(np.diff(self.arrival_s) < 0)
        if len(falls):
            at = int(falls[0])
            raise StreamError(
                f"{source}, query {at + 1}: arrival_s is {self.arrival_s[at + 1]:g}, before that of query {at}, "
                f"{self.arrival_s[at]:g}; sort the queries by arrival_s"
            )

    def __len__(self) -> int:
        return len(self.arrival_s)

    def take(self, chosen: npt.NDArray[Any]) -> Stream:
        """The queries of a mask or of indices in ascending order."""
        return Stream(self.arrival_s[chosen], self.accuracy[chosen], self.latency_s[chosen], self.facts)

    def to_frame(self) -> pd.DataFrame:
        """One row a query, the columns of a trace."""
        return pd.DataFrame({name: getattr(self, name) for name in COLUMNS})

    def write(self, path: Path) -> None:
        """Write a trace: ``# key: value`` lines of facts, then CSV. :func:`read_trace` gives the same numbers again."""
        write_whole(path, header(self.facts) + self.to_frame().to_csv(index=False))


def _refuse(source: str, name: str, array: Floats, wrong: npt.NDArray[np.bool_], legal: str) -> None:
    if wrong.any():
        at = int(np.argmax(wrong))
        raise StreamError(f"{source}, query {at}: {name} is {array[at]:g}; give {legal}")


def read_trace(path: Path) -> Stream:
    """A recorded stream: a CSV file with the columns :data:`COLUMNS`; plain or gzip; lines that begin with ``#`` are
    not looked at.

    Raises
    ------
    StreamError
        The trace is malformed; the line names the file, the query and the number.
    """
    source = f"trace {path}"
    table = read_csv(path, Wanted(source, f"a CSV file with {', '.join(COLUMNS)}", StreamError), COLUMNS, comments=True)
    places = [table.columns.index(name) for name in COLUMNS]
    found = [array.array("d") for _ in COLUMNS]
    for _, fields in table.rows:
        for name, place, numbers in zip(COLUMNS, places, found, strict=True):
            try:
                numbers.append(real_number(fields[place]))
            except ValueError:
                said = shown(fields[place]) if fields[place].strip() else "empty"
                raise StreamError(f"{source}, query {len(numbers)}: {name} is {said}; give a number") from None
    arrays = [np.array(numbers, np.float64) for numbers in found]
    return Stream(arrays[0], arrays[1], arrays[2], {"trace": str(path)})


@dataclass(frozen=True)
class Targets:
    """What queries may ask for, and how they follow one another.

    A query's wishes lie near those of the one before (normal steps, turning back at the ends of the span), or both are
    drawn anew, uniformly.

    Parameters
    ----------
    accuracy, latency_s : least and greatest, a fraction and seconds.
    stay : probability of lying near. 0: no temporal locality; 1: one long walk.
    step : deviation of a step, in spans.
    """

    accuracy: tuple[float, float]
    latency_s: tuple[float, float]
    stay: float = STAY
    step: float = STEP

    def __post_init__(self) -> None:
        for name, value, legal, holds in (
            ("stay", self.stay, "0 to 1", 0 <= self.stay <= 1),
            ("step", self.step, "0 or more", self.step >= 0),
        ):
            if not holds:
                raise StreamError(f"{name} of the targets is {value:g}; give {legal}")

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Accuracy and latency of queries, float64 (queries,) each.

        Parameters
        ----------
        count : of queries.
        rng : draws them.
        """
        anew = rng.random(count) >= self.stay
        anew[:1] = True
        start = np.flatnonzero(anew)
        first = np.repeat(start, np.diff([*start, count]))
        walk = np.cumsum(np.where(anew[:, None], 0.0, rng.normal(0.0, self.step, (count, 2))), axis=0)
        level = rng.random((count, 2))[first] + walk - walk[first]
        level = 1.0 - np.abs(1.0 - np.mod(level, 2.0))  # reflected at 0 and 1
        low = np.array([self.accuracy[0], self.latency_s[0]])
        high = np.array([self.accuracy[1], self.latency_s[1]])
        asked = np.clip(low + level * (high - low), low, high)
        return asked[:, 0], asked[:, 1]


def _deterministic(count: int, rng: np.random.Generator, rate: float) -> Floats:
    times: Floats = np.arange(count) / rate
    return times


def _gamma(count: int, rng: np.random.Generator, rate: float, cv2: float) -> Floats:
    """Renewals whose gaps have mean 1 / rate and variance cv2 / rate²: a gamma of shape 1 / cv2."""
    if cv2 == 0:
        return _deterministic(count, rng, rate)
    times: Floats = np.cumsum(rng.gamma(1 / cv2, cv2 / rate, count))
    return times


def _poisson(count: int, rng: np.random.Generator, rate: float) -> Floats:
    times: Floats = np.cumsum(rng.exponential(1 / rate, count))
    return times


def _bursty(count: int, rng: np.random.Generator, base: float, burst: float, cv2: float) -> Floats:
    """A deterministic stream of rate ``base`` and a gamma stream of rate ``burst``, merged (SuperServe, NSDI 2025)."""
    both = np.concatenate([_deterministic(count, rng, base), _gamma(count, rng, burst, cv2)])
    times: Floats = np.sort(both)[:count]
    return times


def _diurnal(count: int, rng: np.random.Generator, low: float, high: float, period: float) -> Floats:
    """Poisson, its rate a cosine from ``low`` to ``high`` and back in ``period`` seconds.

    Arrivals of rate 1 are put where the integral of the rate reaches them, which bisection finds: however slowly the
    rate begins to rise, the work is the same.
    """
    mean, swing = (low + high) / 2, (high - low) / 2
    wanted = np.cumsum(rng.exponential(1.0, count)) / mean  # in seconds of the mean rate; the integral swings about it
    most = swing / mean * period / (2 * np.pi)
    before, after = np.maximum(wanted - most, 0.0), wanted + most
    for _ in range(80):
        middle = (before + after) / 2
        early = middle - most * np.sin(2 * np.pi * middle / period) < wanted
        before, after = np.where(early, middle, before), np.where(early, after, middle)
    return np.maximum.accumulate(after)


def _accelerating(count: int, rng: np.random.Generator, first: float, last: float, per_s: float) -> Floats:
    """Poisson, its rate rising from ``first`` to ``last`` by ``per_s`` each second, then staying (SuperServe)."""
    wanted = np.cumsum(rng.exponential(1.0, count))  # the integral of the rate at each arrival
    rising = (last**2 - first**2) / (2 * per_s)
    root = np.sqrt(first**2 + 2 * per_s * np.minimum(wanted, rising))
    times: Floats = (root - first) / per_s + np.maximum(wanted - rising, 0.0) / last
    return times


_ARRIVALS: dict[str, tuple[Callable[..., Floats], tuple[str, ...]]] = {
    "deterministic": (_deterministic, ("RATE",)),
    "poisson": (_poisson, ("RATE",)),
    "gamma": (_gamma, ("RATE", "CV2")),
    "bursty": (_bursty, ("BASE", "BURST", "CV2")),
    "diurnal": (_diurnal, ("LOW", "HIGH", "PERIOD_S")),
    "accelerating": (_accelerating, ("FROM", "TO", "PER_S2")),
}

_LIMITS = {"CV2": BURSTINESS, "PERIOD_S": PERIOD_S}
"""Of numbers that are no rates."""

ARRIVALS = tuple(f"{name}:{','.join(numbers)}" for name, (_, numbers) in _ARRIVALS.items())
"""How arrivals are written; rates are queries a second."""


def parse_arrivals(arrivals: str) -> tuple[str, list[float]]:
    """The process of a text of :data:`ARRIVALS`, and its numbers.

    Raises
    ------
    StreamError
        The text is none of them, or its numbers make no stream.

    Examples
    --------
    >>> parse_arrivals("gamma:400,4")
    ('gamma', [400.0, 4.0])
    """
    name, _, rest = arrivals.partition(":")
    arrivals = plain(arrivals)
    if name not in _ARRIVALS:
        said = plain(name) or "nothing"
        raise StreamError(f"arrivals {arrivals}: {said} is no process; give one of {' '.join(ARRIVALS)}")
    wanted = _ARRIVALS[name][1]
    form = f"{name}:{','.join(wanted)}"
    try:
        numbers = [real_number(text) for text in rest.split(",")]
    except ValueError:
        raise StreamError(f"arrivals {arrivals}: not numbers; give {form}") from None
    if len(numbers) != len(wanted):
        raise StreamError(f"arrivals {arrivals}: {len(numbers)} numbers; give {form}")
    for key, number in zip(wanted, numbers, strict=True):
        limits = _LIMITS.get(key, RATE)
        if number not in limits and not (number == 0 and key in ("CV2", "LOW")):
            raise StreamError(f"arrivals {arrivals}: {key} is {number:g}; give {limits}")
    if name == "diurnal" and numbers[0] > numbers[1]:
        low, high, period = numbers
        raise StreamError(f"arrivals {arrivals}: HIGH is below LOW; give diurnal:{high:g},{low:g},{period:g}")
    if name == "accelerating" and numbers[0] > numbers[1]:
        first, last, per_s = numbers
        raise StreamError(f"arrivals {arrivals}: TO is below FROM; give accelerating:{last:g},{first:g},{per_s:g}")
    return name, numbers


def draw_stream(arrivals: str, targets: Targets, count: int, seed: int) -> Stream:
    """Queries whose arrivals follow a process, the same for the same seed.

    Parameters
    ----------
    arrivals : a text of :data:`ARRIVALS`.
    targets : what they ask for.
    count : of queries.
    seed : of the draws.

    Raises
    ------
    StreamError
        The text is none of them, or its numbers make no stream.

    Examples
    --------
    >>> stream = draw_stream("deterministic:10", Targets((0.9, 0.9), (0.1, 0.1)), count=3, seed=0)
    >>> stream.arrival_s.tolist(), stream.accuracy.tolist()
    ([0.0, 0.1, 0.2], [0.9, 0.9, 0.9])
    """
    name, numbers = parse_arrivals(arrivals)
    if count < 1 or seed < 0:
        raise StreamError(f"a stream of {count} queries from seed {seed}: give at least 1 query and a seed from 0 on")
    rng = np.random.default_rng(seed)
    times = _ARRIVALS[name][0](count, rng, *numbers)
    accuracy, latency = targets.draw(count, rng)
    facts = {"arrivals": arrivals, "queries": count, "seed": seed, "stay": targets.stay, "step": targets.step}
    return Stream(times, accuracy, latency, facts)
