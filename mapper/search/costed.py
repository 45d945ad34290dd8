"""What follows from the walk of one layer on a machine, however its mapping was chosen."""

from __future__ import annotations

from functools import cached_property

from arch_model.cost.energy import energy
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Layer
from mapper.cost.layer_cost import LayerCost


class Costed:
    """A layer with its walk: the base of what a search finds and of what the compiler chooses by itself."""

    layer: Layer
    accelerator: Accelerator
    walk: LayerCost

    @property
    def cycles(self) -> int:
        """From start to done, as a Program of its own."""
        return self.walk.cycles

    @property
    def latency_s(self) -> float:
        """Seconds of these cycles."""
        return self.cycles / self.accelerator.clock_hz

    @property
    def utilisation(self) -> float:
        """Multiply-accumulates by what the array could do in these cycles."""
        return self.layer.macs / (self.cycles * self.accelerator.multipliers)

    @property
    def dram_bytes(self) -> int:
        """On all ports."""
        return self.walk.dram_bytes

    @cached_property
    def energy_j(self) -> float:
        """Joules, leakage included."""
        return energy(self.walk.activity, self.accelerator, self.cycles).total_j
