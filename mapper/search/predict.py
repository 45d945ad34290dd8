"""What every layer of a SubNet costs, a row each: best mappings with cached weights, and what cannot run yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from arch_model.cost.energy import Energy, energy
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.load import Machine
from arch_model.machine.memories import BUFFERS
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces import get_space
from mapper.cost.layer_cost import PORTS
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.search.fitted import fit_supernet
from mapper.search.optimise import optimise
from mapper.search.policy import Policy, fit_for, map_network
from mapper.search.tensors import Tensors
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import check_supported, fused_adds, fused_conv

SHAPE = ("K", "C", "R", "S", "H", "W", "P", "Q", "stride", "padding", "groups", "macs")
COSTS = ("cycles", "latency_s", "utilisation", "dram_bytes", "pb_hit_bytes", "energy_j", "bound")
DETAILS = (
    *(f"wait_{cause}_cycles" for cause in ("sb", "weights", "out")),
    *(f"dram_{port}_bytes" for port in PORTS),
    *(f"{buffer}_bytes" for buffer in BUFFERS),
    *(f"energy_{part}_j" for part in ("dram", "buffers", "array", "outputs", "leakage")),
)
COLUMNS = ("subnet", "layer_index", "name", "kind", "activation", *SHAPE, *COSTS, *DETAILS)
"""Columns of a row; those up to ``macs`` make it a row of a layer table
(:func:`arch_model.network.layer.read_layer_table`). ``bound``: what is busy longest
(:attr:`mapper.search.costed.Costed.bound`); ``fused: ...`` where the cost stands in the row of another layer;
``unsupported: ...`` where there is none. ``wait_*_cycles``: that RUN stood still for input, weights or an output half;
``dram_*_bytes`` by port, ``*_bytes`` read and written of each buffer on chip, ``energy_*_j``: parts of ``energy_j``
(``docs/concepts/time.md``)."""

TOTALS = ("latency_s", "dram_bytes", "pb_hit_bytes", "energy_j")
"""What a SubNet's total has beside its cycles."""

Search = Callable[..., Any]
"""Gives a :class:`mapper.search.optimise.Mapping`, or what has its costs (:class:`mapper.search.costed.Costed`)."""

_PARTS = {"dram": "dram", "leakage": "leakage", "requantise": "outputs", "store": "outputs"}
_PARTS |= dict.fromkeys(BUFFERS, "buffers")


def predict_subnet(
    subnet: SubNet, machine: Machine, resident: PersistentBuffer | None = None, search: Search = optimise
) -> Iterator[dict[str, Any]]:
    """Rows with :data:`COLUMNS`, one a layer, in order: each layer stand-alone, as a Program of its own, mapped for
    latency.

    They do not add up to what the SubNet costs, whose layers overlap: :func:`program_total`. A layer that the machine
    cannot run is a row that says why. Of a SubNet with concatenations or slices a row has the network's channels, and
    what they cost where they fit the machine's words (:mod:`mapper.workload.views`).

    Parameters
    ----------
    subnet : whose layers they are.
    machine : an Accelerator, or a machine that was measured.
    resident : what the PB holds. None: nothing.
    search : who maps a layer, called as ``search(layer, machine, add=, hits=)``.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> rows = list(predict_subnet(get_space("fashion").subnet("fashion-d111-w222"), Accelerator.load("tiny")))
    >>> rows[0]["name"], rows[0]["cycles"], rows[4]["name"], rows[4]["bound"]
    ('stem', 8003, 's1b1_add', 'fused: s1b1_conv2')
    """
    plain = subnet
    if isinstance(machine, Accelerator):
        with suppress(MappingError):  # of a layer that no machine runs, which its row says
            subnet = replace(subnet, layers=fit_for(subnet, machine).layers)
    readers = Counter(source for layer in subnet.layers for source in layer.inputs)
    by_name, adds = {layer.name: layer for layer in subnet.layers}, fused_adds(subnet.layers)
    known: dict[object, dict[str, Any]] = {}
    for index, (own, layer) in enumerate(zip(plain.layers, subnet.layers, strict=True)):
        alike = layer.unnamed(), layer.name in adds, resident and layer.name
        try:
            if alike not in known or layer.kind is Kind.ADD:
                known[alike] = _cost(layer, machine, resident, adds, by_name, readers, search)
            cost = known[alike]
        except MappingError as error:
            reason = str(error).removeprefix(f"layer {layer.name}: ")
            cost = dict.fromkeys(COSTS + DETAILS) | {"bound": f"unsupported: {reason}"}
        shape = {key: getattr(own, key) for key in SHAPE}
        what = {"subnet": subnet.name, "layer_index": index, "name": layer.name}
        what |= {"kind": str(layer.kind), "activation": str(layer.activation)}
        row = what | shape | cost
        yield {column: row[column] for column in COLUMNS}


def predict_subnets(
    subnets: Sequence[SubNet],
    machine: Machine,
    cached: str = "none",
    space: SuperNet | None = None,
    policy: Policy | str = Policy.BEST,
    tensors: Tensors | str = Tensors.DRAM,
) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """For each SubNet its rows, as :func:`predict_subnet` gives them, and what its one Program costs.

    Parameters
    ----------
    subnets : to price.
    machine : an Accelerator, or a machine that was measured.
    cached : what the PB holds, as :func:`mapper.pinning.cached.cached_buffer` takes it.
    space : the SuperNet of all of them; None: looked up by its name, if something is cached.
    policy : who tiles the layers of the Program.
    tensors : where its feature maps are.

    Raises
    ------
    MappingError
        For a cache on a machine without a PB, and as :func:`mapper.pinning.cached.cached_buffer`.
    """
    for subnet in subnets:
        resident = resident_of(subnet, machine, cached, space)
        rows = list(predict_subnet(subnet, machine, resident))
        yield rows, {"subnet": subnet.name, **program_total(subnet, rows, machine, resident, policy, tensors)}


def resident_of(
    subnet: SubNet, machine: Machine, cached: str, space: SuperNet | None = None
) -> PersistentBuffer | None:
    """What the PB holds for a SubNet; None: nothing.

    Parameters
    ----------
    subnet, machine, cached, space : as of :func:`predict_subnets`.

    Raises
    ------
    MappingError
        As :func:`predict_subnets` does.
    """
    if cached == "none":
        return None
    if not isinstance(machine, Accelerator):
        raise MappingError(f"accelerator {machine.name}: cached is {cached}; it has no PB to load: give none")
    return fit_supernet(get_space(space or subnet.supernet), [subnet], machine).resident(cached, subnet.name)


def program_total(
    subnet: SubNet,
    rows: Sequence[Mapping[str, Any]],
    machine: Machine,
    resident: PersistentBuffer | None = None,
    policy: Policy | str = Policy.BEST,
    tensors: Tensors | str = Tensors.DRAM,
) -> dict[str, Any]:
    """What a SubNet costs as one Program; of a network of which some layer cannot run all costs are None.

    Parameters
    ----------
    subnet, machine, resident : what runs where, and what the PB holds.
    rows : of the SubNet's layers, as :func:`predict_subnet` gives them. On a machine that is a table of costs, which
        has no Programs, their sums are the total.
    policy : who tiles the layers of the Program.
    tensors : where its feature maps are.

    Returns
    -------
    dict
        ``layers``, ``unsupported`` (how many of them cannot run), ``macs`` (of all of them), ``policy``,
        ``tensors``, ``cycles``, ``latency_s``, ``dram_bytes``, ``pb_hit_bytes``, ``energy_j``, ``utilisation`` (a
        fraction), and ``why`` there are no costs, in words; "" if there are.

    Examples
    --------
    >>> tiny, net = Accelerator.load("tiny"), get_space("fashion").subnet("fashion-d111-w222")
    >>> total = program_total(net, list(predict_subnet(net, tiny)), tiny)
    >>> total["macs"] == net.macs, total["policy"], total["cycles"] < 51_000
    (True, 'best', True)
    """
    without = [row for row in rows if row["cycles"] is None]
    total: dict[str, Any] = {"layers": len(rows), "unsupported": len(without), "macs": sum(row["macs"] for row in rows)}
    total |= dict.fromkeys(("policy", "tensors", "cycles", *TOTALS, "utilisation")) | {"why": why_no_total(rows)}
    if without or not rows:
        return total
    if isinstance(machine, Accelerator):
        try:
            mapped = map_network(subnet, machine, resident, policy, tensors=tensors)
        except MappingError as error:
            return total | {"why": str(error)}
        values = mapped.latency_s, mapped.cost.dram_bytes, mapped.hit_bytes, mapped.energy.total_j
        total |= {"policy": str(mapped.policy), "tensors": str(Tensors(tensors)), "cycles": mapped.cost.cycles}
        total |= dict(zip(TOTALS, values, strict=True))
    else:
        for key in ("cycles", *TOTALS):
            values_of = [row[key] for row in rows]
            total[key] = None if None in values_of else sum(values_of)
    total["utilisation"] = total["macs"] / (total["latency_s"] * machine.clock_hz * machine.multipliers)
    return total


def why_no_total(rows: Sequence[Mapping[str, Any]]) -> str:
    """The layers that cannot run and why, the first three of them in words; "" if all can.

    >>> row = {"name": "a", "cycles": None, "bound": "unsupported: stride is 3; the mapper takes 1 and 2"}
    >>> why_no_total([row])
    'layer a: stride is 3; the mapper takes 1 and 2'
    """
    without = [row for row in rows if row["cycles"] is None]
    said = [f"layer {row['name']}: {str(row['bound']).removeprefix('unsupported: ')}" for row in without[:3]]
    more = [f"and {len(without) - len(said)} more"] if len(without) > len(said) else []
    return "; ".join(said + more)


def check_whole(rows: Sequence[Mapping[str, Any]], network: str) -> None:
    """Refuse rows that have no total because some layer cannot run.

    Parameters
    ----------
    rows : of a network's layers.
    network : what it is called.

    Raises
    ------
    MappingError
        Naming the layers.
    """
    if why := why_no_total(rows):
        raise MappingError(f"{network} has no total cost, for not every layer can run: {why}")


def _cost(
    layer: Layer,
    machine: Machine,
    resident: PersistentBuffer | None,
    adds: Mapping[str, Layer],
    by_name: Mapping[str, Layer],
    readers: Mapping[str, int],
    search: Search,
) -> dict[str, Any]:
    if not isinstance(machine, Accelerator):
        cost = machine.cost([layer])
        latency, cycles = float(cost.latency_s[0]), int(cost.cycles[0])
        used = layer.macs / (latency * machine.clock_hz * machine.multipliers)
        found = dict.fromkeys(COSTS + DETAILS) | {"cycles": cycles, "latency_s": latency, "utilisation": used}
        return found | {"bound": str(cost.bound[0])}
    check_supported(layer)
    if layer.kind.is_view:
        return dict.fromkeys(COSTS + DETAILS, 0) | {"bound": "an address"}
    if layer.kind is Kind.ADD:
        conv = fused_conv(layer, by_name, readers)
        check_supported(conv)
        return dict.fromkeys(COSTS + DETAILS, 0) | {"bound": f"fused: {conv.name}"}
    add, hits = adds.get(layer.name), None
    if resident is not None and has_tiles(layer):
        hits = resident.layer_slots(layer.name, tile_grid(layer, machine))
    best = search(layer, machine, add=add, hits=hits)
    saved = 0
    if hits is not None and (hits >= 0).any():
        # Without the PB they would come as often as the others do.
        times = LayerOnMachine(layer, machine).fetches(best.streamed, best.tiling)
        saved = int((hits >= 0).sum()) * machine.tile_bytes * times
    return {
        "cycles": best.cycles,
        "latency_s": best.latency_s,
        "utilisation": best.utilisation,
        "dram_bytes": best.dram_bytes,
        "pb_hit_bytes": saved,
        "energy_j": best.energy_j,
        "bound": best.bound,
        **_details(energy(best.walk.activity, machine, best.cycles), best.walk.waits),
    }


def _details(spent: Energy, waits: Mapping[str, int]) -> dict[str, Any]:
    """Values of :data:`DETAILS`."""
    counts, joules = spent.activity, dict.fromkeys(("dram", "buffers", "array", "outputs", "leakage"), 0.0)
    for name, value in spent.joules.items():
        joules[_PARTS.get(name.split(".")[0], "array")] += value
    values = (
        *(waits[cause] for cause in ("sb", "weights", "out")),
        *(counts[f"dram.{port}"] for port in PORTS),
        *(counts[f"{buffer}.read"] + counts[f"{buffer}.write"] for buffer in BUFFERS),
        *joules.values(),
    )
    return dict(zip(DETAILS, values, strict=True))
