"""Proof that a Program neither hangs nor races, whatever the units' speeds.

The units are deterministic, execute in order and talk only through queues and token counters, so whether a Program
hangs does not depend on timing: :func:`check_program` executes it once, untimed. On the way each command gets a vector
clock: which events of the other units *must* be over when it starts. Two commands that touch the same words then
conflict unless the clocks order them as the Program does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import QUEUE_DEPTH, TABLE_BYTES, TABLES, TOKENS, TOKENS_BITS
from arch_model.program.isa import COUNT_BITS, Command, Memory, Opcode, counts_taps, entry_offset, window_counted
from arch_model.program.limits import POOLED_MAX, first_broken, limits, too_long
from arch_model.program.program import Program

ACT, WGT, FEED, RUN, DRAIN, READ, STORE = range(7)
"""Components of a clock, each the number of commands (of repetitions for FEED, RUN and DRAIN) that are over: loads
complete; weights read; SB read; outputs written and ZSB entries read; output side read; results in DRAM."""

Clock = npt.NDArray[np.int64]


class ProgramError(FastSwitchError):
    """A Program that would hang, lose a token or overwrite what is in use: a defect of the mapper."""


@dataclass
class _Node:
    """A command in one unit's queue: its number in the Program, in the unit, and repetitions up to its end."""

    command: Command
    number: int
    index: int
    reps_end: int = 0
    start: Clock | None = None


class _Tokens:
    """One token: the clocks of the signals that nobody has waited for yet."""

    def __init__(self, name: str) -> None:
        self.name, self.clocks = name, deque[Clock]()


def check_program(program: Program, accelerator: Accelerator | None = None) -> None:
    """Execute the rules of tokens, queues and dispatch; raise :class:`ProgramError` where a command breaks one.

    Errors: a deadlock; tokens left at the end; more than 255 of one kind at once; words of SB, DB, PB, ZSB, OB's output
    side, activation tables or DRAM written while they may still be read, or read before they must be written; addresses
    beyond a buffer or the DRAM; a value that its field, and a length that its register, does not hold; a field that the
    hardware refuses (:mod:`arch_model.program.limits`); fields that do not go
    together (:func:`check_fields`).
    """
    a = accelerator or program.accelerator
    known = limits(a)
    for number, command in enumerate(program.commands):
        try:
            command.encode()
        except ValueError as error:
            raise ProgramError(f"command {number}: {error}") from None
        if (broken := first_broken(command, known)) is not None:
            raise ProgramError(f"command {number}: {broken.told(command)}")
        check_fields(number, command, a)
    if reason := too_long(len(program.commands), program.beats):
        raise ProgramError(reason)
    run = _Execution(program.commands)
    run.execute()
    _Memories(run, a).check()


def check_fields(number: int, command: Command, accelerator: Accelerator) -> None:
    """Raise :class:`ProgramError` for fields of one command that do not go together."""
    c, a = command, accelerator
    rules: list[tuple[str, bool]] = []
    if c.opcode is Opcode.PASS:
        still, alone = c["stride"] == 0, c["depthwise"]
        counted = window_counted(c["last_lanes"])
        divides = counts_taps(c)
        rules = [
            ("maximum", not c["maximum"] or bool(alone and c["start"] and c["finish"])),
            ("sub", bool(alone or not c["sub"])),
        ]
        if alone:
            rules += [
                ("reps", c["reps"] == 1),
                ("pointwise", not c["pointwise"]),
                ("last_lanes", c["last_lanes"] < 16 and bool(counted[0]) == bool(counted[1])),
                ("last_lanes", not divides or bool(c["start"] and c["finish"])),
                # RUN remembers for as many steps how many rows of a window are inside.
                ("x0", -1 <= c["x0"] <= 0 if divides else c["x0"] >= -3),
                ("x0", not still or c["x0"] == 0),
                ("out_cols", max(c["stride"], 1) * (c["out_cols"] - 1) < 1 << COUNT_BITS),
                ("depthwise", a.nb <= 3),
            ]
    elif c.opcode is Opcode.LOAD_ACT:
        rules = [("skew", not (c["skew"] and c["pointwise"]))]
    elif c.opcode is Opcode.LOAD_WGT and c["memory"] == Memory.TABLE:
        rules = [
            ("runs", c["runs"] == 1),
            ("run_beats", c["run_beats"] * a.weight_beat_bytes == TABLE_BYTES),
        ]
    elif c.opcode is Opcode.STORE:
        rules = [
            ("multiply", not c["multiply"] or bool(c["use_a"] and c["use_b"] and not c["pool"])),
            ("rows", not c["pool"] or c["rows"] * c["cols"] <= POOLED_MAX >> (c["use_a"] and c["use_b"])),
        ]
    for field, legal in rules:
        if not legal:
            raise ProgramError(f"command {number}: {field} of {c.opcode.name} is {c[field]}, not with its other fields")


class _Execution:
    """Maximal progress through queues (``QUEUE_DEPTH`` commands, the one being executed included) and tokens."""

    def __init__(self, commands: tuple[Command, ...]) -> None:
        self.tokens = {name: _Tokens(name) for name in TOKENS}
        self.nodes: dict[str, list[_Node]] = {unit: [] for unit in ("act", "wgt", "feed", "run", "store")}
        self.order: list[tuple[str, _Node]] = []
        if not commands or commands[-1].opcode is not Opcode.END or Opcode.END in [c.opcode for c in commands[:-1]]:
            raise ProgramError("Program: its last command, and no other, must be END")
        units = {
            Opcode.LOAD_ACT: ("act",),
            Opcode.LOAD_WGT: ("wgt",),
            Opcode.PASS: ("feed", "run"),
            Opcode.STORE: ("store",),
        }
        reps = 0
        self.dispatch: list[tuple[Command, list[tuple[str, _Node]]]] = []
        for number, command in enumerate(commands[:-1]):
            if command.opcode is Opcode.PASS:
                reps += command["reps"]
            entries = []
            for unit in units[command.opcode]:
                node = _Node(command, number, len(self.nodes[unit]), reps)
                self.nodes[unit].append(node)
                entries.append((unit, node))
                self.order.append((unit, node))
            self.dispatch.append((command, entries))
        self.clock = {unit: np.zeros(7, np.int64) for unit in self.nodes}
        self.queues: dict[str, deque[_Node]] = {unit: deque() for unit in self.nodes}
        self.fed = self.ran = 0  # repetitions: tiles in the shadow so far, passes begun so far
        self.feed_starts: dict[int, Clock] = {}
        self.run_starts: dict[int, Clock] = {}

    def execute(self) -> None:
        next_command = 0
        while True:
            progress = False
            while next_command < len(self.dispatch):
                _, entries = self.dispatch[next_command]
                if any(len(self.queues[unit]) >= QUEUE_DEPTH for unit, _ in entries):
                    break
                for unit, node in entries:
                    self.queues[unit].append(node)
                next_command += 1
                progress = True
            for unit in self.queues:
                progress |= self._step(unit)
            if not progress:
                break
        stuck = [f"{unit} at command {queue[0].number}" for unit, queue in self.queues.items() if queue]
        if stuck or next_command < len(self.dispatch):
            raise ProgramError(f"Program hangs: {', '.join(stuck)}; FETCH at command {next_command}")
        for token in self.tokens.values():
            if token.clocks:
                raise ProgramError(f"Program ends with {len(token.clocks)} tokens {token.name} left")

    def _acquire(self, clock: Clock, token: str) -> None:
        np.maximum(clock, self.tokens[token].clocks.popleft(), out=clock)

    def _release(self, node: _Node, clock: Clock, token: str) -> None:
        self.tokens[token].clocks.append(clock.copy())
        if len(self.tokens[token].clocks) >= 1 << TOKENS_BITS:
            raise ProgramError(f"command {node.number}: more than {(1 << TOKENS_BITS) - 1} tokens {token}")

    def _ready(self, *tokens: tuple[int, str]) -> bool:
        return all(not wait or self.tokens[token].clocks for wait, token in tokens)

    def _step(self, unit: str) -> bool:
        queue = self.queues[unit]
        if not queue:
            return False
        node = queue[0]
        step = {"act": self._act, "wgt": self._wgt, "feed": self._feed, "run": self._run, "store": self._store}
        outcome = step[unit](node, self.clock[unit])
        if outcome == "done":
            queue.popleft()
        return outcome != "stuck"

    def _act(self, node: _Node, clock: Clock) -> str:
        c = node.command
        if not self._ready((c["wait_free"], "sb_free"), (c["wait_stored"], "stored")):
            return "stuck"
        for field, token in (("wait_free", "sb_free"), ("wait_stored", "stored")):
            if c[field]:
                self._acquire(clock, token)
        node.start = clock.copy()
        clock[ACT] = node.index + 1
        if c["signal_full"]:
            self._release(node, clock, "sb_full")
        return "done"

    def _wgt(self, node: _Node, clock: Clock) -> str:
        c = node.command
        if not self._ready((c["wait_free"], "w_free")):
            return "stuck"
        if c["wait_free"]:
            self._acquire(clock, "w_free")
        node.start = clock.copy()
        clock[WGT] = node.index + 1
        if c["signal_full"]:
            self._release(node, clock, "w_full")
        return "done"

    def _feed(self, node: _Node, clock: Clock) -> str:
        """One repetition: its words go to the shadow once RUN has begun the pass before."""
        c = node.command
        first = self.fed == node.reps_end - c["reps"]
        if self.fed > self.ran:
            return "stuck"  # the shadow is full
        if first and node.start is None:
            if not self._ready((c["wait_weights"], "w_full")):
                return "stuck"
            if c["wait_weights"]:
                self._acquire(clock, "w_full")
        if self.fed and self.fed - 1 in self.run_starts:
            np.maximum(clock, self.run_starts.pop(self.fed - 1), out=clock)  # RUN began pass fed - 1
        # RUN has then left the pass before that one, and the pipeline has drained of the pass before that again.
        clock[RUN] = max(clock[RUN], self.fed - 1)
        clock[DRAIN] = max(clock[DRAIN], self.fed - 2)
        if first:
            node.start = clock.copy()
        self.feed_starts[self.fed] = clock.copy()
        self.fed += 1
        clock[FEED] = self.fed
        if self.fed < node.reps_end:
            return "more"
        if c["signal_weights"]:
            self._release(node, clock, "w_free")
        return "done"

    def _run(self, node: _Node, clock: Clock) -> str:
        c = node.command
        first = self.ran == node.reps_end - c["reps"]
        if node.start is None:
            if not self._ready((c["wait_sb"], "sb_full"), (c["wait_out"], "out_free")):
                return "stuck"
            for field, token in (("wait_sb", "sb_full"), ("wait_out", "out_free")):
                if c[field]:
                    self._acquire(clock, token)
            node.start = clock.copy()
        if self.fed <= self.ran:
            return "stuck"
        np.maximum(clock, self.feed_starts.pop(self.ran), out=clock)
        if first:
            node.start = clock.copy()
        self.run_starts[self.ran] = clock.copy()
        self.ran += 1
        clock[RUN] = self.ran
        if self.ran < node.reps_end:
            return "more"
        if c["signal_sb"]:
            self._release(node, clock, "sb_free")
        if c["signal_out"]:
            drained = clock.copy()
            drained[DRAIN] = self.ran
            self._release(node, drained, "out_full")
        return "done"

    def _store(self, node: _Node, clock: Clock) -> str:
        c = node.command
        if not self._ready((c["wait_full"], "out_full")):
            return "stuck"
        if c["wait_full"]:
            self._acquire(clock, "out_full")
        node.start = clock.copy()
        clock[READ] = node.index + 1
        if c["signal_free"]:
            self._release(node, clock, "out_free")
        clock[STORE] = node.index + 1
        if c["signal_stored"]:
            self._release(node, clock, "stored")
        return "done"


@dataclass(frozen=True)
class _Block:
    """Words of the SB: ``words`` from ``start`` on in each of ``groups``, ``step`` apart."""

    start: int
    groups: int
    step: int
    words: int

    @property
    def stop(self) -> int:
        return self.start + (self.groups - 1) * self.step + self.words

    @property
    def index(self) -> npt.NDArray[np.int64]:
        return self.start + (np.arange(self.groups)[:, None] * self.step + np.arange(self.words)).ravel()


class _Words:
    """Who wrote and who read each word last, as counts of clock components (0: nobody)."""

    def __init__(self, name: str, size: int, writer: int, reader: int) -> None:
        self.name, self.writer, self.reader = name, writer, reader
        self.written = np.zeros(size, np.int64)
        self.read = np.zeros(size, np.int64)

    def _part(self, node: _Node, part: slice | _Block) -> tuple[slice | npt.NDArray[np.int64], str]:
        """What to index with, and its name."""
        start, stop = part.start, part.stop
        if not 0 <= start < stop <= len(self.written):
            raise ProgramError(
                f"command {node.number}: words {start}..{stop - 1} of the {self.name}; it has {len(self.written)}"
            )
        return part.index if isinstance(part, _Block) else part, f"{self.name} {start}..{stop - 1}"

    def write(self, node: _Node, words: slice | _Block, count: int) -> None:
        part, name = self._part(node, words)
        assert node.start is not None
        if node.start[self.reader] < self.read[part].max():
            raise ProgramError(f"command {node.number}: overwrites {name} while it may be read")
        if self.writer not in (RUN, DRAIN) and node.start[self.writer] < self.written[part].max():
            raise ProgramError(f"command {node.number}: overwrites {name} while it is written")
        self.written[part] = count

    def use(self, node: _Node, words: slice | _Block, count: int, kept: bool = False) -> None:
        """``kept``: words that nobody wrote hold what an earlier Program left."""
        part, name = self._part(node, words)
        assert node.start is not None
        written = self.written[part]
        nobody = written.min() == 0 if isinstance(words, _Block) else written.max() == 0
        if nobody and not kept:
            raise ProgramError(f"command {node.number}: reads {name}, which nobody wrote")
        if node.start[self.writer] < written.max():
            raise ProgramError(f"command {node.number}: reads {name} before it must be there")
        self.read[part] = count


class _Memories:
    """Every access of every command against the clocks, in the order of the Program."""

    def __init__(self, run: _Execution, a: Accelerator) -> None:
        self.run, self.a = run, a
        self.sb = _Words("SB", 2 * a.sb_half_words, ACT, RUN)
        self.db = _Words("DB", 2 * a.db_half_tiles, WGT, FEED)
        self.pb = _Words("PB", max(a.pb_tiles, 1), WGT, FEED)
        self.zsb = _Words("ZSB", 2 * a.zsb_half_entries, WGT, DRAIN)
        self.out = _Words("OB's output side", 2 * a.out_half_words, DRAIN, READ)
        self.tables = _Words("activation tables", TABLES, WGT, DRAIN)
        # Of each word of the SB: 1 if its layout is skewed, and the groups that its load left from it on.
        self.skewed = np.zeros(2 * a.sb_half_words, np.int64)
        self.groups = np.zeros(2 * a.sb_half_words, np.int64)
        runs = [run for _, node in self.run.order if node.command.opcode is Opcode.STORE for run in self._runs(node)]
        self.dram_base = min((start for start, _ in runs), default=0)
        self.dram = np.zeros(max((stop for _, stop in runs), default=0) - self.dram_base, np.int64)

    def check(self) -> None:
        check = {"act": self._act, "wgt": self._wgt, "feed": self._feed, "run": self._run, "store": self._store}
        for unit, node in self.run.order:
            check[unit](node)

    def _runs(self, node: _Node, prefix: str = "") -> list[tuple[int, int]]:
        """The byte ranges of DRAM that a load reads, a STORE writes or (prefix "b_") reads."""
        c, size = node.command, node.command[f"{prefix}run_beats"] * self.a.beat_bytes
        first, stride, count = c[f"{prefix}addr"], c[f"{prefix}run_stride"], c["runs"] or c["groups"]
        last = first + (count - 1) * stride + size
        if last > self.a.dram.bytes:
            raise ProgramError(f"command {node.number}: bytes {first}..{last - 1} of DRAM; it has {self.a.dram.bytes}")
        return [(first + i * stride, first + i * stride + size) for i in range(count)]

    def _stored_before(self, node: _Node, prefix: str, in_order: int) -> None:
        assert node.start is not None
        known = max(int(node.start[STORE]), in_order)
        for start, stop in self._runs(node, prefix):
            part = self.dram[max(start - self.dram_base, 0) : max(stop - self.dram_base, 0)]
            if len(part) and part.max() > known:
                raise ProgramError(f"command {node.number}: reads DRAM {start}..{stop - 1} before it must be stored")

    def _act(self, node: _Node) -> None:
        c = node.command
        groups = -(-c["groups"] // 9) if c["pointwise"] else c["groups"]
        rows = c["rows"] if c["pointwise"] else -(-c["rows"] // 3)
        block = _Block(c["sb_base"], groups, c["group_step"], rows * c["row_step"])
        self.sb.write(node, block, node.index + 1)
        self.skewed[block.index] = c["skew"]
        self.groups[block.index] = np.repeat(np.arange(groups, 0, -1), block.words)
        self._stored_before(node, "", 0)

    def _wgt(self, node: _Node) -> None:
        c = node.command
        self._runs(node)  # inside the DRAM
        total = c["runs"] * c["run_beats"]
        if c["memory"] == Memory.ZSB:
            entries = total * self.a.weight_beat_bytes // (8 * self.a.kp)
            self.zsb.write(node, slice(c["slot"], c["slot"] + entries), node.index + 1)
            return
        if c["memory"] == Memory.TABLE:
            self.tables.write(node, slice(c["slot"], c["slot"] + 1), node.index + 1)
            return
        words = self.pb if c["memory"] == Memory.PB else self.db
        words.write(node, slice(c["slot"], c["slot"] + total // self.a.tile_beats), node.index + 1)

    def _feed(self, node: _Node) -> None:
        c = node.command
        if c["maximum"]:
            return  # what it reads does not matter
        pb = c["memory"] == Memory.PB
        (self.pb if pb else self.db).use(node, slice(c["slot"], c["slot"] + c["reps"]), node.reps_end, kept=pb)

    def _run(self, node: _Node) -> None:
        c, a = node.command, self.a
        if read := self._read(node):
            self.sb.use(node, read, node.reps_end)
            start, stop = read.start, read.stop
            part = read.index if isinstance(read, _Block) else read
            if (self.skewed[part] != c["depthwise"]).any():
                raise ProgramError(f"command {node.number}: the SB's words {start}..{stop - 1} are in another layout")
        pixels = c["out_rows"] * c["out_cols"]
        if not (c["start"] and c["finish"] and c["reps"] == 1) and pixels > a.ob_pixels:
            raise ProgramError(f"command {node.number}: {pixels} pixels accumulate; the OB holds {a.ob_pixels}")
        if c["finish"]:
            entries = 1 + entry_offset(*window_counted(c["last_lanes"])) if counts_taps(c) else 1
            self.zsb.use(node, slice(c["zsb"], c["zsb"] + entries), node.reps_end)
            if c["table"]:
                self.tables.use(node, slice(c["table"] - 1, c["table"]), node.reps_end)
            groups = -(-(c["out_lane"] + a.kp) // a.cp)
            wraps = (c["out_bank"] + groups - 1) // a.nb
            self.out.write(node, slice(c["out_base"], c["out_base"] + (1 + wraps) * c["pixels"]), node.reps_end)

    def _read(self, node: _Node) -> slice | _Block | None:
        """What a PASS reads of the SB; None if all of it is outside the tensor."""
        c, first = node.command, node.command["sb_base"]
        if not c["depthwise"]:
            return slice(first, first + c["reps"] * c["group_step"])
        low, high = max(0, c["y0"]), min(c["rows"], c["y0"] + c["stride"] * (c["out_rows"] - 1) + 3)
        if low >= high:
            return None
        start, words = first + low // 3 * c["row_step"], (-(-high // 3) - low // 3) * c["row_step"]
        groups = -(-(c["out_lane"] + self.a.kp) // self.a.cp)
        if start < len(self.groups):  # beyond the groups that are loaded there are channels that nobody has
            groups = max(1, min(groups, int(self.groups[start])))
        return _Block(start, groups, c["group_step"], words)

    def _store(self, node: _Node) -> None:
        c = node.command
        if c["use_a"]:
            words = (c["out_bank"] + c["groups"] - 1) // self.a.nb + 1
            self.out.use(node, slice(c["out_base"], c["out_base"] + words * c["pixels"]), node.index + 1)
        if c["use_b"]:
            self._stored_before(node, "b_", node.index)
        for start, stop in self._runs(node):
            self.dram[start - self.dram_base : stop - self.dram_base] = node.index + 1
