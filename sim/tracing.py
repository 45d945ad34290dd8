"""Programs run one by one, each on a machine of its own that writes a waveform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mapper.dram_image import Segment
from mapper.program import Program
from sim.bench import Bench, Build
from sim.outcome import Outcome, Tensors, run_program
from sim.results import make_folder
from sim.waveform import Observed, read_waveform

RunProgram = Callable[[str, Program, Iterable[Segment], Tensors], Outcome]
"""Runs a Program under a name: as :func:`sim.outcome.run_program` does on some machine."""


@dataclass(frozen=True, eq=False)
class Traced:
    """A Program that has left a waveform: the name it ran under, the file, its outcome, and who worked when."""

    name: str
    waveform: Path
    outcome: Outcome
    observed: Observed


@dataclass(frozen=True)
class Tracing:
    """Where waveforms go, ``folder/NAME.fst``, and who hears of each when it is written."""

    folder: Path
    on_trace: Callable[[Traced], None] = lambda traced: None


@contextmanager
def machine(built: Build, tracing: Tracing | None) -> Iterator[RunProgram]:
    """Yield what runs Programs: all on one machine, or with ``tracing`` each on a new one, whose build can trace."""
    if tracing is None:
        with Bench(built) as bench:
            yield lambda name, program, segments, expected: run_program(bench, program, segments, expected)
    else:
        make_folder(tracing.folder)
        yield lambda *job: _run_traced(built, tracing, *job)


def _run_traced(
    built: Build, tracing: Tracing, name: str, program: Program, segments: Iterable[Segment], expected: Tensors
) -> Outcome:
    path = tracing.folder / f"{name}.fst"
    try:
        with Bench(built, trace=path) as bench:
            outcome = run_program(bench, program, segments, expected)
    except BaseException:
        path.unlink(missing_ok=True)  # half a waveform
        raise
    tracing.on_trace(Traced(name, path, outcome, read_waveform(path, program.commands)))
    return outcome


def file_name(*parts: object) -> str:
    """A name for files, of parts that may hold anything.

    >>> file_name("01", "stage1/block 2.conv")
    '01-stage1_block_2.conv'
    """
    return "-".join("".join(c if c.isalnum() or c in "._-" else "_" for c in str(part)) for part in parts)
