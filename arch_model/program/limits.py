"""What a machine refuses in a command: limits on single fields, one table for FETCH, the checker and the documentation.

They are those that cost a comparator. Extents (rows times cols, groups times group_step) are not among them:
``arch_model.program.check`` finds those that leave a buffer or the DRAM before anything runs. A command whose sizes
contradict each other, as a STORE's beats and rows, can write wrong words or stand still until WATCHDOG.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.microarchitecture import TABLES
from arch_model.program.isa import ORDER_BITS, PROGRAM_BEATS_BITS, Command, Memory, Opcode

Conditions = tuple[tuple[str, int], ...]

POOLED_MAX = 1 << 15
"""Pixels that a STORE sums: of one operand so many 255 * 2**24 fit the 48 bits of its sum."""

PRODUCTS_MAX = 1 << 16
"""Products that a sum may have: so many 128 * 255 fit an int32, and leave room for a bias."""


@dataclass(frozen=True)
class Limit:
    """One rule for a field of a command.

    Attributes
    ----------
    opcode : of the commands that it concerns.
    field : whose value it limits.
    text : the rule in words, for any machine.
    low, high : smallest and greatest value. None: as the field's bits allow.
    multiple : the value is a multiple of it.
    plus : the name of another field; the rule is then for the sum of both.
    when : it holds for commands in which each of these fields has this value.
    """

    opcode: Opcode
    field: str
    text: str
    low: int = 0
    high: int | None = None
    multiple: int = 1
    plus: str = ""
    when: Conditions = ()

    def allows(self, command: Command) -> bool:
        """Whether the command keeps this limit.

        >>> limit = Limit(Opcode.LOAD_WGT, "runs", "1 or more", low=1)
        >>> limit.allows(Command(Opcode.LOAD_WGT, {"runs": 3})), limit.allows(Command(Opcode.LOAD_WGT, {}))
        (True, False)
        """
        if command.opcode != self.opcode or any(command[name] != value for name, value in self.when):
            return True
        value = command[self.field] + (command[self.plus] if self.plus else 0)
        return value >= self.low and (self.high is None or value <= self.high) and value % self.multiple == 0

    def told(self, command: Command) -> str:
        """What is wrong with a command that does not keep it: the field, its value, and what is right.

        >>> limit = Limit(Opcode.LOAD_WGT, "addr", "whole beats", multiple=4)
        >>> limit.told(Command(Opcode.LOAD_WGT, {"addr": 6}))
        'LOAD_WGT: addr is 6; it is a multiple of 4 (whole beats)'
        """
        name = f"{self.field} + {self.plus}" if self.plus else self.field
        value = command[self.field] + (command[self.plus] if self.plus else 0)
        if self.multiple > 1:
            right = f"a multiple of {self.multiple}"
        elif self.high is None:
            right = f"{self.low} or more"
        else:
            right = f"{self.low} to {self.high}" if self.high >= self.low else "nothing that this machine has"
        return f"{self.opcode.name}: {name} is {value}; it is {right} ({self.text})"


def limits(a: Accelerator) -> tuple[Limit, ...]:
    """Every limit of a machine; of an opcode's first the multiples."""
    return (*_load_act(a), *_load_wgt(a), *_pass(a), *_store(a))


def first_broken(command: Command, known: tuple[Limit, ...]) -> Limit | None:
    """The first limit that a command does not keep, which is the one that the hardware names; None if it keeps all.

    Parameters
    ----------
    command : whose fields are checked.
    known : the limits of the machine, in the order of the hardware.
    """
    return next((limit for limit in known if not limit.allows(command)), None)


def too_long(commands: int, beats: int) -> str:
    """Why no register holds the length of a Program, or the number of one of its commands; "" if they do.

    Parameters
    ----------
    commands : of the Program.
    beats : that it takes in DRAM.

    Examples
    --------
    >>> too_long(1 << 16, 1 << 19), too_long(1 << 17, 1 << 20)
    ('', 'a Program of 1048576 beats; PROG_BEATS holds at most 1048575')
    """
    for value, bits, what, register in (
        (beats, PROGRAM_BEATS_BITS, "beats", "PROG_BEATS"),
        (commands, ORDER_BITS, "commands", "ERROR_COMMAND"),
    ):
        if value >= 1 << bits:
            return f"a Program of {value} {what}; {register} holds at most {(1 << bits) - 1}"
    return ""


def limit_table(a: Accelerator) -> str:
    """The limits as a Markdown table, as shown in docs/reference/command-set.md."""
    rows = ["| command | field | is |", "|---|---|---|"]
    for limit in limits(a):
        name = f"`{limit.field}`" + (f" + `{limit.plus}`" if limit.plus else "")
        condition = ", ".join(f"`{field}` {value}" for field, value in limit.when)
        rows.append(f"| {limit.opcode.name} | {name} | {limit.text}{f', with {condition}' if condition else ''} |")
    return "\n".join(rows)


def _whole_beats(beat_bytes: int, opcode: Opcode, *fields: str, when: Conditions = ()) -> Iterator[Limit]:
    for field in fields:
        yield Limit(opcode, field, "whole beats", multiple=beat_bytes, when=when)


def _some(opcode: Opcode, *fields: str, when: Conditions = ()) -> Iterator[Limit]:
    for field in fields:
        yield Limit(opcode, field, "1 or more", low=1, when=when)


def _below(opcode: Opcode, field: str, count: int, what: str, when: Conditions = ()) -> Limit:
    return Limit(opcode, field, f"below the {what}", high=count - 1, when=when)


def _load_act(a: Accelerator) -> Iterator[Limit]:
    op = Opcode.LOAD_ACT
    yield from _whole_beats(a.beat_bytes, op, "addr", "run_stride")
    yield from _some(op, "groups", "run_beats", "rows", "cols")
    yield _below(op, "pad", a.beat_bytes, "bytes of a beat")
    yield _below(op, "sb_base", 2 * a.sb_half_words, "words of an SB bank")
    if a.fold == 1:
        yield Limit(op, "folded", "0: a word of this machine holds one pixel", high=0)


def _load_wgt(a: Accelerator) -> Iterator[Limit]:
    op = Opcode.LOAD_WGT
    yield from _whole_beats(a.weight_beat_bytes, op, "addr", "run_stride")
    yield from _some(op, "runs", "run_beats")
    others = (Memory.ZSB, 2 * a.zsb_half_entries, "entries of the ZSB"), (Memory.TABLE, TABLES, "activation tables")
    for memory, count, what in (*_weight_memories(a), *others):
        yield _below(op, "slot", count, what, (("memory", memory),))


def _weight_memories(a: Accelerator) -> tuple[tuple[Memory, int, str], ...]:
    return (Memory.DB, 2 * a.db_half_tiles, "tiles of the DB"), (Memory.PB, a.pb_tiles, "tiles of the PB")


def _pass(a: Accelerator) -> Iterator[Limit]:
    op, finish = Opcode.PASS, (("finish", 1),)
    yield from _some(op, "reps", "out_rows", "out_cols", "rows", "cols")
    yield Limit(op, "stride", "1 or 2", low=1, high=2, when=(("depthwise", 0),))
    yield Limit(op, "stride", "0 to 2", high=2, when=(("depthwise", 1),))
    yield Limit(op, "last_banks", "0 to 2", high=2, when=(("depthwise", 1),))
    yield _below(op, "sub", a.cp, "columns of a weight word (CP)", (("depthwise", 1),))
    yield Limit(op, "table", "0 to 2", high=TABLES)
    for memory, count, what in _weight_memories(a):
        yield Limit(op, "slot", f"at most the {what}", high=count, plus="reps", when=(("memory", memory),))
    yield Limit(op, "last_banks", f"1 to {TAPS}", low=1, high=TAPS, when=(("pointwise", 1),))
    yield _below(op, "sb_base", 2 * a.sb_half_words, "words of an SB bank")
    yield _below(op, "zsb", 2 * a.zsb_half_entries, "entries of the ZSB", finish)
    yield _below(op, "out_base", 2 * a.out_half_words, "words of a bank of the output side", finish)
    yield _below(op, "out_bank", a.nb, "banks of the output side (NB)", finish)
    yield _below(op, "out_lane", a.cp, "lanes of a group (CP)", finish)


def _store(a: Accelerator) -> Iterator[Limit]:
    op, from_ob, from_dram = Opcode.STORE, (("use_a", 1),), (("use_b", 1),)
    to_dram, to_sb = (("sb_only", 0),), (("to_sb", 1),)
    yield from _whole_beats(a.beat_bytes, op, "addr", "run_stride")
    yield from _whole_beats(a.beat_bytes, op, "b_addr", "b_run_stride", when=from_dram)
    yield from _some(op, "groups", "rows", "cols")
    yield from _some(op, "run_beats", when=to_dram)
    yield from _some(op, "b_run_beats", when=from_dram)
    yield Limit(op, "use_a", "1 or more: there is an operand", low=1, plus="use_b")
    yield _below(op, "pad", a.beat_bytes, "bytes of a beat")
    yield _below(op, "b_pad", a.beat_bytes, "bytes of a beat", from_dram)
    yield _below(op, "out_base", 2 * a.out_half_words, "words of a bank of the output side", from_ob)
    yield _below(op, "out_bank", a.nb, "banks of the output side (NB)", from_ob)
    yield Limit(op, "to_sb", "1: the result goes somewhere", low=1, when=(("sb_only", 1),))
    yield Limit(op, "first_row", "0 to 2", high=2, when=to_sb)
    yield Limit(op, "first_group", f"0 to {TAPS - 1}", high=TAPS - 1, when=to_sb)
    yield _below(op, "sb_base", 2 * a.sb_half_words, "words of an SB bank", to_sb)
