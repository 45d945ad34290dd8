"""The whole study: every part in order, each a table that a second run resumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from arch_model.accelerator import Accelerator
from arch_model.errors import AnalogError
from arch_model.weights import load_weights
from sim.noise.lab import Effort, Lab
from sim.noise.machine_parts import machine_parts
from sim.noise.parts import MONTE_CARLO, Part
from sim.noise.sheet import Row, Sheet
from sim.noise.study import default_jobs

NAMES = (
    *("smallest", "shared", "subnets", "layers", "cost", "energy", "sensitivity", "histogram"),
    *("collapse", "movement", "full", "heat", "recovery", "quantisation", "serial"),
)
"""The parts in the order in which they run; each may need those before it."""


def open_lab(
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
) -> Lab:
    """A lab whose processes are one a core, unless ``jobs`` says otherwise; ``effort``: fields of :class:`Effort`."""
    made = Effort(**effort)
    return Lab(
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


def study_parts(lab: Lab, names: Sequence[str] = ()) -> list[Part]:
    """The parts of those names, without any all of them, in the order of :data:`NAMES`."""
    names = names or NAMES
    unknown = set(names) - set(NAMES)
    if unknown:
        raise AnalogError(f"part {min(unknown)} is unknown; give {', '.join(NAMES)}")
    parts = {part.name: part for part in (*MONTE_CARLO, *machine_parts(lab))}
    return [parts[name] for name in NAMES if name in names]


def run_study(
    lab: Lab,
    names: Sequence[str] = (),
    on_row: Callable[[str, Row], None] = lambda part, row: None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> None:
    """Run parts; rows that are in the lab's folder already are kept."""
    for part in study_parts(lab, names):
        sheet = Sheet(lab.folder / f"{part.name}.csv", lab.facts())

        def stage(point: Row, name: str = part.name) -> None:
            on_stage(f"{name}: {', '.join(str(value) for value in point.values() if value is not None)}")

        def row(made: Row, name: str = part.name) -> None:
            on_row(name, made)

        sheet.fill(part.points(lab), lambda point, part=part: part.measure(lab, point), row, stage)  # type: ignore[misc]
