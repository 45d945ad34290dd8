"""The quick choice, compiled: of all tilings that fit a machine, the one with the least estimated cycles.

The estimate of a dense layer is its steady state: in each spatial tile the slowest unit, and what cannot hide at both
ends. That of a depthwise layer, a pool over windows or a product is a pipeline of loads, passes and stores, each with
two halves of its buffer. It says which tiling is preferable; what a tiling costs is what
:func:`arch_model.timing.recurrence.issue` says of its commands.

Functions take a header: a machine, a layer and a tiling where :mod:`mapper.lowering.rows` has them.
"""

from __future__ import annotations

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from arch_model.machine.accelerator import TAPS
from arch_model.machine.microarchitecture import COLUMN_ISSUE, PASS_OVERHEAD
from arch_model.program.isa import SLOT_BYTES
from arch_model.timing.rows import (
    BEAT,
    CP,
    DB,
    FOLD,
    INTERVAL,
    KP,
    LATENCY,
    MACHINE,
    NB,
    NEVER,
    OB,
    OUT,
    PBEAT,
    PIXELS,
    SB,
    TILE_BEATS,
    TO_SB,
    ZSB,
)
from arch_model.timing.transfers import row_beats, up
from mapper.lowering.depthwise_tiling import GROUPS_MAX
from mapper.lowering.rows import (
    BESIDE,
    C_TILES,
    DENSE,
    DEPTHWISE,
    FOLDED,
    FORM,
    HEIGHT,
    IN_GROUPS,
    INPUT_ON_CHIP,
    K_TILES,
    KERNEL_ROWS,
    LAYER,
    LAYER_AT,
    OUT_COLS,
    OUT_ROWS,
    OUTPUT_TO,
    PADDING,
    POINTWISE,
    SB_ROOM,
    SCALE,
    STRIDE,
    T_CHUNK,
    T_FILTERS,
    T_INTERLEAVE,
    T_PREFETCH,
    T_PROLOGUE,
    T_ROWS,
    T_STAYS,
    TILING,
    TILING_AT,
    WIDTH,
    WINDOWS,
    ZSB_ENTRIES,
    C,
    K,
)
from mapper.lowering.tiling import COUNT_MAX, RUN_BEATS_MAX, RUN_STRIDE_MAX

CHOICE = TILING_AT + len(TILING)
"""Places of a header that the functions here read and write."""


@inner
def put(w: Ints, machine: Ints, layer: Ints) -> None:
    """Write a machine and a layer to a header.

    Parameters
    ----------
    w : workspace, which begins with the header.
    machine : a row of :data:`arch_model.timing.rows.MACHINE`.
    layer : a row of :data:`mapper.lowering.rows.LAYER`.
    """
    for column in range(len(MACHINE)):
        w[column] = machine[column]
    for column in range(len(LAYER)):
        w[LAYER_AT + column] = layer[column]


def header(machine: Ints, layer: Ints) -> Ints:
    """A new header of a machine and a layer.

    Parameters
    ----------
    machine : a row of :data:`arch_model.timing.rows.MACHINE`.
    layer : a row of :data:`mapper.lowering.rows.LAYER`.

    Returns
    -------
    int64 array
        (CHOICE,).
    """
    w = np.zeros(CHOICE, np.int64)
    w[: len(MACHINE)], w[LAYER_AT : LAYER_AT + len(LAYER)] = machine, layer
    return w


@inner
def chunk_unit(w: Ints) -> int:
    """K-tiles from one group boundary to the next: lcm(KP, CP) / KP."""
    a, b = w[KP], w[CP]
    while b:
        a, b = b, a % b
    return w[CP] // a


@inner
def least_input(w: Ints, rows: int) -> int:
    """Input rows that some output rows need, at most the tensor's.

    Parameters
    ----------
    w : header.
    rows : output rows.
    """
    if w[SCALE]:
        return 1
    return min((rows - 1) * w[STRIDE] + w[KERNEL_ROWS], w[HEIGHT])


@inner
def _out_words(w: Ints, k_tiles: int, pixels: int) -> int:
    return up(up(k_tiles * w[KP], w[CP]), w[NB]) * pixels


@inner
def pitch_beats(w: Ints, cols: int) -> int:
    """Beats of a row of a channel group in DRAM.

    Parameters
    ----------
    w : header.
    cols : pixels of the row.
    """
    return row_beats(cols, w[CP], w[BEAT])


@inner
def input_beats(w: Ints) -> int:
    """Beats of an input row of a channel group, or of a folded image."""
    return pitch_beats(w, up(w[WIDTH], w[FOLD]) if w[FOLDED] else w[WIDTH])


@inner
def _row_cycles(w: Ints, cols: int, together: int) -> int:
    return max(pitch_beats(w, cols) * w[INTERVAL], up(cols, together))


@inner
def _input_cycles(w: Ints) -> int:
    return _row_cycles(w, up(w[WIDTH], w[FOLD]), 1) if w[FOLDED] else _row_cycles(w, w[WIDTH], w[PIXELS])


@inner
def _fields_hold(w: Ints) -> bool:
    """Whether a command's fields hold the layer's rows, columns and channel groups."""
    height, width = (w[OUT_ROWS], w[OUT_COLS]) if w[SCALE] else (w[HEIGHT], w[WIDTH])
    groups = max(w[IN_GROUPS], up(w[K], w[CP])) if w[FORM] == DENSE else w[IN_GROUPS]
    steps = 0 if w[FORM] == DENSE else (1 if w[SCALE] else w[STRIDE]) * (w[OUT_COLS] - 1) + 1
    size = max(height * pitch_beats(w, width), w[OUT_ROWS] * pitch_beats(w, w[OUT_COLS])) * w[BEAT]
    return max(max(width, steps), height) <= COUNT_MAX and groups <= COUNT_MAX and size <= RUN_STRIDE_MAX


# ------------------------------------------------------------------ dense layers


@inner
def _input_room(w: Ints) -> int:
    """SB words that a tile's input may take of each bank, unless all of the input is there."""
    return w[SB_ROOM] if w[SB_ROOM] else w[SB]


@inner
def _sb_words(w: Ints, inside: int) -> int:
    """Words a bank that input rows of all channels take."""
    if w[POINTWISE]:
        return up(w[IN_GROUPS], TAPS) * inside * w[WIDTH]
    return w[IN_GROUPS] * up(inside, 3) * up(w[WIDTH], 3)


@inner
def rows_fit(w: Ints, rows: int) -> bool:
    """Whether the input and the partial sums of some output rows of a dense layer fit.

    Parameters
    ----------
    w : header.
    rows : output rows of a spatial tile.
    """
    inside, pixels = least_input(w, rows), rows * w[OUT_COLS]
    if (not w[INPUT_ON_CHIP] and _sb_words(w, inside) > _input_room(w)) or (
        w[WINDOWS] * w[C_TILES] > 1 and pixels > w[OB]
    ):
        return False
    return max(inside, rows) * max(pitch_beats(w, w[WIDTH]), pitch_beats(w, w[OUT_COLS])) <= RUN_BEATS_MAX


@inner
def chunk_fits(w: Ints, rows: int, chunk: int) -> bool:
    """Whether a half of the output side holds a chunk's results.

    Parameters
    ----------
    w : header.
    rows : output rows of a spatial tile.
    chunk : K-tiles.
    """
    return _out_words(w, chunk, rows * w[OUT_COLS]) <= w[OUT]


@inner
def fits_dense(w: Ints) -> bool:
    """Whether some tiling of the dense layer fits, as ``LayerOnMachine.check_least`` decides."""
    least = min(chunk_unit(w), w[K_TILES])
    return rows_fit(w, 1) and w[K_TILES] <= w[ZSB] and chunk_fits(w, 1, least) and _fields_hold(w)


@inner
def _waits(w: Ints) -> int:
    """How often a STORE waits for DRAM: for operand b, and for its writes' acknowledgement."""
    return int(w[BESIDE] != 0) + int(w[OUTPUT_TO] != TO_SB)


@inner
def _choose_dense(w: Ints, streamed: int) -> int:
    """The tiling of a dense layer, of whose weight tiles so many are not in the PB."""
    best = NEVER
    if not fits_dense(w):
        return best
    kp, kt, latency, unit = w[KP], w[K_TILES], w[LATENCY], chunk_unit(w)
    many, units, once = kt * w[WINDOWS] * w[C_TILES], up(kt, unit), streamed <= w[DB]
    row_in, row_out, groups = _input_cycles(w), _row_cycles(w, w[OUT_COLS], w[PIXELS]), up(w[K], w[CP])
    weights = streamed * max(w[TILE_BEATS] * w[INTERVAL], kp)
    before = 0
    for count in range(w[OUT_ROWS], 0, -1):
        rows = up(w[OUT_ROWS], count)  # the least rows for each number of tiles
        if rows == before or not rows_fit(w, rows):
            continue
        before, tiles = rows, up(w[OUT_ROWS], rows)
        compute = many * max(rows * w[OUT_COLS], kp + PASS_OVERHEAD)
        load = 0 if w[INPUT_ON_CHIP] else latency + w[IN_GROUPS] * least_input(w, rows) * row_in
        stored, last = groups * rows * row_out, 0
        for parts in range(units, 0, -1):
            size = up(units, parts)
            chunk = min(size * unit, kt)
            if size == last or not chunk_fits(w, rows, chunk):
                continue
            last, stores = size, up(kt, chunk)
            store = stores * latency * _waits(w) + stored
            fetch = (kt * w[WINDOWS] + 1 + 2 * stores) * SLOT_BYTES * w[INTERVAL] // w[PBEAT]
            slowest = max(max(compute, load), max(store, fetch))
            steady = max(tiles * slowest, weights) if once else tiles * max(slowest, weights)
            cycles = steady + load + stored // stores + latency
            if cycles < best:
                best, w[T_ROWS], w[T_CHUNK] = cycles, rows, chunk
    return best


# ------------------------------------------------------------------ depthwise layers, pools over windows, products


@inner
def group_of(w: Ints, k_tiles: int) -> int:
    """Channel groups of some K-tiles of a chunk.

    Parameters
    ----------
    w : header.
    k_tiles : how many.
    """
    return up(min(k_tiles * w[KP], w[C]), w[CP])


@inner
def _held_words(w: Ints, chunk: int, rows: int) -> int:
    """Words a bank that input rows of a chunk take."""
    return group_of(w, chunk) * up(rows, 3) * up(w[WIDTH] + 2, 3)


@inner
def cut_fits(w: Ints, rows: int, chunk: int, stays: bool) -> bool:
    """Whether a depthwise tiling fits, as :func:`mapper.lowering.depthwise_tiling.check_cut` decides.

    Parameters
    ----------
    w : header.
    rows : output rows of a spatial tile.
    chunk : K-tiles.
    stays : whether the SB holds all of a chunk's input rows.
    """
    pixels, inside = rows * w[OUT_COLS], least_input(w, rows)
    held, brought = inside, inside
    if stays:
        held, brought = w[HEIGHT], min(inside + 2, w[HEIGHT])  # to a row of the first bank
    if (not w[INPUT_ON_CHIP] and _held_words(w, chunk, held) > _input_room(w)) or not chunk_fits(w, rows, chunk):
        return False
    if w[WINDOWS] > 1 and pixels > w[OB]:
        return False
    return max(brought * pitch_beats(w, w[WIDTH]), rows * pitch_beats(w, w[OUT_COLS])) <= RUN_BEATS_MAX


@inner
def _row_passes(w: Ints, rows: int) -> int:
    """Cycles of the passes of one K-tile over so many output rows."""
    across, down = (1 if w[SCALE] else w[STRIDE]) * (w[OUT_COLS] - 1), up(w[KERNEL_ROWS], 3)
    steps, passes = max(w[WIDTH], across + 1), 0
    for window in range(w[WINDOWS]):
        column = window // down * 3
        own = (rows - 1) * steps + across + COLUMN_ISSUE + 1 + column - w[PADDING]
        passes += max(own, w[KP] + PASS_OVERHEAD)
    return passes


@inner
def input_low(w: Ints, first: int) -> int:
    """The first input row that output rows read.

    Parameters
    ----------
    w : header.
    first : the first of the output rows.
    """
    return 0 if w[SCALE] else max(0, first * w[STRIDE] - w[PADDING])


@inner
def input_high(w: Ints, last: int) -> int:
    """The input row behind those that an output row reads.

    Parameters
    ----------
    w : header.
    last : the output row.
    """
    return 1 if w[SCALE] else min(w[HEIGHT], last * w[STRIDE] - w[PADDING] + w[KERNEL_ROWS])


@inner
def _pipeline(w: Ints, rows: int, chunk: int, stays: bool, best: int) -> int:
    """Estimated cycles of a depthwise layer cut so, or a number of at least ``best`` if they're no less."""
    kt, latency, height = w[K_TILES], w[LATENCY], w[OUT_ROWS]
    whole, rest = height // rows, height % rows
    passes, rest_passes = _row_passes(w, rows), _row_passes(w, rest) if rest else 0
    least = kt * (whole * passes + rest_passes)
    if least >= best:
        return least
    row_in, row_out, waits = _input_cycles(w), _row_cycles(w, w[OUT_COLS], w[PIXELS]), _waits(w)
    # When each unit is done; of passes and stores the last two tiles; when a chunk's passes left each half of the SB.
    loaded, ran0, ran, stored0, stored, freed0, freed = 0, 0, 0, 0, 0, 0, 0
    for k_tile in range(0, kt, chunk):
        k_tiles = min(chunk, kt - k_tile)
        groups, come = group_of(w, k_tiles), 0
        for first in range(0, height, rows):
            own = min(rows, height - first)
            low, high = input_low(w, first), input_high(w, first + own - 1)
            free = ran0
            if stays:
                free = freed0 if first == 0 else 0
            else:
                come = low
            if high > come and not w[INPUT_ON_CHIP]:
                loaded = max(loaded, free) + latency + groups * (high - come) * row_in
            come = max(come, high)
            after = max(loaded, max(ran, stored0)) + k_tiles * (passes if own == rows else rest_passes)
            ran0, ran = ran, after
            after = max(ran, stored) + waits * latency + groups * own * row_out
            stored0, stored = stored, after
        freed0, freed = freed, ran
    return stored


@inner
def fits_depthwise(w: Ints) -> bool:
    """Whether a depthwise layer fits, cut as finely as can be."""
    least = min(chunk_unit(w), w[K_TILES])
    return w[NB] <= GROUPS_MAX and w[ZSB_ENTRIES] <= w[ZSB] and _fields_hold(w) and cut_fits(w, 1, least, False)


@inner
def _choose_depthwise(w: Ints) -> int:
    best = NEVER
    if not fits_depthwise(w):
        return best
    kt, unit, before = w[K_TILES], chunk_unit(w), 0
    units = up(kt, unit)
    for parts in range(units, 0, -1):
        size = up(units, parts)
        if size == before:
            continue
        before, chunk = size, min(size * unit, kt)
        stays = not w[INPUT_ON_CHIP] and _held_words(w, chunk, w[HEIGHT]) <= _input_room(w)
        for rows in range(1, w[OUT_ROWS] + 1):
            if not cut_fits(w, rows, chunk, stays):
                continue
            cycles = _pipeline(w, rows, chunk, stays, best)
            if cycles < best:
                best, w[T_ROWS], w[T_CHUNK], w[T_STAYS] = cycles, rows, chunk, int(stays)
    return best


# ------------------------------------------------------------------ all


@inner
def _global_pool(w: Ints) -> int:
    """Estimated cycles of a global pool: it streams its input in, a pixel of a group a cycle."""
    w[T_ROWS] = w[T_CHUNK] = 1
    return up(w[K], w[CP]) * w[HEIGHT] * _row_cycles(w, w[WIDTH], 1) + 2 * w[LATENCY]


@compiled
def choose_tiling(w: Ints, streamed: int) -> int:
    """Write the quick choice for the machine and the layer in a header to it.

    Parameters
    ----------
    w : header.
    streamed : weight tiles of a dense layer that are not in the PB.

    Returns
    -------
    Its estimated cycles; ``NEVER`` if no tiling fits.
    """
    w[T_ROWS] = w[T_CHUNK] = w[T_FILTERS] = w[T_PREFETCH] = w[T_STAYS] = 0
    w[T_PROLOGUE] = w[T_INTERLEAVE] = 1
    if w[FORM] == DENSE:
        return _choose_dense(w, streamed)
    if w[FORM] == DEPTHWISE:
        return _choose_depthwise(w)
    return _global_pool(w)
