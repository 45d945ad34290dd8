"""How a layer is cut: output rows of a spatial tile, K-tiles of a chunk.

A spatial tile is a full-width range of output rows; its input rows, of all channels, fit one half of the SB. A
chunk is the K-tiles whose results leave together: it ends on a group boundary and fits one half of the OB's
output side. :mod:`mapper.lowering.choice` chooses among all of them by an estimate, and
:class:`mapper.lowering.layer_on_machine.LayerOnMachine` says which are legal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Layer
from arch_model.program.isa import Opcode, greatest

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


def sb_needs(words: int, accelerator: Accelerator, room: int | None = None) -> tuple[str, int, int]:
    """What a tile's input needs of the SB.

    Parameters
    ----------
    words : of a bank that it takes.
    accelerator : the machine.
    room : words that a place for input has; None: a half of the SB.

    Returns
    -------
    place, need, there
        The place in words, and bytes.

    Examples
    --------
    >>> sb_needs(10, Accelerator.load("tiny"), 8)      # nine banks of three bytes
    ('a place in the SB', 270, 216)
    """
    a, size = accelerator, TAPS * accelerator.cp
    if room is None:
        return "a half of the SB", words * size, a.sb_half_words * size
    return "a place in the SB", words * size, room * size
