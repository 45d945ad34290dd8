"""The serving table: SushiAbs, and beside each latency its bytes, its joules and what a switch adds to them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.accelerator import Accelerator
from arch_model.energy import energy_of
from arch_model.errors import MappingError
from arch_model.layer import Kind
from arch_model.supernet import SubGraph, SubNet, SuperNet
from arch_model.timing import Timing, time_program
from mapper.compile import Quant, compile_subnet
from mapper.layer_batch import CutLayer, LayerBatch, layer_costs
from mapper.memory_map import MemoryMap
from mapper.pack import slice_grid, tile_grid
from mapper.persistent import PersistentBuffer
from mapper.program import Program
from mapper.steps import unsupported
from mapper.sushi_abs import NOTHING, SushiAbs
from mapper.sushi_costs import SubNetCosts
from mapper.switch_cost import Switches, switches
from mapper.tiling import choose

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ServingTable:
    """Costs of a query by its SubNet (rows) and the SubGraph that is cached (columns).

    ``vectors`` int64 (SubNets, 2 × layers): each SubNet as a SubGraph's vector. ``dram_bytes`` of a query,
    ``hit_bytes`` that the PB spared it, int64 (SubNets, SubGraphs); ``energy_j`` float64 alike. ``switches``: what a
    query takes beyond that if the SubGraph changes with it. ``byte_j``: joules of a byte of DRAM.
    """

    sushi: SushiAbs
    vectors: Ints
    dram_bytes: Ints
    hit_bytes: Ints
    energy_j: Floats
    switches: Switches
    byte_j: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def latency_s(self) -> Floats:
        """Seconds without a switch, (SubNets, SubGraphs)."""
        return self.sushi.latency_s

    @property
    def accuracy(self) -> Floats:
        """(SubNets,), fractions."""
        return self.sushi.accuracy

    @property
    def switch_s(self) -> Floats:
        """Seconds that a switch adds, (SubNets or 1, SubGraphs before, SubGraphs after)."""
        return self.switches.cycles / self.sushi.clock_hz

    @property
    def shape(self) -> tuple[int, int]:
        """(SubNets, SubGraphs)."""
        rows, columns = self.sushi.cycles.shape
        return rows, columns

    @classmethod
    def compiled(
        cls,
        subnets: Mapping[str, SubNet],
        accuracy: Mapping[str, float],
        subgraphs: Mapping[str, SubGraph],
        supernet: SuperNet,
        accelerator: Accelerator,
        quant: Mapping[str, Quant],
        memory_map: MemoryMap,
        exact: bool = False,
        on_entry: Callable[[], None] = lambda: None,
    ) -> ServingTable:
        """Compile every SubNet for every SubGraph, and take cycles, bytes and joules from the Program.

        Rows are in the order of MACs. ``on_entry`` is called when an entry is done. Switches are estimated or, if
        ``exact``, compiled too: as many Programs again for every SubGraph.
        """
        names = sorted(subnets, key=lambda name: subnets[name].macs)
        columns = {NOTHING: SubGraph.empty(supernet), **subgraphs}
        buffers = [PersistentBuffer.of(subgraph, supernet, accelerator) for subgraph in columns.values()]
        shape = len(names), len(columns)
        cycles, moved, hits = np.zeros((3, *shape), np.int64)
        joules, tail = np.zeros(shape), np.zeros(len(names), np.int64)

        def run(name: str, resident: PersistentBuffer, target: PersistentBuffer) -> tuple[Program, Timing]:
            program = compile_subnet(
                subnets[name], supernet, accelerator, quant[name], memory_map, resident=resident, target=target
            )
            return program, time_program(program.commands, accelerator)

        for row, name in enumerate(names):
            for column, buffer in enumerate(buffers):
                program, timing = run(name, buffer, buffer)
                cycles[row, column] = timing.cycles
                moved[row, column] = sum(program.dram_bytes.values())
                hits[row, column] = program.pb_hit_bytes
                joules[row, column] = energy_of(program.commands, accelerator, timing.cycles).total_j
                if column == 0:
                    ends = [interval.end for interval in timing.timeline if interval.unit == "LOAD_WGT"]
                    tail[row] = timing.cycles - max(ends)
                on_entry()
        graphs, nets = list(columns.values()), [subnets[name] for name in names]
        between = switches(nets, graphs, supernet, accelerator, cycles, tail)
        if exact:
            for row, before, after in np.ndindex(*shape, len(graphs)):
                if before != after:
                    target = buffers[before].switch(graphs[after], supernet, accelerator)
                    program, timing = run(names[row], buffers[before], target)
                    between.cycles[row, before, after] = timing.cycles - cycles[row, before]
                    between.bytes[row, before, after] = sum(program.dram_bytes.values()) - moved[row, before]
                    on_entry()
        return cls(
            SushiAbs(
                tuple(names),
                tuple(columns),
                np.array([subgraph.encode() for subgraph in graphs]),
                cycles,
                np.array([accuracy[name] for name in names]),
                accelerator.clock_hz,
            ),
            _vectors(nets, supernet),
            moved,
            hits,
            joules,
            between,
            byte_joules(accelerator),
            {
                "accelerator": accelerator.name,
                "accelerator_hash": accelerator.hash(),
                "space": supernet.name,
                "switches": "compiled" if exact else "estimated",
            },
        )

    @classmethod
    def by_layers(
        cls,
        subnets: Mapping[str, SubNet],
        accuracy: Mapping[str, float],
        subgraphs: Mapping[str, SubGraph],
        supernet: SuperNet,
        accelerator: Accelerator,
    ) -> ServingTable:
        """The same for large SubNets, without Programs: closed forms of cycles (``mapper/sushi_costs.py``) and of
        bytes.

        Energy is that of DRAM alone. Pooling other than global counts nothing. If a SubNet has layers that the mapper
        does not take (``facts["not_counted"]`` says how many of which kind), these count nothing either, nor what an
        activation other than a clamp costs, and cycles are those of the other layers one after another, without
        overlap. Raises :class:`MappingError` for a layer too large for the accelerator.
        """
        names = sorted(subnets, key=lambda name: subnets[name].macs)
        nets = [subnets[name] for name in names]
        columns = {NOTHING: SubGraph.empty(supernet), **subgraphs}
        graphs = list(columns.values())
        different: dict[CutLayer, int] = {}
        index = [[_cut(net, graph, supernet, accelerator, different) for graph in graphs] for net in nets]
        skipped = Counter(unsupported(layer) for net in nets for layer in net.layers)
        del skipped[""]
        costs = layer_costs(LayerBatch.of(different, [accelerator]))
        shape = len(nets), len(graphs)
        cycles, moved, hits = np.zeros((3, *shape), np.int64)
        for row, column in np.ndindex(shape):
            places = index[row][column]
            cycles[row, column] = costs.cycles[places].sum()  # kept only if the closed form of whole SubNets refuses
            moved[row, column] = costs.dram_bytes[places].sum()
            hits[row, column] = costs.pb_hit_bytes[places].sum()
        with contextlib.suppress(MappingError):
            cycles = SubNetCosts(supernet, graphs, accelerator).cycles(nets)
        return cls(
            SushiAbs(
                tuple(names),
                tuple(columns),
                np.array([subgraph.encode() for subgraph in graphs]),
                cycles,
                np.array([accuracy[name] for name in names]),
                accelerator.clock_hz,
            ),
            _vectors(nets, supernet),
            moved,
            hits,
            np.asarray(moved * byte_joules(accelerator), np.float64),
            switches(nets, graphs, supernet, accelerator, cycles),
            byte_joules(accelerator),
            {
                "accelerator": accelerator.name,
                "accelerator_hash": accelerator.hash(),
                "space": supernet.name,
                "switches": "estimated",
                "energy": "DRAM alone",
                "not_counted": ", ".join(f"{count} {why}" for why, count in sorted(skipped.items())) or "nothing",
            },
        )


def _cut(
    subnet: SubNet, cached: SubGraph, supernet: SuperNet, accelerator: Accelerator, known: dict[CutLayer, int]
) -> list[int]:
    """The places in ``known`` of the SubNet's weight layers as they are cut with ``cached`` in the PB; new ones are
    added."""
    places = []
    added = {layer.inputs[0] for layer in subnet.layers if layer.kind is Kind.ADD}
    for layer in subnet.weight_layers:
        if unsupported(layer):
            continue
        at = supernet.index(layer.name)
        grid = tile_grid(layer, accelerator)
        there = slice_grid(supernet.layers[at], *cached.slices[at], accelerator)
        hit = min(grid.kt, there.kt), min(grid.ct, there.ct)
        add = layer.name in added
        streamed = (grid.kt * grid.ct - hit[0] * hit[1]) * grid.windows
        tiling = choose(layer, accelerator, streamed, add)
        without = choose(layer, accelerator, grid.tiles, add)
        cut = CutLayer(
            replace(layer, name=supernet.name, inputs=()),
            replace(tiling, cycles=0),
            hit,
            add,
            -(-layer.P // without.rows),
        )
        places.append(known.setdefault(cut, len(known)))
    return places


def _vectors(subnets: Sequence[SubNet], supernet: SuperNet) -> Ints:
    return np.array([SubGraph.of(subnet, supernet).encode() for subnet in subnets])


def byte_joules(accelerator: Accelerator) -> float:
    """Joules of a byte of DRAM, by the Accelerator's energy table (pJ for 8 bytes).

    >>> round(byte_joules(Accelerator.load("tiny")) * 1e12, 1)
    162.5
    """
    return accelerator.energy.dram.value / 8 * 1e-12
