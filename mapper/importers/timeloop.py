"""Timeloop problem files, in and out: one convolution a YAML file.

``problem`` holds the ``shape`` (a name, or dimensions, coefficients and data_spaces) and the ``instance`` with the
sizes; older files have the sizes beside the shape, and ``data-spaces``. Dimensions: C input channels, K or M output
channels, R and S kernel, P and Q output, N batch, G groups; coefficients Wstride, Hstride, Wdilation, Hdilation.
Source: github.com/NVlabs/timeloop, problem-shapes/ and configs/.

A problem has no padding: its input has (P - 1) stride + R rows. So a layer is read with padding 0 and written with the
padding inside the input; K, C, R, S, P, Q, groups, stride and multiply-accumulates come back as they were. R goes
with P and S with Q; that the stride of these is called Wstride there and ours is one number settles which is height.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from arch_model.errors import LayerError
from arch_model.files.shown import shown
from arch_model.files.wanted import Wanted
from arch_model.files.yaml_file import read_yaml
from arch_model.layer import INPUT, Kind, Layer
from arch_model.supernet import SubNet
from mapper.importers.network import Network, NetworkError, write_text

_WHAT = "a Timeloop problem: YAML with problem, its shape and its instance"
_STRIDES = ("Wstride", "Hstride")
_DILATIONS = ("Wdilation", "Hdilation")
_NAMES = ("cnn_layer", "cnn-layer")


def read_problem(path: str | Path) -> Network:
    """The one layer of a Timeloop problem file, named as the file. Raises :class:`NetworkError`.

    A shape with neither K nor M is depthwise; one with G has C and K (or M) channels in each of G groups.
    """
    content = read_yaml(path, Wanted(str(path), _WHAT, NetworkError))
    problem = content.get("problem") if isinstance(content, dict) else None
    if not isinstance(problem, dict):
        raise NetworkError(f'{path}: key "problem" is missing; give {_WHAT}')
    dimensions = _dimensions(path, problem.get("shape", _NAMES[0]))
    inside = problem.get("instance", {key: v for key, v in problem.items() if key not in ("shape", "version", "name")})
    if not isinstance(inside, dict):
        raise NetworkError(f"{path}: problem.instance is {shown(inside)}; give a size for each dimension")
    coefficients = _defaults(problem.get("shape"))
    stem = Path(path).stem
    layer = _layer(str(path), stem, {**coefficients, **inside}, dimensions)
    return Network(SubNet(stem, stem, (layer,)))


def _dimensions(path: str | Path, shape: Any) -> set[str] | None:
    """The dimensions that a shape lists; None for Timeloop's own shape, by name."""
    if isinstance(shape, str):
        if shape.lower() not in _NAMES:
            raise NetworkError(f"{path}: problem.shape is {shown(shape)}; give {_NAMES[0]}, or a shape with dimensions")
        return None
    listed = shape.get("dimensions") if isinstance(shape, dict) else None
    if not isinstance(listed, list):
        raise NetworkError(f"{path}: problem.shape has no dimensions; give C, K or M, R, S, P, Q and N")
    names = {str(name) for name in listed}
    used = _projected(path, shape.get("data_spaces", shape.get("data-spaces", [])))
    names |= used & {"G"}  # some files project onto G without listing it
    if not names >= {"C", "R", "S", "P", "Q"} or names - set("CKMRSPQNG"):
        raise NetworkError(
            f"{path}: problem.shape has the dimensions {', '.join(sorted(names))}; "
            "give a convolution's: C, K or M, R, S, P, Q, N and maybe G"
        )
    return names


def _projected(path: str | Path, spaces: Any) -> set[str]:
    """The dimensions that the data spaces are projected from."""
    try:
        axes = [axis for space in spaces for axis in space.get("projection", ())]
        return {str(term[0]) for axis in axes for term in axis}
    except (TypeError, AttributeError, IndexError, KeyError):
        raise NetworkError(
            f"{path}: problem.shape.data_spaces is {shown(spaces)}; give a list, each with a name and a projection"
        ) from None


def _defaults(shape: Any) -> dict[str, Any]:
    listed = shape.get("coefficients") if isinstance(shape, dict) else None
    pairs = [entry for entry in listed or () if isinstance(entry, dict)]
    return {str(entry["name"]): entry["default"] for entry in pairs if {"name", "default"} <= set(entry)}


def _layer(path: str, name: str, sizes: Mapping[str, Any], dimensions: set[str] | None) -> Layer:
    def size(key: str, default: int | None = None) -> int:
        value = sizes.get(key, default)
        if value is None:
            raise NetworkError(f"{path}: problem.instance has no {key}; give a size for each dimension")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise NetworkError(f"{path}: {key} is {shown(value)}; give a whole number, at least 1")
        return value

    for key in (*_DILATIONS, "N"):
        if size(key, 1) != 1:
            right = "1, one image at a time" if key == "N" else "1: a dilated kernel has no layer"
            raise NetworkError(f"{path}: {key} is {size(key)}; give {right}")
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
    """A layer with weights as the ``problem`` of a Timeloop file; :class:`NetworkError` for one without.

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
    """Write each layer with weights as ``NNN_name.yaml`` in a folder that is there; returns the others."""
    left_out = []
    for index, layer in enumerate(layers):
        if layer.kind.has_weights:
            name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in layer.name)
            write_problem(Path(folder) / f"{index:03}_{name}.yaml", layer)
        else:
            left_out.append(layer)
    return tuple(left_out)


def write_problem(path: str | Path, layer: Layer) -> None:
    """Write a layer as a Timeloop problem file. Raises :class:`NetworkError`."""
    write_text(path, yaml.safe_dump({"problem": problem_of(layer)}, sort_keys=False))
