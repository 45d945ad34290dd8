"""The serving table of SubNets that can be compiled: every entry is a Program, switches when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.program.program import Program
from arch_model.timing.reference_timing import Timing, time_program
from mapper.cost.network_costs import Costs, NetworkCosts
from mapper.cost.switch_cost import Switch, estimated_switches
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import Quant, compile_subnet
from mapper.lowering.tiling import Tiling
from mapper.serving.latency_table import BEST, NOTHING, QUICK, SushiAbs
from mapper.serving.serving_table import ServingTable, byte_joules, vectors_of

Tilings = Sequence[Sequence[Mapping[str, Tiling]]]
"""Of each SubNet (row) and each SubGraph in the PB (column) the tilings by layer."""


@dataclass(frozen=True, eq=False)
class Programs:
    """The Programs of SubNets (rows of a table) for SubGraphs in the PB (its columns).

    Attributes
    ----------
    subnets, subgraphs : rows and columns.
    buffers : the PB with each SubGraph.
    supernet : of all of them.
    accelerator : for which they are compiled.
    quant : integers by SubNet.
    memory_map : knows all SubNets.
    tilings : of each row and column, by layer. None: the quick choice, which tiles every Program in which the SubGraph
        changes, for tilings suit what the PB holds.
    """

    subnets: Sequence[SubNet]
    subgraphs: Sequence[SubGraph]
    buffers: Sequence[PersistentBuffer]
    supernet: SuperNet
    accelerator: Accelerator
    quant: Mapping[str, Quant]
    memory_map: MemoryMap
    tilings: Tilings | None = None

    def run(self, row: int, before: int, after: int) -> tuple[Program, Timing]:
        """The Program of a SubNet that finds one SubGraph in the PB and leaves another, and its timing.

        Parameters
        ----------
        row : the SubNet.
        before, after : the SubGraphs.
        """
        net, resident = self.subnets[row], self.buffers[before]
        target = resident
        if after != before:
            target = resident.switch(self.subgraphs[after], self.supernet, self.accelerator)
        quant = self.quant[net.name]
        program = compile_subnet(
            *(net, self.supernet, self.accelerator, quant, self.memory_map),
            resident=resident,
            target=target,
            tilings=None if self.tilings is None or after != before else self.tilings[row][before],
        )
        return program, time_program(program.commands, self.accelerator)

    def switch(self, row: int, before: int, after: int) -> tuple[int, int]:
        """(cycles, DRAM bytes) of the Program with that switch.

        Parameters
        ----------
        row : the SubNet.
        before, after : the SubGraphs.
        """
        program, timing = self.run(row, before, after)
        return timing.cycles, sum(program.dram_bytes.values())


def compiled_table(
    subnets: Mapping[str, SubNet],
    accuracy: Mapping[str, float],
    subgraphs: Mapping[str, SubGraph],
    supernet: SuperNet,
    accelerator: Accelerator,
    quant: Mapping[str, Quant],
    memory_map: MemoryMap,
    exact: bool = False,
    on_entry: Callable[[], None] = lambda: None,
    searched: tuple[Costs, Tilings] | None = None,
) -> ServingTable:
    """The table of SubNets whose Programs can be compiled: cycles, bytes and joules of each Program.

    Rows are in the order of MACs. Switches are estimated, to be compiled by :meth:`ServingTable.compile` where they
    happen.

    Parameters
    ----------
    subnets : by name.
    accuracy : of each, a fraction.
    subgraphs : by name; the empty one comes before them.
    supernet : of all of them.
    accelerator : for which.
    quant : integers by SubNet.
    memory_map : knows all SubNets.
    exact : compile all switches here: as many Programs for every SubGraph as the table has entries.
    on_entry : called when a row, or an exact switch, is done.
    searched : costs and tilings of Programs that were mapped by the policy ``best``, rows in the order of MACs. None:
        they are mapped by ``quick``.
    """
    names = sorted(subnets, key=lambda name: subnets[name].macs)
    nets = [subnets[name] for name in names]
    columns = {NOTHING: SubGraph.empty(supernet), **subgraphs}
    graphs = list(columns.values())
    buffers = [PersistentBuffer.of(subgraph, supernet, accelerator) for subgraph in graphs]
    costs, tilings = searched or (NetworkCosts(supernet, accelerator).of_subgraphs(nets, graphs), None)
    programs = Programs(nets, graphs, buffers, supernet, accelerator, quant, memory_map, tilings)
    policy = BEST if searched else QUICK
    tail = np.zeros(len(names), np.int64)
    for row in range(len(names)):
        timing = programs.run(row, 0, 0)[1]
        ends = [interval.end for interval in timing.timeline if interval.unit == "LOAD_WGT"]
        tail[row] = timing.cycles - max(ends)
        on_entry()
    table = ServingTable(
        SushiAbs.of(names, columns, costs.cycles, {name: accuracy[name] for name in names}, accelerator, policy),
        vectors_of(nets, supernet),
        costs.dram_bytes,
        costs.hit_bytes,
        costs.energy_j,
        estimated_switches(nets, graphs, supernet, accelerator, costs.cycles, tail),
        byte_joules(accelerator),
        {
            "accelerator": accelerator.name,
            "accelerator_hash": accelerator.hash(),
            "space": supernet.name,
            "switch_costs": "compiled" if exact else "compiled where they happen, else estimated",
            "mapping_policy": policy,
        },
        programs,
    )
    if exact:
        places = np.ndindex(len(nets), len(graphs), len(graphs))
        every = [Switch(*place) for place in places if place[1] != place[2]]
        table = table.compile(every, on_entry)
    return table
