"""docs/sushi.md: what the PB, the schedulers and their parameters are worth, beside what SUSHI published.

    python -m reports.sushi [FOLDER]

Two families of SubNets on machines like ``zcu104`` whose PB and DRAM bandwidth vary; a few minutes on two cores.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from arch_model.accelerator import Accelerator
from arch_model.spaces import get_space
from arch_model.supernet import SubNet
from mapper.pinning import candidates
from mapper.serving_table import ServingTable
from reports.canvas import drawing, new_figure, place
from reports.colours import PAPER, ramp
from sim.schedulers import Schedulers
from sim.streams import Stream, Targets, draw_stream

RESNET_TOP1 = (0.750, 0.763, 0.783, 0.790, 0.797, 0.798)
"""Published accuracies (once-for-all) of the six OFA-ResNet50 SubNets, in the order of their names."""

PB_MB = (0.5, 1.0, 1.658_88, 2.0, 4.0, 8.0)
BANDWIDTHS: Mapping[float, Mapping[str, Mapping[str, int]]] = {
    2.4: {"dram": {"cycles_per_beat": 4}},
    4.8: {"dram": {"cycles_per_beat": 2}},
    9.6: {},
    19.2: {"axi": {"data_bits": 256}},
}
"""GB/s of six ports of 16 bytes (19.2: 32 bytes) at 100 MHz, and what makes a ``zcu104`` have them."""

WINDOWS = (1, 2, 4, 8, 16, 32)
CANDIDATES = (10, 50, 100, 500)
QUERIES, SEEDS = 1000, (1, 2, 3)
APART = "deterministic:0.1"
"""Queries that never wait for one another."""


HERE = (9.6, 1.658_88)
"""GB/s and MB of the ``zcu104`` that ships."""

HEAD = """# SUSHI, reproduced

`python -m reports.sushi` writes this page (version {version}). What SUSHI (MLSys 2023; IEEE Micro 2023) published is
set beside what our model gives on machines like `zcu104` (16 × 9 DPEs, 100 MHz) whose PB and ports vary. Every figure
is against the *same machine with nothing in its PB*; the PB's area is not given to another buffer. Streams: {queries}
queries, seeds {seeds}, temporal locality 0.8, no query waits for another; Q = 4, SubGraphs of the SubNets themselves.

![Latency and DRAM bytes saved](sushi.png)
"""

NOTES = """
Ranges by network (5.7-7.9 %, 14-52.6 %, 43.6-78.7 %) are quoted from memory and unconfirmed. Ours count *all* DRAM
traffic: activations, commands and weights that come again for every spatial tile, too.
Layers that are not counted take time that the PB cannot save: percentages of a family that has them (MobileNetV3's
depthwise layers) are upper bounds. Where ours stays below, it is because `zcu104` hides most weight traffic: its array,
not DRAM, bounds most layers at 9.6 GB/s, so a PB has little left to save; slower DRAM or a larger PB changes that.
"""

PUBLISHED = (
    ("latency of one SubNet, at most", "5.7-7.9 % (ResNet50), about 25 % (MobileNetV3)", "alone", 100, " %"),
    ("mean latency at equal accuracy, SUSHI's rule", "up to 25 % / 32 %", "sushi", 100, " %"),
    ("the same, our scheduler", "", "forecast", 100, " %"),
    ("accuracy at equal deadlines", "up to +0.98 %", "accuracy", 1, " points"),
    ("off-chip energy (DRAM bytes), the stream", "up to 78.7 %", "energy", 100, " %"),
    ("the same, one SubNet, at most", "14-52.6 % (ResNet50), 43.6-78.7 % (MobileNetV3)", "energy_alone", 100, " %"),
)
"""Title, published, key of :func:`gains`, its scale and unit."""

CLAIMS = (
    ("25 % less mean latency with SUSHI's rule", "sushi", 0.25),
    ("32 % less", "sushi", 0.32),
    ("0.98 points more accuracy", "accuracy", 0.98),
    ("78.7 % less off-chip energy, one SubNet", "energy_alone", 0.787),
)

GRIDS = (
    ("forecast", "Mean latency saved at equal accuracy, our scheduler, %", 100, 1),
    ("sushi", "The same with SUSHI's rule, %", 100, 1),
    ("alone", "Latency of one SubNet with its best SubGraph, the most of the six, %", 100, 1),
    ("accuracy", "Accuracy gained at equal deadlines (strict-latency, SUSHI's cache), points", 1, 2),
    ("energy", "DRAM bytes saved, our scheduler, %", 100, 1),
    ("gap", "Our scheduler above the offline optimum, %", 100, 2),
)


def resnet50() -> tuple[str, dict[str, SubNet], dict[str, float]]:
    """The six SubNets and their accuracies."""
    space = get_space("ofa-resnet50")
    names = space.subnet_names()
    return space.name, {n: space.subnet(n) for n in names}, dict(zip(names, RESNET_TOP1, strict=True))


def mobilenetv3() -> tuple[str, dict[str, SubNet], dict[str, float]]:
    """The released SubNets whose names say how accurate they are."""
    space = get_space("ofa-mobilenetv3")
    top1 = {name: re.search(r"top1-([\d.]+)", name) for name in space.subnet_names()}
    found = {name: float(match[1]) / 100 for name, match in top1.items() if match}
    return space.name, {name: space.subnet(name) for name in found}, found


def machine(pb_mb: float, gb_s: float) -> Accelerator:
    """A ``zcu104`` with another PB and other ports."""
    changes = {key: dict(value) for key, value in BANDWIDTHS[gb_s].items()}
    return Accelerator.load("zcu104").replace(buffers={"pb_bytes": round(pb_mb * 1e6)}, **changes)


def streams(table: ServingTable, seeds: Sequence[int] = SEEDS) -> list[Stream]:
    """Streams with temporal locality whose deadlines lie within what the SubNets need without a PB."""
    latency = table.latency_s[:, 0]
    targets = Targets(
        (float(table.accuracy.min()), float(table.accuracy.max())), (float(latency.min()), float(latency.max()))
    )
    return [draw_stream(APART, targets, QUERIES, seed) for seed in seeds]


def gains(table: ServingTable, window: int = 4, seeds: Sequence[int] = SEEDS) -> dict[str, float]:
    """What the PB is worth on one machine, each against the same machine with nothing in it.

    ``alone``: the most that any SubNet's latency falls with its best SubGraph; ``sushi``, ``forecast``: how much the
    mean latency of STRICT_ACCURACY falls; ``accuracy``: points gained by STRICT_LATENCY with SUSHI's cache;
    ``energy`` and ``energy_alone``: DRAM bytes saved by ``forecast``, and at most by a SubNet alone; ``gap`` of it to
    the optimum.
    """
    schedulers = Schedulers(table)
    rows = []
    for stream in streams(table, seeds):
        none, sushi, ours = (
            schedulers.run("strict-accuracy", cache, stream, window).summary()
            for cache in ("none", "sushi", "forecast")
        )
        before, after = (
            schedulers.run("strict-latency", cache, stream, window).summary() for cache in ("none", "sushi")
        )
        best = schedulers.offline(stream).summary()
        rows.append(
            {
                "sushi": 1 - sushi["mean_latency_s"] / none["mean_latency_s"],
                "forecast": 1 - ours["mean_latency_s"] / none["mean_latency_s"],
                "accuracy": 100 * (after["accuracy"] - before["accuracy"]),
                "energy": 1 - ours["dram_bytes"] / none["dram_bytes"],
                "gap": ours["mean_service_s"] / best["mean_service_s"] - 1,
            }
        )
    cycles, moved = table.sushi.cycles, table.dram_bytes
    alone = float((1 - cycles.min(axis=1) / cycles[:, 0]).max())
    return {
        "alone": alone,
        **{str(key): float(value) for key, value in pd.DataFrame(rows).mean().items()},
        "energy_alone": float((1 - moved.min(axis=1) / moved[:, 0]).max()),
    }


def table_of(family: tuple[str, dict[str, SubNet], dict[str, float]], a: Accelerator, many: int = 0) -> ServingTable:
    """The family's serving table; ``many``: SubGraphs of so many SubNets drawn from the space beside its own."""
    space, nets, accuracy = family
    supernet = get_space(space)
    sources = {**nets, **{net.name: net for net in (supernet.sample(many, seed=0) if many else ())}}
    return ServingTable.by_layers(nets, accuracy, candidates(sources, supernet, a), supernet, a)


def sweep(family: tuple[str, dict[str, SubNet], dict[str, float]]) -> pd.DataFrame:
    """:func:`gains` over PB sizes and bandwidths."""
    rows = []
    for gb_s in BANDWIDTHS:
        for pb in PB_MB:
            print(f"{family[0]}: {gb_s} GB/s, PB {pb:g} MB", file=sys.stderr, flush=True)
            rows.append({"gb_s": gb_s, "pb_mb": pb, **gains(table_of(family, machine(pb, gb_s)))})
    return pd.DataFrame(rows)


def draw(found: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Latency and DRAM bytes saved over the size of the PB, a line a bandwidth, a row a family."""
    width, height = 1100, 340 * len(found)
    with drawing("sushi", size=10):
        figure = new_figure(width, height, dpi=100)
        for row, (name, frame) in enumerate(found.items()):
            for column, (key, title) in enumerate((("forecast", "latency saved"), ("energy", "DRAM bytes saved"))):
                axes = place(figure, 80 + 530 * column, 50 + 330 * row, 440, 230)
                for rank, (gb_s, part) in enumerate(frame.groupby("gb_s")):
                    colour = ramp(rank + 1, len(BANDWIDTHS) + 1)[0]
                    axes.plot(part["pb_mb"], 100 * part[key], "o-", color=colour, markersize=4, label=f"{gb_s} GB/s")
                axes.set_title(f"{name}: {title}, %")
                axes.set_xlabel("PB, MB")
                axes.set_ylim(bottom=0)
                axes.grid(axis="y")
                axes.legend(frameon=False)
        figure.savefig(path, format="png", facecolor=PAPER.light, metadata={"Software": None})


def lines_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(lines_of(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, *rows)).replace(
        "|\n", "|\n" + "|---" * len(head) + "|\n", 1
    )


def grid(frame: pd.DataFrame, key: str, scale: float = 100, digits: int = 1) -> str:
    """A Markdown table of ``key``: rows PB sizes, columns bandwidths."""
    wide = frame.pivot(index="pb_mb", columns="gb_s", values=key)
    rows = zip(wide.index.tolist(), wide.to_numpy().tolist(), strict=True)
    return lines_of(
        ("PB, MB", *(f"{g} GB/s" for g in BANDWIDTHS)),
        [(f"{pb:g}", *(f"{scale * value:.{digits}f}" for value in row)) for pb, row in rows],
    )


def met(frame: pd.DataFrame, key: str, published: float) -> str:
    """Where ``key`` reaches what was published, for each bandwidth the smallest PB; or what comes nearest."""
    enough = frame[frame[key] >= published]
    if enough.empty:
        best = frame.iloc[int(frame[key].to_numpy().argmax())]
        return f"not in this sweep; nearest with a PB of {best.pb_mb:g} MB at {best.gb_s} GB/s"
    least = enough.groupby("gb_s")["pb_mb"].min()
    return "; ".join(f"from {pb:g} MB on at {gb_s} GB/s" for gb_s, pb in least.items())


def beside(found: Mapping[str, pd.DataFrame]) -> str:
    """The published figures and ours."""
    rows = []
    for title, published, key, scale, unit in PUBLISHED:
        cells = [title, published]
        for frame in found.values():
            here = frame[(frame.gb_s == HERE[0]) & np.isclose(frame.pb_mb, HERE[1])][key].iloc[0]
            cells.append(f"{scale * here:.2f}{unit}")
        cells += [f"{scale * frame[key].max():.2f}{unit}" for frame in found.values()]
        rows.append(cells)
    here_titles = [f"{name}, {HERE[0]} GB/s, PB {HERE[1]:.2f} MB" for name in found]
    return lines_of(("", "published", *here_titles, *(f"{name}, most of the sweep" for name in found)), rows)


def page(found: Mapping[str, pd.DataFrame], q: pd.DataFrame, many: pd.DataFrame, notes: Mapping[str, str]) -> str:
    """The text of docs/sushi.md."""
    parts = [HEAD.format(version=version("fastswitch"), queries=QUERIES, seeds=", ".join(map(str, SEEDS)))]
    parts += ["## Published beside ours\n", beside(found), NOTES, "Where ours reaches the published figure:\n"]
    for name, frame in found.items():
        for title, key, published in CLAIMS:
            parts.append(f"- {name}, {title}: {met(frame, key, published)}.")
    parts.append("")
    for name, frame in found.items():
        parts.append(f"## {name}\n\nNot counted: {notes[name]}.\n")
        for key, title, scale, digits in GRIDS:
            parts.append(f"{title}\n\n{grid(frame, key, scale, digits)}\n")
    parts.append("## Q and candidates\n\nOFA-ResNet50, `zcu104` as it ships: mean latency saved, %.\n")
    records = q.to_dict("records")
    rows = [(f"{r['q']:.0f}", f"{100 * r['sushi']:.2f}", f"{100 * r['forecast']:.2f}") for r in records]
    parts += [lines_of(("Q", "SUSHI's rule", "our scheduler (has no Q)"), rows), ""]
    counts, shares = ("drawn", "different"), ("sushi", "forecast", "gap")
    parts.append(
        lines_of(
            ("SubNets drawn", "different SubGraphs", "SUSHI's rule", "our scheduler", "above the optimum"),
            [
                (*(f"{r[key]:.0f}" for key in counts), *(f"{100 * r[key]:.2f}" for key in shares))
                for r in many.to_dict("records")
            ],
        )
    )
    return "\n".join(parts) + "\n"


def main(folder: Path) -> None:
    """Write the page and its figure."""
    families = {"OFA-ResNet50": resnet50(), "OFA-MobileNetV3": mobilenetv3()}
    found = {name: sweep(family) for name, family in families.items()}
    zcu104 = Accelerator.load("zcu104")
    notes = {name: str(table_of(family, zcu104).facts["not_counted"]) for name, family in families.items()}
    table = table_of(families["OFA-ResNet50"], zcu104)
    q = pd.DataFrame([{"q": window, **gains(table, window)} for window in WINDOWS])
    rows = []
    for drawn in CANDIDATES:
        print(f"{drawn} candidates", file=sys.stderr, flush=True)
        made = table_of(families["OFA-ResNet50"], zcu104, drawn)
        rows.append({"drawn": drawn, "different": made.shape[1] - 1, **gains(made, seeds=SEEDS[:1])})
    draw(found, folder / "sushi.png")
    (folder / "sushi.md").write_text(page(found, q, pd.DataFrame(rows), notes), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs"))
