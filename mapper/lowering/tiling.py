"""How a layer is cut: output rows of a spatial tile, K-tiles of a chunk.

A spatial tile is a full-width range of output rows; its input rows, of all channels, fit one half of the SB. A
chunk is the K-tiles whose results leave together: it ends on a group boundary and fits one half of the OB's
output side. :mod:`mapper.lowering.choice` chooses among all of them by an estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Layer
from arch_model.program.isa import Opcode, greatest
from mapper.layout.tensors import is_pointwise, tile_grid
from mapper.workload.fusion import Step

INTERLEAVES = (1, 4)
"""K-tiles that may take the first parts in turns; a PASS names one of four places in the OB."""

COUNT_MAX = greatest(Opcode.LOAD_ACT, "cols")
"""Rows, columns and channel groups that a command holds."""

RUN_BEATS_MAX = greatest(Opcode.LOAD_ACT, "run_beats")
RUN_STRIDE_MAX = greatest(Opcode.LOAD_ACT, "run_stride")

Ints = npt.NDArray[np.int64]


class Order(StrEnum):
    """Which of the two outer loops is the outermost."""

    ROWS = "rows"
    """Spatial tiles: each input tile comes once, weights that half the DB cannot hold come again for every tile."""
    FILTERS = "filters"
    """Chunks: their weights, which half the DB must hold, come once; input tiles beyond two come for every chunk."""


@dataclass(frozen=True)
class Tiling:
    """How a layer is cut and in which order it runs.

    Parameters
    ----------
    rows : int
        Output rows of a spatial tile; the last one may have fewer.
    chunk : int
        K-tiles of a STORE.
    cycles : int
        As known or estimated.
    prologue_parts : int
        Parts in which the input and the weights that the first passes need come; 1: whole.
    order : Order
        The outermost loop.
    prefetch_rows : int
        With a prologue of several parts, the most rows of weight tiles that come at once; 0: all that half the DB
        holds, -1: a quarter of one.
    interleave : int
        With a prologue of several parts, so many K-tiles take the first parts in turns, each with partial sums of its
        own in the OB.
    stays : bool
        Of a depthwise layer: the SB holds all of a chunk's input rows.
    """

    rows: int
    chunk: int
    cycles: int = 0
    prologue_parts: int = 1
    order: Order = Order.ROWS
    prefetch_rows: int = 0
    interleave: int = 1
    stays: bool = False


def input_rows(layer: Layer, first: int, rows: int) -> tuple[int, int]:
    """The input rows, inside the tensor, that some output rows read.

    Parameters
    ----------
    layer : dense.
    first, rows : output rows, the first and how many.

    Returns
    -------
    first, rows
        The first input row, and how many there are.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> layer = Layer("a", Kind.CONV, K=1, C=1, R=3, S=3, H=8, W=8, stride=2, padding=1)
    >>> input_rows(layer, 0, 2), input_rows(layer, 2, 2)     # taps -1..3 and 3..7
    ((0, 4), (3, 5))
    """
    low = max(0, first * layer.stride - layer.padding)
    high = min(layer.H, (first + rows - 1) * layer.stride - layer.padding + layer.R)
    return low, high - low


def sb_shape(layer: Layer, rows: int, accelerator: Accelerator) -> tuple[int, int, int]:
    """How input rows of all channels lie in the SB.

    Parameters
    ----------
    layer : dense.
    rows : input rows.
    accelerator : gives CP.

    Returns
    -------
    row_step, group_step, words
        SB words from row to row of a bank, from group to group, and of a bank altogether.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> tiny = Accelerator.load("tiny")                      # CP 3
    >>> sb_shape(Layer("a", Kind.CONV, K=1, C=6, R=3, S=3, H=8, W=8), 4, tiny)   # 2 groups of 2 x 3 cells
    (3, 6, 12)
    >>> sb_shape(Layer("b", Kind.CONV, K=1, C=30, H=8, W=8), 4, tiny)            # 2 blocks of 4 x 8 pixels
    (8, 32, 64)
    """
    groups = accelerator.groups(layer.C)
    if is_pointwise(layer):
        return layer.W, rows * layer.W, -(-groups // TAPS) * rows * layer.W
    row_step = -(-layer.W // 3)
    group_step = -(-rows // 3) * row_step
    return row_step, group_step, groups * group_step


def chunk_unit(accelerator: Accelerator) -> int:
    """K-tiles from one group boundary to the next: lcm(KP, CP) / KP."""
    return math.lcm(accelerator.kp, accelerator.cp) // accelerator.kp


def out_words(k_tiles: int | Ints, pixels: int | Ints, accelerator: Accelerator) -> int | Ints:
    """Words of a bank of the OB's output side that some K-tiles from a group boundary on write.

    The last K-tile may reach into groups above K: the repacker writes them too.

    Parameters
    ----------
    k_tiles : how many.
    pixels : of a group.
    accelerator : gives KP, CP and the banks.
    """
    groups = -(-k_tiles * accelerator.kp // accelerator.cp)
    return -(-groups // accelerator.nb) * pixels


def fetches(layer: Layer, streamed: int, tiling: Tiling, accelerator: Accelerator) -> int:
    """How often each weight tile that is not in the PB is loaded into the DB.

    Parameters
    ----------
    layer : dense.
    streamed : weight tiles that are not in the PB.
    tiling : of the layer.
    accelerator : gives the size of the DB.
    """
    stays = tiling.order is Order.FILTERS or streamed <= accelerator.db_half_tiles
    return 1 if stays else -(-layer.P // tiling.rows)


def saved_tiles(step: Step, tiling: Tiling, without: Tiling, streamed: int, accelerator: Accelerator) -> int:
    """Weight tiles that a step need not fetch thanks to the PB.

    Those that it would if the PB were empty, less its streamed ones as often as they are loaded.

    Parameters
    ----------
    step : with a dense layer.
    tiling : with the PB's content.
    without : the tiling with an empty PB.
    streamed : weight tiles that are not in the PB.
    accelerator : that runs it.
    """
    tiles = tile_grid(step.layer, accelerator).tiles
    fetched = streamed * fetches(step.layer, streamed, tiling, accelerator)
    return tiles * fetches(step.layer, tiles, without, accelerator) - fetched


def chunks_of(layer: Layer, accelerator: Accelerator) -> Ints:
    """Every number of K-tiles that a chunk can have: whole units, or all of them.

    Parameters
    ----------
    layer : dense.
    accelerator : that runs it.
    """
    kt, unit = tile_grid(layer, accelerator).kt, chunk_unit(accelerator)
    return np.minimum(np.arange(1, -(-kt // unit) + 1) * unit, kt)


def check_tiling(layer: Layer, accelerator: Accelerator, tiling: Tiling, group: int) -> None:
    """Refuse a tiling that is not legal.

    Parameters
    ----------
    layer : dense.
    accelerator : that would run it.
    tiling : to check.
    group : the most tiles that a half of the DB must hold at once.

    Raises
    ------
    MappingError
        Naming the field and what is legal, or operand, buffer, bytes needed and there.
    """
    a = accelerator
    check_least(layer, a)
    chunks = chunks_of(layer, a)
    for field, value, legal in (
        ("rows", tiling.rows, 1 <= tiling.rows <= layer.P),
        ("chunk", tiling.chunk, tiling.chunk in chunks),
        ("prologue_parts", tiling.prologue_parts, tiling.prologue_parts >= 1),
        ("prefetch_rows", tiling.prefetch_rows, tiling.prefetch_rows >= -1),
        ("interleave", tiling.interleave, tiling.interleave in INTERLEAVES and tiling.interleave <= tiling.chunk),
    ):
        if not legal:
            right = {
                "rows": f"1 to {layer.P}",
                "chunk": f"one of {', '.join(map(str, chunks))}",
                "prologue_parts": "1 or more",
                "prefetch_rows": "-1 or more",
                "interleave": "1, or 4 if a chunk has as many K-tiles",
            }
            raise MappingError(f"layer {layer.name}: {field} of its tiling is {value}; give {right[field]}")
    inside, pixels = min((tiling.rows - 1) * layer.stride + layer.R, layer.H), tiling.rows * layer.Q
    words, out = sb_shape(layer, inside, a)[2], int(out_words(tiling.chunk, pixels, a))
    needs = [
        (f"{inside} input rows", "a half of the SB", words * TAPS * a.cp, a.sb_half_words * TAPS * a.cp),
        ("chunk of outputs", "a half of the OB's output side", out * a.nb * a.cp, a.out_half_words * a.nb * a.cp),
        ("weights of a chunk", "a half of the DB", group * a.tile_bytes_raw, a.db_half_tiles * a.tile_bytes_raw),
    ]
    if accumulates(layer, a):
        sums = tiling.interleave * pixels * 4 * a.kp
        needs.append((f"partial sums of {tiling.rows} rows", "the OB", sums, a.ob_pixels * 4 * a.kp))
    for operand, buffer, need, there in needs:
        if need > there:
            raise MappingError(f"layer {layer.name}: its {operand} need {need} bytes of {buffer}; {a.name} has {there}")


def accumulates(layer: Layer, accelerator: Accelerator) -> bool:
    """Whether partial sums meet in the OB: a K-tile has more than one pass.

    Parameters
    ----------
    layer : dense.
    accelerator : that runs it.
    """
    grid = tile_grid(layer, accelerator)
    return grid.windows * grid.ct > 1


def check_least(layer: Layer, accelerator: Accelerator) -> None:
    """Refuse a layer of which one output row and the least chunk do not fit some buffer.

    Parameters
    ----------
    layer : dense.
    accelerator : that would run it.

    Raises
    ------
    MappingError
        Naming operand, buffer, bytes needed and there.
    """
    a, grid = accelerator, tile_grid(layer, accelerator)
    inside = min(layer.R, layer.H)
    words = sb_shape(layer, inside, a)[2]
    least = int(out_words(min(chunk_unit(a), grid.kt), layer.Q, a))
    needs = [
        ("input rows", "a half of the SB", words * TAPS * a.cp, a.sb_half_words * TAPS * a.cp),
        ("outputs of a row", "a half of the OB's output side", least * a.nb * a.cp, a.out_half_words * a.nb * a.cp),
        ("ZSB entries", "a half of the ZSB", grid.kt * 8 * a.kp, a.zsb_half_entries * 8 * a.kp),
    ]
    if accumulates(layer, a):
        needs.append(("partial sums of a row", "the OB", layer.Q * 4 * a.kp, a.ob_pixels * 4 * a.kp))
    for operand, buffer, need, there in needs:
        if need > there:
            raise MappingError(f"layer {layer.name}: its {operand} need {need} bytes of {buffer}; {a.name} has {there}")
    for what, value, most in (
        ("input columns", layer.W, COUNT_MAX),
        ("input rows", layer.H, COUNT_MAX),
        ("input channel groups", a.groups(layer.C), COUNT_MAX),
        ("output channel groups", a.groups(layer.K), COUNT_MAX),
        ("bytes of a channel group", max(layer.H * a.pitch(layer.W), layer.P * a.pitch(layer.Q)), RUN_STRIDE_MAX),
        ("beats of a row's input", inside * max(a.pitch(layer.W), a.pitch(layer.Q)) // a.beat_bytes, RUN_BEATS_MAX),
    ):
        if value > most:
            raise MappingError(f"layer {layer.name}: it has {value} {what}; a command holds at most {most}")
