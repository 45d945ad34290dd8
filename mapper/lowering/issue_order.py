"""From four streams of commands, one a unit, to one Program: tokens, and the order in which FETCH meets them.

Each unit executes its stream in order. What a command needs of another unit is an index into that unit's
stream. Two facts make every Program that comes out of here free of deadlock and of races:

* :func:`match_tokens` signals and waits so that the k-th wait takes the k-th signal, and every command that
  needs an event starts after it.
* :func:`schedule` emits a command after all that it needs. With in-order queues, the oldest unfinished
  command then always finds its tokens and its place in the queue, however short that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import PASS_OVERHEAD, QUEUE_DEPTH
from arch_model.program.isa import Command, Opcode
from arch_model.timing.reference_timing import run_cycles
from arch_model.timing.transfers import row_words

NEVER = 1 << 60
"""``need`` of a load that no PASS of this Program waits for."""

Fields = dict[str, int]


def run_cycles_of(fields: Fields) -> int:
    """RUN's cycles for a repetition of a PASS, without the least length of one."""
    f = fields
    if "depthwise" not in f:
        return f["out_rows"] * f["out_cols"]
    return run_cycles(f["out_rows"], f["out_cols"], f["depthwise"], f["stride"], f["cols"], f["x0"])


@dataclass
class Load:
    """A LOAD_ACT or LOAD_WGT: it may start after PASS ``after_pass`` and STORE ``after_store`` (-1: at once), and
    PASS ``need`` is the first that uses it. ``beats``: its transfer."""

    fields: Fields
    owner: int
    need: int
    beats: int
    after_pass: int = -1
    after_store: int = -1


@dataclass
class Pass:
    """A PASS: it uses what loads ``act`` and ``wgt`` (and all before them) brought, and an output half that STORE
    ``store`` left; -1: nothing."""

    fields: Fields
    owner: int
    act: int
    wgt: int = -1
    store: int = -1

    @property
    def cycles(self) -> int:
        """Without the least length of a pass."""
        return run_cycles_of(self.fields)


@dataclass
class Store:
    """A STORE: of what PASS ``after_pass`` finished (-1: it has no operand a), emitted after PASS ``place``."""

    fields: Fields
    owner: int
    place: int
    after_pass: int = -1


@dataclass
class Streams:
    """The units' commands, each in order of execution."""

    acts: list[Load] = field(default_factory=list)
    wgts: list[Load] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)


def match_tokens(needs: Sequence[int]) -> list[int]:
    """Which consumers wait: those that need a later event than all before them did.

    ``needs``: for each consumer in order, the producer's index whose event it needs (-1: none). Returns for each
    the producer that must signal for it, -1 if it does not wait. Producers are in order too, so the k-th wait takes the
    k-th signal, which implies all events before it.

    >>> match_tokens([-1, 2, 2, 1, 5])
    [-1, 2, -1, -1, 5]
    """
    latest, result = -1, []
    for need in needs:
        result.append(need if need > latest else -1)
        latest = max(latest, need)
    return result


def _connect(
    consumers: Sequence[Load | Pass | Store],
    producers: Sequence[Load | Pass | Store],
    needs: Sequence[int],
    wait: str,
    signal: str,
) -> None:
    for consumer, producer in zip(consumers, match_tokens(needs), strict=True):
        if producer >= 0:
            consumer.fields[wait] = 1
            producers[producer].fields[signal] = 1


def connect_tokens(s: Streams) -> None:
    """Set every wait and signal field."""
    _connect(s.passes, s.acts, [p.act for p in s.passes], "wait_sb", "signal_full")
    _connect(s.acts, s.passes, [a.after_pass for a in s.acts], "wait_free", "signal_sb")
    _connect(s.passes, s.wgts, [p.wgt for p in s.passes], "wait_weights", "signal_full")
    _connect(s.wgts, s.passes, [w.after_pass for w in s.wgts], "wait_free", "signal_weights")
    _connect(s.stores, s.passes, [t.after_pass for t in s.stores], "wait_full", "signal_out")
    _connect(s.passes, s.stores, [p.store for p in s.passes], "wait_out", "signal_free")
    _connect(s.acts, s.stores, [a.after_store for a in s.acts], "wait_stored", "signal_stored")


class _Loader:
    """One load unit while the Program is put in order: which load comes next, and roughly when each ends."""

    def __init__(self, loads: Sequence[Load], opcode: Opcode, accelerator: Accelerator) -> None:
        self.loads, self.opcode = loads, opcode
        self.latency, self.per_beat = accelerator.dram.latency_cycles, accelerator.dram.cycles_per_beat
        self.ends: list[int] = []
        self.next: Load | None = loads[0] if loads else None

    def has_room(self, now: int) -> bool:
        """Whether its queue is likely to have room: a load that finds it full would hold up FETCH."""
        return len(self.ends) < QUEUE_DEPTH or self.ends[-QUEUE_DEPTH] <= now

    def emit(self, start: int) -> Load:
        load = self.loads[len(self.ends)]
        begin = max(start, self.ends[-1] if self.ends else 0)
        self.ends.append(begin + self.latency + load.beats * self.per_beat)
        self.next = self.loads[len(self.ends)] if len(self.ends) < len(self.loads) else None
        return load

    def end(self, index: int) -> int:
        return self.ends[index] if index >= 0 else 0


def schedule(s: Streams, accelerator: Accelerator) -> tuple[list[tuple[Opcode, Fields, int]], list[int], list[int]]:
    """Set the tokens and merge the streams: (opcode, fields, owner) in order of the Program, without END.

    Returns also, for each PASS and for each STORE, its place in that order. Loads go as early as what they wait for
    and the depth of their queue allow, by a rough clock; only speed depends on that clock.
    """
    connect_tokens(s)
    acts = _Loader(s.acts, Opcode.LOAD_ACT, accelerator)
    wgts = _Loader(s.wgts, Opcode.LOAD_WGT, accelerator)
    order: list[tuple[Opcode, Fields, int]] = []
    pass_at: list[int] = []
    store_at: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    stored: list[int] = []
    latency, per_beat = accelerator.dram.latency_cycles, accelerator.dram.cycles_per_beat
    least = accelerator.kp + PASS_OVERHEAD

    def emit(unit: _Loader) -> None:
        load = unit.next
        assert load is not None and load.after_pass < len(ends) and load.after_store < len(stored)
        free = ends[load.after_pass] if load.after_pass >= 0 else 0
        written = stored[load.after_store] if load.after_store >= 0 else 0
        order.append((unit.opcode, unit.emit(max(now, free, written)).fields, load.owner))

    def emit_stores() -> None:
        while len(store_at) < len(s.stores) and s.stores[len(store_at)].place < len(ends):
            store = s.stores[len(store_at)]
            f = store.fields
            begin = max(stored[-1] if stored else 0, ends[store.after_pass] if store.after_pass >= 0 else 0, now)
            beats = max(f["run_beats"], f.get("b_run_beats", 0)) * per_beat
            words = f["rows"] * row_words(f["cols"], accelerator.pixels)
            stored.append(begin + latency * (1 + f.get("use_b", 0)) + f["groups"] * max(beats, words))
            store_at.append(len(order))
            order.append((Opcode.STORE, f, store.owner))

    def ahead() -> None:
        for unit in (acts, wgts):
            while (load := unit.next) is not None:
                ready = load.after_pass < len(ends) and load.after_store < len(stored)
                if not (ready and unit.has_room(now)):
                    break
                emit(unit)

    now = 0
    emit_stores()
    for index, p in enumerate(s.passes):
        for unit in (acts, wgts):
            while (load := unit.next) is not None and load.need <= index:
                emit(unit)
        begin = max(ends[-1] if ends else 0, acts.end(p.act), wgts.end(p.wgt), stored[p.store] if p.store >= 0 else 0)
        begins.append(begin)
        ends.append(begin + p.fields["reps"] * max(p.cycles, least))
        pass_at.append(len(order))
        order.append((Opcode.PASS, p.fields, p.owner))
        now = begins[index - QUEUE_DEPTH] if index >= QUEUE_DEPTH else 0
        emit_stores()
        ahead()
    now = ends[-1] if ends else 0
    for unit in (acts, wgts):
        while unit.next is not None:
            emit(unit)
    return order, pass_at, store_at


def command(opcode: Opcode, fields: Fields) -> Command:
    """A command without the fields that are 0."""
    return Command(opcode, {name: value for name, value in fields.items() if value})
