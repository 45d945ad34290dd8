"""The timeline of a served stream: each query's latency and deadline, what it ran on, what the PB held."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from arch_model.files.writing import write_whole
from reports.canvas import drawing, new_figure, picture_bytes, place
from reports.colours import BAD, INK, MUTED, PAPER, ramp

if TYPE_CHECKING:
    from sim.serving.simulator import Served

SIZE_PX = (1400, 760)
LEFT = 190
MOST = 2000
"""Queries that are drawn: the first ones of a longer stream."""


def save_timeline(served: Served, path: Path) -> None:
    """Write :func:`timeline_picture` to a file, replacing what is there.

    Parameters
    ----------
    served : the run.
    path : the file.
    """
    write_whole(path, timeline_picture(served, path))


def timeline_picture(served: Served, path: Path) -> bytes:
    """The timeline as PNG, SVG or PDF: latency, deadlines, queue, SubGraph over the time.

    Parameters
    ----------
    served : the run.
    path : whose ending says which.
    """
    count = min(len(served.stream), MOST)
    arrival, latency = served.stream.arrival_s[:count], 1e3 * served.latency_s[:count]
    deadline, late = 1e3 * served.stream.latency_s[:count], ~served.in_time[:count]
    end = served.start_s[:count] + served.service_s[:count]
    waiting = np.arange(count) - np.searchsorted(end, arrival, side="right")
    used = [row for row in range(len(served.table.sushi.subnets)) if row in set(served.rows[:count].tolist())]
    held = [c for c in range(len(served.table.sushi.subgraphs)) if c in set(served.columns[:count].tolist())]
    width, height = SIZE_PX
    with drawing("serving", size=10):
        figure = new_figure(width, height, dpi=100)
        top = place(figure, LEFT, 50, width - LEFT - 240, 330)
        for rank, row in enumerate(used):
            mine = served.rows[:count] == row
            top.plot(
                arrival[mine],
                latency[mine],
                "o",
                markersize=3.5,
                markeredgewidth=0,
                color=ramp(rank, max(len(used), 2))[0],
                label=served.table.sushi.subnets[row],
            )
        top.plot(arrival, deadline, "_", color=MUTED.light, markersize=3, label="deadline")
        top.plot(arrival[late], latency[late], "o", markersize=7, fillstyle="none", color=BAD.light, label="late")
        top.set_yscale("log")
        for axis in (top.yaxis.set_major_formatter, top.yaxis.set_minor_formatter):
            axis(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else "")
        top.set_ylabel("latency, ms")
        top.grid(axis="y")
        top.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, fontsize=8)
        middle = place(figure, LEFT, 410, width - LEFT - 240, 90, sharex=top)
        middle.step(arrival, waiting, where="post", color=INK.light, linewidth=0.9)
        middle.set_ylabel("queries in\nthe machine")
        below = place(figure, LEFT, 530, width - LEFT - 240, 170, sharex=top)
        changes = [0, *(np.flatnonzero(np.diff(served.columns[:count])) + 1).tolist(), count]
        finish = float(end[-1])
        for low, high in pairwise(changes):
            rank = held.index(int(served.columns[low]))
            stop = served.start_s[high] if high < count else finish
            begin = float(served.start_s[low])  # what is held is held until the next switch
            below.barh(rank, stop - begin, left=begin, height=0.8, color=ramp(rank, max(len(held), 2))[0])
        below.set_yticks(range(len(held)), [served.table.sushi.subgraphs[c] for c in held], fontsize=8)
        below.set_ylabel("SubGraph in the PB")
        below.set_xlabel("time, s")
        summary = served.summary()
        figure.text(
            LEFT / width,
            1 - 24 / height,
            f"{served.facts.get('policy', '')}, cache {served.facts.get('cache', '')}: "
            f"{summary['queries']:,} queries, mean {1e3 * summary['mean_latency_s']:.3f} ms, "
            f"p99 {1e3 * summary['p99_latency_s']:.3f} ms, {100 * summary['slo_attainment']:.1f} % in time"
            + (f" (the first {count:,} drawn)" if count < len(served.stream) else ""),
            fontsize=12,
            fontweight="bold",
            va="center",
        )
        return picture_bytes(figure, path, facecolor=PAPER.light)
