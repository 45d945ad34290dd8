"""The command set: the one definition of every field of every command.

The mapper encodes with it, the RTL takes its bit positions from it, and ``docs/reference/command-set.md`` shows
:func:`field_table`. A command is one or two slots of 32 bytes, little-endian, fields packed from bit 0
upwards in the order given here; unused bits are 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

from arch_model.machine.accelerator import ADDRESS_BITS, BANK_BITS, LANE_BITS, ZSB_ADDRESS_BITS
from arch_model.machine.dram import DRAM_ADDRESS_BITS
from arch_model.machine.microarchitecture import TABLE_BYTES as TABLE_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Number = TypeVar("Number", int, "npt.NDArray[np.int64]")

SLOT_BYTES = 32
SLOT_BITS = 8 * SLOT_BYTES

COUNT_BITS = 12
"""Bits of a count: rows, columns, channel groups, runs, repetitions."""

BEATS_BITS = 20
"""Bits of a count of beats."""

STRIDE_BITS = 28
"""Bits of the bytes from one run to the next."""

PAD_BITS = 8
"""Bits of the bytes that pad a row to whole beats."""

ORIGIN_BITS = 4
"""Bits of the row or column, counted from the loaded ones, at which a PASS's first window begins: paddings and the
offsets of the windows of a 7×7 kernel lie well inside."""

PROGRAM_BEATS_BITS = 20
"""Bits of a Program's length in beats, in the register PROG_BEATS."""

ORDER_BITS = 20
"""Bits of a command's number in its Program, in the register ERROR_COMMAND."""


class Opcode(IntEnum):
    """What a command does; the unit that executes it."""

    END = 0
    LOAD_ACT = 1
    LOAD_WGT = 2
    PASS = 3
    STORE = 4


class Memory(IntEnum):
    """Destination of LOAD_WGT and source of PASS weights."""

    DB = 0
    PB = 1
    ZSB = 2
    TABLE = 3


@dataclass(frozen=True)
class Field:
    """One field of a command.

    Attributes
    ----------
    name : as in ``Command.fields``.
    bits : its width.
    doc : what it means, for the documentation.
    signed : two's complement.
    """

    name: str
    bits: int
    doc: str
    signed: bool = False

    @property
    def low(self) -> int:
        """The least value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The greatest value.

        >>> Field("pad_top", 4, "", signed=True).high, Field("rows", 12, "").high
        (7, 4095)
        """
        return (1 << (self.bits - self.signed)) - 1

    def check(self, value: int) -> int:
        """The value as an unsigned bit pattern.

        Raises
        ------
        ValueError
            It does not fit.

        Examples
        --------
        >>> Field("pad_top", 4, "", signed=True).check(-1)
        15
        """
        if not self.low <= value <= self.high:
            raise ValueError(f"field {self.name} is {value}; it holds {self.low}..{self.high}")
        return value & ((1 << self.bits) - 1)


_OPCODE = Field("opcode", 4, "what to do")

_LOAD_ACT = (
    Field("wait_free", 1, "wait for `sb_free`: RUN has left this half of the SB"),
    Field("wait_stored", 1, "wait for `stored`: the rows are in DRAM"),
    Field("signal_full", 1, "at the end signal `sb_full`"),
    Field("signal_loaded", 1, "at the end signal `loaded`: the SB's write port is free for a STORE"),
    Field("pointwise", 1, "SB layout: 0 = windows (bank by y mod 3, x mod 3), 1 = pointwise (bank by group mod 9)"),
    Field(
        "addr", DRAM_ADDRESS_BITS, "DRAM byte address of the first row of the first group, a multiple of the bus width"
    ),
    Field("groups", COUNT_BITS, "channel groups; each is one contiguous run"),
    Field("run_beats", BEATS_BITS, "beats of one run (rows times the row pitch)"),
    Field("run_stride", STRIDE_BITS, "bytes from one run's start to the next"),
    Field("rows", COUNT_BITS, "rows of a group"),
    Field("cols", COUNT_BITS, "pixels of a row (W)"),
    Field("pad", PAD_BITS, "bytes that pad a row to whole beats"),
    Field("sb_base", ADDRESS_BITS, "SB word address, the same in all nine banks"),
    Field("row_step", ADDRESS_BITS, "SB words between rows of one bank: ceil(W/3) in windows layout, W in pointwise"),
    Field("group_step", ADDRESS_BITS, "SB words between groups (windows), between blocks of nine groups (pointwise)"),
    Field("skew", 1, "windows, for depthwise: group g counts its columns from g mod 3 instead of 0"),
    Field("folded", 1, "windows: an image of few channels, several pixels in a word of CP bytes"),
)

_LOAD_WGT = (
    Field("wait_free", 1, "wait for `w_free`: FEED has left this part of the DB (or of the ZSB)"),
    Field("signal_full", 1, "at the end signal `w_full`"),
    Field("memory", 2, "0 DB, 1 PB, 2 ZSB, 3 activation tables"),
    Field("addr", DRAM_ADDRESS_BITS, "DRAM byte address, a multiple of the bus width"),
    Field("runs", COUNT_BITS, "contiguous runs"),
    Field("run_beats", BEATS_BITS, "beats of one run"),
    Field("run_stride", STRIDE_BITS, "bytes from one run's start to the next"),
    Field("slot", ADDRESS_BITS, "first tile slot (DB, PB), entry (ZSB) or table; runs fill consecutive ones"),
)

_PASS = (
    Field("wait_weights", 1, "FEED waits for `w_full`"),
    Field("signal_weights", 1, "FEED signals `w_free` once the last weight word is read"),
    Field("wait_sb", 1, "RUN waits for `sb_full`"),
    Field("wait_kept", 1, "RUN waits for `kept`: a STORE has written the rows to the SB"),
    Field("signal_sb", 1, "RUN signals `sb_free` once the last SB word is read"),
    Field("wait_out", 1, "RUN waits for `out_free`"),
    Field("signal_out", 1, "RUN signals `out_full` once the last output is written"),
    Field("memory", 1, "weights come from 0 DB, 1 PB"),
    Field("slot", ADDRESS_BITS, "tile slot of the first repetition; the next ones follow"),
    Field("reps", COUNT_BITS, "repetitions: C-tiles accumulated by this command"),
    Field("pointwise", 1, "SB layout of the input, as in LOAD_ACT"),
    Field("stride", 2, "1 or 2; with `depthwise` also 0: one pixel for all"),
    Field("out_rows", COUNT_BITS, "output rows of the tile (P)"),
    Field("out_cols", COUNT_BITS, "output columns (Q)"),
    Field("y0", ORIGIN_BITS, "row of the first window's top tap, counted from the first loaded row", signed=True),
    Field("x0", ORIGIN_BITS, "column of the first window's left tap", signed=True),
    Field("rows", COUNT_BITS, "loaded rows; a tap outside 0..rows-1 reads `fill`"),
    Field("cols", COUNT_BITS, "input columns; a tap outside 0..cols-1 reads `fill`"),
    Field("fill", 8, "value outside the tensor: its zero-point", signed=True),
    Field(
        "last_lanes",
        LANE_BITS,
        "windows: channels present in the last repetition; above them `fill` is 0; "
        "depthwise: the window's top left rows and columns that count, 4 times rows plus columns; 0: nine taps alike",
    ),
    Field("sb_base", ADDRESS_BITS, "SB word address of the first repetition"),
    Field("row_step", ADDRESS_BITS, "as in LOAD_ACT"),
    Field("group_step", ADDRESS_BITS, "SB words from one repetition to the next"),
    Field("last_banks", 4, "pointwise: groups present in the last repetition (1..9), others read 0; depthwise: skew"),
    Field("start", 1, "first repetition clears the partial sums"),
    Field("finish", 1, "last repetition sends its sums to the requantiser instead of back to the OB"),
    Field(
        "zsb",
        ZSB_ADDRESS_BITS,
        "ZSB entry of this K-tile; if `last_lanes` of a depthwise sum is not 0, the first of one for each number of "
        "taps inside the tensor: `zsb` + 3 (rows - 1) + columns - 1",
    ),
    Field("z_out", 8, "output zero-point", signed=True),
    Field("lo", 8, "lowest output", signed=True),
    Field("hi", 8, "highest output", signed=True),
    Field("out_base", ADDRESS_BITS, "OB output-side word of pixel 0 of the first group that this K-tile touches"),
    Field("out_bank", BANK_BITS, "bank of that group (group mod NB)"),
    Field("out_lane", LANE_BITS, "lane in that group at which this K-tile starts"),
    Field("pixels", ADDRESS_BITS, "words a group takes on the OB's output side (out_rows times out_cols)"),
    Field("ob_slot", 2, "partial sums are in OB words ob_slot times pixels and up"),
    Field("depthwise", 1, "filter k sees the window of channel out_lane + k, counted from the group at sb_base, alone"),
    Field("maximum", 1, "depthwise: the greatest tap instead of the sum of products"),
    Field("sub", LANE_BITS, "depthwise: which of a weight word's CP columns of nine taps to use"),
    Field("table", 2, "activation table for the outputs: 0 none, else its number plus 1"),
)

_STORE = (
    Field("wait_full", 1, "wait for `out_full`"),
    Field("signal_free", 1, "signal `out_free` once the last word is read"),
    Field("wait_loaded", 1, "wait for `loaded`: the SB's write port is free"),
    Field("signal_stored", 1, "at the end signal `stored`: DRAM has acknowledged every write"),
    Field("signal_kept", 1, "signal `kept` once the SB has the last word"),
    Field("use_a", 1, "operand a: the OB's output side"),
    Field("use_b", 1, "operand b: a tensor streamed from DRAM"),
    Field("pool", 1, "sum over the pixels of a group and emit one word a group"),
    Field("multiply", 1, "the product of a and b instead of their weighted sum"),
    Field("addr", DRAM_ADDRESS_BITS, "DRAM byte address of the result's first row"),
    Field("groups", COUNT_BITS, "channel groups"),
    Field("run_beats", BEATS_BITS, "beats written a group"),
    Field("run_stride", STRIDE_BITS, "bytes from one group's first row to the next's"),
    Field("rows", COUNT_BITS, "rows of a group read"),
    Field("cols", COUNT_BITS, "pixels of a row read"),
    Field("pad", PAD_BITS, "bytes that pad a written row to whole beats"),
    Field("out_base", ADDRESS_BITS, "OB output-side word of pixel 0 of the first group"),
    Field("out_bank", BANK_BITS, "its bank"),
    Field("pixels", ADDRESS_BITS, "words a group takes on the OB's output side (rows times cols)"),
    Field("last_lanes", LANE_BITS, "channels in the last group; lanes above it are written as 0"),
    Field("b_addr", DRAM_ADDRESS_BITS, "DRAM byte address of operand b"),
    Field("b_run_beats", BEATS_BITS, "beats a group of b"),
    Field("b_run_stride", STRIDE_BITS, "bytes from one group of b to the next"),
    Field("b_pad", PAD_BITS, "bytes that pad a row of b to whole beats"),
    Field("m_a", 24, "multiplier of a"),
    Field("m_b", 24, "multiplier of b"),
    Field("shift", 6, "common right shift, rounding half to even"),
    Field("z_a", 8, "zero-point of a", signed=True),
    Field("z_b", 8, "zero-point of b", signed=True),
    Field("z_out", 8, "output zero-point", signed=True),
    Field("lo", 8, "lowest output", signed=True),
    Field("hi", 8, "highest output", signed=True),
    Field("to_sb", 1, "write the result to the SB, too, in a layout as LOAD_ACT's"),
    Field("sb_only", 1, "with `to_sb`: write nothing to DRAM"),
    Field("pointwise", 1, "SB layout, as in LOAD_ACT"),
    Field("skew", 1, "as in LOAD_ACT; group g counts its columns from (first_group + g) mod 3"),
    Field("first_row", 2, "windows: the first row's y mod 3"),
    Field("first_group", 4, "the first group's number mod 9"),
    Field("sb_base", ADDRESS_BITS, "SB word of the first pixel"),
    Field("row_step", ADDRESS_BITS, "as in LOAD_ACT"),
    Field("group_step", ADDRESS_BITS, "as in LOAD_ACT"),
)

FIELDS: Mapping[Opcode, tuple[Field, ...]] = {
    Opcode.END: (_OPCODE,),
    Opcode.LOAD_ACT: (_OPCODE, *_LOAD_ACT),
    Opcode.LOAD_WGT: (_OPCODE, *_LOAD_WGT),
    Opcode.PASS: (_OPCODE, *_PASS),
    Opcode.STORE: (_OPCODE, *_STORE),
}

SLOTS: Mapping[Opcode, int] = {op: -(-sum(f.bits for f in fields) // SLOT_BITS) for op, fields in FIELDS.items()}
"""Slots of 32 bytes that each command takes."""

UNITS: Mapping[Opcode, tuple[str, ...]] = {
    Opcode.LOAD_ACT: ("load_act",),
    Opcode.LOAD_WGT: ("load_wgt",),
    Opcode.PASS: ("feed", "run"),
    Opcode.STORE: ("store",),
}
"""The units that execute each command, END apart: FETCH puts a PASS into two queues in the same cycle."""


@dataclass(frozen=True)
class Command:
    """One command.

    Parameters
    ----------
    opcode : what it does.
    fields : values by the field's name; those that are left out are 0.

    Examples
    --------
    >>> c = Command(Opcode.LOAD_WGT, {"addr": 4096, "runs": 1, "run_beats": 28, "memory": Memory.PB})
    >>> Command.decode(c.encode()).fields["run_beats"], len(c.encode())
    (28, 32)
    """

    opcode: Opcode
    fields: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.fields.get(name, 0)

    def encode(self) -> bytes:
        """The command as bytes, ``SLOTS[opcode] * 32`` of them.

        Raises
        ------
        ValueError
            It has a field that the opcode does not have, or a value that does not fit.
        """
        known, word = _PLACES[self.opcode], int(self.opcode)
        for name, value in self.fields.items():
            if name not in known:
                raise ValueError(f"{self.opcode.name} has no field {name}")
            field, position = known[name]
            word |= field.check(int(value)) << position
        return word.to_bytes(SLOTS[self.opcode] * SLOT_BYTES, "little")

    @classmethod
    def decode(cls, data: bytes) -> Command:
        """The inverse of :meth:`encode`.

        Raises
        ------
        ValueError
            The opcode is unknown or there are too few bytes.
        """
        opcode = Opcode(data[0] & 15) if data else Opcode.END
        need = SLOTS[opcode] * SLOT_BYTES
        if len(data) < need:
            raise ValueError(f"{opcode.name} takes {need} bytes; got {len(data)}")
        word = int.from_bytes(data[:need], "little")
        fields = {}
        for field, position in layout(opcode):
            value = (word >> position) & ((1 << field.bits) - 1)
            if field.signed and value >> (field.bits - 1):
                value -= 1 << field.bits
            if field.name != "opcode":
                fields[field.name] = value
        return cls(opcode, fields)


def counted_window(rows: int, cols: int) -> int:
    """The field ``last_lanes`` of a depthwise PASS that counts only the top left taps of its 3 x 3 window.

    Parameters
    ----------
    rows, cols : of the taps that count, 1 to 3.

    Raises
    ------
    ValueError
        A number is out of range.

    Examples
    --------
    >>> counted_window(2, 3), window_counted(counted_window(2, 3)), window_counted(0)
    (11, (2, 3), (0, 0))
    """
    if not (1 <= rows <= 3 and 1 <= cols <= 3):
        raise ValueError(f"a window of {rows} x {cols} taps; a PASS has 1 to 3 rows and columns")
    return 4 * rows + cols


def window_counted(last_lanes: int) -> tuple[int, int]:
    """The inverse of :func:`counted_window`: (rows, columns), (0, 0) where all nine taps are alike."""
    return last_lanes >> 2 & 3, last_lanes & 3


def entry_offset(rows: Number, cols: Number) -> Number:
    """Which ZSB entry, counted from ``zsb``, a depthwise PASS takes for a window.

    Parameters
    ----------
    rows, cols : of the window's taps that lie in the tensor, 1 to 3.

    Examples
    --------
    >>> entry_offset(1, 1), entry_offset(2, 3), entry_offset(3, 3)
    (0, 5, 8)
    """
    return 3 * (rows - 1) + cols - 1


def layout(opcode: Opcode) -> Iterator[tuple[Field, int]]:
    """Every field of a command with the position of its lowest bit."""
    position = 0
    for field in FIELDS[opcode]:
        yield field, position
        position += field.bits


def counts_taps(command: Command) -> bool:
    """Whether a PASS takes its ZSB entry by how many taps of each window are inside the tensor.

    >>> counts_taps(Command(Opcode.PASS, {"depthwise": 1, "last_lanes": counted_window(2, 2)}))
    True
    """
    return bool(command["depthwise"] and not command["maximum"] and command["last_lanes"])


_PLACES = {opcode: {field.name: (field, at) for field, at in layout(opcode) if at} for opcode in FIELDS}
"""Of each command, by name: a field and the position of its lowest bit, but for the opcode's."""


def greatest(opcode: Opcode, name: str) -> int:
    """The greatest value of a command's field.

    Parameters
    ----------
    opcode : the command.
    name : of the field.

    Examples
    --------
    >>> greatest(Opcode.LOAD_ACT, "cols"), greatest(Opcode.PASS, "slot")
    (4095, 65535)
    """
    return _PLACES[opcode][name][0].high


def field_table(opcode: Opcode) -> str:
    """The fields of a command as a Markdown table (bits, name, meaning).

    >>> print(field_table(Opcode.END).splitlines()[-1])
    | 3:0 | `opcode` | what to do |
    """
    rows = ["| bits | field | meaning |", "|---|---|---|"]
    for field, position in layout(opcode):
        span = f"{position + field.bits - 1}:{position}" if field.bits > 1 else str(position)
        sign = ", signed" if field.signed else ""
        rows.append(f"| {span} | `{field.name}` | {field.doc}{sign} |")
    return "\n".join(rows)
