"""The quick choice: the tiling that a step gets if nobody says another, by estimates alone."""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind
from mapper.layout.persistent_buffer import Slots
from mapper.lowering.depthwise_tiling import choose_cut
from mapper.lowering.tiling import Tiling, choose
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import Step


def quick_tiling(step: Step, accelerator: Accelerator, slots: Slots | None = None) -> Tiling:
    """The tiling that the compiler takes if it is told nothing.

    Parameters
    ----------
    step, accelerator : what runs where.
    slots : PB slots of a dense layer's weight tiles, -1 for those that are streamed; None: all are.

    Raises
    ------
    MappingError
        If there is no legal tiling: it names layer, operand, buffer, bytes needed and there.

    >>> from arch_model.network.layer import Layer
    >>> quick_tiling(Step(Layer("a", Kind.CONV, K=6, C=9, R=3, S=3, H=8, W=8)), Accelerator.load("tiny")).rows
    3
    """
    layer, operand = step.layer, step.add is not None or step.layer.kind.is_product
    if layer.kind is Kind.POOL:
        return Tiling(1, 1)
    if has_tiles(layer):
        return choose(layer, accelerator, None if slots is None else int((slots < 0).sum()), operand)
    cut = choose_cut(layer, accelerator, operand)
    return Tiling(cut.rows, cut.chunk, stays=cut.stays)
