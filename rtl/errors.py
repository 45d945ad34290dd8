"""The error codes of STATUS, and what they mean: one table for hardware, benches and documentation."""

from __future__ import annotations

from enum import IntEnum

ERROR_BITS = 8


class ErrorCode(IntEnum):
    """Why the machine reports an error; 0 is none. The first since start is kept; a port's replaces any other."""

    OPCODE = 1
    NO_END = 2
    READ_PROG = 3
    READ_WGT = 4
    READ_ACT = 5
    READ_B = 6
    WRITE_OUT = 7
    UNALIGNED = 8
    RANGE = 9
    STUCK = 10
    RESIDUAL = 11
    PROTOCOL_PROG = 12
    PROTOCOL_WGT = 13
    PROTOCOL_ACT = 14
    PROTOCOL_B = 15
    PROTOCOL_OUT = 16

    @property
    def goes_on(self) -> bool:
        """The unit goes on, and so does the Program, to its end; after any other error only a reset helps.

        >>> [code.name for code in ErrorCode if code.goes_on]
        ['READ_WGT', 'READ_ACT', 'READ_B', 'WRITE_OUT']
        """
        return ErrorCode.READ_WGT <= self <= ErrorCode.WRITE_OUT

    @property
    def of_port(self) -> bool:
        """What is behind a port has broken AXI's rules; the register BUS tells which port.

        >>> [int(code) for code in ErrorCode if code.of_port]
        [12, 13, 14, 15, 16]
        """
        return self >= ErrorCode.PROTOCOL_PROG

    @property
    def of_unit(self) -> bool:
        """ERROR_COMMAND counts this unit's commands.

        >>> ErrorCode.READ_B.of_unit, ErrorCode.PROTOCOL_B.of_unit, ErrorCode.PROTOCOL_PROG.of_unit
        (True, True, False)
        """
        return self.goes_on or self > ErrorCode.PROTOCOL_PROG


MEANING = {
    ErrorCode.OPCODE: "unknown opcode",
    ErrorCode.NO_END: "the Program ended without END, or inside a command",
    ErrorCode.READ_PROG: "m_axi_prog: SLVERR or DECERR",
    ErrorCode.READ_WGT: "m_axi_wgt: the same",
    ErrorCode.READ_ACT: "m_axi_act: the same",
    ErrorCode.READ_B: "m_axi_out, reading operand b: the same",
    ErrorCode.WRITE_OUT: "m_axi_out, writing: the same",
    ErrorCode.UNALIGNED: "an address, a stride or PROG_ADDR that is not whole beats; a BASE that is not whole bursts",
    ErrorCode.RANGE: "a field beyond what the machine has (the limits below)",
    ErrorCode.STUCK: "nothing has moved for WATCHDOG cycles",
    ErrorCode.RESIDUAL: "the Program has ended and left tokens, or words of a STORE, that the next would find",
    ErrorCode.PROTOCOL_PROG: "m_axi_prog: a beat nobody asked for, RLAST early or missing, or EXOKAY",
    ErrorCode.PROTOCOL_WGT: "m_axi_wgt: the same as 12",
    ErrorCode.PROTOCOL_ACT: "m_axi_act: the same as 12",
    ErrorCode.PROTOCOL_B: "m_axi_out, reading operand b: the same as 12",
    ErrorCode.PROTOCOL_OUT: "m_axi_out, writing: a response to no burst, or EXOKAY",
}

WHERE = {True: "commands that LOAD_WGT, LOAD_ACT or STORE had accepted before", False: "commands dispatched before"}
"""What ERROR_COMMAND tells, by :attr:`ErrorCode.of_unit`."""


def error_table() -> str:
    """The codes as a Markdown table, as shown in docs/reference/registers.md.

    >>> print(error_table().splitlines()[2])
    | 1 | unknown opcode | commands dispatched before |
    """
    rows = ["| error code | meaning | ERROR_COMMAND |", "|---|---|---|"]
    rows += [f"| {int(code)} | {text} | {WHERE[code.of_unit]} |" for code, text in MEANING.items()]
    return "\n".join(rows)
