"""ZigZag workloads written by hand (YAML), in: a list of layers, each an equation over loops with sizes.

``equation`` says which tensors have which indices, ``loop_dims`` and ``loop_sizes`` how far the indices run, and
``dimension_relations`` (``ix=2*ox+1*fx``) stride and dilation. Source: github.com/KULeuven-MICAS/zigzag, its
documentation of workloads and their validator.

| equation | layer |
|---|---|
| output k, weights k c fy fx (and the group g in all) | CONV with ``G`` groups of ``K`` filters over ``C`` channels |
| three indices, each in two of the tensors | a matrix product; the weights are the operand W, or the second one |
| input g iy ix, window fy fx without channels | MAXPOOL, AVGPOOL (by ``operator_type``), POOL over a whole image |
| output and operands alike, added | ADD |

ZigZag's shapes need no padding and give none, unless ``padding`` says it; so layers have padding 0 and an input as
large as their windows need. A layer reads what ``operand_source`` says if that has the shape, else the image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arch_model.errors import LayerError
from arch_model.files.shown import plain, shown
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet
from mapper.importers.network import Network, NetworkError, of_batch, product_layer, unique_names

_WHAT = "a ZigZag workload: a YAML list of layers with operator_type, equation, loop_dims and loop_sizes"
_KEYS = (
    *("id", "name", "operator_type", "equation", "dimension_relations", "loop_dims", "loop_sizes"),
    *("operand_precision", "operand_source", "pr_loop_dims", "pr_loop_sizes", "padding"),
)
_NEEDED = ("id", "operator_type", "equation", "loop_dims", "loop_sizes")
_POOLS = {"MaxPool": Kind.MAXPOOL, "Max": Kind.MAXPOOL, "AveragePool": Kind.AVGPOOL, "GlobalAveragePool": Kind.POOL}
_TENSOR = r"([A-Za-z_]\w*)((?:\[\w*\])+)"
_EQUATION = re.compile(rf"\s*{_TENSOR}\s*\+?\s*=\s*{_TENSOR}\s*([*+])\s*{_TENSOR}\s*")
_RELATION = re.compile(r"\s*(\w+)\s*=\s*(?:(\w+)\s*\*\s*)?(\w+)\s*\+\s*(?:(\w+)\s*\*\s*)?(\w+)\s*")
_LOOPS = frozenset({"b", "g", "k", "c", "oy", "ox", "fy", "fx"})


@dataclass(frozen=True)
class _Tensors:
    """An equation: the indices of the output and of both operands, by the operands' names."""

    output: frozenset[str]
    operands: Mapping[str, frozenset[str]]
    product: bool


def read_workload(path: str | Path, content: list[Any]) -> Network:
    """The layers of a ZigZag workload.

    Parameters
    ----------
    path : of its file, for errors.
    content : what its YAML holds.

    Raises
    ------
    NetworkError
        It names the file, the layer, the key and its value.
    """
    notes: list[str] = []
    layers = [_layer(path, place, entry, notes) for place, entry in enumerate(content)]
    if not layers:
        raise NetworkError(f"{path} has no layers; give {_WHAT}")
    names = unique_names((layer.name for layer in layers), {INPUT})
    made: dict[int, Layer] = {}
    for layer, name, entry in zip(layers, names, content, strict=True):
        made[entry["id"]] = _connected(replace(layer, name=name), entry, made)
    if len(made) < len(layers):
        twice = next(entry["id"] for n, entry in enumerate(content) if entry["id"] in [e["id"] for e in content[:n]])
        raise NetworkError(f"{path}: two layers have the id {twice}; give each its own")
    stem = Path(path).stem
    return Network(SubNet(stem, stem, tuple(made.values())), notes=tuple(notes))


def _connected(layer: Layer, entry: Mapping[str, Any], made: Mapping[int, Layer]) -> Layer:
    """The layer with the inputs that its file names, the latest first, if they are before it and of its shape."""
    sources = entry.get("operand_source")
    ids = sources.values() if isinstance(sources, dict) else ()
    before = {one: place for place, one in enumerate(made)}
    known = sorted((one for one in ids if type(one) is int and one in made), key=lambda one: -before[one])
    shape = layer.C, layer.H, layer.W
    found = [made[one].name for one in known if shape == (made[one].K, made[one].P, made[one].Q)]
    inputs = (*found, INPUT, INPUT)[: layer.kind.operands]
    return replace(layer, inputs=inputs)


def _layer(path: str | Path, place: int, entry: Any, notes: list[str]) -> Layer:
    if not isinstance(entry, dict):
        raise NetworkError(f"{path}: layer {place} of the list is {shown(entry)}; give {_WHAT}")
    where = f"{path}: layer {shown(entry.get('id', place))}"
    for key in entry:
        if key not in _KEYS:
            raise NetworkError(f"{where}: {plain(str(key))} is not a key; give some of {', '.join(_KEYS)}")
    for key in _NEEDED:
        if key not in entry:
            raise NetworkError(f"{where}: key {key} is missing; give {', '.join(_NEEDED)}")
    if type(entry["id"]) is not int:
        raise NetworkError(f"{where}: id is {shown(entry['id'])}; give a whole number")
    name = entry.get("name") or f"Layer{entry['id']}"
    if not isinstance(name, str):
        raise NetworkError(f"{where}: name is {shown(name)}; give a text")
    tensors, sizes = _equation(where, entry["equation"]), _sizes(where, entry)
    try:
        layer = _shape(where, name, entry, tensors, sizes, notes)
        return of_batch(layer, sizes.get("b", 1), notes)
    except LayerError as error:
        raise NetworkError(f"{path}: {error}") from None


def _shape(
    where: str, name: str, entry: Mapping[str, Any], tensors: _Tensors, sizes: dict[str, int], notes: list[str]
) -> Layer:
    operands = list(tensors.operands.values())
    if not tensors.product:
        if any(names != tensors.output for names in operands) or not tensors.output <= _LOOPS:
            raise _no_layer(where, entry)
        c, h, w = (_of(sizes, names) for names in ("gkc", ["oy"], ["ox"]))
        return Layer(name, Kind.ADD, c, c, H=h, W=w, inputs=(INPUT, INPUT))
    if len(sizes) == 3 and all(len(names) == 2 for names in (tensors.output, *operands)):
        return _product(where, name, entry, tensors, sizes)
    if not set(sizes) <= _LOOPS:
        raise _no_layer(where, entry)
    window = {"fy", "fx"} & set(sizes)
    images = [names for names in operands if {"iy", "ix", "oy", "ox"} & names]
    if len(images) != 1 or "k" in images[0] or "b" not in images[0] | ({"b"} - set(sizes)):
        raise _no_layer(where, entry)
    (weights,) = [names for names in operands if names is not images[0]]
    if tensors.output & {"c", "fy", "fx", "iy", "ix"} or not weights <= {"k", "c", "g", "fy", "fx"}:
        raise _no_layer(where, entry)
    stride = _stride(where, entry, sizes)
    r, s, p, q, groups = (_of(sizes, [loop]) for loop in ("fy", "fx", "oy", "ox", "g"))
    h, w, padding = _input(where, entry, ((p - 1) * stride + r, (q - 1) * stride + s), (r, s, p, q, stride))
    if "k" in sizes or weights - window:
        k, c = _of(sizes, ["k"]) * groups, _of(sizes, ["c"]) * groups
        if (r, s, h, w, padding, groups) == (1, 1, 1, 1, 0, 1):
            return Layer(name, Kind.LINEAR, k, c, inputs=(INPUT,))
        return Layer(name, Kind.CONV, k, c, r, s, h, w, stride, padding, groups, inputs=(INPUT,))
    channels = groups * _of(sizes, ["c"])
    window_layer = Layer(name, Kind.MAXPOOL, channels, channels, r, s, h, w, stride, padding, inputs=(INPUT,))
    return _pool(where, name, entry, window_layer, notes)


def _pool(where: str, name: str, entry: Mapping[str, Any], window: Layer, notes: list[str]) -> Layer:
    said = entry["operator_type"]
    kind = _POOLS.get(said)
    if kind is None and said not in ("Pool", "Pooling"):
        raise NetworkError(f"{where}: operator_type is {shown(said)}; give Pooling or one of {', '.join(_POOLS)}")
    whole = (window.R, window.S) == (window.H, window.W) and window.R * window.S > 1
    if whole and kind is not Kind.MAXPOOL:
        return Layer(name, Kind.POOL, window.K, window.C, H=window.H, W=window.W, inputs=(INPUT,))
    if kind is Kind.POOL:
        raise NetworkError(f"{where}: its window does not cover the image; give the operator_type AveragePool")
    if kind is None:
        notes.append(f"{name}: {said} does not say what it takes of a window; read as the maximum")
    return replace(window, kind=kind or Kind.MAXPOOL)


def _product(where: str, name: str, entry: Mapping[str, Any], tensors: _Tensors, sizes: Mapping[str, int]) -> Layer:
    left, right = tensors.operands.values()
    if len({tensors.output, left, right}) != 3:
        raise _no_layer(where, entry)
    weights = tensors.operands.get("W", right)
    (depth,), (columns,), (rows,) = left & right, weights & tensors.output, tensors.output - weights
    return product_layer(name, sizes[rows], sizes[columns], sizes[depth])


def _equation(where: str, text: Any) -> _Tensors:
    found = _EQUATION.fullmatch(text) if isinstance(text, str) and len(text) < 1000 else None
    if not found or found[3] == found[6]:
        raise NetworkError(
            f"{where}: equation is {shown(text)}; give a product or sum of two tensors, such as "
            "O[m][n]+=I[m][d]*W[d][n]"
        )
    output, first, second = (frozenset(re.findall(r"\w+", found[at].lower())) for at in (2, 4, 7))
    return _Tensors(output, {found[3]: first, found[6]: second}, found[5] == "*")


def _sizes(where: str, entry: Mapping[str, Any]) -> dict[str, int]:
    loops, numbers = entry["loop_dims"], entry["loop_sizes"]
    if not isinstance(loops, list) or not isinstance(numbers, list) or len(loops) != len(numbers):
        raise NetworkError(
            f"{where}: loop_dims is {shown(loops)} and loop_sizes {shown(numbers)}; give two lists of one length"
        )
    sizes: dict[str, int] = {}
    for loop, number in zip(loops, numbers, strict=True):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise NetworkError(
                f"{where}: the size of {plain(str(loop))} is {shown(number)}; give a whole number from 1"
            )
        if sizes.setdefault(str(loop).lower(), number) != number:
            raise NetworkError(f"{where}: loop_dims has {plain(str(loop))} twice; give it once")
    return sizes


def _of(sizes: Mapping[str, int], loops: Any) -> int:
    """The product of the loops that are there."""
    total = 1
    for loop in loops:
        total *= sizes.get(loop, 1)
    return total


def _stride(where: str, entry: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """The stride, which both directions share; a dilated kernel is refused."""
    strides: dict[str, int] = {}
    listed = entry.get("dimension_relations") or []
    for text in listed if isinstance(listed, list) else [listed]:
        found = _RELATION.fullmatch(text.lower()) if isinstance(text, str) and len(text) < 200 else None
        terms = {found[3]: found[2] or "1", found[5]: found[4] or "1"} if found else {}
        axis = next((axis for axis in "yx" if {*terms} == {f"o{axis}", f"f{axis}"}), "")
        if not axis or not all(number.isdecimal() and int(number[:9]) > 0 for number in terms.values()):
            raise NetworkError(
                f"{where}: dimension_relations has {shown(text)}; give ix=STRIDE*ox+1*fx and iy=STRIDE*oy+1*fy"
            )
        if int(terms[f"f{axis}"]) != 1 and sizes.get(f"f{axis}", 1) > 1:
            raise NetworkError(f"{where}: {shown(text)} dilates the kernel, which has no layer; give 1*f{axis}")
        strides[axis] = int(terms[f"o{axis}"])
    used = {strides.get(axis, 1) for axis in "yx" if sizes.get(f"o{axis}", 1) > 1} or {strides.get("x", 1)}
    if len(used) > 1:
        raise NetworkError(f"{where}: the strides are {shown(strides)}; give one for both directions")
    return used.pop()


def _input(
    where: str, entry: Mapping[str, Any], needed: tuple[int, int], sizes: tuple[int, int, int, int, int]
) -> tuple[int, int, int]:
    """Rows and columns of the input, and its padding if ``padding`` has one for all four sides."""
    loops, numbers, pads = (entry.get(key) or [] for key in ("pr_loop_dims", "pr_loop_sizes", "padding"))
    if not loops or not numbers or not pads:
        return *needed, 0
    try:
        names = [str(loop).lower() for loop in loops]
        said = {name: (number, tuple(pad)) for name, number, pad in zip(names, numbers, pads, strict=True)}
        (h, around), (w, sides) = said["iy"], said["ix"]
        (padding,) = {*around, *sides}
    except (TypeError, ValueError, KeyError):
        return *needed, 0
    r, s, p, q, stride = sizes
    if not all(type(number) is int for number in (h, w, padding)) or min(h, w) < 1 or not 0 <= padding < 2**31:
        raise NetworkError(f"{where}: padding is {shown(pads)} of {shown(numbers)}; give whole numbers")
    rows, columns = (h + 2 * padding - r) // stride + 1, (w + 2 * padding - s) // stride + 1
    return (h, w, padding) if (rows, columns) == (p, q) else (*needed, 0)


def _no_layer(where: str, entry: Mapping[str, Any]) -> NetworkError:
    return NetworkError(
        f"{where}: no layer stands for {shown(entry['operator_type'])} with the equation {shown(entry['equation'])}; "
        "give a convolution, a matrix product, a pool or an addition"
    )
