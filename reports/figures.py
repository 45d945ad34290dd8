"""The figures: which plots, how large, as SVG for the page and as one picture for a README."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from reports.canvas import drawing, new_figure, to_svg
from reports.colours import BAD, INK, PAPER
from reports.prediction import draw_prediction
from reports.queries import Query, class_name, merged_order
from reports.timeline import draw_timeline, pb_spans, timeline_height
from reports.traffic import draw_traffic

PAGE_PX = 1080
"""Width of the page's column, CSS pixels."""

PICTURE_PX = (1400, 700)
STREAM_TITLE = "The stream of queries, and what the Persistent Buffer holds"


def timeline_svg(queries: Sequence[Query], pb_bytes: int) -> str:
    """The timeline of the stream as SVG.

    Parameters
    ----------
    queries : in order.
    pb_bytes : of the PB.
    """
    titles = {
        f"q{n}": f"query {query.query}: {query.subnet}, {1000 * query.latency_s:.3f} ms, "
        f"{class_name(query.predicted_class, query.subnet)}" + ("" if query.bit_exact else ", NOT BIT-EXACT")
        for n, query in enumerate(queries)
    }
    layers = merged_order(query.layer_order for query in queries)
    for s, span in enumerate(pb_spans(queries)):
        for layer, held in span.queries[0].pb_layers.items():
            titles[f"b{s}-{layers.index(layer)}"] = f"{layer}: {held:,} bytes, {span.queries[0].cached_subgraph}"
    with drawing("timeline"):
        height = timeline_height(queries)
        figure = new_figure(PAGE_PX, height)
        draw_timeline(figure, queries, pb_bytes, (0, 0, PAGE_PX, height))
        return to_svg(figure, "timeline", "Timeline of the stream and the content of the PB", titles)


def prediction_svg(queries: Sequence[Query]) -> str:
    """Predicted against simulated cycles of queries, as SVG."""
    with drawing("prediction"):
        figure = new_figure(PAGE_PX, 400)
        draw_prediction(figure, queries, (0, 0, PAGE_PX, 400))
        return to_svg(figure, "prediction", "Predicted against simulated cycles, and their difference")


def traffic_svg(queries: Sequence[Query]) -> str:
    """DRAM bytes of queries with and without the PB, as SVG."""
    titles = {}
    for n, query in enumerate(queries):
        titles[f"o{n}"] = f"query {query.query} without the PB: {query.bytes_without_pb:,} bytes"
        titles[f"w{n}"] = f"query {query.query}: {query.dram_bytes:,} bytes"
    with drawing("traffic"):
        figure = new_figure(PAGE_PX, 330)
        draw_traffic(figure, queries, (0, 0, PAGE_PX, 330))
        return to_svg(figure, "traffic", "DRAM bytes of each query with and without the PB", titles)


def save_picture(queries: Sequence[Query], pb_bytes: int, file: BinaryIO) -> None:
    """Timeline and DRAM bytes side by side as a PNG of 1400 x 700 pixels on white.

    Parameters
    ----------
    queries : in order.
    pb_bytes : of the PB.
    file : where the bytes go.
    """
    width, height = PICTURE_PX
    with drawing("picture", size=11):
        figure = new_figure(width, height, dpi=100)
        draw_timeline(figure, queries, pb_bytes, (12, 52, 868, height - 60))
        draw_traffic(figure, queries, (900, 52, 490, height - 60))
        wrong = sum(not query.bit_exact for query in queries)
        heading = f"NOT BIT-EXACT: {wrong} of {len(queries)} queries" if wrong else STREAM_TITLE
        for left, title, colour in (
            (24, heading, BAD if wrong else INK),
            (912, "DRAM bytes, and % saved by the PB", INK),
        ):
            figure.text(
                left / width, 1 - 30 / height, title, fontsize=14, va="center", fontweight="bold", color=colour.light
            )
        figure.savefig(file, format="png", facecolor=PAPER.light, metadata={"Software": None})
