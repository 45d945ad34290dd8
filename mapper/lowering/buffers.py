"""What dense and depthwise layers share: new rows of commands, and what lives in which half of which buffer.

Every buffer is a double buffer. A load to one half waits for the last command that still reads it; the workspace keeps,
for each half, the row number of that command (-1: nobody).
"""

from __future__ import annotations

from arch_model.compiled import Ints, inner
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.microarchitecture import LANE_BYTES, STORE_GIVE, STORE_KEPT, TABLE_BYTES
from arch_model.network.layer import Layer
from arch_model.timing.rows import (
    ACT,
    AFTER,
    AFTER_PASS,
    AFTER_STORE,
    AWAITS,
    BEAT,
    BEAT_CYCLES,
    BEATS,
    COUNT,
    CP,
    CYCLES,
    INTERVAL,
    KP,
    LATENCY,
    LOAD_WGT_UNIT,
    NEED,
    OWNER,
    PASS_COLUMNS,
    PASS_CYCLES,
    PASS_UNIT,
    PIXELS,
    PLACE,
    REPS,
    REPS_END,
    ROOM,
    STORE,
    STORE_UNIT,
    TILE_BEATS,
    TO_SB,
    WBEAT,
    WGT,
    WORD_CYCLES,
    WRITES,
    ZSB,
    pass_at,
    store_at,
    wgt_at,
)
from arch_model.timing.transfers import held_cycles, read_cycles, row_beats, store_cycles, up
from mapper.lowering.rows import (
    AFTER_FIRST,
    AWAITED,
    BESIDE,
    CHUNK,
    CT,
    DB_MEMORY,
    FAILURE,
    FIRST,
    FULL,
    HALVES,
    LAST_PASS,
    LAYER_OWNER,
    LAYER_STATE,
    LENGTH,
    MEMORY,
    MORE_TILE_CYCLES,
    OF,
    OUT_COLS,
    OUT_HALF,
    OUT_LAST,
    OUTPUT,
    OUTPUT_TO,
    OWN_PLACES,
    OWN_STATE,
    PB_MEMORY,
    ROW,
    ROW_DONE,
    ROWS,
    RUNS,
    S_CHUNK,
    S_FIRST,
    S_OUT_HALF,
    S_ROWS,
    S_STOP,
    SB_LAST,
    SLOT,
    TABLE,
    TABLE_LAST,
    TABLE_MEMORY,
    TABLE_NEXT,
    TABLE_STILL_READ,
    TILE_CYCLES,
    TIMED_BEAT,
    TIMED_ROWS,
    TIMED_WORD,
    ZSB_LAST,
    ZSB_MEMORY,
    ZSB_NEXT,
    ZSB_STILL_READ,
    ZSB_TOP,
    K,
)

DRAIN_PASSES = 3
"""FEED, done with a pass, has seen RUN swap in the pass before it; the third pass after a layer's last one therefore
proves that the requantiser has read that layer's last ZSB entry: RUN has even left the pass that followed it."""


@inner
def begin_layer(w: Ints) -> None:
    """Clear what a layer keeps, say after whom its input may be loaded, and time its weight tiles' way from DRAM: the
    first tile of a LOAD_WGT and each further."""
    for place in range(LAYER_STATE, OWN_STATE + OWN_PLACES):
        w[place] = 0
    one = read_cycles(1, w[KP], TAPS * w[CP], w[WBEAT], w[INTERVAL], 1)
    w[TILE_CYCLES] = one
    if w[AFTER_FIRST] != HALVES:
        for half in range(2):
            after = w[AFTER_FIRST + half]
            w[SB_LAST + half] = w[w[ROW_DONE] + after] if after >= 0 else -1
    w[MORE_TILE_CYCLES] = read_cycles(2, w[KP], TAPS * w[CP], w[WBEAT], w[INTERVAL], 1) - one


@inner
def next_half(w: Ints, buffer: int) -> int:
    """The half of a double buffer that comes next, 0 or 1.

    Parameters
    ----------
    w : workspace.
    buffer : index of its entry, such as ``SB_NEXT``. The last user of its first half stands one place behind, that of
        the second half one more.
    """
    half = w[buffer]
    w[buffer] = 1 - half
    return half


@inner
def new_row(w: Ints, unit: int) -> int:
    """The number of a new command of a unit; where there is no room, that of the last one, and ``FULL`` is noted.

    Parameters
    ----------
    w : workspace.
    unit : such as ``PASS_UNIT``.
    """
    if w[COUNT + unit] >= w[ROOM + unit]:
        w[FULL] = 1
        w[COUNT + unit] = w[ROOM + unit] - 1
    w[COUNT + unit] += 1
    return w[COUNT + unit] - 1


@inner
def tile_cycles(w: Ints, tiles: int) -> int:
    """Cycles of the transfer of weight tiles.

    Parameters
    ----------
    w : workspace.
    tiles : how many.
    """
    return w[TILE_CYCLES] + (tiles - 1) * w[MORE_TILE_CYCLES]


@inner
def lane_cycles(w: Ints, rows: int, words: int) -> int:
    """Cycles of the transfer of ZSB entries (KP words of a lane each) or of activation tables.

    Parameters
    ----------
    w : workspace.
    rows : entries or tables.
    words : of each.
    """
    return read_cycles(rows, words, LANE_BYTES, w[WBEAT], w[INTERVAL], 1)


@inner
def new_weight_load(w: Ints, after: int, memory: int, slot: int, first: int, ct: int, length: int, runs: int) -> int:
    """Append a LOAD_WGT that the next PASS needs; its number.

    Parameters
    ----------
    w : workspace.
    after : number of the PASS whose end it waits for, -1 for none.
    memory : code of the memory it writes.
    slot : the first that it writes.
    first, ct : row and C-tile of the first tile, or the first entry.
    length : tiles of a run (ZSB entries, tables).
    runs : how many runs.
    """
    index = new_row(w, LOAD_WGT_UNIT)
    row, rows = wgt_at(w, index), length * runs
    w[row + OWNER] = w[LAYER_OWNER]
    w[row + NEED] = w[COUNT + PASS_UNIT]
    w[row + AFTER_PASS] = after
    w[row + AFTER_STORE] = -1
    if memory in (DB_MEMORY, PB_MEMORY):
        w[row + BEATS] = rows * w[TILE_BEATS]
        w[row + CYCLES] = tile_cycles(w, rows)
    else:
        words = w[KP] if memory == ZSB_MEMORY else TABLE_BYTES // LANE_BYTES
        w[row + BEATS] = rows * row_beats(words, LANE_BYTES, w[WBEAT])
        w[row + CYCLES] = lane_cycles(w, rows, words)
    w[row + MEMORY] = memory
    w[row + SLOT] = slot
    w[row + ROW] = first
    w[row + CT] = ct
    w[row + LENGTH] = length
    w[row + RUNS] = runs
    w[row + OF] = w[LAYER_OWNER]
    return index


@inner
def _drained_after(w: Ints, last: int) -> int:
    """The first PASS that proves that the requantiser has left repetition ``last``: -1 if nobody used it, the number of
    PASSes if none does."""
    if last < 0:
        return -1
    low, high = 0, w[COUNT + PASS_UNIT]
    while low < high:
        middle = (low + high) // 2
        if w[pass_at(w, middle) + REPS_END] < last + DRAIN_PASSES:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def take_zsb(w: Ints, entries: int) -> int:
    """Find room for a layer's ZSB entries behind those of the layer before, or in the other half.

    The entries then end at ``ZSB_TOP`` of the half ``ZSB_NEXT``. The other half is free once the requantiser has left
    it.

    Parameters
    ----------
    w : workspace.
    entries : of the layer.

    Returns
    -------
    int
        Number of the PASS to wait for, -1 for none.
    """
    after = -1
    if w[ZSB_TOP] + entries > w[ZSB]:
        w[ZSB_NEXT] = 1 - w[ZSB_NEXT]
        w[ZSB_TOP] = 0
        after = _drained_after(w, w[ZSB_LAST + w[ZSB_NEXT]])
        if after == w[COUNT + PASS_UNIT]:
            w[FAILURE] = ZSB_STILL_READ
    w[ZSB_TOP] += entries
    return after


@inner
def load_table(w: Ints) -> int:
    """Bring a layer's activation table, if it has one, before its ZSB entries; its number, or -1.

    The two tables are taken in turns; one is free once the requantiser has left it, like a half of the ZSB.
    """
    if not w[TABLE]:
        return -1
    number = w[TABLE_NEXT]
    w[TABLE_NEXT] = 1 - number
    after = _drained_after(w, w[TABLE_LAST + number])
    if after == w[COUNT + PASS_UNIT] and after > 0:
        w[FAILURE] = TABLE_STILL_READ
    new_weight_load(w, after, TABLE_MEMORY, number, 0, 0, 1, 1)
    return number


@inner
def end_layer(w: Ints, table: int) -> None:
    """Note that a layer's last PASS has been appended.

    Parameters
    ----------
    w : workspace.
    table : number of the activation table that it used, -1 for none.
    """
    if w[LAST_PASS] >= 0:
        w[w[ROW_DONE] + w[LAST_PASS]] = w[COUNT + PASS_UNIT] - 1
    last = w[pass_at(w, w[COUNT + PASS_UNIT] - 1) + REPS_END]
    w[ZSB_LAST + w[ZSB_NEXT]] = last
    if table >= 0:
        w[TABLE_LAST + table] = last


@inner
def new_pass(w: Ints, act: int, wgt: int, store: int, reps: int, cycles: int, first: int, rows: int) -> int:
    """Append a PASS; index in the workspace at which its row begins.

    Parameters
    ----------
    w : workspace.
    act, wgt, store : numbers of the LOAD_ACT, LOAD_WGT and STORE that it waits for, -1 for none.
    reps : repetitions.
    cycles : of one of them.
    first, rows : output rows, the first and how many.
    """
    index = new_row(w, PASS_UNIT)
    row = pass_at(w, index)
    w[row + OWNER] = w[LAYER_OWNER]
    w[row + ACT] = act
    w[row + WGT] = wgt
    w[row + STORE] = store
    w[row + AWAITS] = w[AWAITED]
    w[row + REPS] = reps
    w[row + PASS_CYCLES] = cycles
    w[row + REPS_END] = reps + (w[row - PASS_COLUMNS + REPS_END] if index else 0)
    w[row + FIRST] = first
    w[row + ROWS] = rows
    return row


@inner
def stored_groups(w: Ints, chunk: int, stop: int) -> int:
    """Channel groups that the STORE of some K-tiles writes.

    Parameters
    ----------
    w : workspace.
    chunk, stop : the first K-tile, and the one behind the last.
    """
    return up(min(stop * w[KP], w[K]) - chunk * w[KP] // w[CP] * w[CP], w[CP])


@inner
def kept_beat(w: Ints) -> int:
    """Cycles from the last word of a STORE that writes to the SB alone to what stands for its last beat: the one whose
    acknowledgement would come when the last result is in the SB."""
    return STORE_KEPT - w[LATENCY] - STORE_GIVE


@inner
def stored_cycles(w: Ints, rows: int) -> tuple[int, int]:
    """Cycles of a STORE, to the read of its last word and to its last beat.

    Parameters
    ----------
    w : workspace.
    rows : of channel groups.
    """
    cols, cp, beat, interval, latency, beside = w[OUT_COLS], w[CP], w[BEAT], w[INTERVAL], w[LATENCY], w[BESIDE]
    if w[OUTPUT_TO] == TO_SB:
        word = held_cycles(rows, cols, cp, beat, interval, latency, beside, w[PIXELS])
        return word, word + kept_beat(w)
    return store_cycles(rows, cols, cp, beat, interval, latency, beside, w[PIXELS])


@inner
def new_store(w: Ints, begin: int, chunk: int, stop: int, first: int, rows: int, half: int) -> None:
    """Append the STORE of a chunk behind the last PASS.

    Parameters
    ----------
    w : workspace.
    begin : number of the first PASS of these K-tiles over these rows.
    chunk, stop : the first K-tile, and the one behind the last.
    first, rows : output rows, the first and how many.
    half : of the output side that the PASSes fill.
    """
    index, last = new_row(w, STORE_UNIT), w[COUNT + PASS_UNIT] - 1
    row = store_at(w, index)
    stored = stored_groups(w, chunk, stop) * rows
    if w[TIMED_ROWS] != stored:
        word, beat = stored_cycles(w, stored)
        w[TIMED_ROWS] = stored
        w[TIMED_WORD] = word
        w[TIMED_BEAT] = beat
    w[row + OWNER] = w[LAYER_OWNER]
    w[row + PLACE] = last
    w[row + AFTER] = last
    w[row + WRITES] = w[OUTPUT_TO]
    w[row + WORD_CYCLES] = w[TIMED_WORD]
    w[row + BEAT_CYCLES] = w[TIMED_BEAT]
    w[row + S_CHUNK] = chunk
    w[row + S_STOP] = stop
    w[row + S_FIRST] = first
    w[row + S_ROWS] = rows
    w[row + S_OUT_HALF] = half
    for done in range(first, first + rows):
        w[w[ROW_DONE] + w[OUTPUT] + done] = index
    w[OUT_LAST + half] = index
    for number in range(begin, last + 1):
        place = pass_at(w, number)
        w[place + CHUNK] = chunk
        w[place + OUT_HALF] = half


def broken_rule(failure: int, layer: Layer, accelerator: Accelerator) -> str:
    """What a layer breaks, in words, and what would be right.

    Parameters
    ----------
    failure : code in ``FAILURE`` of a workspace.
    layer : that was being lowered.
    accelerator : for which.
    """
    a = accelerator
    if failure == ZSB_STILL_READ:
        entries = up(layer.K, a.kp)
        return (
            f"layer {layer.name}: its {entries} ZSB entries need {entries * 8 * a.kp} bytes of a half of the ZSB that "
            f"is still read; {a.name} has {a.zsb_half_entries * 8 * a.kp} in each half; give a larger zsb_bytes"
        )
    return (
        f"layer {layer.name}: its activation table would take the place of one that is still read: the layers since "
        f"its last user have fewer than {DRAIN_PASSES} passes on {a.name}; give larger layers"
    )
