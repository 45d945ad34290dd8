"""The layer table that ``fastswitch cosim`` reads, written from a SubNet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from arch_model.files.writing import write_whole
from arch_model.network.layer import COLUMNS, OPTIONAL, Activation, Kind, Layer
from arch_model.network.supernet import SubNet
from mapper.importers.network import NetworkError

_SIZES = ("K", "C", "R", "S", "H", "W", "stride", "padding", "groups", "P", "Q", "macs", "weight_bytes")


def layer_row(layer: Layer) -> dict[str, Any]:
    """A layer as a flat record of plain values.

    >>> from arch_model.network.layer import Kind
    >>> layer_row(Layer("fc", Kind.LINEAR, K=10, C=64, inputs=("pool",)))["macs"]
    640
    """
    sizes = {size: getattr(layer, size) for size in _SIZES}
    texts = {"activation": str(layer.activation), "inputs": list(layer.inputs)}
    return {"name": layer.name, "kind": str(layer.kind), **sizes, **texts}


def write_layer_table(path: str | Path, subnet: SubNet) -> tuple[Layer, ...]:
    """Write :func:`table_text` to a file, replacing what is there; returns the layers left out.

    Parameters
    ----------
    path : the file.
    subnet : whose layers they are.

    Raises
    ------
    NetworkError
        No layer is left.
    FastSwitchError
        The file cannot be written.
    """
    text, left_out = table_text(subnet)
    write_whole(Path(path), text)
    return left_out


def table_text(subnet: SubNet) -> tuple[str, tuple[Layer, ...]]:
    """A SubNet's layers as a CSV that ``arch_model.network.layer.read_layer_table`` and ``fastswitch cosim`` read.

    Also the layers left out, which do not run by themselves: additions, which run in the layer before them,
    concatenations and slices, which are addresses, and layers with groups that are not depthwise.

    Raises
    ------
    NetworkError
        No layer is left.
    """
    rows: list[dict[str, object]] = []
    left_out = []
    weighted = 0
    for index, layer in enumerate(subnet.layers):
        beside = layer.kind is Kind.ADD or layer.kind.is_view
        if beside or layer.groups not in (1, layer.C) or (layer.groups > 1 and layer.K != layer.C):
            left_out.append(layer)
            continue
        numbers = {size: getattr(layer, size) for size in ("K", "C", "H", "W", "R", "S", "stride", "padding")}
        derived = {"out_H": layer.P, "out_W": layer.Q, "macs": layer.macs, "weight_bytes": layer.weight_bytes}
        place: dict[str, object] = {"network": subnet.name, "layer_index": index}
        place["supernet_layer_index"] = weighted if layer.kind.has_weights else ""
        weighted += layer.kind.has_weights
        activation = "" if layer.activation is Activation.NONE else str(layer.activation)
        more = {"kind": str(layer.kind), "groups": layer.groups, "activation": activation}
        rows.append({**place, "name": layer.name, "N": 1, **numbers, **derived, **more})
    if not rows:
        raise NetworkError(f"SubNet {subnet.name} has no layer that runs by itself; a layer table needs at least one")
    table = io.StringIO()
    writer = csv.DictWriter(table, (*COLUMNS, *OPTIONAL), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue(), tuple(left_out)
