"""Streams from the public Azure Functions traces: 2019, counts a minute; 2021, invocations one by one."""

from __future__ import annotations

import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arch_model.errors import StreamError
from arch_model.files.csv_file import read_csv, real_number
from arch_model.files.shown import shown
from arch_model.files.wanted import Wanted
from sim.serving.streams import Stream

Floats = npt.NDArray[np.float64]

MINUTES = 1440
COUNTS = tuple(str(minute) for minute in range(1, MINUTES + 1))
INVOCATIONS = ("end_timestamp", "duration")
MOST_BYTES = 2**31


def azure_stream(path: Path, queries: int, rate: float, slo_s: float, seed: int = 0, accuracy: float = 0.0) -> Stream:
    """Queries that arrive as the functions of a trace were called, in all of them together.

    The trace is shrunk in time to the mean rate that is asked for. Of invocations (2021: they begin ``duration`` before
    ``end_timestamp``) as many as are asked for are drawn without returning them; of counts a minute (2019) arrivals are
    drawn with the density of the counts, evenly within a minute.

    Parameters
    ----------
    path : ``invocations_per_function_md.anon.dNN.csv`` of 2019, or ``AzureFunctionsInvocationTraceForTwoWeeksJan2021``
        of 2021, plain or gzip; the columns tell which.
    queries : how many; of invocations at most those that there are.
    rate : mean queries a second.
    slo_s : seconds from an arrival to its deadline.
    seed : of the draws.
    accuracy : that each asks for, a fraction.

    Raises
    ------
    StreamError
        The file is neither, a field is no number, or nothing is called.
    """
    if queries < 1 or not rate > 0 or seed < 0:
        raise StreamError(f"a stream of {queries} queries at {rate:g} a second, seed {seed}: give more than none")
    source = f"Azure trace {path}"
    wanted = Wanted(source, "a CSV file with the columns 1 to 1440, or end_timestamp and duration", StreamError)
    table = read_csv(path, wanted, (), most=MOST_BYTES)
    rng = np.random.default_rng(seed)
    if set(INVOCATIONS) <= set(table.columns):
        places = [table.columns.index(name) for name in INVOCATIONS]
        found = array.array("d")
        for end, duration in _numbers(source, table.rows, places, INVOCATIONS):
            found.append(end - duration)
        times = np.sort(np.array(found))
        if not len(times):
            raise StreamError(f"{source}: no invocation in it")
        times = times[np.sort(rng.choice(len(times), min(queries, len(times)), replace=False))]
        span = max(float(times[-1] - times[0]), 1e-9)
        times = (times - times[0]) * (len(times) / rate / span)
    elif set(COUNTS) <= set(table.columns):
        places = [table.columns.index(name) for name in COUNTS]
        total = np.zeros(MINUTES)
        for row in _numbers(source, table.rows, places, COUNTS):
            total += row
        if not total.sum() > 0 or total.min() < 0:
            raise StreamError(f"{source}: its counts sum to {total.sum():g}; give counts from 0 on, of some function")
        drawn = np.sort(rng.random(queries)) * total.sum()
        ends = np.concatenate([[0.0], np.cumsum(total)])
        times = np.interp(drawn, ends, np.arange(MINUTES + 1)) * (queries / rate / MINUTES)
    else:
        raise StreamError(f"{source} has neither columns 1 to 1440 nor end_timestamp and duration; give one of these")
    facts = {"trace": str(path), "rate": rate, "seed": seed, "queries": len(times)}
    return Stream(times, np.full(len(times), accuracy), np.full(len(times), slo_s), facts)


def _numbers(
    source: str, rows: Iterator[tuple[int, list[str]]], places: list[int], names: tuple[str, ...]
) -> Iterator[Floats]:
    """The numbers of some columns, row by row."""
    for line, fields in rows:
        try:
            yield np.array([float(fields[place]) for place in places])
        except ValueError:
            for name, place in zip(names, places, strict=True):
                try:
                    real_number(fields[place])
                except ValueError:
                    said = shown(fields[place])
                    raise StreamError(f"{source}, line {line}: {name} is {said}; give a number") from None
            raise
