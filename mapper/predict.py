"""What every layer of a SubNet costs, a row each: best mappings with cached weights, and what cannot run yet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from arch_model.accelerator import Accelerator
from arch_model.energy import energy_of
from arch_model.errors import MappingError, SpaceError
from arch_model.layer import INPUT, Kind, Layer
from arch_model.machine import Machine
from arch_model.spaces import get_space
from arch_model.supernet import SubGraph, SubNet, SuperNet
from arch_model.timing import time_program
from mapper.isa import Command, Opcode
from mapper.optimise import Mapping as LayerMapping
from mapper.optimise import optimise
from mapper.pack import tile_grid
from mapper.persistent import PersistentBuffer
from mapper.pinning import fit_subgraph
from mapper.steps import check_supported, fused_adds, fused_conv
from mapper.walk import PORTS

COLUMNS = (
    *("subnet", "layer_index", "name", "kind", "K", "C", "R", "S", "H", "W", "P", "Q", "stride", "padding", "groups"),
    *("macs", "cycles", "latency_s", "utilisation", "dram_bytes", "pb_hit_bytes", "energy_j", "bound"),
)
"""Columns of a row. ``bound``: the unit or port that takes longest (:data:`mapper.bounds.BOUNDS`); ``fused: ...`` where
the cost stands in the row of another layer; ``unsupported: ...`` where there is none."""


def predict_subnet(
    subnet: SubNet, machine: Machine, resident: PersistentBuffer | None = None
) -> Iterator[dict[str, Any]]:
    """Rows with :data:`COLUMNS`, one a layer, in order: each layer as a Program of its own, mapped for latency.

    ``resident``: what the PB holds; None: nothing. A layer that the machine cannot run is a row that says why.

    >>> from arch_model.spaces import get_space
    >>> rows = list(predict_subnet(get_space("fashion").subnet("fashion-d111-w222"), Accelerator.load("tiny")))
    >>> rows[0]["name"], rows[0]["cycles"], rows[4]["name"], rows[4]["bound"]
    ('stem', 8003, 's1b1_add', 'fused: s1b1_conv2')
    """
    readers = Counter(source for layer in subnet.layers for source in layer.inputs)
    by_name, adds = {layer.name: layer for layer in subnet.layers}, fused_adds(subnet.layers)
    known: dict[object, dict[str, Any]] = {}
    for index, layer in enumerate(subnet.layers):
        alike = replace(layer, name="layer", inputs=()), layer.name in adds, resident and layer.name
        try:
            if alike not in known or layer.kind is Kind.ADD:
                known[alike] = _cost(layer, machine, resident, adds, by_name, readers)
            cost = known[alike]
        except MappingError as error:
            reason = str(error).removeprefix(f"layer {layer.name}: ")
            cost = dict.fromkeys(COLUMNS[-7:]) | {"bound": f"unsupported: {reason}"}
        shape = {key: getattr(layer, key) for key in COLUMNS[4:16]}
        what = {"subnet": subnet.name, "layer_index": index, "name": layer.name, "kind": str(layer.kind)}
        row = what | shape | cost
        yield {column: row[column] for column in COLUMNS}


def predict_subnets(
    subnets: Sequence[SubNet], machine: Machine, cached: str = "none"
) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """For each SubNet its rows, as :func:`predict_subnet` gives them, and one with the sums over what can run.

    ``cached``: ``none``, ``best`` (:func:`best_cached`) or the path of a SubGraph (:func:`read_subgraph`). Raises
    :class:`MappingError` for a cache on a machine without a PB, and what these functions raise.
    """
    for subnet in subnets:
        resident = None
        if cached != "none":
            if not isinstance(machine, Accelerator):
                raise MappingError(f"accelerator {machine.name}: cached is {cached}; it has no PB to load: give none")
            supernet = get_space(subnet.supernet)
            if cached == "best":
                resident = best_cached(subnet, supernet, machine)
            else:
                resident = PersistentBuffer.of(read_subgraph(cached, supernet), supernet, machine)
        rows = list(predict_subnet(subnet, machine, resident))
        ran = [row for row in rows if row["cycles"] is not None]
        total: dict[str, Any] = {"subnet": subnet.name, "layers": len(rows), "unsupported": len(rows) - len(ran)}
        for key in ("macs", "latency_s", "dram_bytes", "pb_hit_bytes", "energy_j"):
            values = [row[key] for row in ran]
            total[key] = None if None in values or not values else sum(values)
        if total["latency_s"]:
            total["utilisation"] = total["macs"] / (total["latency_s"] * machine.clock_hz * machine.multipliers)
        yield rows, total


def _cost(
    layer: Layer,
    machine: Machine,
    resident: PersistentBuffer | None,
    adds: Mapping[str, Layer],
    by_name: Mapping[str, Layer],
    readers: Mapping[str, int],
) -> dict[str, Any]:
    if not isinstance(machine, Accelerator):
        cost = machine.cost([layer])
        latency, cycles = float(cost.latency_s[0]), int(cost.cycles[0])
        used = layer.macs / (latency * machine.clock_hz * machine.multipliers)
        found = dict.fromkeys(COLUMNS[-7:]) | {"cycles": cycles, "latency_s": latency, "utilisation": used}
        return found | {"bound": str(cost.bound[0])}
    check_supported(layer)
    if layer.kind is Kind.ADD:
        conv = fused_conv(layer, by_name, readers)
        check_supported(conv)
        return dict.fromkeys(COLUMNS[-7:-1], 0) | {"bound": f"fused: {conv.name}"}
    if layer.kind is Kind.POOL:
        return _pool(layer, machine)
    add, hits = adds.get(layer.name), None
    if resident is not None:
        hits = resident.layer_slots(layer.name, tile_grid(layer, machine))
    best = optimise(layer, machine, add=add, hits=hits)
    saved = 0
    if hits is not None and (hits >= 0).any():
        saved = _weight_bytes(optimise(layer, machine, add=add)) - _weight_bytes(best)
    return {
        "cycles": best.cycles,
        "latency_s": best.latency_s,
        "utilisation": best.utilisation,
        "dram_bytes": best.dram_bytes,
        "pb_hit_bytes": saved,
        "energy_j": best.energy_j,
        "bound": best.bound,
    }


def _weight_bytes(best: LayerMapping) -> int:
    return best.walk.activity["dram.wgt"]


def _pool(layer: Layer, accelerator: Accelerator) -> dict[str, Any]:
    """Global average pooling is one STORE."""
    a, groups = accelerator, accelerator.groups(layer.K)
    pitch, beat = a.pitch(layer.W), a.beat_bytes
    store = {"use_b": 1, "pool": 1, "groups": groups, "rows": layer.H, "cols": layer.W}
    store |= {"run_beats": a.pitch(1) // beat, "b_run_beats": layer.H * pitch // beat}
    commands = [Command(Opcode.STORE, store), Command(Opcode.END, {})]
    cycles = time_program(commands, a).cycles
    spent = energy_of(commands, a, cycles)
    return {
        "cycles": cycles,
        "latency_s": cycles / a.clock_hz,
        "utilisation": 0.0,
        "dram_bytes": sum(spent.activity[f"dram.{port}"] for port in PORTS),
        "pb_hit_bytes": 0,
        "energy_j": spent.total_j,
        "bound": "out",
    }


def best_cached(subnet: SubNet, supernet: SuperNet, accelerator: Accelerator) -> PersistentBuffer:
    """A PB with the part of the SubNet's weights worth most in it, of layers that the machine can run."""
    layers = []
    for layer in subnet.weight_layers:
        try:
            check_supported(layer)
        except MappingError:
            continue
        layers.append(replace(layer, inputs=(INPUT,)))
    pinned = fit_subgraph(replace(subnet, layers=tuple(layers)), supernet, accelerator)
    return PersistentBuffer.of(pinned, supernet, accelerator)


def read_subgraph(path: str | Path, supernet: SuperNet) -> SubGraph:
    """A SubGraph from JSON: a list with [K, C] of each SuperNet layer, or one that is [K1, C1, K2, C2, ...].

    Raises :class:`SpaceError` that names the file.
    """
    source = f"SubGraph {path}"
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SpaceError(f"{source} cannot be read ({error.strerror}); give a JSON list") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SpaceError(f"{source}: not JSON ({error}); give a JSON list of [K, C]") from None
    layers = len(supernet.layers)
    flat = data if isinstance(data, list) else []
    if flat and all(isinstance(pair, list) and len(pair) == 2 for pair in flat):
        flat = [number for pair in flat for number in pair]
    if len(flat) != 2 * layers or not all(isinstance(n, int) and not isinstance(n, bool) for n in flat):
        raise SpaceError(
            f"{source} holds {len(flat)} numbers; give K and C of each of the {layers} layers of {supernet.name}"
        )
    try:
        return SubGraph.decode(supernet, flat)
    except SpaceError as error:
        raise SpaceError(f"{source}: {error}") from None
