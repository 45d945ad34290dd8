"""The space of a layer's mappings: every tiling that the compiler accepts, but for those that give the same commands.

A *cut* is rows, chunk and order, or whether a chunk's input stays; it is legal if the rules say so by which the quick
choice and the compiler go (:mod:`mapper.lowering.choice`, :mod:`mapper.lowering.dense_loads`). A dense layer's cut has
many prologues. Left out is what makes no difference: the order where there is one chunk, or one spatial tile and
nothing to stream; numbers of prologue parts that give parts of equal size; numbers of prefetched rows that no transfer
reaches.
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.timing.rows import DB, OB
from arch_model.timing.transfers import up
from mapper.lowering.choice import chunk_fits, chunk_unit, cut_fits, fits_dense, fits_depthwise, input_high, rows_fit
from mapper.lowering.dense_loads import RELOADS, TABLES, cut_loads, ramp
from mapper.lowering.rows import (
    C_TILES,
    DENSE,
    DEPTHWISE,
    FORM,
    GROUP_BEGIN,
    GROUP_COUNT,
    HEIGHT,
    K_TILES,
    OUT_COLS,
    OUT_ROWS,
    STREAMED,
    T_CHUNK,
    T_FILTERS,
    T_INTERLEAVE,
    T_PREFETCH,
    T_PROLOGUE,
    T_ROWS,
    T_STAYS,
)
from mapper.lowering.tiling import INTERLEAVES
from mapper.search.bounds import STORE_PLACES

# A row of the table of cuts: its tiling, the least cycles that it can have and slots of its Program, whether the search
# is done with it, times of its STOREs.
C_ROWS, C_CHUNK, C_FILTERS, C_STAYS, C_BOUND, C_SLOTS, C_DONE, C_TIMES = range(8)
CUT_COLUMNS = 8 + STORE_PLACES


@inner
def _append(s: Ints, at: int, rows: int, chunk: int, filters: int, stays: int) -> int:
    s[at + C_ROWS] = rows
    s[at + C_CHUNK] = chunk
    s[at + C_FILTERS] = filters
    s[at + C_STAYS] = stays
    s[at + C_BOUND] = 0
    s[at + C_DONE] = 0
    return at + CUT_COLUMNS


@inner
def list_cuts(w: Ints, s: Ints, at: int, streamed: int) -> int:
    """List the legal cuts of the layer in the header, but for the rule that a chunk's weights fit half of the DB; index
    at which the list ends.

    Those with the same plan of weights lie together.

    Parameters
    ----------
    w : workspace.
    s : what the search keeps.
    at : index in ``s`` at which the list begins.
    streamed : weight tiles that are not in the PB.
    """
    unit, kt = chunk_unit(w), w[K_TILES]
    if w[FORM] == DENSE:
        if not fits_dense(w):
            return at
        for filters in range(2):
            for number in range(up(kt, unit)):
                chunk = min((number + 1) * unit, kt)
                if filters and chunk == kt:
                    continue
                for rows in range(1, w[OUT_ROWS] + 1):
                    if filters and rows == w[OUT_ROWS] and streamed == 0:
                        continue
                    if rows_fit(w, rows) and chunk_fits(w, rows, chunk):
                        at = _append(s, at, rows, chunk, filters, 0)
        return at
    if w[FORM] != DEPTHWISE:
        return _append(s, at, 1, 1, 0, 0)
    if not fits_depthwise(w):
        return at
    for number in range(up(kt, unit)):
        for rows in range(1, w[OUT_ROWS] + 1):
            for stays in range(2):
                chunk = min((number + 1) * unit, kt)
                if stays and rows == w[OUT_ROWS] and input_high(w, rows - 1) == w[HEIGHT]:
                    continue  # the one tile brings all rows in any case
                if cut_fits(w, rows, chunk, stays > 0):
                    at = _append(s, at, rows, chunk, 0, stays)
    return at


@inner
def put_cut(w: Ints, s: Ints, cut: int) -> None:
    """Write a cut of the table to the header, with no prologue.

    Parameters
    ----------
    w : workspace.
    s : what the search keeps.
    cut : index in ``s`` at which the cut stands.
    """
    w[T_ROWS] = s[cut + C_ROWS]
    w[T_CHUNK] = s[cut + C_CHUNK]
    w[T_FILTERS] = s[cut + C_FILTERS]
    w[T_STAYS] = s[cut + C_STAYS]
    w[T_PROLOGUE] = w[T_INTERLEAVE] = 1
    w[T_PREFETCH] = 0


@inner
def put_prologue(w: Ints, parts: int, prefetch: int, interleave: int) -> None:
    """Write a prologue to the header.

    Parameters
    ----------
    w : workspace.
    parts, prefetch, interleave : ``prologue_parts``, ``prefetch_rows`` and ``interleave`` of a
        :class:`~mapper.lowering.tiling.Tiling`.
    """
    w[T_PROLOGUE] = parts
    w[T_PREFETCH] = prefetch
    w[T_INTERLEAVE] = interleave


@inner
def fits_half(w: Ints) -> bool:
    """Whether half the DB holds every group of the weights that are planned."""
    largest = 0
    for group in range(w[GROUP_BEGIN], w[GROUP_BEGIN] + w[GROUP_COUNT]):
        largest = max(largest, w[group + 1] - w[group])
    return largest <= w[DB]


@inner
def interleaves(w: Ints, rows: int, chunk: int) -> bool:
    """Whether a cut allows as many K-tiles to be interleaved as the header says.

    Parameters
    ----------
    w : workspace.
    rows, chunk : of the cut.
    """
    together = w[T_INTERLEAVE]
    return together == 1 or (together <= chunk and together * rows * w[OUT_COLS] <= w[OB])


@inner
def _largest_part(w: Ints, group: int, first: int, last: int) -> int:
    """Rows of the largest transfer of a group that nobody limits."""
    begin, stop = w[w[GROUP_BEGIN] + group], w[w[GROUP_BEGIN] + group + 1]
    rows, sizes, begins = 0, w[TABLES], 1
    for tile in range(begin, stop):
        if tile == begin or w[w[STREAMED] + 2 * tile] != w[w[STREAMED] + 2 * tile - 2]:
            rows += 1
    if first:
        begins = w[T_INTERLEAVE]
    largest = 0
    for part in range(ramp(w, sizes, rows, first, last, rows + 1, begins)):
        if part or begins == 1:
            largest = max(largest, w[sizes + part])
    return largest


@inner
def most_prefetched(w: Ints, several: int) -> int:
    """The least limit on prefetched rows that limits no transfer, with the weights and the prologue in the header.

    Parameters
    ----------
    w : workspace.
    several : whether there are several spatial tiles, for each of which weights may come.
    """
    groups, largest = w[GROUP_COUNT], 0
    for group in range(groups):
        first, last = int(group == 0), int(group == groups - 1)
        if several and w[RELOADS]:  # each group comes with a tile that is neither the first nor the last of all
            largest = max(largest, _largest_part(w, group, 0, 0))
        largest = max(largest, _largest_part(w, group, first, last))
    return largest


@inner
def _smaller_part(w: Ints, size: int) -> int:
    """The greatest number of C-tiles below ``size`` that a part of a prologue can have; 0: there is none."""
    ct = w[C_TILES]
    for smaller in range(min(size - 1, up(ct, 2)), 0, -1):
        if up(ct, up(ct, smaller)) == smaller:
            return smaller
    return 0


@inner
def next_prologue(w: Ints, s: Ints, parts: int, prefetch: int, interleave: int) -> None:
    """Go on to the next prologue; after the last one ``parts`` is 0.

    The weights are planned. The first prologue is none at all: 1 part, 0 rows prefetched, 1 K-tile interleaved.

    Parameters
    ----------
    w : workspace.
    s : what the search keeps.
    parts, prefetch, interleave : indices in ``s`` at which the prologue's values stand.
    """
    size = up(w[C_TILES], s[parts]) if s[parts] > 1 else w[C_TILES] + 1
    if s[parts] > 1:
        put_prologue(w, s[parts], 0, s[interleave])
        s[prefetch] += 1
        if cut_loads(w) == 0 and s[prefetch] < max(most_prefetched(w, 1), 1):
            return
    s[prefetch] = -1
    if s[parts] > 1 and s[interleave] < INTERLEAVES[-1]:
        s[interleave] = INTERLEAVES[-1]
        return
    s[interleave] = 1
    size = _smaller_part(w, size)
    s[parts] = max(up(w[C_TILES], size), 2) if size else 0
