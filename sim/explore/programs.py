"""Exact prices of points: each SubNet as one Program, whose layers overlap, on the point's machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arch_model.compiled import Ints
from arch_model.cost.activity import TOTALS
from arch_model.machine.accelerator import Accelerator
from arch_model.timing.rows import NEVER, machine_row
from mapper.cost.cached_layers import held_slots
from mapper.cost.program_cost import ProgramCosts
from mapper.layout.tensors import tile_grid
from mapper.lowering.choice import choose_tiling, header
from mapper.lowering.quick_choice import why_none
from mapper.lowering.rows import T_CHUNK, T_ROWS, T_STAYS
from mapper.lowering.tiling import Tiling
from mapper.workload.depthwise import has_tiles
from sim.explore.screening import Machines, cached_hits
from sim.explore.workload import Workload


def program_sums(machine: Accelerator, work: Workload, nets: Sequence[int], cached: str) -> tuple[Ints, Ints]:
    """Cycles (nets,) and totals (nets, totals) of the Programs of SubNets, each as the compiler makes it.

    Parameters
    ----------
    machine : that runs them.
    work : the SubNets.
    nets : numbers of SubNets of the workload.
    cached : what the PB holds, one of :data:`sim.explore.layers.CACHED`.

    Raises
    ------
    MappingError
        For a SubNet that the machine cannot run: it names the layer and what is wrong.
    """
    fits, hits = cached_hits(Machines.of([machine], work), work, cached)
    cycles, totals = np.zeros(len(nets), np.int64), np.zeros((len(nets), len(TOTALS)), np.int64)
    for place, net in enumerate(nets):
        low, high = work.starts[net], work.starts[net + 1]
        if not fits[0, low:high].all():
            use = int(low + fits[0, low:high].argmin())
            raise why_none(work.step(use).layer, machine)
        program, tilings = _program(machine, work, net, hits[0, low:high].tolist())
        cost = program.cost(tilings)
        work.commands[net] = program.commands
        cycles[place], totals[place] = cost.cycles, list(cost.totals.values())
    return cycles, totals


def _program(machine: Accelerator, work: Workload, net: int, hits: Sequence[int]) -> tuple[ProgramCosts, list[Tiling]]:
    """A SubNet's Program to be, and the quick choice of each of its steps."""
    order, rows, slots, tilings = work.orders[net], work.rows(machine), [], []
    numbers, m = work.uses[work.starts[net] : work.starts[net + 1]].tolist(), machine_row(machine)
    for step, number, hit in zip(order, numbers, hits, strict=True):
        streamed = 0
        if has_tiles(step.layer):
            grid = tile_grid(step.layer, machine)
            slots.append(held_slots(grid, hit, grid.ct if hit else 0))
            streamed = grid.tiles - hit * grid.windows * grid.ct
        w = header(m, rows[number])
        cycles = choose_tiling(w, streamed)
        if cycles == NEVER:
            raise why_none(step.layer, machine)
        tilings.append(Tiling(int(w[T_ROWS]), int(w[T_CHUNK]), cycles, stays=bool(w[T_STAYS])))
    return ProgramCosts(order, machine, slots, work.commands[net], work.network(net, machine)), tilings
