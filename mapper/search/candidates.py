"""The candidates for a layer's best mapping, compiled: all of its mappings but those that a bound rules out.

Each cut gets a lower bound (:mod:`mapper.search.bounds`), then each mapping of a cut that can still be the best. What
remains is to be evaluated in the order of these bounds (:mod:`mapper.search.optimise`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arch_model.compiled import Ints, compiled, inner
from arch_model.program.isa import SLOT_BYTES
from arch_model.timing.rows import BEAT, CP, PBEAT, TILE_BEATS, WBEAT
from arch_model.timing.transfers import up
from mapper.cost.program_cost import (
    ACT_BYTES,
    ARRAY_CYCLES,
    DB_LOADED,
    DB_TILES,
    LOAD_WORDS,
    PB_TILES,
    PROG_BYTES,
    WGT_BYTES,
)
from mapper.lowering.dense_loads import ACT_BEATS, RELOADS, begin_dense, cut_loads
from mapper.lowering.rows import (
    ALL_SLOTS,
    C_TILES,
    DENSE,
    DEPTHWISE,
    FORM,
    HEIGHT,
    K_TILES,
    LAYER,
    LAYER_AT,
    OUT_ROWS,
    STREAMED_TILES,
    T_FILTERS,
    T_INTERLEAVE,
    T_PREFETCH,
    T_PROLOGUE,
    T_ROWS,
    TILING,
    TILING_AT,
    WIDTH,
    WINDOWS,
    K,
    clear,
)
from mapper.search.bounds import (
    BOUND_PLACES,
    INPUT_ROWS,
    SLOTS,
    dense_bound,
    depthwise_bound,
    list_all_loads,
    time_stores,
)
from mapper.search.space import (
    C_BOUND,
    C_CHUNK,
    C_DONE,
    C_FILTERS,
    C_ROWS,
    C_SLOTS,
    C_TIMES,
    CUT_COLUMNS,
    fits_half,
    interleaves,
    list_cuts,
    most_prefetched,
    next_prologue,
    put_cut,
    put_prologue,
)

Floats = npt.NDArray[np.float64]

LATENCY_OBJECTIVE, ENERGY_OBJECTIVE, EDP_OBJECTIVE = range(3)
"""What is least: cycles, joules, joule seconds."""

# What a search keeps, behind what its bounds keep: the objective; mappings that there are, that need no evaluation by a
# bound of their cut and by one of their own, candidates. Then the cuts that are at work, where those end that are asked
# for, and the prologue that comes next. Then where tables begin: candidates and for how many there is room, cuts and
# where they end, lists of weight loads.
# fmt: off
(
    OBJECTIVE, SPACE, PRUNED_CUT, PRUNED_MAPPING, CANDIDATES,
    CUT, STOP, NEXT_PARTS, NEXT_PREFETCH, NEXT_INTERLEAVE,
    CANDIDATES_AT, CANDIDATES_ROOM, CUTS_AT, CUTS_END, LISTS_AT,
) = range(BOUND_PLACES, BOUND_PLACES + 15)
# fmt: on
SEARCH_PLACES = BOUND_PLACES + 15

# Floats. Joules of one of each of the totals; joules and seconds of a cycle; joules that no tiling changes; the least
# bound of all; the cost from which on a mapping is no candidate. Bounds of candidates; joules of cuts.
CYCLE_JOULES, CYCLE_SECONDS, FIXED_JOULES, LEAST, LIMIT = range(ARRAY_CYCLES, ARRAY_CYCLES + 5)
FLOAT_BOUNDS = ARRAY_CYCLES + 5

ROUNDING = 1 - 1e-12
"""Sums in another order round otherwise."""


@inner
def _bound(s: Ints, f: Floats, cycles: int, dynamic: float) -> float:
    """The least cost of so many cycles and of so many joules without leakage."""
    if s[OBJECTIVE] == LATENCY_OBJECTIVE:
        return float(cycles)
    joules = ROUNDING * (dynamic + f[CYCLE_JOULES] * cycles)
    return joules if s[OBJECTIVE] == ENERGY_OBJECTIVE else joules * cycles * f[CYCLE_SECONDS]


@inner
def _varying(w: Ints, s: Ints, f: Floats) -> float:
    """Joules that depend on a dense layer's tiling, without leakage, after a bound of the tiling; of the Program's
    bytes the least."""
    if s[OBJECTIVE] == LATENCY_OBJECTIVE or w[FORM] != DENSE:
        return 0.0
    tiles, streamed = up(w[OUT_ROWS], w[T_ROWS]), w[STREAMED_TILES]
    times = tiles if w[RELOADS] else 1
    joules = f[PROG_BYTES] * (up((s[SLOTS] + 1) * SLOT_BYTES, w[PBEAT]) * w[PBEAT])
    joules += f[ACT_BYTES] * (s[INPUT_ROWS] * w[ACT_BEATS] * w[BEAT]) + f[LOAD_WORDS] * (s[INPUT_ROWS] * w[WIDTH])
    joules += times * streamed * (f[WGT_BYTES] * (w[TILE_BEATS] * w[WBEAT]) + f[DB_LOADED])
    cached = w[K_TILES] * w[WINDOWS] * w[C_TILES] - streamed
    return joules + tiles * (f[DB_TILES] * streamed + f[PB_TILES] * cached)


@inner
def joules_at(s: Ints, cut: int) -> int:
    """Index at which the joules of a cut stand.

    Parameters
    ----------
    s : what the search keeps.
    cut : index at which the cut stands.
    """
    return FLOAT_BOUNDS + s[CANDIDATES_ROOM] + (cut - s[CUTS_AT]) // CUT_COLUMNS


@inner
def _end_of_plan(s: Ints, cut: int) -> int:
    """Where the cuts end that have the same plan of weights as the one at ``cut``."""
    at = cut
    while at < s[CUTS_END] and s[at + C_FILTERS] == s[cut + C_FILTERS]:
        if s[cut + C_FILTERS] and s[at + C_CHUNK] != s[cut + C_CHUNK]:
            break
        at += CUT_COLUMNS
    return at


@inner
def _plan(w: Ints) -> None:
    """Plan the weights of the cut in the header and of those that lie together with it."""
    if w[FORM] == DENSE:
        begin_dense(w, w[ALL_SLOTS])


@compiled
def begin_search(w: Ints, s: Ints, f: Floats, xs: Ints) -> int:
    """List the cuts of a layer that fit, and bound them; the place of the one with the least cycles, -1: none fits.

    Parameters
    ----------
    w : a workspace with a machine and the PB slots of the layer's weight tiles.
    s, f : integers and floats of a search, and its tables.
    xs : the layer, (1, columns) of :data:`mapper.lowering.rows.LAYER`.
    """
    for column in range(len(LAYER)):
        w[LAYER_AT + column] = xs[0, column]
    for column in range(len(TILING)):
        w[TILING_AT + column] = 1
    w[T_FILTERS] = w[T_PREFETCH] = 0
    clear(w)
    _plan(w)
    s[CUTS_END] = list_cuts(w, s, s[CUTS_AT], w[STREAMED_TILES])
    cut, to, best, stop, legal = s[CUTS_AT], s[CUTS_AT], -1, -1, True
    while cut < s[CUTS_END]:
        put_cut(w, s, cut)
        if cut >= stop:
            stop = _end_of_plan(s, cut)
            _plan(w)
            legal = w[T_FILTERS] == 0 or fits_half(w)
        if legal:
            for column in range(C_TIMES):
                s[to + column] = s[cut + column]
            if w[FORM] == DENSE:
                time_stores(w, s, to + C_TIMES)
                s[to + C_BOUND] = dense_bound(w, s, to + C_TIMES, 0)
            elif w[FORM] == DEPTHWISE:
                time_stores(w, s, to + C_TIMES)
                s[to + C_BOUND] = depthwise_bound(w, s, to + C_TIMES)
            else:  # a global pool streams a pixel of a group a cycle
                s[to + C_BOUND] = up(w[K], w[CP]) * w[HEIGHT] * w[WIDTH]
            s[to + C_SLOTS] = s[SLOTS]
            f[joules_at(s, to)] = _varying(w, s, f)
            if best < 0 or s[to + C_BOUND] < s[best + C_BOUND]:
                best = to
            to += CUT_COLUMNS
        cut += CUT_COLUMNS
    s[CUTS_END] = to
    return best


@inner
def _consider(w: Ints, s: Ints, f: Floats, cut: int, cycles: int) -> None:
    """Make the mapping in the header, which has so many cycles at least, a candidate unless it can't be the best."""
    bound = _bound(s, f, cycles, f[FIXED_JOULES] + _varying(w, s, f))
    f[LEAST] = min(f[LEAST], bound)
    if bound >= f[LIMIT]:
        s[PRUNED_MAPPING] += 1
        return
    number = s[CANDIDATES]
    f[FLOAT_BOUNDS + number] = bound
    for column in range(len(TILING)):
        s[s[CANDIDATES_AT] + number * len(TILING) + column] = w[TILING_AT + column]
    s[CANDIDATES] = number + 1


@inner
def _with_prologue(w: Ints, s: Ints, f: Floats, stop: int) -> None:
    """Bound the mappings with the prologue in the header of the cuts at work up to ``stop``."""
    parts, prefetch, together, listed = w[T_PROLOGUE], w[T_PREFETCH], w[T_INTERLEAVE], False
    several = most_prefetched(w, 1) if prefetch > 0 else 0
    single = most_prefetched(w, 0) if prefetch > 0 else 0
    for cut in range(s[CUT], stop, CUT_COLUMNS):
        if s[cut + C_DONE] or not interleaves(w, s[cut + C_ROWS], s[cut + C_CHUNK]):
            continue
        if prefetch > 0 and prefetch >= (several if s[cut + C_ROWS] < w[OUT_ROWS] else single):
            continue
        s[SPACE] += 1
        bound = _bound(s, f, s[cut + C_BOUND], f[FIXED_JOULES] + f[joules_at(s, cut)])
        if bound >= f[LIMIT]:
            s[PRUNED_CUT] += 1
            f[LEAST] = min(f[LEAST], bound)
            continue
        put_cut(w, s, cut)
        put_prologue(w, parts, prefetch, together)
        cycles = s[cut + C_BOUND]
        if w[FORM] == DENSE:
            if not listed:
                list_all_loads(w, s, s[LISTS_AT])
                listed = True
            cycles = max(cycles, dense_bound(w, s, cut + C_TIMES, 1))
        _consider(w, s, f, cut, cycles)


@compiled
def find_candidates(w: Ints, s: Ints, f: Floats) -> int:
    """List candidates of the cuts from ``CUT`` to ``STOP``: 1 if there is no room for more, then those that are listed
    must be evaluated before the next call; 0 after the last ones.

    Parameters
    ----------
    w, s, f : as of :func:`begin_search`, after it. A search begins with the first cut, ``NEXT_PARTS`` 1,
        ``NEXT_INTERLEAVE`` 1 and ``NEXT_PREFETCH`` 0.
    """
    s[CANDIDATES] = 0
    while s[CUT] < s[STOP]:
        stop = min(_end_of_plan(s, s[CUT]), s[STOP])
        put_cut(w, s, s[CUT])
        _plan(w)
        while s[NEXT_PARTS]:
            if s[CANDIDATES] + (stop - s[CUT]) // CUT_COLUMNS > s[CANDIDATES_ROOM]:
                return 1
            put_cut(w, s, s[CUT])
            put_prologue(w, s[NEXT_PARTS], s[NEXT_PREFETCH], s[NEXT_INTERLEAVE])
            if w[FORM] != DENSE:
                _with_prologue(w, s, f, stop)
                break
            if cut_loads(w) == 0:
                _with_prologue(w, s, f, stop)
            put_cut(w, s, s[CUT])
            next_prologue(w, s, NEXT_PARTS, NEXT_PREFETCH, NEXT_INTERLEAVE)
        s[CUT] = stop
        s[NEXT_PARTS] = s[NEXT_INTERLEAVE] = 1
        s[NEXT_PREFETCH] = 0
    return 0
