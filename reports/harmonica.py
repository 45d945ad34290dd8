"""The page and pictures of ``fastswitch hybrid``, from the tables in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import harmonica_plots as plots
from reports.canvas import drawing, new_figure, to_svg
from reports.colours import PAPER
from reports.stylesheet import stylesheet
from sim.noise.study.hybrid_cost import PUBLISHED
from sim.noise.study.tables import read_facts as read_file_facts
from sim.noise.study.tables import read_rows
from sim.noise.study.whole_study import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = Mapping[str, list[dict[str, Any]]]
Draw = Callable[["Figure"], None]

LAYER_PX = 24

TEXTS = {
    "subgraph": (
        "The digital half is a SubGraph",
        "SubNets share their digital channels. With these first among each layer's input channels, every SubNet's "
        "digital half is the leading (K, C) slice of each layer: a SubGraph, which the Persistent Buffer holds from "
        "query to query.",
    ),
    "collapse": ("Collapse", "Everything on crossbars with ideal ADCs."),
    "recovery": ("Recovery", "The same crossbars with a part of the weights in digital, chosen in several ways."),
    "heat": ("ADC bits and digital fraction", "Differential pairs; energy of both halves, every slice converted."),
    "pareto": ("Accuracy, energy, area over SubNets", "All SubNets share one set of digital channels."),
    "sensitivity": ("Where accuracy is lost", "Fisher score of each layer's input channels."),
    "histogram": ("What the ADCs meet", "Column sums of single slices, and the ranges that calibration chose."),
}
NEEDS = {
    "subgraph": ("subnets", "shared"),
    "collapse": ("collapse",),
    "recovery": ("recovery",),
    "heat": ("heat", "energy"),
    "pareto": ("subnets",),
    "sensitivity": ("sensitivity",),
    "histogram": ("histogram",),
}
"""Pictures in the order of the page, and the tables that each needs."""

SHOWN = {
    "smallest": "The smallest digital part for the loss allowed, by encoding and ADC bits (empty: ideal)",
    "movement": "Bytes that an image moves to the digital half, for equal accuracy",
    "full": "The headline on more test images, with the partitions found on fewer",
    "cost": "Time, energy, area and power of an image, and per cent against ISAAC's 16 bits",
    "quantisation": "Fewer bits for analog weights, eight for digital ones (six-bit ADCs)",
    "serial": "Every conversion made, against whole words converted",
    "layers": "The digital half, layer by layer",
}


MORE = {
    "collapse": "Accuracy all analog, by encoding, law and sigma",
    "recovery": "Accuracy by ranking and digital fraction",
    "heat": "Accuracy by ADC bits and digital fraction",
    "shared": "The digital channels that all SubNets share",
    "subnets": "Every SubNet: accuracy, its digital half streamed and pinned, its cost",
}
"""Tables of ``tables.md`` that the page shows as pictures."""


PAGE, TABLES = "index.html", "tables.md"


def report_files() -> list[str]:
    """Every file that :func:`write_report` may write."""
    return [*(f"{name}.png" for name in NEEDS), TABLES, PAGE]


def read_tables(folder: Path) -> Tables:
    """The rows of every table that the study has written so far."""
    return {path.stem: read_rows(path) for path in _tables_in(folder)}


def read_facts(folder: Path) -> dict[str, str]:
    """What the tables begin with."""
    return next((read_file_facts(path) for path in _tables_in(folder)), {})


def _tables_in(folder: Path) -> list[Path]:
    return [path for path in (folder / f"{name}.csv" for name in sorted(NAMES)) if path.exists()]


def figures(tables: Tables, sigma: str) -> dict[str, tuple[Draw, int, int]]:
    """What draws each picture whose tables are there, with its width and height in pixels.

    Parameters
    ----------
    tables : rows by table.
    sigma : of the variation, as text.
    """
    there = {name for name, needs in NEEDS.items() if all(tables.get(need) for need in needs)}
    made: dict[str, tuple[Draw, int, int]] = {}
    if "subgraph" in there:
        rows, shared = tables["subnets"], tables["shared"][0]
        made["subgraph"] = (lambda f: plots.draw_subgraph(f, rows, shared), 920, 170 + 22 * len(rows))
    if "collapse" in there:
        made["collapse"] = (lambda f: plots.draw_collapse(f, tables["collapse"]), 800, 430)
    if "recovery" in there:
        made["recovery"] = (lambda f: plots.draw_recovery(f, tables["recovery"], sigma), 840, 430)
    if "heat" in there:
        made["heat"] = (lambda f: plots.draw_heat(f, tables["heat"], tables["energy"]), 720, 400)
    if "pareto" in there:
        made["pareto"] = (lambda f: plots.draw_pareto(f, tables["subnets"], sigma), 880, 500)
    if "sensitivity" in there:
        height = 100 + LAYER_PX * len(tables["sensitivity"])
        made["sensitivity"] = (lambda f: plots.draw_sensitivity(f, tables["sensitivity"]), 840, height)
    if "histogram" in there:
        layers = len({row["layer"] for row in tables["histogram"]})
        slices = len({row["slice"] for row in tables["histogram"]})
        size = (90 + 290 * slices, 70 + 170 * layers)
        made["histogram"] = (lambda f: plots.draw_histogram(f, tables["histogram"]), *size)
    return made


def write_report(folder: Path, write: Callable[[str, bytes], None]) -> Path:
    """Draw every picture that the tables in a folder allow, as PNG, and write two pages; return the first's path.

    ``index.html`` has the pictures and the tables; ``tables.md`` the tables alone, in Markdown.

    Parameters
    ----------
    folder : with the tables.
    write : takes a file's name and its bytes.
    """
    tables, facts = read_tables(folder), read_facts(folder)
    svgs: dict[str, str] = {}
    for name, (draw, width, height) in figures(tables, facts.get("sigma", "0.5")).items():
        with drawing(name):
            figure = new_figure(width, height)
            draw(figure)
            svgs[name] = to_svg(figure, name, TEXTS[name][0])
            png = BytesIO()
            figure.savefig(png, format="png", facecolor=PAPER.light, dpi=144, metadata={"Software": None})
            write(f"{name}.png", png.getvalue())
    write(TABLES, markdown(tables, facts).encode())
    write(PAGE, page(tables, facts, svgs).encode())
    return folder / PAGE


def page(tables: Tables, facts: Mapping[str, str], svgs: Mapping[str, str]) -> str:
    """The page: facts, pictures with a sentence each, tables.

    Parameters
    ----------
    tables : rows by table.
    facts : what made them, by name.
    svgs : pictures by name.
    """
    heading = f"A hybrid of crossbars and an SGS accelerator: {facts.get('subnet', '')}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{escape(heading)} · FastSwitch</title><link rel="icon" href="data:,">',
        f"<style>\n{stylesheet()}</style></head>",
        f"<body><main><header><h1>{escape(heading)}</h1>",
        '<p class="lead">Most weights are analog and vary; the channels that matter most stay digital. '
        f"Lognormal variation of σ = {escape(facts.get('sigma', ''))}, {escape(facts.get('trials', ''))} chips, "
        f"{escape(facts.get('images', ''))} images of {escape(facts.get('images_from', ''))}, "
        f"seed {escape(facts.get('seed', ''))}.</p></header>",
    ]
    for name, svg in svgs.items():
        title, text = TEXTS[name]
        parts.append(f'<section><h2>{title}</h2><p class="note">{text}</p><figure>{svg}</figure></section>')
    for name, title in SHOWN.items():
        if rows := tables.get(name):
            shown = [*rows, _published(rows[0])] if name == "cost" else rows
            parts.append(f"<section><h2>{title}</h2>{_table(shown)}</section>")
    listed = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    parts.append(f"<footer><dl>{listed}</dl></footer></main></body></html>")
    return "\n".join(parts) + "\n"


def markdown(tables: Tables, facts: Mapping[str, str]) -> str:
    """The tables and what made them, in Markdown.

    Parameters
    ----------
    tables : rows by table.
    facts : what made them, by name.
    """
    told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items())
    parts = [f"Made with {told}.\n"]
    for name, title in (SHOWN | MORE).items():
        if rows := tables.get(name):
            keys = list(rows[0])
            lines = [keys, ["---"] * len(keys), *([_text(row[key]) for key in keys] for row in rows)]
            parts.append(f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    return "\n".join(parts)


def _published(like: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(like)
    row["way"] = "published: HybridAC against ISAAC"
    return row | {f"{key}_change": value for key, value in PUBLISHED.items()}


def _table(rows: list[dict[str, Any]]) -> str:
    keys = list(rows[0])
    head = "".join(f'<th class="left">{escape(key.replace("_", " "))}</th>' for key in keys)
    lines = ("".join(f"<td>{escape(_text(row[key]))}</td>" for key in keys) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(value: Any) -> str:
    """A cell: four digits that count.

    >>> _text(0.123456), _text(None), _text(1234567), _text(12.0)
    ('0.1235', '', '1,234,567', '12')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
