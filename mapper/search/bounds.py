"""Lower bounds on the cycles of a layer: the recurrence with waits deleted.

FETCH is left out, with its queues and the order in which it meets commands; so is every wait that is not named here.
What stays are maxima of the sums that :mod:`arch_model.timing.recurrence` makes, over the transfers that the lowering
makes and times, so no Program is faster than a bound says. Passes are not followed one by one: those between two
commands that passes wait for take so many times the cycles of one.

A *cut* (rows, chunk, order) has a bound of its own, whatever the prologue. A mapping has a closer one, in which every
LOAD_WGT is followed.
"""

from __future__ import annotations

from arch_model.compiled import Ints, compiled, inner
from arch_model.machine.accelerator import TAPS
from arch_model.machine.microarchitecture import (
    FEED_FULL,
    FETCH_ADDRESS,
    FETCH_DECODE,
    FETCH_END,
    LANE_BYTES,
    LOAD_ADDRESS,
    LOAD_GIVE,
    RUN_WRITE,
    STORE_GIVE,
    STORE_NEXT,
    TABLE_BYTES,
    TOKEN,
)
from arch_model.program.isa import SLOT_BYTES
from arch_model.timing.relaxed import first_dispatch
from arch_model.timing.rows import COUNT, CYCLES, DB, INTERVAL, KP, LATENCY, LOAD_ACT_UNIT, PBEAT, act_at
from arch_model.timing.transfers import up
from mapper.lowering.buffers import begin_layer, lane_cycles, stored_cycles, stored_groups, tile_cycles
from mapper.lowering.dense_input import input_cycles, input_span
from mapper.lowering.dense_loads import PART, QUARTER, RELOADS, TILE, TILE_ROWS, begin_dense, plan_loads
from mapper.lowering.depthwise import ROWS_FROM, ROWS_TO, load_input, pass_cycles
from mapper.lowering.rows import (
    ALL_SLOTS,
    C_TILES,
    COLUMN_TILES,
    DENSE,
    FORM,
    GROUP_BEGIN,
    GROUP_COUNT,
    IN_GROUPS,
    K_TILES,
    OUT_COLS,
    OUT_ROWS,
    POINTWISE,
    RUN_ROWS,
    SB_NEXT,
    STREAMED,
    STREAMED_TILES,
    T_CHUNK,
    T_FILTERS,
    T_INTERLEAVE,
    T_ROWS,
    TABLE,
    WINDOWS,
    ZSB_ENTRIES,
    clear,
)
from mapper.lowering.weight_tiles import REPS_MAX, RUN_CT, RUN_LENGTH, RUN_ROW, RUN_RUNS

# A list of weight loads: the pass that waits for one, counted in weight tiles from the beginning of a spatial tile;
# cycles of its transfer; its group, or one of the two below.
POSITION, TRANSFER, OF_GROUP = range(3)
NOBODY_WAITS, FIRST_PASS_WAITS = -1, -2
"""Loads of ZSB entries and tables, ``OF_GROUP``: the last passes of some K-tile or already the first pass wait."""

# What a bound keeps. The next pass's first pixel; that of the pass before and of the one before that; the last pixel
# of the visit before, its token taken. When each port is free. When a half of the SB, of the DB and of the output side
# that comes next is free, and the one after it. The load that comes next, where its list ends, the group that is there.
# Of the input's first tile, groups that have not come and the position of the pass that wants the next ones. Then
# totals: slots of the Program, rows of channel groups that LOAD_ACT brings, the last STORE's end.
# fmt: off
(
    NEXT, PIXEL, PIXEL_BEFORE, ENDED, ACT_FREE, WGT_FREE, STORE_FREE,
    SB_WAIT, DB_WAIT, OUT_WAIT, OUT_WAIT_AFTER, LOAD, LOADS_END, LOADED, GROUPS_LEFT, PART_AT,
    SLOTS, INPUT_ROWS, END,
) = range(19)
# fmt: on
LISTS = 19
"""Of each of four lists where it begins and where it ends."""
BOUND_PLACES = LISTS + 8

STORE_PLACES = 8
"""Times of a cut's STOREs, to the last word and to the last beat: of a whole chunk of a whole spatial tile, of the last
chunk, of the last tile, of both."""


@inner
def _begin(w: Ints, s: Ints) -> None:
    """All units are free when the first command reaches them."""
    for place in range(LISTS):
        s[place] = 0
    begin = first_dispatch(w)
    for place in (NEXT, PIXEL, PIXEL_BEFORE, ACT_FREE, WGT_FREE, STORE_FREE):
        s[place] = begin
    s[LOADED] = -1


@inner
def _end(w: Ints, s: Ints) -> int:
    """Cycles from start to done, at least: the last STORE's end, and FETCH if nothing holds it up."""
    beats, together = max(1, SLOT_BYTES // w[PBEAT]), max(1, w[PBEAT] // SLOT_BYTES)
    arrival = FETCH_ADDRESS + w[LATENCY] + (up(s[SLOTS] + 1, together) * beats - 1) * w[INTERVAL]
    return max(s[END] + 2, arrival + FETCH_DECODE + FETCH_END + 1)


@inner
def _load(w: Ints, cycles: int) -> int:
    """Cycles from a load's start to when its unit is free."""
    return LOAD_ADDRESS + w[LATENCY] + cycles + LOAD_GIVE


@inner
def _bring_input(w: Ints, s: Ints, cycles: int, waits: int) -> None:
    """A LOAD_ACT; ``waits``: it goes to the half that comes next."""
    start = s[ACT_FREE]
    if waits:
        start = max(start, s[SB_WAIT])
        s[SB_WAIT] = s[ENDED]
    s[ACT_FREE] = start + _load(w, cycles)
    s[NEXT] = max(s[NEXT], s[ACT_FREE] + TOKEN + 1)
    s[SLOTS] += 1


@inner
def _work(s: Ints, passes: int, cost: int) -> None:
    """Passes one after another."""
    s[PIXEL_BEFORE] = s[PIXEL] if passes == 1 else s[NEXT] + (passes - 2) * cost
    s[PIXEL] = s[NEXT] + (passes - 1) * cost
    s[NEXT] += passes * cost


@inner
def _store(w: Ints, s: Ints, times: int, cycles: int) -> None:
    """The end of a visit whose last pass takes ``cycles``: its STORE, whose times stand at ``times``."""
    ended = s[PIXEL] + cycles - 1
    start = max(s[STORE_FREE], ended + RUN_WRITE + TOKEN)
    s[ENDED] = ended + TOKEN
    s[OUT_WAIT] = s[OUT_WAIT_AFTER]
    s[OUT_WAIT_AFTER] = start + s[times] + TOKEN
    s[END] = start + s[times + 1] + w[LATENCY] + STORE_GIVE
    s[STORE_FREE] = s[END] + STORE_NEXT
    s[SLOTS] += 2


@inner
def time_stores(w: Ints, s: Ints, at: int) -> None:
    """Put the times of STOREs with the cut in the header, for :data:`STORE_PLACES` places.

    Parameters
    ----------
    w, s, at : workspace; what a bound keeps; index in it at which they begin.
    """
    tiles, chunks = up(w[OUT_ROWS], w[T_ROWS]), up(w[K_TILES], w[T_CHUNK])
    for which in range(4):
        rows, chunk, stop = min(w[T_ROWS], w[OUT_ROWS]), 0, min(w[T_CHUNK], w[K_TILES])
        if which // 2:
            rows = w[OUT_ROWS] - (tiles - 1) * w[T_ROWS]
        if which % 2:
            chunk, stop = (chunks - 1) * w[T_CHUNK], w[K_TILES]
        word, beat = stored_cycles(w, stored_groups(w, chunk, stop) * rows)
        s[at + 2 * which] = word
        s[at + 2 * which + 1] = beat


# ---------------------------------------------------------------------- weight loads of a dense layer


@inner
def _list_group(w: Ints, s: Ints, at: int, group: int, entries: int) -> tuple[int, int]:
    """Append the loads of a group to a list; where it then ends, and how many ZSB entries have come."""
    plan_loads(w, group)
    begin, stop, come, run = w[w[GROUP_BEGIN] + group], w[w[GROUP_BEGIN] + group + 1], 0, w[RUN_ROWS]
    ct = w[C_TILES]
    whole = w[STREAMED_TILES] == w[K_TILES] * w[WINDOWS] * ct
    while begin + come < stop:
        s[at + POSITION] = begin + come if whole else w[run + RUN_ROW] * ct + w[run + RUN_CT]
        come += w[run + RUN_LENGTH] * w[run + RUN_RUNS]
        s[at + TRANSFER] = _load(w, tile_cycles(w, w[run + RUN_LENGTH] * w[run + RUN_RUNS]))
        s[at + OF_GROUP] = group
        at += 3
        run += 5
        finished = (begin + come) // (w[WINDOWS] * ct)
        if w[T_INTERLEAVE] > 1 and begin + come < w[T_INTERLEAVE] * ct:
            finished = 0
        if entries >= 0 and whole and w[PART] and finished > entries:
            end = min(max(w[w[STREAMED] + 2 * (stop - 1)] // w[WINDOWS], entries) + 1, w[K_TILES])
            s[at + POSITION] = begin + come
            s[at + TRANSFER] = _load(w, lane_cycles(w, end - entries, w[KP]))
            s[at + OF_GROUP] = NOBODY_WAITS
            at += 3
            entries = end
    return at, entries


@inner
def list_loads(w: Ints, s: Ints, number: int, at: int) -> int:
    """List the weight loads that come with a spatial tile by the prologue in the header; index at which the list ends.

    Weights must be planned.

    Parameters
    ----------
    w, s : workspace; what a bound keeps.
    number : of the list, 1 more for the first spatial tile and 2 for the last.
    at : index in ``s`` at which it begins.
    """
    first, last = number % 2, number // 2
    s[LISTS + 2 * number] = at
    w[TILE] = 1 - first
    w[TILE_ROWS] = w[OUT_ROWS] - w[TILE] if last else 0
    if first and w[PART] == 0:
        s[at + POSITION] = 0
        s[at + TRANSFER] = _load(w, lane_cycles(w, w[K_TILES], w[KP]))
        if w[TABLE]:
            s[at + TRANSFER] += _load(w, lane_cycles(w, 1, TABLE_BYTES // LANE_BYTES))
        s[at + OF_GROUP] = FIRST_PASS_WAITS
        at += 3
    entries = 0 if first else -1
    for group in range(w[GROUP_COUNT]):
        at, entries = _list_group(w, s, at, group, entries)
    s[LISTS + 2 * number + 1] = at
    return at


@inner
def list_all_loads(w: Ints, s: Ints, at: int) -> None:
    """The lists that a layer with the prologue in the header needs.

    Parameters
    ----------
    w, s, at : workspace; what a bound keeps; index in it at which they begin.
    """
    at = list_loads(w, s, 3, at)
    if w[RELOADS]:
        for number in range(3):
            at = list_loads(w, s, number, at)


@inner
def _bring_weights(w: Ints, s: Ints, position: int) -> None:
    """The loads for which a pass waits."""
    while s[LOAD] < s[LOADS_END] and s[s[LOAD] + POSITION] <= position:
        start, group = s[WGT_FREE], s[s[LOAD] + OF_GROUP]
        if group >= 0 and group != s[LOADED]:
            if w[STREAMED_TILES] == w[K_TILES] * w[WINDOWS] * w[C_TILES]:
                start = max(start, s[DB_WAIT])
                s[DB_WAIT] = s[PIXEL_BEFORE] + w[KP] + TOKEN if s[LOADED] >= 0 else 0
            s[LOADED] = group
        s[WGT_FREE] = start + s[s[LOAD] + TRANSFER]
        if group != NOBODY_WAITS:
            s[NEXT] = max(s[NEXT], s[WGT_FREE] + TOKEN + w[KP] + FEED_FULL)
        s[LOAD] += 3
        s[SLOTS] += 1


@inner
def _bring_compulsory(w: Ints, s: Ints, chunk: int, cost: int) -> None:
    """Weights that have come when a chunk's last pass over their first spatial tile begins: a load for each group."""
    more = tile_cycles(w, 2) - tile_cycles(w, 1)
    groups, tiles = w[GROUP_COUNT], w[STREAMED_TILES]
    if w[T_FILTERS]:
        if groups < up(w[K_TILES], w[T_CHUNK]):  # of some chunks the PB has all
            return
        at = w[GROUP_BEGIN] + chunk // w[T_CHUNK]
        groups, tiles = 1, w[at + 1] - w[at]
    elif chunk + w[T_CHUNK] < w[K_TILES]:
        return
    s[SLOTS] += groups
    s[WGT_FREE] += groups * (_load(w, tile_cycles(w, 1)) - more) + tiles * more
    if tiles:
        s[PIXEL] = max(s[PIXEL], s[WGT_FREE] + TOKEN + w[KP] + FEED_FULL)
        s[NEXT] = s[PIXEL] + cost


# ---------------------------------------------------------------------- dense layers


@inner
def _finishing(w: Ints, chunk: int) -> int:
    """Passes, at least, of the command that ends a chunk's first K-tile, which waits for room on the output side."""
    ct, size = w[C_TILES], w[QUARTER]
    some = 0 < w[STREAMED_TILES] < w[K_TILES] * w[WINDOWS] * ct
    if some or ct > w[DB] or ct > REPS_MAX:
        return 1
    if w[T_INTERLEAVE] > 1 and chunk == 0:
        size = w[PART]
    return ct - (ct - 1) // size * size if size else ct


@inner
def _visit(w: Ints, s: Ints, position: int, stop: int, cost: int, frees: int, rows: int) -> None:
    """The passes of a chunk over a spatial tile, from ``position`` to ``stop``.

    ``frees``: the pass that waits for room on the output side; ``rows``: of the input.
    """
    while position < stop:
        _bring_weights(w, s, position)
        if s[GROUPS_LEFT] and position == s[PART_AT]:
            groups = min(w[PART] * (TAPS if w[POINTWISE] else 1), s[GROUPS_LEFT])
            _bring_input(w, s, input_cycles(w, groups * rows), 0)
            s[GROUPS_LEFT] -= groups
            s[PART_AT] += w[PART] * w[T_INTERLEAVE]
        until = stop
        if s[LOAD] < s[LOADS_END]:
            until = min(until, s[s[LOAD] + POSITION])
        if s[GROUPS_LEFT]:
            until = min(until, s[PART_AT])
        if position == frees:
            s[NEXT] = max(s[NEXT], s[OUT_WAIT] + 1)
        elif position < frees:
            until = min(until, frees)
        _work(s, until - position, cost)
        position = until


@inner
def _begin_input(w: Ints, s: Ints, number: int, rows: int, follow: int) -> None:
    """The input of a visit; of the first one in parts, if there is a prologue or it does not matter which."""
    groups, part = w[IN_GROUPS], w[PART] if follow else 1
    s[INPUT_ROWS] += groups * rows
    if number == 0 and part:
        come = min(groups, part * (TAPS if w[POINTWISE] else 1))
        _bring_input(w, s, input_cycles(w, come * rows), 1)
        if follow:
            s[GROUPS_LEFT] = groups - come
            s[PART_AT] = part * w[T_INTERLEAVE]
        else:
            s[ACT_FREE] += input_cycles(w, groups * rows) - input_cycles(w, come * rows)
        return
    _bring_input(w, s, input_cycles(w, groups * rows), 1)


@inner
def dense_bound(w: Ints, s: Ints, times: int, follow: int) -> int:
    """The least cycles of the dense layer with the tiling in the header, whose weights are planned.

    Parameters
    ----------
    w : workspace.
    s : what a bound keeps; with the lists of :func:`list_all_loads`, if they are followed.
    times : where :func:`time_stores` put the times.
    follow : 1: with the prologue in the header; 0: whatever the prologue is.
    """
    filters, row = w[T_FILTERS], w[WINDOWS] * w[C_TILES]
    tiles, chunks, least = up(w[OUT_ROWS], w[T_ROWS]), up(w[K_TILES], w[T_CHUNK]), w[KP] + FEED_FULL
    _begin(w, s)
    if not follow and w[STREAMED_TILES] == w[K_TILES] * row:
        s[NEXT] += _load(w, tile_cycles(w, 1)) + TOKEN + least
    for number in range(tiles * chunks):
        tile, chunk = number // chunks, number % chunks * w[T_CHUNK]
        if filters:
            tile, chunk = number % tiles, number // tiles * w[T_CHUNK]
        stop, first = min(chunk + w[T_CHUNK], w[K_TILES]), tile * w[T_ROWS]
        rows = min(w[T_ROWS], w[OUT_ROWS] - first)
        cycles = rows * w[OUT_COLS]
        cost = max(cycles, least)
        low, high = input_span(w, first, rows)
        if chunk == 0 or (filters and tiles > 2):
            _begin_input(w, s, number, high - low, follow)
        if follow and chunk == 0 and (tile == 0 or w[RELOADS]):
            at = LISTS + 2 * (int(tile == 0) + 2 * int(tile == tiles - 1)) if w[RELOADS] else LISTS + 6
            s[LOAD] = s[at]
            s[LOADS_END] = s[at + 1]
        begin, frees = chunk * row, -1
        if number > 1:
            frees = begin + row - (_finishing(w, chunk) if follow else 1)
        _visit(w, s, begin, stop * row, cost, frees, high - low)
        if not follow and (tile == 0 or (w[RELOADS] and not filters)):
            _bring_compulsory(w, s, chunk, cost)
        s[SLOTS] += (stop - chunk) * w[WINDOWS]
        _store(w, s, times + 4 * int(tile == tiles - 1) + 2 * int(stop == w[K_TILES]), cycles)
    return _end(w, s)


# ---------------------------------------------------------------------- depthwise layers, pools, products


@inner
def _passes(w: Ints, rows: int, windows: int) -> int:
    """Cycles of the first so many passes of a K-tile, one after another."""
    total = 0
    for window in range(windows):
        total += max(pass_cycles(w, rows, window), w[KP] + FEED_FULL)
    return total


@inner
def depthwise_bound(w: Ints, s: Ints, times: int) -> int:
    """The least cycles of the layer with windows and the tiling in the header.

    Parameters
    ----------
    w, s : workspace; what a bound keeps.
    times : index in ``s`` at which :func:`time_stores` put the times.
    """
    clear(w)
    begin_layer(w)
    _begin(w, s)
    s[WGT_FREE] += _load(w, lane_cycles(w, w[ZSB_ENTRIES], w[KP]))
    if w[COLUMN_TILES]:
        s[WGT_FREE] += _load(w, tile_cycles(w, 1))
    if w[COLUMN_TILES] or w[WINDOWS] == 1:
        s[NEXT] = s[WGT_FREE] + TOKEN + w[KP] + FEED_FULL
    windows = w[WINDOWS]
    for chunk in range(0, w[K_TILES], w[T_CHUNK]):
        stop = min(chunk + w[T_CHUNK], w[K_TILES])
        w[ROWS_FROM] = w[ROWS_TO] = 0
        for first in range(0, w[OUT_ROWS], w[T_ROWS]):
            rows, half, come = min(w[T_ROWS], w[OUT_ROWS] - first), w[SB_NEXT], w[COUNT + LOAD_ACT_UNIT]
            load_input(w, chunk, stop, first, rows)
            if w[COUNT + LOAD_ACT_UNIT] > come:
                _bring_input(w, s, w[act_at(w, come) + CYCLES], int(w[SB_NEXT] != half))
            k_tile, last = _passes(w, rows, windows), pass_cycles(w, rows, windows - 1)
            before = _passes(w, rows, windows - 1)
            s[NEXT] = max(s[NEXT] + before, s[OUT_WAIT] + 1) + k_tile - before + (stop - chunk - 1) * k_tile
            s[PIXEL] = s[NEXT] - max(last, w[KP] + FEED_FULL)
            s[SLOTS] += (stop - chunk) * windows
            which = times + 4 * int(first + rows == w[OUT_ROWS]) + 2 * int(stop == w[K_TILES])
            _store(w, s, which, last)
    return _end(w, s)


@compiled
def bounds(w: Ints, s: Ints, at: int) -> None:
    """The bounds of the layer and the tiling in the header: of its cut at ``s[at]``, of the mapping in the place after
    it.

    Parameters
    ----------
    w : workspace.
    s : places for a bound, for the times of STOREs from ``at`` on, and for lists of weight loads behind these.
    at : index in ``s``.
    """
    if w[FORM] != DENSE:
        time_stores(w, s, at)
        s[at] = s[at + 1] = depthwise_bound(w, s, at)
        return
    begin_dense(w, w[ALL_SLOTS])
    time_stores(w, s, at)
    cut = dense_bound(w, s, at, 0)
    list_all_loads(w, s, at + STORE_PLACES)
    mapping = dense_bound(w, s, at, 1)
    s[at] = cut
    s[at + 1] = mapping
