"""The words, numbers and table of the page around the plots. No plot is drawn here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from reports.queries import Query, class_name, subnets_by_accuracy
from reports.stylesheet import stylesheet
from reports.thumbnail import png_data_uri

NAMED = 8
"""So many queries that are not bit-exact are named at the top; the table marks all."""


def page(queries: Sequence[Query], summary: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    """The whole page.

    Parameters
    ----------
    queries : in order.
    summary : as :func:`reports.stream.write_page` takes it.
    plots : SVG of ``timeline``, ``prediction`` and ``traffic``.
    """
    wrong = [query for query in queries if not query.bit_exact]
    exact = not wrong and bool(summary["bit_exact"])
    warning = "" if exact else "NOT BIT-EXACT: "
    heading = f"{_count(len(queries), 'query', 'queries')} served on {summary['accelerator']}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(warning + heading)} · FastSwitch</title>",
        '<link rel="icon" href="data:,">',
        f"<style>\n{stylesheet()}</style>",
        "</head>",
        "<body>",
        "<main>",
        "<header>",
        f"<h1>{escape(heading)}</h1>",
        f'<p class="lead">{_lead(queries, summary)}</p>',
        "" if exact else _banner(wrong, len(queries)),
        _numbers(queries, summary, exact),
        "</header>",
        _section("The stream, and what the Persistent Buffer holds", _timeline_note(queries), plots["timeline"]),
        _section("Predicted and simulated cycles", _prediction_note(queries), plots["prediction"]),
        _section("DRAM bytes with and without the PB", _traffic_note(queries), plots["traffic"]),
        _table(queries),
        _footer(queries, summary),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


# ---- the top ----


def _lead(queries: Sequence[Query], summary: Mapping[str, Any]) -> str:
    nets = _count(len(subnets_by_accuracy(queries)), "SubNet", "SubNets")
    switches = sum(query.switched for query in queries)
    often = {0: "no new SubGraph", 1: "a new SubGraph once"}.get(switches, f"a new SubGraph {switches:,} times")
    return (
        "Each query brings an image, an accuracy and a latency to meet. The policy "
        f"{escape(str(summary['policy']))} served them with {nets} and gave the Persistent Buffer (PB) {often}. "
        "The RTL computed every layer; a NumPy reference checked its integers, a model predicted its cycles."
    )


def _banner(wrong: Sequence[Query], count: int) -> str:
    if wrong:
        which = ", ".join(f"{query.query} ({escape(query.subnet)})" for query in wrong[:NAMED])
        which += f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        text = (
            f"<strong>NOT BIT-EXACT.</strong> In {len(wrong)} of {_count(count, 'query', 'queries')} the RTL computed "
            f"other integers than the reference: query {which}."
        )
    else:
        text = "<strong>NOT BIT-EXACT.</strong> The summary says so, though every row claims the contrary."
    return f'<p class="banner" role="alert">{text}</p>'


def _numbers(queries: Sequence[Query], summary: Mapping[str, Any], exact: bool) -> str:
    same = sum(query.bit_exact for query in queries)
    mean = sum(query.latency_s for query in queries) / len(queries)
    tiles = [
        ("", f"{summary['queries']:,}", "", "queries" if summary["queries"] != 1 else "query"),
        ("", str(same), f"of {len(queries)}", "bit-exact")
        if exact
        else ("bad", str(same), f"of {len(queries)}", "bit-exact: NOT ALL"),
        ("", _percent(summary["max_cycle_error"]), "%", "largest cycle error"),
        ("", _percent(summary["bytes_saved_fraction"], 1), "%", "DRAM bytes saved"),
        *([] if summary["accuracy"] is None else [("", _percent(summary["accuracy"], 1), "%", "accuracy")]),
        ("", f"{1000 * mean:.3f}", "ms", f"mean latency, {_clock(summary['clock_hz'])}"),
    ]
    cells = [
        f"<div{_class(kind)}><dt>{name}</dt><dd>{number}{f'<small>{unit}</small>' if unit else ''}</dd></div>"
        for kind, number, unit, name in tiles
    ]
    return '<dl class="numbers">\n' + "\n".join(cells) + "\n</dl>"


# ---- the plots' sentences ----


def _section(title: str, note: str, body: str) -> str:
    return f'<section>\n<h2>{title}</h2>\n<p class="note">{note}</p>\n<figure>\n{body}\n</figure>\n</section>'


def _timeline_note(queries: Sequence[Query]) -> str:
    late = sum(not query.latency_met for query in queries)
    coarse = sum(not query.accuracy_met for query in queries)
    missed = [
        f"{_count(number, 'query', 'queries')} missed the {name} asked for"
        for number, name in ((late, "latency"), (coarse, "accuracy"))
        if number
    ]
    result = f"{' and '.join(missed)}. " if missed else "Every target was met. "
    return (
        "One bar a query, back to back in time; the most accurate SubNet is on top. "
        f"{result}Below, the bytes of each layer that stay on chip; dashed lines mark a new SubGraph."
    )


def _prediction_note(queries: Sequence[Query]) -> str:
    same = sum(query.predicted_cycles == query.simulated_cycles for query in queries)
    worst = max(queries, key=lambda query: abs(query.cycle_error))
    if same == len(queries):
        return "The model predicted every query to the cycle."
    exactly = f"The model predicted {same} of {len(queries)} queries to the cycle. " if same else ""
    return (
        f"{exactly}The largest difference is {_signed(worst.cycle_error)}&thinsp;%, "
        f"in query {worst.query}. On the line, prediction and RTL agree."
    )


def _traffic_note(queries: Sequence[Query]) -> str:
    moved = sum(query.dram_bytes for query in queries)
    without = sum(query.bytes_without_pb for query in queries)
    return (
        f"The whole stream moved {moved:,} bytes; without the PB it would have been {without:,}. "
        "Over each pair stands the part that was saved, in percent."
    )


# ---- the table ----

_HEADS = (  # what a cell says, what is under it, its class
    ("query", "", ""),
    ("image", "", "left"),
    ("class", "label", "left"),
    ("SubNet", "", "left"),
    ("accuracy", "asked for", ""),
    ("latency", "asked for", ""),
    ("SubGraph in the PB", "", "left"),
    ("DRAM bytes", "PB saved", ""),
    ("cycles", "predicted", ""),
    ("difference", "", ""),
    ("integers", "", "left"),
)


def _table(queries: Sequence[Query]) -> str:
    heads = "".join(
        f'<th scope="col"{_class(kind)}>{name}{f"<small>{under}</small>" if under else ""}</th>'
        for name, under, kind in _HEADS
    )
    rows = "\n".join(_row(query) for query in queries)
    note = "Every number of the plots. Marks show whether what was asked for was met."
    table = f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return (
        f'<section>\n<h2>Every query</h2>\n<p class="note">{note}</p>\n<div class="table">\n{table}\n</div>\n</section>'
    )


def _row(query: Query) -> str:
    shows = "random" if query.label is None else class_name(query.label, query.subnet)
    image = "" if query.image is None else f'<img src="{png_data_uri(query.image)}" alt="{escape(shows)}">'
    given = _value("predicted_class", query.predicted_class, class_name(query.predicted_class, query.subnet))
    verdict = (
        ""
        if query.label is None
        else '<small class="yes">✓ right</small>'
        if query.right
        else f'<small class="no">✗ is {_value("label", query.label, class_name(query.label, query.subnet))}</small>'
    )
    accuracy = "–"
    if query.subnet_accuracy is not None:
        accuracy = _value("subnet_accuracy", query.subnet_accuracy, f"{100 * query.subnet_accuracy:.2f}&thinsp;%")
    latency = _value("latency_s", query.latency_s, f"{1000 * query.latency_s:.3f}&thinsp;ms")
    saved = _value("pb_saved_bytes", query.pb_saved_bytes)
    predicted = _value("predicted_cycles", query.predicted_cycles)
    cells = [
        ("", _value("query", query.query)),
        ("left", image),
        ("left", given + verdict),
        ("left", escape(query.subnet)),
        ("", accuracy + _target("min_accuracy", query.min_accuracy, query.accuracy_met, "≥", 100, "%", 2)),
        ("", latency + _target("max_latency_s", query.max_latency_s, query.latency_met, "≤", 1000, "ms", 3)),
        ("left", escape(query.cached_subgraph) + ("<small>new</small>" if query.switched else "")),
        ("", _value("dram_bytes", query.dram_bytes) + f"<small>{saved}</small>"),
        ("", _value("simulated_cycles", query.simulated_cycles) + f"<small>{predicted}</small>"),
        ("", _value("cycle_error", query.cycle_error, f"{_signed(query.cycle_error)}&thinsp;%")),
        (
            "left",
            '<span class="yes">bit-exact</span>' if query.bit_exact else '<span class="loud">DIFFERENT</span>',
        ),
    ]
    body = "".join(f"<td{_class(kind)}>{text}</td>" for kind, text in cells)
    kind = "" if query.bit_exact else "different"
    return f'<tr id="query-{query.query}"{_class(kind)}>{body}</tr>'


def _target(key: str, target: float | None, met: bool, relation: str, scale: float, unit: str, digits: int) -> str:
    if target is None:
        return "<small>no target</small>"
    mark, kind = ("✓", "yes") if met else ("✗", "no")
    text = f"{scale * target:.{digits}f}&thinsp;{unit}"
    return f'<small class="{kind}">{mark} {relation} {_value(key, target, text)}</small>'


def _value(key: str, value: float, text: str | None = None) -> str:
    """A number as it reads and, for programs, as it is."""
    shown = f"{value:,}" if text is None else text
    return f'<data class="{key}" value="{value!r}">{shown}</data>'


# ---- the foot ----


def _footer(queries: Sequence[Query], summary: Mapping[str, Any]) -> str:
    command = summary.get("command") or (
        f"fastswitch run --accelerator {shlex.quote(str(summary['accelerator']))} --queries {summary['queries']} "
        f"--policy {summary['policy']} --seed {summary['seed']}"
    )
    lines = (
        ("command", f"<code>{escape(str(command))}</code>"),
        ("seed", escape(str(summary["seed"]))),
        ("FastSwitch", escape(str(summary["version"]))),
        ("simulator", escape(str(summary["simulator"]))),
        (
            "accelerator",
            f"{escape(str(summary['accelerator']))}, {_clock(summary['clock_hz'])}, "
            f"PB of {int(summary['pb_bytes']):,} bytes",
        ),
    )
    body = "\n".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in lines)
    return f"<footer>\n<dl>\n{body}\n</dl>\n</footer>"


# ---- how things are written ----


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * float(fraction):.{digits}f}"


def _signed(fraction: float) -> str:
    """A fraction in percent with its sign.

    >>> _signed(-0.0123), _signed(0)
    ('−1.230', '0')
    """
    return f"{100 * fraction:+.3f}".replace("-", "−") if fraction else "0"


def _clock(hertz: float) -> str:
    """A frequency.

    >>> _clock(100_000_000), _clock(250e3)
    ('100 MHz', '250 kHz')
    """
    for unit, name in ((1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz")):
        if hertz >= unit:
            return f"{hertz / unit:g} {name}"
    return f"{hertz:g} Hz"
