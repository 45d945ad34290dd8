"""The registers behind s_axi_ctrl, each described once, bit by bit.

``rtl/control.py`` elaborates from this table; the page ``docs/reference/registers.md``, the SystemRDL and all that is
made of it follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from arch_model.program.isa import ORDER_BITS, PROGRAM_BEATS_BITS
from rtl.errors import ERROR_BITS

ADDRESS_BITS = 8
BITS = 32
IDENTITY = 0x46535731  # "FSW1"
BEAT_COUNT_BITS = PROGRAM_BEATS_BITS
"""Of the number of a unit's command."""

WATCHDOG_CYCLES = 1 << 20
"""WATCHDOG after reset: far longer than any memory's latency or a pass of the largest tile."""

STRIPES = 4
"""The most that a machine can have; it uses the first of BASE_0 .. BASE_3 and of WGT_BASE_0 .. WGT_BASE_3."""


class Machine(Protocol):
    """What a constant of the machine is taken from: an Accelerator, or Control."""

    @property
    def kp(self) -> int: ...
    @property
    def cp(self) -> int: ...
    @property
    def beat_bytes(self) -> int: ...
    @property
    def stripes(self) -> int: ...
    @property
    def weight_stripes(self) -> int: ...
    @property
    def pixels(self) -> int: ...


class Access(StrEnum):
    """What software can do with a register, and for a counter what the hardware does."""

    CONSTANT = "constant"
    READ = "read"
    WRITE = "read, write"
    START = "read, write; taken at start"
    COMMAND = "write, reads 0"
    CLEAR = "read, write 1 to clear"
    COUNT = "read, counts"


@dataclass(frozen=True)
class Field:
    """Some bits of a register.

    Attributes
    ----------
    name : its name.
    low, width : bits ``low`` to ``low + width - 1``.
    doc : what they mean.
    reset : their value after reset, in a CONSTANT register always; a name is that of the machine's parameter.
    """

    name: str
    low: int
    width: int
    doc: str
    reset: int | str = 0

    @property
    def high(self) -> int:
        """The uppermost bit."""
        return self.low + self.width - 1

    @property
    def bits(self) -> str:
        """The field's bits as the register table prints them, "" for a whole register.

        Examples
        --------
        >>> Field("code", 8, 8, "error code").bits, Field("busy", 0, 1, "busy").bits, Field("count", 0, 32, "").bits
        (' [15:8]', ' [0]', '')
        """
        if self.width == BITS:
            return ""
        return f" [{self.low}]" if self.width == 1 else f" [{self.high}:{self.low}]"

    def reset_value(self, machine: Machine) -> int:
        """Value after reset of ``machine``."""
        return int(getattr(machine, self.reset)) if isinstance(self.reset, str) else self.reset


@dataclass(frozen=True)
class Register:
    """One register of 32 bits.

    A COUNT register counts the cycles in which the port of its name in lower case is high.

    Attributes
    ----------
    name : its name.
    address : byte address.
    access : who may do what with it.
    fields : its bits; others read 0.
    """

    name: str
    address: int
    access: Access
    fields: tuple[Field, ...]

    @property
    def doc(self) -> str:
        """What it means, in one line."""
        return ", ".join(f"{field.doc}{field.bits}" for field in self.fields)

    @property
    def port(self) -> str:
        """Name of the input that a COUNT register counts."""
        return self.name.lower()

    def reset_value(self, machine: Machine) -> int:
        """What it reads after reset of ``machine``."""
        return sum(field.reset_value(machine) << field.low for field in self.fields)


def _whole(name: str, address: int, access: Access, doc: str, field: str = "value", reset: int = 0) -> Register:
    return Register(name, address, access, (Field(field, 0, BITS, doc, reset),))


def _count(name: str, address: int, doc: str) -> Register:
    return _whole(name, address, Access.COUNT, doc, "count")


BUS_PORTS = {"prog": 1, "wgt": STRIPES, "act": STRIPES, "out": STRIPES}
"""Ports by name, each with the bits that its stripes have in the register BUS, the first lowest."""


def _ports(what: str, low: int, doc: str) -> tuple[Field, ...]:
    """A bit for each port, from bit ``low`` on."""
    fields = []
    for name, count in BUS_PORTS.items():
        fields.append(Field(f"{what}_{name}", low, count, f"ports m_axi_{name} that {doc}"))
        low += count
    return tuple(fields)


REGISTERS = (
    _whole("ID", 0x00, Access.CONSTANT, f'0x{IDENTITY:08x} ("FSW1")', reset=IDENTITY),
    Register(
        "SHAPE",
        0x04,
        Access.CONSTANT,
        (
            Field("kp", 0, 8, "KP, filters at once", "kp"),
            Field("cp", 8, 8, "CP, channels at once", "cp"),
            Field("beat_bytes", 16, 16, "B, bytes of a beat of activations", "beat_bytes"),
        ),
    ),
    Register(
        "CTRL",
        0x08,
        Access.COMMAND,
        (Field("start", 0, 1, "start (ignored while busy)"), Field("reset", 1, 1, "reset of all but these registers")),
    ),
    Register(
        "STATUS",
        0x0C,
        Access.READ,
        (
            Field("busy", 0, 1, "busy"),
            Field("done", 1, 1, "done"),
            Field("error", 2, 1, "error"),
            Field("resetting", 3, 1, "resetting"),
            Field("broken", 4, 1, "the reset has given up: a transfer never ends"),
            Field("code", 8, ERROR_BITS, "error code"),
        ),
    ),
    Register("IRQ_ENABLE", 0x10, Access.WRITE, (Field("enable", 0, 1, "`irq` on done or error"),)),
    Register("IRQ_STATUS", 0x14, Access.CLEAR, (Field("pending", 0, 1, "done or error; `irq` = this and enabled"),)),
    _whole("PROG_ADDR", 0x18, Access.START, "byte address of the Program, a multiple of its port's beat", "address"),
    Register("PROG_BEATS", 0x1C, Access.START, (Field("beats", 0, BEAT_COUNT_BITS, "length of the Program in beats"),)),
    *(
        _whole(
            f"BASE_{i}",
            0x20 + 4 * i,
            Access.START,
            f"byte address of stripe {i} of the tensors, a multiple of its port's longest burst",
            "address",
        )
        for i in range(STRIPES)
    ),
    Register(
        "PORTS",
        0x30,
        Access.CONSTANT,
        (
            Field("stripes", 0, 8, "stripes of the tensors", "stripes"),
            Field("pixels", 8, 8, "pixels that LOAD_ACT and STORE move a cycle", "pixels"),
            Field("weight_stripes", 16, 8, "stripes of the weights", "weight_stripes"),
        ),
    ),
    Register(
        "ERROR_COMMAND",
        0x34,
        Access.READ,
        (Field("command", 0, ORDER_BITS, "which command the error is of; see the codes"),),
    ),
    _whole(
        "WATCHDOG",
        0x38,
        Access.WRITE,
        f"cycles without progress that are an error; 0: never; {WATCHDOG_CYCLES} after reset",
        "cycles",
        WATCHDOG_CYCLES,
    ),
    Register("BUS", 0x3C, Access.READ, _ports("broke", 0, "broke AXI's rules") + _ports("waits", 16, "owe an answer")),
    _count("CYCLES", 0x40, "cycles from start to done"),
    _count("COMMANDS", 0x44, "commands dispatched, END too"),
    _count("BUSY_LOAD_ACT", 0x48, "cycles in which LOAD_ACT executed a command"),
    _count("BUSY_LOAD_WGT", 0x4C, "cycles in which LOAD_WGT executed a command"),
    _count("BUSY_FEED", 0x50, "cycles in which FEED executed a command"),
    _count("BUSY_RUN", 0x54, "cycles in which RUN executed a command"),
    _count("BUSY_STORE", 0x58, "cycles in which STORE executed a command"),
    _count("BEATS_PROG", 0x5C, "beats read on m_axi_prog"),
    _count("BEATS_WGT", 0x60, "beats read on m_axi_wgt"),
    _count("BEATS_ACT", 0x64, "beats read on m_axi_act"),
    _count("BEATS_B", 0x68, "beats read on m_axi_out"),
    _count("BEATS_OUT", 0x6C, "beats written on m_axi_out"),
    _count("PASSES", 0x70, "passes started"),
    _count("WAIT_SB", 0x74, "cycles RUN waited for activations in the SB (`sb_full`)"),
    _count("WAIT_WEIGHTS", 0x78, "cycles RUN waited for the weights of its pass (a full shadow)"),
    _count("WAIT_OUT", 0x7C, "cycles RUN waited for room on the output side of the OB (`out_free`)"),
    *(
        _whole(
            f"WGT_BASE_{i}",
            0x80 + 4 * i,
            Access.START,
            f"byte address of stripe {i} of weights, ZSB entries and tables, a multiple of their port's longest burst",
            "address",
        )
        for i in range(STRIPES)
    ),
)

ADDRESS = {register.name: register.address for register in REGISTERS}
"""Byte address of each register by name, for drivers."""

COUNTERS = tuple(register for register in REGISTERS if register.access is Access.COUNT)

FIELDS = {(register.name, field.name): field for register in REGISTERS for field in register.fields}
"""Each field by the names of its register and its own."""


def register_table() -> str:
    """The registers as a Markdown table, as shown in docs/reference/registers.md.

    >>> print(register_table().splitlines()[2])
    | 0x00 | ID | constant | 0x46535731 ("FSW1") |
    """
    rows = ["| address | register | access | |", "|---|---|---|---|"]
    rows += [f"| 0x{r.address:02X} | {r.name} | {r.access} | {r.doc} |" for r in REGISTERS]
    return "\n".join(rows)
