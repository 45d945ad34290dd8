"""The quick choice: the tiling that a step gets if nobody says another, by an estimate of its cycles alone."""

from __future__ import annotations

from collections.abc import Sequence

from arch_model.compiled import Ints
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.rows import NEVER, machine_row
from mapper.layout.persistent_buffer import Slots
from mapper.layout.tensors import tile_grid
from mapper.lowering.choice import choose_tiling, header
from mapper.lowering.depthwise_tiling import Cut, check_cut
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.layer_rows import layer_row
from mapper.lowering.rows import BESIDE, T_CHUNK, T_ROWS, T_STAYS
from mapper.lowering.tiling import Tiling, chunk_unit
from mapper.workload.depthwise import has_tiles, is_channelwise, k_tiles_of
from mapper.workload.fusion import Step


def quick_tiling(step: Step, accelerator: Accelerator, slots: Slots | None = None, x: Ints | None = None) -> Tiling:
    """The tiling that the compiler takes if it is told nothing.

    Parameters
    ----------
    step, accelerator : what runs where.
    slots : PB slots of a dense layer's weight tiles, -1 for those that are streamed; None: all are.
    x : the step as a row of :data:`mapper.lowering.rows.LAYER`, with what is in the SB; None: no tensor stays there.

    Returns
    -------
    Tiling
        With its estimated cycles.

    Raises
    ------
    MappingError
        If there is no legal tiling: it names layer, operand, buffer, bytes needed and there.

    >>> from arch_model.network.layer import Layer
    >>> quick_tiling(Step(Layer("a", Kind.CONV, K=6, C=9, R=3, S=3, H=8, W=8)), Accelerator.load("tiny")).rows
    3
    """
    layer, streamed = step.layer, 0
    if has_tiles(layer):
        streamed = tile_grid(layer, accelerator).tiles if slots is None else int((slots < 0).sum())
    w = _header(step, accelerator) if x is None else header(machine_row(accelerator), x)
    return _chosen(w, layer, accelerator, streamed)


def choose(layer: Layer, accelerator: Accelerator, streamed: int | None = None, add: bool = False) -> Tiling:
    """The tiling of a layer with the least estimated cycles.

    Parameters
    ----------
    layer : any that the machine takes.
    accelerator : the machine.
    streamed : weight tiles that are not in the PB. None: all.
    add : STORE also reads an operand.

    Raises
    ------
    MappingError
        No tiling fits.
    """
    tiles = tile_grid(layer, accelerator).tiles if streamed is None else streamed
    return choose_each(layer, accelerator, (tiles,), add)[0]


def choose_each(layer: Layer, accelerator: Accelerator, streamed: Sequence[int], add: bool = False) -> list[Tiling]:
    """:func:`choose` for several numbers of streamed weight tiles.

    Parameters
    ----------
    layer : any that the machine takes.
    accelerator : the machine.
    streamed : weight tiles that are not in the PB.
    add : STORE also reads an operand.
    """
    w = _header(Step(layer), accelerator)
    w[BESIDE] = add or layer.kind.is_product
    return [_chosen(w, layer, accelerator, tiles) for tiles in streamed]


def _header(step: Step, accelerator: Accelerator) -> Ints:
    return header(machine_row(accelerator), layer_row(step, accelerator))


def _chosen(w: Ints, layer: Layer, accelerator: Accelerator, streamed: int) -> Tiling:
    cycles = choose_tiling(w, streamed)
    if cycles == NEVER:
        raise why_none(layer, accelerator)
    return Tiling(int(w[T_ROWS]), int(w[T_CHUNK]), cycles, stays=bool(w[T_STAYS]))


def why_none(layer: Layer, accelerator: Accelerator) -> MappingError:
    """What keeps a layer from a machine, as an error to raise.

    Parameters
    ----------
    layer : of which no tiling fits.
    accelerator : the machine.

    Raises
    ------
    AssertionError
        The layer fits.
    """
    try:
        if is_channelwise(layer):
            least = min(chunk_unit(accelerator), k_tiles_of(layer, accelerator))
            for stays in (False, True):
                check_cut(layer, accelerator, Cut(1, least, stays))
        elif layer.kind is not Kind.POOL:
            LayerOnMachine(layer, accelerator).check_least()
    except MappingError as error:
        return error
    raise AssertionError(f"layer {layer.name} fits {accelerator.name}")
