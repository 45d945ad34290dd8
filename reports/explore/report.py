"""Everything that a study's folder gets: the page, pictures and tables."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from arch_model.errors import FastSwitchError
from arch_model.files.writing import make_folder, write_whole
from reports.canvas import require_matplotlib
from reports.explore.layers import OnPoint
from reports.explore.page import page
from reports.explore.payload import payload
from reports.explore.pictures import write_pictures
from reports.explore.quantities import value_labels, without_unit
from reports.explore.reasons import reasons
from reports.explore.reproduce_command import reproduce_command
from sim.explore.knobs import SUBNET
from sim.explore.pareto import exact_front
from sim.explore.question import EXACT
from sim.explore.study import CSV, study_folder, write_csv

if TYPE_CHECKING:
    from sim.explore import Knob, Study

LISTED = 6
"""So many values of a knob, or SubNets, are named; of more, the ends."""


def write_report(study: Study, folder: Path, on_point: OnPoint | None = None) -> Path:
    """Write report.html, pareto.png, knobs.png, pareto.csv and points.csv; gives the page's path.

    Parameters
    ----------
    study : with its points.
    folder : for the files.
    on_point : called with the stage of the work, how many points are done and how many there are.

    Raises
    ------
    FastSwitchError
        The study has no points, a library is missing, or the folder cannot be written.
    """
    if not len(study.points):
        raise FastSwitchError(f"study {study.folder} has no finished point yet; let fastswitch explore find some")
    require_libraries()
    make_folder(folder)
    with study_folder(study) if folder == study.folder else nullcontext():
        return _write(study, folder, on_point)


def _write(study: Study, folder: Path, on_point: OnPoint | None) -> Path:
    legal = study.points["legal"].to_numpy(dtype=bool)
    front = study.points[legal][exact_front(study.points[legal], study.objectives).to_numpy(dtype=bool)]
    write_csv(front, folder / "pareto.csv", study.header)
    if folder != study.folder or not (folder / CSV).exists():
        write_csv(study.points, folder / CSV, study.header)
    illegal = reasons((int(str(point)), str(why)) for point, why in study.points["why"][~legal].items())
    data = payload(study, on_point)
    if data["legal"]:
        write_pictures(data, folder)
    path = folder / "report.html"
    text = page(facts(study), data, illegal, plotly_script())
    for name, content in {**reproduce_command(study).files, path.name: text}.items():
        write_whole(folder / name, content)
    return path


def require_libraries() -> None:
    """Refuse if what draws the report is not installed.

    Raises
    ------
    FastSwitchError
        One line that says how to get it.
    """
    require_matplotlib()
    if find_spec("plotly") is None:
        raise FastSwitchError("the report needs plotly, which is not installed: pip install 'fastswitch[explore]'")


def plotly_script() -> str:
    """Plotly's JavaScript as its package ships it (4.8 MB: all charts; the package has no smaller bundle)."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def facts(study: Study) -> Mapping[str, str | list[str]]:
    """What the page says of the study, by name."""
    found: dict[str, str | list[str]] = {
        "space": study.space,
        "SubNets": _some(study.subnets),
        "base": f"{study.base.name}, {study.base.kp} × {study.base.cp} DPEs, hash {study.base.hash()}",
        "knobs": [knob_range(knob) if knob.name != SUBNET else f"{SUBNET} each of them" for knob in study.knobs],
        "sampler": f"{study.sampler}, seed {study.seed}",
        "PB": "holds what fits of each SubNet" if study.cached == "fit" else "empty",
        "prices": _prices(study),
        "FastSwitch": version("fastswitch"),
    }
    return found


def _prices(study: Study) -> list[str]:
    """How many points are priced exactly, and how far estimates are from that."""
    exact = int((study.points["price"] == EXACT).sum())
    said = [f"{exact:,} points exactly, as whole Programs; all others estimated" if exact else "estimates so far"]
    return said + [f"estimated {name} / exact - 1: {error}" for name, error in study.errors.items()]


def knob_range(knob: Knob) -> str:
    """A knob and its values, in short.

    >>> from sim.explore import Knob
    >>> knob_range(Knob("KP", (8, 16, 32), "")), knob_range(Knob("PB", tuple(range(0, 8_500_000, 500_000)), "B"))
    ('KP 8, 16, 32', 'PB 0 … 8 MB, 17 values')
    """
    labels = value_labels(sorted(knob.values), knob.unit)
    if len(labels) > LISTED:
        return f"{knob.name} {labels[0]} … {labels[-1]}, {len(labels):,} values"
    figures, unit = without_unit(labels)
    return f"{knob.name} {', '.join(figures)} {unit}".rstrip()


def _some(names: tuple[str, ...]) -> list[str]:
    if len(names) <= LISTED:
        return list(names)
    return [*names[: LISTED - 1], f"and {len(names) - LISTED + 1:,} more"]
