"""The study's pictures for papers: the front, and what each knob does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arch_model.files.writing import whole_file
from reports.canvas import drawing, new_figure, place
from reports.colours import INK, MUTED, PAPER, WITHOUT, subnet_colour
from reports.explore.quantities import without_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Data = Mapping[str, Any]

RAMP = ("#dfb65c", "#7fb596", "#3c8d93", "#2e5a86")
"""Colours from the least to the most of an objective, as on the page."""

DPI = 192
"""Pixels an inch of the files; sizes below are in pixels at half of that."""

WIDE_RATIO = 8
"""From this ratio of the largest to the smallest value an axis is logarithmic."""


def write_pictures(data: Data, folder: Path) -> None:
    """Write pareto.png and knobs.png.

    The one needs two objectives, the other a knob that varies.

    Parameters
    ----------
    data : of :func:`reports.explore.payload.payload`.
    folder : for the files.
    """
    drawn: list[tuple[str, tuple[int, int], Any]] = []
    if len(data["objectives"]) > 1:
        drawn.append(("pareto.png", (760, 520), draw_front))
    if data["effects"]:
        size = (110 + 190 * len(data["effects"]), 70 + 150 * len(data["objectives"]))
        drawn.append(("knobs.png", size, draw_knobs))
    for name, (width, height), draw in drawn:
        with drawing("explore"):
            figure = new_figure(2 * width, 2 * height, dpi=DPI)
            draw(figure, data)
            with whole_file(folder / name) as file:
                figure.savefig(file, format="png", facecolor=PAPER.light, metadata={"Software": None})


def draw_front(figure: Figure, data: Data) -> None:
    """The first two objectives as axes, the third as colour; of two alone the front's line; the dominated in grey.

    Parameters
    ----------
    figure : to draw into.
    data : of :func:`reports.explore.payload.payload`.
    """
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize

    ahead = np.array(data["points"]["front"], dtype=bool)
    values = [np.array(column, dtype=float) for column in data["points"]["objectives"]]
    x, y, colour = 0, 1, 2 if len(values) > 2 else None
    axes = _axes(figure, 72, 44, 660 if colour is None else 560, 416)
    axes.scatter(values[x][~ahead], values[y][~ahead], s=9, color=WITHOUT.light, linewidths=0, alpha=0.6)
    if colour is None:
        order = np.argsort(values[x][ahead], kind="stable")
        line = values[x][ahead][order], values[y][ahead][order]
        where: Any = "post" if data["objectives"][x]["better"] == "min" else "pre"
        axes.step(*line, where=where, color=RAMP[3], linewidth=0.8, linestyle=":")
        axes.scatter(*line, s=34, color=RAMP[2], edgecolors=INK.light, linewidths=0.6, zorder=3)
    else:
        shown = values[colour][ahead]
        limits = float(shown.min()), float(shown.max())
        norm = LogNorm(*limits) if _wide(shown) else Normalize(*limits)
        marks = axes.scatter(
            values[x][ahead], values[y][ahead], s=34, c=shown, norm=norm, edgecolors=INK.light, linewidths=0.6,
            cmap=LinearSegmentedColormap.from_list("ramp", RAMP), zorder=3,
        )  # fmt: skip
        bar = figure.colorbar(marks, cax=_axes(figure, 660, 44, 11, 416))
        bar.outline.set_visible(False)
        bar.set_label(_title(data["objectives"][colour]))
    for number, way in ((x, "x"), (y, "y")):
        _scale(axes, way, values[number])
        getattr(axes, f"set_{way}label")(_title(data["objectives"][number]))
    axes.grid()
    figure.text(72 / 760, 1 - 22 / 520, f"{ahead.sum():,} points of the front", color=INK.light)
    figure.text(220 / 760, 1 - 22 / 520, f"{(~ahead).sum():,} dominated", color=MUTED.light)


def draw_knobs(figure: Figure, data: Data) -> None:
    """A column a knob, the most telling first, a row an objective: medians, half of the points, nine in ten; over each
    the part of the variance that the knob explains.

    Parameters
    ----------
    figure : to draw into.
    data : of :func:`reports.explore.payload.payload`.
    """
    for column, knob in enumerate(data["effects"]):
        at, (labels, unit) = np.arange(len(knob["groups"])), without_unit(knob["groups"])
        for row, objective in enumerate(data["objectives"]):
            effect = knob["objectives"][row]
            low, q1, median, q3, high = (np.array(line) for line in effect["spread"])
            axes = _axes(figure, 90 + 190 * column, 46 + 150 * row, 150, 104)
            colour = subnet_colour((0, 1, 2, 3, 6)[row % 5]).light
            axes.vlines(at, low, high, color=colour, linewidth=1)
            axes.bar(at, q3 - q1, 0.55, bottom=q1, color=colour, alpha=0.3, linewidth=0)
            axes.plot(at, median, color=colour, linewidth=1.4, marker="o", markersize=3)
            every = np.concatenate([np.ravel(other["objectives"][row]["spread"]) for other in data["effects"]])
            _scale(axes, "y", every)
            pad = 0.06 * np.ptp(every) or 0.1 * abs(every[0]) or 1.0
            least, most = every.min(), every.max()
            axes.set_ylim((least / 1.06, most * 1.06) if _wide(every) else (least - pad, most + pad))
            axes.set_xlim(-0.6, len(at) - 0.4)
            axes.grid(axis="y")
            nth = -(-len(at) * (max(map(len, labels)) + 1) // 24)  # a blank between two
            last = row == len(data["objectives"]) - 1
            axes.set_xticks(at[::nth], labels[::nth] if last else [""] * len(at[::nth]))
            axes.set_title(f"{100 * effect['explained']:.0f} %", loc="right", color=MUTED.light, pad=5)
            if column == 0:
                axes.set_ylabel(_title(objective))
            if row == 0:
                title = data["knobs"][knob["knob"]]["name"]
                title = f"{title}, {unit}" if unit else title
                axes.set_title(title, loc="left", color=INK.light, fontweight="bold", pad=5)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes placed in pixels of a figure that has twice as many."""
    return place(figure, 2 * left, 2 * top, 2 * width, 2 * height)


def _wide(values: Sequence[float] | np.ndarray[Any, Any]) -> bool:
    return bool(len(values)) and min(values) > 0 and max(values) / min(values) > WIDE_RATIO


def _scale(axes: Axes, way: str, values: Sequence[float] | np.ndarray[Any, Any]) -> None:
    if not _wide(values):
        return
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    getattr(axes, f"set_{way}scale")("log")
    axis = getattr(axes, f"{way}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _title(objective: Mapping[str, str]) -> str:
    return f"{objective['title']}, {objective['unit']}" if objective["unit"] else objective["title"]
