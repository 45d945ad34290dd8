"""The Program that only moves the Persistent Buffer from one SubGraph to another and computes nothing.

``mapper.lowering.compile`` hides a switch behind the work of a SubNet. This one is for who sets the SubGraph first and
chooses SubNets later, such as a driver with precompiled Programs.
"""

from __future__ import annotations

import numpy as np

from arch_model.program.isa import Command, Memory, Opcode
from arch_model.program.program import Program
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.dense_fields import weight_fields
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.weight_tiles import RUN_CT, RUN_LENGTH, RUN_ROW, RUN_RUNS, RUN_SLOT, runs_of


def switch_program(before: PersistentBuffer, after: PersistentBuffer, memory_map: MemoryMap) -> Program:
    """The Program that loads every tile that the PB is to hold and does not hold in the same slot.

    Parameters
    ----------
    before, after : contents of the PB.
    memory_map : says where weights and Programs lie.

    Examples
    --------
    >>> from arch_model.machine.accelerator import Accelerator
    >>> from arch_model.spaces import get_space
    >>> from arch_model.network.supernet import SubGraph
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> stem = SubGraph(fashion.name, ((16, 1),) + ((0, 0),) * (len(fashion.layers) - 1))
    >>> empty, pinned = PersistentBuffer.empty(fashion), PersistentBuffer.of(stem, fashion, tiny)
    >>> program = switch_program(empty, pinned, MemoryMap.build(fashion, [], tiny))
    >>> [c.opcode.name for c in program.commands], program.switch_bytes      # 4 K-tiles of 108 bytes
    (['LOAD_WGT', 'END'], 432)
    """
    a = memory_map.accelerator
    commands, tiles = [], 0
    for layer in memory_map.supernet.layers:
        on = LayerOnMachine(layer, a)
        slots = after.layer_slots(layer.name, on.grid)
        slots = np.where(slots == before.layer_slots(layer.name, on.grid), -1, slots)
        tiles += int((slots >= 0).sum())
        for run in runs_of(slots, a).tolist():
            first, address = (run[RUN_ROW], run[RUN_CT]), memory_map.weights[layer.name]
            fields = weight_fields(on, address, first, run[RUN_LENGTH], run[RUN_RUNS], run[RUN_SLOT], Memory.PB)
            commands.append(Command(Opcode.LOAD_WGT, {name: value for name, value in fields.items() if value}))
    return Program(
        name="switch",
        accelerator=a,
        address=memory_map.program,
        commands=(*commands, Command(Opcode.END, {})),
        owners=(-1,) * (len(commands) + 1),
        layers=(),
        tensors={},
        weight_bytes=memory_map.weight_bytes,
        switch_bytes=tiles * a.tile_bytes,
    )
