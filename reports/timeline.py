"""Plot 1: the stream in time, one bar a query, and what the Persistent Buffer holds meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from reports.canvas import bytes_formatter, font_size, height_px, place, text_px, width_px
from reports.colours import BAD, GOOD, GRID, INK, MUTED, PAPER, ramp, subnet_colour
from reports.queries import Query, merged_order, subnets_by_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHECKS: tuple[tuple[str, Callable[[Query], bool]], ...] = (
    ("latency target", lambda query: query.latency_met),
    ("accuracy target", lambda query: query.accuracy_met),
    ("class", lambda query: query.right),
    ("bit-exact", lambda query: query.bit_exact),
)
"""The rows of marks over the bars."""

LANE_PX, CHECK_PX, PB_PX, GAP_PX, TOP_PX, BOTTOM_PX = 26, 17, 210, 46, 8, 40


@dataclass(frozen=True)
class Span:
    """A time in which something did not change.

    Attributes
    ----------
    begin, end : milliseconds.
    queries : within it.
    """

    begin: float
    end: float
    queries: tuple[Query, ...]


def times_ms(queries: Sequence[Query]) -> tuple[list[float], list[float]]:
    """When each query begins and ends, in milliseconds, back to back."""
    ends = [float(end) for end in np.cumsum([1000 * query.latency_s for query in queries])]
    return [0.0, *ends[:-1]], ends


def spans(queries: Sequence[Query], key: Callable[[Query], object]) -> list[Span]:
    """The stream cut where something changes from one query to the next.

    Parameters
    ----------
    queries : in order.
    key : what must not change.
    """
    begins, ends = times_ms(queries)
    cut = []
    for _, group in groupby(range(len(queries)), key=lambda n: key(queries[n])):
        members = list(group)
        cut.append(Span(begins[members[0]], ends[members[-1]], tuple(queries[n] for n in members)))
    return cut


def pb_spans(queries: Sequence[Query]) -> list[Span]:
    """The stream cut where the bytes in the PB change."""
    return spans(queries, lambda query: dict(query.pb_layers))


def timeline_height(queries: Sequence[Query]) -> float:
    """Height in pixels that the plot needs."""
    lanes = len(subnets_by_accuracy(queries))
    return TOP_PX + _lanes_px(lanes) + GAP_PX + PB_PX + BOTTOM_PX


def _lanes_px(lanes: int) -> float:
    return (len(CHECKS) + 1) * CHECK_PX + 10 + lanes * LANE_PX


def draw_timeline(
    figure: Figure, queries: Sequence[Query], pb_bytes: int, box: tuple[float, float, float, float]
) -> None:
    """Draw the stream and the content of the PB.

    Bars get the gid ``q0``, ``q1``, ... and bands of the PB ``b0-0``, ``b0-1``, ... (span, layer).

    Parameters
    ----------
    figure : to draw into.
    queries : in order.
    pb_bytes : of the PB.
    box : left, top, width, height in pixels, from the top left corner.
    """
    left, top, width, height = box
    names = [*subnets_by_accuracy(queries), *(check for check, _ in CHECKS)]
    size = font_size()
    margin = max(text_px(name, figure, size) for name in names) + 18
    lanes_height = _lanes_px(len(subnets_by_accuracy(queries)))
    stretch = (height - TOP_PX - GAP_PX - BOTTOM_PX) / (lanes_height + PB_PX)
    inner = width - margin - 12
    lanes = place(figure, left + margin, top + TOP_PX, inner, lanes_height * stretch)
    pb_top = top + TOP_PX + lanes_height * stretch + GAP_PX
    pb = place(figure, left + margin, pb_top, inner, PB_PX * stretch)
    _draw_lanes(figure, lanes, queries)
    _draw_pb(figure, pb, queries, pb_bytes)
    begins, ends = times_ms(queries)
    for axes in (lanes, pb):
        axes.set_xlim(0, ends[-1])
        for begin, query in zip(begins, queries, strict=True):
            if query.switched:
                axes.axvline(begin, color=MUTED.light, linewidth=0.8, linestyle=(0, (3, 2)), zorder=0.9)
    _name_subgraphs(figure, pb, queries, ends[-1])


def _draw_lanes(figure: Figure, axes: Axes, queries: Sequence[Query]) -> None:
    size = font_size()
    begins, ends = times_ms(queries)
    order = subnets_by_accuracy(queries)
    unit = LANE_PX / CHECK_PX  # the height of a lane, in rows of marks
    first = len(CHECKS) + 1 + 10 / CHECK_PX
    centre = {name: first + (lane + 0.5) * unit for lane, name in enumerate(order)}
    for y in centre.values():
        axes.axhline(y, color=GRID.light, linewidth=0.7, zorder=0.5)
    for n, query in enumerate(queries):
        bad = not query.bit_exact
        axes.barh(
            centre[query.subnet],
            ends[n] - begins[n],
            0.68 * unit,
            begins[n],
            color=BAD.light if bad else subnet_colour(order.index(query.subnet)).light,
            hatch="////" if bad else None,
            edgecolor=PAPER.light,
            linewidth=0.8,
            gid=f"q{n}",
        )
    middles = [(begin + end) / 2 for begin, end in zip(begins, ends, strict=True)]
    numbers = [str(query.query) for query in queries]
    widths = [text_px(number, figure, 0.9 * size) for number in numbers]
    for n in _that_fit(middles, widths, width_px(axes) / ends[-1]):
        axes.text(middles[n], 0.5, numbers[n], fontsize=0.9 * size, color=MUTED.light, ha="center", va="center")
    for row, (_, holds) in enumerate(CHECKS, 1):
        met = [x for x, query in zip(middles, queries, strict=True) if holds(query)]
        missed = [x for x, query in zip(middles, queries, strict=True) if not holds(query)]
        axes.plot(met, [row + 0.5] * len(met), "o", color=GOOD.light, markersize=3.4, markeredgewidth=0)
        axes.plot(missed, [row + 0.5] * len(missed), "x", color=BAD.light, markersize=6.5, markeredgewidth=2)
    axes.set_ylim(first + len(order) * unit, 0)
    axes.set_yticks(
        [row + 0.5 for row in range(len(CHECKS) + 1)] + list(centre.values()),
        ["query", *(name for name, _ in CHECKS), *order],
    )
    for label in axes.get_yticklabels()[len(CHECKS) + 1 :]:
        label.set_color(INK.light)
    axes.tick_params(bottom=False, labelbottom=False, pad=8)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _that_fit(places: Sequence[float], widths: Sequence[float], scale: float) -> Iterator[int]:
    """Which of the centred texts can be written without touching their predecessor; ``scale``: pixels a unit."""
    free = -np.inf
    for n, (x, width) in enumerate(zip(places, widths, strict=True)):
        if x * scale - width / 2 >= free:
            yield n
            free = x * scale + width / 2 + 5


def _draw_pb(figure: Figure, axes: Axes, queries: Sequence[Query], pb_bytes: int) -> None:
    size = font_size()
    layers = merged_order(query.layer_order for query in queries)
    most = max([pb_bytes, *(sum(query.pb_layers.values()) for query in queries), 1])
    end = times_ms(queries)[1][-1]
    x_scale, y_scale = width_px(axes) / end, height_px(axes) / (1.1 * most)
    for s, span in enumerate(pb_spans(queries)):
        base = 0
        for rank, layer in enumerate(layers):
            held = span.queries[0].pb_layers.get(layer, 0)
            if not held:
                continue
            fill, text_colour = ramp(rank, len(layers))
            axes.bar(
                span.begin,
                held,
                span.end - span.begin,
                base,
                align="edge",
                color=fill,
                edgecolor=PAPER.light,
                linewidth=0.8,
                gid=f"b{s}-{rank}",
            )
            fits_across = text_px(layer, figure, 0.9 * size) + 8 < (span.end - span.begin) * x_scale
            if fits_across and held * y_scale > 1.3 * size * figure.dpi / 72:
                axes.text(
                    (span.begin + span.end) / 2,
                    base + held / 2,
                    layer,
                    fontsize=0.9 * size,
                    color=text_colour,
                    ha="center",
                    va="center_baseline",
                )
            base += held
    axes.axhline(pb_bytes, color=INK.light, linewidth=1.1)
    axes.annotate(
        f"capacity {pb_bytes:,} bytes",
        (1, pb_bytes),
        (0, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=0.9 * size,
    )
    axes.set_ylim(0, 1.1 * most)
    axes.set_ylabel("bytes in the PB")
    axes.yaxis.set_major_formatter(bytes_formatter(most))
    axes.locator_params(axis="y", nbins=5)
    axes.set_xlabel("time, ms")


def _name_subgraphs(figure: Figure, axes: Axes, queries: Sequence[Query], end: float) -> None:
    """Write over the PB which SubGraph it holds from when on: in a line or two, if there is room."""
    size = 0.9 * font_size()
    scale = width_px(axes) / end
    for span in spans(queries, lambda query: query.cached_subgraph):
        room = (span.end - span.begin) * scale + 4
        name = span.queries[0].cached_subgraph
        for text, points in ((name, size), (name.replace(" of ", " of\n"), 0.87 * size)):
            if max(text_px(line, figure, points) for line in text.split("\n")) < room:
                axes.annotate(
                    text,
                    (span.begin, 1),
                    (3, 5),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    fontsize=points,
                    color=MUTED.light,
                    ha="left",
                    va="bottom",
                )
                break
        if not any(query.pb_layers for query in span.queries) and text_px("empty", figure, size) < room:
            axes.text(
                (span.begin + span.end) / 2,
                0.45 * axes.get_ylim()[1],
                "empty",
                color=MUTED.light,
                ha="center",
            )
