"""What points cost: all points of a task together, each different layer on each different machine once.

A dense layer's cost depends on the array, the ports and DRAM, on how the layer is cut, on how many of its K-tiles are
in the PB and, if the others do not fit half the DB, on that half. Clock, area and the other sizes come in after, so a
grid has far fewer layers to price than points times layers. What is the same is found with ``np.unique``; what is left
is :mod:`mapper.cost.kernel`. Depthwise layers, pools and products are priced by the engine
(:mod:`mapper.cost.layer_cost`), once for each machine that differs in more than its PB and its clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.cost.activity import TOTALS, activity_of
from arch_model.cost.area import UM2_PER_MM2, asic_area
from arch_model.cost.energy import energy
from arch_model.cost.resources import fpga_resources
from arch_model.errors import AcceleratorError, MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.dram import Dram
from arch_model.machine.memories import memories
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.spaces import get_space
from mapper.cost import kernel as loop
from mapper.cost.layer_cost import layer_cost
from mapper.layout.tensors import is_pointwise, window_offsets
from mapper.lowering.tiling import check_least
from mapper.workload.depthwise import is_channelwise
from mapper.workload.fusion import Step, check_supported, fused_adds, fused_conv
from sim.explore.knobs import SUBNET, Number, set_knobs
from sim.explore.question import Question

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_CORE, _CUT = len(loop.CORE), loop.NB + 1
"""Columns of a machine that a layer's cost depends on, and those that its cut depends on too."""


def layer_row(layer: Layer, add: bool) -> Ints:
    """A layer as :data:`mapper.cost.kernel.LAYER`; ``add``: its STORE does one."""
    x = layer
    sizes = (x.K, x.C, x.H, x.W, x.R, x.stride, x.padding, x.P, x.Q, len(window_offsets(x)))
    return np.array((*sizes, is_pointwise(x), add, not x.activation.is_clamp), np.int64)


def machine_row(a: Accelerator) -> Ints:
    """A machine as :data:`mapper.cost.kernel.MACHINE`."""
    dram = a.dram
    beats = a.beat_bytes, a.weight_beat_bytes, a.program_beat_bytes
    core = (a.kp, a.cp, *beats, a.pixels, dram.latency_cycles, dram.cycles_per_beat)
    sizes = (a.sb_half_words, a.ob_pixels, a.out_half_words, a.nb, a.zsb_half_entries, a.db_half_tiles, a.pb_tiles)
    return np.array((*core, *sizes), np.int64)


class Pricer:
    """A question's SubNets as arrays, and what it takes to price points of it."""

    def __init__(self, question: Question) -> None:
        self.question, supernet = question, get_space(question.space)
        rows: dict[tuple[int, ...], int] = {}
        uses, windows, self.layers, starts = [], [], [], [0]
        self.pools: list[list[Layer]] = []
        self.channelwise: list[list[Step]] = []
        for net in question.nets:
            adds, pools, channelwise = fused_adds(net.layers), [], []
            readers = Counter(source for layer in net.layers for source in layer.inputs)
            by_name = {layer.name: layer for layer in net.layers}
            for layer in net.layers:
                check_supported(layer)
                if is_channelwise(layer):
                    channelwise.append(Step(layer, adds.get(layer.name)))
                elif layer.kind is Kind.ADD:
                    fused_conv(layer, by_name, readers)  # an add that follows no conv is nothing the machine has
                elif layer.kind is Kind.POOL:
                    pools.append(layer)
                else:
                    row = tuple(layer_row(layer, layer.name in adds).tolist())
                    uses.append(rows.setdefault(row, len(rows)))
                    windows.append(len(window_offsets(supernet.layer(layer.name))))
                    self.layers.append(layer)
            self.pools.append(pools)
            self.channelwise.append(channelwise)
            starts.append(len(uses))
        self.rows = np.array(list(rows), np.int64)
        self.uses, self.windows = np.array(uses, np.int64), np.array(windows, np.int64)
        self.starts = np.array(starts, np.int64)
        self._pools: dict[tuple[int, ...], Ints] = {}

    def frame(self, points: Sequence[int], cells: Sequence[int]) -> pd.DataFrame:
        """Rows of these points: knobs, ``legal``, ``why``, objectives; the index is ``point``."""
        q = self.question
        places = q.places(np.array(cells, np.int64))
        columns: dict[str, list[Number]] = {
            knob.name: [knob.values[place] for place in places[:, i].tolist()] for i, knob in enumerate(q.knobs)
        }
        values = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        machines: dict[int, Accelerator] = {}
        why = [""] * len(cells)
        for i, knobs in enumerate(values):
            try:
                machines[i] = set_knobs(q.base, knobs)
            except AcceleratorError as error:
                why[i] = str(error)
        found = np.full((len(cells), len(q.objectives)), np.nan)
        if machines:
            index = list(machines)
            bad, totals = self._totals(list(machines.values()))
            for i, misfit, sums in zip(index, bad, totals, strict=True):
                nets = [int(values[i][SUBNET])] if SUBNET in values[i] else range(len(q.nets))
                first = next((int(misfit[net]) for net in nets if misfit[net] >= 0), -1)
                if first >= 0:
                    why[i] = _misfit(self.layers[first], machines[i])
                    continue
                try:
                    others = [self._others(net, machines[i]) for net in nets]
                except MappingError as error:
                    why[i] = str(error)
                else:
                    found[i] = self._objectives(machines[i], sums[list(nets)] + others, nets)
        table: dict[str, object] = {
            knob.name: np.array(columns[knob.name], np.int64 if all(isinstance(v, int) for v in knob.values) else float)
            for knob in q.knobs
        }
        table |= {"legal": [not text for text in why], "why": why}
        table |= {name: found[:, i] for i, name in enumerate(q.objectives)}
        return pd.DataFrame(table, index=pd.Index(points, name="point", dtype=np.int64))

    def warm(self) -> None:
        """Have all loops compiled and kept on disk, before several processes would each do it."""
        self._totals([self.question.base])

    def _totals(self, machines: Sequence[Accelerator]) -> tuple[Ints, Ints]:
        """The first use that does not fit (or -1), (n, nets); costs of each SubNet, (n, nets, COST)."""
        xs, uses, starts = self.rows, self.uses, self.starts
        ms = np.array([machine_row(machine) for machine in machines])
        cores, core = _different(ms, _CORE)
        cuts, cut = _different(ms, _CUT)
        bad = loop.misfits(xs, ms, uses, starts)
        hits = np.zeros((len(ms), len(uses)), np.int64)
        if self.question.cached == "best":
            rows = loop.whole_rows(xs, ms[cuts])[cut]
            hits = loop.fit_hits(xs, ms, rows, uses, self.windows, starts, bad)
        halves = loop.halves_of(xs, ms, uses, hits)

        layer = np.broadcast_to(uses, hits.shape)
        fine = np.repeat(bad < 0, np.diff(starts), axis=1)
        keys = np.stack([np.broadcast_to(cut[:, None], hits.shape), layer, hits, halves])[:, fine]
        kinds, kind = _unique(keys)
        where = cuts[kinds[0]]
        cut_as = loop.cut_each(xs, ms, kinds[1], where, kinds[2], kinds[3])
        priced, price = _unique(np.stack([core[where], *kinds[1:], *cut_as.T]))
        table = loop.price_each(xs, ms, priced[1], cores[priced[0]], priced[2], priced[3], priced[4:].T.copy())
        index = np.full(hits.shape, len(table), np.int64)
        index[fine] = price[kind]
        table = np.concatenate([table, np.zeros((1, table.shape[1]), np.int64)])
        totals = loop.add_up(table, index, starts)
        for i, machine in enumerate(machines):
            for net, pools in enumerate(self.pools):
                for pool in pools:
                    totals[i, net] += self._pool(pool, machine, tuple(ms[i, :_CORE].tolist()))
        return bad, totals

    def _others(self, net: int, machine: Accelerator) -> Ints:
        """Costs (COST,) of a SubNet's channelwise layers; MappingError for one that does not fit the machine."""
        steps = self.channelwise[net]
        if not steps:
            return np.zeros(loop.COSTS, np.int64)
        core = _without_pb(machine)
        try:
            walks = [_walked(_nameless(step.layer), step.add is not None, core) for step in steps]
        except MappingError:
            for step in steps:
                layer_cost(step, machine)  # says the same by the layer's name and the machine's
            raise
        total: Ints = np.array(walks, np.int64).sum(axis=0)
        return total

    def _pool(self, pool: Layer, machine: Accelerator, core: tuple[int, ...]) -> Ints:
        key = (*core, pool.K, pool.H, pool.W)
        if key not in self._pools:
            cost = layer_cost(Step(pool), machine)
            self._pools[key] = np.array([cost.cycles, *(cost.totals[name] for name in TOTALS)], np.int64)
        return self._pools[key]

    def _objectives(self, machine: Accelerator, sums: Ints, nets: Sequence[int]) -> list[float]:
        """The objectives of a point that runs SubNets ``nets``, whose costs are ``sums`` (nets, COST)."""
        mean = (sums.sum(axis=0) / len(sums)).tolist()
        found: dict[str, float] = {}
        for name in self.question.objectives:
            if name == "latency":
                found[name] = mean[0] / machine.clock_hz
            elif name == "energy":
                totals = dict(zip(TOTALS, mean[1:], strict=True))
                found[name] = energy(activity_of(totals, machine), machine, mean[0]).total_j
            elif name == "area":
                found[name] = area_mm2(machine)
            elif name == "accuracy":
                found[name] = sum(self.question.accuracy[net] for net in nets) / len(nets)
            else:
                found[name] = _fpga(machine)[name]
        return [found[name] for name in self.question.objectives]


def _without_pb(machine: Accelerator) -> Accelerator:
    """What of a machine matters to a channelwise layer: nothing of it is in the PB, and cycles have no clock."""
    buffers = machine.buffers.model_copy(update={"pb_bytes": 0})
    return machine.model_copy(update={"name": "any", "clock_hz": 1.0, "buffers": buffers})


def _nameless(layer: Layer) -> Layer:
    return replace(layer, name="layer", inputs=())


@lru_cache(maxsize=1 << 16)
def _walked(layer: Layer, add: bool, machine: Accelerator) -> Ints:
    """Costs (COST,) of a channelwise layer as a Program of its own; ``add``: its STORE does one."""
    added = Layer("add", Kind.ADD, K=layer.K, C=layer.K, H=layer.P, W=layer.Q, inputs=("layer", INPUT)) if add else None
    cost = layer_cost(Step(layer, added), machine)
    return np.array([cost.cycles, *(cost.totals[name] for name in TOTALS)], np.int64)


def _different(ms: Ints, columns: int) -> tuple[Ints, Ints]:
    """The first of each different machine by its first columns; which one each machine is."""
    _, first, place = np.unique(ms[:, :columns], axis=0, return_index=True, return_inverse=True)
    return first, place.reshape(-1)


def _unique(keys: Ints) -> tuple[Ints, Ints]:
    """The different columns of numbers (m, n), none negative; which one each column is, (n,)."""
    code, size = np.zeros(keys.shape[1], np.int64), 1
    for row in keys:
        most = int(row.max(initial=0)) + 1
        if size * most >= 1 << 62:
            different, code = np.unique(code, return_inverse=True)
            size = len(different)
        code, size = code * most + row, size * most
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    return keys[:, first], place.reshape(-1)


def _misfit(layer: Layer, machine: Accelerator) -> str:
    try:
        check_least(layer, machine)
    except MappingError as error:
        return str(error)
    raise AssertionError(f"layer {layer.name} fits {machine.name}")


def area_mm2(machine: Accelerator) -> float:
    """:func:`arch_model.cost.area.asic_area` of a machine, all of it; logic that several have in common is looked up.

    >>> round(area_mm2(Accelerator.load("tiny")), 3)
    0.948
    """
    built = memories(machine)
    sram = sum(memory.bits for memory in built.values()) * machine.area.sram.value / UM2_PER_MM2
    # Logic knows nothing of these: LOAD_WGT and FEED have addresses of a fixed width, and time costs no area.
    buffers = machine.buffers.model_copy(update={"pb_bytes": 0, "db_bytes": 0, "zsb_bytes": 0})
    dram = Dram(bytes=1, latency_cycles=1, cycles_per_beat=1)
    logic = machine.model_copy(update={"name": "logic", "clock_hz": 1.0, "buffers": buffers, "dram": dram})
    return _logic_mm2(logic) + sram


@lru_cache(maxsize=1 << 12)
def _logic_mm2(machine: Accelerator) -> float:
    built = memories(machine)
    return sum(mm2 for name, mm2 in asic_area(machine).mm2.items() if name not in built)


def _fpga(machine: Accelerator) -> dict[str, float]:
    total = fpga_resources(machine).total
    return {"dsp": float(total.dsps), "bram": total.bram36, "lut": float(total.luts)}


@lru_cache(maxsize=4)
def _pricer(question: Question) -> Pricer:
    return Pricer(question)


def warm(question: Question) -> None:
    """:meth:`Pricer.warm`, of this process's pricer."""
    _pricer(question).warm()


def price(question: Question, points: Sequence[int], cells: Sequence[int]) -> pd.DataFrame:
    """Rows of points, which are ``cells`` of a question's grid: knobs, ``legal``, ``why``, objectives.

    The rows depend on their cells alone, to the bit, whatever else is in the task.

    >>> from sim.explore.knobs import parse_vary
    >>> nets = (get_space("fashion").subnet("fashion-d111-w222"),)
    >>> asked = Question("fashion", nets, Accelerator.load("tiny"), parse_vary("KP=2,4"), ("latency",))
    >>> price(asked, [0, 1], [0, 1])["latency"].round(7).tolist()
    [0.0004878, 0.0003864]
    """
    return _pricer(question).frame(points, cells)
