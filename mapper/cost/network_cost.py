"""What layers cost that run one after another in one Program, without making it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.timing.rows import PB, machine_row
from mapper.layout.persistent_buffer import Slots
from mapper.lowering.layer_rows import network_rows, tiling_row
from mapper.lowering.network import cycles_of, why_refused
from mapper.lowering.rows import new_workspace, put_slots
from mapper.lowering.tiling import Tiling
from mapper.workload.fusion import Step


def network_cycles(
    steps: Sequence[Step], tilings: Sequence[Tiling], slots: Sequence[Slots], accelerator: Accelerator
) -> int:
    """Cycles of a SubNet's Program, from start to done.

    Parameters
    ----------
    steps : in order of execution.
    tilings : of each step.
    slots : of each dense layer, int64 (K-tiles * windows, C-tiles), PB slots of weight tiles that are there, or -1;
        they may be more than the PB has.

    Raises
    ------
    MappingError
        For a layer that breaks a rule of the machine.
    """
    xs, tensor_rows = network_rows(steps, accelerator)
    ts, there = np.array([tiling_row(tiling) for tiling in tilings], np.int64), np.empty(0, np.int64)
    if any((own >= 0).any() for own in slots):
        there = np.concatenate([own.reshape(-1) for own in slots])
    most, room, cycles = max((own.size for own in slots), default=0), 1 << 12, 0
    machine = machine_row(accelerator)
    machine[PB] = max(machine[PB], there.max(initial=-1) + 1)
    while cycles == 0:
        w = new_workspace(machine, room, tensor_rows, most, len(there))
        put_slots(w, there)
        cycles, room = cycles_of(w, xs, ts), 4 * room
    if cycles < 0:
        raise why_refused(w, steps, tilings, accelerator)
    return int(cycles)
