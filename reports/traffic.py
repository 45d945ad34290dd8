"""Plot 3: the DRAM bytes of each query, with the Persistent Buffer and as they would be without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.canvas import bytes_formatter, font_size, place, text_px, width_px
from reports.colours import GRID, INK, MUTED, WITH, WITHOUT
from reports.queries import Query

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_traffic(figure: Figure, queries: Sequence[Query], box: tuple[float, float, float, float]) -> None:
    """Draw a pair of bars for each query.

    The percentage that the PB saved is over each pair, if there is room. Bars get the gids ``o0``, ... (without) and
    ``w0``, ... (with the PB).

    Parameters
    ----------
    figure : to draw into.
    queries : in order.
    box : left, top, width, height in pixels, from the top left corner.
    """
    size = 0.9 * font_size()
    left, top, width, height = box
    axes = place(figure, left + 78, top + 34, width - 90, height - 34 - 44)
    for n, query in enumerate(queries):
        pairs = ((-0.42, query.bytes_without_pb, WITHOUT, "o"), (0, query.dram_bytes, WITH, "w"))
        for shift, value, colour, letter in pairs:
            label = None if n else "without the PB" if letter == "o" else "with the PB"
            axes.bar(n + shift, value, 0.4, align="edge", color=colour.light, label=label, gid=f"{letter}{n}")
    most = max([1, *(query.bytes_without_pb for query in queries)])
    count = max(len(queries), 6)  # a single pair is not a wall
    middle = (len(queries) - 1) / 2
    axes.set(
        xlim=(middle - count / 2 - 0.1, middle + count / 2 + 0.1),
        ylim=(0, 1.12 * most),
        xlabel="query",
        ylabel="DRAM bytes",
    )
    texts = [f"{100 * query.saved_fraction:.0f}" for query in queries]
    room = width_px(axes) / (count + 0.2)
    if len(queries) * max(text_px(text, figure, size) for text in texts) < len(queries) * room:
        for n, (query, text) in enumerate(zip(queries, texts, strict=True)):
            axes.annotate(
                text,
                (n, query.bytes_without_pb),
                (0, 3),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=size,
                color=INK.light if query.pb_saved_bytes else MUTED.light,
            )
    step = max(1, round(len(queries) * 26 / width_px(axes)))
    axes.set_xticks(range(0, len(queries), step), [str(query.query) for query in queries[::step]])
    axes.yaxis.set_major_formatter(bytes_formatter(most))
    axes.locator_params(axis="y", nbins=5)
    axes.grid(True, axis="y")
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(GRID.light)
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(-0.005, 1.01), ncols=2, frameon=False, borderpad=0, handlelength=1.2
    )
    legend.set_in_layout(False)
