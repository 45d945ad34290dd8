"""What a layer makes of the times at which the layers before it let go of each unit and buffer: its responses.

Between two layers of a Program the machine is described by a few *events*: when each unit is free, when the last users
of each half of each double buffer are done, when each row of a tensor is stored. In the recurrence without FETCH
(:mod:`arch_model.timing.relaxed`) a layer's events are max-plus linear functions of those before it. So a response, the
time of one event if of the events before only one was at 0, is a number of the layer, of its tiling and of what of its
weights is cached, whatever its neighbours are; and what one event and a response sum up to is never later than the
event is in the Program.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from arch_model.timing.relaxed import FAR, relax, slot_cycles
from arch_model.timing.rows import (
    AFTER_STORE,
    COUNT,
    FEED_FREE,
    FEED_LAST,
    FIRST_PIXEL,
    LOAD_ACT_UNIT,
    LOAD_WGT_UNIT,
    PASS_UNIT,
    REPS_END,
    RUN_LAST,
    STORE_END,
    STORE_UNIT,
    UNIT_FREE,
    WORD_READ,
    machine_row,
    pass_at,
    store_at,
    stream,
)
from mapper.cost.cached_layers import CachedLayers
from mapper.lowering.layer_rows import tiling_row
from mapper.lowering.network import lower
from mapper.lowering.rows import (
    ALL_NEW,
    ALL_SLOTS,
    C_TILES,
    COLUMN_TILES,
    DB_LAST,
    DB_NEXT,
    FULL,
    HEIGHT,
    K_TILES,
    LAYER_AT,
    OUT_LAST,
    OUT_NEXT,
    OUTPUT,
    ROW_DONE,
    SB_LAST,
    SB_NEXT,
    SOURCE,
    WINDOWS,
    clear,
    new_workspace,
)

EVENTS = (
    *("run", "store", "weights", "input", "feed", "swap", "fetch"),
    *("out_other", "out_next", "sb_other", "sb_next", "db_other", "db_next"),
)
"""RUN, STORE, LOAD_WGT, LOAD_ACT and FEED are free; the array took its last weights; the next command can be there; the
last user of the half of a double buffer that does not come next, and of the one that does, is done. Behind them: each
row of a tensor is stored."""
RUN, STORE, WEIGHTS, INPUT, FEED, SWAP, FETCH, OUT_OTHER, OUT_FIRST, SB_OTHER, SB_FIRST, DB_OTHER, DB_FIRST = range(13)
UNITS, ROWS_AT = 7, len(EVENTS)

LATER = (
    *((RUN, STORE), (SWAP, RUN), (FEED, SWAP), (INPUT, RUN), (WEIGHTS, FEED)),
    *((OUT_OTHER, STORE), (OUT_FIRST, OUT_OTHER), (SB_OTHER, RUN), (SB_FIRST, SB_OTHER)),
    *((DB_OTHER, FEED), (DB_FIRST, DB_OTHER), (ROWS_AT, STORE)),
)
"""Pairs of events of which the second one is never before the first one, at any end of a layer: a layer's last STORE
comes behind its last PASS, each load is used by a PASS, halves are used in turns. Rows are stored in ascending order,
too."""

FIRST_PASS, FIRST_STORE = 2, 2
"""Rows that stand for the layers before: the last users of both halves, behind them a STORE for each row of the input.
"""


@compiled
def precede(w: Ints, x: Ints, k_tiles: int, c_tiles: int) -> None:
    """Clear a workspace, and put what stands for the layers before a layer into it.

    Parameters
    ----------
    w : workspace.
    x : (1, columns), the layer; if its input is made in the Program, its rows begin at 0 and its output's behind them.
    k_tiles, c_tiles : its first tiles are cached, in one slot after another.
    """
    for column in range(x.shape[1]):
        w[LAYER_AT + column] = x[0, column]
    clear(w)
    w[ALL_NEW] = 0
    for tile in range(w[K_TILES] * w[WINDOWS] * w[C_TILES] if w[ALL_SLOTS] else 0):
        row, c = tile // w[C_TILES], tile % w[C_TILES]
        w[w[ALL_SLOTS] + tile] = row * c_tiles + c if row < k_tiles * w[WINDOWS] and c < c_tiles else -1
    w[COUNT + PASS_UNIT] = FIRST_PASS
    w[COUNT + STORE_UNIT] = FIRST_STORE + w[HEIGHT]
    for half in range(2):
        w[SB_LAST + half] = half
        w[DB_LAST + half] = half
        w[OUT_LAST + half] = half
        w[pass_at(w, half) + REPS_END] = 0
    for row in range(w[HEIGHT]):
        w[w[ROW_DONE] + row] = FIRST_STORE + row


@inner
def _enter(w: Ints, events: Ints) -> None:
    w[UNIT_FREE + PASS_UNIT] = events[RUN]
    w[UNIT_FREE + STORE_UNIT] = events[STORE]
    w[UNIT_FREE + LOAD_WGT_UNIT] = events[WEIGHTS]
    w[UNIT_FREE + LOAD_ACT_UNIT] = events[INPUT]
    w[FEED_FREE] = events[FEED]
    w[FIRST_PIXEL] = events[SWAP]
    for half in range(2):
        w[store_at(w, half) + WORD_READ] = events[OUT_FIRST - half]
        w[pass_at(w, half) + RUN_LAST] = events[SB_FIRST - half]
        w[pass_at(w, half) + FEED_LAST] = events[DB_FIRST - half]
    for row in range(w[HEIGHT]):
        w[store_at(w, FIRST_STORE + row) + STORE_END] = events[ROWS_AT + row]


@inner
def _leave(w: Ints, rows: Ints, events: Ints) -> None:
    events[RUN] = w[UNIT_FREE + PASS_UNIT]
    events[STORE] = w[UNIT_FREE + STORE_UNIT]
    events[WEIGHTS] = w[UNIT_FREE + LOAD_WGT_UNIT]
    events[INPUT] = w[UNIT_FREE + LOAD_ACT_UNIT]
    events[FEED] = w[FEED_FREE]
    events[SWAP] = w[FIRST_PIXEL]
    for turn in range(2):
        events[OUT_FIRST - turn] = w[store_at(w, w[OUT_LAST + (w[OUT_NEXT] + turn) % 2]) + WORD_READ]
        events[SB_FIRST - turn] = w[pass_at(w, w[SB_LAST + (w[SB_NEXT] + turn) % 2]) + RUN_LAST]
        events[DB_FIRST - turn] = w[pass_at(w, w[DB_LAST + (w[DB_NEXT] + turn) % 2]) + FEED_LAST]
    for number in range(len(rows)):
        events[ROWS_AT + number] = w[store_at(w, w[w[ROW_DONE] + w[OUTPUT] + rows[number]]) + STORE_END]


@compiled
def respond(w: Ints, entries: Ints, rows: Ints, found: Ints, pace: int, starts: int) -> None:
    """Times of the events at the end of a layer, for each of some times of the events before it.

    Parameters
    ----------
    w : a workspace with the layer's commands behind what :func:`precede` puts there.
    entries : (m, events and rows of the input).
    rows : (q,) rows of the output that are asked for.
    found : (m, events and q) is filled.
    pace, starts : as in :func:`~arch_model.timing.relaxed.relax`.
    """
    for entry in range(len(entries)):
        _enter(w, entries[entry])
        there = relax(w, FIRST_PASS, FIRST_STORE + w[HEIGHT], entries[entry, FETCH], pace, starts)
        found[entry, FETCH] = there
        _leave(w, rows, found[entry])


def closed(events: Ints) -> Ints:
    """Times of events, (..., events and rows), each put no earlier than one that it is never before (:data:`LATER`)."""
    found = events.copy()
    np.maximum.accumulate(found[..., ROWS_AT:], axis=-1, out=found[..., ROWS_AT:])
    stored = found[..., ROWS_AT:].max(axis=-1, initial=FAR)
    # From the first causes on: each pair once, as none leads back.
    for event, later in sorted(LATER, key=lambda pair: _DEPTH[pair[0]]):
        np.maximum(found[..., later], stored if event == ROWS_AT else found[..., event], out=found[..., later])
    return found


def _depth(event: int) -> int:
    """How many events lie before one, at most, along :data:`LATER`."""
    return max((_depth(before) + 1 for before, later in LATER if later == event), default=0)


_DEPTH = {event: _depth(event) for event in range(ROWS_AT + 1)}


def single_event(event: int, rows: int) -> Ints:
    """One event at time 0, and what is never before it.

    Parameters
    ----------
    event : its number, or that of a row behind :data:`EVENTS`.
    rows : rows of tensors.

    Returns
    -------
    int64 array
        (events and rows,).
    """
    events = np.full(ROWS_AT + rows, FAR, np.int64)
    events[event] = 0
    return closed(events)


class LayerResponses:
    """Responses of numbered layers.

    Parameters
    ----------
    layers : by number, each with what of its weights is cached, and their tilings.
    """

    def __init__(self, layers: CachedLayers) -> None:
        self.layers = layers
        self._spaces: dict[tuple[int, bool], tuple[Ints, Ints, int]] = {}

    def of(self, numbers: Sequence[int], reads: bool, entries: Ints, rows: Ints, starts: bool = False) -> Ints:
        """Times of events at the end of a layer.

        Parameters
        ----------
        numbers : of one shape with different slices of its weights cached, (n,).
        reads : whether its input is made in the Program.
        entries : int64 (m, events and rows of the input), times of the events before it.
        rows : (q,) rows of its output that are asked for.
        starts : whether it is the first layer of a Program.

        Returns
        -------
        int64 (n, m, events and q).
        """
        found = np.zeros((len(numbers), len(entries), ROWS_AT + len(rows)), np.int64)
        pace = slot_cycles(self.layers.a)
        for number, own in zip(numbers, found, strict=True):
            respond(self._commands(number, reads), entries, rows, own, pace, int(starts))
        return found

    def needs(self, number: int, reads: bool) -> Ints:
        """The last rows of their input that the LOAD_ACTs of a layer wait for, each once, int64 ascending.

        Parameters
        ----------
        number : of the layer.
        reads : whether the input is made in the Program.
        """
        if not reads:
            return np.empty(0, np.int64)
        loads = stream(self._commands(number, reads), LOAD_ACT_UNIT)
        found: Ints = np.unique(loads[:, AFTER_STORE]) - FIRST_STORE
        return found

    def of_input(self, number: int) -> int:
        """How many rows the input of a layer has."""
        return int(self.layers.shapes[self.layers.of_shape[number]].row[HEIGHT - LAYER_AT])

    def _commands(self, number: int, reads: bool) -> Ints:
        """A workspace with the commands of a layer, behind what stands for the layers before it."""
        layers = self.layers
        shape, (k_tiles, c_tiles) = layers.of_shape[number], layers.held[number]
        t = tiling_row(layers.tilings[number])[None]
        while True:
            w, x, room = self._space(shape, reads)
            precede(w, x, k_tiles, c_tiles)
            lower(w, x, t)
            if not w[FULL]:
                return w
            self._spaces[shape, reads] = self._new_space(shape, reads, 4 * room)

    def _space(self, shape: int, reads: bool) -> tuple[Ints, Ints, int]:
        if (shape, reads) not in self._spaces:
            self._spaces[shape, reads] = self._new_space(shape, reads, 1 << 8)
        return self._spaces[shape, reads]

    def _new_space(self, shape: int, reads: bool, room: int) -> tuple[Ints, Ints, int]:
        """A workspace, the layer's row, and for how many commands there is room."""
        form, machine = self.layers.shapes[shape], machine_row(self.layers.a)
        x = form.row[None].copy()
        height = int(x[0, HEIGHT - LAYER_AT])
        x[0, SOURCE - LAYER_AT], x[0, OUTPUT - LAYER_AT] = (0 if reads else -1), height
        tiles = max(form.grid.tiles, int(x[0, COLUMN_TILES - LAYER_AT]))
        machine[-1] = form.grid.tiles
        room = max(room, 2 * (FIRST_STORE + height))
        return new_workspace(machine, room, height + form.step.layer.P, tiles, form.grid.tiles), x, room
