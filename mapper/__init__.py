"""Decisions: tiling, the Program, what to keep in the Persistent Buffer, which SubNet serves a query.

Imports :mod:`arch_model` only. What scripts need is here by name, loaded when it is first asked for:

* a layer: :func:`parse_layer`; :func:`optimise_layer` gives its best :class:`Mapping`, and the proof;
* a SubNet: :func:`compile_subnet`, with a :class:`MemoryMap`, makes its :class:`Program`; :func:`optimise_subnet` maps
  each layer, :func:`predict_subnet` gives a row for each;
* cached weights: a :class:`PersistentBuffer` holds them; :func:`pin_best` says which SubGraph to pin,
  :func:`nearest_to_average` which one the published rule takes;
* many SubNets: :class:`SushiAbs`, the latency table; :func:`save_table` writes and :func:`load_table` reads it.

>>> import mapper
>>> from arch_model import Accelerator
>>> best = mapper.optimise_layer(mapper.parse_layer("K=16 C=9 R=3 S=3 H=8 W=8"), Accelerator.load("tiny"))
>>> best.certificate.tile_bound <= best.cycles
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arch_model.program.program import Program
    from mapper.layout.memory_map import MemoryMap
    from mapper.layout.persistent_buffer import PersistentBuffer
    from mapper.lowering.compile import compile_subnet
    from mapper.pinning.search import nearest_to_average, pin_best
    from mapper.search.optimise import Mapping, optimise_subnet
    from mapper.search.optimise import optimise as optimise_layer
    from mapper.search.predict import predict_subnet
    from mapper.serving.latency_table import SushiAbs
    from mapper.serving.table_file import load_table, save_table
    from mapper.workload.layer_text import parse_layer

__all__ = [
    "Mapping",
    "MemoryMap",
    "PersistentBuffer",
    "Program",
    "SushiAbs",
    "compile_subnet",
    "load_table",
    "nearest_to_average",
    "optimise_layer",
    "optimise_subnet",
    "parse_layer",
    "pin_best",
    "predict_subnet",
    "save_table",
]

_HOME = {
    "Mapping": "mapper.search.optimise",
    "MemoryMap": "mapper.layout.memory_map",
    "PersistentBuffer": "mapper.layout.persistent_buffer",
    "Program": "arch_model.program.program",
    "SushiAbs": "mapper.serving.latency_table",
    "compile_subnet": "mapper.lowering.compile",
    "load_table": "mapper.serving.table_file",
    "nearest_to_average": "mapper.pinning.search",
    "optimise_layer": "mapper.search.optimise",
    "optimise_subnet": "mapper.search.optimise",
    "parse_layer": "mapper.workload.layer_text",
    "pin_best": "mapper.pinning.search",
    "predict_subnet": "mapper.search.predict",
    "save_table": "mapper.serving.table_file",
}
_THERE = {"optimise_layer": "optimise"}  # the names that are others in their module


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module mapper has no {name}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), _THERE.get(name, name))
