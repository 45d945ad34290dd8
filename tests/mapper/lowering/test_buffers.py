"""What layers that follow one another find in the buffers: both halves of the ZSB in use are an error by name."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from mapper.cost.program_cost import ProgramCosts
from mapper.lowering.tiling import Tiling
from mapper.workload.fusion import Step


def chain(count: int) -> list[Step]:
    """Layers of one pass each, whose 4 filters have an entry each in a ZSB."""
    names = [INPUT, *(f"l{number}" for number in range(count))]
    return [Step(Layer(name, Kind.LINEAR, 4, 4, inputs=(before,))) for before, name in pairwise(names)]


def test_entries_wait_until_those_of_two_halves_before_are_read() -> None:
    """A ZSB of one entry in each half: the third of three layers of one pass finds its half still read."""
    machine = Accelerator.load("tiny").replace(buffers={"zsb_bytes": 2 * 8 * 4})
    steps, tilings, slots = chain(2), [Tiling(1, 1)] * 2, [np.full((1, 1), -1)] * 2
    assert ProgramCosts(steps, machine, slots).cycles(tilings) > 0
    with pytest.raises(MappingError, match=r"layer l2: its 1 ZSB entries need 32 bytes of a half .* still read"):
        ProgramCosts(chain(3), machine, [np.full((1, 1), -1)] * 3).cycles([Tiling(1, 1)] * 3)
