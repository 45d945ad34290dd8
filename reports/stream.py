"""The result of ``fastswitch run`` to look at: one HTML page that needs nothing else, and one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arch_model.errors import FastSwitchError
from arch_model.files.writing import make_folder, whole_file, write_whole
from reports.canvas import require_matplotlib
from reports.figures import prediction_svg, save_picture, timeline_svg, traffic_svg
from reports.page import page
from reports.queries import Query

PAGE_NAME = "stream.html"


def write_page(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], out: Path) -> Path:
    """Write ``out/stream.html`` and return its path.

    Times are seconds, sizes bytes, accuracies and errors fractions. Equal input gives an equal file.

    Parameters
    ----------
    rows : one mapping a query, in the order of the stream, with the keys of :class:`reports.queries.Query` (all but
        ``latency_s`` and ``layer_order``; ``image``, uint8 of shape (rows, columns), may be absent; ``pb_layers`` in
        the order of the SuperNet, with or without the layers that have 0 bytes).
    summary : ``queries``, ``bit_exact``, ``max_cycle_error``, ``bytes_saved_fraction``, ``accuracy``, ``accelerator``
        (name), ``clock_hz``, ``pb_bytes``, ``policy``, ``seed``, ``version``, ``simulator``; ``command``, if given,
        stands in the foot as it is.
    out : the folder, made if it is not there.

    Raises
    ------
    FastSwitchError
        There is no row, matplotlib is not installed, or the file cannot be written.
    """
    require_matplotlib()
    queries = _queries(rows, summary)
    pb_bytes = int(summary["pb_bytes"])
    plots = {
        "timeline": timeline_svg(queries, pb_bytes),
        "prediction": prediction_svg(queries),
        "traffic": traffic_svg(queries),
    }
    path = out / PAGE_NAME
    make_folder(out)
    write_whole(path, page(queries, summary, plots))
    return path


def write_picture(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], path: Path) -> Path:
    """Save timeline and DRAM bytes of a stream as a PNG of 1400 x 700 pixels; returns its path.

    Parameters
    ----------
    rows, summary : as :func:`write_page` takes them.
    path : the file.

    Raises
    ------
    FastSwitchError
        As :func:`write_page`.
    """
    require_matplotlib()
    queries = _queries(rows, summary)
    with whole_file(path) as file:
        save_picture(queries, int(summary["pb_bytes"]), file)
    return path


def _queries(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[Query]:
    if not rows:
        raise FastSwitchError("the stream has 0 queries; a page needs at least 1")
    return [Query.of(row, float(summary["clock_hz"])) for row in rows]
