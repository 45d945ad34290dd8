"""Programs run one by one, each on a machine of its own that writes a waveform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from arch_model.files.question import Question
from arch_model.files.results_folder import ResultsFolder
from arch_model.files.writing import Source, check_outputs, make_folder
from arch_model.program.program import Program
from mapper.layout.dram_image import Segment
from sim.rtl_bench.bench import Bench, Build
from sim.rtl_bench.outcome import Outcome, Tensors, run_program
from sim.rtl_bench.waveform import Observed, read_waveform

SUFFIXES = (".fst", ".png", ".csv")
"""What a traced Program leaves: its waveform, and of that a picture and a table."""

RunProgram = Callable[[str, Program, Iterable[Segment], Tensors], Outcome]
"""Runs a Program under a name: as :func:`sim.rtl_bench.outcome.run_program` does on some machine."""


@dataclass(frozen=True, eq=False)
class Traced:
    """A Program that has left a waveform.

    Attributes
    ----------
    name : under which it ran.
    waveform : the file.
    outcome : of the run.
    observed : who worked when.
    """

    name: str
    waveform: Path
    outcome: Outcome
    observed: Observed


@dataclass(frozen=True)
class Tracing:
    """Where waveforms go.

    Attributes
    ----------
    folder : for files NAME.fst.
    on_trace : called with each when it is written.
    """

    folder: Path
    on_trace: Callable[[Traced], None] = lambda traced: None

    @contextmanager
    def opened(
        self,
        question: Question,
        names: Iterable[str],
        force: bool,
        inputs: Sequence[Source] = (),
        table: Path | None = None,
    ) -> Iterator[None]:
        """Hold the folder for the traces of some Programs.

        Parameters
        ----------
        question : what is asked.
        names : of the Programs.
        force, inputs : as :class:`~arch_model.files.results_folder.ResultsFolder` takes them.
        table : of results, which no trace may replace.

        Raises
        ------
        FastSwitchError
            The folder has the traces of another question, or a file would replace an input or the table.
        """
        files = [f"{name}{suffix}" for name in names for suffix in SUFFIXES]
        check_outputs([table, self.folder, *(self.folder / file for file in files)], inputs)
        with ResultsFolder(self.folder, {**question, "traces": True}, files, inputs, force):
            yield

    def has(self, name: str) -> bool:
        """Whether a Program of that name has left its waveform."""
        return (self.folder / f"{name}.fst").exists()


@contextmanager
def machine(built: Build, tracing: Tracing | None) -> Iterator[RunProgram]:
    """What runs Programs: all on one machine, or with tracing each on a new one.

    Parameters
    ----------
    built : the simulation program; with tracing it can trace.
    tracing : where waveforms go. None: none are written.
    """
    if tracing is None:
        with Bench(built) as bench:
            yield lambda name, program, segments, expected: run_program(bench, program, segments, expected)
    else:
        make_folder(tracing.folder)
        yield lambda *job: _run_traced(built, tracing, *job)


def _run_traced(
    built: Build, tracing: Tracing, name: str, program: Program, segments: Iterable[Segment], expected: Tensors
) -> Outcome:
    path, unfinished = tracing.folder / f"{name}.fst", tracing.folder / f".{name}.new.fst"
    try:
        with Bench(built, trace=unfinished) as bench:
            outcome = run_program(bench, program, segments, expected)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)  # half a waveform
        raise
    tracing.on_trace(Traced(name, path, outcome, read_waveform(path, program.commands)))
    return outcome


def file_name(*parts: object) -> str:
    """A name for files, of parts that may hold anything.

    >>> file_name("01", "stage1/block 2.conv")
    '01-stage1_block_2.conv'
    """
    return "-".join("".join(c if c.isalnum() or c in "._-" else "_" for c in str(part)) for part in parts)
