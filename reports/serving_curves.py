"""Attainment against accuracy of every policy for a queue, and what no schedule can exceed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.canvas import drawing, new_figure, picture_bytes, place
from reports.colours import BAD, GOOD, INK, MUTED, PAPER, WITH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]

SIZE_PX = (900, 560)
MARKS = {"slackfit": ("s", BAD), "most-accurate": ("^", INK), "largest-batch": ("v", INK), "cheapest": ("P", GOOD)}


def curves_picture(rows: Sequence[Row], path: Path, title: str) -> bytes:
    """The picture of one stream as PNG, SVG or PDF.

    Parameters
    ----------
    rows : of :func:`sim.serving.queue_curves.compare_queue_rows`.
    path : whose ending says which.
    title : above it.
    """
    width, height = SIZE_PX
    with drawing("serving-curves", size=10):
        figure = new_figure(width, height, dpi=100)
        axes = place(figure, 80, 50, width - 330, height - 120)
        draw_curves(axes, rows)
        axes.set_title(title)
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
        return picture_bytes(figure, path, facecolor=PAPER.light)


def families_picture(families: Sequence[tuple[str, Sequence[Row]]], path: Path) -> bytes:
    """Several streams beside one another.

    Parameters
    ----------
    families : title and rows of each.
    path : whose ending says which format.
    """
    columns = 3
    lines = -(-len(families) // columns)
    width, height = 400 * columns, 330 * lines + 60
    with drawing("serving-families", size=9):
        figure = new_figure(width, height, dpi=100)
        for number, (title, rows) in enumerate(families):
            axes = place(figure, 62 + 400 * (number % columns), 40 + 330 * (number // columns), 320, 225)
            draw_curves(axes, rows)
            axes.set_title(title)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncol=4, frameon=False)
        return picture_bytes(figure, path, facecolor=PAPER.light)


def draw_curves(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw one stream's policies: attainment over accuracy, both in per cent; right and up is better.

    Parameters
    ----------
    axes : to draw on.
    rows : of :func:`sim.serving.queue_curves.compare_queue_rows`.
    """
    known = [row for row in rows if row["accuracy"] is not None]
    bound = sorted((100 * row["accuracy"], 100 * row["attainment_bound"]) for row in known)
    axes.plot(*zip(*bound, strict=True), "--", color=MUTED.light, linewidth=1, label="no schedule has more")
    ours = sorted((100 * row["accuracy"], 100 * row["slo_attainment"]) for row in known if row["policy"] == "backlog")
    axes.plot(*zip(*ours, strict=True), ".-", color=WITH.light, linewidth=1.6, markersize=4, label="backlog (ours)")
    fixed = [row for row in known if row["policy"].startswith("static:")]
    places = [(100 * row["accuracy"], 100 * row["slo_attainment"]) for row in fixed]
    axes.plot(*zip(*places, strict=True), "o", color=MUTED.light, markersize=6, label="one fixed SubNet")
    for row in known:
        if row["policy"] in MARKS:
            mark, colour = MARKS[row["policy"]]
            at = ([100 * row["accuracy"]], [100 * row["slo_attainment"]])
            axes.plot(*at, mark, color=colour.light, markersize=7, fillstyle="none", label=row["policy"])
    axes.set_xlabel("mean accuracy of answers in time, %")
    axes.set_ylabel("answered in time, % of all queries")
    axes.grid(True)
