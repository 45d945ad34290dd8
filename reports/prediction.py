"""Plot 2: cycles that the model predicted against cycles that the RTL took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.canvas import font_size, place, text_px, width_px
from reports.colours import BAD, GRID, INK, MUTED, PAPER, subnet_colour, subnet_marker
from reports.queries import Query, subnets_by_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALLEST_PERCENT = 0.1
"""The residual axis reaches at least this far, so that exact predictions show as a line at 0."""


def draw_prediction(figure: Figure, queries: Sequence[Query], box: tuple[float, float, float, float]) -> None:
    """Draw scatter and residuals.

    Parameters
    ----------
    figure : to draw into.
    queries : in order.
    box : left, top, width, height in pixels, from the top left corner.
    """
    left, top, width, height = box
    side = height - 56
    scatter = place(figure, left + 78, top + 10, side, side)
    names = [*subnets_by_accuracy(queries), "not bit-exact"]
    residual_left = left + 78 + side + 92
    legend_width = max(text_px(name, figure, font_size()) for name in names) + 44
    residuals = place(figure, residual_left, top + 10, width - (residual_left - left) - legend_width - 12, side)
    _draw_scatter(scatter, queries)
    _draw_residuals(residuals, queries)
    residuals.legend(
        *scatter.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(1.02, 1.02),
        frameon=False,
        handletextpad=0.3,
        labelspacing=0.6,
    )


def _draw_scatter(axes: Axes, queries: Sequence[Query]) -> None:
    cycles = [value for query in queries for value in (query.predicted_cycles, query.simulated_cycles)]
    margin = max(0.08 * (max(cycles) - min(cycles)), 0.02 * max(cycles), 1)
    limits = (max(min(cycles) - margin, 0), max(cycles) + margin)
    axes.plot(limits, limits, color=MUTED.light, linewidth=0.8, zorder=1)
    for lane, subnet in enumerate(subnets_by_accuracy(queries)):
        served = [query for query in queries if query.subnet == subnet]
        axes.plot(
            [query.predicted_cycles for query in served],
            [query.simulated_cycles for query in served],
            subnet_marker(lane),
            color=subnet_colour(lane).light,
            markeredgecolor=PAPER.light,
            markeredgewidth=0.7,
            markersize=7,
            label=subnet,
            zorder=2,
        )
    _ring_wrong(axes, queries, [query.predicted_cycles for query in queries], "simulated_cycles")
    axes.set(xlim=limits, ylim=limits, xlabel="predicted cycles", ylabel="simulated cycles")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(nbins=4)
    axes.grid(True)


def _draw_residuals(axes: Axes, queries: Sequence[Query]) -> None:
    order = subnets_by_accuracy(queries)
    most = max(SMALLEST_PERCENT, *(abs(100 * query.cycle_error) for query in queries))
    axes.axhline(0, color=INK.light, linewidth=0.8, zorder=1)
    for lane, subnet in enumerate(order):
        served = [query for query in queries if query.subnet == subnet]
        x, y = [query.query for query in served], [100 * query.cycle_error for query in served]
        axes.vlines(x, 0, y, color=subnet_colour(lane).light, linewidth=1.4, zorder=1)
        axes.plot(
            x,
            y,
            subnet_marker(lane),
            color=subnet_colour(lane).light,
            markeredgecolor=PAPER.light,
            markeredgewidth=0.7,
            markersize=6,
            zorder=2,
        )
    numbers = [query.query for query in queries]
    axes.set(
        xlim=(min(numbers) - 0.8, max(numbers) + 0.8),
        ylim=(-1.15 * most, 1.15 * most),
        xlabel="query",
        ylabel="predicted − simulated, %",
    )
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:+.3g}".replace("-", "−") if value else "0")
    step = max(1, round(len(numbers) * 26 / width_px(axes)))
    axes.set_xticks(numbers[::step])
    axes.spines["bottom"].set_color(GRID.light)
    axes.grid(True, axis="y")


def _ring_wrong(axes: Axes, queries: Sequence[Query], x: Sequence[float], y: str) -> None:
    """Put a ring around the queries whose integers were wrong."""
    points = [(at, getattr(query, y)) for at, query in zip(x, queries, strict=True) if not query.bit_exact]
    if points:
        axes.plot(
            *zip(*points, strict=True),
            "o",
            color="none",
            markeredgecolor=BAD.light,
            markeredgewidth=1.8,
            markersize=14,
            label="not bit-exact",
            zorder=3,
        )
