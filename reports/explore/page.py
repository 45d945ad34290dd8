"""The page of a study: its words, its tables that never change, and the places where the script draws."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from reports.explore.reasons import Reason
from reports.stylesheet import stylesheet

SCRIPTS = ("core", "front", "parallel", "knobs", "card", "layers", "roofline", "tables", "start")
"""The page's script, in order; one scope."""

MOST_REASONS = 8

Facts = Mapping[str, str | Sequence[str]]


def page(facts: Facts, data: Mapping[str, Any], illegal: Sequence[Reason], plotly: str) -> str:
    """The whole page: nothing in it is fetched.

    Parameters
    ----------
    facts : what made the study, by name; a sequence becomes a list.
    data : see :func:`reports.explore.payload.payload`.
    illegal : why other points are no machine.
    plotly : its JavaScript.
    """
    found = data["legal"] + sum(reason.count for reason in illegal)
    heading = f"{_count(found, 'point', 'points')} explored for {facts['space']}"
    script = "\n".join(_file(f"{name}.js") for name in SCRIPTS)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(heading)} · FastSwitch</title>",
        '<link rel="icon" href="data:,">',
        f"<style>\n{stylesheet()}{_file('explore.css')}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<header>\n<h1>{escape(heading)}</h1>\n{_lead(data)}\n{_numbers(data, found)}\n{_facts(facts)}\n</header>",
        _body(data) if data["legal"] else _NO_MACHINE,
        _illegal(illegal, found),
        _FOOTER,
        "</main>",
        f'<script type="application/json" id="study">{_json(data)}</script>',
        *((f"<script>{plotly}</script>",) if data["legal"] else ()),
        f'<script>\n(() => {{\n"use strict";\n{script}}})();\n</script>',
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


# ---- the top ----


def _lead(data: Mapping[str, Any]) -> str:
    names = [one["title"] for one in data["objectives"]]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    single = " running one SubNet" if any(not knob["vary"] for knob in data["knobs"]) else ""
    return (
        f'<p class="lead">Each point is one machine{single}, priced by the model for {escape(listed)}: '
        "exactly if it can be on the front, else by an estimate. Click one to see its layers and take its description "
        "with you.</p>"
    )


def _numbers(data: Mapping[str, Any], found: int) -> str:
    tiles = [
        (f"{data['legal']:,}", f"of {found:,}", "points are legal"),
        (f"{data['front']:,}", "", "on the Pareto front"),
    ]
    for one, values in zip(data["objectives"], data["points"]["objectives"], strict=True):
        if values:
            best, word = (max(values), "best") if one["better"] == "max" else (min(values), "least")
            tiles.append((f"{best:.4g}", one["unit"], f"{word} {one['title']}"))
    cells = [
        f"<div><dt>{escape(name)}</dt><dd>{number}{f'<small>{escape(unit)}</small>' if unit else ''}</dd></div>"
        for number, unit, name in tiles
    ]
    return '<dl class="numbers">\n' + "\n".join(cells) + "\n</dl>"


def _facts(facts: Facts) -> str:
    lines = []
    for name, value in facts.items():
        if isinstance(value, str):
            text = escape(value)
        else:
            text = "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in value) + "</ul>"
        lines.append(f"<dt>{escape(name)}</dt><dd>{text}</dd>")
    return '<dl class="facts">\n' + "\n".join(lines) + "\n</dl>"


# ---- the plots ----


def _body(data: Mapping[str, Any]) -> str:
    drawn, layered = len(data["points"]["id"]), len(data["layers"]["costs"])
    every = layered == data["front"]
    return Template(_file("body.html")).substitute(
        drawn="" if drawn == data["legal"] else f"{drawn:,} of {data['legal']:,} points are drawn, the front first.",
        layered="every point of the front" if every else f"{layered} of the {data['front']:,} points of the front",
    )


_NO_MACHINE = """\
<section><p class="banner" role="alert"><strong>No point is legal.</strong> The reasons are below.</p></section>"""

_FOOTER = """\
<footer><p>Beside this page: <code>pareto.csv</code> and <code>points.csv</code> in SI units, <code>pareto.png</code>
and <code>knobs.png</code> for papers. The page fetches nothing.</p></footer>"""


# ---- points that are no machines ----


def _illegal(reasons: Sequence[Reason], found: int) -> str:
    if not reasons:
        return ""
    rows = [
        f'<tr><td>{reason.count:,}</td><td class="left">{escape(reason.text)}</td><td>{reason.point}</td></tr>'
        for reason in reasons[:MOST_REASONS]
    ]
    rest = reasons[MOST_REASONS:]
    if rest:
        rows.append(
            f'<tr><td>{sum(reason.count for reason in rest):,}</td><td class="left">'
            f"{_count(len(rest), 'other reason', 'other reasons')}, in points.csv</td><td></td></tr>"
        )
    total = sum(reason.count for reason in reasons)
    table = (
        '<div class="table"><table class="reasons" id="reasons"><thead><tr><th scope="col">points</th>'
        '<th scope="col" class="left">why, in the figures of the first</th><th scope="col">first</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    note = f"{total:,} of {found:,} points cannot be built or cannot run."
    return f'<section>\n<h2>Points that are not legal</h2>\n<p class="note">{note}</p>\n{table}\n</section>'


# ---- how things are written ----


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _file(name: str) -> str:
    return (files("reports.explore") / "page_files" / name).read_text(encoding="utf-8")


def _json(data: Mapping[str, Any]) -> str:
    """JSON that cannot end its script element, whatever the texts in it.

    >>> _json({"space": "</script>"})
    '{"space":"\\\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
