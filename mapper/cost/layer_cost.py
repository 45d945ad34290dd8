"""What one layer costs on a machine as a Program of its own."""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from mapper.cost.program_cost import PORTS, ProgramCost, ProgramCosts
from mapper.layout.persistent_buffer import Slots
from mapper.lowering.layer_rows import layer_row
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.tiling import Tiling
from mapper.workload.fusion import Step

LayerCost = ProgramCost
"""The cost of one layer is that of the Program that runs it alone."""


class LayerCosts:
    """Costs of one step on one machine for any tiling.

    Parameters
    ----------
    step : a layer with the add in its STORE; its operands are in DRAM.
    accelerator : the machine.
    slots : int64 (K-tiles * windows, C-tiles), PB slots of weight tiles that are there, or -1; None: none is.

    >>> from arch_model.network.layer import Kind, Layer
    >>> layer = Layer("a", Kind.CONV, K=6, C=3, R=3, S=3, H=3, W=2, padding=1)
    >>> LayerCosts(Step(layer), Accelerator.load("tiny")).quick().dram_bytes       # 8 slots, 2 + 1 tiles
    608
    """

    def __init__(self, step: Step, accelerator: Accelerator, slots: Slots | None = None) -> None:
        self.step, self.a, self.slots = step, accelerator, slots
        rows = layer_row(step, accelerator)[None], step.layer.P
        self._program = ProgramCosts([step], accelerator, None if slots is None else [slots], 1 << 8, rows)

    def cycles(self, tiling: Tiling) -> int:
        """Cycles from start to done. Raises :class:`MappingError` for a layer that breaks a rule of the machine."""
        return self._program.cycles([tiling])

    def cost(self, tiling: Tiling) -> LayerCost:
        """All that follows from a tiling. Raises as :meth:`cycles`."""
        return self._program.cost([tiling])

    def quick(self) -> LayerCost:
        """The cost of the quick choice: what the compiler takes if it is told nothing.

        Raises :class:`MappingError` if there is no legal tiling: it names layer, operand, buffer, bytes needed and
        there.
        """
        return self.cost(quick_tiling(self.step, self.a, self.slots))


def layer_cost(step: Step, accelerator: Accelerator) -> LayerCost:
    """The cost of a step by the quick choice, with nothing in the PB.

    Parameters
    ----------
    step : the layer and the add in its STORE.
    accelerator : that runs it.

    Raises
    ------
    MappingError
        No tiling fits.
    """
    return LayerCosts(step, accelerator).quick()


__all__ = ["PORTS", "LayerCost", "LayerCosts", "layer_cost"]
