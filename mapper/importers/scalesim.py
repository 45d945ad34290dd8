"""SCALE-Sim topology files, in and out.

A CSV with a header and one layer a row; fields may be followed by blanks, a comma and a comment after ``#``.
Convolutions: ``Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,``
(or ``Stride Height, Stride Width``); matrix products: ``Layer, M, N, K,`` for (M, K) x (K, N). Either may have
``Batch Size`` and ``Sparsity`` (N:M) columns. Source: github.com/scalesim-project, its topologies and their reader.

SCALE-Sim itself reads by position and skips the header. Here the header counts, so columns may come in any order; one
in the usual order in which a column or two bear a wrong name is read by position too, and a note says so. Fields may
be separated by tabs, and a row of a name alone is a heading. Sparse weights are read as the dense ones that this
hardware has.

The format has no edges, groups or padding, and its output has ceil((IFMAP - filter) / stride) + 1 rows. So layers are
read with padding 0 and the image as input; they are written with the padding inside the IFMAP, cut to the rows that
the windows visit, for which ceil and our floor agree. A name that holds "DP" is a depthwise layer there, of
``Channels`` channels and ``Num Filter`` filters each: here it has groups, and it is written with "_DP" at its end.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from arch_model.errors import LayerError
from arch_model.files.shown import plain, shown
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted
from arch_model.files.writing import write_whole
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet
from mapper.importers.network import Network, NetworkError, of_batch, product_layer, unique_names

_CONV = {
    "layer name": "name",
    "layer": "name",
    "ifmap height": "H",
    "ifmap width": "W",
    "filter height": "R",
    "filter width": "S",
    "channels": "C",
    "channel": "C",
    "num filter": "K",
    "num filters": "K",
    "strides": "stride",
    "stride": "stride",
    "stride height": "stride",
    "stride h": "stride",
    "stride width": "stride_w",
    "stride w": "stride_w",
    "batch": "batch",
    "batch size": "batch",
    "sparsity": "sparsity",
    "sparsity ratio": "sparsity",
}
_GEMM = {"layer name": "name", "layer": "name", "m": "M", "n": "N", "k": "K"} | {
    title: field for title, field in _CONV.items() if field in ("batch", "sparsity")
}
_CONV_ORDER = ("name", "H", "W", "R", "S", "C", "K", "stride")
_GEMM_ORDER = ("name", "M", "N", "K")
_MISNAMED = 2
"""Columns of the usual order that may bear a wrong name."""
_CONV_HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
_GEMM_HEADER = "Layer, M, N, K,"
_DEPTHWISE = "DP"
_WHAT = f'a SCALE-Sim topology with the header "{_CONV_HEADER}" or "{_GEMM_HEADER}"'


def read_topology(path: str | Path) -> Network:
    """The layers of a SCALE-Sim topology file, each reading the image. A name's second row becomes ``name_2``.

    Raises
    ------
    NetworkError
        Naming the file, the line, the column and its value.
    """
    text = read_text(path, Wanted(str(path), _WHAT, NetworkError))
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if _fields(line)]
    if not lines:
        raise NetworkError(f"{path} has no header; give {_WHAT}")
    number, header = lines[0]
    notes: list[str] = []
    titles = [" ".join(field.lower().split()) for field in _fields(header)]
    if "" in titles:  # behind an empty one stand figures that somebody worked out beside the table
        rest = [title for title in titles[titles.index("") :] if title]
        titles = titles[: titles.index("")]
        notes.append(f"line {number}: what stands behind the empty column is not read: {plain(', '.join(rest))}")
        lines = [(n, line) for n, line in lines if any(_fields(line)[: len(titles)])]
        margin = True
    else:
        margin = False
    columns = _columns(f"{path}, line {number}", titles, notes)
    layers = []
    for n, line in lines[1:]:
        fields = _fields(line)
        if not any(fields[1:]):
            notes.append(f"line {n}: {plain(fields[0])} is taken for a heading")
            continue
        row = fields[: len(titles)] if margin else fields
        layers.append(_layer(f"{path}, line {n}", row, columns, titles, notes))
    if not layers:
        raise NetworkError(f"{path} has no rows; give at least one layer")
    names = unique_names((layer.name for layer in layers), {INPUT})
    renamed = tuple(replace(layer, name=name) for layer, name in zip(layers, names, strict=True))
    stem = Path(path).stem
    return Network(SubNet(stem, stem, renamed), notes=tuple(notes))


def _columns(where: str, titles: list[str], notes: list[str]) -> dict[str, int]:
    """The place of each field, by the titles or, where a few of the usual order are wrong, by position."""
    known, order = (_GEMM, _GEMM_ORDER) if {"m", "n", "k"} <= set(titles) else (_CONV, _CONV_ORDER)
    try:
        return _by_title(where, titles, known, order)
    except NetworkError as error:
        right = [_title(known, field) for field in order]
        wrong = [place for place, title in enumerate(titles[: len(order)]) if known.get(title) != order[place]]
        sure = {order[place] for place in range(len(order)) if place not in wrong}
        if len(titles) < len(order) or len(wrong) > _MISNAMED:
            raise
        for place in wrong:  # a slip of the pen: its neighbour's name, or one like its own; else it may mean another
            title = titles[place]
            like = right[place].startswith(title) or difflib.get_close_matches(title[:40], right[place : place + 1])
            if known.get(title) not in sure and (title in known or not like):
                raise
        try:
            columns = _by_title(where, right + titles[len(order) :], known, order)
        except NetworkError:
            raise error from None
        called = ", ".join(f"{shown(titles[place])} for {right[place]}" for place in wrong)
        notes.append(f"columns are read by position, as SCALE-Sim does: the header has {called}")
        return columns


def _by_title(where: str, titles: list[str], known: Mapping[str, str], order: Iterable[str]) -> dict[str, int]:
    """The place of each field; a title that is none, or one that is there twice, would be read by nobody."""
    for field in order:
        if field not in {known.get(title) for title in titles}:
            raise NetworkError(f'{where}: column "{_title(known, field)}" is missing; give {_WHAT}')
    columns: dict[str, int] = {}
    for place, title in enumerate(titles):
        if title not in known:
            near = difflib.get_close_matches(title[:40], known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise NetworkError(f"{where}: column {shown(title)} is not one; {hint}give {_WHAT}")
        field = known[title]
        if field in columns:
            other = titles[columns[field]]
            what = f"column {title} is there twice" if other == title else f"columns {other} and {title} say the same"
            raise NetworkError(f"{where}: {what}; give it once")
        columns[field] = place
    return columns


def _title(known: Mapping[str, str], field: str) -> str:
    return next(title for title, f in known.items() if f == field)


def _fields(line: str) -> list[str]:
    """The fields of a line without its comment and the empty ones at its end."""
    said = line.split("#")[0]
    fields = [field.strip() for field in said.split("," if "," in said else "\t")]
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _layer(where: str, fields: list[str], columns: dict[str, int], titles: list[str], notes: list[str]) -> Layer:
    def text(field: str) -> str:
        place = columns[field]
        if place >= len(fields) or not fields[place]:
            raise NetworkError(f'{where}: it has no "{titles[place]}"; give all of {", ".join(titles)}')
        return fields[place]

    def whole(field: str) -> int:
        value = text(field)
        if not (value.isascii() and value.isdigit() and len(value) <= 18 and int(value)):
            title = titles[columns[field]]
            raise NetworkError(f"{where}: {title} is {shown(value)}; give a whole number, at least 1")
        return int(value)

    if len(fields) > len(titles):
        raise NetworkError(f"{where}: it has {len(fields)} fields; give {len(titles)}, one for each column")
    name = text("name")
    batch = whole("batch") if columns.get("batch", len(fields)) < len(fields) else 1
    if "sparsity" in columns and columns["sparsity"] < len(fields):
        kept, _, of = text("sparsity").partition(":")
        pair = [int(n) if n.strip().isdecimal() and len(n) < 10 else 0 for n in (kept, of)]
        if not 1 <= pair[0] <= pair[1]:
            raise NetworkError(f"{where}: sparsity is {shown(text('sparsity'))}; give N:M, N of M weights, such as 2:4")
        if pair[0] != pair[1]:
            notes.append(f"{name}: its sparsity {pair[0]}:{pair[1]} is not used: a layer here is dense")
    try:
        if "M" in columns:
            return of_batch(product_layer(name, whole("M"), whole("N"), whole("K")), batch, notes)
        if "stride_w" in columns and whole("stride") != whole("stride_w"):
            strides = f"{whole('stride')} and {whole('stride_w')}"
            raise NetworkError(f"{where}: strides are {strides}; give one for both directions")
        sizes = {size: whole(size) for size in ("K", "C", "R", "S", "H", "W", "stride")}
        layer = of_batch(_convolution(name, sizes), batch, notes)
    except LayerError as error:
        raise NetworkError(f"{where}: {error}") from None
    for size, kernel in ((layer.H, layer.R), (layer.W, layer.S)):
        if (size - kernel) % layer.stride:
            notes.append(f"{layer.name}: SCALE-Sim counts one more output row or column, of a window that overhangs")
            break
    return layer


def _convolution(name: str, sizes: dict[str, int]) -> Layer:
    k, c, r, s, h, w = (sizes[size] for size in "KCRSHW")
    stride = sizes["stride"]
    if _DEPTHWISE in name:
        own = name.removesuffix(f"_{_DEPTHWISE}")
        return Layer(own, Kind.CONV, k * c, c, r, s, h, w, stride, groups=c, inputs=(INPUT,))
    if (r, s, h, w) == (1, 1, 1, 1):
        return Layer(name, Kind.LINEAR, k, c, inputs=(INPUT,))
    return Layer(name, Kind.CONV, k, c, r, s, h, w, stride, inputs=(INPUT,))


def write_topology(path: str | Path, layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Write :func:`topology_text` to a file, replacing what is there; returns the layers left out.

    Parameters
    ----------
    path : the file.
    layers : of a network.

    Raises
    ------
    NetworkError
        As :func:`topology_text`.
    FastSwitchError
        The file cannot be written.
    """
    text, left_out = topology_text(layers)
    write_whole(Path(path), text)
    return left_out


def topology_text(layers: Iterable[Layer]) -> tuple[str, tuple[Layer, ...]]:
    """Layers with weights as a SCALE-Sim topology, and the others, which such a file cannot say.

    Output sizes and multiply-accumulates there are those here.

    Raises
    ------
    NetworkError
        Groups are not depthwise; a name has a comma, "#" or blanks at its ends; or a dense layer has a name that
        SCALE-Sim takes for a depthwise one.
    """
    rows, left_out = [_CONV_HEADER], []
    for layer in layers:
        if not layer.kind.has_weights:
            left_out.append(layer)
            continue
        depthwise = layer.groups > 1
        if depthwise and layer.groups != layer.C:
            raise NetworkError(
                f"layer {layer.name}: groups is {layer.groups}; SCALE-Sim has 1 and, for a depthwise layer, {layer.C}"
            )
        misread = "," in layer.name or "#" in layer.name or layer.name != layer.name.strip()
        if misread or (_DEPTHWISE in layer.name and not depthwise):
            raise NetworkError(
                f"layer {layer.name!r}: SCALE-Sim reads such a name otherwise; give one without a comma, # and DP, and "
                "without blanks at its ends"
            )
        name = f"{layer.name}_{_DEPTHWISE}" if depthwise else layer.name
        ifmap = [(layer.P - 1) * layer.stride + layer.R, (layer.Q - 1) * layer.stride + layer.S]
        sizes = [*ifmap, layer.R, layer.S, layer.C, layer.K // layer.groups, layer.stride]
        rows.append(", ".join([name, *map(str, sizes)]) + ",")
    if len(rows) == 1:
        raise NetworkError("no layer has weights; a topology needs at least one")
    return "\n".join(rows) + "\n", tuple(left_out)
