"""The time of many Programs at once: the recurrence of ``arch_model/timing/reference_timing.py`` on arrays.

A Program is given as four streams of commands, one a unit, each an array with a row for every Program of the
batch; what a command waits for is a column of another stream. Repetitions within a PASS, words and beats within
a transfer and slots within a fetch are closed forms (``docs/concepts/time.md``), so a step is one PASS with the loads
and the STORE around it, which NumPy takes for the whole batch. The order in which FETCH meets the commands is
that of :mod:`arch_model.timing.recurrence`, whose issue-order heuristic is part of it. The result equals
``time_program`` of the compiled Program to the cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from arch_model.machine.microarchitecture import PASS_OVERHEAD
from arch_model.timing.reference_timing import (
    FEED_FULL,
    FETCH_ADDRESS,
    FETCH_DECODE,
    FETCH_END,
    FETCH_QUEUE,
    FETCH_ROOM,
    QUEUE_DEPTH,
    RUN_WRITE,
    SLOT_BYTES,
    STORE_NEXT,
    TOKEN,
)

Ints = npt.NDArray[np.int64]
Index = Ints | slice

NEVER = 1 << 60


@dataclass(frozen=True)
class Loads:
    """LOAD_ACTs or LOAD_WGTs, int64 (most, n), in order of execution.

    ``count`` (n,): how many there are. ``need``: the first PASS that uses what it brings, ascending. ``after``:
    the PASS after which it may start, -1 for at once. ``cycles``: from acceptance to its token and the next
    one's acceptance. ``guess``: its cycles by the issue-order heuristic.
    """

    count: Ints
    need: Ints
    after: Ints
    cycles: Ints
    guess: Ints


@dataclass(frozen=True)
class Passes:
    """PASSes, int64 (most, n): ``reps`` repetitions of ``pixels`` each, which use what loads ``act`` and
    ``wgt`` (and all before them) brought and an output half that STORE ``store`` left (negative: none does; -2
    or -1 for the first or second chunk, -3 for a PASS that finishes nothing). ``count`` (n,), at least 1.
    """

    count: Ints
    reps: Ints
    pixels: Ints
    act: Ints
    wgt: Ints
    store: Ints


@dataclass(frozen=True)
class Stores:
    """STOREs, int64 (most, n), in order of execution.

    ``count`` (n,). Each sends what PASS ``after`` finished, ascending, and stands behind it. ``free``: cycles from
    acceptance to the read of its last word; ``cycles``: to the last acknowledgement and its token; ``guess``: by the
    issue-order heuristic.
    """

    count: Ints
    after: Ints
    free: Ints
    cycles: Ints
    guess: Ints


@dataclass(frozen=True)
class Machines:
    """Each Program's machine, int64 (n,): see :class:`arch_model.machine.accelerator.Accelerator`."""

    kp: Ints
    program_beat_bytes: Ints
    latency: Ints
    interval: Ints


Part = TypeVar("Part", Machines, Loads, Passes, Stores)


@dataclass(frozen=True)
class Batch:
    """Programs of one layer each, which reads what is in DRAM from the start.

    Rows of all arrays are commands, columns Programs, by descending number of passes; ValueError for another order.
    """

    machines: Machines
    acts: Loads
    wgts: Loads
    passes: Passes
    stores: Stores

    def __post_init__(self) -> None:
        if np.any(np.diff(self.passes.count) > 0):
            raise ValueError("a batch has its Programs in another order; give those with the most passes first")

    def take(self, index: Ints) -> Batch:
        """The Programs at ``index``, ascending."""

        def of(part: Part) -> Part:
            return type(part)(*(getattr(part, f.name)[..., index] for f in fields(part)))

        return Batch(of(self.machines), of(self.acts), of(self.wgts), of(self.passes), of(self.stores))

    @property
    def slots(self) -> Ints:
        """Slots of 32 bytes of each Program, END included, (n,)."""
        return self.acts.count + self.wgts.count + self.passes.count + 2 * self.stores.count + 1

    @property
    def prog_beats(self) -> Ints:
        """Beats of each Program, (n,)."""
        beats: Ints = -(-self.slots * SLOT_BYTES // self.machines.program_beat_bytes)
        return beats


@dataclass(frozen=True)
class Entry:
    """What went on before, if the batch's Programs are the rest of longer ones; cycles from an origin of the caller's.

    Commands are there in time and every queue has room, RUN is in use until ``run`` (n,) and STORE until
    ``store`` (n,), and loads cannot start before ``act`` and ``wgt`` (most, n). A PASS that finishes a K-tile
    of the first (second) chunk cannot start before ``out`` (2, n).
    """

    run: Ints
    store: Ints
    act: Ints
    wgt: Ints
    out: Ints


@dataclass(frozen=True)
class BatchTiming:
    """As :class:`arch_model.timing.reference_timing.Timing`, int64 (n,): cycles from start to done, and those that RUN
    stood still by cause; and when things happened, (most, n), 0 beyond: the last pixel (``run_last``) and the last
    weight word (``read_last``) of each PASS, the end of each load (``act_done``, ``wgt_done``) and of each STORE
    (``store_done``).
    """

    cycles: Ints
    wait_sb: Ints
    wait_weights: Ints
    wait_out: Ints
    run_last: Ints
    read_last: Ints
    act_done: Ints
    wgt_done: Ints
    store_done: Ints


def time_batch(batch: Batch, entry: Entry | None = None) -> BatchTiming:
    """When each Program of a batch is done, and what its units did until then. ``entry``: what goes before."""
    return _Walk(batch, entry).run()


class _Loader:
    """LOAD_ACT or LOAD_WGT of every Program: its next load, when each is done, exactly and by the heuristic."""

    def __init__(self, loads: Loads, ready: Ints | None) -> None:
        self.loads, self.ready = loads, ready
        n = len(loads.count)
        self.free, self.count, self.next_room = (np.zeros(n, np.int64) for _ in range(3))
        self.accepted = np.zeros((QUEUE_DEPTH, n), np.int64)
        self.done, self.guess = np.zeros_like(loads.need), np.zeros_like(loads.need)
        self.next_need, self.next_after = loads.need[0].copy(), loads.after[0].copy()

    def due(self, count: int, step: int) -> Ints:
        """Those of the first ``count`` Programs whose next load PASS ``step`` needs."""
        return np.flatnonzero(self.next_need[:count] <= step)

    def advance(self, at: Ints, start: Ints, end: Ints, guess: Ints) -> None:
        """The next load of Programs ``at`` starts and ends."""
        index = self.count[at]
        self.accepted[index % QUEUE_DEPTH, at] = start
        self.done[index, at] = self.free[at] = end
        self.guess[index, at] = guess
        self.count[at] = index = index + 1
        place = np.minimum(index, len(self.loads.need) - 1)
        there = index < self.loads.count[at]
        self.next_need[at] = np.where(there, self.loads.need[place, at], NEVER)
        self.next_after[at] = np.where(there, self.loads.after[place, at], NEVER)
        self.next_room[at] = _at(self.guess, index - QUEUE_DEPTH, at)


def _at(times: Ints, index: Ints, at: Ints) -> Ints:
    """times[index, at], 0 where ``index`` is negative."""
    found: Ints = np.where(index >= 0, times[np.maximum(index, 0), at], 0)
    return found


class _Walk:
    """One run. In every method ``at`` says which Programs (columns)."""

    def __init__(self, batch: Batch, entry: Entry | None) -> None:
        self.m, self.p, self.t, self.entry = batch.machines, batch.passes, batch.stores, entry
        most, n = self.p.reps.shape
        self.n, self.every = n, np.arange(n)
        self.act = _Loader(batch.acts, None if entry is None else entry.act)
        self.wgt = _Loader(batch.wgts, None if entry is None else entry.wgt)
        self.slots, self.left = np.zeros(n, np.int64), np.full(n, -1)
        self.arrival = FETCH_ADDRESS + self.m.latency - self.m.interval
        beats = np.maximum(1, SLOT_BYTES // self.m.program_beat_bytes)  # arch_model.timing.reference_timing.slot_pace
        self.beat_slots = np.maximum(1, self.m.program_beat_bytes // SLOT_BYTES)
        self.pace, self.behind = beats * self.m.interval, FETCH_ROOM + (beats - 2) * self.m.interval
        self.shared = bool((self.beat_slots > 1).any())
        self.least = self.m.kp + FEED_FULL  # cycles of a pass
        self.feed_free, self.run_free, self.consumed = np.zeros(n, np.int64), np.zeros(n, np.int64), np.full(n, -1)
        self.passed = np.zeros((QUEUE_DEPTH, n), np.int64)  # when FEED and RUN both have accepted their last PASSes
        self.read_last, self.run_last, self.guess_pass = (np.zeros((most, n), np.int64) for _ in range(3))
        self.begins, self.now = np.zeros((QUEUE_DEPTH + 1, n), np.int64), np.zeros(n, np.int64)
        self.wait_sb, self.wait_weights, self.wait_out = (np.zeros(n, np.int64) for _ in range(3))
        self.store_count, self.store_free = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.store_accepted = np.zeros((QUEUE_DEPTH, n), np.int64)
        self.store_read, self.store_done, self.guess_store = (np.zeros_like(self.t.after) for _ in range(3))
        self.next_store = self.t.after[0].copy()
        if entry is not None:
            # The shadow is full when RUN is free: the last pass before was as long as it takes to fill it.
            self.consumed, self.run_free, self.store_free = entry.run - self.least, entry.run.copy(), entry.store.copy()

    def run(self) -> BatchTiming:
        counts = np.searchsorted(-self.p.count, -np.arange(len(self.p.reps)), side="left")
        for step, count in enumerate(counts.tolist()):
            for loader in (self.act, self.wgt):
                while len(at := loader.due(count, step)):
                    self._load(loader, at)
            self._pass(count, step)
            if len(at := np.flatnonzero(self.next_store[:count] == step)):
                self._store(at)
            for loader in (self.act, self.wgt):
                while len(at := self._ready(loader, count, step)):
                    self._load(loader, at)
        # END is read when its beats are there; it waits for whoever is not idle, STORE the last.
        read = self._slot(slice(None))
        idle = self.store_free - STORE_NEXT
        return BatchTiming(
            np.maximum(idle + 1, read + FETCH_END) + 1,
            *(self.wait_sb, self.wait_weights, self.wait_out, self.run_last, self.read_last),
            *(self.act.done, self.wgt.done, self.store_done),
        )

    def _dispatch(self, at: Index, slots: int, room: Ints) -> Ints:
        """When a command's queues show it; ``room``: when they have room."""
        for _ in range(slots):
            left = self._slot(at)
        self.left[at] = np.maximum(left, room)
        there: Ints = self.left[at] + FETCH_QUEUE
        return there

    def _slot(self, at: Index) -> Ints:
        """When the next slot leaves FETCH at the earliest."""
        left, pace = self.left[at], self.pace[at]
        if self.shared:  # by more slots than one, some machine's beats
            pace = np.where(self.slots[at] % self.beat_slots[at], 0, pace)
            self.slots[at] += 1
        self.arrival[at] = arrival = np.maximum(self.arrival[at] + pace, left + self.behind[at])
        leaves: Ints = np.maximum(arrival + FETCH_DECODE, left + 1)
        self.left[at] = leaves
        return leaves

    def _ready(self, loader: _Loader, count: int, step: int) -> Ints:
        """Programs whose next load may follow PASS ``step``: its place is free then, and so, by guess, its queue."""
        ready = loader.next_after[:count] <= step
        if self.entry is None:
            ready &= loader.next_room[:count] <= self.now[:count]
        return np.flatnonzero(ready)

    def _load(self, unit: _Loader, at: Ints) -> None:
        loads, index = unit.loads, unit.count[at]
        after = loads.after[index, at]
        last = self.read_last if unit is self.wgt else self.run_last
        freed = np.where(after >= 0, last[np.maximum(after, 0), at] + TOKEN, 0)
        if unit.ready is not None:
            start = np.maximum(np.maximum(unit.free[at], freed), unit.ready[index, at])
            unit.advance(at, start, start + loads.cycles[index, at], start)
            return
        room = np.where(index >= QUEUE_DEPTH, unit.accepted[index % QUEUE_DEPTH, at] + 1, 0)
        there = self._dispatch(at, 1, room)
        start = np.maximum(np.maximum(there, unit.free[at]), freed)
        begin = np.maximum(self.now[at], _at(self.guess_pass, after, at))
        begin = np.maximum(begin, _at(unit.guess, index - 1, at))
        unit.advance(at, start, start + loads.cycles[index, at], begin + loads.guess[index, at])

    def _pass(self, count: int, step: int) -> None:
        p, at, every = self.p, slice(count), self.every[:count]
        reps, pixels, least = p.reps[step, at], p.pixels[step, at], self.least[at]
        act, wgt, store = p.act[step, at], p.wgt[step, at], p.store[step, at]
        there: Ints | int = 0
        if self.entry is None:
            room = self.passed[step % QUEUE_DEPTH, at]
            there = self._dispatch(at, 1, room + 1 if step >= QUEUE_DEPTH else np.zeros_like(room))

        # FEED and the first repetition; those after it follow at the longer of pixels and KP + 2.
        pace = np.maximum(pixels, least)
        feed = np.maximum(np.maximum(there, self.feed_free[at]), self.wgt.done[wgt, every] + TOKEN)
        full = np.maximum(feed, self.consumed[at]) + least
        there = np.maximum(there, self.run_free[at])
        inputs = self.act.done[act, every] + TOKEN
        output = _at(self.store_read, store, every) + TOKEN
        if self.entry is not None:
            output = np.where((store == -2) | (store == -1), self.entry.out[store % 2, every], output)
        supplied = np.maximum(there, inputs)
        start = np.maximum(supplied, output)
        pixel = start + 1
        first = np.maximum(pixel, full)
        more = (reps - 1) * pace
        last = first + more  # first pixel of the last repetition
        self.wait_sb[at] += supplied - there
        self.wait_out[at] += start - supplied
        self.wait_weights[at] += first - pixel + more - (reps - 1) * pixels
        read = np.where(reps > 1, last - pace + least, full) - FEED_FULL  # the last weight word's
        end = last + pixels - 1
        self.consumed[at], self.read_last[step, at], self.run_last[step, at] = last, read, end
        self.feed_free[at], self.run_free[at] = read + 1, end
        if self.entry is not None:
            return
        self.passed[step % QUEUE_DEPTH, at] = np.maximum(feed, start)
        begin = np.maximum(self.act.guess[act, every], self.wgt.guess[wgt, every])
        begin = np.maximum(begin, _at(self.guess_store, store, every))
        if step:
            begin = np.maximum(begin, self.guess_pass[step - 1, at])
        self.guess_pass[step, at] = begin + reps * np.maximum(pixels, self.m.kp[at] + PASS_OVERHEAD)
        ring = QUEUE_DEPTH + 1
        self.begins[step % ring, at] = begin
        if step >= QUEUE_DEPTH:
            self.now[at] = self.begins[(step + 1) % ring, at]

    def _store(self, at: Ints) -> None:
        t, index = self.t, self.store_count[at]
        after = t.after[index, at]
        there: Ints | int = 0
        if self.entry is None:
            room = np.where(index >= QUEUE_DEPTH, self.store_accepted[index % QUEUE_DEPTH, at] + 1, 0)
            there = self._dispatch(at, 2, room)
        full = self.run_last[after, at] + RUN_WRITE + TOKEN
        start = np.maximum(np.maximum(there, self.store_free[at]), full)
        end = start + t.cycles[index, at]
        self.store_accepted[index % QUEUE_DEPTH, at] = start
        self.store_read[index, at], self.store_done[index, at] = start + t.free[index, at], end
        self.store_free[at] = end + STORE_NEXT
        begin = np.maximum(np.maximum(self.now[at], self.guess_pass[after, at]), _at(self.guess_store, index - 1, at))
        self.guess_store[index, at] = begin + t.guess[index, at]
        self.store_count[at] = index = index + 1
        more = index < t.count[at]
        self.next_store[at] = np.where(more, t.after[np.minimum(index, len(t.after) - 1), at], NEVER)
