"""What layers cost that run one after another in one Program, without making it."""

from __future__ import annotations

from collections.abc import Sequence

from arch_model.machine.accelerator import Accelerator
from mapper.cost.program_cost import ProgramCosts
from mapper.layout.persistent_buffer import Slots
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
    return ProgramCosts(steps, accelerator, slots).cycles(tilings)
