"""What follows from the cost of one layer on a machine, however its mapping was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from arch_model.cost.energy import energy
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Layer
from mapper.cost.layer_cost import LayerCost
from mapper.lowering.tiling import Tiling


@dataclass(frozen=True)
class Costed:
    """A layer as a Program of its own, with a tiling that a search found or that the compiler chose.

    Attributes
    ----------
    add : an ADD in the layer's STORE, or None.
    streamed : weight tiles of a dense layer that are not in the PB.
    walk : its exact cost.
    layer : that runs.
    accelerator : that runs it.
    tiling : how it is tiled.
    """

    layer: Layer
    add: Layer | None
    accelerator: Accelerator
    tiling: Tiling
    streamed: int
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
        """DRAM bytes of the layer on all ports."""
        return self.walk.dram_bytes

    @property
    def bound(self) -> str:
        """What is busy longest: ``array``, the passes one after another, or a port (``act``, ``wgt``, ``out``,
        ``prog``), its beats one after another. ``out`` is also the port of a second operand."""
        a, of = self.accelerator, self.walk.totals
        ports = {
            "act": of["act_bytes"] // a.beat_bytes,
            "wgt": of["wgt_bytes"] // a.weight_beat_bytes,
            "out": max(of["out_bytes"], of["b_bytes"]) // a.beat_bytes,
            "prog": of["prog_bytes"] // a.program_beat_bytes,
        }
        busy = {"array": self.walk.array_cycles}
        busy |= {port: beats * a.dram.cycles_per_beat for port, beats in ports.items()}
        return max(busy, key=lambda unit: busy[unit])

    @cached_property
    def energy_j(self) -> float:
        """Joules, leakage included."""
        return energy(self.walk.activity, self.accelerator, self.cycles).total_j
