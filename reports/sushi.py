"""docs/studies/sushi.md: what the PB, the schedulers and their parameters are worth, beside what SUSHI published.

    python -m reports.sushi [FOLDER]

writes FOLDER/sushi.md and FOLDER/sushi.png (FOLDER: docs/studies); a minute or two. Started again after an interruption
it goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from arch_model.files.writing import write_whole
from arch_model.machine.accelerator import Accelerator
from reports.canvas import drawing, new_figure, place, save_picture
from reports.colours import PAPER, ramp
from reports.sushi_sweep import (
    BANDWIDTHS,
    PRESET,
    QUERIES,
    SEEDS,
    SHIPPED_GB_S,
    machine,
    rows,
    shipped_mb,
)
from reports.terminal import counting

KEPT = "sushi.rows"
"""What an interrupted run leaves in the folder; gone when the page is there."""

HEAD = """# SUSHI, reproduced

`python -m reports.sushi` writes this page and its figure (version {version}, preset `{preset}` {hash}); a minute or
two, and a run that was interrupted goes on where it was.

What SUSHI (MLSys 2023; IEEE Micro 2023) published is set beside what our model gives on machines like `{preset}`
({kp} × {cp} DPEs, {mhz} MHz) whose PB and ports vary. GB/s count the board's six ports, here a third each for weights,
activations and results. (`{preset}` itself gives weights four of the six, because that serves it best without a PB;
what a PB is worth then is one line below.) Less than the board's {gb_s} GB/s is a beat every second or fourth cycle,
more a beat twice as wide, of which LOAD_ACT and STORE still move {moved} bytes a cycle. Every figure is against
the *same machine with nothing in its PB*; the PB's area is not given to another buffer. Layers are cut as the compiler
cuts them, not as `fastswitch map` finds best. Streams: {queries} queries, seeds {seeds}, temporal locality 0.8, no
query waits for another; Q = 4, SubGraphs of the SubNets themselves.

![Latency and DRAM bytes saved](sushi.png)
"""

NOTES = """
Columns "here" are a machine with the board's {gb_s} GB/s and a PB of {pb:.2f} MB; "most" is the best of the whole sweep
(PB 0.5 to 8 MB, 2.4 to 19.2 GB/s). With four of the ports for weights, as `{preset}` ships, the same streams save less
of their mean latency (our scheduler): {shipped}.

- Ranges by network (5.7-7.9 %, 14-52.6 %, 43.6-78.7 %) are quoted from memory and unconfirmed.
- SUSHI's MobileNetV3 SubNets are not published; ours are the six released ones whose accuracy is known.
- Cycles and bytes are those of whole Programs. MobileNetV3's depthwise and squeeze-excite layers and ResNet50's pools
  are in, and overlap with their neighbours; they take time and bytes that the PB cannot save. Switches are estimated.
- Ours count *all* DRAM traffic: activations, commands, and weights that come again for every spatial tile. What the
  published energy counts is not known to us; "weight traffic alone" shows what it would be without activations.
- Compiler and schedulers aim at time, not at bytes. With faster ports layers are cut into more spatial tiles, each of
  which fetches its weights again: OFA-ResNet50 without a PB then moves more bytes, and a large PB spares more of them.
  And the SubGraph that saves most time need not save most bytes, so a larger PB may spare fewer.
- Each SubNet's SubGraph is what `mapper/pinning/greedy.py` picks in one pass: a good part, not the best one; a larger
  PB can
  even save less where the cut of a layer changes. Candidates at the end of the page include random ones.

Where ours stays below, it is because the machine hides most weight traffic behind its array: a weight tile comes in
{tile} cycles (beats of {beat} bytes) and is then used for as many as the layer's tile has output pixels. Only layers
with fewer pixels wait for weights, so a PB has little left to save, and bytes that are not weights do not shrink.
Slower DRAM or a larger PB changes that.
"""

PUBLISHED = (
    ("latency of one SubNet, at most", "5.7-7.9 % (ResNet50), about 25 % (MobileNetV3)", "alone", 100, " %"),
    ("mean latency at equal accuracy, SUSHI's rule", "up to 25 % / 32 %", "sushi", 100, " %"),
    ("the same, our scheduler", "", "forecast", 100, " %"),
    ("accuracy at equal deadlines", "up to +0.98 %", "accuracy", 1, " points"),
    ("off-chip energy (DRAM bytes), the stream", "up to 78.7 %", "energy", 100, " %"),
    ("the same, one SubNet, at most", "14-52.6 % (ResNet50), 43.6-78.7 % (MobileNetV3)", "energy_alone", 100, " %"),
    ("of weight traffic alone, one SubNet, at most", "", "weights_alone", 100, " %"),
)
"""Title, published, key of :func:`reports.sushi_sweep.gains`, its scale and unit."""

CLAIMS = (
    ("25 % less mean latency with SUSHI's rule", "sushi", 0.25),
    ("32 % less", "sushi", 0.32),
    ("0.98 points more accuracy", "accuracy", 0.98),
    ("78.7 % less off-chip energy, one SubNet", "energy_alone", 0.787),
    ("78.7 % if only weights counted", "weights_alone", 0.787),
)

GRIDS = (
    ("forecast", "Mean latency saved at equal accuracy, our scheduler, %", 100, 1),
    ("sushi", "The same with SUSHI's rule, %", 100, 1),
    ("alone", "Latency of one SubNet with its best SubGraph, the most of the six, %", 100, 1),
    ("accuracy", "Accuracy gained at equal deadlines (strict-latency, SUSHI's cache), points", 1, 2),
    ("energy", "DRAM bytes saved, our scheduler, %", 100, 1),
    ("weights_alone", "Weight traffic of one SubNet saved by its best SubGraph, the most of the six, %", 100, 1),
    ("gap", "Our scheduler above the offline optimum, %", 100, 2),
)


def draw(found: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Latency and DRAM bytes saved over the size of the PB, a line a bandwidth, a row a family.

    Parameters
    ----------
    found : the sweep by family.
    path : the file.
    """
    width, height = 1100, 340 * len(found)
    with drawing("sushi", size=10):
        figure = new_figure(width, height, dpi=100)
        for row, (name, frame) in enumerate(found.items()):
            for column, (key, title) in enumerate((("forecast", "latency saved"), ("energy", "DRAM bytes saved"))):
                axes = place(figure, 80 + 530 * column, 50 + 330 * row, 440, 230)
                for rank, (gb_s, part) in enumerate(frame.groupby("gb_s")):
                    colour = ramp(rank + 1, len(BANDWIDTHS) + 1)[0]
                    sizes, saved = [0, *part["pb_mb"]], [0, *(100 * part[key])]
                    axes.plot(sizes, saved, "o-", color=colour, markersize=4, label=f"{gb_s} GB/s")
                axes.set_title(f"{name}: {title}, %")
                axes.set_xlabel("PB, MB")
                axes.set_ylim(bottom=0)
                axes.grid(axis="y")
                axes.legend(frameon=False)
        save_picture(figure, path, facecolor=PAPER.light)


def lines_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Parameters
    ----------
    head : titles of the columns.
    rows : as many texts each.

    Examples
    --------
    >>> print(lines_of(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, *rows)).replace(
        "|\n", "|\n" + "|---" * len(head) + "|\n", 1
    )


def grid(frame: pd.DataFrame, key: str, scale: float = 100, digits: int = 1) -> str:
    """A Markdown table of one quantity: rows PB sizes, columns bandwidths.

    Parameters
    ----------
    frame : the sweep of a family.
    key : the quantity's column.
    scale : by which it is multiplied.
    digits : behind the point.
    """
    wide = frame.pivot(index="pb_mb", columns="gb_s", values=key)
    rows = zip(wide.index.tolist(), wide.to_numpy().tolist(), strict=True)
    return lines_of(
        ("PB, MB", *(f"{g} GB/s" for g in BANDWIDTHS)),
        [(f"{pb:.4g}", *(f"{scale * value:.{digits}f}" for value in row)) for pb, row in rows],
    )


def met(frame: pd.DataFrame, key: str, published: float) -> str:
    """Where a quantity reaches what was published, for each bandwidth the smallest PB; or what comes nearest.

    Parameters
    ----------
    frame : the sweep of a family.
    key : the quantity's column.
    published : its published value.
    """
    enough = frame[frame[key] >= published]
    if enough.empty:
        best = frame.iloc[int(frame[key].to_numpy().argmax())]
        return f"not in this sweep; nearest with a PB of {best.pb_mb:.4g} MB at {best.gb_s} GB/s"
    least = enough.groupby("gb_s")["pb_mb"].min()
    return "; ".join(f"from {pb:.4g} MB on at {gb_s} GB/s" for gb_s, pb in least.items())


def beside(found: Mapping[str, pd.DataFrame]) -> str:
    """The published figures and ours."""
    lines = []
    for title, published, key, scale, unit in PUBLISHED:
        cells = [title, published]
        for frame in found.values():
            here = frame[(frame.gb_s == SHIPPED_GB_S) & np.isclose(frame.pb_mb, shipped_mb())][key].iloc[0]
            cells.append(f"{scale * here:.2f}{unit}")
        cells += [f"{scale * frame[key].max():.2f}{unit}" for frame in found.values()]
        lines.append(cells)
    titles = (f"{name}: {where}" for where in ("here", "most") for name in found)
    return lines_of(("", "published", *titles), lines)


def page(found: Mapping[str, pd.DataFrame], others: Mapping[str, pd.DataFrame]) -> str:
    """The text of docs/studies/sushi.md.

    Parameters
    ----------
    found : the sweep by family.
    others : other rows by what they are of.
    """
    a, even = Accelerator.load(PRESET), machine(shipped_mb(), SHIPPED_GB_S)
    q, many, preset = (others[what] for what in ("q", "candidates", "preset"))
    said = {"version": version("fastswitch"), "preset": PRESET, "hash": a.hash(), "kp": a.kp, "cp": a.cp}
    seeds = ", ".join(map(str, SEEDS))
    ports = {"mhz": f"{a.clock_hz / 1e6:g}", "gb_s": SHIPPED_GB_S, "moved": a.pixels * a.cp}
    parts = [HEAD.format(**said, **ports, queries=QUERIES, seeds=seeds)]
    notes_text = NOTES.format(
        preset=PRESET,
        gb_s=SHIPPED_GB_S,
        pb=shipped_mb(),
        shipped=", ".join(
            f"{100 * saved:.2f} % ({name})" for name, saved in zip(preset["family"], preset["forecast"], strict=True)
        ),
        tile=even.tile_beats * even.dram.cycles_per_beat,
        beat=even.weight_beat_bytes,
    )
    parts += ["## Published beside ours\n", beside(found), notes_text, "Where ours reaches the published figure:\n"]
    for name, frame in found.items():
        for title, key, published in CLAIMS:
            parts.append(f"- {name}, {title}: {met(frame, key, published)}.")
    parts.append("")
    for name, frame in found.items():
        parts.append(f"## {name}\n")
        for key, title, scale, digits in GRIDS:
            parts.append(f"{title}\n\n{grid(frame, key, scale, digits)}\n")
    parts.append("## Q and candidates\n\nMean latency saved with the board's bandwidth, %; our scheduler has no Q.\n")
    who = ("SUSHI's rule", "ours", "above the optimum")
    head = [f"{name}: {which}" for name in q["family"].unique() for which in who[:2]]
    parts += [lines_of(("Q", *head), by_number(q, ("sushi", "forecast"))), ""]
    head = [f"{name}: {which}" for name in many["family"].unique() for which in who]
    parts.append("The same by the number of different SubGraphs to choose from: the SubNets' own, then random ones.\n")
    parts.append(lines_of(("SubGraphs", *head), by_number(many, ("sushi", "forecast", "gap"))))
    return "\n".join(parts) + "\n"


def by_number(frame: pd.DataFrame, keys: Sequence[str]) -> list[tuple[str, ...]]:
    """Lines of a table: ``number``, then per cent for each family.

    Parameters
    ----------
    frame : the rows.
    keys : columns with fractions.
    """
    return [
        (str(number), *(f"{100 * value:.2f}" for _, row in part.iterrows() for value in row[list(keys)]))
        for number, part in frame.groupby("number")
    ]


def main(folder: Path) -> None:
    """Write the page and its figure."""
    with counting() as on_count:
        frame = rows(folder / KEPT, lambda done, total: on_count("working out rows", done, total))
    sweep = frame[frame["what"] == "pb"]
    found = {str(name): part for name, part in sweep.groupby("family", sort=False)}
    draw(found, folder / "sushi.png")
    text = page(found, {str(what): part for what, part in frame.groupby("what")})
    write_whole(folder / "sushi.md", text)
    (folder / KEPT).unlink()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/studies"))
    except KeyboardInterrupt:
        sys.exit("reports.sushi: interrupted; the same command goes on with the rows that are there")
