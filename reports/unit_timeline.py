"""The plot of a Program in time: one lane a unit, what the RTL did over what the model said it would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from arch_model.files.writing import whole_file
from arch_model.program.isa import Command, Memory
from arch_model.timing.reference_timing import UNITS, Interval
from reports.canvas import drawing, font_size, new_figure, place, text_px, width_px
from reports.colours import BAD, GRID, INK, MUTED, PAPER, SUBNETS, WITHOUT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.rtl_bench.tracing import Traced
    from sim.rtl_bench.waveform import Observed

WIDTH_PX, LEFT_PX, RIGHT_PX = 1200, 92, 26
TITLE_PX, LEGEND_PX, WORK_PX, LANE_PX, AXIS_PX = 34, 26, 40, 46, 42
RTL, MODEL = (0.08, 0.54), (0.66, 0.18)
"""Top and height of the two bars in a lane, which is 1 high."""

COLOURS = dict(zip(UNITS, (SUBNETS[i].light for i in (0, 4, 1, 2, 5)), strict=True))
CAUSES = {"sb": ("LOAD_ACT", "SB"), "weights": ("FEED", "weights"), "out": ("STORE", "output side")}
"""What RUN waits for, and the unit that it waits for."""

MEMORIES = {Memory.DB: "DB", Memory.PB: "PB", Memory.ZSB: "ZSB", Memory.TABLE: "table"}
BUSY_PX = 14
"""Where commands of RUN are narrower in the whole picture, a second one shows some of them larger."""

CLOSER_COMMANDS = 16


@dataclass(frozen=True)
class Pair:
    """A Program's intervals on the RTL and in the model, to compare.

    Attributes
    ----------
    commands : of the Program.
    predicted : the model's intervals.
    cycles : the model's.
    observed : on the RTL.
    """

    commands: Sequence[Command]
    predicted: Sequence[Interval]
    cycles: int
    observed: Observed

    @classmethod
    def of(cls, traced: Traced) -> Pair:
        """What a Program that was traced did, and was said to do."""
        outcome = traced.outcome
        return cls(outcome.program.commands, outcome.predicted.timeline, outcome.predicted.cycles, traced.observed)

    def rows(self) -> list[dict[str, object]]:
        """The intervals as a table: unit, command, opcode, and from when to when on the RTL and in the model."""
        model = {(interval.unit, interval.command): interval for interval in self.predicted}
        return [
            {
                "unit": rtl.unit,
                "command": rtl.command,
                "opcode": self.commands[rtl.command].opcode.name,
                "start": rtl.start,
                "end": rtl.end,
                "model_start": model[rtl.unit, rtl.command].start,
                "model_end": model[rtl.unit, rtl.command].end,
            }
            for rtl in self.observed.timeline
        ]

    def differences(self) -> list[tuple[Interval, Interval]]:
        """(model's, RTL's) intervals of commands for which they are not the same."""
        model = {(interval.unit, interval.command): interval for interval in self.predicted}
        pairs = [(model[rtl.unit, rtl.command], rtl) for rtl in self.observed.timeline]
        return [(said, seen) for said, seen in pairs if said != seen]


def save_unit_timeline(pair: Pair, title: str, path: Path) -> None:
    """Write the plot as PNG.

    Parameters
    ----------
    pair : what is compared.
    title : of the plot.
    path : the file.

    Raises
    ------
    FastSwitchError
        Matplotlib is not installed, or the file cannot be written.
    """
    closer = closer_range(pair.observed)
    panel = WORK_PX + len(UNITS) * LANE_PX + AXIS_PX
    height = TITLE_PX + LEGEND_PX + panel * (1 if closer is None else 2)
    with drawing("units"):
        figure = new_figure(WIDTH_PX, height)
        figure.set_facecolor(PAPER.light)
        _draw_title(figure, pair, title)
        _draw_legend(figure)
        ranges = [(0, pair.observed.cycles), *([] if closer is None else [closer])]
        for number, cycles in enumerate(ranges):
            _draw_panel(figure, pair, cycles, TITLE_PX + LEGEND_PX + number * panel, ranges[1:] if not number else [])
        with whole_file(path) as file:
            figure.savefig(file, format="png", dpi=144, metadata={"Software": None})


def closer_range(observed: Observed) -> tuple[int, int] | None:
    """Cycles (first, last + 1) around the middle command of RUN to show larger; None if all can be seen as it is."""
    runs = [interval for interval in observed.timeline if interval.unit == "RUN"]
    if not runs:
        return None
    typical = float(np.median([interval.end - interval.start for interval in runs]))
    if typical * (WIDTH_PX - LEFT_PX - RIGHT_PX) / observed.cycles >= BUSY_PX or len(runs) <= CLOSER_COMMANDS:
        return None
    middle = len(runs) // 2
    some = runs[max(0, middle - CLOSER_COMMANDS // 2) :][:CLOSER_COMMANDS]
    span = some[0].start, some[-1].end + 1
    return span if span[1] - span[0] < observed.cycles / 2 else None


def label(command: Command) -> str:
    """What a bar says if there is room.

    >>> from arch_model.program.isa import Command, Opcode
    >>> label(Command(Opcode.LOAD_WGT, {"memory": 2})), label(Command(Opcode.PASS, {"reps": 3}))
    ('ZSB', '3 passes')
    """
    match command.opcode.name:
        case "LOAD_WGT":
            return MEMORIES[Memory(command["memory"])]
        case "PASS":
            return f"{command['reps']} pass{'es' if command['reps'] > 1 else ''}"
        case _:
            return ""


def at_work(timeline: Sequence[Interval], cycles: tuple[int, int], points: int) -> npt.NDArray[np.float64]:
    """How many units execute a command, as means over equal parts of a range.

    Parameters
    ----------
    timeline : intervals of commands.
    cycles : first and last of the range.
    points : parts.

    Examples
    --------
    >>> at_work([Interval("FEED", 0, 0, 4), Interval("RUN", 0, 2, 4)], (0, 8), 4)
    array([0.5, 1.5, 1. , 0. ])
    """
    first, last = cycles
    change = np.zeros(last - first + 1)
    for interval in timeline:
        begin, end = np.clip([interval.start + 1 - first, interval.end + 1 - first], 0, last - first)
        change[begin] += 1
        change[end] -= 1
    total = np.concatenate([[0.0], np.cumsum(np.cumsum(change[:-1]))])
    edges = np.linspace(0, last - first, points + 1)
    means: npt.NDArray[np.float64] = np.diff(np.interp(edges, np.arange(total.size), total)) / np.diff(edges)
    return means


def _draw_title(figure: Figure, pair: Pair, title: str) -> None:
    width, height = figure.get_size_inches() * figure.dpi
    different = len(pair.differences())
    same = pair.observed.cycles == pair.cycles and not different
    if same:
        verdict = f"{pair.cycles:,} cycles on the RTL and in the model; every interval is the same"
    else:
        verdict = (
            f"{pair.observed.cycles:,} cycles on the RTL, {pair.cycles:,} in the model; "
            f"{different} of {len(pair.observed.timeline)} intervals differ"
        )
    y = 1 - 0.55 * TITLE_PX / height
    size = font_size()
    figure.text(LEFT_PX / width, y, title, fontsize=1.25 * size, fontweight="bold", va="center")
    colour = MUTED.light if same else BAD.light
    figure.text(1 - RIGHT_PX / width, y, verdict, fontsize=size, color=colour, ha="right", va="center")


def _draw_legend(figure: Figure) -> None:
    axes = place(figure, LEFT_PX, TITLE_PX, WIDTH_PX - LEFT_PX - RIGHT_PX, LEGEND_PX)
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH_PX - LEFT_PX - RIGHT_PX)
    axes.set_ylim(1, 0)
    size, x = 0.95 * font_size(), 0.0
    entries: list[tuple[str, object, float]] = [
        ("executes a command on the RTL", COLOURS["RUN"], 0.5),
        ("in the model", WITHOUT.light, 0.2),
        ("only in one of them", BAD.light, 0.2),
    ]
    entries += [(f"RUN waits for {name}", _wait_colour(cause), 0.5) for cause, (_, name) in CAUSES.items()]
    for text, colour, height in entries:
        axes.barh(0.5, 22, height, x, color=colour)
        axes.text(x + 28, 0.5, text, fontsize=size, color=MUTED.light, va="center_baseline")
        x += 28 + 0.93 * text_px(text, figure, size) + 14


def _wait_colour(cause: str) -> tuple[float, ...]:
    """A pale tone of the colour of the unit that RUN waits for."""
    from matplotlib.colors import to_rgb

    return tuple(0.3 * of + 0.7 for of in to_rgb(COLOURS[CAUSES[cause][0]]))


def _draw_panel(
    figure: Figure, pair: Pair, cycles: tuple[int, int], top: float, marked: Sequence[tuple[int, int]]
) -> None:
    """Draw the cycles of a range; ``marked``: ranges that are shown larger elsewhere."""
    width = WIDTH_PX - LEFT_PX - RIGHT_PX
    work = place(figure, LEFT_PX, top, width, WORK_PX - 6)
    lanes = place(figure, LEFT_PX, top + WORK_PX, width, len(UNITS) * LANE_PX)
    means = at_work(pair.observed.timeline, cycles, min(width, cycles[1] - cycles[0]))
    work.stairs(means, np.linspace(*cycles, means.size + 1), fill=True, color=MUTED.light, alpha=0.55, linewidth=0)
    work.set_ylim(0, len(UNITS))
    work.set_yticks([len(UNITS) / 2], [f"at work,\nof {len(UNITS)} units"], fontsize=0.9 * font_size())
    work.tick_params(bottom=False, labelbottom=False)
    work.spines[["left", "bottom"]].set_visible(False)
    for axes in (work, lanes):
        axes.set_xlim(*cycles)
        for first, last in marked:
            axes.axvspan(first, last, color=GRID.light, zorder=0, linewidth=0)
    lanes.set_ylim(len(UNITS), 0)
    lanes.set_yticks([UNITS.index(unit) + 0.42 for unit in UNITS], UNITS)
    for tick in lanes.get_yticklabels():
        tick.set_color(INK.light)
    lanes.spines["left"].set_visible(False)
    lanes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    lanes.set_xlabel("cycles from the start" + ("" if cycles[0] == 0 else ": the grey part above, larger"))
    for lane in range(1, len(UNITS)):
        lanes.axhline(lane - 0.03, color=GRID.light, linewidth=0.7, zorder=0.5)
    _draw_lanes(figure, lanes, pair, cycles)


def _draw_lanes(figure: Figure, axes: Axes, pair: Pair, cycles: tuple[int, int]) -> None:
    scale = width_px(axes) / (cycles[1] - cycles[0])

    def bars(
        spans: Sequence[tuple[int, int]], lane: int, where: tuple[float, float], colour: object, zorder: float = 1
    ) -> None:
        """Bars from cycle to cycle (first, last); a fine gap keeps neighbours apart where there is room for it."""
        seen = [(a, b) for a, b in spans if b >= cycles[0] and a < cycles[1]]
        gap = 1 / scale
        widths = [(a, max(b + 1 - a - (gap if (b + 1 - a) * scale > 5 else 0), 0.25 / scale)) for a, b in seen]
        axes.broken_barh(widths, (lane + where[0], where[1]), facecolor=colour, linewidth=0, zorder=zorder)

    def in_hand(intervals: Sequence[Interval]) -> list[tuple[int, int]]:
        return [(interval.start + 1, interval.end) for interval in intervals]

    for lane, unit in enumerate(UNITS):
        seen = [interval for interval in pair.observed.timeline if interval.unit == unit]
        bars(in_hand(seen), lane, RTL, COLOURS[unit])
        standing = pair.observed.waits["weights"] if unit == "RUN" else ()
        for interval in seen:
            _write_label(figure, axes, label(pair.commands[interval.command]), interval, standing, cycles)
        said = [interval for interval in pair.predicted if interval.unit == unit]
        bars(in_hand(said), lane, MODEL, WITHOUT.light)
    for cause, waits in pair.observed.waits.items():
        bars(waits, UNITS.index("RUN"), RTL, _wait_colour(cause), 2)
    for model, rtl in pair.differences():
        apart = [sorted((model.start, rtl.start)), sorted((model.end, rtl.end))]
        only = [(first + 1, last) for first, last in apart if first != last]
        bars(only, UNITS.index(rtl.unit), MODEL, BAD.light, 2)


def _write_label(
    figure: Figure,
    axes: Axes,
    text: str,
    interval: Interval,
    waits: Sequence[tuple[int, int]],
    cycles: tuple[int, int],
) -> None:
    """Write into the longest part of a bar in which its unit does not wait, if there is room."""
    inside = [wait for wait in waits if interval.start < wait[0] <= interval.end]
    begins = [interval.start + 1, *(last + 1 for _, last in inside)]
    ends = [*(first for first, _ in inside), interval.end + 1]
    parts = [(max(a, cycles[0]), min(b, cycles[1])) for a, b in zip(begins, ends, strict=True)]
    first, last = max(parts, key=lambda part: part[1] - part[0])
    size, scale = 0.85 * font_size(), width_px(axes) / (cycles[1] - cycles[0])
    if text and text_px(text, figure, size) + 4 < (last - first) * scale:
        y = UNITS.index(interval.unit) + RTL[0] + RTL[1] / 2
        colour = INK.light if interval.unit in ("LOAD_WGT", "FEED") else PAPER.light
        axes.text((first + last) / 2, y, text, fontsize=size, color=colour, ha="center", va="center_baseline")
