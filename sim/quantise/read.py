"""The operators of a trace as layers: what each operator makes, and what goes into the layer before it."""

from __future__ import annotations

from collections.abc import Callable

from sim.quantise import operators, pools
from sim.quantise.curves import POINTWISE
from sim.quantise.errors import ModelError
from sim.quantise.layers import FloatNet
from sim.quantise.reader import Reader, Value
from sim.quantise.trace import Node, Trace

Handler = Callable[[Reader, Node], Value]


def _addmm(reader: Reader, node: Node) -> Value:
    return operators.matrix(reader, node, 1)


def _mm(reader: Reader, node: Node) -> Value:
    return operators.matrix(reader, node, 0)


HANDLERS: dict[str, Handler] = {
    "convolution": operators.convolution,
    "addmm": _addmm,
    "mm": _mm,
    "native_batch_norm": operators.batch_norm,
    "mean": pools.mean,
    "_adaptive_avg_pool2d": pools.adaptive,
    "avg_pool2d": pools.pool,
    "max_pool2d_with_indices": pools.pool,
    "constant_pad_nd": operators.pad,
    **dict.fromkeys(POINTWISE, operators.pointwise),
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze"), operators.reshape),
    **dict.fromkeys(("clone", "detach", "alias", "contiguous"), operators.reshape),
}
"""By torch's names of operators, as its dispatcher has them, what each makes."""


def read_layers(trace: Trace, name: str) -> FloatNet:
    """The layers of a module's trace.

    Parameters
    ----------
    trace : :func:`~sim.quantise.trace.trace_module`'s.
    name : of the SubNet.

    Raises
    ------
    ModelError
        An operator is none that a layer stands for, or has a form that no layer has: names it and its module.
    """
    reader = Reader(trace)
    for number, node in enumerate(trace.nodes):
        if node.op not in HANDLERS:
            raise ModelError(
                f"operator {node.label}: no layer stands for it; docs/how-to/quantise.md says which are read"
            )
        reader.values[number] = HANDLERS[node.op](reader, node)
    return reader.network(trace.result, name)
