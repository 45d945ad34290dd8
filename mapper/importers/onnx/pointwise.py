"""Chains of operators that work value by value, as one function of one tensor: the activation table's.

Exporters write SiLU, h-swish, GELU, Mish in many ways: as x times Sigmoid(x), as Add, Clip, Mul and Div, with Erf or
Tanh and constants. All of them are one function of a number, and the machine has a table for any of those. So what is
looked for here is no list of patterns: every group of such operators between one tensor and another becomes one node,
whatever stands in it, and its activation has a name if the function is a known one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.network.activation_curves import activation_of
from arch_model.network.layer import Activation
from mapper.importers.host_steps import ELEMENTWISE, HostStep, run_steps
from mapper.importers.onnx.model import Array, Node

DOMAIN = "fastswitch"
"""Of nodes that stand for several of the file."""

_BOUNDS = ("Relu", "Clip")
_LINEAR = (*_BOUNDS, "Add", "Sub", "Mul", "Div", "Neg", "Identity")
"""Alone, these go into the layer before them as they are."""
_ONLY_AS_CURVES = ("Abs", "Max", "Min", "Neg", "Pow", "Reciprocal")
"""What no layer is for, but a function of one value."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A function of one number, by the operators that compute it.

    Attributes
    ----------
    steps : the operators, in order.
    source, result : names of the number and of what becomes of it.
    """

    steps: tuple[HostStep, ...]
    source: str
    result: str

    def __call__(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The function of each value, in float64."""
        with np.errstate(all="ignore"):
            made = run_steps(self.steps, {self.source: np.asarray(x, np.float64)})[self.result]
        return np.asarray(made, np.float64)


def with_curves(
    nodes: Sequence[Node], constants: Mapping[str, Array], results: Sequence[str], keep: set[str]
) -> tuple[Node, ...]:
    """The nodes, with one in place of each group that computes a function of one number.

    Parameters
    ----------
    nodes : in order of execution.
    constants : numbers by name.
    results : of the graph.
    keep : tensors that stay results of the nodes that they have.
    """
    stops: set[str] = set(keep)
    while True:
        bases = _bases(nodes, constants, stops)
        wanted = _wanted(nodes, bases, results)
        inner = {name for node in nodes for name in node.inputs if node.outputs[0] in bases and name in wanted}
        if inner <= stops:
            break
        stops |= inner
    return tuple(_replaced(nodes, constants, bases, wanted))


def _scalar(name: str, constants: Mapping[str, Array]) -> bool:
    return name in constants and constants[name].size == 1 and constants[name].dtype.kind == "f"


def _bases(nodes: Sequence[Node], constants: Mapping[str, Array], stops: set[str]) -> dict[str, str]:
    """Of each tensor that is a function of one other, value by value, that other one."""
    bases: dict[str, str] = {}
    for node in nodes:
        if node.op not in ELEMENTWISE or node.outputs[0] in stops or node.domain not in ("", "ai.onnx"):
            continue
        given = [name for name in node.inputs if name]
        if node.op in ("Clip", "PRelu", "Pow") and not all(_scalar(name, constants) for name in given[1:]):
            continue
        sources = {bases.get(name, name) for name in given if not _scalar(name, constants)}
        if len(sources) == 1 and not sources & constants.keys():
            (bases[node.outputs[0]],) = sources
    return bases


def _wanted(nodes: Sequence[Node], bases: Mapping[str, str], results: Sequence[str]) -> set[str]:
    """Tensors of groups that are read outside their group."""
    wanted = set(results) & bases.keys()
    for node in nodes:
        base = bases.get(node.outputs[0])
        wanted |= {name for name in node.inputs if name in bases and bases[name] != base}
    return wanted


def _replaced(
    nodes: Sequence[Node], constants: Mapping[str, Array], bases: Mapping[str, str], wanted: set[str]
) -> list[Node]:
    makers = {node.outputs[0]: node for node in nodes}
    made: list[Node] = []
    for node in nodes:
        out = node.outputs[0]
        if out not in bases:
            made.append(node)
            continue
        if out not in wanted:
            continue
        group = _group(out, bases, makers)
        reads = sum(name == bases[out] for one in group for name in one.inputs)
        curved = any(one.op not in _LINEAR for one in group)
        if (len(group) == 1 and group[0].op not in _ONLY_AS_CURVES) or (not curved and reads == 1):
            made += [one for one in group if one not in made]
            continue
        made.append(_node(group, constants, bases[out]))
    return made


def _group(out: str, bases: Mapping[str, str], makers: Mapping[str, Node]) -> list[Node]:
    """The nodes between a tensor and its base, in order."""
    found: dict[str, Node] = {}
    waiting = [out]
    while waiting:
        name = waiting.pop()
        if name == bases[out] or name not in makers or name in found:
            continue
        found[name] = makers[name]
        waiting += [source for source in makers[name].inputs if bases.get(source) == bases[out]]
    order = {name: place for place, name in enumerate(makers)}
    return [found[name] for name in sorted(found, key=order.__getitem__)]


def _node(group: Sequence[Node], constants: Mapping[str, Array], base: str) -> Node:
    last = group[-1]
    curve = curve_of(group, constants, base)
    activation = activation_of(curve)
    named: dict[Activation, tuple[str, dict[str, float]]] = {
        Activation.RELU: ("Relu", {}),
        Activation.RELU6: ("Clip", {"min": 0.0, "max": 6.0}),
    }
    op, attributes = named.get(activation, ("Curve", {}))
    more: dict[str, object] = {**attributes} or {
        "curve": curve,
        "activation": activation,
        "of": [one.op for one in group],
    }
    return Node(op, last.name, (base,), last.outputs, more if op != "Relu" else {}, DOMAIN, 1, None)


def curve_of(group: Sequence[Node], constants: Mapping[str, Array], base: str) -> Curve:
    """The function that nodes compute of their one base.

    Parameters
    ----------
    group : the nodes, in order.
    constants : values by name.
    base : name of the tensor that they read.
    """
    steps = []
    for node in group:
        held = {name: constants[name].reshape(()).astype(np.float64) for name in node.inputs if name in constants}
        attributes = {key: value for key, value in node.attributes.items() if not callable(value)}
        steps.append(HostStep(node.op, node.name, node.inputs, node.outputs, attributes, held, node.opset))
    return Curve(tuple(steps), base, group[-1].outputs[0])
