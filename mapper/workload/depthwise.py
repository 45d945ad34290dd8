"""Layers whose output channel k sees input channel k alone: depthwise convs, maximum and average pools, products.

The machine runs them with PASS ``depthwise``: a window of nine taps for each of KP channels a cycle
(``docs/reference/hardware.md``, "Depthwise layers, pools"). Here is what of such a layer does not depend on
its cut: its windows, its weight columns, its entries of the ZSB, and what no machine can do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.program.isa import counted_window, entry_offset

ONES = 9
"""Weight columns of the constant tiles: number 3 * (r - 1) + s - 1 has ones in its top left r x s taps."""

WINDOW = 3
"""Rows and columns of taps that a PASS has."""


def is_channelwise(layer: Layer) -> bool:
    """Whether the layer runs with PASS ``depthwise``. Its weights, if it has any, are never in the PB: they are few.

    >>> is_channelwise(Layer("a", Kind.CONV, K=4, C=4, groups=4)), is_channelwise(Layer("b", Kind.CONV, K=4, C=4))
    (True, False)
    """
    return layer.groups > 1 or layer.kind in (Kind.MAXPOOL, Kind.AVGPOOL) or layer.kind.is_product


def has_tiles(layer: Layer) -> bool:
    """Whether the layer has weight tiles that the PB can hold: a dense conv or linear."""
    return layer.kind.has_weights and not is_channelwise(layer)


def uses_ones(layer: Layer) -> bool:
    """Whether its weights are the constant ones: an average, or factors that go through the array as they are."""
    return layer.kind is Kind.AVGPOOL or layer.kind.is_product


@dataclass(frozen=True)
class Window:
    """A window of at most 3 x 3 taps of a kernel, for which each K-tile has a PASS.

    Attributes
    ----------
    row, col : of its top left tap in the kernel.
    number : of the window, from 0.
    rows, cols : of its taps.
    """

    row: int
    col: int
    number: int
    rows: int
    cols: int


def windows_of(layer: Layer) -> tuple[Window, ...]:
    """A layer's windows in the order of execution: column by column, so that within a K-tile x0 never falls.

    A pass with a smaller x0 issues its pixels sooner; after one with a greater x0 a tile of a pixel or two would be
    read from the OB in the cycle after it was written. Numbers count row by row, as weights lie in DRAM.

    >>> [(w.row, w.col, w.number, w.rows, w.cols) for w in windows_of(Layer("a", Kind.AVGPOOL, 1, 1, 5, 3, 5, 3))]
    [(0, 0, 0, 3, 3), (3, 0, 1, 2, 3)]
    """
    across = -(-layer.S // 3)
    return tuple(
        Window(r, s, r // 3 * across + s // 3, min(3, layer.R - r), min(3, layer.S - s))
        for s in range(0, layer.S, 3)
        for r in range(0, layer.R, 3)
    )


def k_tiles_of(layer: Layer, accelerator: Accelerator) -> int:
    """K-tiles of a layer: KP output channels each.

    Parameters
    ----------
    layer : any.
    accelerator : gives KP.
    """
    return -(-layer.K // accelerator.kp)


def overhangs(layer: Layer) -> bool:
    """Whether a window of the layer reaches beyond its tensor.

    >>> overhangs(Layer("a", Kind.AVGPOOL, 4, 4, 2, 2, H=7, W=8, stride=2))         # the last row is left out
    False
    >>> overhangs(Layer("a", Kind.AVGPOOL, 4, 4, 2, 2, H=7, W=8, stride=2, ceil_mode=True))
    True
    """
    ends = ((layer.P, layer.R, layer.H), (layer.Q, layer.S, layer.W))
    return layer.padding > 0 or any((count - 1) * layer.stride + taps > size for count, taps, size in ends)


def divides_by_taps(layer: Layer) -> bool:
    """Whether the layer is an average whose windows differ in how many of their taps are inside the tensor."""
    return layer.kind is Kind.AVGPOOL and overhangs(layer)


def counted_taps(layer: Layer) -> int:
    """``last_lanes`` of the layer's PASS commands: the taps that count, where it matters which do."""
    whole = (layer.R, layer.S) == (WINDOW, WINDOW)
    if divides_by_taps(layer) or (layer.kind is Kind.MAXPOOL and not whole):
        return counted_window(layer.R, layer.S)
    return 0


def entries_of(layer: Layer, accelerator: Accelerator) -> int:
    """ZSB entries: one a K-tile, or a single one where all channels are requantised alike.

    An average whose windows overhang the tensor has one for each number of rows and columns inside.

    Parameters
    ----------
    layer : a depthwise layer, a pool or a product.
    accelerator : gives KP.

    Examples
    --------
    >>> pool = Layer("a", Kind.AVGPOOL, 4, 4, 2, 2, H=7, W=7, stride=2, ceil_mode=True)
    >>> entries_of(pool, Accelerator.load("tiny"))      # 1 x 1, 1 x 2, (1 x 3,) 2 x 1, 2 x 2
    5
    """
    if divides_by_taps(layer):
        return 1 + entry_offset(layer.R, layer.S)
    return k_tiles_of(layer, accelerator) if layer.kind.has_weights else 1


def column_tiles(layer: Layer, accelerator: Accelerator) -> int:
    """Tiles of CP weight columns that hold a depthwise layer's weights in DRAM; 0 for layers without.

    Parameters
    ----------
    layer : a depthwise layer or one without weights.
    accelerator : gives KP and CP.

    Examples
    --------
    >>> five = Layer("a", Kind.CONV, K=10, C=10, R=5, S=5, H=8, W=8, padding=2, groups=10)
    >>> column_tiles(five, Accelerator.load("tiny"))        # 3 K-tiles of 4 windows, 3 a tile
    4
    """
    numbers = k_tiles_of(layer, accelerator) * len(windows_of(layer)) if layer.kind.has_weights else 0
    return -(-numbers // accelerator.cp)


def ones_tiles(accelerator: Accelerator) -> int:
    """Tiles that hold the :data:`ONES` constant columns."""
    return -(-ONES // accelerator.cp)


def column_of(layer: Layer, k_tile: int, window: Window) -> int:
    """The number of the weight column that a K-tile's window uses.

    Its tile and ``sub`` are quotient and rest of the division by CP.

    Parameters
    ----------
    layer : a depthwise layer, a pool or a product.
    k_tile : number of the K-tile.
    window : one of :func:`windows_of`.
    """
    if uses_ones(layer):
        return 3 * (window.rows - 1) + window.cols - 1
    return k_tile * len(windows_of(layer)) + window.number


def input_size(layer: Layer) -> tuple[int, int]:
    """Rows and columns of the tensor that LOAD_ACT brings: a SCALE's is that of its factors."""
    return (1, 1) if layer.kind is Kind.SCALE else (layer.H, layer.W)


def input_rows_of(layer: Layer, first: int, rows: int) -> tuple[int, int]:
    """The input rows, inside the tensor, that some output rows read.

    Parameters
    ----------
    layer : a depthwise layer, a pool or a product.
    first, rows : the first output row, and how many there are.

    Returns
    -------
    first, rows
        The first input row, and how many there are.
    """
    if layer.kind is Kind.SCALE:
        return 0, 1
    low = max(0, first * layer.stride - layer.padding)
    high = min(layer.H, (first + rows - 1) * layer.stride - layer.padding + layer.R)
    return low, high - low


def stride_of(layer: Layer) -> int:
    """PASS ``stride``: 0 where one pixel stands still."""
    return 0 if layer.kind is Kind.SCALE else layer.stride


def row_steps(layer: Layer) -> int:
    """Steps that a PASS goes through in a row: its columns, or more where windows go on beyond the last."""
    return max(input_size(layer)[1], max(stride_of(layer), 1) * (layer.Q - 1) + 1)


def skewed_shape(layer: Layer, rows: int) -> tuple[int, int]:
    """Where rows and channel groups begin in the SB's skewed layout.

    Parameters
    ----------
    layer : whose input it is.
    rows : input rows.

    Returns
    -------
    row_step, group_step
        SB words from row to row of a bank, and from group to group.

    Examples
    --------
    >>> skewed_shape(Layer("a", Kind.MAXPOOL, 3, 3, 3, 3, 8, 8), 4)     # columns 0..9 in 4 words, 2 rows of them
    (4, 8)
    """
    row_step = -(-(input_size(layer)[1] + 2) // 3)
    return row_step, -(-rows // 3) * row_step


def refusals(layer: Layer) -> Iterator[tuple[str, object, str]]:
    """What keeps a channelwise layer from every machine, as (field, value, what would be right)."""
    if layer.groups > 1 and not layer.groups == layer.C == layer.K:
        yield "groups", layer.groups, "1, or as many as channels and filters"
    if layer.kind is Kind.SCALE:
        return
    what = "maximum pools" if layer.kind is Kind.MAXPOOL else "average pools with windows beyond their tensor"
    if layer.kind is Kind.MAXPOOL or divides_by_taps(layer):
        for name in ("R", "S"):
            if getattr(layer, name) > WINDOW:
                yield name, getattr(layer, name), f"{what} of at most {WINDOW}x{WINDOW}: a PASS sees no more taps"
    if layer.kind is Kind.CONV and 2 * layer.padding > min(layer.R, layer.S) - 1:
        yield "padding", layer.padding, f"of depthwise convs at most {(min(layer.R, layer.S) - 1) // 2}"
