"""Draw the pictures of the pages on concepts, as SVG: `python docs/site/draw_concepts.py [NAME ...]`.

They are drawings and not measurements: durations are chosen so that the idea is visible, and each picture says so. The
same source gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "concepts"

INK, GREY, PALE, LINE = "#222222", "#6b6b6b", "#f2f2f2", "#9a9a9a"
ACT, WGT, OUT, RUN, PB = "#4c78a8", "#e0862b", "#54a24b", "#7b5ea7", "#b8860b"
LIGHT = {ACT: "#c9d8e8", WGT: "#f7dfc2", OUT: "#cfe6cb", RUN: "#ddd3ea", PB: "#efe0b0"}


class Drawing:
    """A white card of ``width`` × ``height`` pixels on which shapes are put one after another."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="DejaVu Sans, Arial, sans-serif" font-size="13" fill="{INK}">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
            f'<path d="M0,0 L8,4 L0,8 Z" fill="{INK}"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff" stroke="#dddddd"/>',
        ]

    def box(
        self, x: float, y: float, w: float, h: float, fill: str = "none", line: str = LINE, text: str = "",
        size: float = 12, ink: str = INK, dash: bool = False, bold: bool = False,
    ) -> None:  # fmt: skip
        """A rectangle with its text, lines apart, in the middle."""
        dashes = ' stroke-dasharray="5 4"' if dash else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="3" fill="{fill}" stroke="{line}"{dashes}/>'
        )
        lines = text.split("\n") if text else []
        for i, one in enumerate(lines):
            middle = y + h / 2 + (i - (len(lines) - 1) / 2) * (size + 3) + size * 0.36
            self.text(x + w / 2, middle, one, size=size, anchor="middle", ink=ink, bold=bold and i == 0)

    def text(
        self, x: float, y: float, text: str, size: float = 13, anchor: str = "start", ink: str = INK,
        bold: bool = False, mono: bool = False,
    ) -> None:  # fmt: skip
        """One line of text whose baseline is at ``y``."""
        weight = ' font-weight="bold"' if bold else ""
        family = ' font-family="DejaVu Sans Mono, monospace"' if mono else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" fill="{ink}"{weight}{family} '
            f'xml:space="preserve">{escape(text)}</text>'
        )

    def arrow(
        self, points: Sequence[tuple[float, float]], ink: str = INK, dash: bool = False, head: bool = True
    ) -> None:
        """A line through ``points`` with an arrow's head at its end."""
        dashes = ' stroke-dasharray="5 4"' if dash else ""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        end = ' marker-end="url(#head)"' if head else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="1.4"{dashes}{end}/>')

    def save(self, name: str) -> None:
        """Write ``docs/concepts/NAME.svg``."""
        (FOLDER / f"{name}.svg").write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8")


def subgraph(name: str) -> None:
    """SubNets as leading slices of one tensor, the part they share, and what stays on chip from query to query."""
    d = Drawing(
        860, 360, "A SubGraph is a leading slice of the weights, kept in the Persistent Buffer from query to query"
    )
    d.text(24, 30, "One layer's weights in the SuperNet", bold=True)
    x, y, side = 60, 60, 240
    d.box(x, y, side, side, PALE)
    d.box(x, y, 190, 200, LIGHT[WGT], WGT)
    d.box(x, y, 130, 140, LIGHT[ACT], ACT)
    d.box(x, y, 130, 90, LIGHT[PB], PB)
    d.text(x + side / 2, y - 8, "input channels C →", 12, "middle", GREY)
    d.parts.append(f'<text transform="translate({x - 12},{y + side / 2}) rotate(-90)" font-size="12" '
                   f'text-anchor="middle" fill="{GREY}">← output channels K</text>')  # fmt: skip
    d.text(x + 8, y + 22, "SubGraph,", 12, bold=True)
    d.text(x + 8, y + 38, "kept in the PB", 12)
    d.text(x + 8, y + 130, "SubNet A", 12)
    d.text(x + 8, y + 190, "SubNet B", 12)
    d.text(x + 8, y + 232, "the whole SuperNet", 12, ink=GREY)
    d.text(24, 328, "A SubNet uses the leading K and C slices of a", 12)
    d.text(24, 346, "layer, so SubNets overlap: cache the overlap.", 12)
    d.text(390, 30, "Three queries, one after another", bold=True)
    for i, (net, w, k) in enumerate((("A", 130, 140), ("B", 190, 200), ("A", 130, 140))):
        top = 56 + i * 88
        d.text(390, top + 16, f"query {i + 1}: SubNet {net}", 12, bold=True)
        scale = 0.38
        d.box(520, top, w * scale, k * scale, LIGHT[WGT if net == "B" else ACT], WGT if net == "B" else ACT)
        d.box(520, top, 130 * scale, 90 * scale, LIGHT[PB], PB)
        d.text(610, top + 18, "from the PB: the SubGraph", 12, ink="#8a6508")
        d.text(610, top + 36, "from DRAM: the rest of this SubNet", 12)
        d.text(610, top + 54, "not touched: what it does not use", 12, ink=GREY)
    d.text(390, 328, "The SubGraph stays where it is when the SubNet changes:", 12)
    d.text(390, 346, "weights are stationary across queries, not only within a layer.", 12)
    d.save(name)


def machine(name: str) -> None:
    """The units, the buffers between them, and the ports to DRAM."""
    d = Drawing(860, 430, "The units of the machine, the buffers between them, and their ports to DRAM")
    d.box(
        20,
        14,
        820,
        40,
        PALE,
        LINE,
        "DRAM: the Program · weights of the whole SuperNet · activations of every layer",
        13,
    )
    units = {
        "FETCH": (40, 92, "reads commands,\none queue for each unit"), "LOAD_WGT": (240, 92, "weights"),
        "LOAD_ACT": (450, 92, "input rows"), "STORE": (670, 92, "results, residual\nadd, pooling"),
    }  # fmt: skip
    colour = {"FETCH": GREY, "LOAD_WGT": WGT, "LOAD_ACT": ACT, "STORE": OUT}
    for unit, (x, y, what) in units.items():
        fill = LIGHT.get(colour[unit], PALE)
        d.box(x, y, 150, 62, fill, colour[unit], f"{unit}\n{what}", 12, bold=True)
        port = {"FETCH": "prog", "LOAD_WGT": "wgt", "LOAD_ACT": "act", "STORE": "out"}[unit]
        if unit == "STORE":
            d.arrow([(x + 60, y), (x + 60, 56)])
            d.arrow([(x + 90, 56), (x + 90, y - 2)], dash=True)
        else:
            d.arrow([(x + 75, 56), (x + 75, y - 2)])
        d.text(x + (100 if unit == "STORE" else 82), 78, f"AXI port {port}", 11, ink=GREY)
    d.box(20, 192, 150, 46, LIGHT[WGT], WGT, "ZSB, two halves\nbiases and scales", 12, bold=True)
    d.box(184, 192, 124, 46, LIGHT[PB], PB, "PB\ncached SubGraph", 12, bold=True)
    d.box(322, 192, 120, 46, LIGHT[WGT], WGT, "DB, two halves\nother weights", 12, bold=True)
    d.box(470, 192, 130, 46, LIGHT[ACT], ACT, "SB, two halves\nnine banks", 12, bold=True)
    d.box(670, 192, 150, 46, LIGHT[OUT], OUT, "OB, output side\ntwo halves, int8", 12, bold=True)
    d.arrow([(250, 154), (120, 190)])
    d.arrow([(285, 154), (265, 190)])
    d.text(24, 256, "read by the requantiser", 11, ink=GREY)
    d.arrow([(345, 154), (365, 190)])
    d.arrow([(527, 154), (535, 190)])
    d.arrow([(745, 192), (745, 156)])
    d.box(225, 268, 180, 40, PALE, LINE, "FEED\nweights into the shadow", 12, bold=True)
    d.arrow([(255, 238), (285, 266)])
    d.arrow([(372, 238), (345, 266)])
    d.box(460, 268, 150, 40, LIGHT[RUN], RUN, "RUN\none window a cycle", 12, bold=True)
    d.arrow([(535, 238), (535, 266)])
    d.box(
        240,
        342,
        250,
        66,
        LIGHT[RUN],
        RUN,
        "array: KP × CP DPEs\nof nine int8 multipliers each\nweights held still for a pass",
        12,
        bold=True,
    )
    d.arrow([(315, 308), (315, 340)])
    d.text(322, 330, "KP + 2 cycles", 11, ink=GREY)
    d.arrow([(460, 300), (430, 340)])
    d.text(455, 330, "9 · CP values", 11, ink=GREY)
    d.box(540, 352, 96, 46, LIGHT[OUT], OUT, "OB\nint32 sums", 12, bold=True)
    d.arrow([(490, 368), (538, 368)])
    d.arrow([(538, 386), (492, 386)])
    d.box(676, 352, 140, 46, LIGHT[OUT], OUT, "requantiser\nint32 → int8", 12, bold=True)
    d.arrow([(636, 375), (674, 375)])
    d.arrow([(746, 352), (746, 240)])
    d.save(name)


LOOPS = (
    ("for each spatial tile: some rows of the output", "LOAD_ACT brings its input rows to half of the SB", ACT),
    ("for each chunk of K-tiles", "STORE writes the chunk's finished outputs to DRAM", OUT),
    ("for each K-tile: KP filters", "partial sums of one K-tile stay in the OB", RUN),
    ("for each window and C-tile: CP channels", "PASS: one block of weights is held still", WGT),
    ("for each pixel of the tile", "one 3 × 3 window of the input enters in each cycle", ACT),
)


def loop_nest(name: str) -> None:
    """The loops of a layer, and which command belongs to which of them."""
    d = Drawing(860, 420, "The loop nest of a layer, from the outermost loop to the array")
    for i, (loop, what, colour) in enumerate(LOOPS):
        x, y = 20 + 26 * i, 20 + 50 * i
        d.parts.append(
            f'<path d="M{x},{y} h8 M{x},{y} v{330 - 50 * i} h8" stroke="{colour}" stroke-width="3" fill="none"/>'
        )
        d.text(x + 16, y + 14, loop, 14, bold=True, mono=False)
        d.text(x + 16, y + 33, what, 12, ink=GREY)
    d.box(
        172,
        276,
        330,
        60,
        LIGHT[RUN],
        RUN,
        "in parallel, in the array:\nKP filters × CP channels × 9 taps",
        13,
        bold=True,
    )
    d.text(20, 376, "The two outer loops may be exchanged (order = filters). Weights do not move", 12)
    d.text(20, 394, "while the innermost loop runs: the dataflow is weight-stationary.", 12)
    top = 30
    for label, x, w, h, colour, cut in (
        ("input  C × H × W", 590, 110, 90, ACT, (0, 0, 110, 42)),
        ("weights  K × C × R × S", 590, 110, 90, WGT, (22, 24, 22, 24)),
        ("output  K × P × Q", 590, 110, 90, OUT, (0, 0, 110, 30)),
    ):
        d.text(x, top, label, 12, bold=True)
        d.box(x, top + 8, w, h, PALE)
        d.box(x + cut[0], top + 8 + cut[1], cut[2], cut[3], LIGHT[colour], colour)
        top += 122
    d.text(712, 56, "rows of one", 12)
    d.text(712, 72, "spatial tile", 12)
    d.text(712, 184, "KP × CP of them:", 12)
    d.text(712, 200, "one pass", 12)
    d.text(712, 300, "rows of one", 12)
    d.text(712, 316, "spatial tile", 12)
    d.save(name)


def bars(d: Drawing, rows: dict[str, list[tuple[float, float, str, str]]], x0: float, y0: float, scale: float,
         height: float = 30, label: float = 92) -> None:  # fmt: skip
    """A timeline: a row a unit, and bars of (begin, end, colour, text)."""
    for i, (row, intervals) in enumerate(rows.items()):
        y = y0 + i * (height + 8)
        d.text(x0 - 10, y + height / 2 + 4, row, 12, "end")
        d.arrow([(x0, y + height + 4), (x0 + label * scale, y + height + 4)], LIGHT[ACT], head=False)
        for begin, end, colour, text in intervals:
            d.box(x0 + begin * scale, y, (end - begin) * scale, height, LIGHT.get(colour, PALE), colour, text, 11)


def double_buffers(name: str) -> None:
    """Load, compute and store at the same time, each on another half."""
    d = Drawing(
        860, 396, "Double buffers: while RUN works on one half, LOAD_ACT fills the other and STORE empties a third"
    )
    d.text(24, 28, "Four spatial tiles of a layer (a drawing, not a measurement)", bold=True)
    half = ("A", "B", "A", "B")
    load, run, store = 6.0, 8.0, 5.0
    loads, runs, stores, free, out_free = [], [], [], [0.0, 0.0], [0.0, 0.0]
    time_load = time_run = time_store = 0.0
    for tile in range(4):
        begin = max(time_load, free[tile % 2])
        time_load = begin + load
        loads.append((begin, time_load, ACT, f"tile {tile} → SB {half[tile]}"))
        start = max(time_run, time_load, out_free[tile % 2])
        if start > time_run:
            runs.append((time_run, start, GREY, "waits" if start - time_run > 2 else ""))
        time_run = start + run
        runs.append((start, time_run, RUN, f"tile {tile}: SB {half[tile]} → out {half[tile]}"))
        free[tile % 2] = time_run
        begin = max(time_store, time_run)
        time_store = begin + store
        stores.append((begin, time_store, OUT, f"out {half[tile]} → DRAM"))
        out_free[tile % 2] = time_store
    scale = 17.0
    bars(d, {"LOAD_ACT": loads, "RUN": runs, "STORE": stores}, 110, 52, scale, 38, 43)
    x0, y1 = 110, 52 + 3 * 46
    d.arrow([(x0, y1 + 16), (x0 + load * scale, y1 + 16)], head=True)
    d.text(x0, y1 + 34, "fill (prologue):", 12, bold=True)
    d.text(x0, y1 + 50, "nothing to work on yet", 12)
    d.arrow([(x0 + (load + 4 * run) * scale, y1 + 16), (x0 + (load + 4 * run + store) * scale, y1 + 16)], head=True)
    d.text(x0 + (load + 4 * run) * scale - 30, y1 + 34, "drain (epilogue):", 12, bold=True)
    d.text(x0 + (load + 4 * run) * scale - 30, y1 + 50, "the last results leave", 12)
    d.text(x0 + 200, y1 + 34, "steady state:", 12, bold=True)
    d.text(x0 + 200, y1 + 50, "the slowest of load, compute and store decides", 12)
    y = y1 + 84
    for x, title, colour in ((40, "SB", ACT), (320, "DB", WGT), (590, "OB, output side", OUT)):
        d.text(x, y, title, 13, bold=True)
        d.box(x, y + 10, 104, 40, LIGHT[colour], colour, "half A")
        d.box(x + 108, y + 10, 104, 40, "#ffffff", colour, "half B")
    d.text(40, y + 72, "LOAD_ACT fills one,", 12)
    d.text(40, y + 88, "RUN reads the other", 12)
    d.text(320, y + 72, "LOAD_WGT fills one,", 12)
    d.text(320, y + 88, "FEED reads the other", 12)
    d.text(590, y + 72, "RUN fills one,", 12)
    d.text(590, y + 88, "STORE empties the other", 12)
    d.save(name)


def prologue(name: str) -> None:
    """The first input in parts, and K-tiles that share each part as it arrives."""
    d = Drawing(860, 500, "The pipelined prologue: prologue_parts = 1, prologue_parts = 4, and interleave = 4")
    part, one, parts, tiles = 4.0, 1.5, 4, 4
    scale, x0 = 16.0, 130
    shades = (RUN, OUT, WGT, PB)
    orders = (
        ("prologue_parts = 1", "the array waits until the whole input tile is there",
         [(k, parts - 1) for k in range(tiles) for _ in range(parts)]),
        ("prologue_parts = 4", "the first K-tile starts on the first part, and then waits for each next part",
         [(k, c) for k in range(tiles) for c in range(parts)]),
        ("prologue_parts = 4, interleave = 4",
         "four K-tiles use each part as it arrives; each has its own sums in the OB",
         [(k, c) for c in range(parts) for k in range(tiles)]),
    )  # fmt: skip
    for i, (title, what, order) in enumerate(orders):
        y = 26 + 150 * i
        d.text(24, y, title, 13, bold=True, mono=True)
        d.text(330, y, what, 12, ink=GREY)
        whole = i == 0
        loads = [(0.0, part * parts, ACT, "whole input tile")] if whole else [
            (p * part, (p + 1) * part, ACT, f"part {p}") for p in range(parts)]  # fmt: skip
        time, passes = 0.0, []
        for k, c in order:
            begin = max(time, (c + 1) * part)
            if begin > time + 0.01:
                passes.append((time, begin, GREY, "waits" if begin - time > 2 else ""))
            time = begin + one
            passes.append((begin, time, shades[k], str(k)))
        bars(d, {"LOAD_ACT": loads, "RUN": passes}, x0, y + 14, scale, 34, 43)
        d.text(x0 + time * scale + 8, y + 78, "done", 12, bold=True)
    d.text(
        24,
        476,
        "Numbers on RUN's passes are K-tiles (a drawing, not a measurement: loads of a part take 4 units, passes 1.5).",
        12,
    )
    d.save(name)


def tokens(name: str) -> None:
    """Who releases which token, and the SB's pair in time."""
    d = Drawing(860, 430, "Tokens between the units, and the pair that guards the two halves of the SB")
    d.text(24, 28, "Which unit releases a token, which acquires it", bold=True)
    for unit, (x, y, colour) in {
        "LOAD_WGT": (40, 56, WGT), "FEED": (290, 56, PB), "LOAD_ACT": (40, 166, ACT), "RUN": (290, 166, RUN),
        "STORE": (290, 276, OUT),
    }.items():  # fmt: skip
        d.box(x, y, 110, 46, LIGHT[colour], colour, unit, 13, bold=True)
    for y, full, free in ((56, "w_full", "w_free"), (166, "sb_full", "sb_free")):
        d.arrow([(150, y + 12), (288, y + 12)])
        d.text(220, y + 7, full, 12, "middle")
        d.arrow([(290, y + 34), (152, y + 34)])
        d.text(220, y + 50, free, 12, "middle")
    d.arrow([(330, 102), (330, 164)], dash=True)
    d.text(338, 138, "a full shadow (no token)", 11, ink=GREY)
    d.arrow([(325, 212), (325, 274)])
    d.text(318, 248, "out_full", 12, "end")
    d.arrow([(365, 276), (365, 214)])
    d.text(373, 248, "out_free", 12)
    d.arrow([(290, 299), (95, 299), (95, 214)])
    d.text(104, 292, "stored: rows are in DRAM", 12)
    d.arrow([(65, 214), (65, 318), (288, 318)])
    d.text(74, 335, "loaded: the SB's write port is free", 12)
    d.arrow([(400, 299), (440, 299), (440, 189), (402, 189)])
    d.text(448, 240, "kept: rows", 12)
    d.text(448, 256, "are in the SB", 12)
    for i, text in enumerate((
        "A token is a counter. The sender releases: it adds one when a half is",
        "full, or free again. The receiver acquires: it waits while the counter",
        "is 0, takes one away, and only then starts on that half.",
    )):  # fmt: skip
        d.text(24, 366 + 18 * i, text, 12)
    d.text(560, 28, "The SB's two halves in time", bold=True)
    left, right = 600, 790
    d.text(left, 54, "LOAD_ACT", 12, "middle", bold=True)
    d.text(right, 54, "RUN", 12, "middle", bold=True)
    d.arrow([(left, 62), (left, 352)], LINE, head=False)
    d.arrow([(right, 62), (right, 352)], LINE, head=False)
    for y, x, h, colour, what in (
        (70, left, 36, ACT, "fills half A"), (108, left, 36, ACT, "fills half B"),
        (118, right, 62, RUN, "works on A"), (182, right, 62, RUN, "works on B"),
        (194, left, 36, ACT, "fills half A"), (258, left, 36, ACT, "fills half B"), (246, right, 62, RUN, "works on A"),
    ):  # fmt: skip
        d.box(x - 46, y, 92, h, LIGHT[colour], colour, what, 11)
    for y, begin, end, token in (
        (107, left, right, "sb_full"), (145, left, right, "sb_full"), (181, right, left, "sb_free"),
        (231, left, right, "sb_full"), (245, right, left, "sb_free"),
    ):  # fmt: skip
        inside = 47 if end > begin else -47
        d.arrow([(begin + inside, y), (end - inside, y + 10)])
        d.text((begin + end) / 2 + inside * 0.2, y + (1 if token == "sb_full" else 21), token, 11, "middle", GREY)
    d.text(560, 384, "Both halves are free at the start, so the first", 12)
    d.text(560, 402, "two fills do not wait for sb_free.", 12)
    d.save(name)


DRAWINGS: dict[str, Callable[[str], None]] = {
    "subgraph": subgraph, "machine": machine, "loop-nest": loop_nest, "double-buffers": double_buffers,
    "prologue": prologue, "tokens": tokens,
}  # fmt: skip


if __name__ == "__main__":
    for chosen in sys.argv[1:] or DRAWINGS:
        DRAWINGS[chosen](chosen)
