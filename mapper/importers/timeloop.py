"""Timeloop problem files, in and out: one convolution or matrix product a YAML file, a network a folder of them.

``problem`` holds the ``shape`` (a name, or dimensions, coefficients and data_spaces) and the ``instance`` with the
sizes; older files have the sizes beside the shape, and ``data-spaces``; newer ones include others
(:mod:`mapper.importers.timeloop_text`). A key that is none of these is an error: what it says would be lost.
Dimensions: C input channels, K or M output
channels, R and S kernel, P and Q output, N batch, G groups; coefficients Wstride, Hstride, Wdilation, Hdilation.
Source: github.com/NVlabs/timeloop, problem-shapes/ and configs/.

A shape of three dimensions is a matrix product: its two operands share the dimension that the result lacks. Densities
of operands are noted and nothing more: a layer here is dense.

A problem has no padding: its input has (P - 1) stride + R rows. So a layer is read with padding 0 and written with the
padding inside the input; K, C, R, S, P, Q, groups, stride and multiply-accumulates come back as they were. R goes
with P and S with Q; that the stride of these is called Wstride there and ours is one number settles which is height.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from arch_model.errors import LayerError
from arch_model.files.shown import plain, shown
from arch_model.files.wanted import Wanted
from arch_model.files.writing import write_whole
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet
from mapper.importers.network import Network, NetworkError, of_batch, product_layer, unique_names
from mapper.importers.timeloop_text import read_timeloop

_WHAT = "a Timeloop problem: YAML with problem, its shape and its instance"
_STRIDES = ("Wstride", "Hstride")
_DILATIONS = ("Wdilation", "Hdilation")
_INPUT_SIZES = ("H", "W")
_NAMES = ("cnn_layer", "cnn-layer")
_SHAPE = ("name", "version", "dimensions", "coefficients", "data_spaces", "data-spaces")
_SECTIONS = (
    *("problem", "architecture", "arch", "components", "variables", "globals", "mapper", "mapping", "mapspace"),
    *("architecture_constraints", "architecture-constraints", "mapspace_constraints", "mapspace-constraints"),
    *("constraints", "sparse_optimizations", "compound_components", "ERT", "ART", "version"),
)
"""Of a file; a problem is all that is read."""
_REPEATED = ("_base", "_ignore")
"""How the names of the mappings end that others go on from."""
SUFFIXES = (".yaml", ".yml")


def read_problem(path: str | Path) -> Network:
    """The one layer of a Timeloop problem file, named as the file. Raises :class:`NetworkError`.

    A shape with neither K nor M is depthwise; one with G has C and K (or M) channels in each of G groups; one of three
    dimensions is a matrix product.
    """
    return problem_network(path, read_timeloop(path, Wanted(str(path), _WHAT, NetworkError)))


def read_problems(folder: str | Path) -> Network:
    """The layers of a folder of Timeloop problem files, one a file, in the order of the names: 2 comes before 10.

    Files without a problem, such as those that others include, are left out with a note.

    Raises
    ------
    NetworkError
        As :func:`read_problem` does, and if no file of the folder has a problem.
    """
    wanted = f"give a folder with a Timeloop problem in each {' or '.join(SUFFIXES)} file"
    try:
        files = [path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise NetworkError(f"{folder} cannot be read ({error.strerror}); {wanted}") from None
    layers: list[Layer] = []
    notes: list[str] = []
    for path in sorted(files, key=_by_number):
        content = read_timeloop(path, Wanted(str(path), _WHAT, NetworkError))
        if isinstance(content, dict) and "problem" not in content:
            notes.append(f"{path.name} has no problem and is left out")
            continue
        network = problem_network(path, content)
        layers += network.subnet.layers
        notes += network.notes
    if not layers:
        raise NetworkError(f"{folder} holds no Timeloop problem; {wanted}")
    names = unique_names((layer.name for layer in layers), {INPUT})
    renamed = tuple(replace(layer, name=name) for layer, name in zip(layers, names, strict=True))
    name = Path(folder).resolve().name or "network"
    return Network(SubNet(name, name, renamed), notes=tuple(notes))


def _by_number(path: Path) -> list[tuple[int, str]]:
    """A key to sort names by in which digits count as numbers."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(int(piece[:18]), "") if piece[0] in "0123456789" else (-1, piece) for piece in pieces]


def problem_network(path: str | Path, content: Any) -> Network:
    """The network of a Timeloop problem.

    Parameters
    ----------
    path : of its file, for errors.
    content : of the file.

    Raises
    ------
    NetworkError
        It is no problem of one layer; the line names the key and its value.
    """
    problem = content.get("problem") if isinstance(content, dict) else None
    if not isinstance(problem, dict):
        raise NetworkError(f'{path}: key "problem" is missing; give {_WHAT}')
    _check_keys(path, "", content, (*_SECTIONS, *(key for key in content if str(key).endswith(_REPEATED))))
    shape, beside = problem.get("shape", _NAMES[0]), ("shape", "version", "name", "instance")
    dimensions = _dimensions(path, shape)
    inside = problem.get("instance", {key: v for key, v in problem.items() if key not in beside})
    if not isinstance(inside, dict):
        raise NetworkError(f"{path}: problem.instance is {shown(inside)}; give a size for each dimension")
    if "instance" in problem:
        _check_keys(path, "problem.", problem, beside)
    stem, notes = Path(path).stem, list[str]()
    sizes = _spelled(path, stem, inside, notes)
    if densities := sizes.pop("densities", None):
        notes.append(f"{stem}: the densities {shown(densities)} are not used: a layer here is dense")
    if dimensions is not None and len(dimensions) == 3:
        _check_keys(path, "problem.instance.", sizes, sorted(dimensions))
        layer = _product(path, stem, shape, sizes)
        return Network(SubNet(stem, stem, (layer,)), notes=tuple(notes))
    known = (*sorted(dimensions or "CGKMNPQRS"), *_STRIDES, *_DILATIONS, *_INPUT_SIZES)
    _check_keys(path, "problem.instance.", sizes, known)
    if {"K", "M"} <= set(sizes):
        raise NetworkError(f"{path}: problem.instance has K and M, both the output channels; give one of them")
    coefficients = _defaults(path, shape)
    _check_coefficients(path, shape, {**coefficients, **sizes})
    layer = _layer(str(path), stem, {**coefficients, **sizes}, dimensions)
    layer = of_batch(layer, _size(path, sizes, "N", 1), notes)
    for key in _INPUT_SIZES:  # not dimensions: they follow from the others, and shapes that all share say 1
        if sizes.get(key, 1) not in (1, getattr(layer, key)):
            raise NetworkError(
                f"{path}: {key} is {shown(sizes[key])}; give {getattr(layer, key)}, what the other sizes need"
            )
    return Network(SubNet(stem, stem, (layer,)), notes=tuple(notes))


def _spelled(path: str | Path, stem: str, inside: Mapping[Any, Any], notes: list[str]) -> dict[Any, Any]:
    """The sizes with a coefficient in other capitals, such as HStride, under its name; a note says so."""
    names = {name.lower(): name for name in (*_STRIDES, *_DILATIONS)}
    sizes = {key: value for key, value in inside.items() if str(key).lower() not in names or key in names.values()}
    for key, value in inside.items():
        if key in sizes:
            continue
        name = names[str(key).lower()]
        if sizes.get(name, 1) not in (1, value):
            raise NetworkError(f"{path}: {key} is {shown(value)} and {name} {shown(sizes[name])}; give one of them")
        sizes[name] = value
        notes.append(f"{stem}: {key} is read as {name}, the name that Timeloop knows; by itself it runs with {name} 1")
    return sizes


def _product(path: str | Path, stem: str, shape: Mapping[str, Any], sizes: Mapping[str, Any]) -> Layer:
    """A matrix product: what both operands have is C, the weights' other dimension K, the third one the pixels.

    The weights are the operand that is called so, or the second one.
    """
    spaces = shape.get("data_spaces", shape.get("data-spaces", []))
    held = [{str(term[0]) for axis in space.get("projection", ()) for term in axis} for space in spaces]
    writes = [bool(space.get("read_write", space.get("read-write", False))) for space in spaces]
    operands = [place for place, written in enumerate(writes) if not written]
    if len(held) != 3 or len(operands) != 2 or sorted(map(len, held)) != [2, 2, 2] or len({*map(frozenset, held)}) != 3:
        raise NetworkError(
            f"{path}: problem.shape has three dimensions; give the data spaces of a matrix product: two operands, and "
            "a result with read_write, of two dimensions each"
        )
    named = [place for place in operands if "weight" in str(spaces[place].get("name", "")).lower()]
    weights = held[named[0] if len(named) == 1 else operands[1]]
    (result,) = (held[place] for place in range(3) if place not in operands)
    (depth,), (columns,), (rows,) = set.union(*held) - result, weights & result, result - weights
    count = {name: _size(path, sizes, name) for name in (rows, columns, depth)}
    try:
        return product_layer(stem, count[rows], count[columns], count[depth])
    except LayerError as error:
        raise NetworkError(f"{path}: {error}") from None


def _size(path: str | Path, sizes: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = sizes.get(key, default)
    if value is None:
        raise NetworkError(f"{path}: problem.instance has no {key}; give a size for each dimension")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise NetworkError(f"{path}: {key} is {shown(value)}; give a whole number, at least 1")
    return value


def _dimensions(path: str | Path, shape: Any) -> set[str] | None:
    """The dimensions that a shape lists; None for Timeloop's own shape, by name."""
    if isinstance(shape, str):
        if shape.lower() not in _NAMES:
            raise NetworkError(f"{path}: problem.shape is {shown(shape)}; give {_NAMES[0]}, or a shape with dimensions")
        return None
    if isinstance(shape, dict):
        _check_keys(path, "problem.shape.", shape, _SHAPE)
        if {"data_spaces", "data-spaces"} <= set(shape):
            raise NetworkError(f"{path}: problem.shape has data_spaces and data-spaces; give one of them")
    listed = shape.get("dimensions") if isinstance(shape, dict) else None
    if not isinstance(listed, list):
        raise NetworkError(f"{path}: problem.shape has no dimensions; give C, K or M, R, S, P, Q and N")
    names = {str(name) for name in listed}
    if len(names) < len(listed):
        raise NetworkError(f"{path}: problem.shape.dimensions is {shown(listed)}; give each dimension once")
    used = _projected(path, shape.get("data_spaces", shape.get("data-spaces", [])))
    names |= used & {"G"}  # some files project onto G without listing it
    if len(names) == 3 and len(used) == 3 and names == used:
        return names
    if not names >= {"C", "R", "S", "P", "Q"} or names - set("CKMRSPQNG"):
        raise NetworkError(
            f"{path}: problem.shape has the dimensions {', '.join(sorted(names))}; "
            "give a convolution's: C, K or M, R, S, P, Q, N and maybe G"
        )
    return names


def _projected(path: str | Path, spaces: Any) -> set[str]:
    """The dimensions that the data spaces are projected from."""
    try:
        for space in spaces:
            _check_keys(path, "problem.shape.data_spaces.", space, ("name", "projection", "read_write", "read-write"))
        axes = [axis for space in spaces for axis in space.get("projection", ())]
        return {str(term[0]) for axis in axes for term in axis}
    except (TypeError, AttributeError, IndexError, KeyError):
        raise NetworkError(
            f"{path}: problem.shape.data_spaces is {shown(spaces)}; give a list, each with a name and a projection"
        ) from None


def _check_coefficients(path: str | Path, shape: Any, values: Mapping[str, Any]) -> None:
    """Refuse a coefficient that a projection has and nothing gives a value to, or the other way round."""
    spaces: Any = shape.get("data_spaces", shape.get("data-spaces", [])) if isinstance(shape, dict) else []
    terms = [term for space in spaces for axis in space.get("projection", ()) for term in axis]
    used = set()
    for term in terms:
        names = [str(part) for part in term[1:]] if isinstance(term, list) else []
        if len(names) > 1 or (names and names[0] not in values):
            raise NetworkError(
                f"{path}: problem.shape.data_spaces projects {shown(term)}; give a dimension and at most one "
                "coefficient, which has a value"
            )
        used.update(names)
    for name in (*_STRIDES, *_DILATIONS):
        if spaces and name not in used and values.get(name, 1) != 1:
            raise NetworkError(
                f"{path}: {name} is {shown(values[name])} and no projection has it; give 1, or project it"
            )


def _defaults(path: str | Path, shape: Any) -> dict[str, Any]:
    """The coefficients that a shape gives values to."""
    listed = shape.get("coefficients") if isinstance(shape, dict) else None
    found: dict[str, Any] = {}
    for entry in listed if isinstance(listed, list) else [listed] if listed is not None else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise NetworkError(f"{path}: problem.shape.coefficients has {shown(entry)}; give name and default of each")
        _check_keys(path, "problem.shape.coefficients.", entry, ("name", "default"))
        _check_keys(path, "problem.shape.coefficients.", {entry["name"]: 0}, (*_STRIDES, *_DILATIONS))
        if entry["name"] in found:
            raise NetworkError(f"{path}: coefficient {entry['name']} is given twice; give it once")
        found[entry["name"]] = entry.get("default", 1)
    return found


def _check_keys(path: str | Path, where: str, mapping: Mapping[Any, Any], known: Iterable[str]) -> None:
    """Refuse a key that means nothing: what it was to say would be lost."""
    names = tuple(known)
    for key in mapping:
        if key not in names:
            near = difflib.get_close_matches(str(key)[:40], names, 1, 0.7)
            hint = f"did you mean {near[0]}? " if near else ""
            raise NetworkError(f"{path}: {where}{plain(str(key))} is not a key; {hint}give some of {', '.join(names)}")


def _layer(path: str, name: str, sizes: Mapping[str, Any], dimensions: set[str] | None) -> Layer:
    def size(key: str, default: int | None = None) -> int:
        return _size(path, sizes, key, default)

    for key in _DILATIONS:
        if size(key, 1) != 1:
            raise NetworkError(f"{path}: {key} is {size(key)}; give 1: a dilated kernel has no layer")
    stride, other = (size(key, 1) for key in _STRIDES)
    if stride != other:
        raise NetworkError(f"{path}: Wstride is {stride} and Hstride {other}; give one for both directions")
    c, r, s, p, q = (size(key) for key in "CRSPQ")
    groups = size("G", 1) if dimensions is None or "G" in dimensions else 1
    if dimensions is not None and not dimensions & {"K", "M"}:  # depthwise: an output channel for each input channel
        k, c, groups = c * groups, c * groups, c * groups
    else:
        k = size("M" if "M" in sizes and "K" not in sizes else "K") * groups
        c *= groups
    try:
        if (r, s, p, q, stride, groups) == (1, 1, 1, 1, 1, 1):
            return Layer(name, Kind.LINEAR, K=k, C=c, inputs=(INPUT,))
        h, w = (p - 1) * stride + r, (q - 1) * stride + s
        return Layer(name, Kind.CONV, k, c, r, s, h, w, stride=stride, groups=groups, inputs=(INPUT,))
    except LayerError as error:
        raise NetworkError(f"{path}: {error}") from None


def problem_of(layer: Layer) -> dict[str, Any]:
    """A layer with weights as the ``problem`` of a Timeloop file.

    Raises
    ------
    NetworkError
        It has no weights.

    Examples
    --------
    >>> problem = problem_of(Layer("a", Kind.CONV, K=8, C=4, R=3, S=3, H=7, W=7, stride=2, padding=1))
    >>> problem["instance"]["P"], problem["instance"]["Wstride"], problem["shape"]["dimensions"]
    (4, 2, ['C', 'K', 'R', 'S', 'P', 'Q', 'N'])
    """
    if not layer.kind.has_weights:
        raise NetworkError(
            f"layer {layer.name}: a layer of kind {layer.kind} is no Timeloop problem; give one with weights"
        )
    grouped = ["G"] if layer.groups > 1 else []
    coefficients = [{"name": key, "default": 1} for key in (*_STRIDES, *_DILATIONS)]
    rows, columns = [["R", "Wdilation"], ["P", "Wstride"]], [["S", "Hdilation"], ["Q", "Hstride"]]

    def plain(*names: str) -> list[Any]:
        return [[[name]] for name in (*grouped, *names)]

    spaces = [
        {"name": "Weights", "projection": plain("C", "K", "R", "S")},
        {"name": "Inputs", "projection": [*plain("N", "C"), rows, columns]},
        {"name": "Outputs", "projection": plain("N", "K", "Q", "P"), "read_write": True},
    ]
    sizes = {"C": layer.C // layer.groups, "K": layer.K // layer.groups, "R": layer.R, "S": layer.S}
    sizes |= {"P": layer.P, "Q": layer.Q, "N": 1} | dict.fromkeys(grouped, layer.groups)
    sizes |= dict.fromkeys(_STRIDES, layer.stride) | dict.fromkeys(_DILATIONS, 1)
    shape = {
        "name": "CNN_Layer",
        "dimensions": [*grouped, "C", "K", "R", "S", "P", "Q", "N"],
        "coefficients": coefficients,
        "data_spaces": spaces,
    }
    return {"version": 0.4, "shape": shape, "instance": sizes}


def write_problems(folder: str | Path, layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Write :func:`problem_texts` to a folder that is there, over what has their names; returns the layers left out.

    Parameters
    ----------
    folder : the folder.
    layers : of a network.
    """
    files, left_out = problem_texts(layers)
    for name, text in files.items():
        write_whole(Path(folder) / name, text)
    return left_out


def problem_texts(layers: Iterable[Layer]) -> tuple[dict[str, str], tuple[Layer, ...]]:
    """Each layer with weights as a Timeloop problem, by a file's name ``NNN_name.yaml``, and the other layers."""
    files, left_out = {}, []
    for index, layer in enumerate(layers):
        if layer.kind.has_weights:
            name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in layer.name)
            files[f"{index:03}_{name}.yaml"] = _text(layer)
        else:
            left_out.append(layer)
    return files, tuple(left_out)


def write_problem(path: str | Path, layer: Layer) -> None:
    """Write a layer as a Timeloop problem file.

    Parameters
    ----------
    path : the file.
    layer : with weights.

    Raises
    ------
    NetworkError
        It has no weights.
    """
    write_whole(Path(path), _text(layer))


def _text(layer: Layer) -> str:
    return yaml.safe_dump({"problem": problem_of(layer)}, sort_keys=False)
