"""When everything happens: the cycles of a Program as a max-plus recurrence over its commands.

Each unit is a process that spends a fixed number of cycles on each command and waits only for what
``docs/reference/hardware.md`` names: its queue, a token, the shadow, DRAM. Times are cycles, 0 being that of the start
pulse; constants are named after the pipeline stage they count (:mod:`arch_model.machine.microarchitecture`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.microarchitecture import (
    COLUMN_ISSUE,
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
    STORE_GIVE,
    STORE_KEPT,
    STORE_NEXT,
    TOKEN,
    TOKENS,
)
from arch_model.program.isa import SLOT_BYTES, SLOTS, Command, Memory, Opcode
from arch_model.program.isa import UNITS as EXECUTED_BY
from arch_model.timing.transfers import STORE_BEAT, held_cycles, read_cycles, store_cycles

__all__ = [
    "COLUMN_ISSUE",
    "FEED_FULL",
    "FETCH_ADDRESS",
    "FETCH_DECODE",
    "FETCH_END",
    "FETCH_QUEUE",
    "FETCH_ROOM",
    "LANE_BYTES",
    "LOAD_ADDRESS",
    "LOAD_GIVE",
    "QUEUE_DEPTH",
    "RUN_WRITE",
    "SLOT_BYTES",
    "STORE_GIVE",
    "STORE_NEXT",
    "TOKEN",
    "TOKENS",
    "UNITS",
    "Command",
    "Interval",
    "Slots",
    "Timing",
    "load_words",
    "run_cycles",
    "slot_pace",
    "time_program",
]

UNITS = ("LOAD_ACT", "LOAD_WGT", "FEED", "RUN", "STORE")


@dataclass(frozen=True)
class Interval:
    """One command in one unit.

    Attributes
    ----------
    unit : its name.
    command : number in the Program.
    start : cycle in which the unit accepts it.
    end : cycle in which it is done.
    """

    unit: str
    command: int
    start: int
    end: int


@dataclass(frozen=True)
class Timing:
    """When a Program ends, and what each unit did meanwhile.

    Attributes
    ----------
    cycles : from start to done, both counted.
    busy : by unit, cycles in which it executed a command.
    waits : by cause (``sb``, ``weights``, ``out``), cycles in which RUN stood still.
    passes : executed PASSes, repetitions counted.
    timeline : every command in every unit that executed it, by start.
    """

    cycles: int
    busy: dict[str, int]
    waits: dict[str, int]
    passes: int
    timeline: tuple[Interval, ...]


Process = Generator[None, None, None]


class _Machine:
    """What the processes share: queues, tokens, and when things happened."""

    def __init__(self, commands: Sequence[Command], accelerator: Accelerator):
        self.commands, self.accelerator = commands, accelerator
        self.latency, self.interval = accelerator.dram.latency_cycles, accelerator.dram.cycles_per_beat
        self.events = 0  # grows with every fact learnt: a round without one is a deadlock
        self.tokens: dict[str, list[int]] = {token: [] for token in TOKENS}
        self.taken: Counter[str] = Counter()
        self.queues: dict[str, list[tuple[int, int]]] = {unit: [] for unit in UNITS}  # (command, dispatched)
        self.accepted: dict[str, list[int]] = {unit: [] for unit in UNITS}
        self.shadow_full: list[int] = []  # a pass's weights are in the shadow
        self.consumed: list[int] = []  # a pass's first pixel
        self.fetched, self.end_read = False, 0
        self.waits: Counter[str] = Counter()
        self.timeline: list[Interval] = []

    def learn(self, facts: list[int], time: int) -> None:
        facts.append(time)
        self.events += 1

    def give(self, wanted: int, token: str, time: int) -> None:
        if wanted:
            self.learn(self.tokens[token], time + TOKEN)

    def take(self, wanted: int, token: str) -> Generator[None, None, int]:
        """When the token is there; 0 if the command does not wait for one."""
        if not wanted:
            return 0
        index = self.taken[token]
        self.taken[token] += 1
        return (yield from _fact(self.tokens[token], index))

    def accept(self, unit: str, command: int, time: int) -> None:
        self.learn(self.accepted[unit], time)

    def work(self, unit: str) -> Generator[None, None, tuple[int, int] | None]:
        """The unit's next command and when its queue shows it; None at the end of the Program."""
        queue, index = self.queues[unit], len(self.accepted[unit])
        while len(queue) <= index:
            if self.fetched:
                return None
            yield
        command, dispatched = queue[index]
        return command, dispatched + FETCH_QUEUE


def _fact(facts: list[int], index: int) -> Generator[None, None, int]:
    """The index-th fact, once it is known."""
    while len(facts) <= index:
        yield
    return facts[index]


def run_cycles(rows: int, cols: int, depthwise: int = 0, stride: int = 1, width: int = 0, x0: int = 0) -> int:
    """Cycles of RUN for a pass over ``rows`` x ``cols`` output pixels.

    Depthwise it steps through the ``width`` columns of each row and issues output (p, q) in the step after the newest
    column of its window: ``(P - 1) * max(W, s * (Q - 1) + 1) + s * (Q - 1) + x0 + 4``. Where windows go on beyond the
    last column, so do the steps. With ``stride`` 0 one pixel stands still under all windows, as if they went on by 1.

    Parameters
    ----------
    rows, cols : output pixels of the pass, P and Q.
    depthwise : 1 for a depthwise pass.
    stride : pixels from one window to the next.
    width : (depthwise) columns of the input row, W.
    x0 : (depthwise) column at which the first window begins; negative in padding.

    Examples
    --------
    >>> run_cycles(4, 4), run_cycles(4, 4, depthwise=1, stride=2, width=8, x0=-1), run_cycles(4, 4, 1, 0, 1, 0)
    (16, 33, 19)
    >>> run_cycles(3, 3, depthwise=1, stride=2, width=4, x0=-1)   # windows at -1, 1, 3: steps of columns 0 to 4
    17
    """
    if not depthwise:
        return rows * cols
    across = max(stride, 1) * (cols - 1)  # from a row's first pixel to its last
    return (rows - 1) * max(width, across + 1) + across + x0 + COLUMN_ISSUE + 1


def load_words(memory: int, runs: int, run_beats: int, accelerator: Accelerator) -> tuple[int, int, int]:
    """What a LOAD_WGT writes: see :mod:`arch_model.timing.transfers`.

    Parameters
    ----------
    memory : code of the memory, :class:`~arch_model.program.isa.Memory`.
    runs : runs of consecutive bytes in DRAM.
    run_beats : beats of each.
    accelerator : whose words they are.

    Returns
    -------
    rows, words, size
        Rows, words of a row, bytes of a word.

    Examples
    --------
    >>> tiny = Accelerator.load("tiny")
    >>> load_words(0, 2, 27, tiny), load_words(Memory.ZSB, 1, 16, tiny), load_words(Memory.TABLE, 1, 64, tiny)
    ((2, 4, 27), (2, 4, 8), (1, 32, 8))
    """
    a, beats = accelerator, runs * run_beats
    if memory == Memory.ZSB:
        return beats * a.weight_beat_bytes // (LANE_BYTES * a.kp), a.kp, LANE_BYTES
    if memory == Memory.TABLE:
        return runs, run_beats * a.weight_beat_bytes // LANE_BYTES, LANE_BYTES
    return beats // a.tile_beats, a.kp, TAPS * a.cp


def time_program(commands: Sequence[Command], accelerator: Accelerator) -> Timing:
    """Cycles of a Program on an accelerator.

    Parameters
    ----------
    commands : of the Program; the last is END.
    accelerator : that runs it.

    Raises
    ------
    ValueError
        The Program never ends; the line names the commands that wait.
    """
    m = _Machine(commands, accelerator)
    processes = [_fetch(m), _load_act(m), _load_wgt(m), _feed(m), _run(m), _store(m)]
    while processes:
        before = m.events, len(processes)
        processes = [process for process in processes if next(process, StopIteration) is None]
        if processes and (m.events, len(processes)) == before:
            waiting = {u: q[len(m.accepted[u])][0] for u, q in m.queues.items() if len(q) > len(m.accepted[u])}
            raise ValueError(f"the Program never ends; commands that wait for ever: {waiting or 'none'}")
    idle = max((interval.end for interval in m.timeline), default=0) + 1
    busy = Counter(dict.fromkeys(UNITS, 0))
    for interval in m.timeline:
        busy[interval.unit] += interval.end - interval.start
    return Timing(
        cycles=max(idle, m.end_read + FETCH_END) + 1,
        busy=dict(busy),
        waits={cause: m.waits[cause] for cause in ("sb", "weights", "out")},
        passes=len(m.consumed),
        timeline=tuple(sorted(m.timeline, key=lambda i: (i.start, i.command))),
    )


def slot_pace(program_beat_bytes: int, interval: int) -> tuple[int, int, int]:
    """(slots of a beat, cycles from a slot's arrival to the next one's, from its leave to the next one's arrival).

    FETCH's gearbox takes a beat while it holds no more than a slot (``rtl/gearbox.py``), and DRAM offers the beat
    after that one meanwhile. So two beats of a slot are at hand when the one before leaves, the rest follow at DRAM's
    pace. For slots of one beat or of a part of one the last number stands for the next beat's arrival, less its pace.

    Parameters
    ----------
    program_beat_bytes : bytes of a beat of the Program.
    interval : cycles from one beat to the next.

    Returns
    -------
    together, pace, behind
        Slots of a beat; cycles from a slot's arrival to the next one's; cycles from its leave to the next one's
        arrival.

    Examples
    --------
    >>> slot_pace(4, 2), slot_pace(16, 1), slot_pace(64, 3)
    ((1, 16, 13), (1, 2, 1), (2, 3, -2))
    """
    beats = max(1, SLOT_BYTES // program_beat_bytes)
    return max(1, program_beat_bytes // SLOT_BYTES), beats * interval, FETCH_ROOM + (beats - 2) * interval


class Slots:
    """When each slot of a Program leaves FETCH's gearbox.

    Parameters
    ----------
    program_beat_bytes : bytes of a beat of the Program.
    interval : cycles from one beat to the next.
    latency : cycles from a read's address to its first beat.

    Examples
    --------
    >>> slots = Slots(4, 2, 24)          # AR in 1, beats in 25, 27 .. 39, the next slot's in 41 .. 55
    >>> slots.leave(), slots.leave()
    (40, 56)
    >>> slots.stay(100)                  # of the third one beat is there, seven come in 101, 103 .. 113
    >>> slots.leave()
    114
    """

    def __init__(self, program_beat_bytes: int, interval: int, latency: int) -> None:
        self._together, self._pace, self._behind = slot_pace(program_beat_bytes, interval)
        self._arrival, self._count, self.left = FETCH_ADDRESS + latency - interval, 0, -1

    def leave(self) -> int:
        """When the next one leaves at the earliest."""
        arrival = self._arrival if self._count % self._together else self._arrival + self._pace
        self._arrival = max(arrival, self.left + self._behind)
        self._count += 1
        self.left = max(self._arrival + FETCH_DECODE, self.left + 1)
        return self.left

    def stay(self, time: int) -> None:
        """The last one leaves in cycle ``time``, or later."""
        self.left = max(self.left, time)


def _fetch(m: _Machine) -> Process:
    units = {opcode: [unit.upper() for unit in names] for opcode, names in EXECUTED_BY.items()}
    slots = Slots(m.accelerator.program_beat_bytes, m.interval, m.latency)
    for index, command in enumerate(m.commands):
        for _ in range(SLOTS[command.opcode]):
            slots.leave()
        if command.opcode is Opcode.END:
            m.end_read = slots.left
            break
        for unit in units[command.opcode]:
            room = len(m.queues[unit]) - QUEUE_DEPTH
            if room >= 0:
                slots.stay((yield from _fact(m.accepted[unit], room)) + 1)
        for unit in units[command.opcode]:
            m.queues[unit].append((index, slots.left))
            m.events += 1
    m.fetched = True


def _load_act(m: _Machine) -> Process:
    free, a = 0, m.accelerator
    while (work := (yield from m.work("LOAD_ACT"))) is not None:
        index, there = work
        c = m.commands[index]
        sb_free = yield from m.take(c["wait_free"], "sb_free")
        stored = yield from m.take(c["wait_stored"], "stored")
        start = max(there, free, sb_free, stored)
        m.accept("LOAD_ACT", index, start)
        cols, pixels = a.row(c["cols"], bool(c["folded"]))
        read = read_cycles(c["groups"] * c["rows"], cols, a.cp, a.beat_bytes, m.interval, pixels)
        end = start + LOAD_ADDRESS + m.latency + read + LOAD_GIVE
        m.give(c["signal_full"], "sb_full", end)
        m.give(c["signal_loaded"], "loaded", end)
        m.timeline.append(Interval("LOAD_ACT", index, start, end - LOAD_GIVE))
        free = end


def _load_wgt(m: _Machine) -> Process:
    free, a = 0, m.accelerator
    while (work := (yield from m.work("LOAD_WGT"))) is not None:
        index, there = work
        c = m.commands[index]
        start = max(there, free, (yield from m.take(c["wait_free"], "w_free")))
        m.accept("LOAD_WGT", index, start)
        words = load_words(c["memory"], c["runs"], c["run_beats"], a)
        read = read_cycles(*words, a.weight_beat_bytes, m.interval, 1)
        end = start + LOAD_ADDRESS + m.latency + read + LOAD_GIVE
        m.give(c["signal_full"], "w_full", end)
        m.timeline.append(Interval("LOAD_WGT", index, start, end - LOAD_GIVE))
        free = end


def _feed(m: _Machine) -> Process:
    free, kp, passes = 0, m.accelerator.kp, 0
    while (work := (yield from m.work("FEED"))) is not None:
        index, there = work
        c = m.commands[index]
        start = max(there, free, (yield from m.take(c["wait_weights"], "w_full")))
        m.accept("FEED", index, start)
        read = start + 1
        for _ in range(c["reps"]):
            if passes:
                read = max(read, (yield from _fact(m.consumed, passes - 1)) + 1)
            last = read + kp - 1
            m.learn(m.shadow_full, last + FEED_FULL)
            read, passes = last + 1, passes + 1
        m.give(c["signal_weights"], "w_free", last)
        m.timeline.append(Interval("FEED", index, start, last))
        free = last + 1


def _run(m: _Machine) -> Process:
    free, passes = 0, 0
    while (work := (yield from m.work("RUN"))) is not None:
        index, there = work
        c = m.commands[index]
        loaded = yield from m.take(c["wait_sb"], "sb_full")
        sb_full = max(loaded, (yield from m.take(c["wait_kept"], "kept")))
        out_free = yield from m.take(c["wait_out"], "out_free")
        there = max(there, free)
        start = max(there, sb_full, out_free)
        m.waits["sb"] += max(0, sb_full - there)
        m.waits["out"] += max(0, out_free - max(there, sb_full))
        m.accept("RUN", index, start)
        pixel = start + 1
        cycles = run_cycles(c["out_rows"], c["out_cols"], c["depthwise"], c["stride"], c["cols"], c["x0"])
        for _ in range(c["reps"]):
            full = yield from _fact(m.shadow_full, passes)
            m.waits["weights"] += max(0, full - pixel)
            first = max(pixel, full)
            m.learn(m.consumed, first)
            pixel, passes = first + cycles, passes + 1
        last = pixel - 1
        m.give(c["signal_sb"], "sb_free", last)
        m.give(c["signal_out"], "out_full", last + RUN_WRITE)
        m.timeline.append(Interval("RUN", index, start, last))
        free = last


def _store(m: _Machine) -> Process:
    free, a = 0, m.accelerator
    while (work := (yield from m.work("STORE"))) is not None:
        index, there = work
        c = m.commands[index]
        out_full = yield from m.take(c["wait_full"], "out_full")
        start = max(there, free, out_full, (yield from m.take(c["wait_loaded"], "loaded")))
        m.accept("STORE", index, start)
        rows, add = c["groups"] * c["rows"], int(c["use_b"])
        if c["pool"]:  # pixel by pixel
            words = held_cycles(rows, c["cols"], a.cp, a.beat_bytes, m.interval, m.latency, 1, 1)
            beats = words + STORE_BEAT + m.interval * (c["run_beats"] - 1)
        elif c["sb_only"]:
            words = held_cycles(rows, c["cols"], a.cp, a.beat_bytes, m.interval, m.latency, add, a.pixels)
        else:
            words, beats = store_cycles(rows, c["cols"], a.cp, a.beat_bytes, m.interval, m.latency, add, a.pixels)
        last_word = start + words
        m.give(c["signal_free"], "out_free", last_word)
        m.give(c["signal_kept"], "kept", last_word + STORE_KEPT)
        end = last_word + STORE_KEPT if c["sb_only"] else start + beats + m.latency + STORE_GIVE
        m.give(c["signal_stored"], "stored", end)
        m.timeline.append(Interval("STORE", index, start, end))
        free = end + STORE_NEXT
