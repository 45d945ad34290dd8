"""The closed form of ``mapper/cost/layer_batch.py`` as loops over one layer, which numba compiles.

A grid of machines has too many different layers for arrays that wait for the longest: here each layer takes what its
own passes take, some tens of microseconds. Numbers in, numbers out: a layer and a machine are rows of int64 whose
columns are named below. Results are those of :func:`mapper.lowering.quick_choice.choose` and
:func:`mapper.cost.layer_batch.layer_costs`, to the cycle and byte (``tests/mapper/cost/test_kernel.py``).
"""

from __future__ import annotations

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from arch_model.cost.activity import TOTALS
from arch_model.machine.accelerator import IMAGE_CHANNELS, TAPS
from arch_model.machine.microarchitecture import PASS_OVERHEAD
from arch_model.program.isa import TABLE_BYTES
from arch_model.timing.closed_form import NEVER
from arch_model.timing.reference_timing import (
    FEED_FULL,
    FETCH_ADDRESS,
    FETCH_DECODE,
    FETCH_END,
    FETCH_QUEUE,
    FETCH_ROOM,
    LANE_BYTES,
    LOAD_ADDRESS,
    LOAD_GIVE,
    QUEUE_DEPTH,
    RUN_WRITE,
    SLOT_BYTES,
    STORE_GIVE,
    STORE_NEXT,
    TOKEN,
)
from arch_model.timing.transfers import LOAD_WORD, STORE_ADDRESS, STORE_BEAT, STORE_FIFO, STORE_WORD
from mapper.lowering.tiling import RUN_BEATS_MAX

LAYER = ("K", "C", "H", "W", "R", "stride", "padding", "P", "Q", "windows", "pointwise", "add", "table")
"""Columns of a layer; ``windows`` of 3 x 3 taps; ``table``: its activation comes from one."""
K, C, H, W, R, STRIDE, PADDING, P, Q, WINDOWS, POINTWISE, ADD, TABLE = range(len(LAYER))

CORE = ("kp", "cp", "beat_bytes", "weight_beat_bytes", "program_beat_bytes", "pixels", "latency", "interval")
"""The first columns of a machine: with how a layer is cut and what of it is in the PB, all that its cost depends on."""
MACHINE = (*CORE, "sb_half", "ob_pixels", "out_half", "nb", "zsb_half", "db_half", "pb_tiles")
KP, CP, BEAT, WBEAT, PBEAT, PIXELS, LATENCY, INTERVAL, SB, OB, OUT, NB, ZSB, DB, PB = range(len(MACHINE))

COST = ("cycles", *TOTALS)
"""Columns of a cost: cycles of the layer as a Program of its own, and what that Program does."""
COSTS = len(COST)

_LIMIT, _BYTES_LIMIT = 4095, (1 << 28) - 1  # of a command's fields (mapper.lowering.tiling.check_least)


@inner
def _up(a: int, b: int) -> int:
    return -(-a // b)


@inner
def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


@compiled
def grid_of(x: Ints, m: Ints) -> tuple[int, int]:
    """(K-tiles, C-tiles) of a layer."""
    return _up(x[K], m[KP]), _up(x[C], m[CP] * (TAPS if x[POINTWISE] else 1))


@inner
def _sb_words(x: Ints, m: Ints, inside: int) -> int:
    groups = _up(x[C], m[CP])
    if x[POINTWISE]:
        return _up(groups, TAPS) * inside * x[W]
    return groups * _up(inside, 3) * _up(x[W], 3)


@inner
def _out_words(k_tiles: int, pixels: int, m: Ints) -> int:
    return _up(_up(k_tiles * m[KP], m[CP]), m[NB]) * pixels


@inner
def _pitch(cols: int, m: Ints) -> int:
    return _up(cols * m[CP], m[BEAT]) * m[BEAT]


@inner
def _act_row(x: Ints, m: Ints) -> tuple[int, int]:
    """Words of an input row, and how many LOAD_ACT writes together (:meth:`Accelerator.row`)."""
    fold = max(1, min(m[PIXELS], m[CP] // IMAGE_CHANNELS))
    if fold > 1 and x[C] <= m[CP] // fold and not x[POINTWISE]:
        return _up(x[W], fold), 1
    return x[W], m[PIXELS]


@compiled
def fits(x: Ints, m: Ints) -> bool:
    """Whether a machine can run a layer at all (:func:`mapper.lowering.tiling.check_least`)."""
    kt, ct = grid_of(x, m)
    unit = m[CP] // _gcd(m[KP], m[CP])
    if _sb_words(x, m, min(x[R], x[H])) > m[SB] or kt > m[ZSB]:
        return False
    if _out_words(min(unit, kt), x[Q], m) > m[OUT]:
        return False
    if x[WINDOWS] * ct > 1 and x[Q] > m[OB]:
        return False
    groups = max(_up(x[C], m[CP]), _up(x[K], m[CP]))
    size = max(x[H] * _pitch(x[W], m), x[P] * _pitch(x[Q], m))
    return max(x[W], x[H]) <= _LIMIT and groups <= _LIMIT and size <= _BYTES_LIMIT


@compiled
def cut(x: Ints, m: Ints, streamed: int, once: bool, add: int) -> tuple[int, int]:
    """(rows, chunk) of :func:`mapper.lowering.quick_choice.choose`; ``once``: half the DB holds the streamed tiles."""
    kt, ct = grid_of(x, m)
    unit = m[CP] // _gcd(m[KP], m[CP])
    units, beat, kp, latency, interval = _up(kt, unit), m[BEAT], m[KP], m[LATENCY], m[INTERVAL]
    in_groups, out_groups = _up(x[C], m[CP]), _up(x[K], m[CP])
    cols_in, together = _act_row(x, m)
    pitch_in, pitch_out = _pitch(cols_in, m), _pitch(x[Q], m)
    row_in = max(pitch_in // beat * interval, _up(cols_in, together))
    row_out = max(pitch_out // beat * interval, _up(x[Q], m[PIXELS]))
    tile_beats = _up(TAPS * kp * m[CP], m[WBEAT])
    weights = streamed * max(tile_beats * interval, kp)
    many, sums = kt * x[WINDOWS] * ct, x[WINDOWS] * ct > 1
    best, best_rows, best_chunk = NEVER, 0, 0
    last_rows = 0
    for count in range(x[P], 0, -1):
        rows = _up(x[P], count)
        if rows == last_rows:
            continue
        last_rows = rows
        inside, pixels = min((rows - 1) * x[STRIDE] + x[R], x[H]), rows * x[Q]
        if _sb_words(x, m, inside) > m[SB] or (sums and pixels > m[OB]):
            continue
        if max(inside, rows) * max(_pitch(x[W], m), pitch_out) > RUN_BEATS_MAX * beat:
            continue
        tiles = _up(x[P], rows)
        compute = many * max(pixels, kp + PASS_OVERHEAD)
        load = latency + in_groups * inside * row_in
        stored = out_groups * rows * row_out
        last = 0
        for parts in range(units, 0, -1):
            size = _up(units, parts)
            if size == last:
                continue
            last = size
            chunk = min(size * unit, kt)
            if _out_words(chunk, pixels, m) > m[OUT]:
                continue
            stores = _up(kt, chunk)
            store = stores * latency * (2 if add else 1) + stored
            fetch = (kt * x[WINDOWS] + 1 + 2 * stores) * SLOT_BYTES * interval // m[PBEAT]
            slowest = max(max(compute, load), max(store, fetch))
            steady = max(tiles * slowest, weights) if once else tiles * max(slowest, weights)
            cycles = steady + load + stored // stores + latency
            if cycles < best:
                best, best_rows, best_chunk = cycles, rows, chunk
    return best_rows, best_chunk


@compiled
def read_time(rows: int, cols: int, size: int, beat: int, interval: int, pixels: int) -> int:
    """:func:`arch_model.timing.transfers.read_cycles`."""
    words, behind = _up(cols, pixels), -NEVER
    for word in range(words):
        last = _up(min((word + 1) * pixels, cols) * size, beat) - 1
        behind = max(behind, interval * last - word)
    slower = interval * _up(cols * size, beat) - words
    return LOAD_WORD + behind + rows * words - 1 + (rows - 1) * max(0, slower)


@inner
def _ending(b: int, cols: int, size: int, beat: int, pixels: int) -> int:
    return _up(min(_up((b + 1) * beat, size), cols), pixels) - 1


@compiled
def store_time(
    rows: int, cols: int, size: int, beat: int, interval: int, latency: int, add: int, pixels: int
) -> tuple[int, int]:
    """:func:`arch_model.timing.transfers.store_cycles`."""
    beats, words = _up(cols * size, beat), _up(cols, pixels)
    total, gain = rows * beats, words - interval * beats
    if add:
        behind = np.empty(words, np.int64)
        most = -NEVER
        for word in range(words):
            most = max(most, interval * (_up(min((word + 1) * pixels, cols) * size, beat) - 1) - word)
            behind[word] = most
        same_row, late = -NEVER, -NEVER
        for b in range(beats):
            end = _ending(b, cols, size, beat, pixels)
            same_row = max(same_row, behind[end] + end - interval * b)
            late = max(late, end - interval * b)
        spread = most + late
        slowest = same_row
        if rows > 1:
            slowest = max(slowest, max(spread + gain, spread + (rows - 1) * gain))
        last_word = STORE_ADDRESS + latency + read_time(rows, cols, size, beat, interval, pixels)
        return last_word, STORE_ADDRESS + latency + STORE_WORD + STORE_BEAT + interval * (total - 1) + slowest
    offered = np.empty(beats, np.int64)
    most = -NEVER
    for b in range(beats):
        most = max(most, _ending(b, cols, size, beat, pixels) - interval * b)
        offered[b] = most
    last_beat = STORE_WORD + STORE_BEAT + interval * (total - 1) + most + (rows - 1) * max(0, gain)
    last_word = STORE_WORD + rows * words - 1
    if gain < 0:
        word = pixels * size
        room = max(word + 2 * beat - 1 if word >= beat else word + beat, 0)
        if word <= beat:
            room = max(room, min(2 * beat, 2 * beat + word - 2) + word)
        for back in range(2 * words):
            index = rows * words - 1 - STORE_FIFO - back
            if index < 0:
                break
            before = index // words * beats * beat + index % words * word
            gone = _up(before + word - room, beat)
            if gone >= 1:
                left = gone - 1
                leaves = STORE_WORD + STORE_BEAT + interval * left + offered[min(left, beats - 1)]
                last_word = max(last_word, leaves + 2 + back)
    return last_word, last_beat


@inner
def _groups_for(rows: int, first: int, short: int, full: int, limit: int, half: int) -> int:
    """Groups of streamed tiles that a limit makes (``mapper/cost/weight_batch.py``)."""
    fill, groups = 0, 0
    for row in range(rows):
        count = short if row < first else full
        opens = count > 0 and (fill + count > limit or groups == 0)
        splits = max(_up(count, half) - 1, 0)
        groups += opens + splits
        fill = (0 if opens or splits > 0 else fill) + count - splits * half
    return groups


@inner
def _weights(
    kt: int, windows: int, ct: int, hit_kt: int, hit_ct: int, half: int
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints, int, int, int]:
    """Pieces (reps, K-tile, load, whether it finishes: columns), k_last, loads' tiles and group, groups' first and last
    piece; then pieces, loads, groups (:func:`mapper.cost.weight_batch.group_weights`)."""
    rows, first_rows, short = kt * windows, hit_kt * windows, ct - hit_ct
    total = first_rows * short + (rows - first_rows) * ct
    longest = ct if rows > first_rows else short
    least = max(_up(total, half), 1)
    limit = min(max(_up(total, least), longest), half)
    if _groups_for(rows, first_rows, short, ct, half, half) < _groups_for(rows, first_rows, short, ct, limit, half):
        limit = half
    most = rows * (1 + _up(ct, half)) + first_rows
    piece, k_last = np.zeros((most, 4), np.int64), np.zeros(kt, np.int64)
    tiles, group_of = np.zeros(most, np.int64), np.zeros(most, np.int64)
    first, last = np.zeros(most, np.int64), np.zeros(most, np.int64)
    pieces, runs, groups, fill, before_ct, before_length = 0, 0, 0, 0, -1, -1
    for row in range(rows):
        if row < first_rows:
            piece[pieces, 0], piece[pieces, 1], piece[pieces, 2] = hit_ct, row // windows, -1
            pieces += 1
        left, low = (short, hit_ct) if row < first_rows else (ct, 0)
        opens = left > 0 and (fill + left > limit or groups == 0)
        while left > 0:
            if opens:
                groups += 1
                fill = 0
            length = min(left, half)
            if opens or before_ct != low or before_length != length:
                runs += 1
            tiles[runs - 1] += length
            group_of[runs - 1] = groups - 1
            if opens:
                first[groups - 1] = pieces
            last[groups - 1] = pieces
            piece[pieces, 0], piece[pieces, 1], piece[pieces, 2] = length, row // windows, runs - 1
            pieces += 1
            before_ct, before_length = low, length
            fill += length
            left -= length
            low += length
            opens = left > 0
        if (row + 1) % windows == 0:
            piece[pieces - 1, 3] = 1
            k_last[row // windows] = pieces - 1
    return piece, k_last, tiles, group_of, first, last, pieces, runs, groups


# Columns of what one unit that loads keeps: its next load, how far it is, when the next one may start.
_COUNT, _FREE, _NEED, _AFTER, _ROOM = range(5)
# Of FETCH: slots that it has read, when the last one arrived, and when it left.
_READ, _ARRIVAL, _LEFT = range(3)


@inner
def _dispatch(fetch: Ints, m: Ints, slots: int, room: int) -> int:
    beats, beat_slots = max(1, SLOT_BYTES // m[PBEAT]), max(1, m[PBEAT] // SLOT_BYTES)  # as slot_pace
    for _ in range(slots):
        if fetch[_READ] % beat_slots == 0:
            fetch[_ARRIVAL] += beats * m[INTERVAL]
        fetch[_ARRIVAL] = max(fetch[_ARRIVAL], fetch[_LEFT] + FETCH_ROOM + (beats - 2) * m[INTERVAL])
        fetch[_LEFT] = max(fetch[_ARRIVAL] + FETCH_DECODE, fetch[_LEFT] + 1)
        fetch[_READ] += 1
    fetch[_LEFT] = max(fetch[_LEFT], room)
    return fetch[_LEFT] + FETCH_QUEUE


@inner
def _load(
    unit: Ints,
    loads: Ints,
    done: Ints,
    guess: Ints,
    accepted: Ints,
    freed_by: Ints,
    guess_pass: Ints,
    now: int,
    fetch: Ints,
    m: Ints,
) -> None:
    """The next load of a unit; ``loads``: need, after, cycles, guess of each in columns."""
    index = unit[_COUNT]
    after = loads[index, 1]
    freed = freed_by[after] + TOKEN if after >= 0 else 0
    room = accepted[index % QUEUE_DEPTH] + 1 if index >= QUEUE_DEPTH else 0
    start = max(max(_dispatch(fetch, m, 1, room), unit[_FREE]), freed)
    begin = max(now, guess_pass[after] if after >= 0 else 0)
    if index >= 1:
        begin = max(begin, guess[index - 1])
    accepted[index % QUEUE_DEPTH] = start
    done[index] = unit[_FREE] = start + loads[index, 2]
    guess[index] = begin + loads[index, 3]
    index += 1
    unit[_COUNT] = index
    there = index < len(loads)
    unit[_NEED] = loads[index, 0] if there else NEVER
    unit[_AFTER] = loads[index, 1] if there else NEVER
    unit[_ROOM] = guess[index - QUEUE_DEPTH] if index >= QUEUE_DEPTH else 0


@compiled
def price_layer(x: Ints, m: Ints, half: int, rows: int, chunk: int, hit_kt: int, cost: Ints) -> None:
    """Fill ``cost`` (:data:`COST`) of a layer cut so, with ``hit_kt`` leading K-tiles, whole, in the PB."""
    kt, ct = grid_of(x, m)
    kp, cp, beat, latency, interval = m[KP], m[CP], m[BEAT], m[LATENCY], m[INTERVAL]
    windows, height, out_height, out_width = x[WINDOWS], x[H], x[P], x[Q]
    hit_kt = min(hit_kt, kt)
    hit_ct = ct if hit_kt else 0
    tiles = kt * windows * ct
    streamed = tiles - hit_kt * hit_ct * windows
    reload = streamed > half
    spatial, chunks = _up(out_height, rows), _up(kt, chunk)
    piece, k_last, run_tiles, run_group, first, last, pieces, runs, groups = _weights(
        kt, windows, ct, hit_kt, hit_ct, half
    )
    in_groups = _up(x[C], cp)

    # LOAD_ACT
    acts = np.empty((spatial, 4), np.int64)
    out_rows = np.empty(spatial, np.int64)
    width, together = _act_row(x, m)
    act_one = read_time(1, width, cp, beat, interval, together)
    act_row = read_time(2, width, cp, beat, interval, together) - act_one
    act_rows, row_beats = 0, _up(width * cp, beat)
    for tile in range(spatial):
        begin = min(tile * rows, out_height - 1)
        out_rows[tile] = min(rows, out_height - begin)
        low = max(0, begin * x[STRIDE] - x[PADDING])
        high = (begin + out_rows[tile] - 1) * x[STRIDE] - x[PADDING] + x[R]
        loaded = in_groups * (min(height, high) - low)
        act_rows += loaded
        acts[tile, 0] = tile * pieces
        acts[tile, 1] = (tile - 1) * pieces - 1 if tile >= 2 else -1
        acts[tile, 2] = LOAD_ADDRESS + latency + act_one + (loaded - 1) * act_row + LOAD_GIVE
        acts[tile, 3] = latency + loaded * row_beats * interval

    # LOAD_WGT: an activation table, the ZSB table, the runs of every group, again for each spatial tile if not all fit
    zsb = x[TABLE]  # its place
    wgts = np.empty((zsb + 1 + runs * (spatial if reload else 1), 4), np.int64)
    weight_beat = m[WBEAT]
    if x[TABLE]:
        table_time = read_time(1, TABLE_BYTES // LANE_BYTES, LANE_BYTES, weight_beat, interval, 1)
        wgts[0, 0], wgts[0, 1] = 0, -1
        wgts[0, 2] = LOAD_ADDRESS + latency + table_time + LOAD_GIVE
        wgts[0, 3] = latency + TABLE_BYTES // weight_beat * interval
    zsb_one = read_time(1, kp, LANE_BYTES, weight_beat, interval, 1)
    zsb_row = read_time(2, kp, LANE_BYTES, weight_beat, interval, 1) - zsb_one
    wgt_one = read_time(1, kp, TAPS * cp, weight_beat, interval, 1)
    wgt_row = read_time(2, kp, TAPS * cp, weight_beat, interval, 1) - wgt_one
    tile_beats = _up(TAPS * kp * cp, weight_beat)
    wgts[zsb, 0], wgts[zsb, 1] = 0, -1
    wgts[zsb, 2] = LOAD_ADDRESS + latency + zsb_one + (kt - 1) * zsb_row + LOAD_GIVE
    wgts[zsb, 3] = latency + kt * (LANE_BYTES * kp // weight_beat) * interval
    for index in range(zsb + 1, len(wgts)):
        tile, run = (index - zsb - 1) // runs, (index - zsb - 1) % runs
        group = run_group[run]
        before, old = (tile * groups + group - 2) // groups, (tile * groups + group - 2) % groups
        count = run_tiles[run]
        wgts[index, 0] = tile * pieces + first[group]
        wgts[index, 1] = before * pieces + last[old] if before >= 0 else -1
        wgts[index, 2] = LOAD_ADDRESS + latency + wgt_one + (count - 1) * wgt_row + LOAD_GIVE
        wgts[index, 3] = latency + count * tile_beats * interval

    # STORE: of so many rows as a chunk and a tile have, whole or the last ones
    stores = chunks * spatial
    after_of, free_of, time_of, guess_of = (
        np.empty(stores, np.int64),
        np.empty(stores, np.int64),
        np.empty(stores, np.int64),
        np.empty(stores, np.int64),
    )
    known, known_free, known_last = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4, np.int64)
    out_beats, store_words, next_known = 0, 0, 0
    for index in range(stores):
        tile, number = index // chunks, index % chunks
        begin, past = number * chunk, min(number * chunk + chunk, kt)
        channels = min(past * kp, x[K]) - begin * kp // cp * cp
        out_groups = _up(channels, cp)
        stored = out_groups * out_rows[tile]
        at = -1
        for place in range(4):
            if known[place] == stored:
                at = place
        if at < 0:
            at = next_known % 4
            next_known += 1
            known[at] = stored
            known_free[at], known_last[at] = store_time(
                stored, out_width, cp, beat, interval, latency, x[ADD], m[PIXELS]
            )
        run_beats = out_rows[tile] * _up(out_width * cp, beat)
        out_beats += out_groups * run_beats
        store_words += stored * out_width
        after_of[index] = tile * pieces + k_last[past - 1]
        free_of[index], time_of[index] = known_free[at], known_last[at] + latency + STORE_GIVE
        words = out_rows[tile] * _up(out_width, m[PIXELS])
        guess_of[index] = latency * (1 + x[ADD]) + out_groups * max(run_beats * interval, words)

    # The recurrence of arch_model/timing/closed_form.py
    passes = pieces * spatial
    read_last, run_last, guess_pass = (
        np.zeros(passes, np.int64),
        np.zeros(passes, np.int64),
        np.zeros(passes, np.int64),
    )
    act_done, act_guess = np.zeros(len(acts), np.int64), np.zeros(len(acts), np.int64)
    wgt_done, wgt_guess = np.zeros(len(wgts), np.int64), np.zeros(len(wgts), np.int64)
    act_accepted, wgt_accepted = np.zeros(QUEUE_DEPTH, np.int64), np.zeros(QUEUE_DEPTH, np.int64)
    store_accepted, passed = np.zeros(QUEUE_DEPTH, np.int64), np.zeros(QUEUE_DEPTH, np.int64)
    begins = np.zeros(QUEUE_DEPTH + 1, np.int64)
    store_read, guess_store = np.zeros(stores, np.int64), np.zeros(stores, np.int64)
    act_unit, wgt_unit, fetch = np.zeros(5, np.int64), np.zeros(5, np.int64), np.zeros(3, np.int64)
    act_unit[_NEED], act_unit[_AFTER] = acts[0, 0], acts[0, 1]
    wgt_unit[_NEED], wgt_unit[_AFTER] = wgts[0, 0], wgts[0, 1]
    fetch[_ARRIVAL], fetch[_LEFT] = FETCH_ADDRESS + latency - interval, -1
    feed_free, run_free, consumed, now = 0, 0, -1, 0
    store_count, store_free, next_store = 0, 0, after_of[0]
    least = kp + FEED_FULL
    step = -1
    for tile in range(spatial):
        pixels = out_rows[tile] * out_width
        pace = max(pixels, least)
        for number in range(pieces):
            step += 1
            while act_unit[_NEED] <= step:
                _load(act_unit, acts, act_done, act_guess, act_accepted, run_last, guess_pass, now, fetch, m)
            while wgt_unit[_NEED] <= step:
                _load(wgt_unit, wgts, wgt_done, wgt_guess, wgt_accepted, read_last, guess_pass, now, fetch, m)
            reps, run = piece[number, 0], piece[number, 2]
            wgt = zsb
            if run >= 0:
                wgt += 1 + run + (tile * runs if reload else 0)
            store = -3
            if piece[number, 3]:
                store = max(tile * chunks + piece[number, 1] // chunk - 2, -3)
            ring = step % QUEUE_DEPTH
            there = _dispatch(fetch, m, 1, passed[ring] + 1 if step >= QUEUE_DEPTH else 0)
            feed = max(max(there, feed_free), wgt_done[wgt] + TOKEN)
            full = max(feed, consumed) + least
            output = (store_read[store] if store >= 0 else 0) + TOKEN
            start = max(max(max(there, run_free), act_done[tile] + TOKEN), output)
            consumed = max(start + 1, full) + (reps - 1) * pace
            read = (consumed - pace + least if reps > 1 else full) - FEED_FULL
            read_last[step], run_last[step] = read, consumed + pixels - 1
            feed_free, run_free = read + 1, run_last[step]
            passed[ring] = max(feed, start)
            begin = max(act_guess[tile], wgt_guess[wgt])
            if store >= 0:
                begin = max(begin, guess_store[store])
            if step:
                begin = max(begin, guess_pass[step - 1])
            guess_pass[step] = begin + reps * max(pixels, kp + PASS_OVERHEAD)
            begins[step % (QUEUE_DEPTH + 1)] = begin
            if step >= QUEUE_DEPTH:
                now = begins[(step + 1) % (QUEUE_DEPTH + 1)]
            if next_store == step:
                room = store_accepted[store_count % QUEUE_DEPTH] + 1 if store_count >= QUEUE_DEPTH else 0
                there = _dispatch(fetch, m, 2, room)
                start = max(max(there, store_free), run_last[step] + RUN_WRITE + TOKEN)
                store_accepted[store_count % QUEUE_DEPTH] = start
                store_read[store_count] = start + free_of[store_count]
                store_free = start + time_of[store_count] + STORE_NEXT
                begin = max(now, guess_pass[step])
                if store_count >= 1:
                    begin = max(begin, guess_store[store_count - 1])
                guess_store[store_count] = begin + guess_of[store_count]
                store_count += 1
                next_store = after_of[store_count] if store_count < stores else NEVER
            while act_unit[_AFTER] <= step and act_unit[_ROOM] <= now:
                _load(act_unit, acts, act_done, act_guess, act_accepted, run_last, guess_pass, now, fetch, m)
            while wgt_unit[_AFTER] <= step and wgt_unit[_ROOM] <= now:
                _load(wgt_unit, wgts, wgt_done, wgt_guess, wgt_accepted, read_last, guess_pass, now, fetch, m)
    slots = act_unit[_COUNT] + wgt_unit[_COUNT] + passes + 2 * store_count + 1
    prog_beats = _up(slots * SLOT_BYTES, m[PBEAT])
    end = _dispatch(fetch, m, 1, 0) - FETCH_QUEUE + FETCH_END
    fetched = streamed * (spatial if reload else 1)
    pixels = out_height * out_width
    cost[0] = max(store_free - STORE_NEXT + 1, end) + 1
    cost[1] = prog_beats * m[PBEAT]
    table_bytes = x[TABLE] * TABLE_BYTES
    cost[2] = fetched * tile_beats * weight_beat + kt * LANE_BYTES * kp + table_bytes
    cost[3] = act_rows * row_beats * beat
    cost[4] = out_beats * beat * x[ADD]
    cost[5] = out_beats * beat
    cost[6] = act_rows * x[W]
    cost[7] = fetched
    cost[8] = 0
    cost[9] = kt * LANE_BYTES * kp
    cost[10] = streamed * spatial
    cost[11] = (tiles - streamed) * spatial
    cost[12] = tiles * pixels
    cost[13] = cost[14] = (tiles - kt) * pixels
    cost[15] = kt * pixels
    cost[16] = cost[17] = store_words
    cost[18] = store_words * x[ADD]
    cost[19], cost[20] = table_bytes, x[TABLE] * kt * pixels


@compiled
def misfits(xs: Ints, ms: Ints, uses: Ints, starts: Ints) -> Ints:
    """Of machines (n, MACHINE) and nets the first use that does not fit, -1 if all do, (n, nets).

    A use is a layer of a net, ``uses`` (u,) its row of ``xs``; those of net i begin at ``starts[i]`` (nets + 1,).
    """
    found = np.full((len(ms), len(starts) - 1), -1, np.int64)
    legal = np.empty(len(xs), np.bool_)
    for i in range(len(ms)):
        for j in range(len(xs)):
            legal[j] = fits(xs[j], ms[i])
        for net in range(len(starts) - 1):
            for use in range(starts[net], starts[net + 1]):
                if not legal[uses[use]]:
                    found[i, net] = use
                    break
    return found


@compiled
def whole_rows(xs: Ints, ms: Ints) -> Ints:
    """Rows of a tile of each layer on each machine, nothing cached and the DB too small: int64 (n, layers)."""
    found = np.zeros((len(ms), len(xs)), np.int64)
    for i in range(len(ms)):
        for j in range(len(xs)):
            if fits(xs[j], ms[i]):
                kt, ct = grid_of(xs[j], ms[i])
                found[i, j] = cut(xs[j], ms[i], kt * xs[j, WINDOWS] * ct, False, 0)[0]
    return found


@compiled
def fit_hits(xs: Ints, ms: Ints, rows: Ints, uses: Ints, windows: Ints, starts: Ints, bad: Ints) -> Ints:
    """Leading K-tiles of each use in the PB, (n, u), as :func:`mapper.pinning.greedy.fit_subgraph` puts them there.

    ``rows`` (n, layers): :func:`whole_rows`; ``windows`` (u,): of the SuperNet's layer; ``bad`` (n, nets): misfits.
    """
    found = np.zeros((len(ms), len(uses)), np.int64)
    for i in range(len(ms)):
        m = ms[i]
        tile_beats = _up(TAPS * m[KP] * m[CP], m[WBEAT])
        for net in range(len(starts) - 1):
            low, high = starts[net], starts[net + 1]
            if bad[i, net] >= 0 or m[PB] == 0:
                continue
            worth = np.empty(high - low, np.int64)
            for use in range(low, high):
                x = xs[uses[use]]
                kt, ct = grid_of(x, m)
                fetches = 1 if kt * x[WINDOWS] * ct <= m[DB] else _up(x[P], rows[i, uses[use]])
                saved = max(0, fetches * tile_beats * m[INTERVAL] - x[P] * x[Q])
                worth[use - low] = -(saved * (1 << 20) + fetches)
            free = m[PB]
            for place in np.argsort(worth, kind="mergesort"):
                use = low + place
                kt, ct = grid_of(xs[uses[use]], m)
                hit = min(kt, free // (windows[use] * ct))
                found[i, use] = hit
                free -= hit * windows[use] * ct
    return found


@compiled
def halves_of(xs: Ints, ms: Ints, uses: Ints, hits: Ints) -> Ints:
    """Tiles that half the DB holds, (n, u); 0 where all streamed tiles fit, and its size is of no matter."""
    found = np.zeros(hits.shape, np.int64)
    for i in range(len(ms)):
        for use in range(len(uses)):
            x = xs[uses[use]]
            kt, ct = grid_of(x, ms[i])
            if (kt - min(hits[i, use], kt)) * ct * x[WINDOWS] > ms[i, DB]:
                found[i, use] = ms[i, DB]
    return found


@compiled
def cut_each(xs: Ints, ms: Ints, layer: Ints, machine: Ints, hits: Ints, halves: Ints) -> Ints:
    """(rows, chunk) of each, (n, 2); ``layer`` and ``machine`` (n,): rows of ``xs`` and ``ms``."""
    found = np.zeros((len(layer), 2), np.int64)
    for i in range(len(layer)):
        x, m = xs[layer[i]], ms[machine[i]]
        kt, ct = grid_of(x, m)
        streamed = (kt - min(hits[i], kt)) * ct * x[WINDOWS]
        found[i, 0], found[i, 1] = cut(x, m, streamed, halves[i] == 0, x[ADD])
    return found


@compiled
def price_each(xs: Ints, ms: Ints, layer: Ints, machine: Ints, hits: Ints, halves: Ints, cuts: Ints) -> Ints:
    """The costs of each, (n, COST)."""
    found = np.zeros((len(layer), COSTS), np.int64)
    for i in range(len(layer)):
        half = halves[i] if halves[i] else NEVER
        price_layer(xs[layer[i]], ms[machine[i]], half, cuts[i, 0], cuts[i, 1], hits[i], found[i])
    return found


@compiled
def add_up(table: Ints, index: Ints, starts: Ints) -> Ints:
    """Sums of the rows of ``table`` at ``index`` (n, u) over each net's uses, (n, nets, columns)."""
    found = np.zeros((len(index), len(starts) - 1, table.shape[1]), np.int64)
    for i in range(len(index)):
        for net in range(len(starts) - 1):
            for use in range(starts[net], starts[net + 1]):
                row = index[i, use]
                for column in range(table.shape[1]):
                    found[i, net, column] += table[row, column]
    return found
