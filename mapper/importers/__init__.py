"""Networks from outside: ONNX models, layer tables of other tools; and some of the same formats written.

>>> sorted(FORMATS)
['.csv', '.m', '.onnx', '.yaml', '.yml']
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mapper.importers.layer_table import layer_row, table_text, write_layer_table
from mapper.importers.maestro import read_maestro
from mapper.importers.network import GRAPHS, FloatLayer, Network, NetworkError, TensorQuant
from mapper.importers.onnx.graph import read_onnx
from mapper.importers.scalesim import read_topology, topology_text, write_topology
from mapper.importers.timeloop import problem_texts, read_problem, read_problems, write_problem, write_problems
from mapper.importers.yaml_network import read_yaml_network

__all__ = [
    "FORMATS",
    "GRAPHS",
    "FloatLayer",
    "Network",
    "NetworkError",
    "TensorQuant",
    "layer_row",
    "problem_texts",
    "read_maestro",
    "read_network",
    "read_onnx",
    "read_problem",
    "read_problems",
    "read_topology",
    "table_text",
    "topology_text",
    "write_layer_table",
    "write_problem",
    "write_problems",
    "write_topology",
]

FORMATS = {
    ".onnx": "an ONNX model",
    ".csv": "a SCALE-Sim topology",
    ".yaml": "a Timeloop problem or a ZigZag workload",
    ".yml": "a Timeloop problem or a ZigZag workload",
    ".m": "a MAESTRO network",
}
"""What a file is, by its suffix."""


def read_network(path: str | Path, *, skip_unsupported: bool = False, shape: Sequence[int] | None = None) -> Network:
    """Read a network from an ONNX model or a table of layers in another tool's format.

    Parameters
    ----------
    path : the file; its suffix says what it is (:data:`FORMATS`). A folder holds a Timeloop problem for each layer.
    shape : sizes of an ONNX model's image, without the batch, where the file leaves some open.
    skip_unsupported : leave out operators of an ONNX model that no layer stands for (:func:`read_onnx`).

    Returns
    -------
    Network
        ``network.supernet`` and ``network.subnet`` are what everything else takes; of a quantised model it has the
        integers, too. ``network.notes`` says what the file has and the layers do not.

    Raises
    ------
    NetworkError
        One line that names the file and what is wrong in it.

    Examples
    --------
    >>> network = read_network("model.onnx")  # doctest: +SKIP
    >>> network.runnable, len(network.subnet.layers)  # doctest: +SKIP
    (True, 6)
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS and Path(path).is_dir():
        return read_problems(path)
    if suffix == ".onnx":
        return read_onnx(path, skip_unsupported=skip_unsupported, shape=shape)
    if suffix == ".csv":
        return read_topology(path)
    if suffix == ".m":
        return read_maestro(path)
    if suffix in FORMATS:
        return read_yaml_network(path)
    known = ", ".join(f"{end} ({what})" for end, what in FORMATS.items())
    raise NetworkError(
        f"{path}: suffix {suffix!r} says no known format; give {known}, or a folder of Timeloop problems"
    )
