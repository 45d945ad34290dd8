"""Proof that a Program neither hangs nor races, whatever the units' speeds.

The units are deterministic, execute in order and talk only through queues and token counters, so whether a Program
hangs does not depend on timing: :func:`check_program` executes it once, untimed. On the way each command gets a vector
clock: which events of the other units *must* be over when it starts. Two commands that touch the same words then
conflict unless the clocks order them as the Program does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import TABLE_BYTES, TABLES
from arch_model.program.isa import COUNT_BITS, Command, Memory, Opcode, counts_taps, entry_offset, window_counted
from arch_model.program.limits import POOLED_MAX, first_broken, limits, too_long
from arch_model.program.program import Program
from arch_model.program.sb_words import SbWords
from arch_model.program.untimed_run import (
    DRAIN,
    FEED,
    READ,
    RUN,
    STORE,
    WGT,
    Node,
    ProgramError,
    UntimedRun,
)


def check_program(program: Program, accelerator: Accelerator | None = None) -> None:
    """Execute the rules of tokens, queues and dispatch.

    What it finds: a deadlock; tokens left at the end; more than 255 of one kind at once; words of SB, DB, PB, ZSB, OB's
    output side, activation tables or DRAM written while they may still be read, or read before they must be written;
    addresses beyond a buffer or the DRAM; a value that its field, and a length that its register, does not hold; a
    field that the hardware refuses (:mod:`arch_model.program.limits`); fields that do not go together
    (:func:`check_fields`).

    Parameters
    ----------
    program : whose commands are checked.
    accelerator : the machine that would run it. None: the one that it was compiled for.

    Raises
    ------
    ProgramError
        A command breaks a rule; the line names the first one by its number.
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
    run = UntimedRun(program.commands)
    run.execute()
    _Memories(run, a, [span.last for span in program.layers]).check()


def check_fields(number: int, command: Command, accelerator: Accelerator) -> None:
    """Refuse fields of one command that do not go together.

    Parameters
    ----------
    number : of the command in its Program, for the error.
    command : whose fields are checked.
    accelerator : the machine that would run it.

    Raises
    ------
    ProgramError
        Naming the field and its value.
    """
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
            ("skew", not (c["skew"] and c["pointwise"])),
            ("rows", not c["pool"] or c["rows"] * c["cols"] <= POOLED_MAX >> (c["use_a"] and c["use_b"])),
        ]
    for field, legal in rules:
        if not legal:
            raise ProgramError(f"command {number}: {field} of {c.opcode.name} is {c[field]}, not with its other fields")


class _Words:
    """Who wrote and who read each word last, as counts of clock components (0: nobody)."""

    def __init__(self, name: str, size: int, writer: int, reader: int) -> None:
        self.name, self.writer, self.reader = name, writer, reader
        self.written = np.zeros(size, np.int64)
        self.read = np.zeros(size, np.int64)

    def _name(self, node: Node, part: slice) -> str:
        """The words in words; an error if the memory does not have them."""
        start, stop = part.start, part.stop
        if not 0 <= start < stop <= len(self.written):
            raise ProgramError(
                f"command {node.number}: words {start}..{stop - 1} of the {self.name}; it has {len(self.written)}"
            )
        return f"{self.name} {start}..{stop - 1}"

    def write(self, node: Node, part: slice, count: int) -> None:
        name = self._name(node, part)
        assert node.start is not None
        if node.start[self.reader] < self.read[part].max():
            raise ProgramError(f"command {node.number}: overwrites {name} while it may be read")
        if self.writer not in (RUN, DRAIN) and node.start[self.writer] < self.written[part].max():
            raise ProgramError(f"command {node.number}: overwrites {name} while it is written")
        self.written[part] = count

    def use(self, node: Node, part: slice, count: int, kept: bool = False) -> None:
        """``kept``: words that nobody wrote hold what an earlier Program left."""
        name = self._name(node, part)
        assert node.start is not None
        written = self.written[part]
        if written.max() == 0 and not kept:
            raise ProgramError(f"command {node.number}: reads {name}, which nobody wrote")
        if node.start[self.writer] < written.max():
            raise ProgramError(f"command {node.number}: reads {name} before it must be there")
        self.read[part] = count


class _Memories:
    """Every access of every command against the clocks, in the order of the Program."""

    def __init__(self, run: UntimedRun, a: Accelerator, lasts: Sequence[int]) -> None:
        self.run, self.a = run, a
        self.lasts = lasts  # numbers of the layers' last STOREs
        self.sb = SbWords(2 * a.sb_half_words)
        self.db = _Words("DB", 2 * a.db_half_tiles, WGT, FEED)
        self.pb = _Words("PB", max(a.pb_tiles, 1), WGT, FEED)
        self.zsb = _Words("ZSB", 2 * a.zsb_half_entries, WGT, DRAIN)
        self.out = _Words("OB's output side", 2 * a.out_half_words, DRAIN, READ)
        self.tables = _Words("activation tables", TABLES, WGT, DRAIN)
        stores = [node for _, node in self.run.order if node.command.opcode is Opcode.STORE]
        runs = [run for node in stores if not node.command["sb_only"] for run in self._runs(node)]
        self.dram_base = min((start for start, _ in runs), default=0)
        self.dram = np.zeros(max((stop for _, stop in runs), default=0) - self.dram_base, np.int64)

    def check(self) -> None:
        check = {
            "load_act": self._act,
            "load_wgt": self._wgt,
            "feed": self._feed,
            "run": self._run,
            "store": self._store,
        }
        for unit, node in self.run.order:
            check[unit](node)

    def _runs(self, node: Node, prefix: str = "") -> list[tuple[int, int]]:
        """The byte ranges of DRAM that a load reads, a STORE writes or (prefix "b_") reads."""
        c, size = node.command, node.command[f"{prefix}run_beats"] * self.a.beat_bytes
        first, stride, count = c[f"{prefix}addr"], c[f"{prefix}run_stride"], c["runs"] or c["groups"]
        last = first + (count - 1) * stride + size
        if last > self.a.dram.bytes:
            raise ProgramError(f"command {node.number}: bytes {first}..{last - 1} of DRAM; it has {self.a.dram.bytes}")
        return [(first + i * stride, first + i * stride + size) for i in range(count)]

    def _stored_before(self, node: Node, prefix: str, in_order: int) -> None:
        assert node.start is not None
        known = max(int(node.start[STORE]), in_order)
        for start, stop in self._runs(node, prefix):
            part = self.dram[max(start - self.dram_base, 0) : max(stop - self.dram_base, 0)]
            if len(part) and part.max() > known:
                raise ProgramError(f"command {node.number}: reads DRAM {start}..{stop - 1} before it must be stored")

    def _act(self, node: Node) -> None:
        self.sb.write(node)
        self._stored_before(node, "", 0)

    def _wgt(self, node: Node) -> None:
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

    def _feed(self, node: Node) -> None:
        c = node.command
        if c["maximum"]:
            return  # what it reads does not matter
        pb = c["memory"] == Memory.PB
        (self.pb if pb else self.db).use(node, slice(c["slot"], c["slot"] + c["reps"]), node.reps_end, kept=pb)

    def _run(self, node: Node) -> None:
        c, a = node.command, self.a
        self.sb.use(node, -(-(c["out_lane"] + a.kp) // a.cp))
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

    def _store(self, node: Node) -> None:
        c = node.command
        if c["use_a"]:
            words = (c["out_bank"] + c["groups"] - 1) // self.a.nb + 1
            self.out.use(node, slice(c["out_base"], c["out_base"] + words * c["pixels"]), node.index + 1)
        if c["use_b"]:
            self._stored_before(node, "b_", node.index)
        if c["to_sb"]:
            self.sb.write(node, bisect_left(self.lasts, node.number))
        for start, stop in () if c["sb_only"] else self._runs(node):
            self.dram[start - self.dram_base : stop - self.dram_base] = node.index + 1
