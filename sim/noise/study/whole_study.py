"""The whole study: every part in order, each a table that a second run resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from arch_model.analog import Encoding
from arch_model.errors import AnalogError
from arch_model.files.results_folder import ResultsFolder
from arch_model.machine.accelerator import Accelerator
from arch_model.network.weights import load_weights
from sim.noise.study.commands import default_jobs
from sim.noise.study.context import Effort, StudyContext, split_name
from sim.noise.study.machine_parts import SHARED, machine_parts
from sim.noise.study.parts import ADC_BITS, MONTE_CARLO, Part
from sim.noise.study.tables import Row

NAMES = (
    *("smallest", "shared", "subnets", "layers", "cost", "energy", "sensitivity", "histogram"),
    *("collapse", "movement", "full", "heat", "recovery", "quantisation", "serial"),
)
"""The parts in the order in which they run; each may need those before it."""

ROWS = "rows.jsonl"
"""Finished rows of all parts."""


def open_study(
    folder: Path,
    *,
    subnet: str,
    accelerator: Accelerator,
    sigma: float,
    max_loss: float,
    seed: int,
    jobs: int | None,
    weights: Path | None,
    **effort: int,
) -> StudyContext:
    """A context for the study.

    Parameters
    ----------
    folder : for results.
    subnet : its name.
    accelerator : of the digital half.
    sigma : of the cells' variation.
    max_loss : percentage points that a partition may lose.
    seed : of all chips.
    jobs : processes. None: one for each core.
    weights : a weights file. None: that of ``fashion``, which ships.
    effort : fields of :class:`Effort`.
    """
    made = Effort(**effort)
    return StudyContext(
        subnet,
        load_weights(weights),
        folder,
        sigma=sigma,
        max_loss=max_loss,
        seed=seed,
        effort=made,
        accelerator=accelerator,
        jobs=default_jobs(made.trials) if jobs is None else jobs,
    )


def study_parts(context: StudyContext, names: Sequence[str] = ()) -> list[Part]:
    """Parts of the study, in the order of :data:`NAMES`.

    Parameters
    ----------
    context : what is studied.
    names : of the parts. None given: all.

    Raises
    ------
    AnalogError
        There is no part of that name.
    """
    names = names or NAMES
    unknown = set(names) - set(NAMES)
    if unknown:
        raise AnalogError(f"part {min(unknown)} is unknown; give {', '.join(NAMES)}")
    parts = {part.name: part for part in (*MONTE_CARLO, *machine_parts(context))}
    return [parts[name] for name in NAMES if name in names]


def study_files() -> list[str]:
    """Every file of a study's folder but the page and its pictures."""
    splits = [split_name(str(encoding), bits) for encoding in Encoding for bits in ADC_BITS]
    return [ROWS, SHARED, *splits, *(f"{name}.csv" for name in NAMES)]


def run_study(
    context: StudyContext,
    results: ResultsFolder,
    names: Sequence[str] = (),
    on_row: Callable[[str, Row], None] = lambda part, row: None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> None:
    """Run parts and write their tables; rows that an earlier run has finished are kept.

    Parameters
    ----------
    context : what is studied; ``results``: its folder, opened with its facts.
    results : the folder, opened with the study's facts.
    names : the parts, all without any.
    on_row : called with each row with its part, also those of an earlier run.
    on_stage : called with what is computed now.
    """
    with results.journal(ROWS) as finished:
        for part in study_parts(context, names):
            rows = context.rows[part.name] = []
            for point in part.points(context):
                key = f"{part.name} {json.dumps(point)}"
                if key not in finished:
                    shown = ", ".join(str(value) for value in point.values() if value is not None)
                    on_stage(f"{part.name}: {shown}")
                    finished.add(key, point | part.measure(context, point))
                rows.append(finished.get(key))
                on_row(part.name, rows[-1])
            results.write_table(f"{part.name}.csv", rows)
