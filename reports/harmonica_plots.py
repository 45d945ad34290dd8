"""The pictures of the hybrid study: accuracy against variation, fraction and ADCs, what the digital half costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.canvas import place
from reports.colours import BAD, INK, MUTED, WITH, WITHOUT, ramp, subnet_colour, subnet_marker

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
Rows = Sequence[Row]

ENCODINGS = ("offset", "differential", "sign-magnitude")
RANKINGS = ("weights", "fisher-per-byte", "fisher", "gradient", "magnitude", "first-last", "random")
TITLES = {
    "weights": "single weights (IWS)",
    "fisher-per-byte": "Fisher per byte",
    "fisher": "Fisher",
    "gradient": "|grad · w|",
    "magnitude": "|w|",
    "first-last": "first and last layers",
    "random": "random channels",
}


def draw_collapse(figure: Figure, rows: Rows) -> None:
    """Accuracy against sigma: a line an encoding, a band of the 95 % interval of the mean, dots for the worst 5 %.

    Parameters
    ----------
    figure : to draw into.
    rows : of the table ``collapse``.
    """
    axes = place(figure, 70, 40, 560, 330)
    clean = 100 * float(rows[0]["accuracy_clean"])
    axes.axhline(clean, color=MUTED.light, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.text(0.005, clean + 1.5, f"int8 network, {clean:.1f} %", color=MUTED.light, va="bottom")
    for n, encoding in enumerate(ENCODINGS):
        part = [row for row in rows if row["encoding"] == encoding and row["law"] == "raw"]
        if not part:
            continue
        x = [0.0, *(row["sigma"] for row in part)]
        first = part[0]["accuracy_noiseless"]
        mean, low, high = ([100 * v for v in (first, *_column(part, f"accuracy_{k}"))] for k in ("mean", "low", "high"))
        colour, marker = subnet_colour(n).light, subnet_marker(n)
        dashes = (0, (5, 3)) if encoding == "sign-magnitude" else "-"  # with ideal ADCs it equals differential
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, mean, color=colour, linestyle=dashes, marker=marker, markersize=5, label=encoding)
        axes.plot(x[1:], [100 * v for v in _column(part, "accuracy_p5")], ".", color=colour, markersize=4)
    axes.set_xlabel("σ of the lognormal factor (mean not preserved)")
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 100)
    axes.set_xlim(left=0)
    axes.grid(axis="y")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    axes.set_title("Accuracy all analog; bands: 95 % of the mean, dots: 5th percentile of chips", loc="left")


def draw_recovery(figure: Figure, rows: Rows, sigma: str) -> None:
    """Accuracy against the digital fraction: a line a ranking.

    Parameters
    ----------
    figure : to draw into.
    rows : of the table ``recovery``.
    sigma : of the variation, as text.
    """
    axes = place(figure, 70, 40, 560, 330)
    clean = 100 * float(rows[0]["accuracy_clean"])
    axes.axhline(clean, color=MUTED.light, linewidth=0.8, linestyle=(0, (4, 3)))
    for n, ranking in enumerate(RANKINGS):
        part = [row for row in rows if row["ranking"] == ranking]
        if not part:
            continue
        colour = BAD.light if ranking == "random" else subnet_colour(n).light
        x = [100 * v for v in _column(part, "digital_fraction")]
        mean, low, high = ([100 * v for v in _column(part, f"accuracy_{key}")] for key in ("mean", "low", "high"))
        spread = [np.subtract(mean, low), np.subtract(high, mean)]
        axes.errorbar(
            x, mean, spread, color=colour, marker=subnet_marker(n), markersize=5, elinewidth=0.8, label=TITLES[ranking]
        )
    axes.set_xlabel("weights that are digital, %")
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 100)
    axes.grid(axis="y")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    axes.set_title(f"Accuracy at σ = {sigma}, differential pairs; bars: 95 % of the mean", loc="left")


def draw_heat(figure: Figure, rows: Rows, energy: Rows) -> None:
    """Accuracy by ADC bits and digital fraction, with contours of energy.

    Parameters
    ----------
    figure : to draw into.
    rows : of the table ``heat``.
    energy : of the table ``energy``.
    """
    bits = sorted({int(row["adc_bits"]) for row in rows})
    asked = sorted({float(row["asked"]) for row in rows})
    value = {(int(row["adc_bits"]), float(row["asked"])): 100 * row["accuracy_mean"] for row in rows}
    axes = place(figure, 70, 40, 620, 300)
    grid = np.array([[value[b, f] for f in asked] for b in bits])
    low, high = float(grid.min()), float(grid.max())
    for y, b in enumerate(bits):
        for x, f in enumerate(asked):
            fill, text = ramp(round(100 * (value[b, f] - low) / max(high - low, 1e-9)), 101)
            axes.add_patch(_cell(x, y, fill))
            axes.text(x, y + 0.22, f"{value[b, f]:.1f} %", ha="center", va="center", color=text, fontweight="bold")
    spent = {(int(row["adc_bits"]), float(row["asked"])): 1e6 * row["energy_j"] for row in energy}
    if all(key in spent for key in value):
        for (b, f), joules in spent.items():
            if (b, f) in value:
                text = ramp(round(100 * (value[b, f] - low) / max(high - low, 1e-9)), 101)[1]
                axes.text(
                    asked.index(f), bits.index(b) - 0.25, f"{joules:.1f} µJ", ha="center", va="center", color=text
                )
        field = np.array([[spent[b, f] for f in asked] for b in bits])
        levels = np.linspace(field.min(), field.max(), 8)[1:-1]
        axes.contour(
            np.arange(len(asked)), np.arange(len(bits)), field, levels, colors=INK.light, linewidths=0.7, alpha=0.6
        )
    axes.set_xticks(range(len(asked)), [f"{100 * f:.0f} %" for f in asked])
    axes.set_yticks(range(len(bits)), [str(b) for b in bits])
    axes.set_xlim(-0.5, len(asked) - 0.5)
    axes.set_ylim(-0.5, len(bits) - 0.5)
    axes.set_xlabel("weights that are digital")
    axes.set_ylabel("ADC bits")
    axes.set_title("Accuracy, and energy of an image (lines: equal energy)", loc="left")


def draw_sensitivity(figure: Figure, rows: Rows) -> None:
    """A line of cells a layer, one a channel, most sensitive first; the layer's share of the whole beside it.

    Parameters
    ----------
    figure : to draw into.
    rows : of the table ``sensitivity``.
    """
    axes = place(figure, 110, 40, 700, 24 * len(rows))
    for y, row in enumerate(rows):
        share = sorted((float(v) for v in str(row["channels"]).split()), reverse=True)
        for x, value in enumerate(share):
            place_ = 0 if value <= 0 else int(np.clip(20 * (np.log10(value) + 5) / 3.5, 0, 20))
            axes.add_patch(_cell(x + 0.5, len(rows) - 1 - y, ramp(place_, 21)[0], 1.0, 0.84))
        axes.text(len(share) + 1.5, len(rows) - 1 - y, f"{100 * row['share']:.1f} %", va="center", color=INK.light)
    most = max(len(str(row["channels"]).split()) for row in rows)
    axes.set_xlim(0, most + 10)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(range(len(rows)), [str(row["layer"]) for row in reversed(rows)])
    axes.set_xlabel("input channels, the most sensitive first; right: the layer's share of the sum")
    axes.set_title("Share of Σ g²w²: light 1e-5 or less, dark 3 % or more of the network's sum", loc="left")


def draw_histogram(figure: Figure, rows: Rows) -> None:
    """What each ADC meets: a row a layer, a column a cell slice, clip lines where the range ends.

    Parameters
    ----------
    figure : to draw into.
    rows : of the table ``histogram``.
    """
    layers = list(dict.fromkeys(str(row["layer"]) for row in rows))
    slices = sorted({int(row["slice"]) for row in rows})
    for row in rows:
        y, x = layers.index(str(row["layer"])), slices.index(int(row["slice"]))
        axes = place(figure, 90 + 290 * x, 60 + 170 * y, 250, 100)
        counts = np.array([int(v) for v in str(row["counts"]).split()])
        edges = np.linspace(row["low"], row["high"], len(counts) + 1)
        axes.bar(edges[:-1], np.maximum(counts, 0.5), np.diff(edges), align="edge", color=WITH.light, linewidth=0)
        for at in (row["clip_low"], row["clip_high"]):
            axes.axvline(at, color=BAD.light, linewidth=1.2, linestyle=(0, (3, 2)))
        axes.set_yscale("log")
        axes.set_ylim(0.5, 3e7)
        axes.set_yticks((1, 1e3, 1e6), ("1", "1,000", "1,000,000") if x == 0 else ("", "", ""))
        axes.set_yticks((), minor=True)
        axes.set_title(f"{row['layer']}, slice {row['slice']}: {100 * row['clipped']:.2g} % clipped", loc="left")
        if y == len(layers) - 1:
            axes.set_xlabel("sum of a column, levels")
        if x == 0:
            axes.set_ylabel("conversions")
    height = figure.get_size_inches()[1] * figure.dpi
    figure.text(
        90 / (figure.get_size_inches()[0] * figure.dpi),
        1 - 22 / height,
        "Inputs of the ADCs on noiseless images; red: the ends of the six-bit range",
        color=INK.light,
    )


def draw_pareto(figure: Figure, rows: Rows, sigma: str) -> None:
    """Accuracy of every SubNet against energy and area: all analog, hybrid, all digital.

    Parameters
    ----------
    figure : to draw into.
    rows : of the table ``subnets``.
    sigma : of the variation, as text.
    """
    ways = (
        ("all analog (ISAAC, 8 bits)", "analog", "bare_accuracy_mean", WITHOUT.light, "X"),
        ("hybrid", "hybrid", "accuracy_mean", WITH.light, "o"),
        ("all digital", "digital", "accuracy_clean", subnet_colour(1).light, "s"),
    )
    for n, (key, scale, title) in enumerate(
        (("energy_j", 1e6, "energy of an image, µJ"), ("area_mm2", 1, "area, mm²"))
    ):
        top, bottom = place(figure, 70 + 420 * n, 60, 350, 250), place(figure, 70 + 420 * n, 340, 350, 90)
        for label, way, accuracy, colour, marker in ways:
            x = [scale * v for v in _column(rows, f"{way}_{key}")]
            y = [100 * v for v in _column(rows, accuracy)]
            axes = bottom if way == "analog" else top
            axes.plot(x, y, marker, color=colour, markersize=7, label=label, markeredgecolor="white", linestyle="none")
        right = 1.06 * scale * max(max(_column(rows, f"{way}_{key}")) for _, way, *_ in ways)
        for axes in (top, bottom):
            axes.set_xlim(0, right)
            axes.grid(axis="y")
            axes.margins(y=0.15)
        bottom.set_xlabel(title)
        top.set_xticklabels(())
        if n == 0:
            top.set_ylabel("accuracy, %")
            bottom.set_ylabel("accuracy, %")
            top.legend(frameon=False, loc="lower right")
            bottom.legend(frameon=False, loc="upper right")
    height = figure.get_size_inches()[1] * figure.dpi
    note = f"Each mark is a SubNet; σ = {sigma}. The scale of accuracy is cut: all analog is far below"
    figure.text(70 / 880, 1 - 26 / height, note, color=INK.light)


def draw_subgraph(figure: Figure, rows: Rows, shared: Row) -> None:
    """The digital half on the SGS accelerator: bytes of each SubNet, those that the PB gave, cycles saved.

    Parameters
    ----------
    figure : to draw into.
    rows : of the table ``subnets``.
    shared : the row of the table ``shared``.
    """
    names = [str(row["member"]).removeprefix("fashion-") for row in rows]
    y = np.arange(len(rows))[::-1]
    left = place(figure, 90, 70, 420, 22 * len(rows))
    digital = np.array(_column(rows, "digital_bytes")) / 1000
    hits = np.array(_column(rows, "hit_bytes")) / 1000
    left.barh(y, np.array(_column(rows, "weight_bytes")) / 1000, 0.72, color=WITHOUT.light, label="analog weights")
    left.barh(y, digital, 0.72, color=WITH.light, label="digital, streamed")
    left.barh(y, hits, 0.72, color=subnet_colour(1).light, label="digital, held in the PB")
    left.axvline(shared["common_bytes"] / 1000, color=INK.light, linewidth=1, linestyle=(0, (3, 2)))
    left.text(
        shared["common_bytes"] / 1000 + 3,
        len(rows) - 0.35,
        f"shared by all: {shared['common_bytes'] / 1000:.1f} kB",
        color=INK.light,
        va="bottom",
    )
    left.set_yticks(y, names)
    left.set_xlabel("weights, kB")
    left.set_ylim(-0.6, len(rows) - 0.4)
    left.grid(axis="x")
    left.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -50 / (22 * len(rows))), ncols=3)
    right = place(figure, 590, 70, 300, 22 * len(rows))
    streamed, pinned = (np.array(_column(rows, f"{how}_cycles")) / 1000 for how in ("streamed", "pinned"))
    right.barh(y, streamed, 0.72, color=WITHOUT.light, label="streamed")
    right.barh(y, pinned, 0.4, color=WITH.light, label="SubGraph pinned")
    for at, a, b in zip(y, streamed, pinned, strict=True):
        if a:
            right.text(a + 0.01 * streamed.max(), at, f"{100 * (b / a - 1):+.1f} %", va="center", color=MUTED.light)
    right.set_yticks([])
    right.set_xlim(0, 1.18 * max(streamed.max(), 1))
    right.set_ylim(-0.6, len(rows) - 0.4)
    right.set_xlabel("thousand cycles of the digital half")
    right.grid(axis="x")
    right.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -50 / (22 * len(rows))), ncols=2)
    high = figure.get_size_inches()[1] * figure.dpi
    figure.text(
        90 / 920,
        1 - 22 / high,
        f"The shared digital channels as a SubGraph on {shared['accelerator']}: {shared['needed_bytes'] / 1000:.1f} kB "
        f"serve all SubNets, the PB holds {shared['pinned_bytes'] / 1000:.1f} kB",
        color=INK.light,
    )


def _cell(x: float, y: float, colour: str, width: float = 1.0, height: float = 1.0) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - width / 2, y - height / 2), width, height, facecolor=colour, edgecolor="none")


def _column(rows: Rows, key: str) -> list[float]:
    return [float(row[key] if row[key] is not None else "nan") for row in rows]
